//! Claim: paths, redirects, cookies and forwarding fields fit both sides; what belongs to one connection ends there.

mod support;

use support::process::{Config, Proxy};
use support::upstream::{Act, Upstream};
use support::wait_until;

#[test]
fn a_mapped_path_is_mapped_back_in_redirects_and_cookies() {
    let upstream = Upstream::start(|seen| {
        let own = format!("http://{}/inner/next", seen.field("x-own").unwrap_or("none"));
        let location = match seen.target.as_str() {
            "/inner/relative" => "/inner/next?a=b".to_owned(),
            "/inner/host" => "http://shop/inner/next".to_owned(),
            "/inner/secure" => "https://shop/inner/next".to_owned(),
            "/inner/foreign" => "http://elsewhere/inner/next".to_owned(),
            _ => own,
        };
        let cookies = "Set-Cookie: JSESSIONID=A.n1; Path=/inner; HttpOnly\r\nSet-Cookie: b=c; Path=/\r\n";
        Act::answer("302 Found", &format!("Location: {location}\r\n{cookies}"), "")
    });
    let proxy = Proxy::start(&Config::mapped(&[&upstream], "/outer", "tomcat/inner"));
    let own = format!("X-Own: {}\r\n", upstream.address);
    for (target, location) in [
        ("/outer/own", "http://shop/outer/next"),
        ("/outer/relative", "/outer/next?a=b"),
        ("/outer/host", "http://shop/outer/next"),
        ("/outer/secure", "https://shop/outer/next"),
        ("/outer/foreign", "http://elsewhere/inner/next"),
    ] {
        let response = proxy.client().get(target, &own);
        assert_eq!(response.field("location"), Some(location), "{target}");
        assert_eq!(
            response.fields("set-cookie"),
            ["JSESSIONID=A.n1; Path=/outer; HttpOnly", "b=c; Path=/"]
        );
    }
    assert_eq!(proxy.client().get("/elsewhere", "").status, 404);
    assert_eq!(
        proxy.client().get("/outerspace", "").status,
        404,
        "whole segments match"
    );
}

#[test]
fn hop_by_hop_fields_end_at_the_proxy() {
    let upstream = Upstream::start(|_| {
        let fields =
            "Connection: X-Private, close\r\nX-Private: a\r\nKeep-Alive: timeout=5\r\nX-Public: b\r\n";
        Act::answer("200 OK", fields, "ok")
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    let fields = "Connection: X-Mine, Cookie, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n\
                  TE: gzip\r\nCookie: a=b\r\nX-Yours: 2\r\n";
    let response = client.get("/", fields);
    let sent = &upstream.seen()[0];
    for name in ["x-mine", "keep-alive", "proxy-connection", "te", "connection"] {
        assert_eq!(sent.field(name), None, "{name}");
    }
    assert_eq!(
        (sent.field("x-yours"), sent.field("cookie")),
        (Some("2"), Some("a=b"))
    );
    for name in ["x-private", "keep-alive", "connection"] {
        assert_eq!(response.field(name), None, "{name}");
    }
    assert_eq!(response.field("x-public"), Some("b"));
    assert_eq!(
        client.get("/", "").status,
        200,
        "the upstream's close is not the client's"
    );
}

#[test]
fn the_upstream_learns_of_the_client_from_the_proxy_alone() {
    let upstream = Upstream::named("ok");
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let forged = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\nRemora-Effect: none\r\n";
    assert_eq!(proxy.client().get("/", forged).status, 200);
    let sent = &upstream.seen()[0];
    assert_eq!(sent.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(sent.field("x-forwarded-proto"), Some("http"));
    assert_eq!(sent.field("x-forwarded-host"), Some("shop"));
    assert_eq!(
        sent.field("x-forwarded-port"),
        Some("80"),
        "the port of the Host, not of our socket, which a port map may hide"
    );
    assert_eq!(
        (sent.field("forwarded"), sent.field("remora-effect")),
        (None, None)
    );
    assert_eq!(sent.field("host"), Some("shop"), "Host passes as it came");
}

#[test]
fn fields_keep_their_order_and_their_repetitions() {
    let upstream = Upstream::start(|_| Act::answer("200 OK", "B: 1\r\nA: 2\r\nB: 3\r\n", ""));
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let response = proxy.client().get("/", "X-B: 1\r\nX-A: 2\r\nX-B: 3\r\n");
    assert_eq!(
        upstream.seen()[0]
            .fields
            .iter()
            .filter(|(name, _)| name == "x-b")
            .count(),
        2
    );
    assert_eq!(response.fields("b"), ["1", "3"]);
}

#[test]
fn behind_a_trusted_proxy_that_ends_tls_the_client_speaks_https() {
    let upstream = Upstream::start(|seen| {
        let own = seen.field("x-own").unwrap_or("none");
        Act::answer("302 Found", &format!("Location: http://{own}/next\r\n"), "")
    });
    let own = format!("X-Own: {}\r\nX-Forwarded-Proto: https\r\n", upstream.address);
    let config = Config::with_route_cookie(&[&upstream]);
    for (config, scheme) in [
        (config.clone(), "http"),
        (config.top("trust = [\"127.0.0.1\"]"), "https"),
    ] {
        let proxy = Proxy::start(&config);
        let response = proxy.client().get("/", &own);
        let location = format!("{scheme}://shop/next");
        assert_eq!(response.field("location"), Some(location.as_str()));
        let cookie = response.field("set-cookie").expect("a new user is marked");
        assert_eq!(cookie.ends_with("; Secure"), scheme == "https", "{cookie}");
    }
}

/// A proxy in front of one upstream, with its access log in a file.
struct Logged {
    upstream: Upstream,
    proxy: Proxy,
    directory: tempfile::TempDir,
}

impl Logged {
    fn start(configure: impl Fn(Config) -> Config) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let upstream = Upstream::named("ok");
        let log = directory.path().join("access.log");
        let proxy = Proxy::start(&configure(Config::new(&[&upstream])).access_log(&log));
        Self {
            upstream,
            proxy,
            directory,
        }
    }

    /// The access log, once it has so many lines.
    fn lines(&self, lines: usize) -> Vec<String> {
        let mut written: Vec<String> = Vec::new();
        wait_until("all lines are written", || {
            let log = std::fs::read_to_string(self.directory.path().join("access.log")).unwrap_or_default();
            written = log.lines().map(str::to_owned).collect();
            written.len() == lines
        });
        written
    }

    /// The client of each of so many lines.
    fn clients(&self, lines: usize) -> Vec<String> {
        let client = |line: String| line.split(' ').next().unwrap_or_default().to_owned();
        self.lines(lines).into_iter().map(client).collect()
    }

    /// What the last request's upstream was told: chain, scheme and port.
    fn told(&self) -> [String; 3] {
        let seen = self.upstream.seen();
        let sent = seen.last().expect("a request came");
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"]
            .map(|name| sent.field(name).unwrap_or("-").to_owned())
    }
}

#[test]
fn the_client_behind_a_trusted_proxy_is_logged_and_told_of() {
    let site = Logged::start(|config| config.top("trust = [\"127.0.0.1\", \"10.0.0.0/8\"]"));
    let fields = "X-Forwarded-For: 1.2.3.4, 9.9.9.9, 10.0.0.2\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\n";
    assert_eq!(site.proxy.client().get("/", fields).status, 200);
    assert_eq!(site.told(), ["9.9.9.9, 10.0.0.2, 127.0.0.1", "https", "443"]);
    assert_eq!(site.upstream.seen()[0].field("forwarded"), None);
    assert_eq!(site.clients(1), ["9.9.9.9"]);
}

#[test]
fn a_balancer_s_proxy_header_names_the_client_and_anything_else_is_refused() {
    let site = Logged::start(|config| config.listen("proxy_protocol = [\"127.0.0.1\"]"));
    let get = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n";
    let version_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x09\x09\x09\x09\x0a\0\0\x01\0\x50\0\x50";
    for (header, client) in [
        (&b"PROXY TCP4 9.9.9.9 10.0.0.1 56324 80\r\n"[..], "9.9.9.9"),
        (version_2, "9.9.9.9"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    ] {
        let mut connection = site.proxy.client();
        connection.send([header, get.as_bytes(), get.as_bytes()].concat());
        for _ in 0..2 {
            assert_eq!(connection.response().status, 200);
            assert_eq!(site.told()[0], client);
        }
    }
    let clients = site.clients(6);
    assert_eq!(clients.iter().filter(|client| *client == "9.9.9.9").count(), 4);
    let mut plain = site.proxy.client();
    plain.send(get);
    assert!(plain.is_closed(), "no PROXY header");
    let refused = r#"remora_proxy_refused_connections_total{reason="no PROXY header"}"#;
    assert_eq!(site.proxy.figure(refused), Some(1.0));

    let others = Logged::start(|config| config.listen("proxy_protocol = [\"192.0.2.1\"]"));
    let mut stranger = others.proxy.client();
    stranger.send([&b"PROXY TCP4 9.9.9.9 10.0.0.1 1 1\r\n"[..], get.as_bytes()].concat());
    assert!(stranger.is_closed(), "not a balancer of ours");
    assert!(others.upstream.seen().is_empty());
}

#[test]
fn an_owner_s_rules_come_last_in_both_directions() {
    let upstream = Upstream::start(|_| Act::answer("200 OK", "Server: inner\r\nX-Powered-By: JSP\r\n", ""));
    let rules = "[headers]\nrequest = { set = { X-Real-IP = \"0.0.0.0\" }, unset = [\"X-Debug\"] }\n\
                 response = { set = { Server = \"shop\" }, unset = [\"X-Powered-By\"] }";
    let proxy = Proxy::start(&Config::mapped(&[&upstream], "/shop", "tomcat").table(rules));
    let response = proxy.client().get(
        "/shop",
        "X-Real-IP: 9.9.9.9\r\nx_debug: 1\r\nSSL_CLIENT_CERT: x\r\n",
    );
    let sent = &upstream.seen()[0];
    assert_eq!(sent.field("x-real-ip"), Some("0.0.0.0"));
    assert_eq!(
        (sent.field("x_debug"), sent.field("ssl_client_cert")),
        (None, None)
    );
    assert_eq!(response.fields("server"), ["shop"]);
    assert_eq!(response.field("x-powered-by"), None);
    let own = proxy.client().get("/elsewhere", "");
    assert_eq!(
        (own.status, own.field("server")),
        (404, Some("shop")),
        "our own answers too"
    );
}

#[test]
fn a_route_s_rules_come_after_the_site_s() {
    let upstream = Upstream::start(|_| Act::answer("200 OK", "Server: inner\r\n", ""));
    let rules = "[[route]]\npath = \"/api\"\nto = \"tomcat\"\n\
                 headers = { request = { set = { X-A = \"api\" } }, response = { unset = [\"Server\"] } }\n\
                 [headers]\nrequest = { set = { X-A = \"site\", X-B = \"site\" } }\n\
                 response = { set = { Server = \"shop\" } }";
    let proxy = Proxy::start(&Config::new(&[&upstream]).table(rules));
    for (target, own, server) in [("/api", "api", None), ("/", "site", Some("shop"))] {
        let response = proxy.client().get(target, "X-A: theirs\r\n");
        let seen = upstream.seen();
        let sent = seen.last().expect("it was sent");
        assert_eq!((sent.field("x-a"), sent.field("x-b")), (Some(own), Some("site")));
        assert_eq!(response.field("server"), server);
    }
}

#[test]
fn a_request_has_one_name_in_all_logs() {
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (trust, kept) in [("trust = []", false), ("trust = [\"127.0.0.1\"]", true)] {
        let site = Logged::start(|config| config.top(trust));
        let fields = format!("X-Request-Id: theirs\r\ntraceparent: {trace}\r\n");
        assert_eq!(site.proxy.client().get("/", &fields).status, 200);
        let seen = site.upstream.seen();
        let id = seen[0].field("x-request-id").expect("every request has one");
        assert_eq!(id == "theirs", kept, "{id}");
        assert_eq!(seen[0].field("traceparent"), Some(trace));
        let refused = site.proxy.client().get("/%00", "");
        let own = refused
            .field("x-request-id")
            .expect("an answer of our own has one");
        assert_ne!(own, id);
        // In any order: another thread may have served the second.
        let lines = site.lines(2);
        for end in [format!(" id={id} trace={trace}"), format!(" id={own} trace=-")] {
            assert!(
                lines.iter().any(|line| line.ends_with(&end)),
                "{end} in {lines:?}"
            );
        }
    }
}

#[test]
fn a_request_that_comes_round_is_not_sent_again() {
    let upstream = Upstream::named("ok");
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    assert_eq!(proxy.client().get("/", "Via: 1.1 front\r\n").status, 200);
    let via: Vec<String> = upstream.seen()[0]
        .fields
        .iter()
        .filter(|(name, _)| name == "via")
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    assert_eq!(via.len(), 2, "{via:?}");
    assert_eq!(proxy.client().get("/", &via.concat()).status, 508);
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn what_names_another_route_or_member_of_the_pool_is_mapped_back_too() {
    let members = [(); 2].map(|()| {
        Upstream::start(|seen| {
            let fields = seen.field("x-say").unwrap_or_default().replace('|', "\r\n");
            Act::answer("302 Found", &format!("{fields}\r\n"), "")
        })
    });
    let more = "[[route]]\npath = \"/auth\"\nto = \"tomcat/sso\"";
    let proxy =
        Proxy::start(&Config::mapped(&[&members[0], &members[1]], "/shop", "tomcat/inner").table(more));
    let say = |fields: &str| {
        let other = members[1].address;
        let fields = format!(
            "X-Say: {}\r\nCookie: JSESSIONID=A.n1\r\n",
            fields.replace("OTHER", &other.to_string())
        );
        proxy.client().get("/shop/x", &fields)
    };
    let login =
        say("Location: http://shop/sso/login|Set-Cookie: SSO=1; Path=/sso|Refresh: 5; url=http://OTHER/sso");
    assert_eq!(login.field("location"), Some("http://shop/auth/login"));
    assert_eq!(login.field("set-cookie"), Some("SSO=1; Path=/auth"));
    assert_eq!(login.field("refresh"), Some("5; url=http://shop/auth"));
    assert_eq!(
        say("Location: http://OTHER/inner/x").field("location"),
        Some("http://shop/shop/x")
    );
    let inside = format!("http://{}/status", members[1].address);
    for _ in 0..2 {
        assert_eq!(
            say("Location: http://OTHER/status").field("location"),
            Some(&*inside)
        );
    }
    let counted = r#"remora_proxy_unpublished_locations_total{pool="tomcat"}"#;
    assert_eq!(proxy.figure(counted), Some(2.0));
    proxy.tells("that no route publishes");
    assert_eq!(
        proxy.log().matches("that no route publishes").count(),
        1,
        "{}",
        proxy.log()
    );
}

#[test]
fn a_path_goes_by_host_and_an_encoded_slash_where_it_may() {
    let (shop, jobs) = (Upstream::named("shop"), Upstream::named("jobs"));
    let more = format!(
        "[pool.jobs]\n[[pool.jobs.member]]\nurl = \"http://{}\"\nroute = \"j1\"\n[[route]]\npath = \"/\"\nto = \"jobs/ci\"\n\
         host = [\"jobs.test\"]\nexcept = [\"/static\"]\nencoded_slash = true",
        jobs.address
    );
    let proxy = Proxy::start(&Config::new(&[&shop]).table(&more));
    let ask = |host: &str, target: &str| {
        let mut client = proxy.client();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let response = client.response();
        (response.status, response.text())
    };
    assert_eq!(ask("jobs.test:8080", "/a%2Fb"), (200, "jobs".to_owned()));
    assert_eq!(jobs.seen()[0].target, "/ci/a%2Fb");
    assert_eq!(ask("jobs.test", "/static/x"), (200, "shop".to_owned()));
    assert_eq!(ask("shop.test", "/a"), (200, "shop".to_owned()));
    assert_eq!(ask("shop.test", "/a%2Fb").0, 400);
}

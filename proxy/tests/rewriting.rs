//! Claim: paths, redirects, cookies and forwarding fields fit both sides; what belongs to one connection ends there.

mod support;

use support::process::{Config, Proxy};
use support::upstream::{Act, Upstream};

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
    let port = proxy.address.port().to_string();
    assert_eq!(sent.field("x-forwarded-port"), Some(port.as_str()));
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

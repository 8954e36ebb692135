//! TLS towards clients, with real sockets: whose certificate is shown, who resumes, how connections end, and what happens when
//! files change.

mod support;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};
use support::process::{Config, Proxy};
use support::tls::{Certificates, now, readable_by, refused, shop, visit};
use support::upstream::{Act, Upstream};
use support::wait_until;

/// More than any body here, and more than fits into the buffers between two ends.
const MANY_BYTES: usize = 1024 * 1024;

/// Whether the proxy shows a client that asks for this name this certificate.
fn is_shown(proxy: &Proxy, certificates: &Certificates, name: &str, shown: &str) -> bool {
    // Without what earlier connections left: who resumes is shown nothing.
    let client = proxy
        .client()
        .secure(&certificates.trusting_any(), name)
        .expect("a handshake");
    let chain = client.secured().peer_certificates().expect("a server shows one");
    chain[0] == certificates.der(shown)
}

#[test]
fn a_client_is_served_over_tls_and_the_upstream_knows() {
    let upstream = Upstream::named("tomcat");
    let (certificates, proxy) = shop(&Config::with_route_cookie(&[&upstream]));
    let mut client = visit(&proxy, &certificates.client());
    for _ in 0..3 {
        let answer = client.get("/", "");
        assert_eq!((answer.status, answer.text()), (200, "tomcat".to_owned()));
        assert!(answer.field("set-cookie").unwrap().contains("; Secure"));
    }
    let seen = upstream.seen();
    assert_eq!(seen[2].field("x-forwarded-proto"), Some("https"));
    assert_eq!(seen[2].field("x-forwarded-port"), Some("443"));
    client.send("GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n");
    assert_eq!(client.response().status, 200);
    assert!(client.ends_in_order());
}

#[test]
fn an_answer_that_is_cut_does_not_look_whole() {
    let upstream = Upstream::start(|seen| match &*seen.target {
        "/until-close" => Act::SayAndReset(b"HTTP/1.1 200 OK\r\n\r\nhalf".to_vec()),
        _ => Act::SayAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()),
    });
    let (certificates, proxy) = shop(&Config::new(&[&upstream]));
    for request in ["GET / HTTP/1.1", "GET / HTTP/1.0", "GET /until-close HTTP/1.0"] {
        let mut client = visit(&proxy, &certificates.client());
        client.send(format!("{request}\r\nHost: shop\r\n\r\n"));
        assert!(!client.response().complete, "{request}");
        assert!(!client.ends_in_order(), "{request}");
    }
}

#[test]
fn an_answer_that_ends_with_its_connection_ends_in_order() {
    let upstream = Upstream::start(|_| Act::SayAndClose(b"HTTP/1.1 200 OK\r\n\r\nwhole".to_vec()));
    let (certificates, proxy) = shop(&Config::new(&[&upstream]));
    let mut client = visit(&proxy, &certificates.client());
    client.send("GET / HTTP/1.0\r\n\r\n");
    let answer = client.response();
    assert!(answer.complete && answer.text() == "whole");
}

#[test]
fn each_client_is_shown_the_certificate_of_the_name_that_it_asks_for() {
    let upstream = Upstream::named("tomcat");
    let certificates = Certificates::draw();
    certificates.issue("first", &["first.test"]);
    certificates.issue("star", &["*.shop.test"]);
    certificates.issue("exact", &["www.shop.test", "Shop.test"]);
    let listed = ["star", "exact"].map(|name| format!("{{ {} }}", certificates.pair(name)));
    let tls = |more: &str| {
        let (first, listed) = (certificates.pair("first"), listed.join(", "));
        format!("tls = {{ {first}, certificate = [{listed}]{more} }}")
    };
    let proxy = Proxy::start(&Config::new(&[&upstream]).listen(&tls("")));
    for (asked, shown) in [
        ("first.test", "first"),
        ("a.shop.test", "star"),
        ("www.shop.test", "exact"),
        ("shop.test", "exact"),
        ("a.b.shop.test", "first"),
        ("other.test", "first"),
        ("127.0.0.1", "first"),
    ] {
        assert!(is_shown(&proxy, &certificates, asked, shown), "{asked}");
    }
    let strict = Proxy::start(&Config::new(&[&upstream]).listen(&tls(", strict_sni = true")));
    assert!(is_shown(&strict, &certificates, "a.shop.test", "star"));
    for name in ["other.test", "127.0.0.1"] {
        let refused = strict.client().secure(&certificates.trusting_any(), name);
        assert!(refused.is_err(), "{name}");
    }
}

#[test]
fn whoever_comes_back_resumes_at_any_thread_and_over_a_reload() {
    let upstream = Upstream::named("tomcat");
    let (certificates, proxy) = shop(&Config::new(&[&upstream]).top("threads = 2"));
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(certificates.speaking(&[version]));
        let kind = || {
            let mut client = visit(&proxy, &config);
            assert_eq!(client.get("/", "").status, 200);
            client.secured().handshake_kind().unwrap()
        };
        let first = kind();
        assert_ne!(first, HandshakeKind::Resumed);
        // By chance all of them come to one thread once in a million runs.
        for turn in 0..20 {
            assert_eq!(kind(), HandshakeKind::Resumed, "{version:?}, turn {turn}");
        }
        let reloads = proxy.log().matches("the new configuration holds").count();
        proxy.signal("HUP");
        wait_until("it is read anew", || {
            proxy.log().matches("the new configuration holds").count() > reloads
        });
        assert_eq!(kind(), HandshakeKind::Resumed, "{version:?}");
    }
}

#[test]
fn new_connections_get_what_a_reload_reads_and_open_ones_go_on() {
    let upstream = Upstream::named("tomcat");
    let base = Config::new(&[&upstream]);
    let (certificates, proxy) = shop(&base);
    let mut before = visit(&proxy, &certificates.client());
    let named = format!("{{listen=\"{}\",name=\"shop.test\"}}", proxy.address);
    let figure = format!("remora_proxy_certificate_expires_seconds{named}");
    let expires = proxy.figure(&figure).expect("a figure");

    certificates.issue_at("shop", &["shop.test"], now() + Duration::from_secs(1_000));
    proxy.signal("HUP");
    wait_until("it is shown", || {
        is_shown(&proxy, &certificates, "shop.test", "shop")
    });
    let later = proxy.figure(&figure).expect("a figure") - expires;
    assert!((1_000.0..1_100.0).contains(&later), "{later}");

    certificates.issue("other", &["other.test"]);
    std::fs::copy(certificates.file("other.key"), certificates.file("shop.key")).unwrap();
    proxy.signal("HUP");
    proxy.tells("do not fit together");
    proxy.tells("proxy.toml:3: ");
    assert!(is_shown(&proxy, &certificates, "shop.test", "shop"));
    assert_eq!(before.get("/", "").status, 200);

    certificates.issue("shop", &["shop.test"]);
    let both = ["shop", "other"].map(|name| format!("{{ {} }}", certificates.pair(name)));
    proxy.reload(&base.listen(&format!("tls = {{ certificate = [{}] }}", both.join(", "))));
    wait_until("both are shown", || {
        is_shown(&proxy, &certificates, "other.test", "other")
            && is_shown(&proxy, &certificates, "shop.test", "shop")
    });
    assert_eq!(before.get("/", "").status, 200);
}

#[test]
fn it_is_told_when_the_certificates_end_that_are_shown_now() {
    let upstream = Upstream::named("tomcat");
    let base = Config::new(&[&upstream]);
    let (certificates, proxy) = shop(&base);
    let expires = |name: &str| {
        let labels = format!("{{listen=\"{}\",name=\"{name}\"}}", proxy.address);
        proxy.figure(&format!("remora_proxy_certificate_expires_seconds{labels}"))
    };
    let first = expires("shop.test").expect("a figure");
    certificates.issue("other", &["other.test"]);
    certificates.issue_at("late", &["shop.test"], now() - Duration::from_secs(1_000));
    let with = |names: &[&str]| {
        let pairs: Vec<String> = names
            .iter()
            .map(|name| format!("{{ {} }}", certificates.pair(name)))
            .collect();
        let line = format!("tls = {{ certificate = [{}] }}", pairs.join(", "));
        proxy.reload(&base.clone().listen(&line));
    };
    with(&["late", "shop", "other"]);
    wait_until("the other is told", || expires("other.test").is_some());
    let least = expires("shop.test").expect("a figure");
    assert!(least < first, "the one that ends first is told: {least}");
    with(&["shop"]);
    wait_until("what is shown no more is told no more", || {
        expires("other.test").is_none() && expires("shop.test") == Some(first)
    });
}

#[test]
fn a_check_says_what_is_wrong_with_certificates() {
    let certificates = Certificates::draw();
    certificates.issue("shop", &["shop.test"]);
    let upstream = Upstream::named("tomcat");
    let line = format!("tls = {{ {} }}", certificates.pair("shop"));
    let file = certificates.file("proxy.toml");
    let address = support::process::free_address();
    std::fs::write(
        &file,
        Config::new(&[&upstream]).listen(&line).at(address, address),
    )
    .unwrap();
    let check = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_remora-proxy"));
        command
            .arg("--check")
            .arg("--config")
            .arg(&file)
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = check();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("shop.pem expires in 1 days: renew it"), "{said}");

    readable_by(&certificates.file("shop.key"), 0o644);
    let (code, said) = check();
    assert!(
        code == Some(0) && said.contains("everybody on this machine can read"),
        "{said}"
    );

    certificates.issue_at("shop", &["shop.test"], now() - Duration::from_secs(3 * 86_400));
    let (code, said) = check();
    assert!(code == Some(0) && said.contains("shop.pem has expired"), "{said}");

    for (name, text, expected) in [
        ("shop.key", "nothing", "shop.key is not a private key in PEM"),
        ("shop.pem", "nothing", "shop.pem holds no certificate in PEM"),
    ] {
        std::fs::write(certificates.file(name), text).unwrap();
        let (code, said) = check();
        assert_eq!(code, Some(2), "{said}");
        assert!(
            said.contains("proxy.toml:3: ") && said.contains(expected),
            "{said}"
        );
    }
}

#[test]
fn who_never_makes_the_handshake_leaves_soon() {
    let upstream = Upstream::named("tomcat");
    let limits = Config::new(&[&upstream]).table("[limits]\nhandshake = \"200ms\"");
    let (_certificates, proxy) = shop(&limits);
    let (mut silent, mut begun) = (proxy.client(), proxy.client());
    // The first bytes of a record that is never whole.
    begun.send([0x16, 3, 1, 1]);
    assert!(silent.is_closed() && begun.is_closed());
    let late = "no TLS handshake in time";
    wait_until("both are counted", || refused(&proxy, late) >= 2.0);
}

#[test]
fn a_handshake_that_is_not_made_holds_up_no_stop_and_nobody_else() {
    let upstream = Upstream::named("tomcat");
    let limits = Config::new(&[&upstream]).table("[limits]\nhandshake = \"1h\"\nconnections = 1");
    let (certificates, mut proxy) = shop(&limits.one_thread());
    let mut silent = proxy.client();
    let mut client = visit(&proxy, &certificates.client());
    assert_eq!(client.get("/", "").status, 200);
    assert!(silent.is_closed(), "it gave way");
    drop(client);
    let _silent = proxy.client();
    wait_until("it is there", || {
        proxy.figure("remora_proxy_client_connections") == Some(1.0)
    });
    let began = Instant::now();
    proxy.signal("TERM");
    assert_eq!(proxy.exit_code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn who_speaks_http_in_clear_is_told_what_is_spoken() {
    let upstream = Upstream::named("tomcat");
    let (certificates, proxy) = shop(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    let answer = client.response();
    assert_eq!(answer.status, 400);
    assert!(answer.complete && answer.text().contains("speaks HTTPS"));
    assert!(client.is_closed());
    wait_until("it is counted", || {
        refused(&proxy, "HTTP in clear where TLS is spoken") == 1.0
    });
    let mut noise = proxy.client();
    noise.send([0; 64]);
    // An alert comes first.
    while !noise.is_closed() {}
    wait_until("it is counted", || {
        refused(&proxy, "it does not speak TLS") == 1.0
    });
    assert!(upstream.seen().is_empty());
    assert_eq!(visit(&proxy, &certificates.client()).get("/", "").status, 200);
}

#[test]
fn http_2_is_offered_unless_an_owner_says_otherwise() {
    let (certificates, upstream) = (Certificates::draw(), Upstream::named("tomcat"));
    certificates.issue("shop", &["shop.test"]);
    for on in [true, false] {
        let line = format!("tls = {{ {}, http2 = {on} }}", certificates.pair("shop"));
        let proxy = Proxy::start(&Config::new(&[&upstream]).listen(&line));
        let mut config = certificates.speaking(&[&TLS13]);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut client = visit(&proxy, &Arc::new(config));
        let spoken: &[u8] = if on { b"h2" } else { b"http/1.1" };
        assert_eq!(client.secured().alpn_protocol(), Some(spoken));
        if !on {
            assert_eq!(client.get("/", "").text(), "tomcat");
        }
    }
}

#[test]
fn an_old_version_is_spoken_unless_an_owner_says_otherwise() {
    let upstream = Upstream::named("tomcat");
    let (certificates, proxy) = shop(&Config::new(&[&upstream]));
    let old = Arc::new(certificates.speaking(&[&TLS12]));
    assert_eq!(visit(&proxy, &old).get("/", "").status, 200);
    let line = format!("tls = {{ {}, min_version = \"1.3\" }}", certificates.pair("shop"));
    let proxy = Proxy::start(&Config::new(&[&upstream]).listen(&line));
    assert!(proxy.client().secure(&old, "shop.test").is_err());
    assert_eq!(visit(&proxy, &certificates.client()).get("/", "").status, 200);
    assert_eq!(refused(&proxy, "it speaks no TLS that is served here"), 1.0);
}

#[test]
fn large_bodies_pass_both_ways() {
    let upstream = Upstream::start(|seen| match seen.body.len() {
        0 => Act::text("nothing"),
        _ => Act::text(std::str::from_utf8(&seen.body).unwrap()),
    });
    let (certificates, proxy) = shop(&Config::new(&[&upstream]));
    let mut client = visit(&proxy, &certificates.client());
    let body: String = ('a'..='z').cycle().take(MANY_BYTES).collect();
    for _ in 0..2 {
        let answer = client.request("POST", "/", "", &body);
        assert!(answer.complete && answer.text() == body);
        assert_eq!(client.get("/", "").text(), "nothing");
    }
}

#[test]
fn a_websocket_passes_and_ends_in_order() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    let upstream = Upstream::start(move |_| Act::Echo(switch.into()));
    let (certificates, proxy) = shop(&Config::new(&[&upstream]));
    let mut client = visit(&proxy, &certificates.client());
    let fields = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert_eq!(client.get("/", fields).status, 101);
    for text in ["frame", "another"] {
        client.send(text);
        assert_eq!(client.bytes(text.len()), text.as_bytes());
    }
    client.finish();
    assert!(client.ends_in_order());

    let broken = Upstream::start(move |_| Act::SayAndReset(switch.into()));
    let (certificates, proxy) = shop(&Config::new(&[&broken]));
    let mut client = visit(&proxy, &certificates.client());
    // What was on its way may be lost with the reset, the 101 as well; that it ended in order nobody is told.
    client.send(format!("GET / HTTP/1.1\r\nHost: shop\r\n{fields}\r\n"));
    assert!(!client.ends_in_order());
}

#[test]
fn a_rest_that_is_too_long_and_an_early_answer_end_in_order() {
    let upstream = Upstream::start_with_heads(|_| Act::answer("413 Content Too Large", "", "too much"));
    let base = Config::new(&[&upstream]).table("[limits]\nclient_idle = \"200ms\"");
    let (certificates, proxy) = shop(&base);
    let mut resting = visit(&proxy, &certificates.client());
    assert_eq!(resting.get("/", "").status, 413);
    assert!(resting.ends_in_order());

    let mut early = visit(&proxy, &certificates.client());
    early.send("POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 300000\r\n\r\n");
    early.send(vec![b'x'; 100_000]);
    let answer = early.response();
    assert_eq!((answer.status, answer.text()), (413, "too much".to_owned()));
    assert!(early.ends_in_order());
}

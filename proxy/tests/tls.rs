//! TLS towards clients, with real sockets: whose certificate is shown, how connections end, and what happens when files change.

mod support;

use support::process::{Config, Proxy};
use support::tls::Certificates;
use support::upstream::{Act, Upstream};

/// A proxy with one certificate for shop.test.
fn shop(config: &Config) -> (Certificates, Proxy) {
    let certificates = Certificates::draw();
    certificates.issue("shop", &["shop.test"]);
    let line = format!("tls = {{ {} }}", certificates.pair("shop"));
    let proxy = Proxy::start(&config.clone().listen(&line));
    (certificates, proxy)
}

#[test]
fn a_client_is_served_over_tls_and_the_upstream_knows() {
    let upstream = Upstream::named("tomcat");
    let (certificates, proxy) = shop(&Config::new(&[&upstream]));
    let mut client = proxy
        .client()
        .secure(&certificates.client(), "shop.test")
        .unwrap();
    for _ in 0..3 {
        let answer = client.get("/", "");
        assert_eq!((answer.status, answer.text()), (200, "tomcat".to_owned()));
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
    let upstream =
        Upstream::start(|_| Act::SayAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()));
    let (certificates, proxy) = shop(&Config::new(&[&upstream]));
    let mut client = proxy
        .client()
        .secure(&certificates.client(), "shop.test")
        .unwrap();
    let answer = client.get("/", "");
    assert!(!answer.complete);
    assert!(!client.ends_in_order());
}

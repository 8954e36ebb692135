//! Claim: what requests see of an upstream is believed at once, without waiting for a check.
//!
//! Broken once to see it fail: failures of attempts not observed (a refused upstream stays up, and so does one that breaks
//! two requests); answers not observed (a request that is answered between two failures clears nothing, and the upstream
//! is down); bodies that break not observed (an upstream that cuts its answers stays up).

mod support;

use support::process::{Config, Proxy};
use support::upstream::{Act, Upstream};

/// Two upstreams with checks so rare that only requests tell of their state.
fn proxy(first: &Upstream, second: &Upstream) -> Proxy {
    let config = Config::new(&[first, second]).one_thread();
    Proxy::start(&config.health("health = { every = \"60s\" }"))
}

/// What is believed of the first one: 1 up, 0 down.
fn belief(proxy: &Proxy) -> Option<f64> {
    proxy.figure(r#"remora_proxy_upstream_health{pool="tomcat",route="n1"}"#)
}

/// What a user of the first one gets, over a connection of his own.
fn answer(proxy: &Proxy, target: &str) -> String {
    proxy.client().get(target, "Cookie: JSESSIONID=ABC.n1\r\n").text()
}

/// Breaks each request to `/break`, cuts each answer to `/cut`, answers the others.
fn moody() -> Upstream {
    Upstream::start(|seen| match seen.target.as_str() {
        "/break" => Act::SayAndClose(Vec::new()),
        "/cut" => Act::SayAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec()),
        _ => Act::text("moody"),
    })
}

#[test]
fn a_refused_connect_is_believed_at_once() {
    let (gone, other) = (Upstream::named("gone"), Upstream::named("other"));
    let proxy = proxy(&gone, &other);
    assert_eq!(belief(&proxy), Some(1.0));
    gone.stop_listening();
    assert_eq!(answer(&proxy, "/"), "other");
    assert_eq!(belief(&proxy), Some(0.0));
}

#[test]
fn two_broken_requests_in_a_row_are_believed() {
    let (moody, other) = (moody(), Upstream::named("other"));
    let proxy = proxy(&moody, &other);
    assert_eq!(answer(&proxy, "/break"), "other");
    assert_eq!(belief(&proxy), Some(1.0), "one may be a single broken request");
    assert_eq!(answer(&proxy, "/break"), "other");
    assert_eq!(belief(&proxy), Some(0.0));
}

#[test]
fn an_answer_between_two_broken_requests_clears_the_first() {
    let (moody, other) = (moody(), Upstream::named("other"));
    let proxy = proxy(&moody, &other);
    for _ in 0..3 {
        assert_eq!(answer(&proxy, "/break"), "other");
        assert_eq!(answer(&proxy, "/"), "moody");
    }
    assert_eq!(belief(&proxy), Some(1.0));
}

#[test]
fn answers_that_are_cut_are_believed_as_broken() {
    let (moody, other) = (moody(), Upstream::named("other"));
    let proxy = proxy(&moody, &other);
    assert_eq!(answer(&proxy, "/cut"), "half");
    assert_eq!(answer(&proxy, "/"), "moody", "an answer clears it");
    assert_eq!(answer(&proxy, "/break"), "other");
    assert_eq!(belief(&proxy), Some(1.0));
    // The head of an answer that is cut later clears what came before; its end counts.
    assert_eq!(answer(&proxy, "/cut"), "half");
    assert_eq!(answer(&proxy, "/break"), "other");
    assert_eq!(belief(&proxy), Some(0.0));
}

//! Claim: a request that two servers could read differently is refused, and somebody can see that it was.

mod support;

use support::client::Client;
use support::process::{Config, Proxy};
use support::upstream::Upstream;

struct Row {
    what: &'static str,
    bytes: &'static str,
    /// Statuses that are right; 0 is a close without an answer.
    statuses: &'static [u16],
}

/// Rows of the security list whose answer is ours, as it is listed.
const ANSWERED: &[Row] = &[
    row(
        "a second Host",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        &[400],
    ),
    row("an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", &[400]),
    row("an empty Host of old", "GET / HTTP/1.0\r\nHost: \r\n\r\n", &[400]),
    row("no Host", "GET / HTTP/1.1\r\n\r\n", &[400]),
    row(
        "a Host that is none",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        &[400],
    ),
    row(
        "another authority",
        "GET http://other/ HTTP/1.1\r\nHost: shop\r\n\r\n",
        &[400],
    ),
    row("TRACE", "TRACE / HTTP/1.1\r\nHost: shop\r\n\r\n", &[405]),
    row(
        "CONNECT",
        "CONNECT shop:80 HTTP/1.1\r\nHost: shop:80\r\n\r\n",
        &[405],
    ),
    row(
        "a signed length",
        "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: +1\r\n\r\nx",
        &[400],
    ),
    row(
        "two lengths",
        "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        &[400],
    ),
    row(
        "a list of lengths",
        "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 1,1\r\n\r\nx",
        &[400],
    ),
    row(
        "an unknown encoding",
        "POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: xchunked\r\n\r\n",
        &[501],
    ),
    row(
        "an encoding before chunked",
        "POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        &[501],
    ),
    row(
        "a space before the colon",
        "GET / HTTP/1.1\r\nHost : shop\r\n\r\n",
        &[400],
    ),
    row(
        "an obsolete fold",
        "GET / HTTP/1.1\r\nHost: shop\r\nX: a\r\n b\r\n\r\n",
        &[400],
    ),
    row(
        "a NUL in a value",
        "GET / HTTP/1.1\r\nHost: shop\r\nX: a\0b\r\n\r\n",
        &[400],
    ),
    row(
        "a dot segment with a parameter",
        "GET /tomcat/..;/x HTTP/1.1\r\nHost: shop\r\n\r\n",
        &[400],
    ),
    row(
        "a climb out of the route",
        "GET /tomcat/%2e%2e/x HTTP/1.1\r\nHost: shop\r\n\r\n",
        &[400],
    ),
    row(
        "an encoded slash",
        "GET /tomcat/a%2fb HTTP/1.1\r\nHost: shop\r\n\r\n",
        &[400],
    ),
    row(
        "another expectation",
        "POST /tomcat HTTP/1.1\r\nHost: shop\r\nExpect: cake\r\nContent-Length: 1\r\n\r\nx",
        &[417],
    ),
    row(
        "a bare LF after a chunk size",
        "POST /tomcat HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
        &[400],
    ),
    row(
        "a chunk size that is no number",
        "POST /tomcat HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n",
        &[400],
    ),
    row(
        "a length beside an encoding",
        "POST /tomcat HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    row(
        "one length twice",
        "POST /tomcat HTTP/1.1\r\nHost: shop\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        &[400],
    ),
    row(
        "a bare LF in the head",
        "GET /tomcat HTTP/1.1\nHost: shop\r\n\r\n",
        &[400],
    ),
    row(
        "a fragment",
        "GET /tomcat/c#d HTTP/1.1\r\nHost: shop\r\n\r\n",
        &[400],
    ),
    row(
        "a Host with two ports",
        "GET /tomcat HTTP/1.1\r\nHost: a:b:c\r\n\r\n",
        &[400],
    ),
    row(
        "a Host that does not close",
        "GET /tomcat HTTP/1.1\r\nHost: [::1\r\n\r\n",
        &[400],
    ),
    row(
        "a chunk longer than its size",
        "POST /tomcat HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
        &[400],
    ),
];

const fn row(what: &'static str, bytes: &'static str, statuses: &'static [u16]) -> Row {
    Row {
        what,
        bytes,
        statuses,
    }
}

fn proxy(upstream: &Upstream) -> Proxy {
    Proxy::start(&Config::mapped(&[upstream], "/tomcat", "tomcat/tomcat"))
}

fn status(client: &mut Client, method: &str) -> u16 {
    client.try_response(method).map_or(0, |response| response.status)
}

#[test]
fn every_row_is_refused_and_reaches_no_upstream() {
    let upstream = Upstream::named("reached");
    let proxy = proxy(&upstream);
    for Row {
        what,
        bytes,
        statuses,
    } in ANSWERED
    {
        let mut client = proxy.client();
        client.send(bytes);
        let got = status(&mut client, "GET");
        assert!(
            statuses.contains(&got),
            "{what}: {got}, expected one of {statuses:?}"
        );
        assert!(
            client.is_closed(),
            "{what}: the connection must end, what follows could be misread"
        );
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn heads_and_targets_are_bounded() {
    let upstream = Upstream::named("reached");
    let proxy = proxy(&upstream);
    let long = "a".repeat(20_000);
    let many = "X: y\r\n".repeat(150);
    for (what, expected, bytes) in [
        (
            "a long target",
            414,
            format!("GET /tomcat/{} HTTP/1.1\r\nHost: shop\r\n\r\n", &long[..9_000]),
        ),
        (
            "a long field",
            431,
            format!("GET /tomcat HTTP/1.1\r\nHost: shop\r\nX: {long}\r\n\r\n"),
        ),
        (
            "many fields",
            431,
            format!("GET /tomcat HTTP/1.1\r\nHost: shop\r\n{many}\r\n"),
        ),
    ] {
        let mut client = proxy.client();
        client.send(bytes);
        assert_eq!(status(&mut client, "GET"), expected, "{what}");
    }
    let fits = format!(
        "GET /tomcat HTTP/1.1\r\nHost: shop\r\nX: {}\r\n\r\n",
        &long[..12_000]
    );
    let mut client = proxy.client();
    client.send(fits);
    assert_eq!(status(&mut client, "GET"), 200);
}

#[test]
fn a_body_behind_a_refused_upgrade_is_the_next_request_or_nothing() {
    let upstream = Upstream::named("plain");
    let proxy = proxy(&upstream);
    let mut client = proxy.client();
    client.send(
        "GET /tomcat/ws HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\
         GET /tomcat/next HTTP/1.1\r\nHost: shop\r\n\r\n",
    );
    assert_eq!(
        (status(&mut client, "GET"), status(&mut client, "GET")),
        (200, 200)
    );
    let targets: Vec<String> = upstream.seen().iter().map(|seen| seen.target.clone()).collect();
    assert_eq!(
        targets,
        ["/tomcat/ws", "/tomcat/next"],
        "each as a request of its own"
    );
}

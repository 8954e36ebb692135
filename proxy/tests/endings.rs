//! Claim: a proxy that is asked to end says so before it closes, lets each kind of connection go on within a bound of its own, and
//! ends at once when it is asked again (row P9 of the cases).
//!
//! Broken once to see it fail: the listener closed with the announcement; WebSockets not told to leave; one bound for requests
//! and WebSockets; the second signal not looked at.

mod support;

use std::time::{Duration, Instant};

use support::client::Client;
use support::process::{Config, Proxy};
use support::upstream::{Act, Upstream};
use support::wait_until;

const GET: &str = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n";

/// Grants every WebSocket and sends back each byte; holds every other answer.
fn chat() -> Upstream {
    Upstream::start(|seen| match seen.field("upgrade") {
        Some(_) => Act::Echo(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".to_vec(),
        ),
        None => Act::HoldThenSay(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate".to_vec()),
    })
}

/// An open WebSocket.
fn socket(proxy: &Proxy) -> Client {
    let mut client = proxy.client();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    assert_eq!(client.get("/ws", upgrade).status, 101);
    client
}

/// A request that waits for its answer.
fn waiting(proxy: &Proxy, upstream: &Upstream) -> Client {
    let before = upstream.seen().len();
    let mut client = proxy.client();
    client.send(GET);
    wait_until("the request is in flight", || upstream.seen().len() > before);
    client
}

fn echoes(client: &mut Client) {
    client.send(b"\x81\x02ok");
    assert_eq!(client.bytes(4), b"\x81\x02ok");
}

#[test]
fn clients_are_still_served_while_the_end_is_announced() {
    let upstream = Upstream::named("ok");
    let config = Config::new(&[&upstream]).table("[limits]\nannounce = \"2s\"");
    let mut proxy = Proxy::start(&config);
    proxy.signal("TERM");
    wait_until("no longer ready", || !proxy.is_ready());
    for _ in 0..3 {
        let mut client = proxy.client();
        let answer = client.get("/", "");
        assert_eq!(
            (answer.text().as_str(), answer.field("connection")),
            ("ok", Some("close"))
        );
        assert!(client.is_closed());
    }
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn websockets_are_told_to_leave_within_their_own_bound() {
    let upstream = chat();
    let config = Config::new(&[&upstream]).table("[limits]\ntunnel_stop = \"1s\"");
    let mut proxy = Proxy::start(&config);
    let (mut socket, mut deaf) = (socket(&proxy), socket(&proxy));
    let mut request = waiting(&proxy, &upstream);
    proxy.signal("TERM");
    echoes(&mut socket);
    assert_eq!(socket.bytes(4), b"\x88\x02\x03\xf4", "1012");
    socket.send(b"\x88\x82mask\x6e\x95");
    socket.finish();
    assert!(socket.is_closed());
    assert_eq!(deaf.bytes(4), b"\x88\x02\x03\xf4", "1012");
    assert!(deaf.is_closed(), "who does not answer is cut");
    upstream.release();
    assert_eq!(
        request.response().text(),
        "late",
        "requests have a bound of theirs"
    );
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn requests_that_take_too_long_are_cut_and_websockets_go_on() {
    let upstream = chat();
    let config = Config::new(&[&upstream]).table("[limits]\nstop = \"200ms\"");
    let mut proxy = Proxy::start(&config);
    let mut socket = socket(&proxy);
    let mut request = waiting(&proxy, &upstream);
    proxy.signal("TERM");
    assert!(request.is_closed());
    echoes(&mut socket);
    socket.finish();
    assert!(socket.is_closed());
    assert_eq!(proxy.exit_code(), Some(0), "long before the bound of WebSockets");
}

#[test]
fn a_second_signal_cuts_at_once() {
    for announce in ["0s", "1h"] {
        let upstream = chat();
        let config = Config::new(&[&upstream]).table(&format!("[limits]\nannounce = \"{announce}\""));
        let mut proxy = Proxy::start(&config);
        let (mut socket, mut request) = (socket(&proxy), waiting(&proxy, &upstream));
        proxy.signal("TERM");
        wait_until("no longer ready", || !proxy.is_ready());
        let began = Instant::now();
        proxy.signal("INT");
        assert_eq!(proxy.exit_code(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(5));
        assert!(socket.is_closed() && request.is_closed());
    }
}

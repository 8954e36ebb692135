//! Claim: a proxy that is asked to end says so before it closes, lets each kind of connection go on within a bound of its own, and
//! ends at once when it is asked again (row P9 of the cases).
//!
//! Broken once to see it fail: the listener closed with the announcement; WebSockets not told to leave; one bound for requests
//! and WebSockets; the second signal not looked at; over HTTP/2, an exchange that ends when its answer is only in the crate's hands and
//! a connection that rests at once.

mod support;

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use support::client::Client;
use support::http2::{Raw, Site};
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

/// Steps in the lengths of answers: less than what one stream may have on its way, so that one of them ends there.
const STEP: usize = 48 * 1024;

#[test]
fn a_stop_leaves_no_answer_behind_that_a_client_takes_late() {
    let lengths = || (1..=24).map(|count| count * STEP);
    let next = AtomicUsize::new(0);
    let upstream = Upstream::start(move |_| {
        let count = next.fetch_add(1, Relaxed) + 1;
        Act::text(&"x".repeat(count * STEP))
    });
    let mut site = Site::start(&Config::new(&[&upstream]));
    let mut unused = site.raw();
    let mut late: Vec<Raw> = lengths()
        .map(|_| {
            let mut raw = site.raw();
            // A client that has room, and reads nothing.
            raw.send(&Raw::frame(4, 0, 0, &[0, 4, 0x00, 0xff, 0xff, 0xff]));
            raw.send(&Raw::frame(8, 0, 0, &[0x00, 0xff, 0xff, 0xff]));
            raw.send(&Raw::get(1));
            raw
        })
        .collect();
    wait_until("all are answered", || upstream.seen().len() == late.len());
    site.proxy.signal("TERM");
    while unused.next().is_some() {}
    let mut came: Vec<usize> = late.iter_mut().map(content).collect();
    came.sort_unstable();
    assert_eq!(came, lengths().collect::<Vec<_>>());
    wait_until("it ends", || site.proxy.exit_code().is_some());
}

/// Bytes of content that come until their stream ends, or the connection.
fn content(raw: &mut Raw) -> usize {
    let (mut bytes, mut last) = (0, false);
    while !last && let Some(frame) = raw.next() {
        if frame.kind == 0 {
            bytes += frame.payload.len();
            last = frame.last;
        }
    }
    bytes
}

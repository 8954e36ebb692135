//! Claim: a WebSocket over HTTP/2 (RFC 8441) is one like any other to its Tomcat, is granted only by a Tomcat that proves that it
//! understood, and is told to leave in order.
//!
//! Broken once to see it fail: the proof not looked at; a 200 of an upstream passed on; the connection cut with its requests.

mod support;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::Response;
use sha1::{Digest, Sha1};
use support::http2::{Connection, Raw, Site, ask, ends, finish, read, until, within};
use support::process::Config;
use support::upstream::{Act, Seen, Upstream};

/// What stands behind a key in its proof: RFC 6455 section 1.3.
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// A close with 1012, "service restart".
const FAREWELL: &[u8] = b"\x88\x02\x03\xf4";

/// Grants what it is asked for, in its way.
fn grant(seen: &Seen) -> Act {
    let key = seen.field("sec-websocket-key").unwrap_or_default().to_owned();
    let proof = STANDARD.encode(Sha1::new().chain_update(key).chain_update(MAGIC).finalize());
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    match seen.target.as_str() {
        "/unproven" => {
            Act::Echo(format!("{head}Sec-WebSocket-Accept: {}\r\n\r\n", STANDARD.encode(MAGIC)).into())
        }
        "/page" => Act::text("no"),
        "/wait" => Act::HoldThenSay(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate".to_vec()),
        "/refused" => Act::answer("403 Forbidden", "", "no"),
        _ => Act::Echo(
            format!("{head}Sec-WebSocket-Accept: {proof}\r\nSec-WebSocket-Protocol: chat\r\n\r\n").into(),
        ),
    }
}

/// Asks for a WebSocket, and answers with what came.
async fn connect(client: &Connection, path: &str) -> (Response<RecvStream>, SendStream<Bytes>) {
    let request = ask("CONNECT", path)
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "chat");
    let (answer, send) = client.begin(request, false).await;
    (within(answer).await.expect("an answer"), send)
}

#[tokio::test]
async fn a_websocket_is_granted_by_whoever_proves_that_it_understood() {
    let upstream = Upstream::start(grant);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("access.log");
    let site = Site::start(&Config::new(&[&upstream]).access_log(&file));
    let client = site.connect().await;
    let (answer, mut send) = connect(&client, "/ws").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["sec-websocket-protocol"], "chat");
    for gone in ["sec-websocket-accept", "upgrade", "connection"] {
        assert!(!answer.headers().contains_key(gone), "{gone}");
    }
    let seen = upstream.seen().remove(0);
    assert_eq!(
        (seen.method.as_str(), seen.field("upgrade")),
        ("GET", Some("websocket"))
    );
    assert_eq!(seen.field("sec-websocket-version"), Some("13"));
    assert_eq!(
        STANDARD
            .decode(seen.field("sec-websocket-key").unwrap())
            .unwrap()
            .len(),
        16
    );
    let mut content = answer.into_body();
    send.send_data(Bytes::from_static(b"\x81\x02ok"), false).unwrap();
    assert_eq!(within(read(&mut content, 4)).await, b"\x81\x02ok");
    send.send_data(Bytes::new(), true).unwrap();
    assert!(within(ends(&mut content)).await, "both directions end");
    until("it is logged as one of HTTP/1.1 would be", || {
        let log = std::fs::read_to_string(&file).unwrap_or_default();
        log.contains("\"GET /ws HTTP/2.0\" 101 4 ") && log.contains("end=tunnel")
    })
    .await;
    for (figure, value) in [
        ("exchanges_total{pool=\"tomcat\",class=\"1xx\"}", 1.0),
        ("exchange_ends_total{pool=\"tomcat\",end=\"tunnel\"}", 1.0),
        ("upstream_sent_bytes_total{pool=\"tomcat\",route=\"n1\"}", 4.0),
        ("upstream_received_bytes_total{pool=\"tomcat\",route=\"n1\"}", 4.0),
        ("upstream_tunnels{pool=\"tomcat\",route=\"n1\"", 0.0),
    ] {
        let figure = format!("remora_proxy_{figure}");
        assert_eq!(site.proxy.figure(&figure), Some(value), "{figure}");
    }
    for (path, status) in [("/unproven", 502), ("/page", 502), ("/refused", 403)] {
        let (answer, _send) = connect(&client, path).await;
        assert_eq!(answer.status(), status, "{path}");
    }
    let other = ask("CONNECT", "/").extension(Protocol::from_static("connect-udp"));
    let (answer, _send) = client.begin(other, false).await;
    assert_eq!(within(finish(answer)).await.unwrap().status, 501);
}

#[test]
fn a_connect_to_anywhere_is_refused() {
    let site = Site::start(&Config::new(&[&Upstream::named("ok")]));
    let mut raw = site.raw();
    // :method CONNECT and an :authority, as literals that nobody remembers.
    let block = b"\x02\x07CONNECT\x01\x0cother.test:1";
    raw.send(&Raw::frame(1, 5, 1, block));
    let head = std::iter::from_fn(|| raw.next()).find(|frame| frame.stream == 1);
    assert_eq!(head.map(|frame| frame.kind), Some(1), "an answer");
    let name = "remora_proxy_own_answers_total{pool=\"\",status=\"405\",reason=\"method\"}";
    support::wait_until(name, || site.proxy.figure(name) == Some(1.0));
}

#[tokio::test]
async fn a_websocket_is_told_to_leave_and_requests_have_a_bound_of_theirs() {
    let upstream = Upstream::start(grant);
    let limits = "[limits]\nstop = \"200ms\"\ntunnel_stop = \"2s\"";
    let mut site = Site::start(&Config::new(&[&upstream]).table(limits));
    let client = site.connect().await;
    let (answer, mut send) = connect(&client, "/ws").await;
    let (late, _) = client.begin(ask("GET", "/wait"), true).await;
    let late = tokio::spawn(finish(late));
    until("it waits", || upstream.seen().len() == 2).await;
    site.proxy.signal("TERM");
    assert!(
        within(late).await.unwrap().is_err(),
        "a request is cut in its time"
    );
    let mut content = answer.into_body();
    send.send_data(Bytes::from_static(b"\x81\x02ok"), false).unwrap();
    assert_eq!(
        within(read(&mut content, 4)).await,
        b"\x81\x02ok",
        "the WebSocket beside it goes on"
    );
    assert_eq!(within(read(&mut content, 4)).await, FAREWELL);
    send.send_data(Bytes::from_static(b"\x88\x82mask\x6e\x95"), true)
        .unwrap();
    assert!(within(ends(&mut content)).await);
    within(client.driver).await.unwrap().expect("an orderly end");
    assert_eq!(site.proxy.exit_code(), Some(0));
}

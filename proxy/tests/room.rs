//! Claim: there is room for whoever has something to ask, whatever others do with their connections.

mod support;

use support::client::Client;
use support::process::{Config, Proxy};
use support::upstream::{Act, Upstream};
use support::wait_until;

/// As many clients as there is room for, each with one answer and now at rest.
fn resting(proxy: &Proxy, count: usize) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..count).map(|_| proxy.client()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/", "").status, 200);
    }
    clients
}

/// An upstream that answers `/held` when it is released, and everything else at once.
fn holding() -> Upstream {
    Upstream::start(|seen| match &*seen.target {
        "/held" => Act::HoldThenSay(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld".to_vec()),
        _ => Act::text("ok"),
    })
}

#[test]
fn eight_idle_clients_do_not_lock_out_the_ninth() {
    let upstream = Upstream::named("ok");
    let config = Config::new(&[&upstream]).table("[limits]\nconnections = 8");
    for config in [config.clone().one_thread(), config.top("threads = 2")] {
        let proxy = Proxy::start(&config);
        let mut idle = resting(&proxy, 8);
        // Eight more, so that with two threads some find nobody at rest in their own.
        for _ in 0..8 {
            let mut newcomer = proxy.client();
            assert_eq!(newcomer.get("/", "").status, 200);
            idle.push(newcomer);
        }
        assert!(idle[0].is_closed());
        proxy.tells("connections that rest give way");
        let figure = |name: &str| proxy.figure(name).expect("a figure");
        assert!(
            figure("remora_proxy_connections_gave_way_total") >= 8.0,
            "one for each"
        );
        assert!(figure("remora_proxy_client_connections") <= 8.0);
        assert_eq!(idle[15].get("/", "").status, 200);
    }
}

#[test]
fn clients_at_work_are_never_closed_and_the_newcomer_waits_for_them() {
    let upstream = holding();
    let config = Config::new(&[&upstream])
        .top("threads = 2")
        .table("[limits]\nconnections = 2");
    let proxy = Proxy::start(&config);
    let mut working = resting(&proxy, 2);
    for client in &mut working {
        client.send("GET /held HTTP/1.1\r\nHost: shop\r\n\r\n");
    }
    wait_until("both are at work", || {
        upstream
            .seen()
            .iter()
            .filter(|seen| seen.target == "/held")
            .count()
            == 2
    });
    let mut newcomer = proxy.client();
    newcomer.send("GET /newcomer HTTP/1.1\r\nHost: shop\r\n\r\n");
    wait_until("the operator is told", || {
        proxy.log().contains("all clients are at work")
            && proxy.figure("remora_proxy_clients_waited_total") == Some(1.0)
    });
    assert!(
        upstream.seen().iter().all(|seen| seen.target != "/newcomer"),
        "two are served, the third waits"
    );
    upstream.release();
    for client in &mut working {
        let response = client.response();
        assert_eq!((&*response.text(), response.field("connection")), ("held", None));
    }
    assert_eq!(newcomer.response().text(), "ok");
}

#[test]
fn a_tunnel_is_at_work() {
    let upstream = Upstream::start(|seen| match &*seen.target {
        "/chat" => Act::Echo(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n".to_vec(),
        ),
        _ => Act::text("ok"),
    });
    let config = Config::new(&[&upstream])
        .one_thread()
        .table("[limits]\nconnections = 2");
    let proxy = Proxy::start(&config);
    let mut chat = proxy.client();
    chat.send(
        "GET /chat HTTP/1.1\r\nHost: shop\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert_eq!(chat.response().status, 101);
    for _ in 0..4 {
        assert_eq!(proxy.client().get("/", "").status, 200);
    }
    let mut clients = resting(&proxy, 1);
    assert_eq!(proxy.client().get("/", "").status, 200);
    assert!(clients[0].is_closed());
    chat.send("still here");
    assert_eq!(chat.bytes(10), b"still here");
}

#[test]
fn connections_that_never_asked_for_anything_give_way_too() {
    let upstream = Upstream::named("ok");
    let config = Config::new(&[&upstream]).table("[limits]\nconnections = 2");
    let proxy = Proxy::start(&config);
    let _unused = [proxy.client(), proxy.client()];
    wait_until("they are connected", || {
        proxy.figure("remora_proxy_client_connections") == Some(2.0)
    });
    // Long before the 30 s that a first request may take.
    assert_eq!(proxy.client().get("/", "").status, 200);
    assert_eq!(proxy.figure("remora_proxy_connections_gave_way_total"), Some(1.0));
}

/// A client that a balancer brings from this address.
fn brought(proxy: &Proxy, address: &str) -> Client {
    let mut client = proxy.client();
    client.send(format!("PROXY TCP4 {address} 192.0.2.1 1000 80\r\n"));
    client
}

#[test]
fn one_address_has_its_bound_and_others_come_in() {
    let upstream = Upstream::named("ok");
    let config = Config::new(&[&upstream]).top("threads = 2");
    let proxy = Proxy::start(&config.table("[limits]\nconnections_per_address = 2"));
    let mut clients = resting(&proxy, 2);
    let mut third = proxy.client();
    let refused = third.response();
    assert_eq!(
        (refused.status, refused.field("connection")),
        (503, Some("close"))
    );
    assert!(refused.text().contains("too many connections from this address"));
    assert_eq!(refused.field("retry-after"), Some("1"));
    assert!(third.is_closed());
    let refused = r#"remora_proxy_refused_connections_total{reason="too many from one address"}"#;
    assert_eq!(proxy.figure(refused), Some(1.0));
    proxy.tells("limits.connections_per_address");
    let mut other = Client::connect_from("127.0.0.2", proxy.address);
    assert_eq!(other.get("/", "").status, 200);
    drop(clients.remove(0));
    wait_until("the first has left", || {
        proxy.figure("remora_proxy_client_connections") == Some(2.0)
    });
    assert_eq!(proxy.client().get("/", "").status, 200);
    assert_eq!(clients[0].get("/", "").status, 200);
}

#[test]
fn the_address_counts_that_a_balancer_names_and_whom_the_site_trusts_is_not_counted() {
    let upstream = Upstream::named("ok");
    let config = Config::new(&[&upstream])
        .top("trust = [\"198.51.100.0/24\"]")
        .listen("proxy_protocol = [\"127.0.0.1\"]")
        .table("[limits]\nconnections_per_address = 1");
    let proxy = Proxy::start(&config);
    let mut clients: Vec<Client> = Vec::new();
    for address in [
        "192.0.2.7",
        "192.0.2.8",
        "198.51.100.1",
        "198.51.100.1",
        "198.51.100.1",
    ] {
        let mut client = brought(&proxy, address);
        assert_eq!(client.get("/", "").status, 200, "{address}");
        clients.push(client);
    }
    assert_eq!(brought(&proxy, "192.0.2.7").response().status, 503);
    proxy.tells("192.0.2.7");
}

/// A pace that a client keeps who does not dawdle, and one that dawdles soon does not.
const SOON: &str =
    "[limits]\nrequest_bytes_per_second = 1000000\nanswer_bytes_per_second = 1000000\nclient_grace = \"1s\"";

/// What the access log says when the proxy has stopped.
fn lines(proxy: &mut Proxy, log: &std::path::Path) -> String {
    proxy.signal("TERM");
    assert_eq!(proxy.exit_code(), Some(0));
    std::fs::read_to_string(log).expect("the log was written")
}

#[test]
fn a_request_that_comes_byte_by_byte_ends_and_a_slow_upstream_is_no_fault_of_its_client() {
    let upstream = Upstream::named("ok");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = directory.path().join("access.log");
    // Whoever checks it would find it down.
    let config = Config::new(&[&upstream]).health("health = \"off\"");
    let mut proxy = Proxy::start(&config.access_log(&log).table(SOON));
    upstream.freeze();
    // More than sockets hold: it waits for the upstream, which reads none of it.
    let mut uploads = proxy.client();
    let sends = std::thread::spawn(move || {
        let body = "x".repeat(16 * 1024 * 1024);
        uploads.request("POST", "/large", "", &body)
    });
    wait_until("it is on its way", || upstream.connections() == 1);
    // Each takes as long as the other one may be held.
    for _ in 0..2 {
        let mut slow = proxy.client();
        slow.send("POST /slow HTTP/1.1\r\nHost: shop\r\nContent-Length: 100000\r\n\r\n");
        let refused = slow.trickles("POST");
        assert_eq!(
            (refused.status, refused.field("connection")),
            (408, Some("close"))
        );
        assert!(slow.is_closed());
    }
    upstream.thaw();
    assert_eq!(sends.join().expect("an answer").text(), "ok");
    let slow = r#"remora_proxy_slow_clients_total{at="request"}"#;
    assert_eq!(proxy.figure(slow), Some(2.0));
    let lines = lines(&mut proxy, &log);
    let line = |target: &str| lines.lines().find(|line| line.contains(target)).expect("a line");
    assert!(line("/slow").contains(" 408 ") && line("/slow").contains(" end=too-slow "));
    assert!(line("/large").contains(" end=complete "));
}

#[test]
fn a_request_as_a_whole_has_its_time() {
    let upstream = Upstream::start_with_heads(|_| Act::AwaitClose);
    let limits = "[limits]\nrequest_bytes_per_second = 0\nrequest = \"200ms\"";
    let proxy = Proxy::start(&Config::new(&[&upstream]).table(limits));
    let mut slow = proxy.client();
    slow.send("POST /slow HTTP/1.1\r\nHost: shop\r\nContent-Length: 100000\r\n\r\n");
    assert_eq!(slow.trickles("POST").status, 408);
}

#[test]
fn a_client_that_takes_its_answer_too_slowly_is_cut_and_a_slow_upstream_is_no_fault_of_its_client() {
    let large = 16 * 1024 * 1024;
    let upstream = Upstream::start(move |seen| match &*seen.target {
        "/held" => Act::SayAndHold(b"HTTP/1.1 200 OK\r\n\r\nhalf".to_vec()),
        _ => Act::text(&"x".repeat(large)),
    });
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = directory.path().join("access.log");
    let mut proxy = Proxy::start(&Config::new(&[&upstream]).access_log(&log).table(SOON));
    let (mut waits, mut slow) = (proxy.client(), proxy.client());
    waits.send("GET /held HTTP/1.1\r\nHost: shop\r\n\r\n");
    wait_until("it is answered", || upstream.seen().len() == 1);
    slow.send("GET /slow HTTP/1.1\r\nHost: shop\r\n\r\n");
    assert!(slow.sips() < large);
    upstream.release();
    let response = waits.response();
    assert_eq!((&*response.text(), response.complete), ("half", true));
    let slow = r#"remora_proxy_slow_clients_total{at="answer"}"#;
    assert_eq!(proxy.figure(slow), Some(1.0));
    let lines = lines(&mut proxy, &log);
    let line = |target: &str| lines.lines().find(|line| line.contains(target)).expect("a line");
    assert!(line("/slow").contains(" 200 ") && line("/slow").contains(" end=too-slow "));
    assert!(line("/held").contains(" end=complete "));
}

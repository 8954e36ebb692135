//! Claim: starting, reloading, draining and stopping lose nobody, and what is wrong is said in a sentence.

mod support;

use std::net::TcpListener;

use support::client::Client;
use support::process::{Config, Proxy, free_address, run};
use support::upstream::{Act, Upstream};
use support::wait_until;

#[test]
fn a_stop_answers_what_is_in_flight_and_exits_0() {
    let upstream =
        Upstream::start(|_| Act::HoldThenSay(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate".to_vec()));
    let mut proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut idle = proxy.client();
    let mut busy = proxy.client();
    busy.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
    wait_until("the request is in flight", || upstream.seen().len() == 1);
    proxy.signal("TERM");
    wait_until("no longer ready", || !proxy.is_ready());
    wait_until("no new clients", || {
        std::net::TcpStream::connect(proxy.address).is_err()
    });
    upstream.release();
    let response = busy.response();
    assert_eq!(
        (response.text().as_str(), response.field("connection")),
        ("late", Some("close"))
    );
    idle.finish();
    assert!(busy.is_closed());
    assert_eq!(proxy.exit_code(), Some(0));
    proxy.tells("stopped");
}

#[test]
fn a_stop_does_not_wait_for_connections_that_bring_no_request() {
    let upstream = Upstream::named("ok");
    let mut proxy = Proxy::start(&Config::new(&[&upstream]));
    let (mut unused, mut resting) = (proxy.client(), proxy.client());
    assert_eq!(resting.get("/", "").status, 200);
    proxy.signal("TERM");
    assert_eq!(proxy.exit_code(), Some(0), "long before the 30 s of grace");
    assert!(unused.is_closed() && resting.is_closed());
}

#[test]
fn a_new_client_that_brings_no_request_in_time_is_cut_and_a_resting_one_is_not() {
    let upstream = Upstream::named("ok");
    let proxy = Proxy::start(&Config::new(&[&upstream]).table("[limits]\nrequest_head = \"300ms\""));
    let mut resting = proxy.client();
    assert_eq!(resting.get("/", "").status, 200);
    let (mut silent, mut slow) = (proxy.client(), proxy.client());
    slow.send("GET / HTTP/1.1\r\nHost: sh");
    assert!(silent.is_closed());
    assert_eq!(slow.response().status, 408, "who has begun is told");
    assert!(slow.is_closed());
    assert_eq!(resting.get("/", "").status, 200);
}

#[test]
fn a_client_that_reads_nothing_is_cut() {
    let upstream = Upstream::start(|_| Act::text(&"x".repeat(20 * 1024 * 1024)));
    let proxy = Proxy::start(&Config::new(&[&upstream]).table("[limits]\nidle = \"300ms\""));
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
    wait_until("the answer is on its way", || {
        proxy.figure("remora_proxy_client_connections") == Some(1.0)
    });
    wait_until("the client is gone", || {
        proxy.figure("remora_proxy_client_connections") == Some(0.0)
    });
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let upstream = Upstream::start(|_| Act::HoldThenClose);
    let mut proxy = Proxy::start(&Config::new(&[&upstream]).table("[limits]\nstop = \"300ms\""));
    let mut busy = proxy.client();
    busy.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
    wait_until("the request is in flight", || upstream.seen().len() == 1);
    proxy.signal("TERM");
    assert_eq!(proxy.exit_code(), Some(0));
    assert!(busy.is_closed());
}

#[test]
fn a_stop_does_not_wait_for_room_for_another_client() {
    let upstream = Upstream::named("ok");
    let config = Config::new(&[&upstream])
        .one_thread()
        .table("[limits]\nconnections = 2");
    let mut proxy = Proxy::start(&config);
    let users = [(); 2].map(|()| {
        let mut client = proxy.client();
        assert_eq!(client.get("/", "").status, 200);
        std::thread::spawn(move || while client.keeps_asking() {})
    });
    let asked = upstream.seen().len();
    wait_until("both keep asking", || upstream.seen().len() > asked + 20);
    proxy.signal("TERM");
    assert_eq!(proxy.exit_code(), Some(0), "long before the 30 s of grace");
    for user in users {
        user.join().expect("both ended with the proxy");
    }
}

#[test]
fn clients_in_the_accept_queue_are_served_on_stop() {
    let upstream = Upstream::named("ok");
    let mut proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut clients: Vec<Client> = Vec::new();
    proxy.pause();
    for _ in 0..50 {
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
        clients.push(client);
    }
    proxy.signal("TERM");
    proxy.signal("CONT");
    for client in &mut clients {
        assert_eq!(client.response().text(), "ok");
    }
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn a_reload_changes_members_and_keeps_connections() {
    let (old, new) = (Upstream::named("old"), Upstream::named("new"));
    let proxy = Proxy::start(&Config::new(&[&old]));
    let mut client = proxy.client();
    assert_eq!(client.get("/", "").text(), "old");
    proxy.reload(&Config::new(&[&new]));
    wait_until("the new member serves", || client.get("/", "").text() == "new");
}

#[test]
fn a_removed_member_stands_no_more_and_its_counts_stay() {
    let (one, two) = (Upstream::named("one"), Upstream::named("two"));
    let proxy = Proxy::start(&Config::new(&[&one, &two]));
    let figure = |name: &str, route: &str| {
        proxy.figure(&format!(
            "remora_proxy_upstream_{name}{{pool=\"tomcat\",route=\"{route}\"}}"
        ))
    };
    proxy.drain("n2");
    assert_eq!(
        (figure("health", "n2"), figure("draining", "n2")),
        (Some(1.0), Some(1.0))
    );
    proxy.reload(&Config::new(&[&one]));
    wait_until("the member is no more", || figure("health", "n2").is_none());
    assert_eq!(
        (figure("health", "n1"), figure("draining", "n2")),
        (Some(1.0), None)
    );
    assert_eq!(figure("sent_bytes_total", "n2"), Some(0.0));
}

#[test]
fn a_drain_holds_over_reloads() {
    let members = [
        Upstream::named("one"),
        Upstream::named("two"),
        Upstream::named("three"),
    ];
    let [one, two, three] = &members;
    let proxy = Proxy::start(&Config::new(&[one, two]));
    let cookie = "Cookie: JSESSIONID=ABC.n1\r\n";
    let draining = |route: &str| {
        proxy.figure(&format!(
            "remora_proxy_upstream_draining{{pool=\"tomcat\",route=\"{route}\"}}"
        ))
    };
    proxy.drain("n1");
    assert_ne!(proxy.client().get("/", cookie).text(), "one");
    proxy.reload(&Config::new(&[one, two, three]));
    wait_until("the new file holds", || draining("n3") == Some(0.0));
    assert_eq!(draining("n1"), Some(1.0));
    assert_ne!(proxy.client().get("/", cookie).text(), "one");
}

#[test]
fn a_reload_takes_over_how_often_requests_are_repeated() {
    let dying = Upstream::start(|_| Act::SayAndClose(Vec::new()));
    let other = Upstream::named("other");
    let config = Config::new(&[&dying, &other]);
    let proxy = Proxy::start(&config);
    let get = || proxy.client().get("/", "Cookie: JSESSIONID=ABC.n1\r\n").status;
    assert_eq!(get(), 200, "asked again at the other");
    proxy.reload(&config.table("[retry]\nattempts = 1"));
    wait_until("one attempt is all", || get() == 502);
}

#[test]
fn a_bad_file_changes_nothing_and_is_logged() {
    let upstream = Upstream::named("ok");
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    proxy.reload_text("[pool.tomcat]\nstikcy = {}\n");
    proxy.tells("stikcy");
    assert_eq!(proxy.client().get("/", "").text(), "ok");
}

#[test]
fn a_busy_port_is_an_error_with_a_sentence() {
    let upstream = Upstream::named("ok");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("proxy.toml");
    let running = Proxy::start(&Config::new(&[&upstream]));
    let foreign = TcpListener::bind("127.0.0.1:0").expect("a free port");
    for busy in [running.address, foreign.local_addr().expect("a bound socket")] {
        std::fs::write(&file, Config::new(&[&upstream]).at(busy, free_address()))
            .expect("a writable directory");
        let (code, _, said) = run(&file, &[]);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains(&busy.to_string()) && said.contains("in use"),
            "{said}"
        );
    }
}

#[test]
fn check_says_what_holds_or_what_is_wrong() {
    let upstream = Upstream::named("ok");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("proxy.toml");
    let text = Config::new(&[&upstream]).at(free_address(), free_address());
    std::fs::write(&file, &text).expect("a writable directory");
    let (code, said, _) = run(&file, &["--check"]);
    assert_eq!(code, Some(0));
    assert!(said.contains("n1"));
    std::fs::write(&file, text.replace("sticky", "stikcy")).expect("a writable directory");
    let (code, _, said) = run(&file, &["--check"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("stikcy") && said.contains("sticky"),
        "it names the nearest known key: {said}"
    );
}

#[test]
fn figures_and_the_access_log_tell_of_an_exchange_without_its_session() {
    let upstream = Upstream::named("ok");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = directory.path().join("access.log");
    let config = Config::new(&[&upstream]).access_log(&log);
    let mut proxy = Proxy::start(&config);
    let cookie = "Cookie: JSESSIONID=SECRET.n1\r\n";
    assert_eq!(
        proxy.client().get("/a;jsessionid=SECRET.n1?b", cookie).status,
        200
    );
    assert_eq!(proxy.client().request("TRACE", "/", "", "").status, 405);
    let (_, figures) = proxy.control_page("/metrics").expect("a page");
    assert!(
        figures.contains("remora_proxy_exchanges_total{pool=\"tomcat\",class=\"2xx\"} 1"),
        "{figures}"
    );
    assert!(
        figures.contains("remora_proxy_picks_total{pool=\"tomcat\",pick=\"sticky\"} 1"),
        "{figures}"
    );
    for line in [
        "remora_proxy_response_head_seconds_count{pool=\"tomcat\"} 1",
        "remora_proxy_own_answers_total{pool=\"\",status=\"405\",reason=\"",
    ] {
        assert!(figures.contains(line), "{line} is not in\n{figures}");
    }
    proxy.signal("TERM");
    assert_eq!(proxy.exit_code(), Some(0));
    let lines = std::fs::read_to_string(&log).expect("the log was written");
    assert!(
        lines.contains("pool=tomcat route=n1 pick=sticky attempts=1"),
        "{lines}"
    );
    assert!(
        lines.contains("end=complete") && lines.contains(" 405 "),
        "{lines}"
    );
    assert!(
        !lines.contains("SECRET") && !proxy.log().contains("SECRET"),
        "a session id is a credential"
    );
}

#[test]
fn an_upload_that_breaks_off_is_told_as_a_client_that_left() {
    let upstream = Upstream::start_with_heads(|_| Act::AwaitClose);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = directory.path().join("access.log");
    let mut proxy = Proxy::start(&Config::new(&[&upstream]).access_log(&log));
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 10\r\n\r\nhalf");
    wait_until("it is on its way", || upstream.seen().len() == 1);
    drop(client);
    wait_until("the upstream is given up", || upstream.abandoned() == 1);
    proxy.signal("TERM");
    assert_eq!(proxy.exit_code(), Some(0));
    let lines = std::fs::read_to_string(&log).expect("the log was written");
    assert!(
        lines.contains(" end=client-gone ") && !lines.contains(" 408 "),
        "{lines}"
    );
}

#[test]
fn the_access_log_hides_sessions_of_refused_requests_too() {
    let upstream = Upstream::named("ok");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = directory.path().join("access.log");
    let config = Config::mapped(&[&upstream], "/shop", "tomcat/shop").access_log(&log);
    let mut proxy = Proxy::start(&config.sticky(r#"sticky = { session = "SID" }"#));
    for (target, status) in [
        ("/elsewhere;SID=SECRET.n1", 404),
        ("/elsewhere?sid=SECRET.n1", 404),
        ("/shop/%00?SID=SECRET.n1", 400),
    ] {
        let referer = "Referer: http://shop/shop;SID=SECRET.n1\r\n";
        assert_eq!(proxy.client().get(target, referer).status, status, "{target}");
    }
    proxy.signal("TERM");
    assert_eq!(proxy.exit_code(), Some(0));
    let lines = std::fs::read_to_string(&log).expect("the log was written");
    assert_eq!(lines.lines().count(), 3, "{lines}");
    assert!(!lines.contains("SECRET"), "{lines}");
}

#[test]
fn the_limit_on_open_files_is_raised_as_far_as_it_goes() {
    let upstream = Upstream::named("ok");
    let config = Config::new(&[&upstream]).table("[limits]\nconnections = 100");
    let proxy = Proxy::start_with_files(&config, 64, 4_096);
    let words: Vec<String> = proxy
        .files_limit()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        words[3..5],
        ["712", "4096"],
        "two for each client, and some beside"
    );
    assert!(!proxy.log().contains("open files"));
    let proxy = Proxy::start_with_files(&config, 64, 64);
    proxy.tells("open files");
}

//! Claim: the access log tells of each exchange what an operator asks of it: its client, every attempt with its upstream and why it
//! failed, bytes both ways, tunnels' as well; and what went wrong stands in a file of its own.
//!
//! Broken once to see it fail: bytes of a tunnel not counted; content counted once for each attempt; the last attempt alone kept;
//! the second file not opened anew.

mod support;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use support::process::{Config, Proxy};
use support::tls::Certificates;
use support::upstream::{Act, Upstream};
use support::wait_until;

/// A proxy with logs of its own, which are read once it has ended.
struct Logged {
    proxy: Proxy,
    directory: tempfile::TempDir,
}

impl Logged {
    /// With all exchanges in one file and those that went wrong in another.
    fn start(config: &Config, format: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let [access, errors] = ["access.log", "errors.log"].map(|file| directory.path().join(file));
        let table = format!("[access_log]\nto = {access:?}\nformat = {format:?}\nerrors = {errors:?}");
        let proxy = Proxy::start(&config.clone().table(&table));
        Self { proxy, directory }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap_or_default()
    }

    /// Ends the proxy; the lines of both files.
    fn lines(mut self) -> [Vec<String>; 2] {
        self.proxy.signal("TERM");
        assert_eq!(self.proxy.exit_code(), Some(0));
        ["access.log", "errors.log"].map(|file| self.text(file).lines().map(str::to_owned).collect())
    }
}

/// Checks so rare that only requests find out.
fn rare(members: &[&Upstream]) -> Config {
    Config::new(members)
        .one_thread()
        .health("health = { every = \"60s\" }")
}

/// The value of a field of ours.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let mut fields = line.split(' ').filter_map(|field| field.split_once('='));
    let found = fields.find(|(found, _)| *found == name);
    found.expect("a field that each line has").1
}

#[test]
fn bytes_are_counted_both_ways_and_once_whatever_the_attempts() {
    let dying = Upstream::start(|_| Act::SayAndClose(Vec::new()));
    let chat = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi";
    let other = Upstream::start(|seen| match seen.target.as_str() {
        "/ws" => Act::Echo(chat.as_bytes().to_vec()),
        _ => Act::text("answer"),
    });
    let logged = Logged::start(&rare(&[&dying, &other]), "combined");
    let mut client = logged.proxy.client();
    let put = client.request("PUT", "/", "Cookie: JSESSIONID=A.n1\r\n", "content");
    assert_eq!(put.text(), "answer");
    let upgrade = "Cookie: JSESSIONID=A.n2\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    assert_eq!(client.get("/ws", upgrade).status, 101);
    client.send(b"\x81\x03abc");
    assert_eq!(client.bytes(7), b"hi\x81\x03abc");
    client.finish();
    assert!(client.is_closed());
    let [lines, errors] = logged.lines();
    let told: Vec<[&str; 3]> = lines
        .iter()
        .map(|line| {
            [
                field(line, "attempts"),
                field(line, "received"),
                line.split(' ').nth(9).unwrap(),
            ]
        })
        .collect();
    assert_eq!(told, [["2", "7", "6"], ["1", "5", "7"]], "{lines:#?}");
    assert_eq!(errors, lines[..1], "the user noticed nothing, an operator should");
}

/// Stopped meanwhile, the proxy finds both at once: that the Tomcat grants the socket, and that nobody is there to have it.
#[test]
fn a_client_that_leaves_before_its_socket_is_granted_had_no_tunnel() {
    for resets in [false, true] {
        let chat = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        let upstream = Upstream::start(|_| Act::HoldThenSay(chat.into()));
        let logged = Logged::start(&rare(&[&upstream]), "combined");
        let mut client = TcpStream::connect(logged.proxy.address).expect("it listens");
        let ask = "GET /ws HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        client.write_all(ask.as_bytes()).expect("it is taken");
        wait_until("it is asked for", || upstream.seen().len() == 1);
        logged.proxy.pause();
        if resets {
            let socket = socket2::SockRef::from(&client);
            socket.set_linger(Some(Duration::ZERO)).expect("a socket");
        }
        drop(client);
        upstream.release();
        wait_until("the answer is there to be read", || {
            has_unread_bytes_from(upstream.address)
        });
        logged.proxy.signal("CONT");
        let [lines, _] = logged.lines();
        let [line] = &lines[..] else { panic!("{lines:#?}") };
        assert_eq!(field(line, "end"), "client-gone", "{line}");
    }
}

/// Whether a socket of this machine was sent bytes from there and has not read them: the kernel's table of connections.
fn has_unread_bytes_from(address: SocketAddr) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let from = format!(":{:04X}", address.port());
    table.lines().any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns[2].ends_with(&from)
            && columns[4]
                .split_once(':')
                .is_some_and(|(_, unread)| unread != "00000000")
    })
}

#[test]
fn each_attempt_is_told_with_its_upstream_why_it_and_what_became_of_it() {
    let (gone, dying, last) = (
        Upstream::named("gone"),
        Upstream::start(|_| Act::SayAndClose(Vec::new())),
        Upstream::start(|seen| match seen.target.as_str() {
            "/decline" => Act::answer("503 Service Unavailable", "Remora-Effect: none\r\n", "no"),
            "/late" => Act::AwaitClose,
            _ => Act::text("here"),
        }),
    );
    let logged = Logged::start(
        &rare(&[&gone, &dying, &last]).top(r#"trust = ["127.0.0.1"]"#),
        "json",
    );
    gone.stop_listening();
    let cookie = |number: usize| format!("Cookie: JSESSIONID=SECRET.n{number}\r\n");
    let forwarded =
        "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n";
    let ask = |target: &str, fields: &str| logged.proxy.client().get(target, fields).status;
    assert_eq!(ask("/a", &(cookie(1) + forwarded)), 200);
    assert_eq!(ask("/b", &cookie(2)), 200);
    assert_eq!(ask("/c", &cookie(3)), 200);
    assert_eq!(ask("/decline", &cookie(3)), 503);
    assert_eq!(
        logged
            .proxy
            .client()
            .request("POST", "/d", &cookie(2), "x")
            .status,
        502
    );
    let mut client = logged.proxy.client();
    client.send(format!("GET /late HTTP/1.1\r\nHost: shop\r\n{}\r\n", cookie(3)));
    wait_until("it waits", || {
        last.seen().iter().any(|seen| seen.target == "/late")
    });
    drop(client);
    wait_until("it is given up", || last.abandoned() == 1);
    let [lines, errors] = logged.lines();
    let told: Vec<String> = lines.iter().map(|line| told(line)).collect();
    assert_eq!(
        told,
        [
            "/a 198.51.100.7 127.0.0.1 https shop.example 200 complete: n1 sticky refused connecting none, n3 moved answered",
            "/b 127.0.0.1 null http shop 200 complete: n2 sticky broken waiting possible, n3 moved answered",
            "/c 127.0.0.1 null http shop 200 complete: n3 sticky answered",
            "/decline 127.0.0.1 null http shop 503 complete: n3 sticky declined declined none, n2 moved broken waiting possible, n1 moved refused connecting none",
            "/d 127.0.0.1 null http shop 502 complete: n2 sticky broken waiting possible",
            "/late 127.0.0.1 null http shop null client-gone: n3 sticky unfinished",
        ],
        "{lines:#?}"
    );
    assert_eq!(errors, [0, 1, 3, 4].map(|line| lines[line].clone()));
    assert!(!lines.concat().contains("SECRET"));
}

/// An object in short: the request, its client, the answer, and each attempt.
fn told(line: &str) -> String {
    let object: Value = serde_json::from_str(line).expect("an object");
    let words = |object: &Value, keys: &[&str]| {
        let word = |key: &&str| match &object[key] {
            Value::String(word) => word.clone(),
            other => other.to_string(),
        };
        keys.iter().map(word).collect::<Vec<_>>().join(" ")
    };
    let attempts = object["attempts"].as_array().expect("an array");
    let attempts: Vec<String> = attempts
        .iter()
        .map(|attempt| match attempt["outcome"].as_str() {
            Some("failed") => words(attempt, &["route", "pick", "cause", "phase", "effect"]),
            _ => words(attempt, &["route", "pick", "outcome"]),
        })
        .collect();
    let exchange = words(
        &object,
        &["target", "client", "peer", "scheme", "host", "status", "end"],
    );
    format!("{exchange}: {}", attempts.join(", "))
}

#[test]
fn a_line_says_in_which_tls_its_client_spoke() {
    let upstream = Upstream::named("ok");
    let certificates = Certificates::draw();
    certificates.issue("shop", &["shop.test"]);
    let tls = format!("tls = {{ {} }}", certificates.pair("shop"));
    let logged = Logged::start(&rare(&[&upstream]).listen(&tls), "combined");
    let client = logged.proxy.client();
    let mut client = client
        .secure(&certificates.client(), "shop.test")
        .expect("a handshake");
    assert_eq!(client.get("/", "").status, 200);
    drop(client);
    let [lines, errors] = logged.lines();
    let told = ["tls", "scheme", "host"].map(|name| field(&lines[0], name));
    assert_eq!(told, ["TLSv1.3", "https", "shop"]);
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn both_files_are_opened_anew_and_a_line_says_when_its_request_began() {
    let upstream = Upstream::named("ok");
    let logged = Logged::start(&rare(&[&upstream]), "json");
    let ask = |target: &str| logged.proxy.client().request("GET", target, "", "").status;
    for file in ["access.log", "errors.log"] {
        std::fs::rename(logged.path(file), logged.path(&format!("{file}.1"))).expect("it is there");
    }
    logged.proxy.signal("HUP");
    wait_until("the new files have lines", || {
        // Each is opened with its next lines.
        assert_eq!((ask("/well"), ask("/%00")), (200, 400));
        !logged.text("access.log").is_empty() && !logged.text("errors.log").is_empty()
    });
    let [lines, errors] = logged.lines();
    let of = |line: &str, key: &str| serde_json::from_str::<Value>(line).expect("an object")[key].clone();
    assert!(
        errors.iter().all(|line| of(line, "reason") == "path"),
        "{errors:#?}"
    );
    let (begun, ended) = (of(&lines[0], "begun"), of(&lines[0], "ended"));
    let (begun, ended) = (begun.as_str().expect("text"), ended.as_str().expect("text"));
    assert!(
        begun <= ended && begun.ends_with('Z') && begun.len() == 27,
        "{begun} {ended}"
    );
}

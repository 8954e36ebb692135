//! Claim: the access log tells of each exchange what an operator asks of it: bytes both ways, tunnels' as well.
//!
//! Broken once to see it fail: bytes of a tunnel not counted; content counted once for each attempt.

mod support;

use std::path::PathBuf;

use support::process::{Config, Proxy};
use support::upstream::{Act, Upstream};

/// A proxy whose log is read once it has ended.
struct Logged {
    proxy: Proxy,
    directory: tempfile::TempDir,
}

impl Logged {
    fn start(config: &Config) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let log = directory.path().join("access.log");
        let proxy = Proxy::start(&config.clone().access_log(&log));
        Self { proxy, directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("access.log")
    }

    /// Ends the proxy; the lines of its log.
    fn lines(mut self) -> Vec<String> {
        self.proxy.signal("TERM");
        assert_eq!(self.proxy.exit_code(), Some(0));
        let text = std::fs::read_to_string(self.file()).expect("the log was written");
        text.lines().map(str::to_owned).collect()
    }
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
    let config = Config::new(&[&dying, &other]).health("health = { every = \"60s\" }");
    let logged = Logged::start(&config);
    let mut client = logged.proxy.client();
    let put = client.request("PUT", "/", "Cookie: JSESSIONID=A.n1\r\n", "content");
    assert_eq!(put.text(), "answer");
    let upgrade = "Cookie: JSESSIONID=A.n2\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    assert_eq!(client.get("/ws", upgrade).status, 101);
    client.send(b"\x81\x03abc");
    assert_eq!(client.bytes(7), b"hi\x81\x03abc");
    client.finish();
    assert!(client.is_closed());
    let lines = logged.lines();
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
}

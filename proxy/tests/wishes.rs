//! Claim: a drain outlives the proxy that was asked for it, where it has a place for it, whatever ends the process; and it ends
//! although users have WebSockets open: each is closed between two frames, so that its client comes back elsewhere.
//!
//! Broken once to see it fail: the wish not written (the next process serves on n1); the directory not locked (two
//! processes would write over each other); the farewell sent at once and not between two frames; removed members not looked for.

mod support;

use std::process::{Command, Stdio};

use support::client::Client;
use support::process::{Config, Proxy, run};
use support::upstream::{Act, Upstream};

#[test]
fn a_drain_survives_the_end_of_the_process() {
    let (one, other) = (Upstream::named("one"), Upstream::named("other"));
    let state = tempfile::tempdir().expect("a temporary directory");
    let line = format!("state = {:?}", state.path().join("proxy"));
    let config = Config::new(&[&one, &other]).control(&line);
    let answer = |proxy: &Proxy| {
        let cookie = "Cookie: JSESSIONID=ABC.n1\r\n";
        proxy.client().get("/", cookie).text()
    };
    let mut proxy = Proxy::start(&config);
    assert_eq!(answer(&proxy), "one");
    proxy.drain("n1");
    assert_eq!(answer(&proxy), "other");

    let (code, _, said) = run(&proxy.file(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("another proxy uses it"), "{said}");

    proxy.signal("KILL");
    proxy.exit_code();
    let mut proxy = Proxy::start(&config);
    assert_eq!(
        answer(&proxy),
        "other",
        "the wish was on disk before it was answered"
    );
    proxy.undrain("n1");
    assert_eq!(answer(&proxy), "one");

    proxy.signal("TERM");
    proxy.exit_code();
    let mut proxy = Proxy::start(&config);
    assert_eq!(answer(&proxy), "one");

    proxy.signal("TERM");
    proxy.exit_code();
    std::fs::write(state.path().join("proxy/wishes"), "drain n1\n").expect("a file");
    let (code, _, said) = run(&proxy.file(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is not understood"), "{said}");
}

/// A limit on files of no byte is a full disk for whoever writes: the write fails, and a sync after it does not.
#[test]
fn a_wish_that_a_full_disk_does_not_take_is_not_done_and_costs_none_before() {
    let (one, other) = (Upstream::named("one"), Upstream::named("other"));
    let state = tempfile::tempdir().expect("a temporary directory");
    let line = format!("state = {:?}", state.path().join("proxy"));
    let config = Config::new(&[&one, &other]).control(&line);
    let mut proxy = Proxy::start(&config);
    proxy.drain("n1");
    proxy.signal("TERM");
    proxy.exit_code();
    let full = Proxy::start_as(&config, |file| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", r#"trap '' XFSZ; ulimit -f 0; exec "$0" --config "$1""#])
            .arg(env!("CARGO_BIN_EXE_remora-proxy"))
            .arg(file)
            .stdout(Stdio::null());
        shell
    });
    let why = full.refused_drain("n2");
    assert!(why.contains("nothing was changed"), "{why}");
    let answer = full.client().get("/", "Cookie: JSESSIONID=ABC.n2\r\n");
    assert_eq!(answer.text(), "other", "n2 is not drained");
    let kept = std::fs::read_to_string(state.path().join("proxy/wishes")).expect("a file");
    assert!(kept.contains("n1"), "{kept:?}");
}

/// Grants every WebSocket, and sends back each byte.
fn echo() -> Upstream {
    Upstream::start(|_| {
        let accepted =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        Act::Echo(accepted.as_bytes().to_vec())
    })
}

/// A user of `n1` in the middle of a frame that the upstream sends.
fn in_a_frame(proxy: &Proxy) -> Client {
    let mut client = proxy.client();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nCookie: JSESSIONID=ABC.n1\r\n";
    assert_eq!(client.get("/ws", upgrade).status, 101);
    client.send(b"\x81\x7d");
    assert_eq!(client.bytes(2), b"\x81\x7d");
    client
}

/// Row P17 of the cases: the drain never ended.
#[test]
fn websockets_of_a_drained_or_removed_upstream_end_between_two_frames() {
    let (one, other) = (echo(), Upstream::named("other"));
    let both = Config::new(&[&one, &other]).table("[limits]\ntunnel_grace = \"1ms\"");
    let proxy = Proxy::start(&both);
    let leaves = |mut client: Client| {
        // Many times longer than the grace.
        for _ in 0..0x7d {
            client.send("x");
            assert_eq!(client.bytes(1), b"x", "in the middle of the frame");
        }
        assert_eq!(client.bytes(4), b"\x88\x02\x03\xf4", "behind it: 1012");
        client.send(b"\x88\x82mask\x6e\x95");
        client.finish();
        assert!(client.is_closed());
    };
    let drained = in_a_frame(&proxy);
    proxy.drain("n1");
    leaves(drained);
    proxy.undrain("n1");
    let removed = in_a_frame(&proxy);
    proxy.reload(&Config::new(&[&other]).table("[limits]\ntunnel_grace = \"1ms\""));
    leaves(removed);
}

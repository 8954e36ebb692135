//! Claim: what an upstream says passes unchanged, what it frames wrongly is refused, and nobody runs a request again for it.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use support::process::{Config, Proxy};
use support::upstream::{Act, Upstream};
use support::wait_until;

fn saying(answer: &'static str) -> Upstream {
    Upstream::start(move |_| Act::SayAndClose(answer.as_bytes().to_vec()))
}

#[test]
fn an_answer_that_is_framed_wrongly_is_refused_and_said_to_be() {
    let chunks = "2\r\nok\r\n0\r\n\r\n";
    for (what, answer) in [
        (
            "a short length beside chunks",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            "a long length beside chunks",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        ),
        ("a signed length", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n"),
        (
            "an unknown encoding",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        ),
        ("a bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n"),
        (
            "a folded field",
            "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n",
        ),
        ("no HTTP at all", "SSH-2.0-OpenSSH\r\n\r\n"),
    ] {
        let bytes = format!("{answer}{chunks}").into_bytes();
        let upstream = Upstream::start(move |_| Act::SayAndClose(bytes.clone()));
        let other = Upstream::named("other");
        let proxy = Proxy::start(&Config::new(&[&upstream, &other]));
        let got = proxy.client().get("/", "Cookie: JSESSIONID=a.n1\r\n");
        assert_eq!(got.status, 502, "{what}");
        assert_eq!(
            upstream.seen().len() + other.seen().len(),
            1,
            "{what}: it ran, and runs once"
        );
        proxy.tells("answer is refused");
        let refused = proxy.figure("remora_proxy_refused_answers_total");
        assert_eq!(refused, Some(1.0), "{what}: and it is counted");
    }
}

#[test]
fn an_answer_whose_chunks_are_wrong_is_cut() {
    let upstream =
        saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n2\nno\r\n0\r\n\r\n");
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("access.log");
    let proxy = Proxy::start(&Config::new(&[&upstream]).access_log(&log));
    let got = proxy.client().get("/", "");
    assert_eq!((got.text().as_str(), got.complete), ("ok", false));
    wait_until("the cut is in the log", || {
        std::fs::read_to_string(&log).is_ok_and(|text| text.contains("end=upstream-cut"))
    });
}

#[test]
fn many_fields_pass_and_too_many_are_refused_once() {
    let upstream = Upstream::start(|seen| {
        let many: usize = seen.target[1..].parse().expect("a number");
        let cookies: String = (0..many)
            .map(|number| format!("Set-Cookie: c{number}=1\r\n"))
            .collect();
        Act::answer("200 OK", &cookies, "ok")
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    let many = client.get("/105", "");
    assert_eq!((many.status, many.fields("set-cookie").len()), (200, 105));
    assert_eq!(client.get("/1100", "").status, 502);
    assert_eq!(
        upstream.seen().len(),
        2,
        "an answer that is too long was made all the same"
    );
}

#[test]
fn words_case_and_order_pass_unchanged() {
    let upstream = saying(
        "HTTP/1.1 419 Authentication Timeout\r\nX-One: 1\r\nSet-Cookie: a=1\r\nx-TWO:2\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
    );
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let got = proxy
        .client()
        .get("/", "X-MiXed: a\r\nCookie: a=b\r\nX-mixed: b\r\n");
    assert_eq!(
        got.head,
        "HTTP/1.1 419 Authentication Timeout\r\nX-One: 1\r\nSet-Cookie: a=1\r\nx-TWO:2\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn informational_heads_reach_those_who_know_them() {
    let upstream = Upstream::start(|_| {
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\n\r\n";
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        Act::Say(format!("{hints}{hints}{answer}").into_bytes())
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
        for _ in 0..2 {
            assert_eq!(
                client.response().head,
                "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
            );
        }
        assert_eq!(client.response().text(), "ok");
    }
    let mut old = proxy.client();
    old.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(old.response().status, 200, "HTTP/1.0 knows no other answer");
}

/// A POST that holds its content back.
const EXPECTING: &str = "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";

#[test]
fn an_upstream_that_answers_by_the_head_is_heard_before_any_content() {
    let upstream = Upstream::start_with_heads(|_| Act::answer("401 Unauthorized", "", "who?"));
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    client.send(EXPECTING);
    let got = client.response();
    assert_eq!(
        (got.status, got.text().as_str()),
        (401, "who?"),
        "and no 100 before it"
    );
    assert_eq!(
        got.field("connection"),
        Some("close"),
        "what was held back is no next request"
    );
    assert!(client.is_closed());
    assert_eq!(upstream.seen()[0].field("expect"), Some("100-continue"));
}

#[test]
fn the_upstream_says_when_the_content_is_wanted() {
    let upstream = Upstream::start_with_heads(|_| {
        let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        Act::Say(answer.as_bytes().to_vec())
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    client.send(EXPECTING);
    assert_eq!((client.response().status, client.response().status), (100, 200));
}

#[test]
fn an_upstream_that_says_nothing_gets_the_content() {
    let upstream = Upstream::start(|seen| Act::text(&String::from_utf8_lossy(&seen.body)));
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    client.send(EXPECTING);
    assert_eq!(client.response().status, 100);
    client.send("body");
    let got = client.response();
    assert_eq!((got.status, got.text().as_str()), (200, "body"));
    client.send(EXPECTING);
    client.send("soon");
    assert_eq!(
        client.response().text(),
        "soon",
        "who does not wait is not told to go on"
    );
}

#[test]
fn content_that_came_is_repeated_without_expecting() {
    let dying = Upstream::start(|_| Act::SayAndClose(Vec::new()));
    let other = Upstream::start(|seen| Act::text(&String::from_utf8_lossy(&seen.body)));
    let proxy = Proxy::start(&Config::new(&[&dying, &other]));
    let mut client = proxy.client();
    client.send(
        EXPECTING
            .replace("POST", "PUT")
            .replace("Host: shop", "Host: shop\r\nCookie: JSESSIONID=a.n1"),
    );
    assert_eq!(client.response().status, 100);
    client.send("body");
    assert_eq!(client.response().text(), "body");
    assert_eq!(dying.seen()[0].field("expect"), Some("100-continue"));
    assert_eq!(other.seen()[0].field("expect"), None);
}

#[test]
fn each_refusal_is_in_the_log_and_in_a_figure() {
    let upstream = Upstream::named("ok");
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("access.log");
    let proxy = Proxy::start(&Config::new(&[&upstream]).access_log(&log));
    let long = "a".repeat(20_000);
    let many = "X: y\r\n".repeat(101);
    for (status, reason, bytes) in [
        (
            431,
            "head-too-large",
            format!("GET / HTTP/1.1\r\nHost: shop\r\nX: {long}\r\n\r\n"),
        ),
        (
            431,
            "fields-too-many",
            format!("GET / HTTP/1.1\r\nHost: shop\r\n{many}\r\n"),
        ),
        (400, "request-line", "GET /\r\n\r\n".to_owned()),
        (400, "request-line", "\x16\x03\x01".to_owned()),
        (505, "version", "GET / HTTP/2.0\r\n\r\n".to_owned()),
    ] {
        let mut client = proxy.client();
        client.send(bytes);
        assert_eq!(client.response().status, status);
        assert!(client.is_closed());
        wait_until("the log has it", || {
            std::fs::read_to_string(&log).is_ok_and(|text| text.contains(&format!("reason={reason}")))
        });
        let figure =
            format!("remora_proxy_own_answers_total{{pool=\"\",status=\"{status}\",reason=\"{reason}\"}}");
        wait_until("it is counted", || {
            proxy.figure(&figure).is_some_and(|count| count > 0.0)
        });
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn content_that_nobody_wanted_does_not_cost_the_answer() {
    let upstream = Upstream::named("ok");
    let proxy = Proxy::start(&Config::mapped(&[&upstream], "/tomcat", "tomcat/tomcat"));
    let mut client = proxy.client();
    // No route: answered before any content is read. A reset would overtake the answer.
    client.send(format!(
        "POST /none HTTP/1.1\r\nHost: shop\r\nContent-Length: 200000\r\n\r\n{}",
        "x".repeat(150_000)
    ));
    assert_eq!(client.response().status, 404);
    let mut client = proxy.client();
    client.send("POST /none HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(client.response().status, 404);
    assert_eq!(client.get("/tomcat", "").text(), "ok", "a little is read over");
}

#[test]
fn content_that_is_repeated_goes_on_behind_an_early_answer() {
    let content = "x".repeat(8 * 1024 * 1024);
    let dying = Upstream::start(|_| Act::SayAndClose(Vec::new()));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let length = content.len();
    // Answers by the head, and goes on when it has read everything.
    let early = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the proxy connects");
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        let begun = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n";
        stream.write_all(begun).expect("the proxy reads");
        let mut rest = vec![0; length];
        stream.read_exact(&mut rest).expect("all of the content");
        stream.write_all(b"1\r\nk\r\n0\r\n\r\n").expect("the proxy reads");
    });
    let member = format!("[[pool.tomcat.member]]\nurl = \"http://{address}\"\nroute = \"n2\"\n");
    let config = Config::new(&[&dying])
        .health("health = \"off\"")
        .table(&member)
        .table("[limits]\nreplay_bytes = 16777216\nidle = \"2s\"");
    let proxy = Proxy::start(&config);
    let got = proxy
        .client()
        .request("PUT", "/", "Cookie: JSESSIONID=a.n1\r\n", &content);
    assert_eq!((got.text().as_str(), got.complete), ("ok", true));
    early.join().expect("it read everything");
}

#[test]
fn a_client_of_old_that_sends_no_more_never_takes_a_part_for_the_whole() {
    let begun = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n";
    let upstream = Upstream::start(move |_| Act::SayAndHold(begun.as_bytes().to_vec()));
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = TcpStream::connect(proxy.address).expect("the proxy accepts");
    client
        .write_all(b"GET / HTTP/1.0\r\n\r\n")
        .expect("the proxy reads");
    let mut got = vec![0; 1024];
    let mut length = 0;
    while !got[..length].ends_with(b"part") {
        length += client.read(&mut got[length..]).expect("a head and a part");
    }
    client.shutdown(Shutdown::Write).expect("an open socket");
    let end = client.read(&mut got).map_err(|error| error.kind());
    assert_eq!(end, Err(ErrorKind::ConnectionReset), "not an orderly end");
}

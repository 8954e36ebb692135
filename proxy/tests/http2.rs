//! Claim: a client of HTTP/2 gets what one of HTTP/1.1 gets: the same routes, checks, repeats, drains and bounds, each request for
//! itself and none at the cost of another on its connection.

mod support;

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::HeaderMap;
use support::PATIENCE;
use support::http2::{Raw, Site, ask, finish, read, send_all, until, within};
use support::process::Config;
use support::upstream::{Act, Upstream};

/// Content that needs many frames. 1 MiB.
const LARGE: usize = 1024 * 1024;

/// An upstream that sends content back.
fn mirror() -> Upstream {
    Upstream::start(|seen| {
        let mut answer =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", seen.body.len()).into_bytes();
        answer.extend_from_slice(&seen.body);
        Act::Say(answer)
    })
}

fn pattern(bytes: usize) -> Bytes {
    (0..bytes)
        .map(|at| u8::try_from(at % 251).expect("below 251"))
        .collect::<Vec<_>>()
        .into()
}

#[tokio::test]
async fn a_get_is_served_and_told_of_as_any_other() {
    let upstream = Upstream::start(|_| {
        Act::answer(
            "200 OK",
            "Connection: x-own\r\nX-Own: 1\r\nX-Kept: 2\r\nKeep-Alive: 3\r\n",
            "page",
        )
    });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("access.log");
    let site = Site::start(&Config::new(&[&upstream]).access_log(&file));
    let client = site.connect().await;
    let answer = client.get(ask("GET", "/a?b=c").header("accept", "x")).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "page"));
    assert_eq!(answer.fields["x-kept"], "2");
    assert_eq!(answer.fields["content-length"], "4");
    for gone in ["connection", "keep-alive", "x-own", "transfer-encoding"] {
        assert!(!answer.fields.contains_key(gone), "{gone}");
    }
    let seen = upstream.seen().remove(0);
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/a?b=c"));
    assert_eq!(seen.field("host"), Some("shop.test"));
    assert_eq!(seen.field("x-forwarded-proto"), Some("https"));
    assert!(seen.field("via").is_some_and(|via| via.starts_with("2 ")));
    assert_eq!(
        seen.field("content-length").or(seen.field("transfer-encoding")),
        None
    );
    until("it is logged", || {
        let log = std::fs::read_to_string(&file).unwrap_or_default();
        log.contains("\"GET /a?b=c HTTP/2.0\" 200 4 ")
    })
    .await;
    for figure in [
        "remora_proxy_exchanges_total{pool=\"tomcat\",class=\"2xx\"}",
        "remora_proxy_exchange_ends_total{pool=\"tomcat\",end=\"complete\"}",
    ] {
        assert_eq!(site.proxy.figure(figure), Some(1.0), "{figure}");
    }
}

#[tokio::test]
async fn content_passes_both_ways_whether_its_length_is_known_or_not() {
    let (upstream, content) = (mirror(), pattern(LARGE));
    let site = Site::start(&Config::new(&[&upstream]));
    let client = site.connect().await;
    for known in [true, false] {
        let mut request = ask("POST", "/");
        if known {
            request = request.header("content-length", LARGE);
        }
        let (answer, mut stream) = client.begin(request, false).await;
        let answer = tokio::spawn(finish(answer));
        assert_eq!(send_all(&mut stream, content.clone(), PATIENCE).await, LARGE);
        stream.send_data(Bytes::new(), true).unwrap();
        let answer = within(answer).await.unwrap().unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, LARGE));
        assert!(answer.body == content, "each byte in its place");
        let seen = upstream.seen().pop().unwrap();
        let coding = seen.field("transfer-encoding");
        assert_eq!(coding, (!known).then_some("chunked"), "{known}");
    }
}

#[tokio::test]
async fn a_hundred_requests_go_beside_one_another() {
    let upstream = Upstream::start(|seen| Act::HoldThenSay(page(&seen.target)));
    let site = Site::start(&Config::new(&[&upstream]));
    let client = site.connect().await;
    let mut answers = Vec::new();
    for number in 0..100 {
        let (answer, _) = client.begin(ask("GET", &format!("/{number}")), true).await;
        answers.push(tokio::spawn(finish(answer)));
    }
    until("all wait at the upstream", || upstream.seen().len() == 100).await;
    upstream.release();
    for (number, answer) in answers.into_iter().enumerate() {
        let answer = within(answer).await.unwrap().unwrap();
        assert_eq!(answer.text(), format!("/{number}"));
    }
}

fn page(text: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n4\r\ntext\r\n0\r\nSum: 7\r\n\r\n";
    let upstream = Upstream::start(|_| Act::Say(answer.into()));
    let site = Site::start(&Config::new(&[&upstream]));
    let client = site.connect().await;
    let (answer, mut stream) = client
        .begin(ask("POST", "/").header("te", "trailers"), false)
        .await;
    stream.send_data(Bytes::from_static(b"said"), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("digest", "9".parse().unwrap());
    trailers.insert("cookie", "no=1".parse().unwrap());
    stream.send_trailers(trailers).unwrap();
    let answer = within(finish(answer)).await.unwrap();
    assert_eq!(answer.text(), "text");
    assert_eq!(answer.trailers.unwrap()["sum"], "7");
    let seen = upstream.seen().remove(0);
    assert_eq!(
        (seen.body.as_slice(), seen.trailers.as_str()),
        (&b"said"[..], "digest: 9\n")
    );
}

#[tokio::test]
async fn answers_without_content_end_with_their_heads() {
    let upstream = Upstream::start(|seen| match seen.target.as_str() {
        "/head" => Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec()),
        "/none" => Act::Say(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        "/known" => Act::Say(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n".to_vec()),
        _ => Act::answer("200 OK", "", ""),
    });
    let site = Site::start(&Config::new(&[&upstream]));
    let client = site.connect().await;
    for (method, path, status, length) in [
        ("HEAD", "/head", 200, Some("9")),
        ("GET", "/none", 204, None),
        ("GET", "/known", 304, None),
        ("GET", "/empty", 200, Some("0")),
    ] {
        let answer = client.get(ask(method, path)).await;
        let said = answer
            .fields
            .get("content-length")
            .map(|value| value.to_str().unwrap());
        assert_eq!(
            (answer.status, said, answer.body.len()),
            (status, length, 0),
            "{path}"
        );
        assert!(answer.broken.is_none(), "{path}");
    }
    let refused = client.get(ask("TRACE", "/")).await;
    assert_eq!(refused.status, 405);
}

#[tokio::test]
async fn a_session_is_found_in_the_crumbs_of_its_cookie() {
    let (one, two) = (Upstream::named("one"), Upstream::named("two"));
    let site = Site::start(&Config::new(&[&one, &two]));
    let client = site.connect().await;
    for _ in 0..4 {
        let request = ask("GET", "/")
            .header("cookie", "a=b")
            .header("cookie", "JSESSIONID=X.n2");
        assert_eq!(client.get(request).await.text(), "two");
    }
    assert_eq!(two.seen()[0].field("cookie"), Some("a=b; JSESSIONID=X.n2"));
}

#[tokio::test]
async fn a_request_that_could_be_read_in_two_ways_is_refused_alone() {
    let upstream = Upstream::named("ok");
    let site = Site::start(&Config::new(&[&upstream]));
    let client = site.connect().await;
    let refused = client.get(ask("GET", "/").header("host", "other.test")).await;
    assert_eq!(refused.status, 400);
    let refused = client.get(ask("GET", "/%2e%2e/x")).await;
    assert_eq!(refused.status, 400);
    // The crate refuses to send some of these: they go as frames.
    let mut raw = site.raw();
    for (stream, field) in [
        (1, &b"\x0aconnection\x05close"[..]),
        (3, b"\x02te\x04gzip"),
        (5, b"\x07upgrade\x03h2c"),
        (7, b"\x11transfer-encoding\x07chunked"),
    ] {
        let mut block = vec![0x82, 0x87, 0x84, 0x41, 9];
        block.extend_from_slice(b"shop.test\x00");
        block.extend_from_slice(field);
        raw.send(&Raw::frame(1, 5, stream, &block));
        let reset = loop {
            let Some(frame) = raw.next() else {
                panic!("no reset for {field:?}");
            };
            if frame.stream == stream {
                break frame;
            }
        };
        let reason = u32::from(Reason::PROTOCOL_ERROR).to_be_bytes();
        assert_eq!(
            (reset.kind, reset.payload.as_slice()),
            (3, &reason[..]),
            "{field:?}"
        );
    }
    raw.send(&Raw::get(9));
    let answered = std::iter::from_fn(|| raw.next()).find(|frame| frame.stream == 9);
    assert_eq!(answered.map(|frame| frame.kind), Some(1), "others go on");
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_request_whose_upstream_dies_is_repeated_and_others_do_not_notice() {
    let dying = Upstream::start(|_| Act::HoldThenClose);
    let steady = Upstream::start(|seen| match seen.target.as_str() {
        "/long" => Act::SayAndHold(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf".to_vec()),
        _ => Act::text("steady"),
    });
    let site = Site::start(&Config::new(&[&dying, &steady]));
    let client = site.connect().await;
    let (long, _) = client
        .begin(ask("GET", "/long").header("cookie", "JSESSIONID=X.n2"), true)
        .await;
    let mut long = within(long).await.unwrap().into_body();
    assert_eq!(within(read(&mut long, 4)).await, b"half");
    let of_dying = |method| ask(method, "/").header("cookie", "JSESSIONID=Y.n1");
    let (get, _) = client.begin(of_dying("GET"), true).await;
    let (post, _) = client.begin(of_dying("POST"), true).await;
    let (get, post) = (tokio::spawn(finish(get)), tokio::spawn(finish(post)));
    until("both wait", || dying.seen().len() == 2).await;
    dying.stop_listening();
    dying.release();
    assert_eq!(within(get).await.unwrap().unwrap().text(), "steady");
    assert_eq!(
        within(post).await.unwrap().unwrap().status,
        502,
        "it may have run"
    );
    assert_eq!(
        client
            .get(ask("GET", "/").header("cookie", "JSESSIONID=X.n2"))
            .await
            .text(),
        "steady"
    );
    drop(long);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_seen_to_and_only_that_one() {
    let upstream = Upstream::start(|seen| match seen.target.as_str() {
        "/cut" => Act::SayAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()),
        _ => Act::text("whole"),
    });
    let site = Site::start(&Config::new(&[&upstream]));
    let client = site.connect().await;
    let cut = client.get(ask("GET", "/cut")).await;
    assert_eq!(
        (cut.status, cut.text().as_str()),
        (200, "half"),
        "what came is passed on"
    );
    assert_eq!(
        cut.broken.and_then(|error| error.reason()),
        Some(Reason::INTERNAL_ERROR)
    );
    assert_eq!(client.get(ask("GET", "/")).await.text(), "whole");
}

#[tokio::test]
async fn a_client_that_gives_a_request_up_is_seen_to_have_left() {
    let upstream = Upstream::start(|seen| match seen.target.as_str() {
        "/wait" => Act::AwaitClose,
        _ => Act::text("ok"),
    });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("access.log");
    let site = Site::start(&Config::new(&[&upstream]).access_log(&file));
    let client = site.connect().await;
    let (_, mut stream) = client.begin(ask("GET", "/wait"), true).await;
    until("it waits", || !upstream.seen().is_empty()).await;
    stream.send_reset(Reason::CANCEL);
    until("the upstream is let go", || upstream.abandoned() == 1).await;
    until("it is logged", || {
        let log = std::fs::read_to_string(&file).unwrap_or_default();
        log.contains("/wait") && log.contains("client-gone")
    })
    .await;
    assert_eq!(client.get(ask("GET", "/")).await.text(), "ok");
}

#[tokio::test]
async fn a_stop_tells_clients_and_serves_what_is_open() {
    let upstream = Upstream::start(|seen| Act::HoldThenSay(page(&seen.target)));
    let mut site = Site::start(&Config::new(&[&upstream]));
    let (busy, idle) = (site.connect().await, site.connect().await);
    let (late, _) = busy.begin(ask("GET", "/late"), true).await;
    let late = tokio::spawn(finish(late));
    until("it waits", || upstream.seen().len() == 1).await;
    site.proxy.signal("TERM");
    within(idle.driver).await.unwrap().expect("an orderly end");
    let mut ready = busy.send.clone();
    let mut refused = false;
    while !refused {
        refused = within(std::future::poll_fn(|context| ready.poll_ready(context)))
            .await
            .is_err();
        tokio::task::yield_now().await;
    }
    upstream.release();
    assert_eq!(within(late).await.unwrap().unwrap().text(), "/late");
    within(busy.driver).await.unwrap().expect("an orderly end");
    assert_eq!(site.proxy.exit_code(), Some(0));
}

#[tokio::test]
async fn an_upload_waits_for_its_upstream_and_holds_nobody_else_up() {
    let upstream = Upstream::start_with_heads(|seen| match seen.target.as_str() {
        "/slow" => Act::SayAndHold(Vec::new()),
        _ => Act::text("ok"),
    });
    let site = Site::start(&Config::new(&[&upstream]));
    let client = site.connect().await;
    let (_answer, mut stream) = client.begin(ask("POST", "/slow"), false).await;
    let much = 64 * LARGE;
    let sent = send_all(
        &mut stream,
        Bytes::from(vec![0; much]),
        Duration::from_millis(500),
    )
    .await;
    // The windows of HTTP/2, and what the kernel holds on the way to the upstream.
    assert!((1..much / 2).contains(&sent), "{sent}");
    assert_eq!(client.get(ask("GET", "/")).await.text(), "ok");
}

#[tokio::test]
async fn who_takes_an_answer_too_slowly_is_cut_and_others_go_on() {
    let upstream = Upstream::start(|seen| match seen.target.as_str() {
        "/large" => Act::Say(page(&"x".repeat(LARGE))),
        _ => Act::text("ok"),
    });
    let limits = "[limits]\nclient_grace = \"300ms\"\nanswer_bytes_per_second = 1000000";
    let site = Site::start(&Config::new(&[&upstream]).table(limits));
    let client = site.connect_with(70_000).await;
    let (large, _) = client.begin(ask("GET", "/large"), true).await;
    let mut content = within(large).await.unwrap().into_body();
    // What comes is not released: there is no room for more.
    let broken = within(async {
        loop {
            if let Err(error) = content.data().await.expect("it is not whole") {
                return error;
            }
        }
    });
    assert_eq!(broken.await.reason(), Some(Reason::CANCEL));
    drop(content);
    assert_eq!(client.get(ask("GET", "/")).await.text(), "ok");
    assert_eq!(
        site.proxy
            .figure("remora_proxy_slow_clients_total{at=\"answer\"}"),
        Some(1.0)
    );
}

#[tokio::test]
async fn informational_heads_pass_and_a_client_that_waits_is_told_to_go_on() {
    let upstream = Upstream::start_with_heads(|_| {
        Act::Say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec())
    });
    let site = Site::start(&Config::new(&[&upstream]));
    let mut raw = site.raw();
    let mut block = vec![0x83, 0x87, 0x84, 0x41, 9];
    block.extend_from_slice(b"shop.test\x00\x06expect\x0c100-continue");
    raw.send(&Raw::frame(1, 4, 1, &block));
    let mut heads = Vec::new();
    while let Some(frame) = raw.next() {
        if frame.stream == 1 && frame.kind == 1 {
            heads.push(frame.payload);
        } else if frame.stream == 1 {
            break;
        }
    }
    assert_eq!(heads.len(), 3, "100, 103 and 200");
    assert_eq!(heads[2][0] & 0x7f, 8, "200, of the static table");
}

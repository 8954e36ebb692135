//! Claim: what a client and an upstream say to each other arrives whole, in both directions.

mod support;

use support::process::{Config, Proxy};
use support::upstream::{Act, Upstream};
use support::wait_until;

#[test]
fn a_get_is_answered_by_the_upstream() {
    let upstream = Upstream::named("hello");
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    let response = client.get("/shop/cart?x=%2F", "");
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    assert_eq!(upstream.seen()[0].target, "/shop/cart?x=%2F");
    assert_eq!(client.get("/again", "").status, 200, "the connection is kept");
}

#[test]
fn upstream_connections_are_reused() {
    let upstream = Upstream::named("hello");
    let proxy = Proxy::start(&Config::new(&[&upstream]).one_thread());
    for _ in 0..20 {
        assert_eq!(proxy.client().get("/", "").status, 200);
    }
    let connections: std::collections::BTreeSet<_> =
        upstream.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(
        connections.len(),
        1,
        "twenty requests, one after the other, on one connection"
    );
}

#[test]
fn large_bodies_pass_in_both_directions() {
    let upstream = Upstream::start(|seen| {
        let mut answer =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", seen.body.len()).into_bytes();
        answer.extend_from_slice(&seen.body);
        Act::Say(answer)
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let body: Vec<u8> = (0..10 * 1024 * 1024_u32)
        .map(|index| (index % 251).to_le_bytes()[0])
        .collect();
    let mut client = proxy.client();
    client.send(format!(
        "POST /upload HTTP/1.1\r\nHost: shop\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    client.send(&body);
    let response = client.response();
    assert_eq!(response.status, 200);
    assert!(
        response.complete && response.body == body,
        "10 MB come back as they were sent"
    );
    assert_eq!(upstream.seen()[0].field("content-length"), Some("10485760"));
}

#[test]
fn chunks_and_trailers_pass_in_both_directions() {
    let upstream = Upstream::start(|_| {
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n\
                      5\r\nhello\r\n6\r\n world\r\n0\r\nx-sum: 11\r\n\r\n";
        Act::Say(answer.as_bytes().to_vec())
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    client.send(
        "POST / HTTP/1.1\r\nHost: shop\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: x-count\r\n\r\n\
         3\r\nabc\r\n2\r\nde\r\n0\r\nx-count: 5\r\n\r\n",
    );
    let response = client.response();
    assert_eq!(
        (response.text().as_str(), response.trailers.as_str()),
        ("hello world", "x-sum: 11\n")
    );
    let seen = &upstream.seen()[0];
    assert_eq!(
        (seen.body.as_slice(), seen.trailers.as_str()),
        (&b"abcde"[..], "x-count: 5\n")
    );
    assert_eq!(
        client.get("/", "").text(),
        "hello world",
        "the connection is kept"
    );
}

#[test]
fn trailers_pass_under_the_rules_of_heads() {
    let upstream = Upstream::start(|_| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum, set-cookie, remora-effect\r\n\r\n";
        let rest = "2\r\nok\r\n0\r\nset-cookie: a=b\r\nx-sum: 11\r\nremora-effect: none\r\n\r\n";
        Act::Say(format!("{head}{rest}").into_bytes())
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    for (trailers, passed) in [
        (
            "x-forwarded-for: 6.6.6.6\r\nx-count: 5\r\ncookie: a=b\r\n",
            "x-count: 5\n",
        ),
        ("x-forwarded-for: 6.6.6.6\r\n", ""),
    ] {
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: shop\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\
             Trailer: x-count, x-forwarded-for, cookie\r\n\r\n1\r\na\r\n0\r\n{trailers}\r\n"
        ));
        let response = client.response();
        assert_eq!(
            (response.text().as_str(), response.trailers.as_str()),
            ("ok", "x-sum: 11\n")
        );
        assert_eq!(upstream.seen().pop().expect("a request").trailers, passed);
    }
}

#[test]
fn answers_without_body_keep_their_fields() {
    let upstream = Upstream::start(|seen| match seen.target.as_str() {
        "/none" => Act::Say(b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n".to_vec()),
        "/same" => Act::Say(b"HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\n\r\n".to_vec()),
        _ => Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n".to_vec()),
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    let head = client.request("HEAD", "/", "", "");
    assert_eq!((head.status, head.field("content-length")), (200, Some("1234")));
    let none = client.get("/none", "");
    assert_eq!((none.status, none.field("x-a")), (204, Some("b")));
    let same = client.get("/same", "");
    assert_eq!((same.status, same.field("etag")), (304, Some("\"e\"")));
}

#[test]
fn an_http_1_0_client_is_served_and_closed() {
    let upstream = Upstream::start(|_| {
        Act::Say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec())
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    client.send("GET / HTTP/1.0\r\n\r\n");
    let response = client.response();
    assert_eq!(
        (response.status, response.text().as_str(), response.complete),
        (200, "abc", true)
    );
    assert_eq!(
        response.field("transfer-encoding"),
        None,
        "HTTP/1.0 knows no chunks"
    );
    let host = upstream.seen()[0].field("host").map(str::to_owned);
    assert_eq!(
        host,
        Some(upstream.address.to_string()),
        "Tomcat refuses HTTP/1.1 without Host"
    );
}

#[test]
fn websocket_bytes_pass_after_the_101_alone() {
    let upstream = Upstream::start(|seen| {
        if seen.target == "/ws" {
            let accepted =
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi";
            Act::Echo(accepted.as_bytes().to_vec())
        } else {
            Act::text("no tunnel here")
        }
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    let upgrade = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n";
    let refused = client.get("/", upgrade);
    assert_eq!((refused.status, refused.text().as_str()), (200, "no tunnel here"));

    client.send(format!("GET /ws HTTP/1.1\r\nHost: shop\r\n{upgrade}\r\nearly"));
    let switched = client.response();
    assert_eq!(
        (switched.status, switched.field("upgrade")),
        (101, Some("websocket"))
    );
    assert_eq!(
        switched.field("connection").map(str::to_ascii_lowercase),
        Some("upgrade".to_owned())
    );
    assert_eq!(client.bytes(7), b"hiearly");
    client.send("more");
    assert_eq!(client.bytes(4), b"more");
    client.finish();
    assert!(client.is_closed(), "the end of one side reaches the other");
}

#[test]
fn other_protocols_are_not_upgraded_to() {
    let upstream = Upstream::named("plain");
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let fields =
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    assert_eq!(proxy.client().get("/", fields).text(), "plain");
    let seen = &upstream.seen()[0];
    assert_eq!(
        (seen.field("upgrade"), seen.field("http2-settings")),
        (None, None)
    );
}

#[test]
fn a_tunnel_is_for_websocket_alone() {
    let upstream = Upstream::start(|seen| match seen.target.as_str() {
        "/other" => Act::Echo(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n".to_vec(),
        ),
        _ => Act::text("plain"),
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    for (fields, body) in [
        (format!("{websocket}Upgrade: h2c\r\n"), ""),
        (format!("Upgrade: h2c\r\n{websocket}"), ""),
        (websocket.to_owned(), "body"),
    ] {
        let response = proxy.client().request("GET", "/", &fields, body);
        assert_eq!(response.text(), "plain");
        let seen = upstream.seen().pop().expect("a request");
        assert_eq!(seen.field("upgrade"), None, "{fields}");
    }
    assert_eq!(
        proxy.client().get("/other", websocket).status,
        502,
        "another protocol than was asked for"
    );
}

#[test]
fn an_answer_that_ends_with_its_connection_is_whole() {
    let upstream = Upstream::start(|_| Act::SayAndClose(b"HTTP/1.0 200 OK\r\n\r\nold style".to_vec()));
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    for _ in 0..3 {
        let response = client.get("/", "");
        assert_eq!((response.text().as_str(), response.complete), ("old style", true));
    }
    assert_eq!(upstream.seen().len(), 3);
}

#[test]
fn an_upstream_that_closes_after_each_answer_is_asked_on_new_connections() {
    let upstream = Upstream::start(|_| {
        Act::SayAndClose(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok".to_vec())
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]).one_thread());
    for _ in 0..5 {
        assert_eq!(proxy.client().request("POST", "/", "", "a=1").text(), "ok");
    }
    assert_eq!(upstream.seen().len(), 5);
}

#[test]
fn an_answer_may_come_before_the_request_has_ended() {
    let upstream = Upstream::start_with_heads(|_| Act::answer("413 Content Too Large", "", "too much"));
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 300000\r\n\r\n");
    client.send(vec![b'x'; 100_000]);
    let response = client.response();
    assert_eq!((response.status, response.text().as_str()), (413, "too much"));
}

#[test]
fn a_101_that_nobody_asked_for_is_a_bad_gateway() {
    let upstream = Upstream::start(|_| {
        Act::Echo(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".to_vec(),
        )
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    assert_eq!(proxy.client().request("POST", "/", "", "a=1").status, 502);
}

#[test]
fn bytes_that_nobody_asked_for_spoil_a_connection() {
    let upstream = Upstream::start(|seen| {
        let extra = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            &seen.target[1..]
        );
        Act::Say(format!("{answer}{extra}").into_bytes())
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]).one_thread());
    let mut client = proxy.client();
    for target in ["/aa", "/bb", "/cc"] {
        assert_eq!(
            client.get(target, "").text(),
            target[1..],
            "each gets its own answer"
        );
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_spoils_no_connection() {
    let upstream = Upstream::start(|seen| match seen.target.as_str() {
        "/big" => Act::text(&"x".repeat(20 * 1024 * 1024)),
        _ => Act::text("small"),
    });
    let proxy = Proxy::start(&Config::new(&[&upstream]).one_thread());
    for _ in 0..3 {
        let mut leaving = proxy.client();
        leaving.send("GET /big HTTP/1.1\r\nHost: shop\r\n\r\n");
        assert!(leaving.bytes(15).starts_with(b"HTTP/1.1 200 OK"));
        drop(leaving);
        assert_eq!(proxy.client().get("/", "").text(), "small");
    }
}

#[test]
fn a_client_that_leaves_while_its_request_waits_frees_the_upstream() {
    let upstream = Upstream::start(|_| Act::AwaitClose);
    let proxy = Proxy::start(&Config::new(&[&upstream]));
    for (number, method) in [(1, "GET"), (2, "POST")] {
        let mut leaving = proxy.client();
        leaving.send(format!(
            "{method} / HTTP/1.1\r\nHost: shop\r\nContent-Length: 2\r\n\r\nhi"
        ));
        wait_until("the request waits", || upstream.seen().len() == number);
        drop(leaving);
        wait_until("its connection is closed", || upstream.abandoned() == number);
    }
}

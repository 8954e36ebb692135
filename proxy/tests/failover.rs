//! Claim: when an upstream fails, what may be repeated is answered elsewhere, and what may have run is not run twice.

mod support;

use std::time::{Duration, Instant};

use support::process::{Config, Proxy};
use support::upstream::{Act, Upstream};
use support::wait_until;

/// Checks so rare that only requests tell of an upstream's state.
const NO_CHECKS: &str = "health = { every = \"60s\" }";

fn without_checks(members: &[&Upstream]) -> Config {
    Config::new(members).one_thread().health(NO_CHECKS)
}

/// A cookie that ties a request to the upstream with this number.
fn sticky(number: usize) -> String {
    format!("Cookie: JSESSIONID=ABC.n{number}\r\n")
}

/// An upstream that ends the connection after it has read a whole request.
fn dies_before_head() -> Upstream {
    Upstream::start(|_| Act::SayAndClose(Vec::new()))
}

#[test]
fn get_is_retried_when_upstream_dies_before_head() {
    let (dying, other) = (dies_before_head(), Upstream::named("other"));
    let proxy = Proxy::start(&without_checks(&[&dying, &other]));
    let response = proxy.client().get("/", &sticky(1));
    assert_eq!((response.status, response.text().as_str()), (200, "other"));
    assert_eq!(dying.seen().len(), 1, "it was asked first");
}

#[test]
fn get_is_retried_when_upstream_resets_in_the_head() {
    let dying = Upstream::start(|_| Act::SayAndReset(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()));
    let other = Upstream::named("other");
    let proxy = Proxy::start(&without_checks(&[&dying, &other]));
    assert_eq!(proxy.client().get("/", &sticky(1)).text(), "other");
}

#[test]
fn post_is_not_sent_twice() {
    let (dying, other) = (dies_before_head(), Upstream::named("other"));
    let proxy = Proxy::start(&without_checks(&[&dying, &other]));
    let mut client = proxy.client();
    let response = client.request("POST", "/buy", &sticky(1), "item=1");
    assert_eq!(response.status, 502, "it may have run, so it is not repeated");
    assert!(
        response.fields("set-cookie").is_empty(),
        "the session is not at fault"
    );
    assert_eq!((dying.seen().len(), other.seen().len()), (1, 0));
    assert_eq!(client.get("/", "").status, 200, "the client's connection goes on");
}

#[test]
fn post_moves_on_when_nothing_was_sent() {
    let gone = Upstream::named("gone");
    let other = Upstream::start(|seen| Act::text(&String::from_utf8_lossy(&seen.body)));
    let config = without_checks(&[&gone, &other]);
    gone.stop_listening();
    let proxy = Proxy::start(&config);
    let response = proxy.client().request("POST", "/buy", &sticky(1), "item=1");
    assert_eq!((response.status, response.text().as_str()), (200, "item=1"));
}

#[test]
fn put_is_repeated_with_its_body() {
    let dying = dies_before_head();
    let other = Upstream::start(|seen| Act::text(&String::from_utf8_lossy(&seen.body)));
    let proxy = Proxy::start(&without_checks(&[&dying, &other]));
    let response = proxy
        .client()
        .request("PUT", "/doc", &sticky(1), "the whole body");
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "the whole body")
    );
    assert_eq!(dying.seen()[0].body, b"the whole body");
}

#[test]
fn put_that_outgrew_the_replay_buffer_is_not_repeated() {
    let (dying, other) = (dies_before_head(), Upstream::named("other"));
    let proxy = Proxy::start(&without_checks(&[&dying, &other]));
    let response = proxy
        .client()
        .request("PUT", "/doc", &sticky(1), &"x".repeat(200_000));
    assert_eq!((response.status, other.seen().len()), (502, 0));
}

#[test]
fn half_answer_cuts_client() {
    let half = Upstream::start(|seen| match seen.target.as_str() {
        "/length" => Act::SayAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec()),
        _ => Act::SayAndClose(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n".to_vec()),
    });
    let other = Upstream::named("other");
    let proxy = Proxy::start(&without_checks(&[&half, &other]));
    for target in ["/length", "/chunks"] {
        let response = proxy.client().get(target, &sticky(1));
        assert_eq!(
            (response.status, response.complete),
            (200, false),
            "{target}: short, and seen to be"
        );
    }
    let mut old = proxy.client();
    old.send(format!("GET /chunks HTTP/1.0\r\n{}\r\n", sticky(1)));
    let answer = old.try_response("GET");
    assert!(
        answer.is_none_or(|response| !response.complete),
        "HTTP/1.0: a close would look like the end"
    );
    assert_eq!(
        other.seen().len(),
        0,
        "nothing is repeated once the head has left"
    );
}

#[test]
fn stale_pooled_connection_costs_a_post_nothing() {
    let upstream = Upstream::named("hello");
    let proxy = Proxy::start(&without_checks(&[&upstream]));
    for _ in 0..20 {
        assert_eq!(proxy.client().get("/", "").status, 200);
        upstream.close_all();
        assert_eq!(proxy.client().request("POST", "/", "", "a=1").status, 200);
    }
    let posts = upstream
        .seen()
        .iter()
        .filter(|seen| seen.method == "POST")
        .count();
    assert_eq!(posts, 20, "each once");
}

#[test]
fn declined_request_goes_to_the_next_upstream_with_any_method() {
    let declining =
        Upstream::start(|_| Act::answer("503 Service Unavailable", "Remora-Effect: none\r\n", "no"));
    let other = Upstream::start(|seen| Act::text(&String::from_utf8_lossy(&seen.body)));
    let proxy = Proxy::start(&without_checks(&[&declining, &other]));
    for _ in 0..5 {
        let response = proxy.client().request("POST", "/", &sticky(1), "a=1");
        assert_eq!((response.status, response.text().as_str()), (200, "a=1"));
    }
    assert_eq!(
        declining.seen().len(),
        5,
        "declining is no failure: it stays up and is asked first"
    );
}

#[test]
fn the_last_declining_answer_is_passed_on_without_its_mark() {
    let declining = Upstream::start(|_| {
        let fields = "Remora-Effect: none\r\nRetry-After: 7\r\n";
        Act::answer("503 Service Unavailable", fields, "no")
    });
    let proxy = Proxy::start(&without_checks(&[&declining]));
    let response = proxy.client().request("POST", "/", "", "a=1");
    assert_eq!((response.status, response.text().as_str()), (503, "no"));
    assert_eq!(
        (response.field("retry-after"), response.field("remora-effect")),
        (Some("7"), None)
    );
}

#[test]
fn an_answer_that_says_certain_is_passed_on() {
    let failed =
        Upstream::start(|_| Act::answer("503 Service Unavailable", "Remora-Effect: certain\r\n", "ran"));
    let other = Upstream::named("other");
    let proxy = Proxy::start(&without_checks(&[&failed, &other]));
    let response = proxy.client().get("/", &sticky(1));
    assert_eq!((response.status, response.text().as_str()), (503, "ran"));
    assert_eq!(response.field("remora-effect"), None);
}

#[test]
fn nobody_there_is_a_clear_503_without_cookie() {
    let gone = Upstream::named("gone");
    let config = without_checks(&[&gone]);
    gone.stop_listening();
    let proxy = Proxy::start(&config);
    let response = proxy.client().get("/", &sticky(1));
    assert_eq!((response.status, response.field("retry-after")), (503, Some("1")));
    assert!(response.fields("set-cookie").is_empty() && response.text().contains("try again"));
}

#[test]
fn users_of_a_frozen_upstream_are_answered_elsewhere() {
    let (frozen, other) = (Upstream::named("frozen"), Upstream::named("other"));
    let proxy = Proxy::start(&Config::new(&[&frozen, &other]).health("health = { every = \"1s\" }"));
    assert_eq!(proxy.client().get("/", &sticky(1)).text(), "frozen");
    frozen.freeze();
    let began = Instant::now();
    let mut posting = proxy.client();
    posting.send(format!(
        "POST /buy HTTP/1.1\r\nHost: shop\r\n{}Content-Length: 3\r\n\r\na=1",
        sticky(1)
    ));
    assert_eq!(proxy.client().get("/", &sticky(1)).text(), "other");
    let took = began.elapsed();
    assert!(
        took < Duration::from_millis(1500),
        "answered elsewhere after {took:?}"
    );
    frozen.die();
    assert_eq!(
        posting.response().status,
        502,
        "the POST waits, and is not sent again"
    );
    assert!(other.seen().iter().all(|seen| seen.method == "GET"));
}

#[test]
fn a_frozen_upstream_that_wakes_is_let_back_by_its_answers() {
    let (frozen, other) = (Upstream::named("frozen"), Upstream::named("other"));
    let proxy = Proxy::start(&Config::new(&[&frozen, &other]));
    let health = || proxy.figure(r#"remora_proxy_upstream_health{pool="tomcat",route="n1"}"#);
    frozen.freeze();
    assert_eq!(proxy.client().get("/", &sticky(1)).text(), "other");
    wait_until("it is believed down", || health() == Some(0.0));
    let before = frozen.connections();
    wait_until("it accepts more checks", || frozen.connections() > before + 2);
    assert_eq!(health(), Some(0.0), "a connect proves nothing");
    frozen.thaw();
    wait_until("its answers let it back", || health() == Some(1.0));
    assert_eq!(proxy.client().get("/", &sticky(1)).text(), "frozen");
}

#[test]
fn a_page_whose_answer_is_no_http_takes_no_upstream_down() {
    let script = |seen: &support::upstream::Seen| match seen.target.as_str() {
        "/long" => Act::answer("200 OK", &format!("X: {}\r\n", "x".repeat(100_000)), ""),
        "/odd" => Act::SayAndClose(b"\x15\x03\x01 no HTTP at all\r\n\r\n".to_vec()),
        _ => Act::text("well"),
    };
    let members = [Upstream::start(script), Upstream::start(script)];
    let proxy = Proxy::start(&without_checks(&[&members[0], &members[1]]));
    for target in ["/long", "/odd"] {
        for _ in 0..4 {
            assert_eq!(proxy.client().get(target, &sticky(1)).status, 502, "{target}");
        }
    }
    assert_eq!(proxy.client().get("/", &sticky(1)).text(), "well");
    assert!(!proxy.log().contains("upstream is down"), "{}", proxy.log());
}

#[test]
fn a_route_may_wait_longer_than_the_site() {
    let upstream = Upstream::start(|seen| match seen.target.as_str() {
        "/quick/body" => Act::SayAndHold(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab".to_vec()),
        _ => Act::HoldThenSay(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nreport".to_vec()),
    });
    let config = without_checks(&[&upstream]).table(
        "[[route]]\npath = \"/report\"\nto = \"tomcat\"\nresponse = \"5m\"\n\
         [[route]]\npath = \"/quick\"\nto = \"tomcat\"\nidle = \"200ms\"\n\
         [limits]\nresponse = \"300ms\"",
    );
    let proxy = Proxy::start(&config);
    let mut reader = proxy.client();
    reader.send("GET /report HTTP/1.1\r\nHost: shop\r\n\r\n");
    wait_until("the report has begun", || upstream.seen().len() == 1);
    for _ in 0..2 {
        assert_eq!(proxy.client().get("/", "").status, 504, "the site's limit");
    }
    let mut client = proxy.client();
    client.send("GET /quick/body HTTP/1.1\r\nHost: shop\r\n\r\n");
    assert!(!client.response().complete, "cut by the route's idle");
    upstream.release();
    assert_eq!(reader.response().text(), "report");
}

#[test]
fn a_post_on_a_frozen_upstream_gets_504_at_its_deadline() {
    let (frozen, other) = (Upstream::named("frozen"), Upstream::named("other"));
    let config = Config::new(&[&frozen, &other]).table("[limits]\nresponse = \"1500ms\"");
    let proxy = Proxy::start(&config);
    frozen.freeze();
    let began = Instant::now();
    let response = proxy.client().request("POST", "/buy", &sticky(1), "a=1");
    assert_eq!(response.status, 504);
    assert!(began.elapsed() >= Duration::from_millis(1500));
    assert_eq!(other.seen().len(), 0);
}

#[test]
fn a_stalled_answer_is_cut_after_the_idle_limit() {
    let stalling =
        Upstream::start(|_| Act::SayAndHold(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()));
    let config = without_checks(&[&stalling]).table("[limits]\nidle = \"300ms\"");
    let proxy = Proxy::start(&config);
    let response = proxy.client().get("/", "");
    assert_eq!(
        (response.status, response.text().as_str(), response.complete),
        (200, "half", false)
    );
}

#[test]
fn a_client_that_stalls_in_its_body_is_answered_and_no_upstream_blamed() {
    let upstream = Upstream::named("hello");
    let config = without_checks(&[&upstream]).table("[limits]\nidle = \"300ms\"");
    let proxy = Proxy::start(&config);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!(client.response().status, 408);
    assert_eq!(proxy.client().get("/", "").status, 200);
}

#[test]
fn parallel_users_of_a_dead_upstream_all_get_through() {
    let dying = Upstream::start(|_| Act::HoldThenClose);
    let other = Upstream::named("other");
    let proxy = Proxy::start(&without_checks(&[&dying, &other]));
    let mut clients: Vec<_> = (0..50).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send(format!("GET / HTTP/1.1\r\nHost: shop\r\n{}\r\n", sticky(1)));
    }
    wait_until("all wait on the one that will die", || dying.seen().len() == 50);
    dying.release();
    for client in &mut clients {
        assert_eq!(client.response().text(), "other");
    }
}

#[test]
fn a_killed_upstream_costs_no_get() {
    let (killed, other) = (Upstream::named("killed"), Upstream::named("other"));
    let proxy = Proxy::start(&Config::new(&[&killed, &other]));
    let users: Vec<_> = (0..8)
        .map(|user| {
            let mut client = proxy.client();
            let cookie = format!("Cookie: JSESSIONID=USER{user}.n1\r\n");
            std::thread::spawn(move || {
                // Until this user was moved, and a while longer.
                let mut moved = 0;
                while moved < 50 {
                    let response = client.get("/", &cookie);
                    assert_eq!(response.status, 200);
                    moved += u32::from(response.text() == "other");
                }
            })
        })
        .collect();
    wait_until("all are at work", || killed.seen().len() > 400);
    killed.stop_listening();
    for user in users {
        user.join().expect("every answer was a 200");
    }
}

#[test]
fn want_of_sockets_in_the_proxy_is_no_fault_of_an_upstream() {
    let closes = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let upstream = Upstream::start(|_| Act::SayAndClose(closes.to_vec()));
    let proxy = Proxy::start_with_files(&Config::new(&[&upstream]).one_thread(), 40, 40);
    let mut client = proxy.client();
    assert_eq!(client.get("/", "").status, 200);
    let mut others = Vec::new();
    wait_until("there is no socket left for a connection to the upstream", || {
        others.push(proxy.client());
        client.get("/", "").status == 503
    });
    for _ in 0..5 {
        assert_eq!(client.get("/", "").status, 503);
    }
    drop(others);
    wait_until("there are sockets again", || client.get("/", "").status == 200);
    assert!(
        !proxy.log().contains("upstream is down"),
        "it was well all the time"
    );
}

//! Claim: repeats are cheap where nothing can have happened, and few where something may have: two upstreams that break a
//! request speak against it unless one is down, and nobody waits for long at a frozen pool.
//!
//! Broken once to see it fail: declined requests paid from the budget; no verdict asked after two breaks (a third upstream is
//! troubled), and none believed (two that die cost the request); no end of a stay at a frozen upstream; what was sent
//! repeated at a frozen one; a trial that everybody may join.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::process::{Config, Proxy};
use support::upstream::{Act, Seen, Upstream};
use support::wait_until;

/// Checks so rare that only requests ask for them.
fn rare(members: &[&Upstream]) -> Config {
    Config::new(members)
        .one_thread()
        .health("health = { every = \"60s\" }")
}

/// A cookie that ties a request to the upstream with this number.
fn sticky(number: usize) -> String {
    format!("Cookie: JSESSIONID=ABC.n{number}\r\n")
}

/// Row P21 of the cases.
#[test]
fn methods_that_the_registry_calls_idempotent_are_repeated() {
    let (dying, other) = (
        Upstream::start(|_| Act::SayAndClose(Vec::new())),
        Upstream::named("other"),
    );
    let proxy = Proxy::start(&rare(&[&dying, &other]));
    for method in ["QUERY", "PROPFIND", "REPORT", "SEARCH"] {
        let response = proxy.client().request(method, "/dav", &sticky(1), "<all/>");
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, "other"),
            "{method}"
        );
    }
    assert_eq!(dying.seen().len(), 4, "each was tried there first");
}

#[test]
fn declined_requests_cost_no_budget_and_are_bounded_by_the_members() {
    let decline = |_: &Seen| Act::answer("503 Service Unavailable", "Remora-Effect: none\r\n", "no");
    let declining: Vec<_> = (0..5).map(|_| Upstream::start(decline)).collect();
    let last = Upstream::named("last");
    let members: Vec<&Upstream> = declining.iter().chain([&last]).collect();
    let config = rare(&members).table("[retry]\nattempts = 1\nburst = 1\nper_second = 0\npercent = 0");
    let proxy = Proxy::start(&config);
    for number in 1..=6 {
        let response = proxy.client().request("POST", "/", &sticky(number), "a=1");
        assert_eq!((response.status, response.text().as_str()), (200, "last"));
    }
    assert!(
        declining.iter().all(|one| one.seen().len() <= 6),
        "each once a request"
    );
}

#[test]
fn a_request_that_two_upstreams_break_ends_there_and_counts_against_nobody() {
    let script = |seen: &Seen| match seen.target.as_str() {
        "/break" => Act::SayAndReset(Vec::new()),
        _ => Act::text("well"),
    };
    let members: Vec<_> = (0..4).map(|_| Upstream::start(script)).collect();
    let proxy = Proxy::start(&rare(&members.iter().collect::<Vec<_>>()));
    let response = proxy.client().get("/break", &sticky(1));
    assert_eq!(response.status, 502);
    let seen: usize = members.iter().map(|member| member.seen().len()).sum();
    assert_eq!(seen, 2, "no third upstream was troubled");
    assert_eq!(proxy.client().get("/", &sticky(1)).text(), "well");
    assert!(!proxy.log().contains("upstream is down"), "{}", proxy.log());
}

#[test]
fn two_upstreams_that_die_one_after_the_other_cost_no_get() {
    let came = Arc::new(AtomicUsize::new(0));
    let upstream = || {
        let came = Arc::clone(&came);
        Upstream::start(move |_| match came.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Act::AwaitClose,
            _ => Act::text("alive"),
        })
    };
    let members = [upstream(), upstream(), upstream()];
    let proxy = Proxy::start(&rare(&members.iter().collect::<Vec<_>>()));
    let mut client = proxy.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: shop\r\n{}\r\n", sticky(1)));
    let mut dead = Vec::new();
    for _ in 0..2 {
        let holds = |at: &usize| members[*at].seen().len() == 1 && !dead.contains(at);
        wait_until("it waits at another", || (0..3).any(|at| holds(&at)));
        let at = (0..3).find(holds).expect("just seen");
        members[at].die();
        dead.push(at);
    }
    assert_eq!(client.response().text(), "alive");
}

/// Rows P6 and P20: the whole pool accepts and answers nothing.
#[test]
fn requests_at_a_frozen_pool_get_their_answer_soon() {
    let (one, other) = (Upstream::named("one"), Upstream::named("other"));
    let proxy = Proxy::start(&Config::new(&[&one, &other]).health("health = { every = \"1s\" }"));
    one.freeze();
    other.freeze();
    let belief = |route: &str| {
        proxy.figure(&format!(
            "remora_proxy_upstream_health{{pool=\"tomcat\",route=\"{route}\"}}"
        ))
    };
    wait_until("checks say so", || {
        belief("n1") == Some(0.0) && belief("n2") == Some(0.0)
    });
    let began = Instant::now();
    let (mut posting, mut getting) = (proxy.client(), proxy.client());
    let cookie = sticky(1);
    posting.send(format!(
        "POST / HTTP/1.1\r\nHost: shop\r\n{cookie}Content-Length: 1\r\n\r\na"
    ));
    getting.send(format!("GET / HTTP/1.1\r\nHost: shop\r\n{cookie}\r\n"));
    let answered = getting.response();
    assert_eq!((answered.status, answered.field("retry-after")), (503, Some("1")));
    assert_eq!(posting.response().status, 504, "it may have run");
    let took = began.elapsed();
    assert!(
        took > Duration::from_secs(5) && took < Duration::from_millis(6_500),
        "{took:?}"
    );
    one.thaw();
    other.thaw();
    wait_until("its requests are read", || one.seen().len() == 2);
    assert!(
        other.seen().is_empty(),
        "what was sent was not sent to another frozen one"
    );
}

#[test]
fn where_nobody_checks_one_request_at_a_time_tries_who_has_rested() {
    let held = Arc::new(AtomicBool::new(false));
    let holding = Arc::clone(&held);
    let moody = Upstream::start(move |seen| match seen.target.as_str() {
        "/break" => Act::SayAndClose(Vec::new()),
        _ if holding.load(Ordering::SeqCst) => {
            Act::HoldThenSay(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nmoody".to_vec())
        }
        _ => Act::text("moody"),
    });
    let other = Upstream::named("other");
    let proxy = Proxy::start(&Config::new(&[&moody, &other]).health("health = \"off\""));
    let get = |target: &str| proxy.client().get(target, &sticky(1)).text();
    assert_eq!(
        (get("/break"), get("/"), get("/break"), get("/")),
        (
            "other".to_owned(),
            "moody".to_owned(),
            "other".to_owned(),
            "moody".to_owned()
        )
    );
    let began = Instant::now();
    assert_eq!(
        (get("/break"), get("/break"), get("/")),
        ("other".to_owned(), "other".to_owned(), "other".to_owned())
    );
    held.store(true, Ordering::SeqCst);
    let tried = moody.seen().len();
    let mut trial = proxy.client();
    let text = format!("GET / HTTP/1.1\r\nHost: shop\r\n{}\r\n", sticky(1));
    let belief = || proxy.figure(r#"remora_proxy_upstream_health{pool="tomcat",route="n1"}"#);
    wait_until("it is down", || belief() == Some(0.0));
    wait_until("half of its rest is over", || {
        began.elapsed() > Duration::from_secs(5)
    });
    wait_until("it has rested", || belief() == Some(0.5));
    assert!(began.elapsed() >= Duration::from_secs(10));
    trial.send(&text);
    wait_until("it is tried", || moody.seen().len() == tried + 1);
    assert_eq!(get("/"), "other", "one at a time");
    moody.release();
    assert_eq!(trial.response().text(), "moody");
    assert_eq!(get("/"), "moody");
}

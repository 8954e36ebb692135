//! Claim: the proxy believes calmly. What is beyond doubt acts at once; a request that broke asks for a check and is no
//! verdict; a pause shorter than patience moves nobody, and one that is longer is found in time; an upstream at work is not
//! taken for a frozen one twice.
//!
//! Broken once to see it fail: failures of attempts not observed (a refused upstream stays up); a doubt that counts as a
//! verdict (two pages that break take their upstream down); a doubt that wakes no check (an upstream that hangs up on
//! everybody stays up); patience that learns nothing (a busy upstream is called frozen again and again); `threads` not
//! read (it is called frozen once); 404 read as a failure (its users are not moved at once, and it goes down); clients served
//! before the first verdicts (the first request meets the dead ones); one that came up after those spared whenever that was (one new
//! user of twenty).

mod support;

use std::time::{Duration, Instant};

use support::process::{Config, Proxy};
use support::upstream::{Act, Upstream};
use support::wait_until;

/// Checks so rare that only requests ask for them.
const RARE: &str = "health = { every = \"60s\" }";

fn rare(members: &[&Upstream]) -> Config {
    Config::new(members).one_thread().health(RARE)
}

/// What is believed of the first one: 1 up, 0.5 unknown or leaving, 0 down.
fn belief(proxy: &Proxy) -> Option<f64> {
    proxy.figure(r#"remora_proxy_upstream_health{pool="tomcat",route="n1"}"#)
}

/// What a user of the first one gets, over a connection of his own.
fn answer(proxy: &Proxy, target: &str) -> String {
    proxy.client().get(target, "Cookie: JSESSIONID=ABC.n1\r\n").text()
}

/// Breaks each request to `/break`, cuts each answer to `/cut`, answers the others.
fn moody() -> Upstream {
    Upstream::start(|seen| match seen.target.as_str() {
        "/break" => Act::SayAndClose(Vec::new()),
        "/cut" => Act::SayAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec()),
        _ => Act::text("moody"),
    })
}

#[test]
fn a_refused_connect_is_believed_at_once() {
    let (gone, other) = (Upstream::named("gone"), Upstream::named("other"));
    let proxy = Proxy::start(&rare(&[&gone, &other]));
    assert_eq!(belief(&proxy), Some(1.0));
    gone.stop_listening();
    assert_eq!(answer(&proxy, "/"), "other");
    assert_eq!(belief(&proxy), Some(0.0));
}

/// Row P8 of the cases: two parallel requests of a page that breaks took two of three upstreams down.
#[test]
fn a_page_that_breaks_takes_no_upstream_down() {
    let (moody, other) = (moody(), Upstream::named("other"));
    let proxy = Proxy::start(&rare(&[&moody, &other]));
    for _ in 0..6 {
        assert_eq!(answer(&proxy, "/break"), "other");
        assert_eq!(answer(&proxy, "/cut"), "half");
    }
    assert_eq!(answer(&proxy, "/"), "moody", "nobody was moved");
    assert_eq!(belief(&proxy), Some(1.0));
    assert!(!proxy.log().contains("upstream is down"), "{}", proxy.log());
}

#[test]
fn an_upstream_that_breaks_its_checks_too_is_soon_down() {
    let (dying, other) = (Upstream::named("dying"), Upstream::named("other"));
    let proxy = Proxy::start(&rare(&[&dying, &other]));
    assert_eq!(answer(&proxy, "/"), "dying");
    dying.die();
    assert_eq!(answer(&proxy, "/"), "other");
    wait_until("its checks, asked for, say so", || belief(&proxy) == Some(0.0));
}

/// At the start nobody is new, however late its first check is answered; whoever comes back later is.
#[test]
fn whoever_is_late_at_the_start_has_its_share_at_once_and_not_after_a_fall() {
    let (late, other) = (Upstream::named("late"), Upstream::named("other"));
    late.freeze();
    let proxy = Proxy::start(&Config::new(&[&late, &other]).one_thread());
    assert_ne!(belief(&proxy), Some(1.0), "clients do not wait for it");
    late.thaw();
    let new_users = || {
        wait_until("it is up", || belief(&proxy) == Some(1.0));
        let users = (0..20).filter(|_| proxy.client().get("/", "").text() == "late");
        users.count()
    };
    assert_eq!(new_users(), 10);
    late.die();
    wait_until("it is down", || belief(&proxy) == Some(0.0));
    late.revive();
    let fewer = new_users();
    assert!(fewer <= 5, "{fewer} of 20");
}

/// Row P5: the page that checks ask for is gone with its application.
#[test]
fn an_undeployed_application_is_left() {
    let leaving = Upstream::start(|seen| match seen.target.as_str() {
        "/healthz" => Act::answer("404 Not Found", "", "gone"),
        _ => Act::text("leaving"),
    });
    let other = Upstream::named("other");
    let health = r#"health = { every = "100ms", path = "/healthz" }"#;
    let proxy = Proxy::start(&Config::new(&[&leaving, &other]).health(health));
    assert_eq!(
        answer(&proxy, "/"),
        "other",
        "its users move with their next request"
    );
    assert_eq!(belief(&proxy), Some(0.5));
    proxy.tells("upstream is leaving");
    other.stop_listening();
    assert_eq!(answer(&proxy, "/"), "leaving", "it still answers");
}

/// Row P6: a pause shorter than patience, under active users.
#[test]
fn a_short_pause_moves_nobody() {
    let (paused, other) = (Upstream::named("paused"), Upstream::named("other"));
    let proxy = Proxy::start(&Config::new(&[&paused, &other]).health("health = { every = \"1s\" }"));
    assert_eq!(answer(&proxy, "/"), "paused");
    paused.freeze();
    let began = Instant::now();
    let users: Vec<_> = (0..16)
        .map(|_| {
            let mut client = proxy.client();
            client.send("GET / HTTP/1.1\r\nHost: shop\r\nCookie: JSESSIONID=ABC.n1\r\n\r\n");
            client
        })
        .collect();
    wait_until("the pause is over", || {
        began.elapsed() > Duration::from_millis(800)
    });
    paused.thaw();
    for mut user in users {
        assert_eq!(user.response().text(), "paused");
    }
    assert_eq!(belief(&proxy), Some(1.0));
    assert!(
        other.seen().is_empty(),
        "nobody was moved, and nothing was sent twice"
    );
}

/// Row P7: every thread is taken by a long page, and what comes next waits, checks too.
fn busy(config: impl FnOnce(Config) -> Config) -> (Upstream, Upstream, Proxy) {
    let (busy, other) = (Upstream::named("busy"), Upstream::named("other"));
    let proxy = Proxy::start(&config(rare(&[&busy, &other])));
    assert_eq!(answer(&proxy, "/"), "busy");
    (busy, other, proxy)
}

/// Takes all threads for so long, with a request in hand; who answered it.
fn episode(proxy: &Proxy, busy: &Upstream, length: Duration) -> String {
    busy.freeze();
    let began = Instant::now();
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: shop\r\nCookie: JSESSIONID=ABC.n1\r\n\r\n");
    wait_until("the pages are done", || began.elapsed() > length);
    busy.thaw();
    let answer = client.response().text();
    wait_until("it is believed in again", || belief(proxy) == Some(1.0));
    answer
}

#[test]
fn a_burst_of_long_pages_is_mistaken_once_at_most() {
    let (busy, other, proxy) = busy(|config| config);
    assert_eq!(
        episode(&proxy, &busy, Duration::from_millis(1_800)),
        "other",
        "once"
    );
    let sent = other.seen().len();
    assert_eq!(
        episode(&proxy, &busy, Duration::from_millis(2_000)),
        "busy",
        "never twice"
    );
    assert_eq!(other.seen().len(), sent);
}

#[test]
fn threads_that_are_all_taken_are_never_mistaken() {
    let (busy, other, proxy) = busy(|config| config.member("threads = 1"));
    assert_eq!(episode(&proxy, &busy, Duration::from_millis(1_800)), "busy");
    assert!(other.seen().is_empty());
}

/// Row P19: most members are dead at the start.
#[test]
fn the_first_request_meets_the_member_that_lives() {
    let dead: Vec<_> = (0..5).map(|_| Upstream::named("dead")).collect();
    let living = Upstream::named("living");
    let members: Vec<&Upstream> = dead.iter().chain([&living]).collect();
    let config = Config::new(&members);
    for upstream in &dead {
        upstream.stop_listening();
    }
    living.freeze();
    let began = Instant::now();
    let proxy = std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_until("the living one has started", || {
                began.elapsed() > Duration::from_millis(400)
            });
            living.thaw();
        });
        let proxy = Proxy::start(&config);
        assert!(
            began.elapsed() > Duration::from_millis(400),
            "its verdict is waited for"
        );
        proxy
    });
    let mut client = proxy.client();
    for number in 1..=6 {
        let cookie = format!("Cookie: JSESSIONID=ABC.n{number}\r\n");
        assert_eq!(client.get("/", &cookie).text(), "living");
    }
    assert_eq!(proxy.figures("remora_proxy_attempt_failures_total"), 0.0);
}

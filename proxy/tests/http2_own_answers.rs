//! Claim: where a client of HTTP/2 gets an answer of the proxy's own, it is one like any other: with a page and a name, a line in
//! the access log and a place in the figures, and at the cost of no other request on its connection.
//!
//! Broken once to see it fail: the bound on a list of fields no larger than our own, a page of a Tomcat in a WebSocket's place
//! passed on.

mod support;

use h2::ext::Protocol;
use support::http2::{Answer, Site, ask, finish, until, within};
use support::process::Config;
use support::upstream::{Act, Upstream};

/// More than a head may have, and less than the crate bears. 20 KiB.
const COOKIES: usize = 20 * 1024;

/// A site, its access log, and where that stands.
fn logged(config: Config) -> (Site, impl Fn(&str) -> bool) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("access.log");
    let site = Site::start(&config.access_log(&file));
    let has = move |part: &str| {
        let _until_the_end = &directory;
        std::fs::read_to_string(&file).is_ok_and(|log| log.contains(part))
    };
    (site, has)
}

/// The name by which an answer of ours may be asked about.
fn name(answer: &Answer) -> &str {
    let name = answer.fields.get("x-request-id").expect("a name");
    name.to_str().expect("a word")
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_by_us_and_alone() {
    let upstream = Upstream::start(|_| Act::HoldThenSay(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()));
    let (site, log_has) = logged(Config::new(&[&upstream]));
    let client = site.connect().await;
    let (beside, _) = client.begin(ask("GET", "/beside"), true).await;
    until("it waits", || upstream.seen().len() == 1).await;
    let cookie = format!("JSESSIONID={}", "x".repeat(COOKIES));
    let refused = client.get(ask("GET", "/large").header("cookie", cookie)).await;
    assert_eq!(refused.status, 431);
    assert!(refused.text().starts_with("431 "), "{}", refused.text());
    let own = "remora_proxy_own_answers_total{pool=\"\",status=\"431\",reason=\"head-too-large\"}";
    assert_eq!(site.proxy.figure(own), Some(1.0));
    let line = format!(" id={}", name(&refused));
    until("it is logged", || {
        log_has(&line) && log_has("reason=head-too-large")
    })
    .await;
    upstream.release();
    assert_eq!(within(finish(beside)).await.expect("an answer").status, 204);
}

#[tokio::test]
async fn a_page_in_place_of_a_websocket_is_an_answer_of_ours() {
    let upstream = Upstream::named("page");
    let (site, log_has) = logged(Config::new(&[&upstream]).health("health = \"off\""));
    let client = site.connect().await;
    let request = ask("CONNECT", "/ws")
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13");
    let (answer, _send) = client.begin(request, false).await;
    let answer = within(finish(answer)).await.expect("an answer");
    assert_eq!(answer.status, 502);
    assert!(answer.text().starts_with("502 "), "{}", answer.text());
    let line = format!(" id={}", name(&answer));
    until("it is logged", || {
        log_has(&line) && log_has("\" 502 ") && log_has("reason=bad-gateway")
    })
    .await;
    let figure = |name: &str| site.proxy.figure(name);
    assert_eq!(
        figure("remora_proxy_exchanges_total{pool=\"tomcat\",class=\"5xx\"}"),
        Some(1.0)
    );
    assert_eq!(
        figure("remora_proxy_exchanges_total{pool=\"tomcat\",class=\"2xx\"}"),
        Some(0.0)
    );
    let own = "remora_proxy_own_answers_total{pool=\"tomcat\",status=\"502\",reason=\"bad-gateway\"}";
    assert_eq!(figure(own), Some(1.0));
    assert_eq!(upstream.seen().len(), 1, "nobody else is asked: it was answered");
}

#[tokio::test]
async fn a_pool_under_maintenance_says_so() {
    let upstream = Upstream::named("page");
    let config = Config::new(&[&upstream]).health("health = \"off\"");
    let (site, log_has) = logged(config.table("[pool.tomcat.maintenance]\non = true"));
    let answer = site.connect().await.get(ask("GET", "/")).await;
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("under maintenance"), "{}", answer.text());
    assert_eq!(answer.fields["retry-after"], "600");
    let line = format!(" id={}", name(&answer));
    until("it is logged", || log_has(&line) && log_has("reason=maintenance")).await;
    let own = "remora_proxy_own_answers_total{pool=\"tomcat\",status=\"503\",reason=\"maintenance\"}";
    assert_eq!(site.proxy.figure(own), Some(1.0));
    assert!(upstream.seen().is_empty());
}

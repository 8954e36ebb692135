//! What is told of counts, over threads and over upstreams that come and go, and that each series has its row.

use std::time::Duration;

use remora_policy::{Failure, Phase, Pick, UpstreamId};
use remora_process::catalogue::compare;
use remora_process::config::Source;

use super::super::FIGURES;
use super::*;
use crate::config::Config;
use crate::directory::Directory;
use crate::tally::Thread;

/// Two members, the first at this port; two threads.
fn config(port: u16) -> Config {
    Config::read(&Source::from_text("test", &config_text(port))).unwrap()
}

fn config_text(port: u16) -> String {
    format!(
        "threads = 2\n[[listen]]\nbind = \"127.0.0.1:0\"\n[[route]]\npath = \"/\"\nto = \"p\"\n\
         [[pool.p.member]]\nurl = \"http://127.0.0.1:{port}\"\nroute = \"n1\"\n\
         [[pool.p.member]]\nurl = \"http://127.0.0.1:2\"\nroute = \"n2\"\n"
    )
}

fn page(directory: &Directory) -> String {
    let mut text = String::new();
    let gates = Gates::open(&[]).unwrap();
    render(&directory.current(), &gates, &mut text);
    text
}

/// Whether all of these are lines of it.
#[track_caller]
fn has(page: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            page.lines().any(|found| found == *line),
            "{line} is not in\n{page}"
        );
    }
}

#[test]
fn what_all_threads_counted_is_told() {
    let directory = Directory::new(&config(1));
    let current = directory.current();
    for (thread, status) in [(0, 200), (1, 204), (1, 101), (0, 999)] {
        let cells = current.tally.pool(0).of(Thread(thread));
        cells.answered(status, Duration::from_micros(1_500));
        cells.picked(&Pick::Fresh);
        cells.asks(Tier::Panic);
        cells.ended(End::ClientGone);
        current.tally.thread(Thread(thread)).accepted.add(1);
    }
    current.tally.pool(0).of(Thread(1)).repeats();
    has(
        &page(&directory),
        &[
            r#"remora_proxy_exchanges_total{pool="p",class="1xx"} 1"#,
            r#"remora_proxy_exchanges_total{pool="p",class="2xx"} 2"#,
            r#"remora_proxy_exchanges_total{pool="p",class="5xx"} 0"#,
            r#"remora_proxy_exchange_ends_total{pool="p",end="client-gone"} 4"#,
            r#"remora_proxy_exchange_ends_total{pool="p",end="complete"} 0"#,
            r#"remora_proxy_picks_total{pool="p",pick="fresh"} 4"#,
            r#"remora_proxy_tier_attempts_total{pool="p",tier="panic"} 4"#,
            r#"remora_proxy_repeats_total{pool="p"} 1"#,
            r#"remora_proxy_response_head_seconds_bucket{pool="p",le="0.001"} 0"#,
            r#"remora_proxy_response_head_seconds_bucket{pool="p",le="0.002"} 4"#,
            r#"remora_proxy_response_head_seconds_bucket{pool="p",le="+Inf"} 4"#,
            r#"remora_proxy_response_head_seconds_sum{pool="p"} 0.006000000"#,
            r#"remora_proxy_response_head_seconds_count{pool="p"} 4"#,
            "remora_proxy_connections_accepted_total 4",
        ],
    );
}

#[test]
fn an_upstream_goes_on_counting_at_another_address() {
    let directory = Directory::new(&config(1));
    let before = directory.current();
    let one = before.tally.upstream(UpstreamId(0)).of(Thread(0));
    one.answered(502);
    one.figures.head_came(Duration::from_millis(2));
    one.figures.connected(Duration::from_millis(1));
    one.figures.repeats();
    one.gave(3);
    directory.reload(&config(9));
    let other = directory.current();
    let other = other.tally.upstream(UpstreamId(2)).of(Thread(1));
    other.answered(502);
    other.figures.reused();
    other.took(5);
    other.figures.rest(2, 7);
    other.failed(&Failure::new(Phase::Waiting, Cause::TimedOut));
    other.failed(&Failure::new(Phase::Connecting, Cause::Refused));
    // Who has it in hand goes on counting, too.
    one.figures.reused();
    let page = page(&directory);
    has(
        &page,
        &[
            r#"remora_proxy_upstream_answers_total{pool="p",route="n1",class="5xx"} 2"#,
            r#"remora_proxy_upstream_answers_total{pool="p",route="n2",class="5xx"} 0"#,
            r#"remora_proxy_upstream_response_head_seconds_count{pool="p",route="n1"} 1"#,
            r#"remora_proxy_upstream_connect_seconds_count{pool="p",route="n1"} 1"#,
            r#"remora_proxy_upstream_repeats_total{pool="p",route="n1"} 1"#,
            r#"remora_proxy_upstream_sent_bytes_total{pool="p",route="n1"} 3"#,
            r#"remora_proxy_upstream_received_bytes_total{pool="p",route="n1"} 5"#,
            r#"remora_proxy_upstream_connections_total{pool="p",route="n1",from="kept"} 2"#,
            r#"remora_proxy_upstream_connections_total{pool="p",route="n1",from="new"} 1"#,
            r#"remora_proxy_upstream_connections_idle{pool="p",route="n1"} 2"#,
            r#"remora_proxy_upstream_connections_closed_total{pool="p",route="n1"} 7"#,
            r#"remora_proxy_attempt_failures_total{pool="p",route="n1",cause="timed-out",sent="yes"} 1"#,
            r#"remora_proxy_attempt_failures_total{pool="p",route="n1",cause="timed-out",sent="no"} 0"#,
            r#"remora_proxy_attempt_failures_total{pool="p",route="n1",cause="refused",sent="no"} 1"#,
            r#"remora_proxy_upstream_health{pool="p",route="n1",url="http://127.0.0.1:9"} 0.5"#,
            r#"remora_proxy_upstream_belief{pool="p",route="n1",url="http://127.0.0.1:9",belief="unknown"} 1"#,
            r#"remora_proxy_upstream_belief{pool="p",route="n1",url="http://127.0.0.1:9",belief="up"} 0"#,
            r#"remora_proxy_pool_tier{pool="p",tier="unknown"} 1"#,
            r#"remora_proxy_pool_tier{pool="p",tier="panic"} 0"#,
            "remora_proxy_snapshot_generation 2",
        ],
    );
    assert!(!page.contains(r#"cause="refused",sent="yes""#), "{page}");
    assert!(!page.contains("127.0.0.1:1\""), "it is no more\n{page}");
}

#[test]
fn members_with_one_route_are_told_apart() {
    let text = config_text(1).replace("n2", "n1");
    let directory = Directory::of_file(&text);
    let page = page(&directory);
    let mut seen = std::collections::BTreeSet::new();
    for line in page.lines() {
        let series = line.rsplit_once(' ').expect("a value").0;
        assert!(seen.insert(series), "{series} is there twice");
    }
}

#[test]
fn every_series_has_a_row_and_an_end_its_place() {
    let differences = compare(&page(&Directory::new(&config(1))), FIGURES);
    assert_eq!(differences.strangers, std::collections::BTreeSet::new());
    for (number, end) in End::ALL.into_iter().enumerate() {
        assert_eq!(end as usize, number, "a table by end is in their order");
    }
}

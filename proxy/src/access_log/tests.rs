//! What a line says, in both formats, and what it hides.

use std::net::{IpAddr, Ipv4Addr};

use remora_policy::{Cause, Failure, Phase};
use serde_json::Value;

use super::*;

mod outsiders;
mod places;

/// What operators read.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/log.md");

const NO_ATTEMPTS: Attempts<'_> = Attempts {
    earlier: &[],
    left_out: 0,
    last: None,
};

/// An attempt that was answered, over a kept connection.
const ANSWERED: Tried<'_> = Tried {
    route: "n1",
    upstream: "192.0.2.11:8080",
    pick: "sticky",
    connect: None,
    wait: Some(Duration::from_micros(4_250)),
    total: Duration::from_micros(4_250),
    fate: Fate::Answered,
};

fn entry<'a>() -> Entry<'a> {
    Entry {
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        peer: None,
        tls: "",
        scheme: "http",
        host: b"shop.example",
        method: b"GET",
        target: b"/shop/cart?x=1",
        version: "HTTP/1.1",
        parameters: &[],
        status: 200,
        sent: 5_123,
        received: 0,
        referer: None,
        agent: Some(b"curl/8"),
        pool: "tomcat",
        pick: "sticky",
        attempts: Attempts {
            last: Some(&ANSWERED),
            ..NO_ATTEMPTS
        },
        read: None,
        head: Some(Duration::from_micros(4_250)),
        total: Duration::from_millis(5),
        end: End::Complete,
        reason: "",
        request_id: "7f3a-1",
        trace: None,
    }
}

fn written(entry: &Entry<'_>, format: LogFormat, second: u64) -> String {
    let begun = Duration::from_secs(second);
    let moment = |time| clock::moment(time, format);
    let (begun, ended) = (moment(begun), moment(begun + entry.total));
    let mut line = Vec::new();
    write(&mut line, format, entry, (&begun, &ended));
    String::from_utf8(line).unwrap()
}

/// 24 November 2026, 04:30:00 UTC.
const MORNING: u64 = 1_795_494_600;

fn text(entry: &Entry<'_>) -> String {
    written(entry, LogFormat::Combined, MORNING)
}

fn json(entry: &Entry<'_>) -> String {
    written(entry, LogFormat::Json, MORNING)
}

/// The object of a line.
fn parsed(entry: &Entry<'_>) -> Value {
    let line = json(entry);
    assert!(line.ends_with('\n') && line.lines().count() == 1, "{line}");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// A request that went on at another upstream when its own was dead.
fn moved(what: impl FnOnce(&Entry<'_>)) {
    let refused = Tried {
        connect: None,
        wait: None,
        total: Duration::from_micros(318),
        fate: Fate::Failed(Failure::new(Phase::Connecting, Cause::Refused)),
        ..ANSWERED
    };
    let last = Tried {
        route: "n2",
        upstream: "192.0.2.12:8080",
        pick: "moved",
        connect: Some(Duration::from_micros(202)),
        wait: Some(Duration::from_micros(33_701)),
        total: Duration::from_micros(33_903),
        fate: Fate::Answered,
    };
    what(&Entry {
        client: "198.51.100.7".parse().unwrap(),
        peer: Some("10.0.0.1".parse().unwrap()),
        tls: "TLSv1.3",
        scheme: "https",
        method: b"POST",
        target: b"/shop/cart;jsessionid=A1B2.n1",
        status: 302,
        sent: 0,
        received: 27,
        referer: Some(b"https://shop.example/shop/"),
        agent: Some(b"Mozilla/5.0"),
        pick: "moved",
        attempts: Attempts {
            earlier: &[refused],
            left_out: 0,
            last: Some(&last),
        },
        read: Some(Duration::from_micros(112)),
        head: Some(Duration::from_micros(34_221)),
        total: Duration::from_micros(34_221),
        request_id: "5e9c0e6a2b7d1f43-1c",
        ..entry()
    });
}

#[test]
fn a_line_is_the_combined_format_and_then_the_decision() {
    assert_eq!(
        text(&entry()),
        "127.0.0.1 - - [24/Nov/2026:04:30:00 +0000] \"GET /shop/cart?x=1 HTTP/1.1\" 200 5123 \"-\" \"curl/8\" \
         host=shop.example peer=- tls=- scheme=http received=0 pool=tomcat route=n1 pick=sticky attempts=1 \
         tried=n1:answered:0.004250 connect=- wait=0.004250 read=- head=0.004250 total=0.005000 end=complete reason=- \
         id=7f3a-1 trace=-\n"
    );
}

/// What stands in docs/log.md is what the program writes.
#[test]
fn the_page_shows_lines_as_they_are_written() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    moved(|entry| {
        for line in [text(entry), json(entry)] {
            let shown = format!("```\n{line}```\n");
            assert!(page.contains(&shown), "docs/log.md does not have\n{shown}");
        }
        // Nor is there a name in an object that the page does not explain.
        let object = parsed(entry);
        let attempt = object["attempts"][0].as_object().unwrap();
        for name in object.as_object().unwrap().keys().chain(attempt.keys()) {
            assert!(page.contains(&format!("`{name}`")), "{name} is not explained");
        }
        let line = text(entry);
        let ours = line.find(" host=").expect("our first field");
        for (name, _) in line[ours..]
            .split_whitespace()
            .filter_map(|field| field.split_once('='))
        {
            assert!(page.contains(&format!("`{name}=`")), "{name}= is not explained");
        }
    });
}

/// The words that are explained are those that there are.
#[test]
fn the_page_explains_every_cause_and_every_end() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (_, table) = page.split_once("| cause | what was seen |\n|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let explained: Vec<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    assert_eq!(explained, Cause::ALL.map(Cause::as_str));

    let row = page.lines().find(|line| line.starts_with("| `end=` |")).unwrap();
    let explained: Vec<&str> = row.split('`').skip(3).step_by(2).collect();
    assert_eq!(explained, End::ALL.map(End::as_str));
}

#[test]
fn what_was_no_request_has_a_line_with_its_reason() {
    let entry = Entry {
        client: "::ffff:192.0.2.7".parse().unwrap(),
        host: b"",
        method: b"",
        target: b"",
        status: 431,
        agent: None,
        pool: "",
        pick: "",
        attempts: NO_ATTEMPTS,
        head: None,
        end: End::TooSlow,
        reason: "head-too-large",
        ..entry()
    };
    assert_eq!(
        text(&entry),
        "192.0.2.7 - - [24/Nov/2026:04:30:00 +0000] \"-\" 431 5123 \"-\" \"-\" host=- peer=- tls=- scheme=http received=0 pool=- \
         route=- pick=- attempts=0 tried=- connect=- wait=- read=- head=- total=0.005000 end=too-slow reason=head-too-large \
         id=7f3a-1 trace=-\n"
    );
    assert_eq!(
        json(&entry),
        "{\"begun\":\"2026-11-24T04:30:00.000000Z\",\"ended\":\"2026-11-24T04:30:00.005000Z\",\"client\":\"192.0.2.7\",\
         \"scheme\":\"http\",\"status\":431,\"received\":0,\"sent\":5123,\"attempts\":[],\"total_seconds\":0.005000,\
         \"end\":\"too-slow\",\"reason\":\"head-too-large\",\"id\":\"7f3a-1\"}\n"
    );
}

#[test]
fn every_attempt_is_told_and_very_many_are_counted() {
    let failed = |phase, cause| Tried {
        fate: Fate::Failed(Failure::new(phase, cause)),
        ..ANSWERED
    };
    let earlier = [
        failed(Phase::Waiting, Cause::TimedOut),
        failed(Phase::Waiting, Cause::Malformed),
    ];
    let last = Tried {
        fate: Fate::Unfinished,
        ..ANSWERED
    };
    let entry = Entry {
        attempts: Attempts {
            earlier: &earlier,
            left_out: 3,
            last: Some(&last),
        },
        ..entry()
    };
    let tried = "attempts=6 tried=n1:timed-out/possible:0.004250,n1:malformed/certain:0.004250,...,n1:unfinished:0.004250 ";
    assert!(text(&entry).contains(tried), "{}", text(&entry));
    let object = parsed(&entry);
    let told = |key: &str| {
        let attempts = object["attempts"].as_array().unwrap();
        attempts
            .iter()
            .map(|attempt| attempt[key].as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(told("outcome"), ["failed", "failed", "unfinished"].map(Some));
    assert_eq!(told("cause"), [Some("timed-out"), Some("malformed"), None]);
    assert_eq!(told("phase"), [Some("waiting"), Some("waiting"), None]);
    assert_eq!(told("effect"), [Some("possible"), Some("certain"), None]);
    assert_eq!(object["attempts_left_out"], 3);
}

#[test]
fn days_are_named_as_the_calendar_names_them() {
    let cases = [
        (0, "01/Jan/1970:00:00:00", "1970-01-01T00:00:00"),
        (951_782_399, "28/Feb/2000:23:59:59", "2000-02-28T23:59:59"),
        (951_782_400, "29/Feb/2000:00:00:00", "2000-02-29T00:00:00"),
        (4_107_542_399, "28/Feb/2100:23:59:59", "2100-02-28T23:59:59"),
        (4_107_542_400, "01/Mar/2100:00:00:00", "2100-03-01T00:00:00"),
    ];
    for (seconds, httpd, iso) in cases {
        let line = written(&entry(), LogFormat::Combined, seconds);
        assert!(line.contains(&format!("[{httpd} +0000]")), "{line}");
        let line = written(&entry(), LogFormat::Json, seconds);
        let both = format!("\"begun\":\"{iso}.000000Z\",\"ended\":\"{iso}.005000Z\"");
        assert!(line.contains(&both), "{line}");
    }
}

//! What a line says, what it hides, and that closing loses nothing.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

fn entry<'a>() -> Entry<'a> {
    Entry {
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        method: b"GET",
        target: b"/shop/cart?x=1",
        version: "HTTP/1.1",
        parameters: &[],
        status: 200,
        sent: 5_123,
        received: 17,
        referer: None,
        agent: Some(b"curl/8"),
        pool: "tomcat",
        route: "n1",
        pick: "sticky",
        attempts: 1,
        head: Some(Duration::from_micros(4_250)),
        total: Duration::from_millis(5),
        end: End::Complete,
        reason: "",
        request_id: "7f3a-1",
        trace: None,
    }
}

fn text_at(entry: &Entry<'_>, second: u64) -> String {
    let mut line = Vec::new();
    line::write(&mut line, entry, &clock::time_text(second));
    String::from_utf8(line).unwrap()
}

fn text(entry: &Entry<'_>) -> String {
    // 24 November 2026, 04:30:00 UTC.
    text_at(entry, 1_795_494_600)
}

#[test]
fn a_line_is_the_combined_format_and_then_the_decision() {
    assert_eq!(
        text(&entry()),
        "127.0.0.1 - - [24/Nov/2026:04:30:00 +0000] \"GET /shop/cart?x=1 HTTP/1.1\" 200 5123 \"-\" \"curl/8\" \
         received=17 pool=tomcat route=n1 pick=sticky attempts=1 head=0.004250 total=0.005000 end=complete reason=- id=7f3a-1 trace=-\n"
    );
}

#[test]
fn what_was_no_request_has_a_line_with_its_reason() {
    let line = text(&Entry {
        client: "::ffff:192.0.2.7".parse().unwrap(),
        method: b"",
        target: b"",
        status: 431,
        agent: None,
        pool: "",
        route: "",
        pick: "",
        attempts: 0,
        head: None,
        end: End::TooSlow,
        reason: "head-too-large",
        ..entry()
    });
    assert_eq!(
        line,
        "192.0.2.7 - - [24/Nov/2026:04:30:00 +0000] \"-\" 431 5123 \"-\" \"-\" received=17 pool=- route=- pick=- attempts=0 \
         head=- total=0.005000 end=too-slow reason=head-too-large id=7f3a-1 trace=-\n"
    );
}

#[test]
fn session_ids_never_appear() {
    let cases: [(&[u8], &str); 5] = [
        (b"/shop;jsessionid=SECRET.n1", "/shop;jsessionid=..."),
        (
            b"/shop;jsessionid=SECRET;a=b/x?y=1",
            "/shop;jsessionid=...;a=b/x?y=1",
        ),
        (b"/shop;jsessionid=SECRET/x", "/shop;jsessionid=.../x"),
        (b"/shop?a=b&JSessionID=SECRET&c=d", "/shop?a=b&JSessionID=...&c=d"),
        (b"/shop?SID=SECRET=more", "/shop?SID=..."),
    ];
    for (target, shown) in cases {
        let referer = [b"https://shop".as_slice(), target].concat();
        let line = text(&Entry {
            target,
            referer: Some(&referer),
            parameters: &["other".into(), "SID".into()],
            ..entry()
        });
        assert!(line.contains(&format!("\"GET {shown} HTTP/1.1\"")), "{line}");
        assert!(line.contains(&format!("\"https://shop{shown}\"")), "{line}");
        assert!(!line.contains("SECRET"), "{line}");
    }
}

#[test]
fn nothing_from_outside_can_forge_a_line() {
    let line = text(&Entry {
        target: b"/\"\r\n\x1b[2J\\",
        agent: Some(&[0xff, b'"']),
        ..entry()
    });
    assert_eq!(line.lines().count(), 1);
    assert!(
        line.contains(r#""GET /\x22\x0d\x0a\x1b[2J\x5c HTTP/1.1""#),
        "{line}"
    );
    assert!(line.contains(r#""\xff\x22""#), "{line}");
}

#[test]
fn days_are_named_as_the_calendar_names_them() {
    let cases = [
        (0, "01/Jan/1970:00:00:00"),
        (951_782_399, "28/Feb/2000:23:59:59"),
        (951_782_400, "29/Feb/2000:00:00:00"),
        (4_107_542_399, "28/Feb/2100:23:59:59"),
        (4_107_542_400, "01/Mar/2100:00:00:00"),
    ];
    for (seconds, shown) in cases {
        let line = text_at(&entry(), seconds);
        assert!(line.contains(&format!("[{shown} +0000]")), "{line}");
    }
}

#[test]
fn closing_writes_all_that_was_noted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let (log, writer) = AccessLog::open(&LogTarget::File(path.clone())).unwrap();
    let thread = std::thread::spawn(move || writer.unwrap().run());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let log = log.of_thread();
            scope.spawn(move || {
                for _ in 0..1_000 {
                    log.note(&entry(), Instant::now());
                }
            });
        }
    });
    assert!(log.close(Duration::from_secs(10)));
    thread.join().unwrap();
    let written = std::fs::read_to_string(&path).unwrap();
    let whole = |line: &str| line.starts_with("127.0.0.1 ") && line.ends_with(" trace=-");
    assert_eq!(written.lines().filter(|line| whole(line)).count(), 2_000);
    assert_eq!(written.lines().count(), 2_000);
}

#[test]
fn a_rotated_file_is_opened_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let (log, writer) = AccessLog::open(&LogTarget::File(path.clone())).unwrap();
    let thread = std::thread::spawn(move || writer.unwrap().run());
    std::fs::rename(&path, directory.path().join("access.log.1")).unwrap();
    log.reopen();
    log.of_thread().note(&entry(), Instant::now());
    assert!(log.close(Duration::from_secs(10)));
    thread.join().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
}

#[test]
fn a_line_is_seen_once_its_thread_ticks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let (log, writer) = AccessLog::open(&LogTarget::File(path.clone())).unwrap();
    let thread = std::thread::spawn(move || writer.unwrap().run());
    let own = log.of_thread();
    own.note(&entry(), Instant::now());
    own.flush();
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::fs::read_to_string(&path).unwrap().is_empty() {
        assert!(Instant::now() < deadline, "nobody sees it");
        std::thread::yield_now();
    }
    drop(own);
    assert!(log.close(Duration::from_secs(10)));
    thread.join().unwrap();
}

#[test]
fn who_is_too_far_behind_costs_lines_and_no_memory() {
    let (log, writer) = AccessLog::open(&LogTarget::Stderr).unwrap();
    let own = log.of_thread();
    let backlog = || {
        let state = own.shared.as_ref().unwrap().lock();
        (state.bytes, state.batches.iter().map(Vec::len).sum::<usize>())
    };
    let line = text(&entry()).len();
    for _ in 0..2 * BUFFER_BYTES / line {
        own.note(&entry(), Instant::now());
    }
    let (bytes, held) = backlog();
    assert_eq!(bytes, held);
    assert!(
        (BUFFER_BYTES - 2 * BATCH_BYTES..=BUFFER_BYTES).contains(&bytes),
        "{bytes}"
    );
    assert!(own.page.borrow().text.len() < BATCH_BYTES);
    drop((own, writer));
}

#[test]
fn a_line_allocates_nothing_once_buffers_go_round() {
    let (log, writer) = AccessLog::open(&LogTarget::Stderr).unwrap();
    let (own, mut writer, mut batches) = (log.of_thread(), writer.unwrap(), Vec::new());
    let mut round = |lines: usize| {
        let now = Instant::now();
        for _ in 0..lines {
            own.note(&entry(), now);
        }
        own.flush();
        // As the writer does, but for the writing.
        assert!(writer.take(&mut batches));
    };
    // Two batches and a part of one, so that each buffer is used more than once.
    for _ in 0..4 {
        round(400);
    }
    let cost = allocation_counter::measure(|| round(400));
    assert_eq!(cost.count_total, 0, "{cost:?}");
}

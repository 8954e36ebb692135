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
        bytes: 5_123,
        referer: None,
        agent: Some(b"curl/8"),
        pool: "tomcat",
        route: "n1",
        pick: "sticky",
        attempts: 1,
        head: Some(Duration::from_micros(4_250)),
        total: Duration::from_millis(5),
        end: End::Complete,
        request_id: "7f3a-1",
        trace: None,
    }
}

fn text(entry: &Entry<'_>) -> String {
    // 24 November 2026, 04:30:00 UTC.
    String::from_utf8(line::format(entry, Duration::from_secs(1_795_494_600))).unwrap()
}

#[test]
fn a_line_is_the_combined_format_and_then_the_decision() {
    assert_eq!(
        text(&entry()),
        "127.0.0.1 - - [24/Nov/2026:04:30:00 +0000] \"GET /shop/cart?x=1 HTTP/1.1\" 200 5123 \"-\" \"curl/8\" \
         pool=tomcat route=n1 pick=sticky attempts=1 head=0.004250 total=0.005000 end=complete id=7f3a-1 trace=-\n"
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
        let line = String::from_utf8(line::format(&entry(), Duration::from_secs(seconds))).unwrap();
        assert!(line.contains(&format!("[{shown} +0000]")), "{line}");
    }
}

#[test]
fn closing_writes_all_that_was_noted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let (log, writer) = AccessLog::open(&LogTarget::File(path.clone())).unwrap();
    let thread = std::thread::spawn(move || writer.unwrap().run());
    for _ in 0..1_000 {
        log.note(&entry());
    }
    assert!(log.close(Duration::from_secs(10)));
    thread.join().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1_000);
}

#[test]
fn a_rotated_file_is_opened_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let (log, writer) = AccessLog::open(&LogTarget::File(path.clone())).unwrap();
    let thread = std::thread::spawn(move || writer.unwrap().run());
    std::fs::rename(&path, directory.path().join("access.log.1")).unwrap();
    log.reopen();
    log.note(&entry());
    assert!(log.close(Duration::from_secs(10)));
    thread.join().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
}

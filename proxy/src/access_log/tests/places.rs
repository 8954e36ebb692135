//! Where lines go: nothing is lost at the end, nobody waits, nothing is allocated, and what went wrong is apart.

use remora_policy::{Cause, Failure, Phase};

use super::super::writer::BUFFER_BYTES;
use super::super::*;
use super::{ANSWERED, entry, text};
use crate::config::LogTarget;

fn opened(to: LogTarget, errors: LogTarget) -> (AccessLog, Vec<LogWriter>) {
    let format = LogFormat::Combined;
    AccessLog::open(&LogConfig { to, format, errors }).unwrap()
}

#[test]
fn closing_writes_all_that_was_noted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let (log, mut writers) = opened(LogTarget::File(path.clone()), LogTarget::Off);
    let thread = std::thread::spawn(move || writers.remove(0).run());
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
    let (log, mut writers) = opened(LogTarget::File(path.clone()), LogTarget::Off);
    let thread = std::thread::spawn(move || writers.remove(0).run());
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
    let (log, mut writers) = opened(LogTarget::File(path.clone()), LogTarget::Off);
    let thread = std::thread::spawn(move || writers.remove(0).run());
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
    let (log, writers) = opened(LogTarget::Stderr, LogTarget::Off);
    let own = log.of_thread();
    let backlog = || {
        let state = own.all.as_ref().unwrap().shared.lock();
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
    assert!(own.all.as_ref().unwrap().page.borrow().text.len() < BATCH_BYTES);
    drop((own, writers));
}

#[test]
fn a_line_allocates_nothing_once_buffers_go_round() {
    for format in [LogFormat::Combined, LogFormat::Json] {
        let config = LogConfig {
            format,
            to: LogTarget::Stderr,
            errors: LogTarget::Off,
        };
        let (log, mut writers) = AccessLog::open(&config).unwrap();
        let (own, mut writer, mut batches) = (log.of_thread(), writers.remove(0), Vec::new());
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
            round(250);
        }
        let cost = allocation_counter::measure(|| round(250));
        assert_eq!(cost.count_total, 0, "{format:?}: {cost:?}");
    }
}

#[test]
fn what_went_wrong_is_noted_once_more_in_a_place_of_its_own() {
    let failed = |cause, reused| Tried {
        fate: Fate::Failed(Failure {
            reused,
            ..Failure::new(Phase::Sending, cause)
        }),
        ..ANSWERED
    };
    let (refused, stale) = ([failed(Cause::Refused, false)], [failed(Cause::Broken, true)]);
    let well = entry();
    let answer = |status, reason| Entry {
        status,
        reason,
        ..well
    };
    let ended = |end| Entry { end, ..well };
    let after = |earlier| Entry {
        attempts: Attempts {
            earlier,
            ..well.attempts
        },
        ..well
    };
    let cases = [
        ("well", well, false),
        ("an upstream's own error", answer(500, ""), false),
        ("nothing there", answer(404, "no-route"), false),
        ("closed for maintenance", answer(503, "maintenance"), false),
        ("sent elsewhere", answer(308, "https"), false),
        ("refused", answer(431, "head-too-large"), true),
        ("given up", answer(502, "bad-gateway"), true),
        ("cut", ended(End::UpstreamCut), true),
        ("too slow", ended(End::TooSlow), true),
        ("left", ended(End::ClientGone), false),
        ("another answered", after(&refused), true),
        ("a kept connection was closed", after(&stale), false),
    ];
    let directory = tempfile::tempdir().unwrap();
    for to in ["access.log", "off"] {
        let file = |name: &str| match name {
            "off" => LogTarget::Off,
            name => LogTarget::File(directory.path().join(name)),
        };
        let errors = format!("errors.{to}");
        let (log, writers) = opened(file(to), file(&errors));
        let own = log.of_thread();
        for (name, entry, _) in &cases {
            let request_id = name;
            own.note(&Entry { request_id, ..*entry }, Instant::now());
        }
        drop(own);
        let threads: Vec<_> = writers
            .into_iter()
            .map(|writer| std::thread::spawn(move || writer.run()))
            .collect();
        assert!(log.close(Duration::from_secs(10)));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let names = |file: &str| {
            let text = std::fs::read_to_string(directory.path().join(file)).unwrap_or_default();
            let name = |line: &str| Some(line.split_once(" id=")?.1.split_once(" trace=")?.0.to_owned());
            text.lines().filter_map(name).collect::<Vec<_>>()
        };
        let wrong: Vec<&str> = cases.iter().filter(|case| case.2).map(|case| case.0).collect();
        assert_eq!(names(&errors), wrong);
        assert_eq!(names(to).len(), if to == "off" { 0 } else { cases.len() });
    }
}

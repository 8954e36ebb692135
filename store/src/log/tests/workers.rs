//! The two workers: who waits for the disk and who does not, segments that come and go, and what a gauge shows of it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::DirEntryExt;

use tempfile::TempDir;

use super::spares::RESERVE_SEGMENTS;
use super::*;
use crate::disk::faulty;
use crate::faults::{Faults, Kind, Operation};
use crate::runtime;

/// So long that no test waits for its end.
const FOR_EVER: Duration = Duration::from_secs(86_400);

/// A directory on a disk with faults, and logs in it.
pub(super) struct Bench {
    directory: TempDir,
    pub(super) faults: Faults,
}

pub(super) fn bench() -> Bench {
    Bench {
        directory: tempfile::tempdir().unwrap(),
        faults: Faults::default(),
    }
}

impl Bench {
    pub(super) fn disk(&self) -> Disk {
        faulty::disk(&self.faults)
    }

    /// In a directory of the log's name, so that its faults are the log's.
    pub(super) fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("log")
    }

    /// Opens the log, and waits until it has its reserve.
    pub(super) fn open(&self) -> FileLog {
        let log = FileLog::open(&self.disk(), &self.path(), SETUP, None).unwrap();
        until("the log has its reserve", || {
            load(&log).spare_bytes >= RESERVE_SEGMENTS as u64 * SMALL
        });
        log
    }

    pub(super) fn drive(&self) -> Driven {
        Driven::open(&self.disk(), &self.path(), SETUP).unwrap()
    }

    /// The files of segments, by what the file system knows them by.
    fn files(&self) -> BTreeSet<u64> {
        let files = fs::read_dir(self.path()).unwrap().map(Result::unwrap);
        let segments = files.filter(|file| file.file_name().to_string_lossy().starts_with("segment-"));
        segments.map(|file| file.ino()).collect()
    }

    pub(super) fn segments(&self) -> usize {
        self.files().len()
    }

    /// Waits until something is held up by a fault.
    pub(super) fn hangs(&self, kind: Kind, operation: Operation) {
        until("something hangs", || self.faults.hanging(kind, operation) > 0);
    }
}

pub(super) fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = runtime::now() + DISK_WAIT;
    while !condition() {
        assert!(runtime::now() < deadline, "not so: {what}");
        std::thread::yield_now();
    }
}

/// Waits until a log that writes to its first segment has the next one, beside its reserve.
pub(super) fn next_is_ready(log: &FileLog) {
    let whole = (2 + RESERVE_SEGMENTS as u64) * SMALL;
    until("the next segment is ready", || load(log).disk_bytes == whole);
}

pub(super) fn load(log: &FileLog) -> LogLoad {
    log.gauge().load().unwrap()
}

fn syncs(log: &FileLog) -> u64 {
    log.gauge().syncs().unwrap().count
}

#[test]
fn a_completion_is_told_after_a_sync() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::open(&Disk::real(), directory.path(), SETUP, None).unwrap();
    for index in 0..50 {
        let before = syncs(&log);
        append(&log, 1, index..index + 1);
        assert!(syncs(&log) > before, "append {index} was told without a sync");
        let before = syncs(&log);
        vote(&log, granted(index, 1)).unwrap();
        assert!(syncs(&log) > before, "vote {index} was told without a sync");
    }
}

#[test]
fn all_that_waits_goes_with_one_sync() {
    let bench = bench();
    let mut driven = bench.drive();
    driven.append(entries(1, 0..1)).unwrap();
    let before = syncs(&driven.log);
    let waiting: Vec<_> = (1..20)
        .map(|index| {
            let (done, durable) = completion();
            driven.log.append(entries(1, index..index + 1), done).unwrap();
            durable
        })
        .collect();
    driven.settle();
    assert_eq!(syncs(&driven.log), before + 1);
    let told = waiting
        .iter()
        .filter(|durable| durable.try_recv().is_ok())
        .count();
    assert_eq!(told, 1, "the newest stands for all");
    assert!(waiting.last().unwrap().try_recv().is_err(), "told twice");
}

#[test]
fn a_write_that_is_longer_than_a_segment_goes_on_in_the_next_ones() {
    let bench = bench();
    let mut driven = bench.drive();
    driven.append(entries(1, 0..1_000)).unwrap();
    assert!(bench.segments() > 4);
    drop(driven);
    let driven = bench.drive();
    assert_eq!(driven.log.read(0..1_000, u64::MAX).unwrap(), entries(1, 0..1_000));
}

#[test]
fn an_entry_that_fits_into_no_segment_is_refused_and_changes_nothing() {
    let bench = bench();
    let mut driven = bench.drive();
    let of_bytes = |bytes: u64| {
        let payload = Payload::Normal(vec![7; usize::try_from(bytes).unwrap()].into());
        let log_id = id(1, 0);
        vec![LogEntry { log_id, payload }]
    };
    let most = segment::entry_bytes_max(SMALL);
    let refused = driven.log.append(of_bytes(most + 1), Box::new(drop)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    driven.vote(granted(1, 1)).unwrap();
    driven.append(of_bytes(most)).unwrap();
    assert_eq!(driven.log.bounds().last, Some(id(1, 0)));
}

#[test]
fn a_new_segment_is_named_before_it_is_needed() {
    let bench = bench();
    let log = bench.open();
    append(&log, 1, 0..1);
    next_is_ready(&log);
    // From here on no name becomes durable; two pages are left in this segment, three in the next.
    bench.faults.hang(Kind::Directory, Operation::Sync);
    for index in 1..6 {
        append(&log, 1, index..index + 1);
    }
    let durable = {
        let (done, durable) = completion();
        log.append(entries(1, 6..7), done).unwrap();
        durable
    };
    bench.hangs(Kind::Directory, Operation::Sync);
    assert!(durable.try_recv().is_err(), "told in a segment without a name");
    bench.faults.clear(Kind::Directory, Operation::Sync);
    told(&durable).unwrap();
}

#[test]
fn a_slow_read_of_what_is_not_in_memory_keeps_nobody_from_appending() {
    let bench = bench();
    let log = bench.open();
    append(&log, 1, 0..20);
    drop(log);
    let log = bench.open();
    bench.faults.hang(Kind::Log, Operation::Read);
    let reader = log.clone();
    let reading = std::thread::spawn(move || reader.read(0..20, u64::MAX));
    bench.hangs(Kind::Log, Operation::Read);
    for index in 20..40 {
        append(&log, 1, index..index + 1);
    }
    assert!(!reading.is_finished());
    assert_eq!(indices(&log, 20..40).len(), 20, "what is in memory needs no disk");
    bench.faults.clear(Kind::Log, Operation::Read);
    assert_eq!(reading.join().unwrap().unwrap(), entries(1, 0..20));
}

#[test]
fn segments_that_a_purge_frees_are_used_again_and_go_when_there_are_too_many() {
    let bench = bench();
    let mut driven = bench.drive();
    for index in 0..40 {
        driven.append(entries(1, index..index + 1)).unwrap();
    }
    let many = bench.segments();
    let held = load(&driven.log).disk_bytes;
    assert_eq!(held, many as u64 * SMALL);
    driven.log.gauge().keep_spares(0);
    driven.log.purge_to(id(1, 37)).unwrap();
    driven.settle();
    let few = bench.segments();
    assert!(few <= 3 + RESERVE_SEGMENTS && few < many, "{many} became {few}");
    assert_eq!(load(&driven.log).disk_bytes, few as u64 * SMALL);
    for index in 40..80 {
        driven.append(entries(1, index..index + 1)).unwrap();
        driven.log.purge_to(id(1, index - 2)).unwrap();
    }
    driven.settle();
    assert!(
        bench.segments() <= 3 + RESERVE_SEGMENTS,
        "they were not used again"
    );
    drop(driven);
    let driven = bench.drive();
    let bounds = LogBounds {
        purged: Some(id(1, 77)),
        last: Some(id(1, 79)),
    };
    assert_eq!(driven.log.bounds(), bounds);
    assert_eq!(driven.log.read(78..80, u64::MAX).unwrap(), entries(1, 78..80));
}

/// Files that came into being while a log went through some intervals of so many entries, each ended by a purge.
fn made_in_steady_state(kept: u64) -> usize {
    /// Entries of one: ten segments.
    const INTERVAL: u64 = 30;
    let bench = bench();
    let mut driven = bench.drive();
    driven.log.gauge().keep_spares(kept);
    let mut interval = |nth: u64| {
        for index in nth * INTERVAL..(nth + 1) * INTERVAL {
            driven.append(entries(1, index..index + 1)).unwrap();
        }
        driven.log.purge_to(id(1, (nth + 1) * INTERVAL - 4)).unwrap();
        driven.settle();
    };
    (0..2).for_each(&mut interval);
    let files = bench.files();
    (2..5).for_each(&mut interval);
    bench.files().difference(&files).count()
}

#[test]
fn a_log_that_goes_on_as_before_makes_no_new_segments() {
    assert_eq!(made_in_steady_state(20 * SMALL), 0);
    assert!(made_in_steady_state(0) > 0, "the control");
}

#[test]
fn a_reader_whose_segment_is_used_again_finds_no_entry_and_never_another_one() {
    let bench = bench();
    let mut driven = bench.drive();
    driven.append(entries(1, 0..9)).unwrap();
    drop(driven);
    let mut driven = bench.drive();
    let planned = reading::plan(&driven.core.lock(), 0..9, u64::MAX).unwrap();
    for index in 9..60 {
        driven.append(entries(1, index..index + 1)).unwrap();
        driven.log.purge_to(id(1, index)).unwrap();
    }
    driven.settle();
    assert!(reading::fetch(planned, Formats::OURS).is_err());
    let gone = driven.log.read(0..9, u64::MAX).unwrap_err();
    assert_eq!(gone.kind(), io::ErrorKind::NotFound);
}

#[test]
fn the_gauge_shows_how_long_the_oldest_waits_and_how_much() {
    let bench = bench();
    let log = bench.open();
    append(&log, 1, 0..1);
    assert_eq!((load(&log).oldest_unsynced, load(&log).queued_bytes), (None, 0));
    bench.faults.delay(Kind::Log, Operation::Sync, FOR_EVER);
    let (done, durable) = completion();
    log.append(entries(1, 1..3), done).unwrap();
    bench.hangs(Kind::Log, Operation::Sync);
    let (done, voted) = completion();
    log.save_vote(granted(1, 1), done);
    let first = load(&log);
    assert_eq!(first.queued_bytes, 107, "the entries of 7 and 100 bytes");
    let waited = first.oldest_unsynced.expect("two wait");
    until("time goes on", || load(&log).oldest_unsynced.unwrap() > waited);
    assert!(durable.try_recv().is_err() && voted.try_recv().is_err());
    bench.faults.clear(Kind::Log, Operation::Sync);
    told(&voted).unwrap();
    until("nothing waits", || load(&log).oldest_unsynced.is_none());
    assert_eq!(load(&log).queued_bytes, 0);
}

#[test]
fn the_gauge_shows_what_was_written_since_the_last_purge() {
    let bench = bench();
    let mut driven = bench.drive();
    for index in 0..5 {
        driven.append(entries(1, index..index + 1)).unwrap();
    }
    assert_eq!(load(&driven.log).bytes_since_purge, 5 * 4_096);
    driven.log.purge_to(id(1, 2)).unwrap();
    driven.settle();
    assert_eq!(load(&driven.log).bytes_since_purge, 0);
    driven.append(entries(1, 5..6)).unwrap();
    let gauge = driven.log.gauge();
    drop(driven);
    assert_eq!((gauge.load(), gauge.syncs()), (None, None), "it is closed");
    // The group with the purge counts among what a restart reads.
    assert_eq!(load(&bench.drive().log).bytes_since_purge, 2 * 4_096);
}

#[test]
fn a_failed_sync_is_final_and_is_not_asked_again() {
    let bench = bench();
    let log = bench.open();
    append(&log, 1, 0..1);
    bench
        .faults
        .fail(Kind::Log, Operation::Sync, io::ErrorKind::TimedOut);
    let (done, durable) = completion();
    log.append(entries(1, 1..2), done).unwrap();
    let error = told(&durable).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let begun = bench.faults.begun(Kind::Log, Operation::Sync);
    bench.faults.clear(Kind::Log, Operation::Sync);
    for _ in 0..3 {
        let error = sync(&log).unwrap_err();
        assert!(error.to_string().contains("an earlier write"), "{error}");
    }
    assert_eq!(bench.faults.begun(Kind::Log, Operation::Sync), begun);
}

#[test]
fn everybody_is_told_when_a_segment_cannot_be_named() {
    let bench = bench();
    let log = bench.open();
    append(&log, 1, 0..1);
    next_is_ready(&log);
    bench
        .faults
        .fail(Kind::Directory, Operation::Sync, io::ErrorKind::TimedOut);
    let mut waiting = Vec::new();
    for term in 1..1_000 {
        let (done, durable) = completion();
        log.save_vote(granted(term, 1), done);
        waiting.push(durable);
    }
    append_until_it_fails(&log);
    let failed = waiting.iter().map(told).filter(Result::is_err).count();
    let (done, late) = completion();
    log.save_vote(granted(1_000, 1), done);
    assert!(told(&late).is_err());
    assert!(failed > 0, "there were segments for all of them");
}

/// Appends one entry after the other until one is told that it failed.
fn append_until_it_fails(log: &FileLog) {
    let failed = (1..1_000).find(|index| {
        let (done, durable) = completion();
        match log.append(entries(1, *index..index + 1), done) {
            Ok(()) => told(&durable).is_err(),
            Err(_) => true,
        }
    });
    assert!(failed.is_some(), "nothing failed");
}

#[test]
fn what_was_appended_lately_is_in_memory_and_what_was_found_is_not_claimed() {
    let bench = bench();
    let log = bench.open();
    append(&log, 1, 0..10);
    assert!(log.in_memory(0) && log.in_memory(9) && !log.in_memory(10));
    drop(log);
    let log = bench.open();
    assert!(!log.in_memory(9));
    append(&log, 1, 10..11);
    assert!(log.in_memory(10));
    log.truncate_after(Some(9)).unwrap();
    assert!(!log.in_memory(10));
}

#[test]
fn a_truncation_while_the_entries_are_on_their_way_leaves_the_new_ones() {
    let bench = bench();
    let mut driven = bench.drive();
    driven.append(entries(1, 0..2)).unwrap();
    driven.log.append(entries(1, 2..5), Box::new(drop)).unwrap();
    driven.log.truncate_after(Some(2)).unwrap();
    driven.append(entries(2, 3..4)).unwrap();
    let kept = [entries(1, 0..3), entries(2, 3..4)].concat();
    assert_eq!(driven.log.read(0..4, u64::MAX).unwrap(), kept);
    drop(driven);
    assert_eq!(bench.drive().log.read(0..4, u64::MAX).unwrap(), kept);
}

#[test]
fn an_entry_that_waits_for_the_disk_or_replaces_a_durable_one_is_not_told_as_durable() {
    let directory = tempfile::tempdir().unwrap();
    let mut driven = Driven::open(&Disk::real(), &directory.path().join("log"), SETUP).unwrap();
    driven.append(entries(1, 0..6)).unwrap();
    driven.log.append(entries(1, 6..8), Box::new(drop)).unwrap();
    assert_eq!(driven.log.durable_up_to(7), Some(id(1, 5)));
    driven.log.truncate_after(Some(2)).unwrap();
    driven.log.append(entries(2, 3..9), Box::new(drop)).unwrap();
    let told = [2, 5, 8].map(|index| driven.log.durable_up_to(index));
    assert_eq!(told, [Some(id(1, 2)), None, None]);
    driven.settle();
    assert_eq!(driven.log.durable_up_to(8), Some(id(2, 8)));
}

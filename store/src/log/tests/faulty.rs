//! The log's fault-injecting twin does what each fault says; the faults that its syncs meet are seen from outside.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::faults::{Faults, Kind, Operation};
use crate::log::faulty::FaultyLog;

/// So long that no test waits for its end.
const FOR_EVER: Duration = Duration::from_secs(86_400);

struct Bench {
    directory: TempDir,
    faults: Faults,
}

fn bench() -> Bench {
    Bench {
        directory: tempfile::tempdir().unwrap(),
        faults: Faults::default(),
    }
}

impl Bench {
    /// The log as it is found, with its disk as it is.
    fn open(&self) -> FaultyLog {
        let below = FileLog::open(&Disk::real(), self.directory.path()).unwrap();
        FaultyLog::over(Arc::new(below), &self.faults).unwrap()
    }

    /// Waits until something is held up by a fault.
    fn hangs(&self, kind: Kind, operation: Operation) {
        let deadline = std::time::Instant::now() + DISK_WAIT;
        while self.faults.hanging(kind, operation) == 0 {
            assert!(std::time::Instant::now() < deadline, "nothing hangs");
            std::thread::yield_now();
        }
    }
}

fn written(log: &dyn Log, indices: Range<u64>) -> Receiver<io::Result<()>> {
    let (done, durable) = completion();
    log.append(entries(1, indices), done).unwrap();
    durable
}

fn last(log: &dyn Log) -> Option<u64> {
    log.bounds().last.map(|last| last.index)
}

#[test]
fn a_sync_that_hangs_or_is_slow_tells_nobody_until_it_ends() {
    let slow = |faults: &Faults| faults.delay(Kind::Log, Operation::Sync, FOR_EVER);
    let hung = |faults: &Faults| faults.hang(Kind::Log, Operation::Sync);
    for fault in [&slow as &dyn Fn(&Faults), &hung] {
        let bench = bench();
        let log = bench.open();
        fault(&bench.faults);
        let durable = written(&log, 0..3);
        bench.hangs(Kind::Log, Operation::Sync);
        assert!(durable.try_recv().is_err(), "it was told before the sync ended");
        assert_eq!(indices(&log, 0..3), [0, 1, 2], "what is written can be read");
        bench.faults.clear(Kind::Log, Operation::Sync);
        told(&durable).unwrap();
    }
}

#[test]
fn a_short_delay_ends_by_itself() {
    let bench = bench();
    let log = bench.open();
    bench
        .faults
        .delay(Kind::Log, Operation::Sync, Duration::from_millis(5));
    append(&log, 1, 0..3);
    assert_eq!(bench.faults.begun(Kind::Log, Operation::Sync), 1);
}

#[test]
fn a_vote_is_held_up_apart_from_the_entries_before_it() {
    let bench = bench();
    let log = bench.open();
    bench.faults.hang(Kind::Vote, Operation::Sync);
    append(&log, 1, 0..3);
    let (done, voted) = completion();
    log.save_vote(granted(1, 1), done);
    bench.hangs(Kind::Vote, Operation::Sync);
    let behind = written(&log, 3..4);
    assert!(voted.try_recv().is_err());
    assert!(
        behind.try_recv().is_err(),
        "an entry became durable before the vote"
    );
    bench.faults.clear(Kind::Vote, Operation::Sync);
    told(&voted).unwrap();
    told(&behind).unwrap();
}

#[test]
fn an_error_is_told_and_final() {
    let bench = bench();
    let log = bench.open();
    append(&log, 1, 0..3);
    bench
        .faults
        .fail(Kind::Log, Operation::Sync, io::ErrorKind::TimedOut);
    let error = told(&written(&log, 3..4)).expect_err("the sync failed");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    bench.faults.clear(Kind::Log, Operation::Sync);
    assert!(sync(&log).is_err(), "it trusts its disk again");
    drop(log);
    assert_eq!(last(&bench.open()), Some(2));
}

#[test]
fn a_write_that_fails_is_told_to_its_caller() {
    let bench = bench();
    let log = bench.open();
    bench
        .faults
        .fail(Kind::Vote, Operation::Write, io::ErrorKind::TimedOut);
    append(&log, 1, 0..3);
    assert!(vote(&log, granted(1, 1)).is_err());
    assert!(log.append(entries(1, 3..4), Box::new(drop)).is_err(), "final");
}

#[test]
fn a_disk_is_full_after_so_many_bytes() {
    let bench = bench();
    let log = bench.open();
    // Every third entry has 100 bytes, and another one 7.
    bench.faults.fill_after(Kind::Log, 220);
    append(&log, 1, 0..6);
    let full = log.append(entries(1, 6..9), Box::new(drop));
    assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
    drop(log);
    bench.faults.make_room(Kind::Log);
    let log = bench.open();
    assert_eq!(last(&log), Some(5));
    append(&log, 1, 6..9);
}

#[test]
fn only_reads_of_the_disk_meet_its_faults() {
    let bench = bench();
    let log = bench.open();
    append(&log, 1, 0..3);
    drop(log);
    let log = bench.open();
    append(&log, 1, 3..6);
    bench
        .faults
        .fail(Kind::Log, Operation::Read, io::ErrorKind::TimedOut);
    assert!(log.read(2..6, u64::MAX).is_err());
    assert_eq!(indices(&log, 3..6), [3, 4, 5]);
}

#[test]
fn a_power_cut_forgets_what_was_not_synced_and_ends_what_was_open() {
    let bench = bench();
    let log = bench.open();
    append(&log, 1, 0..3);
    vote(&log, granted(1, 1)).unwrap();
    bench.faults.hang(Kind::Log, Operation::Sync);
    let durable = written(&log, 3..6);
    bench.hangs(Kind::Log, Operation::Sync);
    let (done, voted) = completion();
    log.save_vote(granted(2, 1), done);
    bench.faults.forget();
    assert!(told(&durable).is_err() && told(&voted).is_err());
    assert!(log.append(entries(1, 6..7), Box::new(drop)).is_err());
    assert!(log.read(0..1, 1).is_err());
    drop(log);
    bench.faults.clear(Kind::Log, Operation::Sync);
    let log = bench.open();
    assert_eq!((last(&log), log.vote()), (Some(2), Some(granted(1, 1))));
}

#[test]
fn a_process_that_ends_forgets_nothing() {
    let bench = bench();
    let log = bench.open();
    bench.faults.hang(Kind::Log, Operation::Sync);
    let durable = written(&log, 0..3);
    bench.hangs(Kind::Log, Operation::Sync);
    drop(log);
    assert!(durable.try_recv().is_err(), "nobody was told");
    assert_eq!(last(&bench.open()), Some(2));
}

#[test]
fn a_torn_write_leaves_a_first_part() {
    let found: Vec<u64> = (0..40)
        .map(|seed| {
            let bench = bench();
            let log = bench.open();
            append(&log, 1, 0..10);
            bench.faults.hang(Kind::Log, Operation::Sync);
            for first in [10, 20, 30] {
                written(&log, first..first + 10);
            }
            bench.hangs(Kind::Log, Operation::Sync);
            bench.faults.tear(seed);
            drop(log);
            bench.faults.clear(Kind::Log, Operation::Sync);
            let log = bench.open();
            let found = last(&log).unwrap() + 1;
            assert_eq!(log.read(0..found, u64::MAX).unwrap(), entries(1, 0..found));
            found
        })
        .collect();
    assert!(found.iter().all(|found| (10..=40).contains(found)), "{found:?}");
    assert!(found.contains(&10), "no cut left nothing: {found:?}");
    assert!(found.contains(&40), "no cut left all: {found:?}");
    assert!(
        found.iter().any(|found| found % 10 != 0),
        "no append was torn: {found:?}"
    );
}

#[test]
fn a_disk_that_lies_says_durable_and_loses_it() {
    let bench = bench();
    let log = bench.open();
    append(&log, 1, 0..3);
    bench.faults.lie();
    append(&log, 1, 3..6);
    bench.faults.forget();
    drop(log);
    assert_eq!(last(&bench.open()), Some(2));
}

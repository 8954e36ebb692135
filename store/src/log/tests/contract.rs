//! One suite for all who implement [`Log`]: every sentence of the trait, over our files on the machine's disk, and over a
//! disk that forgets at each stop what was not synced.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::disk::faulty;
use crate::faults::{Faults, Kind, Operation};

/// Writes that are more than any log of the suite takes before it finds that its disk is gone.
const WRITES_MAX: u64 = 1_000;

/// Where logs of one kind live.
trait Medium {
    /// Opens the log that is there, or a new one.
    fn open(&self) -> Arc<dyn Log>;

    /// Ends the log as this medium ends logs; what was called durable must outlive it.
    fn end(&self, log: Arc<dyn Log>) {
        drop(log);
    }

    /// From now on the disk refuses, at the latest after [`WRITES_MAX`] entries.
    fn break_disk(&self);
}

/// Real files; a stop is that of a process.
struct Files(TempDir);

fn files() -> Files {
    Files(tempfile::tempdir().unwrap())
}

impl Medium for Files {
    fn open(&self) -> Arc<dyn Log> {
        Arc::new(FileLog::open(&Disk::real(), &self.0.path().join("log"), SETUP, None).unwrap())
    }

    fn break_disk(&self) {
        // The next segment cannot be named where the directory was.
        std::fs::rename(self.0.path().join("log"), self.0.path().join("elsewhere")).unwrap();
    }
}

/// A stop is a power cut, and the disk forgets what was not synced.
struct Forgetful {
    directory: TempDir,
    faults: Faults,
}

fn forgetful() -> Forgetful {
    Forgetful {
        directory: tempfile::tempdir().unwrap(),
        faults: Faults::default(),
    }
}

impl Medium for Forgetful {
    fn open(&self) -> Arc<dyn Log> {
        let disk = faulty::disk(&self.faults);
        Arc::new(FileLog::open(&disk, &self.directory.path().join("log"), SETUP, None).unwrap())
    }

    fn end(&self, log: Arc<dyn Log>) {
        self.faults.forget();
        drop(log);
    }

    fn break_disk(&self) {
        self.faults
            .fail(Kind::Log, Operation::Sync, io::ErrorKind::TimedOut);
    }
}

/// Each claim as a test of its own, over each medium.
macro_rules! suite {
    ($($claim:ident)*) => {
        mod over_files {
            $(#[test] fn $claim() { super::$claim(&super::files()); })*
        }
        mod over_a_forgetful_disk {
            $(#[test] fn $claim() { super::$claim(&super::forgetful()); })*
        }
    };
}

suite! {
    what_was_durable_is_there_when_it_is_opened_again
    truncations_and_purges_hold_when_it_is_opened_again
    what_is_found_is_a_first_part_of_what_was_written
    the_completion_of_a_vote_stands_for_all_that_was_written_before
    the_completion_of_an_append_stands_for_earlier_ones
    votes_are_each_told
    appended_entries_can_be_read_on_return
    a_new_log_holds_nothing
    a_vote_never_goes_back
    entries_with_a_hole_are_refused_and_change_nothing
    a_read_ends_at_the_byte_limit_but_gives_at_least_one
    a_missing_entry_is_an_error
    what_is_called_in_memory_is_there
    a_truncation_comes_before_the_next_append
    what_was_hinted_as_committed_is_not_truncated
    a_hint_is_never_newer_than_the_log_and_never_goes_back
    a_purge_may_pass_the_last_entry_and_never_goes_back
    what_is_told_as_durable_stands_and_outlives_the_log
    after_a_failed_write_every_later_call_fails
}

fn what_was_durable_is_there_when_it_is_opened_again(medium: &dyn Medium) {
    let log = medium.open();
    let elected = Vote {
        term: 3,
        committed: true,
        node: Some(2),
    };
    vote(&*log, elected).unwrap();
    append(&*log, 3, 0..7);
    log.save_committed(id(3, 4)).unwrap();
    sync(&*log).unwrap();
    medium.end(log);
    let log = medium.open();
    assert_eq!(log.vote(), Some(elected));
    assert_eq!(log.committed(), Some(id(3, 4)));
    let bounds = LogBounds {
        purged: None,
        last: Some(id(3, 6)),
    };
    assert_eq!(log.bounds(), bounds);
    assert_eq!(log.read(0..7, u64::MAX).unwrap(), entries(3, 0..7));
}

fn truncations_and_purges_hold_when_it_is_opened_again(medium: &dyn Medium) {
    let log = medium.open();
    append(&*log, 1, 0..10);
    log.truncate_after(Some(6)).unwrap();
    append(&*log, 2, 7..9);
    log.purge_to(id(1, 3)).unwrap();
    sync(&*log).unwrap();
    medium.end(log);
    let log = medium.open();
    let bounds = LogBounds {
        purged: Some(id(1, 3)),
        last: Some(id(2, 8)),
    };
    assert_eq!(log.bounds(), bounds);
    assert_eq!(indices(&*log, 4..9), [4, 5, 6, 7, 8]);
    assert_eq!(log.read(7..8, 1).unwrap()[0].log_id, id(2, 7));
    assert!(log.read(3..5, u64::MAX).is_err(), "a purged entry was read");
}

fn what_is_found_is_a_first_part_of_what_was_written(medium: &dyn Medium) {
    let log = medium.open();
    append(&*log, 1, 0..1);
    for index in 1..200 {
        log.save_vote(granted(index, 1), Box::new(drop));
        log.append(entries(1, index..index + 1), Box::new(drop)).unwrap();
    }
    medium.end(log);
    let log = medium.open();
    let last = log.bounds().last.expect("what was durable is gone").index;
    let voted = log.vote().map_or(0, |vote| vote.term);
    assert!(
        voted == last || voted == last + 1,
        "votes up to {voted} with entries up to {last}"
    );
    assert_eq!(indices(&*log, 0..last + 1).len() as u64, last + 1);
}

fn the_completion_of_a_vote_stands_for_all_that_was_written_before(medium: &dyn Medium) {
    let log = medium.open();
    for index in 0..50 {
        log.append(entries(1, index..index + 1), Box::new(drop)).unwrap();
    }
    vote(&*log, granted(2, 1)).unwrap();
    medium.end(log);
    assert_eq!(medium.open().bounds().last, Some(id(1, 49)));
}

fn the_completion_of_an_append_stands_for_earlier_ones(medium: &dyn Medium) {
    let log = medium.open();
    for index in 0..500 {
        log.append(entries(1, index..index + 1), Box::new(drop)).unwrap();
    }
    append(&*log, 1, 500..501);
    medium.end(log);
    assert_eq!(medium.open().bounds().last, Some(id(1, 500)));
}

fn votes_are_each_told(medium: &dyn Medium) {
    let log = medium.open();
    let mut waiting = Vec::new();
    for term in 1..50 {
        let (done, durable) = completion();
        log.save_vote(granted(term, 1), done);
        waiting.push(durable);
    }
    waiting.iter().for_each(|durable| told(durable).unwrap());
}

fn appended_entries_can_be_read_on_return(medium: &dyn Medium) {
    let log = medium.open();
    for index in 0..50 {
        log.append(entries(1, index..index + 1), Box::new(drop)).unwrap();
        assert_eq!(log.read(index..index + 1, 1).unwrap(), [entry(1, index)]);
        assert_eq!(log.bounds().last, Some(id(1, index)));
    }
}

fn a_new_log_holds_nothing(medium: &dyn Medium) {
    let log = medium.open();
    assert_eq!(log.bounds(), LogBounds::default());
    assert_eq!((log.vote(), log.committed()), (None, None));
    assert!(!log.in_memory(0));
    assert!(log.read(0..1, 1).is_err());
}

fn refused<T: std::fmt::Debug>(result: io::Result<T>) {
    let error = result.expect_err("it was not refused");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
}

fn a_vote_never_goes_back(medium: &dyn Medium) {
    let log = medium.open();
    let later = granted(3, 2);
    vote(&*log, later).unwrap();
    refused(vote(&*log, granted(2, 1)));
    let other = granted(3, 1);
    refused(vote(&*log, other));
    assert_eq!(log.vote(), Some(later));
    vote(&*log, later).unwrap();
    let elected = Vote {
        committed: true,
        ..later
    };
    vote(&*log, elected).unwrap();
    append(&*log, 3, 0..1);
    medium.end(log);
    assert_eq!(medium.open().vote(), Some(elected));
}

fn entries_with_a_hole_are_refused_and_change_nothing(medium: &dyn Medium) {
    let log = medium.open();
    append(&*log, 1, 0..3);
    for holed in [
        vec![entry(1, 4)],
        vec![entry(1, 3), entry(1, 5)],
        vec![entry(1, 2)],
    ] {
        let (done, told) = completion();
        refused(log.append(holed, done));
        assert!(told.recv().is_err(), "it was refused and told");
        assert_eq!(log.bounds().last, Some(id(1, 2)));
    }
    append(&*log, 1, 3..5);
    medium.end(log);
    assert_eq!(medium.open().read(0..5, u64::MAX).unwrap(), entries(1, 0..5));
}

fn a_read_ends_at_the_byte_limit_but_gives_at_least_one(medium: &dyn Medium) {
    let log = medium.open();
    append(&*log, 1, 0..9);
    assert_eq!(log.read(2..9, 1).unwrap().len(), 1);
    assert_eq!(log.read(2..9, 150).unwrap().len(), 3);
    assert!(log.read(5..5, u64::MAX).unwrap().is_empty());
}

fn a_missing_entry_is_an_error(medium: &dyn Medium) {
    let log = medium.open();
    append(&*log, 1, 0..9);
    assert!(log.read(5..12, u64::MAX).is_err());
    log.truncate_after(Some(6)).unwrap();
    assert!(log.read(7..8, 1).is_err());
    assert_eq!(indices(&*log, 0..7).len(), 7);
}

fn what_is_called_in_memory_is_there(medium: &dyn Medium) {
    let log = medium.open();
    append(&*log, 1, 0..10);
    assert!(log.in_memory(9), "what came this moment is not in memory");
    let claimed: Vec<u64> = (0..12).filter(|index| log.in_memory(*index)).collect();
    assert_eq!(indices(&*log, claimed[0]..10), claimed, "all behind it as well");
    log.truncate_after(Some(8)).unwrap();
    assert!(!log.in_memory(9));
}

fn a_truncation_comes_before_the_next_append(medium: &dyn Medium) {
    let log = medium.open();
    append(&*log, 1, 0..5);
    log.truncate_after(Some(2)).unwrap();
    append(&*log, 2, 3..5);
    log.truncate_after(Some(9)).unwrap();
    let kept = [entries(1, 0..3), entries(2, 3..5)].concat();
    assert_eq!(log.read(0..5, u64::MAX).unwrap(), kept);
    medium.end(log);
    let log = medium.open();
    assert_eq!(log.read(0..5, u64::MAX).unwrap(), kept);
    log.truncate_after(None).unwrap();
    assert_eq!(log.bounds().last, None);
    append(&*log, 3, 0..1);
    medium.end(log);
    assert_eq!(medium.open().bounds().last, Some(id(3, 0)));
}

fn what_was_hinted_as_committed_is_not_truncated(medium: &dyn Medium) {
    let log = medium.open();
    append(&*log, 1, 0..5);
    log.save_committed(id(1, 2)).unwrap();
    refused(log.truncate_after(Some(1)));
    refused(log.truncate_after(None));
    assert_eq!(log.bounds().last, Some(id(1, 4)));
    log.truncate_after(Some(2)).unwrap();
    append(&*log, 2, 3..4);
}

fn a_hint_is_never_newer_than_the_log_and_never_goes_back(medium: &dyn Medium) {
    let log = medium.open();
    log.save_committed(id(1, 3)).unwrap();
    assert_eq!(log.committed(), None, "the log is empty");
    append(&*log, 1, 0..5);
    log.save_committed(id(1, 3)).unwrap();
    log.save_committed(id(1, 2)).unwrap();
    assert_eq!(log.committed(), Some(id(1, 3)));
    log.save_committed(id(1, 9)).unwrap();
    assert_eq!(log.committed(), Some(id(1, 4)));
}

fn a_purge_may_pass_the_last_entry_and_never_goes_back(medium: &dyn Medium) {
    let log = medium.open();
    append(&*log, 1, 0..3);
    log.purge_to(id(4, 20)).unwrap();
    log.purge_to(id(1, 1)).unwrap();
    sync(&*log).unwrap();
    let bounds = LogBounds {
        purged: Some(id(4, 20)),
        last: Some(id(4, 20)),
    };
    assert_eq!(log.bounds(), bounds);
    assert!(log.read(2..3, 1).is_err());
    append(&*log, 4, 21..22);
    medium.end(log);
    let log = medium.open();
    assert_eq!(indices(&*log, 21..22), [21]);
    assert_eq!(log.bounds().purged, bounds.purged);
}

fn what_is_told_as_durable_stands_and_outlives_the_log(medium: &dyn Medium) {
    let log = medium.open();
    assert_eq!(log.durable_up_to(9), None);
    append(&*log, 1, 0..6);
    assert_eq!(
        [3, 9].map(|index| log.durable_up_to(index)),
        [3, 5].map(|index| Some(id(1, index)))
    );
    log.truncate_after(Some(2)).unwrap();
    assert!(
        log.durable_up_to(9) <= Some(id(1, 2)),
        "what was truncated is told"
    );
    append(&*log, 2, 3..4);
    assert_eq!(log.durable_up_to(9), Some(id(2, 3)));
    log.purge_to(id(1, 1)).unwrap();
    sync(&*log).unwrap();
    assert_eq!(
        [0, 1].map(|index| log.durable_up_to(index)),
        [None, Some(id(1, 1))]
    );
    let mut told = None;
    for index in 4..200 {
        log.append(entries(2, index..index + 1), Box::new(drop)).unwrap();
        told = log.durable_up_to(index);
    }
    medium.end(log);
    assert!(medium.open().bounds().last >= told, "{told:?} is gone");
}

fn after_a_failed_write_every_later_call_fails(medium: &dyn Medium) {
    let log = medium.open();
    append(&*log, 1, 0..1);
    medium.break_disk();
    let failed = (1..WRITES_MAX).find(|index| {
        let (done, durable) = completion();
        match log.append(entries(1, *index..index + 1), done) {
            Ok(()) => told(&durable).is_err(),
            Err(_) => true,
        }
    });
    let next = failed.expect("nothing failed") + 1;
    for _ in 0..2 {
        assert!(sync(&*log).is_err(), "a sync said success");
        assert!(vote(&*log, granted(9, 1)).is_err(), "a vote said success");
        let appended = log.append(entries(1, next..next + 1), Box::new(drop));
        assert!(appended.is_err(), "an append was taken");
        assert!(log.read(0..1, 1).is_err(), "a read was answered");
        assert!(log.truncate_after(None).is_err());
        assert!(log.purge_to(id(1, 0)).is_err());
        assert!(log.save_committed(id(1, 0)).is_err());
    }
}

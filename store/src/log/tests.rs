//! One suite for all who implement [`LogStore`], and what becomes of damaged files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use bytes::Bytes;

use super::*;

/// Longest wait for a disk that is alive.
const DISK_WAIT: Duration = Duration::from_secs(20);

fn id(term: u64, index: u64) -> LogId {
    LogId { term, node: 1, index }
}

fn entry(term: u64, index: u64) -> LogEntry {
    let payload = match index % 3 {
        0 => Payload::Blank,
        1 => Payload::Membership(Bytes::from_static(b"members")),
        _ => Payload::Normal(Bytes::from(vec![u8::try_from(index % 251).unwrap(); 100])),
    };
    LogEntry {
        log_id: id(term, index),
        payload,
    }
}

fn completion() -> (Completion, Receiver<std::io::Result<()>>) {
    let (sender, receiver) = sync_channel(1);
    (
        Box::new(move |result| sender.send(result).expect("the test waits")),
        receiver,
    )
}

fn synced(log: &RaftLogStore) {
    let (done, synced) = completion();
    log.sync(done);
    synced.recv_timeout(DISK_WAIT).unwrap().unwrap();
}

fn append(log: &RaftLogStore, term: u64, indices: std::ops::Range<u64>) {
    let (done, durable) = completion();
    log.append(indices.map(|index| entry(term, index)).collect(), done)
        .unwrap();
    durable.recv_timeout(DISK_WAIT).unwrap().unwrap();
}

fn vote(log: &RaftLogStore, vote: Vote) -> std::io::Result<()> {
    let (done, durable) = completion();
    log.save_vote(vote, done);
    durable.recv_timeout(DISK_WAIT).unwrap()
}

fn indices(log: &RaftLogStore, range: std::ops::Range<u64>) -> Vec<u64> {
    log.read(range, u64::MAX)
        .unwrap()
        .iter()
        .map(|entry| entry.log_id.index)
        .collect()
}

#[test]
fn what_was_durable_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let log = RaftLogStore::open(directory.path()).unwrap();
    let elected = Vote {
        term: 3,
        committed: true,
        node: Some(2),
    };
    vote(&log, elected).unwrap();
    append(&log, 3, 0..7);
    log.save_committed(id(3, 4)).unwrap();
    synced(&log);
    drop(log);
    let log = RaftLogStore::open(directory.path()).unwrap();
    assert_eq!(log.vote(), Some(elected));
    assert_eq!(log.committed(), Some(id(3, 4)));
    assert_eq!(
        log.bounds(),
        LogBounds {
            purged: None,
            last: Some(id(3, 6))
        }
    );
    let expected: Vec<LogEntry> = (0..7).map(|index| entry(3, index)).collect();
    assert_eq!(log.read(0..7, u64::MAX).unwrap(), expected);
}

#[test]
fn a_vote_never_goes_back() {
    let directory = tempfile::tempdir().unwrap();
    let log = RaftLogStore::open(directory.path()).unwrap();
    let later = Vote {
        term: 3,
        committed: false,
        node: Some(2),
    };
    vote(&log, later).unwrap();
    assert!(
        vote(
            &log,
            Vote {
                term: 2,
                committed: true,
                node: Some(1)
            }
        )
        .is_err()
    );
    assert_eq!(log.vote(), Some(later));
    append(&log, 3, 0..1);
}

#[test]
fn truncation_and_purging_hold_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let log = RaftLogStore::open(directory.path()).unwrap();
    append(&log, 1, 0..10);
    log.truncate_after(Some(6)).unwrap();
    append(&log, 2, 7..9);
    log.purge_to(id(1, 3)).unwrap();
    synced(&log);
    drop(log);
    let log = RaftLogStore::open(directory.path()).unwrap();
    assert_eq!(
        log.bounds(),
        LogBounds {
            purged: Some(id(1, 3)),
            last: Some(id(2, 8))
        }
    );
    assert_eq!(indices(&log, 4..9), [4, 5, 6, 7, 8]);
    assert!(log.read(3..5, u64::MAX).is_err(), "a purged entry was read");
}

#[test]
fn purging_may_pass_the_last_entry() {
    let directory = tempfile::tempdir().unwrap();
    let log = RaftLogStore::open(directory.path()).unwrap();
    append(&log, 1, 0..3);
    log.purge_to(id(4, 20)).unwrap();
    synced(&log);
    assert_eq!(
        log.bounds(),
        LogBounds {
            purged: Some(id(4, 20)),
            last: Some(id(4, 20))
        }
    );
    append(&log, 4, 21..22);
    assert_eq!(indices(&log, 21..22), [21]);
}

#[test]
fn a_read_ends_at_the_byte_limit_but_gives_at_least_one() {
    let directory = tempfile::tempdir().unwrap();
    let log = RaftLogStore::open(directory.path()).unwrap();
    append(&log, 1, 0..9);
    assert_eq!(log.read(2..9, 1).unwrap().len(), 1);
    assert_eq!(log.read(2..9, 150).unwrap().len(), 3);
    assert!(log.read(5..12, u64::MAX).is_err(), "a missing entry is an error");
    assert!(log.read(5..5, u64::MAX).unwrap().is_empty());
}

#[test]
fn a_crowd_of_writers_is_answered_by_its_newest_append() {
    let directory = tempfile::tempdir().unwrap();
    let log = RaftLogStore::open(directory.path()).unwrap();
    for index in 0..500 {
        log.append(vec![entry(1, index)], Box::new(|_| ())).unwrap();
    }
    append(&log, 1, 500..501);
    drop(log);
    let log = RaftLogStore::open(directory.path()).unwrap();
    assert_eq!(log.bounds().last, Some(id(1, 500)));
}

#[test]
fn two_processes_cannot_share_a_log() {
    let directory = tempfile::tempdir().unwrap();
    let _first = RaftLogStore::open(directory.path()).unwrap();
    assert!(RaftLogStore::open(directory.path()).is_err());
}

/// Writes ten entries and gives the file that holds them.
fn written(directory: &Path) -> PathBuf {
    let log = RaftLogStore::open(directory).unwrap();
    append(&log, 1, 0..10);
    drop(log);
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wal"));
    files.sort();
    files.pop().unwrap()
}

#[test]
fn a_torn_tail_is_cut_and_the_rest_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path());
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
    let log = RaftLogStore::open(directory.path()).unwrap();
    assert_eq!(log.bounds().last, Some(id(1, 8)));
    append(&log, 1, 9..10);
    assert_eq!(indices(&log, 0..10).len(), 10);
}

#[test]
fn damage_in_the_middle_is_refused_with_a_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path());
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&file, bytes).unwrap();
    let error = RaftLogStore::open(directory.path())
        .expect_err("damage was not found")
        .to_string();
    assert!(error.contains("must not go on with it"), "{error}");
}

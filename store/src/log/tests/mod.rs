//! Claims about the durable log: one contract for all who implement [`Log`], then what only files can show.

mod contract;
mod faulty;
mod files;

use std::io;
use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::disk::Disk;

/// Longest wait for a disk that is alive.
const DISK_WAIT: Duration = Duration::from_secs(20);

/// Size of files in bytes: so small that ten entries fill several.
const SMALL_FILE: usize = 400;

fn id(term: u64, index: u64) -> LogId {
    LogId { term, index }
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

fn entries(term: u64, indices: Range<u64>) -> Vec<LogEntry> {
    indices.map(|index| entry(term, index)).collect()
}

fn granted(term: u64, node: u64) -> Vote {
    Vote {
        term,
        committed: false,
        node: Some(node),
    }
}

fn completion() -> (Completion, Receiver<io::Result<()>>) {
    let (sender, receiver) = sync_channel(1);
    (
        // A test that has seen enough waits no more.
        Box::new(move |result| drop(sender.send(result))),
        receiver,
    )
}

/// What a completion was told; a panic if it never is.
fn told(completed: &Receiver<io::Result<()>>) -> io::Result<()> {
    completed
        .recv_timeout(DISK_WAIT)
        .expect("a completion was never called")
}

fn sync(log: &dyn Log) -> io::Result<()> {
    let (done, synced) = completion();
    log.sync(done);
    told(&synced)
}

fn append(log: &dyn Log, term: u64, indices: Range<u64>) {
    let (done, durable) = completion();
    log.append(entries(term, indices), done).unwrap();
    told(&durable).unwrap();
}

fn vote(log: &dyn Log, vote: Vote) -> io::Result<()> {
    let (done, durable) = completion();
    log.save_vote(vote, done);
    told(&durable)
}

fn indices(log: &dyn Log, range: Range<u64>) -> Vec<u64> {
    log.read(range, u64::MAX)
        .unwrap()
        .iter()
        .map(|entry| entry.log_id.index)
        .collect()
}

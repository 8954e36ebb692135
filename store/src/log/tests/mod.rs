//! Claims about the durable log: one contract for all who implement [`Log`], then what only files can show.

mod closing;
mod contract;
mod encoded;
mod full;
mod fuzz;
mod parts;
mod power;
mod workers;

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use bytes::Bytes;

use super::core::{Core, Progress};
use super::housekeeping::Housekeeper;
use super::opening::LogSetup;
use super::writer::LogWriter;
use super::*;
use crate::disk::Disk;
use remora_table::{Format, Formats};

/// Longest wait for a disk that is alive.
const DISK_WAIT: Duration = Duration::from_secs(20);

/// Size of segments in bytes: a label and three pages, so that every fourth group begins another one.
const SMALL: u64 = 4 * 4_096;

/// A log of a disk that has not voted, in small segments.
const SETUP: LogSetup = LogSetup {
    owner: DiskId(0xd15c),
    voted: false,
    format: Format::FIRST,
    understood: Formats::OURS,
    segment_bytes: SMALL,
};

/// A log whose workers a test drives.
struct Driven {
    log: FileLog,
    core: Arc<Core>,
    writer: LogWriter,
    housekeeper: Housekeeper,
}

impl Driven {
    fn open(disk: &Disk, directory: &Path, setup: LogSetup) -> io::Result<Self> {
        let DrivenLog { log, workers } = DrivenLog::open_in(disk, directory, setup)?;
        Ok(Self {
            log,
            core: workers.core,
            writer: workers.writer,
            housekeeper: workers.housekeeper,
        })
    }

    /// Lets the workers do all that there is to do.
    fn settle(&mut self) {
        while self.writer.step() != Progress::None || self.housekeeper.step() != Progress::None {}
    }

    /// Appends and lets the workers do all that there is to do; what the completion was told.
    fn append(&mut self, entries: Vec<LogEntry>) -> io::Result<()> {
        let (done, durable) = completion();
        self.log.append(entries, done)?;
        self.settle();
        durable.try_recv().expect("it was told")
    }

    fn vote(&mut self, vote: Vote) -> io::Result<()> {
        let (done, durable) = completion();
        self.log.save_vote(vote, done);
        self.settle();
        durable.try_recv().expect("it was told")
    }

    /// Ends the log as a process does that has time for it.
    fn close(mut self) {
        self.settle();
        self.writer.close().unwrap();
    }
}

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

/// Waits until everything that was written is durable.
fn sync(log: &dyn Log) -> io::Result<()> {
    let (done, synced) = completion();
    log.append(Vec::new(), done)?;
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

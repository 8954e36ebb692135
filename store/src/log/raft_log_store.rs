//! The log store over the raft-log crate: the only file that names it.

use std::io;
use std::ops::Range;
use std::path::Path;

use super::types::{Completion, LogBounds, LogEntry, LogId, LogStore, Vote};

/// A log in a directory. Clones share it.
#[derive(Clone, Debug)]
pub struct RaftLogStore {}

impl RaftLogStore {
    /// Opens or creates the log. Reads all of it: not for a runtime's thread.
    pub fn open(_directory: &Path) -> io::Result<Self> {
        todo!()
    }
}

impl LogStore for RaftLogStore {
    fn bounds(&self) -> LogBounds {
        todo!()
    }
    fn vote(&self) -> Option<Vote> {
        todo!()
    }
    fn committed(&self) -> Option<LogId> {
        todo!()
    }
    fn save_vote(&self, _vote: Vote, _done: Completion) {
        todo!()
    }
    fn save_committed(&self, _committed: LogId) -> io::Result<()> {
        todo!()
    }
    fn append(&self, _entries: Vec<LogEntry>, _done: Completion) -> io::Result<()> {
        todo!()
    }
    fn read(&self, _range: Range<u64>, _bytes_max: u64) -> io::Result<Vec<LogEntry>> {
        todo!()
    }
    fn truncate_after(&self, _last: Option<u64>) -> io::Result<()> {
        todo!()
    }
    fn purge_to(&self, _upto: LogId) -> io::Result<()> {
        todo!()
    }
    fn sync(&self, _done: Completion) {
        todo!()
    }
}

//! The newest entries of the log, in memory: for followers that are close behind, and for apply.
//!
//! Invariant: what is not on disk yet stays, whatever it weighs; so everything from the first entry here to the end of the
//! log can be read without the disk. Left out: what was there when the log was opened, which is read from the disk.

use std::collections::VecDeque;

use super::types::LogEntry;

/// Entries kept in memory, in bytes of what they hold: some seconds of full load, so that a follower that stumbled needs no
/// disk.
pub(super) const RECENT_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The newest entries, without a gap up to the end of the log.
#[derive(Debug)]
pub(super) struct Recent {
    entries: VecDeque<LogEntry>,
    bytes: u64,
    bytes_max: u64,
}

impl Recent {
    /// None, with room for so many bytes.
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// An entry was appended.
    pub(super) fn appended(&mut self, entry: LogEntry) {
        self.bytes += entry.payload.bytes();
        self.entries.push_back(entry);
    }

    /// Every entry from this index on was removed.
    pub(super) fn truncated(&mut self, index: u64) {
        while let Some(entry) = self.entries.pop_back_if(|entry| entry.log_id.index >= index) {
            self.bytes -= entry.payload.bytes();
        }
    }

    /// Every entry up to this index was removed.
    pub(super) fn purged(&mut self, index: u64) {
        self.shrink(|entry| entry.log_id.index <= index);
    }

    /// Gives up the oldest entries that are on disk, until what stays has room.
    pub(super) fn make_room(&mut self, is_written: impl Fn(u64) -> bool) {
        let too_much = self.bytes.saturating_sub(self.bytes_max);
        let mut freed = 0;
        self.shrink(|entry| {
            let goes = freed < too_much && is_written(entry.log_id.index);
            freed += entry.payload.bytes();
            goes
        });
    }

    fn shrink(&mut self, mut goes: impl FnMut(&LogEntry) -> bool) {
        while let Some(entry) = self.entries.pop_front_if(|entry| goes(entry)) {
            self.bytes -= entry.payload.bytes();
        }
    }

    /// An entry, if it is here.
    pub(super) fn get(&self, index: u64) -> Option<&LogEntry> {
        let first = self.entries.front()?.log_id.index;
        self.entries.get(usize::try_from(index.checked_sub(first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{LogId, Payload};

    fn recent(weights: &[usize]) -> Recent {
        let mut recent = Recent::new(100);
        for (index, weight) in (3..).zip(weights) {
            recent.appended(LogEntry {
                log_id: LogId { term: 1, index },
                payload: Payload::Normal(vec![0; *weight].into()),
            });
        }
        recent
    }

    fn held(recent: &Recent) -> Vec<u64> {
        (0..20).filter(|index| recent.get(*index).is_some()).collect()
    }

    #[test]
    fn the_oldest_that_are_on_disk_go_first() {
        let mut recent = recent(&[30, 30, 30, 30, 30]);
        recent.make_room(|index| index < 4);
        assert_eq!(held(&recent), [4, 5, 6, 7], "what is not on disk stays");
        recent.make_room(|_| true);
        assert_eq!(held(&recent), [5, 6, 7]);
        recent.make_room(|_| true);
        assert_eq!(held(&recent), [5, 6, 7], "they have room");
    }

    #[test]
    fn what_is_larger_than_the_room_goes_once_it_is_on_disk() {
        let mut recent = recent(&[30, 101]);
        recent.make_room(|_| false);
        assert_eq!(held(&recent), [3, 4]);
        recent.make_room(|_| true);
        assert!(held(&recent).is_empty());
    }

    #[test]
    fn what_was_removed_from_the_log_is_not_here() {
        let mut recent = recent(&[40, 40, 40, 40, 40]);
        recent.truncated(6);
        recent.purged(3);
        assert_eq!((held(&recent), recent.bytes), (vec![4, 5], 80));
    }
}

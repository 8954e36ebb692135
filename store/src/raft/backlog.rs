//! What the log behind the table weighs, in bytes by position: what says when the next snapshot is due, and how far the log
//! may be purged behind one.
//!
//! Entries differ in size by a factor of ten thousand, so a count of entries says nothing about a disk. Nor does their length
//! alone: a lone save of 200 bytes takes a page of 4 KiB. So what counts is what the log wrote, or while a start replays what
//! was written before, the length. Positions are marked about every 64th part of what is kept, so that a purge leaves that
//! much and hardly more.
//!
//! Invariant: an entry is purged only if an image holds it, and only if all behind it up to the image weigh at least what
//! is kept.
//!
//! Left out: what the log's files add, and what lies in the log from before this node's start, which the first purge takes.

use std::collections::VecDeque;

/// What an entry takes beside its commands at least, in bytes.
const ENTRY_BYTES: u64 = 64;
/// Marks within what is kept.
const MARKS_KEPT: u64 = 64;

/// A position, and what was written up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Weighed {
    index: u64,
    bytes: u64,
}

/// Bytes that the log wrote since it was opened.
pub(super) type LogWritten = Box<dyn Fn() -> u64 + Send>;

/// Bytes of the log by position, counted as entries are applied.
pub(super) struct Backlog {
    /// Bytes kept behind an image.
    keep: u64,
    written: LogWritten,
    /// What that said last.
    seen: u64,
    /// Written, and not counted for an entry yet.
    ahead: u64,
    last: Weighed,
    /// `last.bytes` when the newest image was taken.
    imaged: u64,
    /// Index that an image must reach which somebody asked for.
    wanted: Option<u64>,
    /// Rising; the first is where the count began or what was purged last.
    marks: VecDeque<Weighed>,
}

impl Backlog {
    /// Of a log of which so many bytes are kept behind an image.
    pub(super) fn new(keep: u64, written: LogWritten) -> Self {
        Self {
            keep,
            written,
            seen: 0,
            ahead: 0,
            last: Weighed { index: 0, bytes: 0 },
            imaged: 0,
            wanted: None,
            marks: VecDeque::new(),
        }
    }

    /// An entry with so many bytes of commands was applied.
    pub(super) fn applied(&mut self, index: u64, commands: usize) {
        let written = (self.written)();
        let (new, own) = (written - self.seen, commands as u64 + ENTRY_BYTES);
        self.seen = written;
        self.ahead += new;
        self.last = Weighed {
            index,
            bytes: self.last.bytes + new + own.saturating_sub(self.ahead),
        };
        self.ahead = self.ahead.saturating_sub(own);
        let marked = self.marks.back().map_or(0, |mark| mark.bytes);
        if self.last.bytes - marked >= self.keep / MARKS_KEPT {
            self.marks.push_back(self.last);
        }
    }

    /// An image of all that was applied is taken.
    pub(super) fn image_taken(&mut self) {
        self.imaged = self.last.bytes;
        if self.marks.back() != Some(&self.last) {
            self.marks.push_back(self.last);
        }
    }

    /// Another node needs an image that reaches this index, however little was written since the newest.
    pub(super) fn want_image(&mut self, reaches: u64) {
        self.wanted = self.wanted.max(Some(reaches));
    }

    /// What was asked for since this was called last, if an image that ends at `imaged` does not reach it.
    pub(super) fn take_wanted(&mut self, imaged: Option<u64>) -> bool {
        self.wanted.take() > imaged
    }

    /// An image that ends at this position is in place of all that was applied.
    pub(super) fn image_installed(&mut self, index: u64) {
        self.last.index = index;
        self.marks.clear();
        self.image_taken();
    }

    /// Bytes that were written behind a position, up to a mark's distance too many; none where the count does not reach so far
    /// back.
    pub(super) fn bytes_behind(&self, index: Option<u64>) -> Option<u64> {
        let mark = self.marks.iter().rev().find(|mark| Some(mark.index) <= index)?;
        Some(self.last.bytes - mark.bytes)
    }

    /// Bytes written since the newest image was taken.
    pub(super) fn bytes_since_image(&self) -> u64 {
        self.last.bytes - self.imaged
    }

    /// Up to where the log may be purged behind an image that ends at `index`, if that is further than before.
    pub(super) fn purgeable(&mut self, index: u64) -> Option<u64> {
        let image = self.marks.iter().find(|mark| mark.index == index)?;
        let most = image.bytes.checked_sub(self.keep)?;
        let light = self.marks.partition_point(|mark| mark.bytes <= most);
        let purged = light.checked_sub(1)?;
        self.marks.drain(..purged);
        self.marks.front().map(|mark| mark.index)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// So many bytes of commands make an entry of 1,000.
    const COMMANDS: usize = 936;

    fn written(backlog: &mut Backlog, entries: std::ops::RangeInclusive<u64>) {
        entries.for_each(|index| backlog.applied(index, COMMANDS));
    }

    #[test]
    fn what_is_kept_behind_an_image_is_weighed_not_counted() {
        let mut backlog = Backlog::new(10_000, Box::new(|| 0));
        written(&mut backlog, 1..=100);
        assert_eq!(backlog.bytes_since_image(), 100_000);
        backlog.image_taken();
        assert_eq!(backlog.bytes_since_image(), 0);
        written(&mut backlog, 101..=150);
        assert_eq!(
            backlog.purgeable(100),
            Some(90),
            "what came while the image was written stays"
        );
        backlog.applied(151, 900_000);
        backlog.image_taken();
        assert_eq!(backlog.purgeable(151), Some(150), "one entry outweighs many");
        assert_eq!(backlog.purgeable(150), None, "no image ends there");
    }

    #[test]
    fn an_image_in_place_of_all_that_was_applied_begins_a_new_count() {
        let mut backlog = Backlog::new(10_000, Box::new(|| 0));
        written(&mut backlog, 1..=30);
        backlog.image_installed(500);
        assert_eq!(backlog.bytes_since_image(), 0);
        assert_eq!(backlog.purgeable(500), None);
        written(&mut backlog, 501..=505);
        backlog.image_taken();
        assert_eq!(backlog.purgeable(505), None, "it weighs less than what is kept");
        written(&mut backlog, 506..=520);
        backlog.image_taken();
        assert_eq!(backlog.purgeable(520), Some(510));
    }
    #[test]
    fn what_the_log_wrote_counts_once_and_its_padding_too() {
        const PAGE: u64 = 4_096;
        let log = Arc::new(AtomicU64::new(0));
        let written = Arc::clone(&log);
        let mut backlog = Backlog::new(0, Box::new(move || written.load(Ordering::Relaxed)));
        log.fetch_add(PAGE, Ordering::Relaxed);
        backlog.applied(1, COMMANDS);
        assert_eq!(backlog.bytes_since_image(), PAGE, "a page of a lone entry");
        log.fetch_add(PAGE, Ordering::Relaxed);
        (2..=5).for_each(|index| backlog.applied(index, COMMANDS));
        assert_eq!(backlog.bytes_since_image(), 2 * PAGE, "a page of several");
    }
}

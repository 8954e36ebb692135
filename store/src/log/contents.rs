//! What the log holds: its state, and where each of its entries is. Pure; the same rules for whoever writes and for the
//! records that are found when a log is opened.
//!
//! Invariants: votes and purges never go back; entries follow each other; what was hinted as committed is not truncated. A
//! change that breaks one is refused and changes nothing.
//!
//! Left out: the entries themselves, which are in memory (`recent`) or on disk.

use std::collections::VecDeque;
use std::io;

use super::record::Record;
use super::segment::Extent;
use super::types::{LogId, LogState, Vote};

/// State and places of a log.
#[derive(Debug, Default)]
pub(super) struct Contents {
    state: LogState,
    /// The entry before the first one that has a place.
    before: Option<LogId>,
    /// Index of the first entry that has a place, or of the next one.
    first: u64,
    slots: VecDeque<Slot>,
}

/// One entry.
#[derive(Clone, Copy, Debug)]
struct Slot {
    term: u64,
    place: Place,
}

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In memory only, under the number that its append drew.
    Queued(u64),
    /// On disk, in this use of a segment.
    Written(u64, Extent),
}

impl Contents {
    /// Of a log whose first segment begins with this.
    pub(super) fn begin(state: LogState) -> Self {
        Self {
            state,
            before: state.last,
            first: state.last.map_or(0, |last| last.index + 1),
            slots: VecDeque::new(),
        }
    }

    /// All but the entries.
    pub(super) fn state(&self) -> LogState {
        self.state
    }

    /// Index of the first entry that is there, or of the next one.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Index of the next entry.
    pub(super) fn next(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// Where an entry is; none if it is not there.
    pub(super) fn place(&self, index: u64) -> Option<Place> {
        self.slot(index).map(|slot| slot.place)
    }

    /// Whether an entry is on disk.
    pub(super) fn is_written(&self, index: u64) -> bool {
        matches!(self.place(index), Some(Place::Written(..)))
    }

    /// The identity of an entry that is there.
    pub(super) fn id(&self, index: u64) -> Option<LogId> {
        let term = self.slot(index)?.term;
        Some(LogId { term, index })
    }

    /// The last entry that would be left of those up to `last`.
    pub(super) fn last_up_to(&self, last: Option<u64>) -> Option<LogId> {
        last.and_then(|last| self.id(last)).or(self.before)
    }

    fn slot(&self, index: u64) -> Option<&Slot> {
        self.slots.get(position(index.checked_sub(self.first)?))
    }

    /// Takes a vote.
    pub(super) fn vote(&mut self, vote: Vote) -> io::Result<()> {
        if self.state.vote > Some(vote) {
            return Err(refused("a vote goes back"));
        }
        self.state.vote = Some(vote);
        Ok(())
    }

    /// Takes an entry behind the last one; the first one of an empty log may stand anywhere.
    pub(super) fn append(&mut self, id: LogId, place: Place) -> io::Result<()> {
        match self.state.last {
            Some(last) if last.index + 1 != id.index => {
                return Err(refused("entries to append leave a hole"));
            }
            Some(_) => {}
            None => self.first = id.index,
        }
        self.slots.push_back(Slot { term: id.term, place });
        self.state.last = Some(id);
        Ok(())
    }

    /// Refuses a truncation that would pass what is committed.
    pub(super) fn may_truncate_after(&self, last: Option<u64>) -> io::Result<()> {
        if self.state.committed.map(|committed| committed.index) > last {
            return Err(refused("a committed entry would be truncated"));
        }
        Ok(())
    }

    /// Removes every entry behind `last`.
    pub(super) fn truncate_after(&mut self, last: Option<LogId>) {
        let next = last.map_or(0, |last| last.index + 1);
        self.slots.truncate(position(next.saturating_sub(self.first)));
        if next < self.first {
            self.first = next;
            self.before = last;
        }
        self.state.last = last;
    }

    /// Removes every entry up to `upto`; says whether that is news.
    pub(super) fn purge_to(&mut self, upto: LogId) -> bool {
        if self.state.purged.is_some_and(|purged| purged.index >= upto.index) {
            return false;
        }
        self.state.purged = Some(upto);
        if self.first <= upto.index {
            let gone = position(upto.index + 1 - self.first).min(self.slots.len());
            self.slots.drain(..gone);
            self.first = upto.index + 1;
            self.before = Some(upto);
        }
        if self.state.last.is_none_or(|last| last.index <= upto.index) {
            self.state.last = Some(upto);
        }
        true
    }

    /// What of a commit position is news, cut to the last entry.
    pub(super) fn commit(&mut self, committed: LogId) -> Option<LogId> {
        let hint = committed.min(self.state.last?);
        (self.state.committed < Some(hint)).then(|| *self.state.committed.insert(hint))
    }

    /// The entry of this append is on disk now, in this use of a segment, if it is still there.
    pub(super) fn written(&mut self, (index, serial): (u64, u64), generation: u64, extent: Extent) {
        let slot = index
            .checked_sub(self.first)
            .and_then(|at| self.slots.get_mut(position(at)));
        if let Some(slot) = slot.filter(|slot| slot.place == Place::Queued(serial)) {
            slot.place = Place::Written(generation, extent);
        }
    }

    /// Takes a record that was found, in the order in which it was written.
    pub(super) fn replay(&mut self, record: Record, generation: u64, extent: Extent) -> io::Result<()> {
        match record {
            Record::Vote(vote) => self.vote(vote),
            Record::Entry(entry) => self.append(entry.log_id, Place::Written(generation, extent)),
            Record::Truncate(last) => {
                self.truncate_after(last);
                Ok(())
            }
            Record::Purge(upto) => {
                self.purge_to(upto);
                Ok(())
            }
            Record::Committed(committed) => {
                self.commit(committed);
                Ok(())
            }
            Record::Label { .. } | Record::Mark { .. } | Record::Head(_) => {
                Err(refused("a record stands where none of its kind may"))
            }
        }
    }
}

impl LogState {
    /// What it is once a record was written.
    pub(super) fn after(&mut self, record: &Record) {
        match record {
            Record::Vote(vote) => self.vote = Some(*vote),
            Record::Entry(entry) => self.last = Some(entry.log_id),
            Record::Truncate(last) => self.last = *last,
            Record::Purge(upto) => {
                self.purged = Some(*upto);
                if self.last.is_none_or(|last| last.index <= upto.index) {
                    self.last = Some(*upto);
                }
            }
            Record::Committed(committed) => self.committed = Some(*committed),
            Record::Label { .. } | Record::Mark { .. } | Record::Head(_) => {}
        }
    }
}

/// A distance within what is in memory.
fn position(distance: u64) -> usize {
    usize::try_from(distance).unwrap_or(usize::MAX)
}

/// The refusal of what contradicts the log.
pub(super) fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why.to_owned())
}

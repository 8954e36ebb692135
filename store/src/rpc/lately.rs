//! What happened to sessions lately, as far as this node has applied the log: one ring, out of which all who watch read.
//!
//! A watch is a place in the order of the log ([`Moment`]), and nothing here is kept for it. So who watches slowly holds nobody
//! up: what it has not read is overwritten, and when it reads on, it hears that. A place means the same on every node, because
//! all of them apply the same entries; so a watch can go on at another one, as far back as that one remembers.
//!
//! Invariants: everything that the table has told at or behind `from` is in the ring, in order; the ring holds no more than
//! [`REMEMBERED_BYTES_MAX`]; whoever applies the log waits at most for a read of [`READ_MAX`] references.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use remora_table::{Happening, What};

/// Bytes of happenings that are remembered: some 10,000 of sessions with a label, many seconds of a busy site, in which a
/// watch can go on elsewhere.
const REMEMBERED_BYTES_MAX: usize = 4 << 20;

/// Bytes that one takes beside its labels, about.
const HAPPENING_BYTES: usize = 256;

/// Happenings read at a time: with the longest labels a message of them stays below the limit of 4 MiB.
pub(super) const READ_MAX: usize = 256;

/// A place in the order of what happens: before the nth thing that the entry at an index of the log tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) index: u64,
    pub(super) nth: u32,
}

impl Moment {
    /// Before all that the entry at this index tells.
    pub(super) fn before(index: u64) -> Moment {
        Moment { index, nth: 0 }
    }

    /// Behind the entry at this index.
    pub(super) fn behind(index: u64) -> Moment {
        Moment::before(index.saturating_add(1))
    }
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Glance {
    /// In order.
    pub(super) happenings: Vec<Arc<Happening>>,
    /// Whether something that is forgotten may have happened before these.
    pub(super) missed: bool,
    /// Whether nothing is left to read.
    pub(super) all: bool,
    /// Where to read on.
    pub(super) next: Moment,
}

/// The ring.
#[derive(Debug, Default)]
pub(super) struct Lately(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    told: VecDeque<(Moment, Arc<Happening>)>,
    bytes: usize,
    /// What happened before is forgotten.
    from: Moment,
}

impl Lately {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the entry at an index told.
    pub(super) fn add(&self, index: u64, happenings: Vec<Happening>) {
        let mut ring = self.ring();
        for (nth, happening) in (0..).zip(happenings) {
            ring.bytes += bytes(&happening);
            ring.told.push_back((Moment { index, nth }, Arc::new(happening)));
        }
        while ring.bytes > REMEMBERED_BYTES_MAX {
            let Some((place, forgotten)) = ring.told.pop_front() else {
                break;
            };
            ring.bytes -= bytes(&forgotten);
            ring.from = Moment {
                nth: place.nth + 1,
                ..place
            };
        }
    }

    /// Nobody here knows what the entries up to this index told.
    pub(super) fn skip(&self, index: u64) {
        *self.ring() = Ring {
            from: Moment::behind(index),
            ..Ring::default()
        };
    }

    /// Behind everything that was told up to now.
    pub(super) fn end(&self) -> Moment {
        let ring = self.ring();
        let last = ring.told.back();
        last.map_or(ring.from, |(place, _)| Moment {
            nth: place.nth + 1,
            ..*place
        })
    }

    /// Reads on from a place.
    pub(super) fn read(&self, from: Moment) -> Glance {
        let ring = self.ring();
        let first = ring.told.partition_point(|(place, _)| *place < from);
        let last = ring.told.len().min(first + READ_MAX);
        let read = ring.told.range(first..last);
        let next = read.clone().next_back().map_or(from, |(place, _)| Moment {
            nth: place.nth + 1,
            ..*place
        });
        Glance {
            happenings: read.map(|(_, happening)| Arc::clone(happening)).collect(),
            missed: from < ring.from,
            all: last == ring.told.len(),
            next: next.max(ring.from),
        }
    }
}

/// What a happening takes, about. Names are shared, and what else it holds is small.
fn bytes(happening: &Happening) -> usize {
    let before = match &happening.what {
        What::Labelled { before } => before.as_ref(),
        _ => &[],
    };
    let labels = happening.labels.iter().chain(before);
    let labels = labels.map(|label| label.name.len() + label.value.len());
    HAPPENING_BYTES + labels.sum::<usize>()
}

#[cfg(test)]
mod tests;

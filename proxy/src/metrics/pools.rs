//! What is counted of each exchange, by pool: in cells of each thread's own, added up when `/metrics` is asked for. So the
//! figures are right at the moment of the question, and an exchange pays a few stores for them.
//!
//! Invariants: a cell is written by its own thread alone · a pool keeps its figures for as long as the process lives, also
//! while no configuration has it: a figure that rises never falls.
//!
//! Left out on purpose: how they are written down (`page`).

use std::sync::Once;
use std::time::Duration;

use metrics::{Counter, counter};
use remora_policy::{Pick, Tier};

use super::UNPUBLISHED;
use super::histogram::{OwnHistogram, Spread};
use crate::access_log::End;
use crate::tally::{OwnCount, Thread};

/// Classes of statuses, by their first digit.
pub(super) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Kinds of picks.
pub(super) const KINDS: [&str; 4] = ["sticky", "moved", "fresh", "none"];

/// The class of a status, as a place in [`CLASSES`]; what is no status may be beyond.
pub(super) fn class_of(status: u16) -> Option<usize> {
    usize::from(status / 100).checked_sub(1)
}

/// The figures of one pool.
#[derive(Debug)]
pub(crate) struct PoolFigures {
    name: Box<str>,
    /// By the threads' numbers.
    cells: Box<[PoolCells]>,
    unpublished: Counter,
    /// Whether somebody was told of the first.
    told: Once,
}

impl PoolFigures {
    /// Nothing is counted yet.
    #[must_use]
    pub(crate) fn new(name: &str, threads: usize) -> PoolFigures {
        let unpublished = counter!(UNPUBLISHED, "pool" => name.to_owned());
        unpublished.increment(0);
        PoolFigures {
            name: name.into(),
            cells: (0..threads).map(|_| PoolCells::default()).collect(),
            unpublished,
            told: Once::new(),
        }
    }

    /// The name of the pool.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The cells of a thread, for that thread.
    #[must_use]
    pub(crate) fn of(&self, thread: Thread) -> &PoolCells {
        &self.cells[thread.0]
    }

    /// An answer sent its client to an upstream's own address. Told once: the figure says how often.
    pub(crate) fn unpublished(&self) {
        self.unpublished.increment(1);
        self.told.call_once(|| {
            tracing::warn!(
                pool = &*self.name,
                "an answer names an upstream's own address under a path that no route publishes: its client cannot follow; \
                 add a route for the path, or mend the link"
            );
        });
    }

    /// What all threads counted.
    pub(super) fn sums(&self) -> PoolSums {
        let mut sums = PoolSums::default();
        for cells in &self.cells {
            sums.add(cells);
        }
        sums
    }
}

/// What one thread counts of one pool. Aligned as the cells of an upstream are.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct PoolCells {
    classes: [OwnCount; CLASSES.len()],
    ends: [OwnCount; End::ALL.len()],
    picks: [OwnCount; KINDS.len()],
    tiers: [OwnCount; Tier::ALL.len()],
    repeats: OwnCount,
    heads: OwnHistogram,
}

impl PoolCells {
    /// The client got this status, so long after the head of its request; 101 counts as 1xx.
    pub(crate) fn answered(&self, status: u16, after: Duration) {
        if let Some(count) = class_of(status).and_then(|class| self.classes.get(class)) {
            count.add(1);
        }
        self.heads.record(after);
    }

    /// An exchange ended.
    pub(crate) fn ended(&self, end: End) {
        self.ends[end as usize].add(1);
    }

    /// An upstream was picked in this way.
    pub(crate) fn picked(&self, pick: &Pick<'_>) {
        let kind = match pick {
            Pick::Sticky(_) => 0,
            Pick::Moved(_) => 1,
            Pick::Fresh => 2,
            Pick::None => 3,
        };
        self.picks[kind].add(1);
    }

    /// An upstream is asked that stands in this tier.
    pub(crate) fn asks(&self, tier: Tier) {
        self.tiers[tier as usize].add(1);
    }

    /// Another attempt follows one that failed.
    pub(crate) fn repeats(&self) {
        self.repeats.add(1);
    }
}

/// What all threads counted of one pool.
#[derive(Default)]
pub(super) struct PoolSums {
    pub(super) classes: [u64; CLASSES.len()],
    pub(super) ends: [u64; End::ALL.len()],
    pub(super) picks: [u64; KINDS.len()],
    pub(super) tiers: [u64; Tier::ALL.len()],
    pub(super) repeats: u64,
    pub(super) heads: Spread,
}

impl PoolSums {
    fn add(&mut self, cells: &PoolCells) {
        let counts = [
            (&mut self.classes[..], &cells.classes[..]),
            (&mut self.ends, &cells.ends),
            (&mut self.picks, &cells.picks),
            (&mut self.tiers, &cells.tiers),
        ];
        for (sums, own) in counts {
            for (sum, own) in sums.iter_mut().zip(own) {
                *sum += own.read();
            }
        }
        self.repeats += cells.repeats.read();
        cells.heads.add_to(&mut self.heads);
    }
}

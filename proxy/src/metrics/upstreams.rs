//! What is counted of each upstream for people: in cells of each thread's own, which lie with those that decide (`tally`).
//!
//! Invariant: a cell is written by its own thread alone.
//!
//! Left out on purpose: what the policy, the prober and people all read (attempts in flight, tunnels, bytes). That is the
//! tally's own.

use std::time::Duration;

use remora_policy::{Cause, Failure, Phase};

use super::histogram::{OwnHistogram, Spread};
use super::pools::{CLASSES, class_of};
use crate::tally::{Counters, OwnCount};

/// Whether a byte of the request was sent, as an index and as a word.
pub(super) const SENT: [&str; 2] = ["no", "yes"];

/// What one thread counts of one upstream.
#[derive(Debug, Default)]
pub(crate) struct UpstreamCells {
    pub(super) classes: [OwnCount; CLASSES.len()],
    pub(super) heads: OwnHistogram,
    pub(super) connects: OwnHistogram,
    /// By cause, then by whether a byte was sent.
    pub(super) failures: [[OwnCount; SENT.len()]; Cause::ALL.len()],
    pub(super) repeats: OwnCount,
    pub(super) kept: OwnCount,
    pub(super) resting: OwnCount,
    pub(super) closed: OwnCount,
}

impl UpstreamCells {
    /// It answered with this status.
    pub(crate) fn answered(&self, status: u16) {
        if let Some(count) = class_of(status).and_then(|class| self.classes.get(class)) {
            count.add(1);
        }
    }

    /// The head of its answer came so long after the request could be sent.
    pub(crate) fn head_came(&self, after: Duration) {
        self.heads.record(after);
    }

    /// A new connection took so long.
    pub(crate) fn connected(&self, after: Duration) {
        self.connects.record(after);
    }

    /// A connection serves again.
    pub(crate) fn reused(&self) {
        self.kept.add(1);
    }

    /// An attempt failed.
    pub(crate) fn failed(&self, failure: &Failure) {
        let sent = usize::from(failure.phase != Phase::Connecting);
        self.failures[failure.cause as usize][sent].add(1);
    }

    /// An attempt follows one that failed, here or elsewhere.
    pub(crate) fn repeats(&self) {
        self.repeats.add(1);
    }

    /// So many connections rest now, and so many that rested were closed by the far side until now.
    pub(crate) fn rest(&self, resting: u64, closed: u64) {
        self.resting.set(resting);
        self.closed.set(closed);
    }

    /// How many attempts failed.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.iter().flatten().map(OwnCount::read).sum()
    }
}

/// What all threads counted of upstreams.
#[derive(Clone, Default)]
pub(super) struct UpstreamSums {
    pub(super) classes: [u64; CLASSES.len()],
    pub(super) heads: Spread,
    pub(super) connects: Spread,
    pub(super) failures: [[u64; SENT.len()]; Cause::ALL.len()],
    pub(super) repeats: u64,
    pub(super) kept: u64,
    pub(super) resting: u64,
    pub(super) closed: u64,
    /// Bytes of content and of tunnels to them, and from them.
    pub(super) given: u64,
    pub(super) taken: u64,
}

impl UpstreamSums {
    /// Adds what was counted of one upstream.
    pub(super) fn count(&mut self, counters: &Counters) {
        for cells in counters.figures() {
            self.add(cells);
        }
        self.given += counters.given_so_far();
        self.taken += counters.taken_so_far();
    }

    /// Adds what was counted of others.
    pub(super) fn merge(&mut self, others: &UpstreamSums) {
        for (sum, more) in self.classes.iter_mut().zip(&others.classes) {
            *sum += more;
        }
        self.heads.merge(&others.heads);
        self.connects.merge(&others.connects);
        let failures = self.failures.iter_mut().flatten();
        for (sum, more) in failures.zip(others.failures.iter().flatten()) {
            *sum += more;
        }
        self.repeats += others.repeats;
        self.kept += others.kept;
        self.resting += others.resting;
        self.closed += others.closed;
        self.given += others.given;
        self.taken += others.taken;
    }

    /// Adds what one thread counted.
    fn add(&mut self, cells: &UpstreamCells) {
        for (sum, own) in self.classes.iter_mut().zip(&cells.classes) {
            *sum += own.read();
        }
        cells.heads.add_to(&mut self.heads);
        cells.connects.add_to(&mut self.connects);
        let failures = self.failures.iter_mut().flatten();
        for (sum, own) in failures.zip(cells.failures.iter().flatten()) {
            *sum += own.read();
        }
        self.repeats += cells.repeats.read();
        self.kept += cells.kept.read();
        self.resting += cells.resting.read();
        self.closed += cells.closed.read();
    }
}

/// Whether a failure of this cause can be met before, or after, a byte was sent.
pub(super) fn can_be(cause: Cause, sent: bool) -> bool {
    match cause {
        Cause::Refused | Cause::Unverified | Cause::Ours => !sent,
        Cause::Malformed | Cause::Declined => sent,
        Cause::TimedOut | Cause::Broken | Cause::Frozen => true,
    }
}

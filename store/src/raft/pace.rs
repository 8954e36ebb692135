//! How slow the disks and the answers of a cluster are, and the timers that follow from it.
//!
//! Heartbeats wait for no disk, but an election does: it takes two syncs in a row at the one who stands and one at those who
//! vote, and a busy machine answers late. So each node measures its own syncs and answers, tells its peers in its introduction,
//! and all time their elections by the slowest that anybody tells. One slow sync alone is chance and changes nothing; the
//! second within [`LOWERED_EVERY`] does at once, and what was raised is lowered by half for each such span that was better. A
//! disk that lags makes elections slower; it never causes one.
//!
//! Left out: what is done with the timers (`detector`, `elections`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::runtime;

use super::settings::Timers;

/// How long a slowness is believed before it counts half.
const LOWERED_EVERY: Duration = Duration::from_secs(10);

/// The longest lease that slowness leads to: with it a leader's death is followed within 3 s, below the 5 s that a session
/// manager waits. Timers that were configured above it stay.
pub(super) const LEASE_MAX: Duration = Duration::from_millis(500);

/// What elections are timed by at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timing {
    /// How often a leader gives a sign of life.
    pub(super) heartbeat: Duration,
    /// How long after a sign of the leader no vote is given to anybody else.
    pub(super) lease: Duration,
    /// Shortest wait behind the lease before a node stands.
    pub(super) wait_min: Duration,
    /// Longest wait behind the lease.
    pub(super) wait_max: Duration,
}

impl Timing {
    /// The timers of a cluster whose slowest sync and slowest answer take so long.
    pub(super) fn of(floor: &Timers, slowest: Slowest) -> Self {
        // Two syncs in a row, and what is asked and answered between them.
        let needed = floor.election_max + (slowest.sync + slowest.answer) * 2;
        let lease = needed.min(LEASE_MAX.max(floor.election_max));
        Self {
            heartbeat: floor.heartbeat,
            lease,
            wait_min: floor.election_min.max(lease / 2),
            wait_max: lease,
        }
    }
}

/// How long the slowest sync and the slowest answer take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Slowest {
    /// Of a log.
    pub(super) sync: Duration,
    /// Of a peer, or of this node to itself.
    pub(super) answer: Duration,
}

impl Slowest {
    /// The slower of each.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            sync: self.sync.max(other.sync),
            answer: self.answer.max(other.answer),
        }
    }
}

/// What this node measures of itself.
#[derive(Debug)]
pub(super) struct Pace(Mutex<Measured>);

#[derive(Debug)]
struct Measured {
    syncs: Level,
    answers: Level,
}

impl Pace {
    /// Nothing measured so far.
    pub(super) fn new() -> Self {
        let level = Level::new(runtime::now());
        Self(Mutex::new(Measured {
            syncs: level,
            answers: level,
        }))
    }

    /// Something was made durable in this time.
    pub(super) fn synced(&self, took: Duration) {
        self.measured().syncs.observe(took, runtime::now());
    }

    /// A peer answered in this time, or this node came so much too late to its own work.
    pub(super) fn answered(&self, took: Duration) {
        self.measured().answers.observe(took, runtime::now());
    }

    /// How slow this node is at the moment.
    pub(super) fn slowest(&self) -> Slowest {
        let (mut measured, now) = (self.measured(), runtime::now());
        Slowest {
            sync: measured.syncs.at(now),
            answer: measured.answers.at(now),
        }
    }

    fn measured(&self) -> MutexGuard<'_, Measured> {
        // A few assignments at a time: a poisoned lock still holds whole values.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The level of a slowness: what all but one of the present span stayed below, and half of what was believed before.
#[derive(Debug, Clone, Copy)]
struct Level {
    since: Instant,
    believed: Duration,
    slowest: Duration,
    second: Duration,
}

impl Level {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            believed: Duration::ZERO,
            slowest: Duration::ZERO,
            second: Duration::ZERO,
        }
    }

    fn observe(&mut self, took: Duration, now: Instant) {
        self.pass(now);
        self.second = self.second.max(took.min(self.slowest));
        self.slowest = self.slowest.max(took);
    }

    fn at(&mut self, now: Instant) -> Duration {
        self.pass(now);
        self.believed.max(self.second)
    }

    fn pass(&mut self, now: Instant) {
        while now.duration_since(self.since) >= LOWERED_EVERY {
            self.believed = (self.believed.max(self.second) / 2).max(self.second);
            (self.slowest, self.second) = (Duration::ZERO, Duration::ZERO);
            self.since += LOWERED_EVERY;
            if self.believed.is_zero() {
                self.since = now;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A millisecond: the unit in which timers are told.
    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn one_slow_sync_is_chance_and_two_are_a_slow_disk() {
        let began = runtime::now();
        let mut level = Level::new(began);
        level.observe(MS, began);
        level.observe(900 * MS, began);
        assert_eq!(level.at(began), MS);
        level.observe(200 * MS, began);
        assert_eq!(level.at(began), 200 * MS);
        level.observe(2 * MS, began);
        assert_eq!(level.at(began), 200 * MS);
    }

    #[test]
    fn a_level_is_raised_at_once_and_lowered_by_half() {
        let began = runtime::now();
        let mut level = Level::new(began);
        for _ in 0..2 {
            level.observe(200 * MS, began);
        }
        let at = |spans: u32| began + LOWERED_EVERY * spans;
        let levels: Vec<_> = (0..5).map(|spans| level.clone().at(at(spans))).collect();
        assert_eq!(levels, [200, 200, 100, 50, 25].map(|ms| ms * MS));
        for _ in 0..2 {
            level.observe(80 * MS, at(3));
        }
        assert_eq!(level.at(at(3)), 80 * MS);
        // A node that measured nothing for long does not walk through every span since.
        assert!(level.at(at(100_000_000)) < MS);
    }

    #[test]
    fn timers_fit_the_slowest_disk_between_floor_and_ceiling() {
        let floor = Timers::default();
        let lease = |sync: u32, answer: u32| {
            let slowest = Slowest {
                sync: MS * sync,
                answer: MS * answer,
            };
            Timing::of(&floor, slowest).lease
        };
        assert_eq!(lease(0, 0), floor.election_max);
        assert_eq!(lease(10, 5), floor.election_max + 30 * MS);
        assert_eq!(lease(200, 1), LEASE_MAX);
        let patient = Timers {
            election_max: 900 * MS,
            ..floor
        };
        assert_eq!(Timing::of(&patient, Slowest::default()).lease, 900 * MS);
    }
}

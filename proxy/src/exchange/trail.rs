//! The attempts of one exchange, as they will be told: whom they were at, why, how long each part took and what became of it.
//!
//! It only records. The ordinary exchange has one attempt and costs no allocation here; of one with very many, the first
//! [`EARLIER_MAX`] and the last are kept.

use std::time::Duration;

use remora_policy::{Failure, Upstream};
use tokio::time::Instant;

use crate::access_log::{Attempts, Fate, Tried};

/// Attempts that are kept beside the last. 15: more than any pool that an operator reads line by line; the rest is counted.
const EARLIER_MAX: usize = 15;

/// The attempts of one exchange.
pub(super) struct Trail<'v> {
    earlier: Vec<Tried<'v>>,
    left_out: u32,
    last: Option<Tried<'v>>,
    /// When the last began.
    began: Instant,
    /// And had its connection.
    connected: Instant,
}

impl<'v> Trail<'v> {
    /// Nobody was tried yet.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            earlier: Vec::new(),
            left_out: 0,
            last: None,
            began: now,
            connected: now,
        }
    }

    /// An attempt begins, at an upstream that was picked for this reason.
    pub(super) fn begins(&mut self, upstream: &'v Upstream, pick: &'static str, now: Instant) {
        let tried = Tried {
            route: &upstream.route,
            upstream: &upstream.authority,
            pick,
            connect: None,
            wait: None,
            total: Duration::ZERO,
            fate: Fate::Unfinished,
        };
        if let Some(before) = self.last.replace(tried) {
            if self.earlier.len() < EARLIER_MAX {
                self.earlier.push(before);
            } else {
                self.left_out += 1;
            }
        }
        (self.began, self.connected) = (now, now);
    }

    /// It has a connection: one that had served before, or a new one.
    pub(super) fn connected(&mut self, reused: bool, now: Instant) {
        self.connected = now;
        if let Some(last) = self.last.as_mut().filter(|_| !reused) {
            last.connect = Some(now.saturating_duration_since(self.began));
        }
    }

    /// The head of its answer is there.
    pub(super) fn answered(&mut self, now: Instant) {
        let waited = now.saturating_duration_since(self.connected);
        if let Some(last) = &mut self.last {
            last.wait = Some(waited);
        }
        self.ends(Fate::Answered, now);
    }

    /// It failed, be it after its answer had begun.
    pub(super) fn failed(&mut self, failure: &Failure, now: Instant) {
        self.ends(Fate::Failed(*failure), now);
    }

    /// The exchange is over, whatever the last attempt is at.
    pub(super) fn is_over(&mut self, now: Instant) {
        let unfinished = |last: &Tried<'_>| last.fate == Fate::Unfinished;
        if self.last.as_ref().is_some_and(unfinished) {
            self.ends(Fate::Unfinished, now);
        }
    }

    fn ends(&mut self, fate: Fate, now: Instant) {
        let total = now.saturating_duration_since(self.began);
        if let Some(last) = &mut self.last {
            (last.fate, last.total) = (fate, total);
        }
    }

    /// All of them.
    pub(super) fn attempts(&self) -> Attempts<'_> {
        Attempts {
            earlier: &self.earlier,
            left_out: self.left_out,
            last: self.last.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use remora_policy::{Cause, Phase};

    use super::*;
    use crate::directory::Directory;
    use crate::directory::testing::ONE_MEMBER;

    #[test]
    fn one_attempt_costs_no_allocation_and_very_many_are_counted() {
        let directory = Directory::of_file(ONE_MEMBER);
        let current = directory.current();
        let upstream = &current.snapshot.upstreams.pools[0].members[0];
        let (mut now, millisecond) = (Instant::now(), Duration::from_millis(1));
        let mut trail = Trail::new(now);
        let cost = allocation_counter::measure(|| {
            trail.begins(upstream, "sticky", now);
            trail.connected(false, now + millisecond);
            trail.answered(now + 3 * millisecond);
        });
        assert_eq!(cost.count_total, 0);
        let last = trail.attempts().last.copied().unwrap();
        assert_eq!(
            (last.route, last.upstream, last.pick),
            ("n1", "127.0.0.1:1", "sticky")
        );
        assert_eq!(last.fate, Fate::Answered);
        let times = (last.connect, last.wait, last.total);
        assert_eq!(times, (Some(millisecond), Some(2 * millisecond), 3 * millisecond));
        let failure = Failure::new(Phase::Connecting, Cause::Refused);
        for _ in 0..EARLIER_MAX + 5 {
            trail.begins(upstream, "moved", now);
            now += millisecond;
            trail.failed(&failure, now);
        }
        trail.begins(upstream, "moved", now);
        trail.connected(true, now);
        trail.is_over(now + millisecond);
        let attempts = trail.attempts();
        assert_eq!((attempts.earlier.len(), attempts.left_out), (EARLIER_MAX, 6));
        assert_eq!(attempts.earlier[0].fate, Fate::Answered);
        assert_eq!(attempts.earlier[1].fate, Fate::Failed(failure));
        let last = attempts.last.unwrap();
        assert_eq!(
            (last.connect, last.fate, last.total),
            (None, Fate::Unfinished, millisecond)
        );
    }
}

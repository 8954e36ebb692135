//! Durations that one thread counts into buckets.
//!
//! The recorder of this process can be given no histogram that was counted elsewhere, and takes a lock or a queue for each of
//! its own.

use std::time::Duration;

use crate::tally::OwnCount;

/// Limits of the buckets, in seconds. Fine about a millisecond, where a page from memory is; a minute is how long an answer may
/// take unless an owner grants more, so what was given up is told from what took long, and what no owner should grant (five
/// minutes) from both.
pub(super) const LIMITS_SECONDS: [f64; 20] = [
    0.000_25, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0, 120.0, 300.0,
];

/// The same in nanoseconds.
const LIMITS: [u64; LIMITS_SECONDS.len()] = {
    let mut limits = [0; LIMITS_SECONDS.len()];
    let mut bucket = 0;
    while bucket < limits.len() {
        limits[bucket] = nanoseconds(LIMITS_SECONDS[bucket]);
        bucket += 1;
    }
    limits
};

/// Buckets; the last has no limit.
pub(super) const BUCKETS: usize = LIMITS.len() + 1;

/// To the nearest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "limits of buckets are positive, and far below five centuries"
)]
const fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9 + 0.5) as u64
}

/// A thread's own.
#[derive(Debug, Default)]
pub(super) struct OwnHistogram {
    buckets: [OwnCount; BUCKETS],
    /// All durations together, in nanoseconds: five centuries fit.
    together: OwnCount,
}

/// What threads have counted, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spread {
    /// How many there are in each bucket.
    pub(super) buckets: [u64; BUCKETS],
    /// All durations together, in nanoseconds.
    pub(super) together: u64,
}

impl Spread {
    /// Adds others.
    pub(super) fn merge(&mut self, others: &Spread) {
        for (sum, more) in self.buckets.iter_mut().zip(&others.buckets) {
            *sum += more;
        }
        self.together = self.together.wrapping_add(others.together);
    }
}

impl OwnHistogram {
    /// One that took so long.
    pub(super) fn record(&self, duration: Duration) {
        let time = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = LIMITS.iter().position(|limit| time <= *limit);
        self.buckets[bucket.unwrap_or(BUCKETS - 1)].add(1);
        self.together.add(time);
    }

    /// Adds it to others.
    pub(super) fn add_to(&self, spread: &mut Spread) {
        for (sum, own) in spread.buckets.iter_mut().zip(&self.buckets) {
            *sum += own.read();
        }
        spread.together = spread.together.wrapping_add(self.together.read());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_at_a_limit_is_below_it_and_the_longest_has_a_bucket() {
        let (one, other) = (OwnHistogram::default(), OwnHistogram::default());
        for micros in [0, 250, 251, 300_000_000] {
            one.record(Duration::from_micros(micros));
        }
        other.record(Duration::from_secs(301));
        let mut spread = Spread::default();
        one.add_to(&mut spread);
        other.add_to(&mut spread);
        let mut expected = [0; BUCKETS];
        (expected[0], expected[1]) = (2, 1);
        (expected[BUCKETS - 2], expected[BUCKETS - 1]) = (1, 1);
        assert_eq!(spread.buckets, expected);
        assert_eq!(spread.together, 601_000_501_000);
    }
}

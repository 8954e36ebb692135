//! How slow a client may be: at sending a request, at taking an answer.
//!
//! A limit on silence alone is kept by one byte a minute. So a client has time to lose, at first the grace, and whenever
//! it is its turn that time runs. What it moves gives time back, as much as the slowest pace would take for it, and no more
//! than the grace is saved up; but a large piece has the whole time that it takes at that pace, because it may be on its
//! way all the while.
//!
//! Invariants: a client at the slowest pace or above is never too slow, in whatever pieces its bytes move · one that goes on
//! below it always is, in the end · time in which it is not the client's turn is never told to this rule, so a slow
//! upstream costs no client anything.
//!
//! Left out on purpose: clocks, and whose turn it is.

use std::time::Duration;

/// Bounds on one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaceLimits {
    /// The slowest pace, in bytes per second; 0: any pace will do.
    pub bytes_per_second: u32,
    /// How long a client may fall behind it.
    pub grace: Duration,
    /// How long it may be the client's turn in all; zero: for ever.
    pub whole: Duration,
}

/// How a client gets on with one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    limits: PaceLimits,
    /// Time that the client may still lose.
    spare: Duration,
    /// How long it has been the client's turn.
    turn: Duration,
}

impl Pace {
    /// At the start of a message.
    #[must_use]
    pub fn new(limits: PaceLimits) -> Pace {
        Pace {
            limits,
            spare: limits.grace,
            turn: Duration::ZERO,
        }
    }

    /// It was the client's turn for so long.
    pub fn waited(&mut self, time: Duration) {
        self.turn = self.turn.saturating_add(time);
        self.spare = self.spare.saturating_sub(time);
    }

    /// Bytes moved at once.
    pub fn moved(&mut self, bytes: u64) {
        let PaceLimits {
            bytes_per_second,
            grace,
            ..
        } = self.limits;
        let micros = bytes
            .saturating_mul(1_000_000)
            .checked_div(u64::from(bytes_per_second));
        if let Some(micros) = micros {
            let own = Duration::from_micros(micros);
            self.spare = self.spare.saturating_add(own).min(grace).max(own);
        }
    }

    /// How long it may be the client's turn from now on, without a byte; none: for ever.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let PaceLimits {
            bytes_per_second,
            whole,
            ..
        } = self.limits;
        let spare = (bytes_per_second > 0).then_some(self.spare);
        let rest = (!whole.is_zero()).then(|| whole.saturating_sub(self.turn));
        spare.into_iter().chain(rest).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn limits() -> PaceLimits {
        PaceLimits {
            bytes_per_second: 500,
            grace: seconds(60),
            whole: Duration::ZERO,
        }
    }

    /// When a client is too slow that moves `bytes` every so often; none if it is not within a day.
    fn too_slow(limits: PaceLimits, bytes: u64, every: Duration) -> Option<Duration> {
        let (mut pace, mut turn) = (Pace::new(limits), Duration::ZERO);
        while turn < seconds(86_400) {
            if let Some(left) = pace.left().filter(|left| *left < every) {
                return Some(turn + left);
            }
            pace.waited(every);
            pace.moved(bytes);
            turn += every;
        }
        None
    }

    #[test]
    fn the_slowest_pace_is_enough_in_whatever_pieces() {
        for (bytes, every) in [(1, 2), (500, 1_000), (5_000, 10_000), (500_000, 60_000)] {
            assert_eq!(
                too_slow(limits(), bytes, Duration::from_millis(every)),
                None,
                "{bytes}"
            );
        }
        let mut pace = Pace::new(limits());
        for _ in 0..100 {
            // Far above the grace at once, and then for as long as it takes at the slowest pace.
            pace.moved(500_000);
            pace.waited(seconds(1_000));
        }
        assert_eq!(pace.left(), Some(Duration::ZERO), "not a moment longer");
    }

    #[test]
    fn below_it_a_client_is_too_slow_in_the_end() {
        assert_eq!(
            too_slow(limits(), 1, seconds(1)),
            Some(Duration::from_millis(60_120))
        );
        assert_eq!(
            too_slow(limits(), 250, seconds(1)),
            Some(Duration::from_millis(119_500))
        );
        assert_eq!(
            too_slow(limits(), 0, seconds(7)),
            Some(seconds(60)),
            "silence is the grace"
        );
        assert!(too_slow(limits(), 499, seconds(1)).is_some());
    }

    #[test]
    fn a_quick_beginning_saves_up_no_more_than_the_grace() {
        let mut pace = Pace::new(limits());
        for _ in 0..100_000 {
            pace.moved(1_000);
        }
        assert_eq!(pace.left(), Some(seconds(60)));
    }

    #[test]
    fn a_message_as_a_whole_has_a_bound_of_its_own() {
        let whole = PaceLimits {
            whole: seconds(100),
            ..limits()
        };
        assert_eq!(too_slow(whole, 100_000, seconds(3)), Some(seconds(100)));
        let any_pace = PaceLimits {
            bytes_per_second: 0,
            ..whole
        };
        assert_eq!(too_slow(any_pace, 0, seconds(3)), Some(seconds(100)));
        let nothing = PaceLimits {
            bytes_per_second: 0,
            ..limits()
        };
        assert_eq!(Pace::new(nothing).left(), None);
        assert_eq!(too_slow(nothing, 0, seconds(3)), None);
    }

    #[test]
    fn no_number_breaks_it() {
        let mut pace = Pace::new(PaceLimits {
            bytes_per_second: 1,
            grace: Duration::MAX,
            whole: Duration::MAX,
        });
        pace.moved(u64::MAX);
        pace.waited(Duration::MAX);
        pace.waited(Duration::MAX);
        assert_eq!(pace.left(), Some(Duration::ZERO));
    }
}

//! When the next check is due. Pure.

use std::time::Duration;

use remora_policy::{Belief, UpstreamId};

/// Longest pause while an upstream is down: whoever comes back must not wait for a leisurely check.
const WHILE_DOWN: Duration = Duration::from_secs(1);
/// Pause between the checks that let an upstream back.
const WHILE_PROBING: Duration = Duration::from_millis(200);
/// Least time between two checks out of turn: a slow application is suspicious all the time.
pub(super) const BETWEEN_SUSPICIONS: Duration = Duration::from_millis(300);

/// The pauses of one upstream: a tenth more or less than configured, so that the checks of several upstreams and
/// proxies spread instead of falling together.
pub(super) struct Pace {
    /// Advances by the golden ratio of 2^32, which visits the range evenly.
    phase: u32,
}

const GOLDEN: u32 = 0x9e37_79b9;

impl Pace {
    pub(super) fn new(id: UpstreamId) -> Pace {
        Pace {
            phase: id.0.wrapping_mul(GOLDEN),
        }
    }

    /// How long after the beginning of the last check the next one begins.
    pub(super) fn pause(&mut self, every: Duration, belief: Belief) -> Duration {
        self.phase = self.phase.wrapping_add(GOLDEN);
        let pause = match belief {
            Belief::Up => every,
            Belief::Down => every.min(WHILE_DOWN),
            Belief::Probing => every.min(WHILE_PROBING),
        };
        // 0.9 to 1.1 of the pause.
        pause * 9 / 10 + pause / 5 * (self.phase >> 16) / (1 << 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_within_a_tenth_and_differ() {
        let mut pace = Pace::new(UpstreamId(3));
        let pauses: Vec<Duration> = (0..100)
            .map(|_| pace.pause(Duration::from_secs(1), Belief::Up))
            .collect();
        let bounds = Duration::from_millis(900)..=Duration::from_millis(1_100);
        assert!(pauses.iter().all(|pause| bounds.contains(pause)), "{pauses:?}");
        assert!(pauses.windows(2).all(|pair| pair[0] != pair[1]));
        let other = Pace::new(UpstreamId(4)).pause(Duration::from_secs(1), Belief::Up);
        assert_ne!(other, pauses[0]);
    }

    #[test]
    fn whoever_is_down_is_asked_at_least_once_a_second() {
        let mut pace = Pace::new(UpstreamId(0));
        assert!(pace.pause(Duration::from_secs(60), Belief::Down) <= Duration::from_millis(1_100));
        assert!(pace.pause(Duration::from_secs(60), Belief::Probing) <= Duration::from_millis(220));
    }
}

//! When the next check is due. Pure.

use std::time::Duration;

use remora_policy::{Belief, Health, UpstreamId};

/// Longest pause while an upstream is down: whoever comes back must not wait for a leisurely check.
const WHILE_DOWN: Duration = Duration::from_secs(1);
/// Pause between the checks of a row that may yet change the belief, in either direction. 200 ms: a pause of a garbage
/// collector is over by then, and a second failure still comes soon.
pub(super) const WHILE_UNDECIDED: Duration = Duration::from_millis(200);

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
    pub(super) fn pause(&mut self, every: Duration, health: &Health) -> Duration {
        self.phase = self.phase.wrapping_add(GOLDEN);
        let pause = match health.belief() {
            _ if health.is_undecided() => every.min(WHILE_UNDECIDED),
            Belief::Up | Belief::Leaving => every,
            Belief::Unknown | Belief::Down => every.min(WHILE_DOWN),
        };
        // 0.9 to 1.1 of the pause.
        pause * 9 / 10 + pause / 5 * (self.phase >> 16) / (1 << 16)
    }
}

#[cfg(test)]
mod tests {
    use remora_policy::{HealthRule, Observation};

    use super::*;

    fn after(seen: &[Observation]) -> Health {
        let rule = HealthRule {
            rise: 2,
            fall: 2,
            checked: true,
        };
        seen.iter().fold(Health::new(&rule), |health, seen| {
            health.observe(seen, &rule).unwrap_or(health)
        })
    }

    #[test]
    fn pauses_stay_within_a_tenth_and_differ() {
        let up = after(&[Observation::CheckPassed]);
        let mut pace = Pace::new(UpstreamId(3));
        let pauses: Vec<Duration> = (0..100)
            .map(|_| pace.pause(Duration::from_secs(1), &up))
            .collect();
        let bounds = Duration::from_millis(900)..=Duration::from_millis(1_100);
        assert!(pauses.iter().all(|pause| bounds.contains(pause)), "{pauses:?}");
        assert!(pauses.windows(2).all(|pair| pair[0] != pair[1]));
        let other = Pace::new(UpstreamId(4)).pause(Duration::from_secs(1), &up);
        assert_ne!(other, pauses[0]);
    }

    #[test]
    fn whoever_is_down_is_asked_at_least_once_a_second() {
        let mut pace = Pace::new(UpstreamId(0));
        let mut pause = |seen: &[Observation]| pace.pause(Duration::from_secs(60), &after(seen));
        assert!(pause(&[Observation::Refused]) <= Duration::from_millis(1_100));
        assert!(pause(&[Observation::Refused, Observation::CheckPassed]) <= Duration::from_millis(220));
        assert!(pause(&[Observation::CheckPassed, Observation::CheckBroken]) <= Duration::from_millis(220));
    }
}

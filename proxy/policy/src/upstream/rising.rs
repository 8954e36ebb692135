//! Whether an upstream that comes up is cold: new users come to it little by little then (`balance`).
//!
//! Invariants: total · whoever was up before, as far as this process saw, is cold when it comes back: it was started anew, or was away
//! so long that it was given up · at the start of the process nobody is cold who was there, however late its first check was
//! answered within [`START_GRACE`]: that a check was slow, or was lost, says nothing of how long a Tomcat has run.
//!
//! Left out on purpose: how long it is spared.

use std::time::Duration;

use super::silence::PATIENCE_MAX;

/// How long behind the moment from which clients are served an upstream may come up for the first time and is taken for one that has
/// run all the while. 7 s: it may be silent for the most that is borne of one that lives ([`PATIENCE_MAX`]), is asked again a second
/// later, and has to pass twice; a Tomcat that is started at that moment has seldom deployed its applications by then.
const START_GRACE: Duration = PATIENCE_MAX.saturating_add(Duration::from_secs(2));

/// An upstream at the moment at which it comes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rising {
    /// For how long clients have been served; none before they are.
    pub served_for: Option<Duration>,
    /// Whether somebody else of its pool is up.
    pub beside_others: bool,
    /// Whether it was a member when that began.
    pub from_start: bool,
    /// Whether it was up before, as far as this process saw.
    pub was_up: bool,
}

impl Rising {
    /// Whether it is cold.
    #[must_use]
    pub fn is_cold(&self) -> bool {
        let Some(served_for) = self.served_for else {
            return false;
        };
        let is_late = self.was_up || !self.from_start || served_for > START_GRACE;
        self.beside_others && is_late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_cold_at_the_start_and_whoever_comes_up_later_is() {
        let late = START_GRACE + Duration::from_millis(1);
        // Served for, beside others, there from the start, up before; then whether it is cold.
        for (served_for, beside_others, from_start, was_up, cold) in [
            (None, true, true, false, false),
            (None, true, true, true, false),
            (Some(Duration::ZERO), true, true, false, false),
            (Some(START_GRACE), true, true, false, false),
            (Some(late), true, true, false, true),
            (Some(Duration::ZERO), true, true, true, true),
            (Some(Duration::ZERO), true, false, false, true),
            (Some(late), false, true, false, false),
            (Some(late), false, false, true, false),
        ] {
            let rising = Rising {
                served_for,
                beside_others,
                from_start,
                was_up,
            };
            assert_eq!(rising.is_cold(), cold, "{rising:?}");
        }
    }
}

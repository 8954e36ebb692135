//! A moment by which something must have happened: one value in place of a start and a limit.
//!
//! Invariant: it never moves; waiting for longer is another deadline.

use std::time::Duration;

use tokio::time::Instant;

/// The moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub(crate) fn within(limit: Duration) -> Self {
        Self::since(Instant::now(), limit)
    }

    /// So long after something began.
    pub(crate) fn since(began: Instant, limit: Duration) -> Self {
        Self(began + limit)
    }

    /// Whether it is over.
    pub(crate) fn has_passed(self) -> bool {
        Instant::now() >= self.0
    }

    /// Whether it is over at this moment.
    pub(crate) fn is_over(self, now: Instant) -> bool {
        now >= self.0
    }

    /// How long there still is; zero once it has passed.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Waits for it.
    pub(crate) async fn passed(self) {
        tokio::time::sleep_until(self.0).await;
    }

    /// The moment itself, for a timer that can be set anew.
    pub(crate) fn instant(self) -> Instant {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_passed_when_its_time_is_over() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let past = Deadline::since(now, Duration::ZERO);
        assert!(past.has_passed() && past.is_over(now) && past.left().is_zero());
        let coming = Deadline::within(3_600 * second);
        assert!(!coming.has_passed() && !coming.is_over(now) && coming.left() > 3_000 * second);
        assert_eq!(past.min(coming), past);
        assert_eq!(Deadline::since(now, second).instant(), now + second);
    }
}

//! Says whether it is time to say something again, so that what happens a thousand times a second fills no log.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Something that is said at most once in so long, by all threads together.
pub(crate) struct Seldom {
    every: Duration,
    next: Mutex<Option<Instant>>,
}

impl Seldom {
    /// Nothing was said yet.
    pub(crate) fn every(every: Duration) -> Self {
        Self {
            every,
            next: Mutex::new(None),
        }
    }

    /// Whether it is to be said now.
    pub(crate) fn is_time(&self) -> bool {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = next.is_none_or(|next| next <= now);
        if is_time {
            *next = Some(now + self.every);
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_time_at_once_and_then_after_a_while() {
        let seldom = Seldom::every(Duration::from_secs(1));
        assert!(seldom.is_time() && !seldom.is_time());
        tokio::time::advance(Duration::from_millis(999)).await;
        assert!(!seldom.is_time());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(seldom.is_time() && !seldom.is_time());
    }
}

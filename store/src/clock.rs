//! The clock that stamps log entries: the one place where the node asks for the time of day.
//!
//! The wall clock is read once, at the start; from then on the monotonic clock carries it forward, so a step of the
//! wall clock never shows. The table takes nothing but differences between stamps, and bounds those.
//!
//! Left out on purpose: timers and latencies, which use the monotonic clock where they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use remora_table::Stamp;

/// A clock in milliseconds since 1970. Cheap to clone; clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { wall_at_start_ms: u64, started: Instant },
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The clock of a running node.
    pub fn system() -> Clock {
        Clock(Source::System {
            wall_at_start_ms: wall_ms(),
            started: Instant::now(),
        })
    }

    /// A clock that stands still until [`Clock::advance`] moves it: for tests.
    pub fn manual(start_ms: u64) -> Clock {
        Clock(Source::Manual(Arc::new(AtomicU64::new(start_ms))))
    }

    /// Milliseconds since 1970. Never goes back.
    pub fn now_ms(&self) -> u64 {
        match &self.0 {
            Source::System {
                wall_at_start_ms,
                started,
            } => wall_at_start_ms + u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX / 2),
            Source::Manual(now) => now.load(Ordering::Relaxed),
        }
    }

    /// What a log entry is stamped with.
    pub fn stamp(&self) -> Stamp {
        Stamp(self.now_ms())
    }

    /// Moves a manual clock forward; a system clock moves by itself.
    pub fn advance(&self, by_ms: u64) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(by_ms, Ordering::Relaxed);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the seam through which wall time enters"
)]
fn wall_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(1_000);
        let same = clock.clone();
        assert_eq!(same.stamp(), Stamp(1_000));
        clock.advance(250);
        assert_eq!(same.stamp(), Stamp(1_250));
    }

    #[test]
    fn the_system_clock_shows_this_century_and_never_goes_back() {
        let clock = Clock::system();
        let first = clock.now_ms();
        assert!(first > 1_700_000_000_000);
        assert!(clock.now_ms() >= first);
    }
}

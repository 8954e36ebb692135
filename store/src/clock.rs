//! The clock that stamps log entries: the one place where the node asks for the time of day.
//!
//! The wall clock is read once, at the start; from then on the monotonic clock carries it forward, so a step of the
//! wall clock never shows. The table takes nothing but differences between stamps, and bounds those.
//!
//! Left out on purpose: timers and latencies, which use the monotonic clock where they are.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use remora_table::Stamp;

/// A clock in milliseconds since 1970. Cheap to clone; clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    wall_at_start_ms: u64,
    started: Instant,
}

impl Clock {
    /// The clock of a running node.
    pub fn system() -> Clock {
        Clock {
            wall_at_start_ms: wall_ms(),
            started: Instant::now(),
        }
    }

    /// Milliseconds since 1970. Never goes back.
    fn now_ms(&self) -> u64 {
        self.wall_at_start_ms + u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX / 2)
    }

    /// What a log entry is stamped with.
    pub fn stamp(&self) -> Stamp {
        Stamp(self.now_ms())
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
    fn the_system_clock_shows_this_century_and_never_goes_back() {
        let clock = Clock::system();
        let first = clock.now_ms();
        assert!(first > 1_700_000_000_000);
        assert!(clock.now_ms() >= first);
    }
}

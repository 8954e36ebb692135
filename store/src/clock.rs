//! The clock of a node: monotonic, and the one source of every instant that decides something replicated.
//!
//! There is no wall clock. Machines never agree on the time of day, and a leader that took over from another would move
//! table time by the difference; how long something took each machine knows by itself. What a leader makes of these
//! instants stands in `raft::stamps`.
//!
//! Left out on purpose: timers and latencies of this node alone, which ask `runtime` where they are.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::runtime;

/// Gives the present instant; never one before another that it gave. Cheap to clone; clones show the same time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Instant + Send + Sync>);

impl Clock {
    /// The clock of a running node.
    pub fn system() -> Clock {
        Clock(Arc::new(runtime::now))
    }

    /// A clock that somebody drives.
    #[cfg(test)]
    pub(crate) fn driven(now: impl Fn() -> Instant + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now))
    }

    /// Now.
    pub(crate) fn now(&self) -> Instant {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

//! The seam to what runs a node: time, tasks, threads and chance. Whoever holds this seam holds them all.
//!
//! Everything in this crate asks here what time it is, starts its tasks and draws its numbers; so a simulation that puts
//! its own hand here can show a run again to the byte. Waits go over tokio's timers, which follow the same time. The lints
//! of this crate refuse the other ways.
//!
//! Left out on purpose: tokio's sockets and files, which a simulation has none of, and the log's own threads, whose work
//! is a state machine that anybody can drive.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rand_core::TryRng;
use rand::rngs::ThreadRng;
use tokio::task::JoinHandle;

#[cfg(test)]
use crate::raft::simulation::Turns;

/// Now, by the clock that the timers follow.
pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "this is the one way")]
    tokio::time::Instant::now().into_std()
}

/// How long ago that was.
pub(crate) fn since(began: Instant) -> Duration {
    now().saturating_duration_since(began)
}

/// Starts a task.
pub(crate) fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    #[cfg(test)]
    if let Some(turns) = Turns::played() {
        return turns.start_here(task);
    }
    #[expect(clippy::disallowed_methods, reason = "this is the one way")]
    tokio::spawn(task)
}

/// Starts work that waits for a disk or takes long, where no task waits behind it.
pub(crate) fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    #[cfg(test)]
    if let Some(turns) = Turns::played() {
        return turns.start_here(async move { work() });
    }
    #[expect(clippy::disallowed_methods, reason = "this is the one way")]
    tokio::task::spawn_blocking(work)
}

/// Lets time pass within such work.
pub(crate) fn pause(most: Duration) {
    #[cfg(test)]
    if Turns::played().is_some() {
        return;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "what is waited for is time itself, on a thread that has nothing else to do"
    )]
    std::thread::sleep(most);
}

/// A number for what is told apart by it; never 0, which stands for none on the wire.
pub(crate) fn draw() -> u64 {
    chance().random::<u64>().max(1)
}

/// The generator of this thread, seeded by the system.
pub(crate) fn chance() -> Chance {
    #[expect(clippy::disallowed_methods, reason = "this is the one way")]
    Chance(rand::rng())
}

/// Chance: whoever draws from it decides nothing that is replicated.
pub(crate) struct Chance(ThreadRng);

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        #[cfg(test)]
        if let Some(turns) = Turns::played() {
            let drawn: [u8; 4] = turns.bytes();
            return Ok(u32::from_le_bytes(drawn));
        }
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        #[cfg(test)]
        if let Some(turns) = Turns::played() {
            return Ok(u64::from_le_bytes(turns.bytes()));
        }
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        #[cfg(test)]
        if let Some(turns) = Turns::played() {
            turns.fill(into);
            return Ok(());
        }
        self.0.try_fill_bytes(into)
    }
}

//! Waiting: for a condition, with a deadline, and with a sentence about what was awaited.
//!
//! The only pauses of the whole crate are the polling steps here.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two looks at a condition: short against everything that is measured, long against its cost.
const POLL: Duration = Duration::from_millis(10);

/// For anything that the system promises within seconds, on a machine that may be four times slower than ours.
pub const SOON: Duration = Duration::from_secs(20);

/// For starts of processes, which on a busy machine take longest.
pub const START: Duration = Duration::from_secs(90);

/// Waits until `probe` yields a value.
///
/// # Errors
/// After `limit`, with `what` in the sentence.
pub fn wait_for<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(value) = probe() {
            return Ok(value);
        }
        if started.elapsed() > limit {
            bail!("waited {:.1} s in vain for: {what}", limit.as_secs_f64());
        }
        pause(POLL);
    }
}

/// Waits until `condition` holds and says how long that took.
///
/// # Errors
/// After `limit`, with `what` in the sentence.
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Result<Duration> {
    let started = Instant::now();
    wait_for(what, limit, || condition().then_some(()))?;
    Ok(started.elapsed())
}

/// Watches that `condition` holds all through `span`: for claims that something does not happen.
///
/// # Errors
/// As soon as it does not hold, with `what` in the sentence.
pub fn holds_for(what: &str, span: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < span {
        if !condition() {
            bail!("held for only {:.2} s: {what}", started.elapsed().as_secs_f64());
        }
        pause(POLL);
    }
    Ok(())
}

/// A step between two tries of a call, during which the runtime's connections go on.
pub(crate) async fn pause_in_runtime(step: Duration) {
    tokio::time::sleep(step).await;
}

#[allow(
    clippy::disallowed_methods,
    reason = "the step between two looks at a condition that has a deadline"
)]
fn pause(step: Duration) {
    std::thread::sleep(step);
}

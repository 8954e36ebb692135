//! What SIGHUP means: the configuration is read anew, what is right is taken over, and what is not is said.
//!
//! Invariant: a configuration with a fault changes nothing, and one that wants more than a running server can change says
//! which keys wait for a restart; the others are taken over.
//!
//! A process that is put in the place of another has read it, too, and counts the same way.
//!
//! Left out on purpose: what a server takes over, and which of its keys are fixed.

use crate::config::Faults;
use crate::figures::{self, Reload};

/// What was read, if it may be taken over. `fixed` gives the keys that differ from what runs and cannot change until the
/// server is started again.
pub fn taken<C>(read: Result<C, Faults>, fixed: impl FnOnce(&C) -> Vec<&'static str>) -> Option<C> {
    let new = read
        .inspect_err(|faults| {
            figures::reloaded(Reload::Faulty);
            tracing::error!(%faults, "the new configuration is faulty; the old one stays");
        })
        .ok()?;
    let fixed = fixed(&new);
    let result = if fixed.is_empty() {
        Reload::Taken
    } else {
        Reload::Partly
    };
    figures::reloaded(result);
    if fixed.is_empty() {
        tracing::info!("the new configuration holds");
    } else {
        tracing::warn!(
            "the new configuration holds but for what changes at a restart only; restart to apply: {}",
            fixed.join(", ")
        );
    }
    Some(new)
}

/// Counts that this process was put in the place of another, and what it read is taken over.
pub fn taken_with_the_place() {
    figures::reloaded(Reload::Taken);
}

/// Counts that this process should have been replaced, and what its successor was to read holds nowhere.
pub fn not_replaced() {
    figures::reloaded(Reload::Faulty);
}

/// The keys that differ.
pub fn differing<const KEYS: usize>(keys: [(&'static str, bool); KEYS]) -> Vec<&'static str> {
    let differing = keys.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(key, _)| key).collect()
}

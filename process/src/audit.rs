//! The books: a line for everything that operators do, and for what somebody had no right to. Servers write them as log lines of
//! one target, so that `RUST_LOG=audit=info` leaves nothing else.
//!
//! Left out on purpose: who may do what, and where it is decided.

use crate::tls::Caller;

/// The target of these lines.
const TARGET: &str = "audit";

/// Somebody had no right to what they asked; the sentence names them.
pub fn refused(action: &str, why: &str) {
    tracing::warn!(target: TARGET, action, "audit: refused: {why}");
}

/// An operator's wish was followed; `did` says how.
pub fn done(caller: &Caller, action: &str, did: &str) {
    tracing::info!(target: TARGET, %caller, action, did, "audit: done");
}

/// An operator's wish was not followed, though they had the right.
pub fn failed(caller: &Caller, action: &str, why: &str) {
    tracing::info!(target: TARGET, %caller, action, why, "audit: failed");
}

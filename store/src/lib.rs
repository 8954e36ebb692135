//! Placeholder.
pub mod log;
pub mod session;
pub mod snapshot;

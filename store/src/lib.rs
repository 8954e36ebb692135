//! Placeholder.
pub mod log;
pub mod raft;
pub mod session;
pub mod snapshot;

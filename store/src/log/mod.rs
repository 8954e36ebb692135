//! The durable log: our own small seam over one write-ahead log, and the data directory around it.

mod data_dir;
mod raft_log_store;
mod recent;
mod records;
mod tail;
mod types;

pub use data_dir::{ClusterId, DataDir, DataDirError, DiskId, Identity};
pub use raft_log_store::{LogGauge, RaftLogStore, Syncs};
pub use types::{Completion, GROUP, LogBounds, LogEntry, LogId, LogStore, Payload, Vote};

#[cfg(test)]
mod tests;

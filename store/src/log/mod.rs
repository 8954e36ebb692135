//! The durable log: our own small seam ([`Log`]) over one write-ahead log, and the data directory around it.
//!
//! Invariants: nothing is called durable before the disk has said so; votes and entries are one ordered stream; a failed
//! write or sync is final and ends the node. A tail that a crash has torn is cut, damage before it is refused. A data directory
//! belongs to one node of one cluster, and to one process at a time.
//!
//! Left out on purpose: when to purge, which `raft` decides, and images of the table (`snapshot`).

mod data_dir;
#[cfg(test)]
pub(crate) mod faulty;
mod file_log;
mod recent;
mod records;
mod tail;
mod types;

pub(crate) use data_dir::{ClusterId, DataDir, DataDirError, DiskId};
pub(crate) use file_log::{FileLog, LogGauge, Syncs};
#[cfg(test)]
pub(crate) use types::{Completion, LogBounds};
pub(crate) use types::{GROUP, Log, LogEntry, LogId, Payload, Vote};

#[cfg(test)]
mod tests;

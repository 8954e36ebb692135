//! The durable log: our own small seam over one write-ahead log, and the data directory around it.

mod data_dir;
#[cfg(test)]
pub(crate) mod faulty;
mod file_log;
mod recent;
mod records;
mod tail;
mod types;

pub use data_dir::{ClusterId, DataDir, DataDirError, DiskId, Identity};
pub use file_log::{FileLog, LogGauge, Syncs};
pub use types::{Completion, GROUP, Log, LogBounds, LogEntry, LogId, Payload, Vote};

#[cfg(test)]
mod tests;

//! The durable log: our own small seam over one write-ahead log, and the data directory around it.

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

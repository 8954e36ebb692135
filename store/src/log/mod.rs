//! The durable log: our own small seam ([`Log`]) over segments of our own, and the data directory around it.
//!
//! # Map
//!
//! | module | what it is |
//! |---|---|
//! | `types` | the seam, with its contract |
//! | `record`, `segment`, `manifest` | pure: every byte of the log, written and read |
//! | `contents`, `recovery` | pure: what a log holds, and what an opened directory means |
//! | `core` | what callers and workers share: state, queue, who waits |
//! | `writer`, `housekeeping` | state machines that do all work on the disk, one step at a time |
//! | `spares` | files that wait for their next use, and the reserve |
//! | `reading`, `recent` | entries from the disk, and from memory |
//! | `opening`, `file_log` | opens a directory; the log as its callers have it, with the two threads |
//! | `data_dir`, `holder` | whose the directory is, and which process has it |
//! | `life`, `lives_file` | what a node remembers of its peers' disks, and the file that keeps it |
//!
//! # Invariants
//!
//! Nothing is called durable before the disk has said so; votes and entries are one ordered stream; a failed write or sync
//! is final and ends the node. No caller waits for the disk but one that reads, and nobody waits for it holding a lock. A
//! tail that a crash has torn is cut, damage before it is refused, and so is a directory of which a part is missing: its
//! parts vouch for each other. A data directory belongs to one node of one cluster, and to one process at a time.
//!
//! Left out on purpose: when to purge, which `raft` decides, and images of the table (`snapshot`).

mod contents;
mod core;
mod data_dir;
#[cfg(test)]
mod driven;
mod fields;
mod file_log;
mod gauge;
mod holder;
mod housekeeping;
mod life;
mod lives_file;
mod manifest;
mod opening;
mod reading;
mod recent;
mod record;
mod recovery;
mod segment;
mod spares;
mod types;
mod writer;

pub(crate) use data_dir::{ClusterId, DataDir, DataDirError, DiskId};
#[cfg(test)]
pub(crate) use driven::{DrivenLog, LogWorkers};
#[cfg(test)]
pub(crate) use file_log::FileLog;
pub(crate) use gauge::{LogGauge, LogLoad, Syncs};
pub(crate) use life::{DiskLife, Lives};
pub(crate) use lives_file::LivesFile;
pub(crate) use opening::SEGMENT_BYTES;
pub(crate) use spares::RESERVE_BYTES;
#[cfg(test)]
pub(crate) use types::{Completion, LogBounds};
pub(crate) use types::{GROUP, Log, LogEntry, LogId, Payload, Vote};

/// What a person can do whose disk lost something, and why nothing less will do: a node that forgot what it had
/// acknowledged would vote it away. A copy of the directory is no cure, for it has forgotten as well.
pub(crate) const LEAVE_OUT: &str = "This node must not go on with this data directory: saves that it acknowledged may be \
     missing. Keep the other nodes running, they hold the sessions; replace this node: start it with an empty data \
     directory and --join, and say `remora nodes replace` with its id";

#[cfg(test)]
mod tests;

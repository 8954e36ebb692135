//! The data directory: whose it is, and that only one process uses it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Drawn at random when a data directory is created: an emptied or swapped disk is noticed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiskId(pub u64);

impl fmt::Display for DiskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Drawn at random when a cluster forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub u64);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Whose a data directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The node.
    pub node_id: u64,
    /// The disk.
    pub disk_id: DiskId,
    /// The cluster; absent until it is formed.
    pub cluster: Option<ClusterId>,
}

/// Why a data directory cannot be used, as a sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It belongs to somebody else, is in use, or was written by a newer program.
    #[error("{0}")]
    Refused(String),
    /// The disk said no.
    #[error("data directory {path}: {source}")]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// An open data directory. It stays locked until this is dropped.
#[derive(Debug)]
pub struct DataDir {}

impl DataDir {
    /// Opens or creates the data directory of a node.
    pub fn open(_directory: &Path, _node_id: u64) -> Result<Self, DataDirError> {
        todo!()
    }

    /// Whose it is.
    pub fn identity(&self) -> Identity {
        todo!()
    }

    /// Records, once and durably, the cluster that this node belongs to. Another one than the recorded is refused.
    pub fn join_cluster(&mut self, _cluster: ClusterId) -> Result<(), DataDirError> {
        todo!()
    }

    /// Where the log lives.
    pub fn log_directory(&self) -> PathBuf {
        todo!()
    }

    /// Where table images live.
    pub fn snapshot_directory(&self) -> PathBuf {
        todo!()
    }
}

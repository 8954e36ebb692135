//! The file in which a node keeps what it remembers of its peers' disks.
//!
//! Nothing that this node promised stands in it, so nothing of the directory vouches for it, and its loss stops nobody: a
//! node that lost it cannot tell an older copy of a peer's disk until that peer has spoken again, and says so. That is also
//! what a node does whose file is damaged or cannot be read. Only a file of a later release is left as it is, and refused:
//! its cluster writes what this program must not.
//!
//! Invariants: the file is replaced as a whole; it is written by one holder, which keeps others out of the directory until it
//! is done. Left out: its bytes (`life`), and when it is written (`raft`).

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::Disk;
use remora_table::{Format, Formats};

use super::data_dir::{DataDirError, DiskId};
use super::life::Lives;
use super::record::Unreadable;

/// Where what is remembered is kept.
#[derive(Debug)]
pub(crate) struct LivesFile {
    disk: Disk,
    path: PathBuf,
    owner: DiskId,
    _lock: Arc<File>,
}

impl LivesFile {
    /// Of the data directory of this disk; `lock` keeps others out of it.
    pub(super) fn new(disk: &Disk, path: PathBuf, owner: DiskId, lock: Arc<File>) -> Self {
        Self {
            disk: disk.clone(),
            path,
            owner,
            _lock: lock,
        }
    }

    /// Reads it. Where there is none, or it cannot be read, nothing is remembered; `is_expected` says that somebody is to
    /// know of that.
    ///
    /// # Errors
    /// A later release wrote it.
    pub(super) fn read(&self, understood: Formats, is_expected: bool) -> Result<Lives, DataDirError> {
        let why = match self.disk.read(&self.path) {
            Ok(bytes) => match Lives::decode(&bytes, self.owner, understood) {
                Ok(lives) => return Ok(lives),
                Err(Unreadable::Bad) => "it is damaged".to_owned(),
                Err(Unreadable::Later(format)) => {
                    return Err(DataDirError::Refused(format!(
                        "{} is of format {format}, and this program understands {understood}: start the release of \
                         remora-store that ran here last, or a later one",
                        self.path.display()
                    )));
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_expected => {
                return Ok(Lives::default());
            }
            Err(error) => error.to_string(),
        };
        tracing::warn!(
            file = %self.path.display(),
            why,
            "what this node remembered of its peers' disks is lost: an older copy of one is not noticed here until it has \
             spoken again; nothing else depends on it"
        );
        Ok(Lives::default())
    }

    /// Replaces it; on return it is durable. Not for a runtime's thread.
    ///
    /// # Errors
    /// The disk failed; the file is what it was.
    pub(crate) fn write(&self, lives: &Lives, format: Format) -> io::Result<()> {
        self.disk.replace(&self.path, &lives.encode(self.owner, format))
    }
}

//! Where operators' wishes are kept: a directory of this process alone (`[control] state`).
//!
//! Invariants: what is there is whole, before and after a power cut: written aside, synced, renamed, the directory synced ·
//! the directory is locked for as long as the process lives · a wish is on disk before it is spoken of.
//!
//! Left out on purpose: what is written (`remora_policy`), and what a wish does (`directory`).

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use remora_policy::{read_wishes, write_wishes};
use tokio::io::AsyncWriteExt;

/// The directory, locked.
#[derive(Debug)]
pub struct Wishes {
    directory: PathBuf,
    /// Held open: the lock ends with it.
    _lock: File,
}

/// Routes that are to be drained.
pub(crate) type Drained = BTreeSet<Arc<str>>;

impl Wishes {
    /// Makes and locks the directory, and reads what was wished before.
    ///
    /// # Errors
    /// A sentence that names the directory: it cannot be used, another process uses it, or what it holds is not
    /// understood.
    pub fn open(directory: &Path) -> Result<(Self, BTreeSet<Arc<str>>), String> {
        let at = |error: &dyn std::fmt::Display| format!("control.state {}: {error}", directory.display());
        fs::create_dir_all(directory).map_err(|error| at(&error))?;
        let lock = File::options()
            .create(true)
            .append(true)
            .open(directory.join("lock"))
            .map_err(|error| at(&error))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => at(&"another proxy uses it; give each its own"),
            TryLockError::Error(error) => at(&error),
        })?;
        let wishes = Self {
            directory: directory.to_path_buf(),
            _lock: lock,
        };
        let drained = match fs::read_to_string(wishes.file()) {
            Ok(text) => read_wishes(&text).map_err(|sentence| {
                at(&format!(
                    "{} is not understood, {sentence}; remove it to begin without wishes",
                    wishes.file().display()
                ))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => return Err(at(&error)),
        };
        Ok((wishes, drained))
    }

    /// Replaces what is kept. Waits for the disk, and keeps no thread waiting.
    pub(crate) async fn keep(&self, drained: &Drained) -> io::Result<()> {
        let aside = self.directory.join("wishes.new");
        let mut file = tokio::fs::File::create(&aside).await?;
        file.write_all(write_wishes(drained).as_bytes()).await?;
        file.sync_all().await?;
        tokio::fs::rename(&aside, self.file()).await?;
        tokio::fs::File::open(&self.directory).await?.sync_all().await
    }

    fn file(&self) -> PathBuf {
        self.directory.join("wishes")
    }
}

//! Where operators' wishes are kept: a directory of this process alone (`[control] state`).
//!
//! Invariants: what is there is whole, before and after a power cut: written aside, synced, renamed, the directory synced ·
//! the directory is locked for as long as the process lives · a wish is on disk before it is spoken of.
//!
//! Left out on purpose: what is written (`remora_policy`), and what a wish does (`directory`).

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use remora_policy::Wishes;
use tokio::io::AsyncWriteExt;

/// The directory, locked.
#[derive(Debug)]
pub struct WishStore {
    directory: PathBuf,
    /// Held open: the lock ends with it.
    _lock: File,
}

impl WishStore {
    /// Makes and locks the directory, and reads what was wished before.
    ///
    /// # Errors
    /// A sentence that names the directory: it cannot be used, another process uses it, or what it holds is not
    /// understood.
    pub fn open(directory: &Path) -> Result<(Self, Wishes), String> {
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
        let store = Self {
            directory: directory.to_path_buf(),
            _lock: lock,
        };
        let wishes = match fs::read_to_string(store.file()) {
            Ok(text) => Wishes::read(&text).map_err(|sentence| {
                at(&format!(
                    "{} is not understood, {sentence}; remove it to begin without wishes",
                    store.file().display()
                ))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Wishes::default(),
            Err(error) => return Err(at(&error)),
        };
        Ok((store, wishes))
    }

    /// Replaces what is kept. Waits for the disk, and keeps no thread waiting.
    pub(crate) async fn keep(&self, wishes: &Wishes) -> io::Result<()> {
        let aside = self.directory.join("wishes.new");
        let mut file = tokio::fs::File::create(&aside).await?;
        file.write_all(wishes.write().as_bytes()).await?;
        file.sync_all().await?;
        tokio::fs::rename(&aside, self.file()).await?;
        tokio::fs::File::open(&self.directory).await?.sync_all().await
    }

    fn file(&self) -> PathBuf {
        self.directory.join("wishes")
    }
}

//! Where operators' wishes are kept, and the last view of the store's registry: a directory of this process alone (`[control] state`).
//!
//! Invariants: what is there is whole, before and after a power cut: written aside, synced, renamed, the directory synced ·
//! the directory is locked for as long as the process lives, and on while a successor has the lock · a wish is on disk before
//! it is spoken of · once a successor has the word, nothing is written here any more, and a successor writes nothing before · the wishes are written
//! before the view that tells with which store they stand.
//!
//! Left out on purpose: what is written (`remora_policy`), and what a wish does (`directory`).

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use remora_policy::{Maintenances, View, Wishes};
use tokio::io::AsyncWriteExt;
use tokio::sync::{Mutex, MutexGuard, watch};

/// The file of what is wished of routes.
const ROUTES: &str = "wishes";
/// The file of what is wished of pools.
const POOLS: &str = "maintenance";
/// The file of the last view.
const VIEW: &str = "view";

/// Where wishes go at this moment; clones share it.
#[derive(Clone, Debug)]
pub struct Keeping {
    place: Arc<Mutex<WishPlace>>,
    /// Changes whenever a successor has failed.
    returns: watch::Sender<()>,
}

/// The place of wishes.
#[derive(Debug)]
pub(crate) struct WishPlace {
    /// None where they end with the process.
    pub(crate) store: Option<WishStore>,
    /// Whether another process has the word: a successor from now on, or a predecessor still.
    pub(crate) handed_over: bool,
}

impl Keeping {
    /// In this directory, if there is one; and what was wished and known before. `handed` is the lock of a predecessor, who has the
    /// word until it is taken over ([`Keeping::take_over`]).
    ///
    /// # Errors
    /// A sentence that names the directory: it cannot be used, another process uses it, or what it holds is not
    /// understood.
    pub fn open(directory: Option<&Path>, handed: Option<File>) -> Result<(Self, View), String> {
        let handed_over = handed.is_some();
        let store = directory
            .map(|directory| WishStore::open(directory, handed))
            .transpose()?;
        let view = store
            .as_ref()
            .map_or_else(|| Ok(View::default()), WishStore::read)?;
        let place = WishPlace { store, handed_over };
        let keeping = Self {
            place: Arc::new(Mutex::new(place)),
            returns: watch::channel(()).0,
        };
        Ok((keeping, view))
    }

    /// The place, for as long as a wish takes: one after the other.
    pub(crate) async fn hold(&self) -> MutexGuard<'_, WishPlace> {
        self.place.lock().await
    }

    /// Has the word from now on. Gives what is kept, if it outlives the process: a predecessor has had the last word.
    ///
    /// # Errors
    /// As [`Keeping::open`].
    pub async fn take_over(&self) -> Result<Option<View>, String> {
        let mut place = self.hold().await;
        place.handed_over = false;
        place.store.as_ref().map(WishStore::read).transpose()
    }

    /// The lock, for a successor.
    pub(crate) async fn lock_file(&self) -> io::Result<Option<OwnedFd>> {
        let place = self.hold().await;
        let lock = place.store.as_ref().map(|store| store.lock.try_clone());
        Ok(lock.transpose()?.map(OwnedFd::from))
    }

    /// Nothing is kept here any more. Waits for the wish that is being kept.
    pub(crate) async fn hand_over(&self) {
        self.hold().await.handed_over = true;
    }

    /// The successor has failed. Whoever waits to be told so is woken: what was said meanwhile is still to be kept, and told to the store.
    pub(crate) async fn take_back(&self) {
        self.hold().await.handed_over = false;
        self.returns.send_replace(());
    }

    /// Changes from now on whenever this process has the word back.
    pub(crate) fn returns(&self) -> watch::Receiver<()> {
        self.returns.subscribe()
    }
}

impl WishPlace {
    /// Keeps what is held of the store's word, where there is a place for it and this process has the word.
    pub(crate) async fn keep_view(&self, view: &View) -> io::Result<()> {
        match &self.store {
            Some(store) if !self.handed_over => store.keep_view(view).await,
            _ => Ok(()),
        }
    }
}

/// The directory, locked.
#[derive(Debug)]
pub(crate) struct WishStore {
    directory: PathBuf,
    /// Held open: the lock ends with it.
    lock: File,
}

impl WishStore {
    /// Makes the directory, and locks it unless it is the one whose lock was handed down.
    fn open(directory: &Path, handed: Option<File>) -> Result<Self, String> {
        let at = |error: &dyn std::fmt::Display| format!("control.state {}: {error}", directory.display());
        fs::create_dir_all(directory).map_err(|error| at(&error))?;
        let own = File::options()
            .create(true)
            .append(true)
            .open(directory.join("lock"))
            .map_err(|error| at(&error))?;
        let lock = match handed {
            Some(handed) if is_same(&handed, &own).map_err(|error| at(&error))? => handed,
            _ => {
                own.try_lock().map_err(|error| match error {
                    TryLockError::WouldBlock => at(&"another proxy uses it; give each its own"),
                    TryLockError::Error(error) => at(&error),
                })?;
                own
            }
        };
        Ok(Self {
            directory: directory.to_path_buf(),
            lock,
        })
    }

    /// What was wished and known before. A view that is not understood is none: the store tells it again.
    fn read(&self) -> Result<View, String> {
        let mut view = self.read_one(VIEW, View::read).unwrap_or_else(|sentence| {
            tracing::error!(
                sentence,
                "this process begins without the members that were discovered before"
            );
            View::default()
        });
        view.wishes = self.read_one(ROUTES, Wishes::read)?;
        view.wishes.pools = self.read_one(POOLS, Maintenances::read)?;
        Ok(view)
    }

    /// What one of the files holds; nothing where it is not there.
    fn read_one<T: Default>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        let file = self.directory.join(name);
        let at =
            |error: &dyn std::fmt::Display| format!("control.state {}: {error}", self.directory.display());
        match fs::read_to_string(&file) {
            Ok(text) => read(&text).map_err(|sentence| {
                at(&format!(
                    "{} is not understood, {sentence}; remove it to begin without it",
                    file.display()
                ))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
            Err(error) => Err(at(&error)),
        }
    }

    /// Replaces all three. The wishes come first: cut in between, they stand with the store of the view before, and what that means
    /// for them is found again when the store tells its view.
    async fn keep_view(&self, view: &View) -> io::Result<()> {
        self.keep_routes(&view.wishes).await?;
        self.keep_pools(&view.wishes).await?;
        self.keep(VIEW, &view.write()).await
    }

    /// Replaces what is kept of routes. Waits for the disk, and keeps no thread waiting.
    pub(crate) async fn keep_routes(&self, wishes: &Wishes) -> io::Result<()> {
        self.keep(ROUTES, &wishes.write()).await
    }

    /// Replaces what is kept of pools, likewise.
    pub(crate) async fn keep_pools(&self, wishes: &Wishes) -> io::Result<()> {
        self.keep(POOLS, &wishes.pools.write()).await
    }

    async fn keep(&self, name: &str, text: &str) -> io::Result<()> {
        // What is there was synced when it was written.
        if tokio::fs::read_to_string(self.directory.join(name))
            .await
            .is_ok_and(|kept| kept == text)
        {
            return Ok(());
        }
        let aside = self.directory.join(format!("{name}.new"));
        let mut file = tokio::fs::File::create(&aside).await?;
        file.write_all(text.as_bytes()).await?;
        // Only this says how the write ended; a sync after a write that failed ends well.
        file.flush().await?;
        file.sync_all().await?;
        tokio::fs::rename(&aside, self.directory.join(name)).await?;
        tokio::fs::File::open(&self.directory).await?.sync_all().await
    }
}

/// Whether two open files are one.
fn is_same(one: &File, other: &File) -> io::Result<bool> {
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

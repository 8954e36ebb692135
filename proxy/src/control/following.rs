//! The subscription to the store's registry: which Tomcats there are, and what operators wish of them at whatever proxy.
//!
//! One task of the control runtime; no request of a client waits for it or asks the store. It finds the leader (`search`), holds one
//! stream there (`stream`), puts the parts of each view together (`parts`), and hands the view to the directory, where the wishes of
//! the store and those that were made here meet; what comes of it is told to people (`hearing`). Then it says `followed`: the snapshot is swapped, nobody who begins a request from
//! now on is sent to a Tomcat that the view does not name. Beside it what holds is put on disk (`wishes`), and the store is told what
//! was wished here (`telling`). How it stands with the store is in its `books`; what operators ask of it, in [`Following`].
//!
//! # Who follows while one process replaces another
//!
//! Both do, each for itself: `followed` speaks of one process, and the old one has requests and WebSockets to end that a Tomcat may
//! be waiting for. The new one so has its members before it says ready, with or without a directory for the view. But what is kept
//! on disk and told to the store has one writer, the process that has operators (`Keeping`): the other reads what that one left.
//!
//! # Invariants
//!
//! The store's silence takes nothing out and changes no wish · a Tomcat is left before this is said, and said before anything waits for a
//! disk · no wait without an end: a node that does not answer is given up after [`CONNECT`], one that says nothing for [`SILENCE`] ·
//! what is amiss is said once when it begins, and when it ends.
//!
//! Left out on purpose: what a view means for a pool (`remora_policy`, `directory`), and its form on disk (`wishes`).

mod books;
mod convert;
mod hearing;
mod parts;
mod search;
mod stream;
mod telling;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use remora_process::tls::{Dial, Door, Tls};
use remora_proto::v1::DiscoveryStatus;
use tokio::sync::watch;
use tonic::transport::Channel;

use crate::chronicle::{Happening, Sort};
use crate::config::StoreConfig;
use crate::directory::Directory;
use crate::wishes::Keeping;
use books::Books;
use search::{Pause, Search};

/// How long a node may take to be connected to. 1 s: a machine that is gone must not hold up a Tomcat that stops for longer.
const CONNECT: Duration = Duration::from_secs(1);
/// How long a stream may be silent. 3 s: the store says something each second, and one lost packet is no silence.
const SILENCE: Duration = Duration::from_secs(3);
/// Between two tries to read the files of TLS, which somebody has to mend. 5 s: as soon as a person may expect.
const FILES_AGAIN: Duration = Duration::from_secs(5);

/// What is asked of the subscription; clones share it.
#[derive(Clone)]
pub struct Following(Arc<Subscriber>);

struct Subscriber {
    /// Of this proxy, for people.
    name: String,
    directory: Directory,
    keeping: Keeping,
    /// Whom to follow; none where the file asks for no discovery.
    reach: watch::Sender<Option<StoreConfig>>,
    /// Who leads, while a stream is open there.
    leader: watch::Sender<Option<Channel>>,
    books: Mutex<Books>,
    /// Rises with every change of what the books and the wishes say.
    changes: watch::Sender<u64>,
}

impl Following {
    /// Follows nobody yet. `name` is this proxy's, for people.
    #[must_use]
    pub fn new(name: String, directory: Directory, keeping: Keeping) -> Self {
        let reach = watch::channel(directory.followed_store()).0;
        Self(Arc::new(Subscriber {
            name,
            directory,
            keeping,
            reach,
            leader: watch::channel(None).0,
            books: Mutex::new(Books::new()),
            changes: watch::channel(0).0,
        }))
    }

    /// The directory has a new file, which may name another store.
    pub fn reload(&self) {
        let now = self.0.directory.followed_store();
        self.0.reach.send_if_modified(|reach| {
            let differs = *reach != now;
            *reach = now;
            differs
        });
    }

    /// The directory has what a predecessor left: from now on this process keeps it, and tells what is to be told.
    pub fn take_over(&self) {
        self.changed();
    }

    /// Follows until it is dropped.
    pub async fn run(self) {
        tokio::select! {
            () = self.follow_all() => {}
            () = self.keep_kept() => {}
            () = self.keep_telling() => {}
            () = self.keep_returning() => {}
        }
    }

    /// What was left undone while a successor had the word is done once that has failed.
    async fn keep_returning(&self) {
        let mut returns = self.0.keeping.returns();
        while returns.changed().await.is_ok() {
            self.changed();
        }
    }

    /// Follows what the file says, one store after the other.
    async fn follow_all(&self) {
        let mut reaches = self.0.reach.subscribe();
        loop {
            let reach = reaches.borrow_and_update().clone();
            let following = async {
                match &reach {
                    Some(reach) => self.follow(reach).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = following => {}
                // The sender is this one's own.
                _ = reaches.changed() => drop(self.0.leader.send_replace(None)),
            }
        }
    }

    /// How it follows, for operators; none where the file asks for no discovery.
    pub(super) fn status(&self) -> Option<DiscoveryStatus> {
        let current = self.0.directory.current();
        let discovered = current.snapshot.discovered.as_ref()?;
        let untold = u32::try_from(self.untold().len()).unwrap_or(u32::MAX);
        let books = self.books();
        Some(DiscoveryStatus {
            cluster: discovered.cluster.to_string(),
            version: discovered.version,
            present: books.is_present,
            silent_seconds: books.heard.map(|heard| heard.elapsed().as_secs()),
            reason: books.reason.clone(),
            untold,
        })
    }

    /// Follows this store, for ever.
    async fn follow(&self, reach: &StoreConfig) {
        let (tls, dial) = match &reach.tls {
            None => (None, Dial::default()),
            Some(files) => {
                let tls = self.loaded(files).await;
                (Some(tls.clone()), Dial::new(Some(tls)))
            }
        };
        let looking = async {
            match tls {
                Some(tls) => tls.keep_looking().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = looking => {}
            () = self.search(&dial, reach) => {}
        }
    }

    /// The files of TLS, once they can be used: the check of the configuration has read them, and they may have gone since.
    async fn loaded(&self, files: &remora_process::tls::Files) -> Tls {
        let mut pause = Pause::new(FILES_AGAIN, FILES_AGAIN);
        loop {
            let files = files.clone();
            let read = tokio::task::spawn_blocking(|| Tls::load(files, Door::Certified)).await;
            match read {
                Ok(Ok(tls)) => return tls,
                Ok(Err(error)) => self.is_away(&error.to_string()),
                Err(error) => self.is_away(&error.to_string()),
            }
            tokio::time::sleep(pause.draw()).await;
        }
    }

    /// One stream after the other.
    async fn search(&self, dial: &Dial, reach: &StoreConfig) {
        let mut search = Search::new(
            reach
                .addresses
                .iter()
                .map(|address| address.to_string())
                .collect(),
        );
        loop {
            let (address, was_hint) = search.address();
            let mut ended = self.stream(dial, &address).await;
            ended.leader = ended.leader.filter(|leader| reach.may_be_at(leader));
            self.0.leader.send_replace(None);
            self.is_away(&format!("{address}: {}", ended.why));
            if let Some(pause) = search.ended(was_hint, &ended) {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// The store says something.
    fn is_heard(&self) {
        let mut books = self.books();
        let is_news = books.heard.is_none() || books.is_said;
        let returns = !std::mem::replace(&mut books.is_present, true);
        books.heard = Some(Instant::now());
        books.is_said = false;
        books.reason.clear();
        drop(books);
        if is_news {
            let view = self.0.directory.view();
            let (cluster, version, servers) = (&*view.cluster, view.version, view.servers.len());
            tracing::info!(
                cluster,
                version,
                servers,
                "the store is there: its registry is followed"
            );
        }
        if returns {
            self.changed();
        }
    }

    /// The store does not. It is said once, when that has lasted longer than any election.
    fn is_away(&self, why: &str) {
        let mut books = self.books();
        books.is_present = false;
        why.clone_into(&mut books.reason);
        let silent = books.heard.unwrap_or(books.began).elapsed();
        let is_news = silent >= SILENCE && !std::mem::replace(&mut books.is_said, true);
        drop(books);
        if is_news {
            let view = self.0.directory.view();
            let (version, servers) = (view.version, view.servers.len());
            let what = "the store does not answer: this proxy serves by the last view of its registry";
            tracing::warn!(why, version, servers, "{what}");
            self.note(what, why);
        }
    }

    /// Tells people of it who ask what changed.
    fn note(&self, what: &str, why: &str) {
        let happening = Happening::new(Sort::Discovery, "", what).because(why);
        self.0.directory.chronicle().note(happening);
    }

    /// Whoever waits for something in the books looks again.
    fn changed(&self) {
        self.0.changes.send_modify(|number| *number += 1);
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // What is changed under it is changed by calls that do not panic halfway.
        self.0.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

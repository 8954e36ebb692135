//! Telling the store what was wished here, and keeping on disk what holds.
//!
//! Invariants: one wish is told at a time, over the version of what it was made over, so one that comes late changes nothing that was
//! told since · that it is told is on disk before it is · one that the store does not take is tried again with a pause that grows,
//! and the log says so once for each reason · a process that has a successor, or is one that waits, tells nothing and keeps nothing.
//!
//! Left out on purpose: what becomes of a wish over which there is another. The next view says it (`remora_policy::merge`).

use std::time::Duration;

use remora_policy::StoredWish;
use remora_proto::v1::WishReply;
use remora_proto::v1::registry_client::RegistryClient;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::search::Pause;
use super::{Following, convert};

/// How long an operator waits for the store to have a wish that holds here already. 2 s: an election, and a slow disk.
const SHARED: Duration = Duration::from_secs(2);
/// How long one wish may take to be answered. As long as an operator waits.
const ANSWER: Duration = SHARED;
/// The first pause after a wish that was not taken. 500 ms: what passes has passed.
const PAUSE_LEAST: Duration = Duration::from_millis(500);
/// The longest. 30 s: what does not pass is a person's to mend.
const PAUSE_MOST: Duration = Duration::from_secs(30);

impl Following {
    /// Whether the store is to keep wishes: it is followed, or has been.
    pub(in crate::control) fn shares(&self) -> bool {
        self.0.reach.borrow().is_some() || self.0.directory.view().is_told()
    }

    /// These are wished here from now on; waits until the store has them, or others in place of them. Says whether it does. Those that
    /// press are told over whatever is wished elsewhere meanwhile.
    pub(in crate::control) async fn shared(&self, of: &[String], is_pressing: bool) -> bool {
        if self.0.reach.borrow().is_none() {
            return false;
        }
        let pressing = if is_pressing { of } else { &[] };
        self.books().pressing.extend_from_slice(pressing);
        let mut changes = self.0.changes.subscribe();
        self.changed();
        let has_them = || !self.untold().iter().any(|said| of.contains(&said.of));
        let told = async { while !has_them() && changes.changed().await.is_ok() {} };
        let is_told = timeout(SHARED, told).await.is_ok();
        // Nobody waits any more: what was wished elsewhere meanwhile is not to be overwritten.
        let mut books = self.books();
        books.is_awaited_no_more(pressing);
        // What takes nothing back that the store knows of is not told, and it is not asked whether it does.
        is_told && books.is_present
    }

    /// What the store is still to be told.
    pub(super) fn untold(&self) -> Vec<StoredWish> {
        self.0.directory.wishes().untold()
    }

    /// Tells the store what it is to be told, as long as it is polled.
    pub(super) async fn keep_telling(&self) {
        let mut changes = self.0.changes.subscribe();
        let mut pause = Pause::new(PAUSE_LEAST, PAUSE_MOST);
        let mut said = String::new();
        loop {
            changes.borrow_and_update();
            let failed = self.tell_all().await.err();
            if let Some(why) = failed {
                if why != said {
                    tracing::warn!(
                        why,
                        "the store does not take what is wished here: it is told again"
                    );
                }
                said = why;
                // What changes meanwhile may be a wish that an operator waits for.
                let _ = timeout(pause.draw(), changes.changed()).await;
                continue;
            }
            said.clear();
            pause.reset();
            // The sender is this one's own.
            let _ = changes.changed().await;
        }
    }

    /// Tells each once.
    async fn tell_all(&self) -> Result<(), String> {
        let mut failed = None;
        for StoredWish { of, .. } in self.untold() {
            let Some(leader) = self.0.leader.borrow().clone() else {
                // It is told when the store is there.
                return Ok(());
            };
            let noted = self.telling(&of).await.map_err(|error| error.to_string())?;
            let Some(said) = noted else { continue };
            match tell(leader, &said).await {
                Ok(version) => {
                    tracing::info!(
                        of = said.of,
                        version,
                        "the store has been told what is wished here"
                    );
                    if self.0.directory.answered(&said, version) {
                        self.changed();
                    }
                }
                // There is another since, which the next view tells.
                Err(status) if status.code() == Code::FailedPrecondition => {}
                Err(status) => failed = failed.or(Some(format!("{}: {}", said.of, status.message()))),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// What the store is to be told of this now, once it is on disk that it is; none where nothing is, or not by this process.
    async fn telling(&self, of: &str) -> std::io::Result<Option<StoredWish>> {
        let place = self.0.keeping.hold().await;
        if place.handed_over {
            return Ok(None);
        }
        let is_pressing = self.books().pressing.iter().any(|pressing| pressing == of);
        let Some(said) = self.0.directory.telling(of, is_pressing) else {
            return Ok(None);
        };
        place.keep_view(&self.0.directory.view()).await?;
        Ok(Some(said))
    }

    /// Keeps on disk what holds, as long as it is polled.
    pub(super) async fn keep_kept(&self) {
        let mut changes = self.0.changes.subscribe();
        let mut names = self.0.directory.learnt();
        loop {
            // The senders are this one's own, and the directory's.
            tokio::select! {
                _ = changes.changed() => {}
                _ = names.changed() => {}
            }
            let mut pause = Pause::new(PAUSE_LEAST, PAUSE_MOST);
            let mut said = String::new();
            while let Err(error) = self.keep().await {
                let why = error.to_string();
                if why != said {
                    tracing::error!(
                        why,
                        "what the store says could not be kept on disk: it is tried again"
                    );
                }
                said = why;
                tokio::time::sleep(pause.draw()).await;
            }
        }
    }

    async fn keep(&self) -> std::io::Result<()> {
        if !self.shares() {
            return Ok(());
        }
        let place = self.0.keeping.hold().await;
        // As it is now: others may have waited for the disk before.
        place.keep_view(&self.0.directory.view()).await
    }
}

/// Tells one wish; gives the store's version of it.
async fn tell(leader: Channel, said: &StoredWish) -> Result<u64, Status> {
    let mut client = RegistryClient::new(leader);
    let asked = timeout(ANSWER, client.wish(convert::wish(said)));
    let answered = asked
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
    let WishReply { version } = answered?.into_inner();
    Ok(version)
}

//! A node whose table images do not reach its log: it asks the other nodes for one before consensus starts here.
//!
//! Its log and its vote are whole, so nothing that this disk promised is lost. What an image is missing for is committed, and
//! stands in the images of others. So the node asks whoever answers, the leader first, then who is furthest, and goes on asking
//! until one came whole; where none goes far enough, whoever is asked writes one. Until then nothing of consensus runs here: the
//! node votes for nobody, acknowledges nothing and is not ready.
//!
//! Invariants:
//!
//! - What is taken is of this cluster, from a node that knows this disk as a member's; it reaches the log, and contradicts
//!   nothing of it that is committed.
//! - The others judge this disk first, by the log as it was found: an older copy, a disk that was removed or replaced and an
//!   older release end with a sentence, as they do while they run.
//! - A crash at any moment leaves a directory that asks again or starts. Before the image is in its place, it is durable in the
//!   log that entries are gone which stand where the image has others, and that no vote is of an earlier term than the image.
//!
//! Left out: how an image comes about and is sent (`endpoint`, `imaging`), and addresses that nobody named: where the members
//! are stands in the image that is lost, so `--cluster` and `--join` count here.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::StreamExt;
use openraft::storage::RaftLogStorage;
use openraft::type_config::alias::{SnapshotMetaOf, VoteOf};
use remora_proto::v1;
use tokio::sync::watch;

use crate::log::{ClusterId, DiskId, Log, LogId};
use crate::snapshot::SnapshotReceiver;

use super::forming::{self, INTRODUCE_WITHIN, Introductions};
use super::identity::NodeIdentity;
use super::joining::{self, Contact};
use super::link::{LinkError, PeerLink};
use super::lives::{self, OwnDisk};
use super::log_seam::{LogSeam, disk_id, from_disk_vote};
use super::saying::Saying;
use super::settings::{RESTORING, Settings};
use super::snapshots::{self, SILENT_WITHIN, Snapshots, on_disk};
use super::start::StartError;
use super::types::{Member, Types};
use super::{imaging, wire};

/// Pause between two rounds of questions: somebody waits for it, and a peer that writes an image takes longer.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long a peer may take to begin to send its image: it connects, and opens a file on a slow disk.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);

/// What lies between the newest image of a disk and its log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gap {
    /// The log begins behind this entry.
    purged: LogId,
    /// The newest image ends with this one.
    imaged: Option<LogId>,
}

impl Gap {
    /// Between the end of the newest image and a log; none if they meet.
    pub(super) fn between(imaged: Option<LogId>, log: &dyn Log) -> Option<Self> {
        let purged = log.bounds().purged?;
        let meets = imaged.is_some_and(|imaged| imaged.index >= purged.index);
        (!meets).then_some(Self { purged, imaged })
    }

    /// What there is to do where nobody can be asked.
    fn alone(&self) -> String {
        format!(
            "{self}: what lies between is lost on this disk, and this node knows of nobody whom it could ask for that. If its \
             cluster has other nodes, name their peer addresses with --join. If it has none, what is left is a backup: start \
             this node with an empty data directory and --await-restore, and say `remora restore` with the file"
        )
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the log begins behind entry {}, and ", self.purged.index)?;
        match self.imaged {
            None => f.write_str("there is no table image that is whole"),
            Some(imaged) => write!(
                f,
                "the newest table image that is whole ends at entry {}",
                imaged.index
            ),
        }
    }
}

/// A node that asks.
pub(super) struct Asking {
    own: OwnDisk,
    log: LogSeam,
    snapshots: Snapshots,
    contacts: Vec<Contact>,
    introductions: Introductions,
    starting: watch::Sender<String>,
    saying: Saying,
}

/// An image that was received whole and may take its place.
struct Fetched {
    receiver: SnapshotReceiver,
    image: LogId,
    /// Where the log is cut: entries behind this index were never committed.
    stays: Option<u64>,
    /// The newest vote of whoever sent it.
    vote: VoteOf<Types>,
}

impl Asking {
    /// Of a node over its open disk, which has given no vote and no answer since its start.
    pub(super) fn new(
        settings: &Settings,
        (identity, log, seam): (&Arc<NodeIdentity>, &Arc<dyn Log>, &LogSeam),
        snapshots: &Snapshots,
    ) -> Self {
        let named = identity.addresses().borrow().values().cloned().collect();
        let addresses: BTreeSet<String> = settings.join.iter().cloned().chain::<Vec<_>>(named).collect();
        let addresses: Vec<String> = addresses.into_iter().collect();
        Self {
            own: OwnDisk {
                identity: Arc::clone(identity),
                log: Arc::clone(log),
                votes: seam.votes(),
            },
            log: seam.clone(),
            snapshots: snapshots.clone(),
            contacts: joining::contacts(&addresses, &*settings.links),
            introductions: Introductions::default(),
            starting: settings.starting.clone(),
            saying: Saying::default(),
        }
    }

    /// Asks until the gap is closed.
    ///
    /// # Errors
    /// There is nobody to ask, the others know that this disk must not go on, or it failed.
    pub(super) async fn until_closed(mut self, gap: Gap) -> Result<(), StartError> {
        if self.contacts.is_empty() || self.own.identity.cluster().is_none() {
            return Err(StartError::Snapshots(io::Error::new(
                io::ErrorKind::InvalidData,
                gap.alone(),
            )));
        }
        loop {
            let (peers, mut said) = self.introduced().await;
            if let Some(sentence) = self.own.identity.failure().borrow().clone() {
                return Err(StartError::Refused(sentence));
            }
            for (link, from) in peers {
                match self.fetch(&gap, &*link, &from).await {
                    Ok(fetched) => {
                        let upto = fetched.image.index;
                        self.put_in_place(fetched).await.map_err(StartError::Snapshots)?;
                        tracing::info!(
                            from = from.node,
                            upto,
                            "another node's table image is in place of the one that is lost"
                        );
                        self.starting.send_replace(RESTORING.to_owned());
                        return Ok(());
                    }
                    Err(why) => said.push(format!("node {}: {why}", from.node)),
                }
            }
            let sentence = format!(
                "{gap}: this node asks the other nodes for one, and takes no part until it has it; {}",
                said.join("; ")
            );
            self.saying.say(&sentence);
            self.starting.send_replace(sentence);
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Who may be asked now, in the order in which they are; and why the others are not.
    async fn introduced(&self) -> (Vec<(Arc<dyn PeerLink>, v1::Introduction)>, Vec<String>) {
        let asked = self.contacts.iter().map(|(address, link)| {
            let request = v1::IntroduceRequest {
                from: Some(self.introduction()),
                to_node: 0,
            };
            async move { (address, link, link.introduce(request, INTRODUCE_WITHIN).await) }
        });
        let (mut peers, mut said) = (Vec::new(), Vec::new());
        for (address, link, answer) in join_all(asked).await {
            match answer.map_err(words).and_then(|reply| self.heard(reply)) {
                Ok(from) => peers.push((Arc::clone(link), from)),
                Err(why) => said.push(format!("at {address}: {why}")),
            }
        }
        let furthest = |from: &v1::Introduction| from.acknowledged.map(|entry| (entry.term, entry.index));
        peers.sort_by_key(|(_, from)| Reverse((from.leads, furthest(from))));
        (peers, said)
    }

    /// What others must know to answer. How far this disk has come is told only once it was compared.
    fn introduction(&self) -> v1::Introduction {
        let identity = &self.own.identity;
        v1::Introduction {
            node: identity.node,
            disk: identity.disk.0,
            cluster: self.cluster().0,
            peer_address: identity.peer_address.clone(),
            cluster_list: identity.cluster_list(),
            understands: Some(wire::formats(identity.understands)),
            ..v1::Introduction::default()
        }
    }

    /// Judges who answered and what it knows of this disk; gives whoever may be asked.
    fn heard(&self, reply: v1::IntroduceReply) -> Result<v1::Introduction, String> {
        let from = reply.from.clone().ok_or("nobody says who it is")?;
        let (node, known) = (from.node, DiskId(reply.your_disk));
        lives::judge(&self.own, &from, &reply)?;
        forming::take(&self.own.identity, node, reply, &self.introductions)?;
        if ClusterId(from.cluster) != self.cluster() {
            return Err(format!("node {node} belongs to no cluster"));
        }
        if known != self.own.identity.disk {
            return Err(format!("node {node} does not know this disk yet"));
        }
        Ok(from)
    }

    /// Receives the image of one peer.
    async fn fetch(
        &mut self,
        gap: &Gap,
        link: &dyn PeerLink,
        from: &v1::Introduction,
    ) -> Result<Fetched, String> {
        let member = Member {
            peer_address: from.peer_address.clone(),
            client_address: from.client_address.clone(),
            disk: DiskId(from.disk),
            cluster: self.cluster(),
        };
        let request = v1::ImageRequest {
            envelope: Some(self.own.identity.envelope(from.node, &member)),
            reaches: gap.purged.index,
        };
        let mut pieces = link.image(request, BEGIN_WITHIN).await.map_err(words)?;
        let first = tokio::time::timeout(SILENT_WITHIN, pieces.next()).await;
        let first = first.ok().flatten().ok_or("its table image did not begin")?;
        let head = first.map_err(words)?.head.ok_or("its table image has no head")?;
        let vote = wire::from_vote(head.vote).map_err(|error| error.to_string())?;
        let (meta, bytes) = snapshots::announced(head).map_err(|error| error.to_string())?;
        let image = disk_id(meta.last_log_id.ok_or("its table image stands for nothing")?);
        if bytes == 0 {
            return Err("it does not say how large its table image is".to_owned());
        }
        is_of(self.cluster(), &meta)?;
        let stays = fit(image, &*self.own.log)?;
        if vote.leader_id.term < image.term {
            return Err(format!(
                "its vote is of an earlier term than its table image, {}",
                image.term
            ));
        }
        self.has_room(bytes).await?;
        let (saying, starting) = (&mut self.saying, &self.starting);
        let taken = self.snapshots.take_aside(pieces, (&meta, bytes), |came| {
            let sentence = format!(
                "node {} sends a table image in place of the one that is lost here: {} of {} MiB have come",
                from.node,
                came >> 20,
                bytes >> 20
            );
            saying.mention(&sentence);
            starting.send_replace(sentence);
        });
        let receiver = taken.await.map_err(|error| error.to_string())?;
        Ok(Fetched {
            receiver,
            image,
            stays,
            vote,
        })
    }

    /// Whether an image of so many bytes has room on this disk.
    async fn has_room(&self, bytes: u64) -> Result<(), String> {
        let free = self.snapshots.look_at_disk().await;
        if imaging::fits(bytes, free) {
            return Ok(());
        }
        Err(format!(
            "its table image takes {bytes} bytes, and of this disk {} are free: make room",
            free.unwrap_or_default()
        ))
    }

    /// Makes the log ready for the image, then the image the newest of this disk.
    async fn put_in_place(&mut self, fetched: Fetched) -> io::Result<()> {
        let Fetched {
            receiver,
            image,
            stays,
            vote,
        } = fetched;
        if stays.is_some() {
            self.own.log.truncate_after(stays)?;
        }
        let own = self
            .own
            .log
            .vote()
            .filter(|own| own.node.is_some() && own.term >= image.term);
        // Durable with all that came before it.
        self.log.save_vote(&own.map_or(vote, from_disk_vote)).await?;
        on_disk(move || receiver.finish()).await.map(drop)
    }

    /// The cluster that this disk belongs to: a log that was purged has one.
    fn cluster(&self) -> ClusterId {
        self.own.identity.cluster().unwrap_or(ClusterId(0))
    }
}

/// Why a call gave nothing, in the words of whoever was asked.
fn words(error: LinkError) -> String {
    match error {
        LinkError::Unreachable(why) | LinkError::Refused(why) => why,
        LinkError::NobodyListens => error.to_string(),
    }
}

/// Whether an image is of this cluster.
fn is_of(cluster: ClusterId, meta: &SnapshotMetaOf<Types>) -> Result<(), String> {
    let mut members = meta.last_membership.membership().nodes().peekable();
    if members.peek().is_some() && members.all(|(_, member)| member.cluster == cluster) {
        return Ok(());
    }
    Err("its table image is of another cluster".to_owned())
}

/// What of a log stays in front of and behind an image that ends with this entry: the index behind which entries go that were
/// never committed, or none if all of it may stay.
///
/// # Errors
/// The image does not reach the log, or contradicts what is committed in it.
fn fit(image: LogId, log: &dyn Log) -> Result<Option<u64>, String> {
    let (bounds, committed) = (log.bounds(), log.committed());
    let is_final = |index: u64| {
        [bounds.purged, committed]
            .into_iter()
            .flatten()
            .any(|last| index <= last.index)
    };
    if bounds.purged.is_some_and(|purged| image.index < purged.index) {
        return Err(format!(
            "its table image ends at entry {}, which is too early",
            image.index
        ));
    }
    let held = log.durable_up_to(image.index);
    match held.filter(|held| held.index == image.index) {
        Some(held) if held == image => Ok(None),
        // Whoever led later holds all that was committed before.
        Some(held) if held.term < image.term && !is_final(image.index) => Ok(image.index.checked_sub(1)),
        None if bounds.last.is_none_or(|last| last.term <= image.term) => Ok(None),
        _ => Err(format!(
            "its table image ends at entry {} of term {}, which is not the entry that this disk holds",
            image.index, image.term
        )),
    }
}

#[cfg(test)]
mod tests;

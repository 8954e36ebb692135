//! Older copies of a data directory: what this node remembers of its peers' disks, and what they remember of its own.
//!
//! A disk that was put back to an older state looks whole, and has forgotten what it promised since. So every node tells, in
//! its introduction, how far its disk has come; its peers keep that durably, and tell it back to whoever introduces itself as
//! this disk. A node that finds itself behind that is an older copy of itself, and ends. It judges itself, because it alone
//! knows its log at the moment of the answer. Its leader knows more, and at once: what it acknowledged.
//!
//! Invariants:
//!
//! - What is told can be lost no more, see [`OwnDisk::promised`], nor can what a leader remembers, see [`Acknowledged`]: no crash,
//!   no power cut, no truncation makes a disk look older than it is.
//! - Until it has compared itself with every peer that answers within [`COMPARED_WITHIN`], a node takes no part: it gives no
//!   vote, stands for no election and acknowledges nothing: openraft panics in a leader whose follower goes back behind what
//!   it acknowledged. That holds for a pristine one as well, which may be a copy from
//!   before the cluster formed. It goes on comparing as long as it runs: a peer that comes up later may have seen what the
//!   others have not.
//! - Who answers at a peer's address for this node's own cluster is believed; only members are remembered, each under the
//!   disk that the membership records.
//! - What is remembered is written aside from heartbeats, at most once in [`REMEMBERED_EVERY`], and only when it has risen.
//!
//! Left out: what a leader does with a follower that answers as an older copy before it has judged itself (`network`). Left out on
//! purpose: what no living peer has seen. Nobody can tell that from the truth.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::RngExt;
use remora_proto::v1;
use tokio::sync::watch;

use crate::log::{ClusterId, DiskId, DiskLife, LEAVE_OUT, Lives, LivesFile, Log, LogId, Vote};
use crate::runtime;

use super::NodeId;
use super::acknowledged::Acknowledged;
use super::identity::{NodeIdentity, REACHABLE_WITHIN};
use super::log_seam::disk_id;
use super::wire;

/// How long a peer may take to answer a node that has started, before that goes on without it: as long as a peer may be
/// silent that counts as reachable.
const COMPARED_WITHIN: Duration = REACHABLE_WITHIN;

/// How long what has risen may stay in memory alone: what a peer saw of a disk in the last moment is no loss where that peer
/// dies in the same moment, and a disk has two syncs more each time.
const REMEMBERED_EVERY: Duration = Duration::from_secs(1);

/// Stands for those whom a node asks that waits to be added, before it knows their ids: these begin at 1.
pub(super) const CONTACTS: NodeId = 0;

/// Whether this node may take part, as far as its own disk's life is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Comparison {
    /// These peers were not compared with yet; nobody as long as it is not known who they are.
    Awaits(BTreeSet<NodeId>),
    /// It has compared itself with all who answered.
    Compared,
    /// It is an older copy.
    Older,
}

/// What a node remembers of its peers' disks, and how its own compares.
pub(super) struct PeerLives {
    /// Drawn at this start, never 0.
    draw: u64,
    remembered: Mutex<Lives>,
    acknowledged: Mutex<Acknowledged>,
    comparison: watch::Sender<Comparison>,
}

impl PeerLives {
    /// Of a node that starts, with what it remembers and a draw that is not 0.
    pub(super) fn new(remembered: Lives, draw: u64) -> Self {
        Self {
            draw,
            remembered: Mutex::new(remembered),
            acknowledged: Mutex::default(),
            comparison: watch::Sender::new(Comparison::Awaits(BTreeSet::new())),
        }
    }

    /// These are the peers that the node has to compare itself with; with none it is done.
    pub(super) fn begin(&self, peers: BTreeSet<NodeId>) {
        self.comparison.send_replace(if peers.is_empty() {
            Comparison::Compared
        } else {
            Comparison::Awaits(peers)
        });
    }

    /// Whether this node has compared itself with its peers, and is no older copy.
    pub(super) fn is_compared(&self) -> bool {
        *self.comparison.borrow() == Comparison::Compared
    }

    /// Whether this peer is still to be compared with.
    pub(super) fn awaits(&self, peer: NodeId) -> bool {
        matches!(&*self.comparison.borrow(), Comparison::Awaits(peers) if peers.contains(&peer))
    }

    /// What is remembered of a disk.
    pub(super) fn of(&self, disk: DiskId) -> DiskLife {
        self.remembered().of(disk).unwrap_or_default()
    }

    fn heard(&self, disk: DiskId, said: &DiskLife) {
        self.remembered().heard(disk, said);
    }

    /// A disk acknowledged entries up to `upto` to this node, which leads in this term and knows those up to `committed` to be
    /// committed.
    pub(super) fn acknowledged(
        &self,
        disk: DiskId,
        term: u64,
        (upto, committed): (Option<LogId>, Option<LogId>),
    ) {
        let entry = self.acknowledgements().rise(disk, term, (upto, committed));
        if entry.is_some() {
            // Whoever acknowledges has stored the vote under which it was asked.
            let said = DiskLife {
                voted: term,
                entry,
                ..DiskLife::default()
            };
            self.heard(disk, &said);
        }
    }

    /// What disks acknowledged to this node.
    pub(super) fn acknowledgements(&self) -> MutexGuard<'_, Acknowledged> {
        // A few assignments at a time: a poisoned lock still holds whole values.
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This peer was compared with, and remembers nothing that this node does not know.
    pub(super) fn compared(&self, peer: NodeId) {
        self.comparison.send_if_modified(|comparison| {
            let Comparison::Awaits(peers) = comparison else {
                return false;
            };
            peers.remove(&peer);
            if peers.is_empty() {
                *comparison = Comparison::Compared;
            }
            true
        });
    }

    fn is_older(&self) {
        self.comparison.send_replace(Comparison::Older);
    }

    /// Peers that have not answered are not waited for any more; gives them.
    fn wait_no_longer(&self) -> BTreeSet<NodeId> {
        let mut silent = BTreeSet::new();
        self.comparison.send_if_modified(|comparison| {
            let Comparison::Awaits(peers) = comparison else {
                return false;
            };
            silent = std::mem::take(peers);
            *comparison = Comparison::Compared;
            true
        });
        silent
    }

    fn remembered(&self) -> MutexGuard<'_, Lives> {
        // Each change is of one value: a poisoned lock still holds whole ones.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The disk of this node, as it is at any moment.
pub(super) struct OwnDisk {
    pub(super) identity: Arc<NodeIdentity>,
    pub(super) log: Arc<dyn Log>,
    /// The newest vote that is durable here.
    pub(super) votes: watch::Receiver<Option<Vote>>,
}

impl OwnDisk {
    /// How far it has come, for peers to keep: its entry is the last one that is applied, up to this index, and durable here.
    /// What is applied is committed and never truncated, but it is applied before it is durable here where a majority without
    /// this node made it so. Before it is known to be no older copy, nothing is told: its peers would take that for the life of
    /// the true one, which is then to be put back.
    pub(super) fn promised(&self, applied: Option<u64>) -> DiskLife {
        if !self.identity.lives.is_compared() {
            return DiskLife::default();
        }
        self.life(applied.and_then(|applied| self.log.durable_up_to(applied)))
    }

    /// How far it has come, to be judged by: its entry is the last one.
    fn held(&self) -> DiskLife {
        self.life(self.log.bounds().last)
    }

    fn life(&self, entry: Option<LogId>) -> DiskLife {
        DiskLife {
            start: self.identity.start,
            draw: self.identity.lives.draw,
            voted: self.votes.borrow().map_or(0, |vote| vote.term),
            entry,
        }
    }
}

/// Keeps what a peer said of its disk, and judges this node's own by what the peer remembers of that.
///
/// # Errors
/// This node is an older copy of itself: the sentence with which it ends.
pub(super) fn compare(own: &OwnDisk, peer: NodeId, reply: &v1::IntroduceReply) -> Result<(), String> {
    let identity = &*own.identity;
    let from = reply.from.as_ref().filter(|from| from.node == peer);
    // One that is still comparing itself tells nothing.
    if let Some(from) = from.filter(|from| from.start > 0 && is_member(identity, from)) {
        identity.lives.heard(DiskId(from.disk), &said_by(from));
    }
    if let Some(from) = from {
        judge(own, from, reply)?;
    }
    // Of a disk that was removed nothing is remembered, and it must not take part.
    if !reply.removed {
        identity.lives.compared(peer);
    }
    Ok(())
}

/// Judges this node's own disk by what somebody who answered remembers of it.
///
/// # Errors
/// This node is an older copy of itself: the sentence with which it ends.
pub(super) fn judge(
    own: &OwnDisk,
    from: &v1::Introduction,
    reply: &v1::IntroduceReply,
) -> Result<(), String> {
    let identity = &*own.identity;
    let knows = knows_this_disk(identity, from, reply);
    let Some(lacks) = own.held().lacks(&remembered_by(reply)).filter(|_| knows) else {
        return Ok(());
    };
    identity.lives.is_older();
    let sentence = format!(
        "this data directory is an older copy of itself, or its disk was put back to an older state: node {} remembers {lacks}. \
         {LEAVE_OUT}",
        from.node
    );
    identity.fail(sentence.clone());
    Err(sentence)
}

/// Whether whoever answered is a member of this node's own cluster, on the disk under which it is known.
fn is_member(identity: &NodeIdentity, from: &v1::Introduction) -> bool {
    let is_own = identity.cluster() == Some(ClusterId(from.cluster));
    let known = identity.members().get(&from.node).map(|member| member.disk);
    is_own && known == Some(DiskId(from.disk))
}

/// Whether whoever answered can know how far this disk has come. The membership does not count: that of an older copy may
/// name others, or nobody.
fn knows_this_disk(identity: &NodeIdentity, from: &v1::Introduction, reply: &v1::IntroduceReply) -> bool {
    let is_own = identity
        .cluster()
        .is_none_or(|own| own == ClusterId(from.cluster));
    is_own && reply.your_disk == identity.disk.0
}

fn said_by(from: &v1::Introduction) -> DiskLife {
    DiskLife {
        start: from.start,
        draw: from.draw,
        voted: from.voted_term,
        entry: from.acknowledged.map(wire::from_position).map(disk_id),
    }
}

fn remembered_by(reply: &v1::IntroduceReply) -> DiskLife {
    DiskLife {
        start: reply.your_start,
        draw: reply.your_draw,
        voted: reply.your_voted_term,
        entry: reply.your_position.map(wire::from_position).map(disk_id),
    }
}

/// Ends the wait for peers that do not answer.
pub(super) async fn wait_for_peers(identity: Arc<NodeIdentity>) {
    let mut comparison = identity.lives.comparison.subscribe();
    let settled = comparison.wait_for(|now| !matches!(now, Comparison::Awaits(_)));
    if tokio::time::timeout(COMPARED_WITHIN, settled).await.is_err() {
        let silent = identity.lives.wait_no_longer();
        tracing::info!(
            ?silent,
            "these nodes do not answer yet, and what they remember of this disk is looked at when they do"
        );
    }
}

/// Writes what is remembered whenever it has risen. Ends with the node.
pub(super) async fn remember(identity: Arc<NodeIdentity>, file: LivesFile) {
    let file = Arc::new(file);
    let mut written = identity.lives.remembered().clone();
    let mut failed = false;
    // Nodes that were started together do not sync together.
    let out_of_step = REMEMBERED_EVERY.mul_f64(runtime::chance().random());
    tokio::time::sleep(out_of_step).await;
    loop {
        tokio::time::sleep(REMEMBERED_EVERY).await;
        let disks: BTreeSet<DiskId> = identity.members().values().map(|member| member.disk).collect();
        identity
            .lives
            .acknowledgements()
            .keep_only(|disk| disks.contains(&disk));
        let lives = {
            let mut remembered = identity.lives.remembered();
            remembered.keep_only(|disk| disks.contains(&disk));
            remembered.clone()
        };
        if lives == written {
            continue;
        }
        let (format, to, what) = (identity.format(), Arc::clone(&file), lives.clone());
        let result = runtime::blocking(move || to.write(&what, format)).await;
        match result {
            Ok(Ok(())) => (written, failed) = (lives, false),
            Ok(Err(error)) if !failed => {
                failed = true;
                tracing::warn!(%error, "cannot keep what is remembered of peers' disks; tried again each second");
            }
            Ok(Err(_)) => {}
            // The runtime ends, and this node with it.
            Err(_) => return,
        }
    }
}

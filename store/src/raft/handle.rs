//! The handle by which the rest of the node uses consensus. Cheap to clone.
//!
//! It gives no openraft type away: what comes out is an [`Fate`], a [`Refusal`], a [`Status`], or a watch that says who
//! leads and how fresh the last round is. Most of it passes a call on; what it owns is stopping, in this order: propose
//! nothing more, let what is on its way finish, hand leadership over, end. So a planned stop costs clients no election
//! timeout, and what was taken is answered while a majority answers.
//!
//! Left out: who may ask for what (`rpc`), and any decision about a command.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::type_config::alias::LogIdOf;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::log::{ClusterId, LogGauge};
use crate::runtime;
use remora_table::{Format, Formats, Proposal, Room, TableImage, TableReader};

use super::anew::Anew;
use super::applier::Raft;
use super::identity::{NodeIdentity, REACHABLE_WITHIN};
use super::imaging::{self, SnapshotPolicy};
use super::membership::{ChangeError, MemberChanges, StepTaken, Wish};
use super::proposer::Proposer;
use super::reader::Reader;
use super::snapshots::Snapshots;
use super::types::Types;
use super::watchdog::DiskHealth;
use super::{
    Ask, Fate, Leadership, MemberStatus, NodeId, PeerEndpoint, Refusal, Replies, Role, Round, Status,
    StaysError, succession,
};

/// How long a stopping leader waits for its successor: an election by hand-over takes a few round trips.
const HAND_OVER_WITHIN: Duration = Duration::from_millis(500);
/// How long a stopping node waits for proposals that are on their way.
const DRAIN_WITHIN: Duration = Duration::from_secs(1);
/// How long consensus takes to stop in order, at most.
pub(crate) const STOPS_WITHIN: Duration = DRAIN_WITHIN.saturating_add(HAND_OVER_WITHIN);
/// Pause between two looks at what a stopping node waits for.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Consensus as the rest of the node sees it.
#[derive(Clone)]
pub(crate) struct RaftHandle {
    pub(super) inner: Arc<Parts>,
}

/// What [`super::start()`] put together.
pub(super) struct Parts {
    pub(super) raft: Raft,
    pub(super) identity: Arc<NodeIdentity>,
    pub(super) proposer: Proposer,
    pub(super) reader: Reader,
    pub(super) rounds: watch::Receiver<Option<Round>>,
    pub(super) leadership: watch::Receiver<Leadership>,
    pub(super) stopping: watch::Sender<bool>,
    pub(super) table: TableReader,
    pub(super) endpoint: PeerEndpoint,
    pub(super) changes: MemberChanges,
    pub(super) snapshots: Snapshots,
    pub(super) policy: watch::Sender<SnapshotPolicy>,
    pub(super) anew: Anew,
    pub(super) log: LogGauge,
    pub(super) tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl RaftHandle {
    /// Proposes one command and waits for its answer, 5 s at most.
    pub(crate) async fn propose(&self, proposal: Proposal) -> Fate {
        self.inner.proposer.propose(proposal).await
    }

    /// Proposes a group at the cost of one wake-up; answers go to `replies` by token, in any order, also before this
    /// returns.
    pub(crate) fn submit(&self, asks: Vec<Ask>, replies: &Arc<dyn Replies>) {
        self.inner.proposer.submit(asks, Arc::clone(replies));
    }

    /// Waits until everything that was committed when this was called is applied here, proven by a majority
    /// (ReadIndex). Afterwards [`RaftHandle::table`] may be read.
    pub(crate) async fn barrier(&self) -> Result<(), Refusal> {
        self.inner.reader.read_index().await.map(|_| ())
    }

    /// The replicated table for reading; linearizable only after a [`RaftHandle::barrier`].
    pub(crate) fn table(&self) -> &TableReader {
        &self.inner.table
    }

    /// The newest successful ReadIndex round this node led, or, on a follower, learned from the leader. The node is
    /// ready while `Round::began` is less than a second ago; a leader confirms streams with each new one.
    pub(crate) fn rounds(&self) -> watch::Receiver<Option<Round>> {
        self.inner.rounds.clone()
    }

    /// Whether a ReadIndex round succeeded within the last second, and the table knows what this program understands.
    pub(crate) fn ready(&self) -> bool {
        let caught_up = self
            .inner
            .rounds
            .borrow()
            .is_some_and(|round| runtime::since(round.began) < REACHABLE_WITHIN);
        caught_up && self.noted() && self.disk_health() == DiskHealth::Answers && self.is_compared()
    }

    /// What room the disks of the nodes that answer leave.
    pub(crate) fn room(&self) -> Room {
        self.inner.identity.space.step()
    }

    /// How the disk of this node is.
    pub(crate) fn disk_health(&self) -> DiskHealth {
        self.inner.identity.health()
    }

    /// What an operator has to do for a node that waits to be added to a cluster; none for any other.
    pub(crate) fn waiting(&self) -> Option<String> {
        self.inner.identity.waiting()
    }

    /// Whether this node has compared its data directory with what its peers remember of that.
    pub(crate) fn is_compared(&self) -> bool {
        self.inner.identity.lives.is_compared()
    }

    /// Whether the table knows what this program understands.
    pub(crate) fn noted(&self) -> bool {
        self.inner.identity.noted()
    }

    /// What this node writes to a client that understands these formats: the newest that is not above the cluster's. None
    /// if there is no such format.
    pub(crate) fn format_for(&self, client: Formats) -> Option<Format> {
        let identity = &self.inner.identity;
        let newest = client.newest.min(identity.format());
        (client.hold(newest) && identity.understands.hold(newest)).then_some(newest)
    }

    /// What this program understands.
    pub(crate) fn understands(&self) -> Formats {
        self.inner.identity.understands
    }

    /// Who leads, and whether it is this node.
    pub(crate) fn leadership(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.clone()
    }

    /// Where clients reach a node (host:port), when known.
    pub(crate) fn client_address(&self, node: NodeId) -> Option<String> {
        self.inner.identity.client_address(node)
    }

    /// Clients are told from now on to reach this node here (host:port); peers learn it with the next introduction.
    pub(crate) fn advertise(&self, address: String) {
        self.inner.identity.advertise(address);
    }

    /// Snapshots are taken by this policy from now on, but for what it keeps of the log.
    pub(crate) fn set_snapshots(&self, policy: SnapshotPolicy) {
        self.inner.policy.send_replace(policy);
    }

    /// Client addresses of all members, this node included, by node id.
    pub(crate) fn client_addresses(&self) -> Vec<String> {
        let identity = &self.inner.identity;
        let mut nodes: BTreeSet<NodeId> = identity.members().into_keys().collect();
        nodes.insert(identity.node);
        nodes
            .into_iter()
            .filter_map(|node| identity.client_address(node))
            .collect()
    }

    /// The cluster, once it is formed.
    pub(crate) fn formed(&self) -> Option<ClusterId> {
        self.inner.identity.cluster()
    }

    /// Identity of the cluster in hexadecimal; empty while it is not formed.
    pub(crate) fn cluster(&self) -> String {
        let cluster = self.formed();
        cluster.map_or_else(String::new, |cluster| cluster.to_string())
    }

    /// What an operator wants to know.
    pub(crate) fn status(&self) -> Status {
        let identity = &self.inner.identity;
        let metrics = self.inner.raft.metrics().borrow_watched().clone();
        let membership = metrics.membership_config.membership();
        let voters: BTreeSet<NodeId> = membership.voter_ids().collect();
        let matched = |node: NodeId| {
            let matched = metrics.replication.as_ref()?.get(&node)?;
            matched.map(|position| position.index)
        };
        let members = membership.nodes().map(|(node, member)| MemberStatus {
            node: *node,
            disk: member.disk,
            peer_address: member.peer_address.clone(),
            client_address: identity.client_address(*node).unwrap_or_default(),
            voter: voters.contains(node),
            reachable: identity.reachable(*node),
            matched_index: matched(*node),
        });
        let index = |position: Option<LogIdOf<Types>>| position.map_or(0, |position| position.index);
        let role = match metrics.state {
            _ if identity.waits() => Role::Waiting,
            _ if voters.is_empty() => Role::Forming,
            ServerState::Leader => Role::Leader,
            ServerState::Candidate => Role::Candidate,
            ServerState::Learner => Role::Learner,
            ServerState::Follower | ServerState::Shutdown => Role::Follower,
        };
        Status {
            node: identity.node,
            disk: identity.disk,
            cluster: self.cluster(),
            role,
            ready: self.ready(),
            term: metrics.current_term,
            leader: metrics.current_leader,
            last_log_index: metrics.last_log_index.unwrap_or(0),
            committed_index: index(metrics.cluster_committed),
            applied_index: index(metrics.last_applied),
            members: members.collect(),
            waiting: identity.waiting_nodes.lately(),
            proposals_waiting: self.inner.proposer.unanswered(),
            entries_since_snapshot: index(metrics.last_applied).saturating_sub(index(metrics.snapshot)),
            understands: self.understands(),
            room: self.room(),
            snapshot_postponed: self.inner.snapshots.is_postponed(),
            snapshot_bytes: self.inner.snapshots.bytes(),
            image_bytes: imaging::image_bytes(&self.inner.table),
            free_bytes: self.inner.snapshots.free_bytes(),
            disk_bytes: self.inner.snapshots.disk_bytes(),
            slowest_sync: self.inner.endpoint.slowest_sync(),
            log_syncs: self.inner.log.syncs(),
            log_load: self.inner.log.load(),
        }
    }

    /// The receiving side, for the peer service.
    pub(crate) fn endpoint(&self) -> PeerEndpoint {
        self.inner.endpoint.clone()
    }

    /// The table as it stands, in one piece; none if consensus has ended. Linearizable after a [`RaftHandle::barrier`].
    pub(crate) async fn image(&self) -> Option<TableImage> {
        let copied = self.inner.raft.with_state_machine(|applier| {
            let copying = applier.copy();
            Box::pin(async move { copying.await.ok() })
        });
        copied.await.ok().flatten()
    }

    /// Resolves when consensus has ended by itself, with a sentence that says why: a failed disk, or a data directory
    /// that the cluster does not know. The process must then exit with an error.
    pub(crate) async fn failed(&self) -> String {
        let mut failure = self.inner.identity.failure();
        match failure.wait_for(Option::is_some).await {
            Ok(sentence) => sentence.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Hands leadership over if this node has it, lets what was proposed finish, and stops. Proposals that come in
    /// from now on are refused.
    pub(crate) async fn stop(&self) {
        self.inner.stopping.send_replace(true);
        self.drain().await;
        // Where nobody takes over in time, the others elect somebody when this node is gone.
        let _ = tokio::time::timeout(HAND_OVER_WITHIN, self.hand_over(None)).await;
        self.halt().await;
    }

    /// Waits for proposals that are on their way.
    async fn drain(&self) {
        let until = runtime::now() + DRAIN_WITHIN;
        while self.inner.proposer.unanswered() > 0 && runtime::now() < until {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Hands leadership over to the voter `to`, or to the one that is furthest ahead. Gives who leads now.
    ///
    /// # Errors
    /// Why leadership stays.
    pub(crate) async fn hand_over(&self, to: Option<NodeId>) -> Result<Leadership, StaysError> {
        let around = (&self.inner.raft, &*self.inner.identity);
        succession::hand_over(around, to, self.leadership()).await
    }

    /// Takes the next step of what an operator wishes for a node; to be said again until it is done.
    ///
    /// # Errors
    /// Why the step was not taken; or that it is not known to be.
    pub(crate) async fn change_members(&self, wish: &Wish) -> Result<StepTaken, ChangeError> {
        self.inner.changes.step(wish).await
    }

    /// Proposes a rise of the cluster's format, when no change of the membership is on its way.
    pub(crate) async fn raise(&self, proposal: Proposal) -> Fate {
        let _turn = self.inner.changes.turn.take().await;
        self.propose(proposal).await
    }

    /// Stops at once: what is on its way is answered Unknown.
    pub(super) async fn halt(&self) {
        self.inner.stopping.send_replace(true);
        // Consensus may be waiting for a vote that waits for room.
        self.inner.log.expect_no_room();
        if let Err(error) = self.inner.raft.shutdown().await {
            tracing::error!(%error, "consensus did not stop cleanly");
        }
        let tasks = std::mem::take(&mut *self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            task.abort();
            // An aborted task ends with an error that says just that.
            let _ = task.await;
        }
    }
}

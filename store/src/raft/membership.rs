//! Changes of the membership: carries out, at the leader, one step after the other of what an operator wishes.
//!
//! Each call looks anew at what the membership is, takes one step (`steps`) and says what came of it; whoever asked says it
//! again until nothing is left to do. So a leader that dies, an operator's terminal that closes, or an answer that gets lost
//! leaves nothing that anybody must remember.
//!
//! Invariants: steps, and rises of the cluster's format, wait for each other, and each is applied here before the next begins
//! (the *turn*); nothing waits without an end. The disk that an address belongs to is what answers there, not what an operator
//! says; and who lives is asked at that moment: a member that died a second ago would hold up the very change that counts on
//! it, and with it everything else.
//!
//! Left out: what the next step is (`steps`), and telling a removed disk (`endpoint`, `forming`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use openraft::ChangeMembers;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use remora_proto::v1;
use tokio::sync::{Mutex, MutexGuard, watch};

use crate::log::{ClusterId, DiskId};
use remora_table::TableReader;

use super::applier::Raft;
use super::identity::NodeIdentity;
use super::imaging::{self, SharedBacklog};
use super::link::PeerLinks;
use super::peers::PeerBook;
use super::steps::{self, Behind, Candidate, Standing, Step, Verb};
use super::types::{Member, Types};
use super::{Leadership, NodeId, PeerEndpoint, StaysError, succession, wire};

/// How long a step may take to be committed and applied: two entries on a slow disk, several times over.
const STEP_WITHIN: Duration = Duration::from_secs(5);
/// How long it may take to find out who answers at an address.
const ASK_WITHIN: Duration = Duration::from_secs(1);

/// What changes the membership.
type MemberChange = ChangeMembers<NodeId, Member>;

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// What shall become of the node.
    pub verb: Verb,
    /// The node.
    pub node: NodeId,
    /// Where peers reach it (host:port); unused where it is to go.
    pub peer_address: String,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepTaken {
    /// A change that a former leader began is complete.
    Finished,
    /// Another node leads now, and carries on.
    HandedOver,
    /// A disk was removed.
    Removed,
    /// The disk is a member without a vote.
    Learns(DiskId),
    /// It is so far behind.
    CatchesUp(Behind),
    /// Nothing is left to do; the disk that votes, if one does.
    Done(Option<DiskId>),
}

/// Why a step was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChangeError {
    /// It would be wrong; what to do instead.
    #[error("{0}")]
    Refused(String),
    /// This node cannot, or not now: say it again, and it goes on where it stands.
    #[error("{0}")]
    Passing(String),
}

/// Changes the membership of the cluster that this node leads.
pub(super) struct MemberChanges {
    pub(super) raft: Raft,
    pub(super) identity: Arc<NodeIdentity>,
    pub(super) endpoint: PeerEndpoint,
    pub(super) links: Arc<dyn PeerLinks>,
    pub(super) peers: Arc<PeerBook>,
    pub(super) leadership: watch::Receiver<Leadership>,
    pub(super) table: TableReader,
    pub(super) backlog: SharedBacklog,
    pub(super) turn: Arc<Turn>,
}

/// The queue of everything that changes who belongs to the cluster or what it writes: a member that joins must understand what
/// is written, and what is written must be understood by all members.
#[derive(Debug, Default)]
pub(super) struct Turn(Mutex<()>);

impl Turn {
    /// Waits until what was begun before is applied. It is held for no longer than a command may take.
    pub(super) async fn take(&self) -> MutexGuard<'_, ()> {
        self.0.lock().await
    }
}

impl MemberChanges {
    /// Takes the next step.
    ///
    /// # Errors
    /// Why it was not taken; or that it is not known to be.
    pub(super) async fn step(&self, wish: &Wish) -> Result<StepTaken, ChangeError> {
        if !self.leadership.borrow().leads() {
            return Err(passing("this node does not lead a majority at the moment"));
        }
        let stepped = tokio::time::timeout(STEP_WITHIN, async {
            let _turn = self.turn.take().await;
            self.take_step(wish).await
        });
        let late = "no majority took the step in time: say it again, and it goes on where it stands";
        stepped.await.unwrap_or_else(|_| Err(passing(late)))
    }

    async fn take_step(&self, wish: &Wish) -> Result<StepTaken, ChangeError> {
        let node = wish.node;
        let (view, found) = self.look(wish).await;
        let step = steps::next(wish.verb, node, &view).map_err(ChangeError::Refused)?;
        let (change, progress) = match step {
            Step::Done(disk) => return Ok(StepTaken::Done(disk)),
            Step::Wait(behind) => return Ok(StepTaken::CatchesUp(behind)),
            Step::HandOver => return self.hand_over().await,
            // No voter goes that is not gone in the second of the two sets already.
            Step::Finish => (MemberChange::RemoveVoters(BTreeSet::new()), StepTaken::Finished),
            Step::Remove { votes: true } => (MemberChange::RemoveVoters([node].into()), StepTaken::Removed),
            Step::Remove { votes: false } => (MemberChange::RemoveNodes([node].into()), StepTaken::Removed),
            Step::Promote => {
                let disk = view.members.get(&node).copied();
                (MemberChange::AddVoterIds([node].into()), StepTaken::Done(disk))
            }
            Step::Learn(disk) => {
                let member = self.member(wish, disk, found)?;
                (
                    MemberChange::AddNodes([(node, member)].into()),
                    StepTaken::Learns(disk),
                )
            }
        };
        tracing::info!(node, ?step, "changing the membership");
        let changed = self.raft.change_membership(change, false).await;
        changed.map(|_| progress).map_err(|error| failed(&error))
    }

    /// The member that a candidate becomes.
    fn member(
        &self,
        wish: &Wish,
        disk: DiskId,
        found: Option<v1::Introduction>,
    ) -> Result<Member, ChangeError> {
        let formed = self.identity.cluster();
        Ok(Member {
            peer_address: wish.peer_address.clone(),
            client_address: found.map(|found| found.client_address).unwrap_or_default(),
            disk,
            cluster: formed.ok_or_else(|| passing("this node belongs to no cluster yet"))?,
        })
    }

    async fn hand_over(&self) -> Result<StepTaken, ChangeError> {
        let around = (&self.raft, &*self.identity);
        let now = succession::hand_over(around, None, self.leadership.clone()).await;
        now.map(|_| StepTaken::HandedOver)
            .map_err(|stays: StaysError| ChangeError::Passing(stays.to_string()))
    }

    /// What there is to know before a step, and who answers at the address.
    async fn look(&self, wish: &Wish) -> (Standing, Option<v1::Introduction>) {
        let found = match wish.verb {
            Verb::Remove => Err("nobody is to be added".to_owned()),
            Verb::Add | Verb::Replace => self.ask(wish).await,
        };
        let alive = self.alive().await;
        let metrics = self.raft.metrics().borrow_watched().clone();
        let membership = metrics.membership_config.membership();
        let matched = metrics
            .replication
            .as_ref()
            .and_then(|followers| followers.get(&wish.node));
        let behind = matched.map(|matched| {
            let matched = matched.map(|at| at.index);
            self.behind(matched, metrics.last_log_index)
        });
        let cluster = self.table.cluster();
        let view = Standing {
            leader: self.identity.node,
            cluster: self.identity.cluster(),
            format: cluster.format,
            voters: membership.get_joint_config().clone(),
            members: membership
                .nodes()
                .map(|(node, member)| (*node, member.disk))
                .collect(),
            removed: cluster.removed,
            alive,
            behind,
            candidate: found.clone().map(|found| candidate(&found)),
        };
        (view, found.ok())
    }

    /// Which members answer now, this one included.
    async fn alive(&self) -> BTreeSet<NodeId> {
        let asked = self.identity.members().into_iter().map(|(node, member)| {
            let link = self.peers.get(node);
            async move {
                let reply = link?.introduce(self.introduction(node), ASK_WITHIN).await.ok()?;
                (reply.from?.disk == member.disk.0).then_some(node)
            }
        });
        let answered = join_all(asked).await.into_iter().flatten();
        answered.chain([self.identity.node]).collect()
    }

    fn introduction(&self, to_node: NodeId) -> v1::IntroduceRequest {
        v1::IntroduceRequest {
            from: Some(self.endpoint.introduction()),
            to_node,
        }
    }

    fn behind(&self, matched: Option<u64>, last: Option<u64>) -> Behind {
        let end = |index: Option<u64>| index.map_or(0, |index| index + 1);
        let entries = end(last).saturating_sub(end(matched));
        let bytes = match imaging::lock(&self.backlog).bytes_behind(matched) {
            _ if entries == 0 => 0,
            Some(bytes) => bytes,
            // It needs an image first.
            None => self.identity.image_bytes(),
        };
        Behind { entries, bytes }
    }

    /// Who answers at the address that was named.
    async fn ask(&self, wish: &Wish) -> Result<v1::Introduction, String> {
        let Wish {
            node, peer_address, ..
        } = wish;
        let nobody = |why: String| {
            format!(
                "nobody who could be node {node} answers at {peer_address} ({why}): start remora-store --node-id {node} \
                 there first, with an empty data directory and --join"
            )
        };
        let link = self.links.link(*node, peer_address);
        let link = link.map_err(|error| nobody(error.to_string()))?;
        // Whoever it is: an operator is told, should it be another node.
        let reply = link.introduce(self.introduction(0), ASK_WITHIN).await;
        let reply = reply.map_err(|error| nobody(error.to_string()))?;
        reply
            .from
            .ok_or_else(|| nobody("it does not say who it is".to_owned()))
    }
}

fn candidate(found: &v1::Introduction) -> Candidate {
    Candidate {
        node: found.node,
        disk: DiskId(found.disk),
        waits: found.waits,
        cluster: Some(ClusterId(found.cluster)).filter(|cluster| cluster.0 != 0),
        understands: wire::from_formats(found.understands),
    }
}

fn passing(why: &str) -> ChangeError {
    ChangeError::Passing(why.to_owned())
}

/// Why openraft did not change the membership.
fn failed(error: &RaftError<Types, ClientWriteError<Types>>) -> ChangeError {
    match error {
        RaftError::APIError(ClientWriteError::ChangeMembershipError(ChangeMembershipError::InProgress(
            _,
        ))) => passing("the change before this one is not committed yet"),
        RaftError::APIError(ClientWriteError::ChangeMembershipError(other)) => {
            ChangeError::Refused(other.to_string())
        }
        other => ChangeError::Passing(other.to_string()),
    }
}

//! The desk that all services share: what this node is, whether it is open, and its words for what it turns away.
//!
//! Requests about sessions live at it as a `visit`. What is no session command (the registry, a kill) is proposed here, under
//! the same limits.
//!
//! Left out on purpose: retries. A refusal says that nothing happened, an unknown outcome that something may have;
//! whoever asked decides.

use std::sync::Arc;

use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use tokio::sync::watch;

use crate::metrics::Answers;
use crate::raft::{Fate, NodeId, RaftHandle};
use remora_table::{LimitError, Limits, Outcome, Proposal};

use super::hub::Hub;
use super::status::{self, Turned, refusal};

/// Where a node is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Takes requests.
    Serving,
    /// Takes none and answers those in flight.
    Stopping,
    /// Consensus has stopped: streams end.
    Closed,
}

/// What all services share.
pub(super) struct Desk {
    pub(super) node: NodeId,
    pub(super) raft: RaftHandle,
    pub(super) hub: Arc<Hub>,
    pub(super) limits: watch::Receiver<Limits>,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) answers: Answers,
}

impl Desk {
    /// Limits on sessions and on the table, as they are now.
    pub(super) fn limits(&self) -> Limits {
        *self.limits.borrow()
    }

    /// Refuses everything once the node stops.
    pub(super) fn open(&self) -> Result<(), v1::Refusal> {
        match *self.phase.borrow() {
            Phase::Serving => Ok(()),
            Phase::Stopping | Phase::Closed => Err(self.stopping()),
        }
    }

    /// The refusal of a node that stops.
    pub(super) fn stopping(&self) -> v1::Refusal {
        let leader = self.leader_hint();
        v1::Refusal {
            leader,
            ..refusal(Reason::Stopping, "this store node stops: go to another one")
        }
    }

    /// Client address of the leader; empty when unknown or when this node leads.
    pub(super) fn leader_hint(&self) -> String {
        let leader = self.raft.leadership().borrow().leader;
        self.hint(leader)
    }

    fn hint(&self, leader: Option<NodeId>) -> String {
        let elsewhere = leader.filter(|leader| *leader != self.node);
        elsewhere
            .and_then(|leader| self.raft.client_address(leader))
            .unwrap_or_default()
    }

    /// A refusal of consensus, with the leader's address where that helps.
    pub(super) fn refuse(&self, why: crate::raft::Refusal) -> v1::Refusal {
        let leader = match why {
            crate::raft::Refusal::NotLeader { leader } => self.hint(leader),
            _ => String::new(),
        };
        status::consensus(why, leader)
    }

    /// An outcome that was not learned.
    pub(super) fn unknown(&self) -> v1::Unknown {
        v1::Unknown {
            leader: self.leader_hint(),
        }
    }

    /// Resolves when consensus has stopped.
    pub(super) async fn closed(&self) {
        let mut phase = self.phase.clone();
        // An error means that the node is gone, which is later than any phase.
        let _ = phase.wait_for(|now| *now == Phase::Closed).await;
    }

    /// Checks a proposal before it is proposed.
    pub(super) fn check(&self, proposal: &Proposal) -> Result<(), LimitError> {
        self.limits().check(proposal, self.raft.table(), self.raft.room())
    }

    /// Proposes what is no session command (registry, kill) and gives its outcome.
    pub(super) async fn propose(&self, proposal: Proposal) -> Result<Outcome, Turned> {
        self.check(&proposal).map_err(status::limit)?;
        self.told(self.raft.propose(proposal).await)
    }

    /// Proposes a rise of the cluster's format, which waits for changes of the membership.
    pub(super) async fn raise(&self, proposal: Proposal) -> Result<Outcome, Turned> {
        self.check(&proposal).map_err(status::limit)?;
        self.told(self.raft.raise(proposal).await)
    }

    fn told(&self, fate: Fate) -> Result<Outcome, Turned> {
        match fate {
            Fate::Done(outcome) => Ok(outcome),
            Fate::Refused(why) => Err(Turned::Refused(self.refuse(why))),
            Fate::Unknown => Err(Turned::Unknown(self.unknown())),
        }
    }

    /// Waits until this node's table may be read linearizably.
    pub(super) async fn barrier(&self) -> Result<(), Turned> {
        self.raft
            .barrier()
            .await
            .map_err(|why| Turned::Refused(self.refuse(why)))
    }
}

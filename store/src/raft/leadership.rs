//! Who leads, as this node sees it: what is published when it changes, and what follows from it.
//!
//! "Do I lead?" has two answers. A node that was *elected here* ([`Leadership::elected_here`]) is where clients belong
//! and where their streams stay open: it waits for its majority beside them. Only while a majority has answered it lately
//! does it *lead* ([`Leadership::leads`]): then it takes proposals. Between the two it refuses with
//! [`Refusal::NoQuorum`]: going elsewhere would not help.

use openraft::errors::{ForwardReason, ForwardToLeader};

use super::types::Types;
use super::{NodeId, Refusal};

/// Who leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Leadership {
    /// The present term.
    pub term: u64,
    /// The leader as far as this node knows.
    pub leader: Option<NodeId>,
    /// See [`Leadership::leads`].
    pub(super) leading: bool,
    /// This node.
    pub(super) node: NodeId,
}

impl Leadership {
    /// Whether this node was elected for the present term, be a majority within reach or not.
    pub(crate) fn elected_here(&self) -> bool {
        self.leader == Some(self.node)
    }

    /// Whether this node was elected and a majority has answered it within the last second.
    pub(crate) fn leads(&self) -> bool {
        self.leading
    }

    /// Why this node proposes nothing now, if it does not.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        if self.leads() {
            None
        } else if self.elected_here() {
            Some(Refusal::NoQuorum)
        } else {
            Some(Refusal::NotLeader { leader: self.leader })
        }
    }
}

impl From<&ForwardToLeader<Types>> for Refusal {
    /// Why openraft did not append or confirm.
    fn from(forward: &ForwardToLeader<Types>) -> Self {
        match forward.reason {
            ForwardReason::LeaseExpired => Refusal::NoQuorum,
            ForwardReason::NotLeader | ForwardReason::LeadershipTransfer => Refusal::NotLeader {
                leader: forward.leader_id,
            },
        }
    }
}

/// What a node does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Leads.
    Leader,
    /// Follows.
    Follower,
    /// Stands for election.
    Candidate,
    /// Listens without a vote.
    Learner,
    /// Belongs to no cluster yet.
    Forming,
    /// Belongs to no cluster, forms none, and is to be added to one.
    Waiting,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_elected_node_without_a_majority_sends_nobody_away_and_proposes_nothing() {
        let elsewhere = Leadership {
            term: 3,
            leader: Some(2),
            leading: false,
            node: 1,
        };
        let alone = Leadership {
            leader: Some(1),
            ..elsewhere
        };
        let heard = Leadership {
            leading: true,
            ..alone
        };
        let seen = [elsewhere, alone, heard].map(|now| (now.elected_here(), now.leads(), now.refusal()));
        let not_leader = Refusal::NotLeader { leader: Some(2) };
        assert_eq!(
            seen,
            [
                (false, false, Some(not_leader)),
                (true, false, Some(Refusal::NoQuorum)),
                (true, true, None),
            ]
        );
    }
}

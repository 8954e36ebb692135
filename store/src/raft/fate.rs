//! What became of a proposal: the three effects as a type, so that no caller can forget one.

use remora_table::{Outcome, Proposal};

use super::NodeId;

/// The answer to a proposal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fate {
    /// It is on a majority of disks and was applied; this is what the table said.
    Done(Outcome),
    /// It was not proposed: nothing happened.
    Refused(Refusal),
    /// It was proposed and its outcome not learned. Repeat it with the same request id, to whoever leads now.
    Unknown,
}

/// Why nothing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// This node does not lead.
    NotLeader {
        /// Who leads as far as this node knows; never this node.
        leader: Option<NodeId>,
    },
    /// This node leads, but has not heard from a majority lately: try again shortly.
    NoQuorum,
    /// This node stops: go elsewhere.
    Stopping,
    /// Too much waits on this node: try again later.
    Overloaded,
}

/// One proposal of a group.
#[derive(Debug)]
pub(crate) struct Ask {
    /// The caller's name for it; comes back with the answer.
    pub token: u64,
    /// What is proposed.
    pub proposal: Proposal,
}

/// Who takes the answers of a group of proposals.
///
/// Contract: every token given to [`super::RaftHandle::submit`] comes back exactly once, with others in any order and
/// any grouping. `deliver` must neither block nor wait: it runs on the proposer's task.
pub(crate) trait Replies: Send + Sync + 'static {
    /// Takes answers by token.
    fn deliver(&self, answers: Vec<(u64, Fate)>);
}

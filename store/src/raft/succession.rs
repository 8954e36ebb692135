//! Handing leadership over: who is asked to lead, and whether it does.
//!
//! openraft asks the successor to stand without waiting for anybody's silence, so clients wait some round trips and no election
//! timer. It may still not come to it: the successor may have died since, or be behind. The leader that asked proposes nothing
//! any more and gives no sign of life (openraft takes that back for nobody), so its followers find another as after its death.

use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::watch;

use super::applier::Raft;
use super::identity::NodeIdentity;
use super::{Leadership, NodeId};

/// How long a successor may take to lead: its log's last entries, and two syncs of a slow disk.
const TAKES_OVER_WITHIN: Duration = Duration::from_secs(3);

/// Why leadership stays where it is, as a sentence for people.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StaysError {
    /// Another node leads, or none.
    #[error("this node does not lead")]
    NotLeader,
    /// Nobody could take over.
    #[error("no other voter answers this leader")]
    Nobody,
    /// The one that was named cannot.
    #[error("node {0} is no voter of this cluster that answers its leader")]
    NoVoter(NodeId),
    /// It was asked, and does not lead.
    #[error("node {0} was asked and did not take over: ask again, or another node")]
    NotTaken(NodeId),
}

/// The voters that may follow this leader because they answer it; the one that is furthest ahead comes last, and one whose log
/// has room behind those whose log has none. Empty on a node that does not lead.
pub(super) fn successors(raft: &Raft, identity: &NodeIdentity) -> Vec<NodeId> {
    let metrics = raft.metrics();
    let metrics = metrics.borrow_watched();
    let followers = metrics.replication.iter().flatten();
    let voters = metrics.membership_config.membership();
    let is_voter = |node: &NodeId| voters.voter_ids().any(|voter| voter == *node);
    let mut able: Vec<_> = followers
        .filter(|(node, _)| **node != identity.node && is_voter(node) && identity.reachable(**node))
        .map(|(node, matched)| (!identity.is_spent(*node), matched.map(|at| at.index), *node))
        .collect();
    able.sort_unstable();
    able.into_iter().map(|(.., node)| node).collect()
}

/// Hands over to the voter `to`, or to the one that is furthest ahead, and waits until it leads. Gives who leads now.
pub(super) async fn hand_over(
    (raft, identity): (&Raft, &NodeIdentity),
    to: Option<NodeId>,
    mut leadership: watch::Receiver<Leadership>,
) -> Result<Leadership, StaysError> {
    let now = *leadership.borrow();
    if !now.elected_here() {
        return Err(StaysError::NotLeader);
    }
    if to == Some(identity.node) {
        return Ok(now);
    }
    let able = successors(raft, identity);
    let successor = match to {
        None => *able.last().ok_or(StaysError::Nobody)?,
        Some(named) if able.contains(&named) => named,
        Some(named) => return Err(StaysError::NoVoter(named)),
    };
    tracing::info!(successor, "handing leadership over");
    identity.reasons.hands_over(successor);
    let asked = raft.trigger().transfer_leader(successor).await;
    asked.map_err(|_| StaysError::NotTaken(successor))?;
    let taken = leadership.wait_for(|now| now.leader.is_some_and(|leader| leader != identity.node));
    match tokio::time::timeout(TAKES_OVER_WITHIN, taken).await {
        Ok(Ok(now)) => Ok(*now),
        _ => {
            identity.reasons.stays();
            Err(StaysError::NotTaken(successor))
        }
    }
}

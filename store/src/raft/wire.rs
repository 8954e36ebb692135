//! openraft's messages to ours and back. Others make messages of their own, of which openraft knows nothing.
//!
//! What comes from a peer is checked here for shape: a missing field, a gap between entries or a membership with
//! an unknown voter is a [`Malformed`], never a panic.

use std::collections::{BTreeMap, BTreeSet};

use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, StreamAppendResult, TransferLeaderError, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::type_config::alias::{self, EntryOf, LogIdOf, VoteOf};
use openraft::vote::RaftLeaderId;
use remora_proto::v1;

use crate::log::{ClusterId, DiskId};
use remora_table::{Format, Formats};

use super::types::{Commands, Member, Membership, StoredMembership, Types, log_id};

/// A message that no node of ours sends.
#[derive(Debug, thiserror::Error)]
#[error("malformed peer message: {0}")]
pub(super) struct Malformed(&'static str);

/// Writes a range of formats.
pub(super) fn formats(formats: Formats) -> v1::Formats {
    v1::Formats {
        oldest: u32::from(formats.oldest.0),
        newest: u32::from(formats.newest.0),
    }
}

/// Reads a range of formats; none if it is missing or empty. What lies beyond the numbers of this program is cut off.
pub(super) fn from_formats(formats: Option<v1::Formats>) -> Option<Formats> {
    let v1::Formats { oldest, newest } = formats?;
    let number = |number: u32| Format(u8::try_from(number).unwrap_or(u8::MAX));
    let formats = Formats {
        oldest: number(oldest),
        newest: number(newest),
    };
    (oldest > 0 && oldest <= newest).then_some(formats)
}

/// Writes a log position.
pub(super) fn position(id: LogIdOf<Types>) -> v1::LogPosition {
    v1::LogPosition {
        term: id.committed_leader_id().term,
        index: id.index,
    }
}

/// Reads a log position.
pub(super) fn from_position(position: v1::LogPosition) -> LogIdOf<Types> {
    log_id(position.term, position.index)
}

/// Writes a vote.
pub(super) fn vote(vote: &VoteOf<Types>) -> v1::Vote {
    v1::Vote {
        term: vote.leader_id.term,
        node: vote.leader_id.voted_for,
        committed: vote.committed,
    }
}

/// Reads a vote.
pub(super) fn from_vote(vote: Option<v1::Vote>) -> Result<VoteOf<Types>, Malformed> {
    let vote = vote.ok_or(Malformed("a vote is missing"))?;
    Ok(VoteOf::<Types> {
        leader_id: alias::LeaderIdOf::<Types>::new(vote.term, vote.node),
        committed: vote.committed,
    })
}

/// Writes a membership.
pub(super) fn membership(membership: &Membership) -> v1::Membership {
    v1::Membership {
        configurations: membership
            .get_joint_config()
            .iter()
            .map(|voters| v1::membership::Voters {
                nodes: voters.iter().copied().collect(),
            })
            .collect(),
        members: membership
            .nodes()
            .map(|(node, member)| v1::Member {
                node: *node,
                peer_address: member.peer_address.clone(),
                client_address: member.client_address.clone(),
                disk: member.disk.0,
                cluster: member.cluster.0,
            })
            .collect(),
    }
}

/// Reads a membership.
pub(super) fn from_membership(wire: v1::Membership) -> Result<Membership, Malformed> {
    let configurations: Vec<BTreeSet<u64>> = wire
        .configurations
        .into_iter()
        .map(|voters| voters.nodes.into_iter().collect())
        .collect();
    let mut members = BTreeMap::new();
    for member in wire.members {
        let known = Member {
            peer_address: member.peer_address,
            client_address: member.client_address,
            disk: DiskId(member.disk),
            cluster: ClusterId(member.cluster),
        };
        members.insert(member.node, known);
    }
    if configurations.is_empty() && members.is_empty() {
        return Ok(Membership::default());
    }
    Membership::new(configurations, members)
        .map_err(|_| Malformed("a membership has a voter without an address"))
}

/// Writes a stored membership.
pub(super) fn stored_membership(stored: &StoredMembership) -> v1::StoredMembership {
    v1::StoredMembership {
        position: stored.log_id().map(position),
        membership: Some(membership(stored.membership())),
    }
}

/// Reads a stored membership.
pub(super) fn from_stored_membership(
    wire: Option<v1::StoredMembership>,
) -> Result<StoredMembership, Malformed> {
    let wire = wire.ok_or(Malformed("a stored membership is missing"))?;
    let membership = from_membership(wire.membership.unwrap_or_default())?;
    Ok(StoredMembership::new(
        wire.position.map(from_position),
        membership,
    ))
}

/// Writes a log entry. The commands are not copied.
fn entry(entry: EntryOf<Types>) -> v1::LogEntry {
    let payload = match entry.payload {
        EntryPayload::Blank => None,
        EntryPayload::Normal(commands) => Some(v1::log_entry::Payload::Commands(commands.0)),
        EntryPayload::Membership(changed) => Some(v1::log_entry::Payload::Membership(membership(&changed))),
    };
    v1::LogEntry {
        position: Some(position(entry.log_id)),
        payload,
    }
}

/// Reads a log entry. The commands stay a slice of what was received.
fn from_entry(wire: v1::LogEntry) -> Result<EntryOf<Types>, Malformed> {
    let position = wire.position.ok_or(Malformed("an entry has no position"))?;
    let payload = match wire.payload {
        None => EntryPayload::Blank,
        Some(v1::log_entry::Payload::Commands(commands)) => EntryPayload::Normal(Commands(commands)),
        Some(v1::log_entry::Payload::Membership(changed)) => {
            EntryPayload::Membership(from_membership(changed)?)
        }
    };
    Ok(EntryOf::<Types>::new(from_position(position), payload))
}

/// Writes an append.
pub(super) fn append(envelope: v1::Envelope, request: AppendEntriesRequest<Types>) -> v1::AppendRequest {
    v1::AppendRequest {
        envelope: Some(envelope),
        vote: Some(vote(&request.vote)),
        previous: request.prev_log_id.map(position),
        entries: request.entries.into_iter().map(entry).collect(),
        committed: request.leader_commit.map(position),
    }
}

/// Reads an append. Entries must follow each other without a gap: a hole in a log cannot be repaired later.
pub(super) fn from_append(wire: v1::AppendRequest) -> Result<AppendEntriesRequest<Types>, Malformed> {
    let prev_log_id = wire.previous.map(from_position);
    let first = prev_log_id.map_or(0, |previous| previous.index + 1);
    let mut entries = Vec::with_capacity(wire.entries.len());
    for (entry, index) in wire.entries.into_iter().zip(first..) {
        let entry = from_entry(entry)?;
        if entry.log_id.index != index {
            return Err(Malformed("the entries of an append leave a gap"));
        }
        entries.push(entry);
    }
    Ok(AppendEntriesRequest {
        vote: from_vote(wire.vote)?,
        prev_log_id,
        entries,
        leader_commit: wire.committed.map(from_position),
    })
}

/// Writes the answer to an append.
pub(super) fn append_reply(result: &StreamAppendResult<Types>) -> v1::AppendReply {
    use v1::append_reply::{Nothing, Outcome};
    let outcome = match result {
        Ok(Some(flushed)) => Outcome::Flushed(position(*flushed)),
        Ok(None) => Outcome::Nothing(Nothing {}),
        Err(StreamAppendError::Conflict(at)) => Outcome::Conflict(position(*at)),
        Err(StreamAppendError::HigherVote(higher)) => Outcome::HigherVote(vote(higher)),
    };
    v1::AppendReply {
        outcome: Some(outcome),
    }
}

/// Reads the answer to an append.
pub(super) fn from_append_reply(wire: v1::AppendReply) -> Result<StreamAppendResult<Types>, Malformed> {
    use v1::append_reply::Outcome;
    Ok(match wire.outcome.ok_or(Malformed("an append reply is empty"))? {
        Outcome::Flushed(at) => Ok(Some(from_position(at))),
        Outcome::Nothing(_) => Ok(None),
        Outcome::Conflict(at) => Err(StreamAppendError::Conflict(from_position(at))),
        Outcome::HigherVote(higher) => Err(StreamAppendError::HigherVote(from_vote(Some(higher))?)),
    })
}

/// Writes a request for a vote.
pub(super) fn vote_request(
    envelope: v1::Envelope,
    request: &VoteRequest<Types>,
    pre_vote: bool,
) -> v1::VoteRequest {
    v1::VoteRequest {
        envelope: Some(envelope),
        vote: Some(vote(&request.vote)),
        last_log: request.last_log_id.map(position),
        leadership_transfer: request.leadership_transfer,
        pre_vote,
    }
}

/// Reads a request for a vote.
pub(super) fn from_vote_request(wire: &v1::VoteRequest) -> Result<VoteRequest<Types>, Malformed> {
    let mut request = VoteRequest::new(from_vote(wire.vote)?, wire.last_log.map(from_position));
    request.leadership_transfer = wire.leadership_transfer;
    Ok(request)
}

/// Writes the answer to a request for a vote.
pub(super) fn vote_reply(reply: &VoteResponse<Types>) -> v1::VoteReply {
    v1::VoteReply {
        vote: Some(vote(&reply.vote)),
        granted: reply.vote_granted,
        last_log: reply.last_log_id.map(position),
    }
}

/// Reads the answer to a request for a vote.
pub(super) fn from_vote_reply(wire: v1::VoteReply) -> Result<VoteResponse<Types>, Malformed> {
    Ok(VoteResponse::new(
        from_vote(wire.vote)?,
        wire.last_log.map(from_position),
        wire.granted,
    ))
}

/// Writes a hand-over.
pub(super) fn transfer(
    envelope: v1::Envelope,
    request: &TransferLeaderRequest<Types>,
) -> v1::TransferLeaderRequest {
    v1::TransferLeaderRequest {
        envelope: Some(envelope),
        vote: Some(vote(request.from_leader())),
        to: *request.to_node_id(),
        last_log: request.last_log_id().copied().map(position),
    }
}

/// Reads a hand-over.
pub(super) fn from_transfer(
    wire: v1::TransferLeaderRequest,
) -> Result<TransferLeaderRequest<Types>, Malformed> {
    Ok(TransferLeaderRequest::new(
        from_vote(wire.vote)?,
        wire.to,
        wire.last_log.map(from_position),
    ))
}

/// Writes the answer to a hand-over.
pub(super) fn transfer_reply(reply: &TransferLeaderResponse<Types>) -> v1::TransferLeaderReply {
    use v1::transfer_leader_reply::{Accepted, LogBehind, Outcome, VoteChanged};
    let outcome = match reply {
        Ok(()) => Outcome::Accepted(Accepted {}),
        Err(TransferLeaderError::VoteChanged { expected, actual }) => Outcome::VoteChanged(VoteChanged {
            expected: Some(vote(expected)),
            actual: Some(vote(actual)),
        }),
        Err(TransferLeaderError::LogNotFlushed { expected, actual }) => Outcome::LogBehind(LogBehind {
            expected: expected.map(position),
            actual: actual.map(position),
        }),
    };
    v1::TransferLeaderReply {
        outcome: Some(outcome),
    }
}

/// Reads the answer to a hand-over.
pub(super) fn from_transfer_reply(
    wire: v1::TransferLeaderReply,
) -> Result<TransferLeaderResponse<Types>, Malformed> {
    use v1::transfer_leader_reply::Outcome;
    Ok(
        match wire.outcome.ok_or(Malformed("a hand-over reply is empty"))? {
            Outcome::Accepted(_) => Ok(()),
            Outcome::VoteChanged(changed) => Err(TransferLeaderError::VoteChanged {
                expected: from_vote(changed.expected)?,
                actual: from_vote(changed.actual)?,
            }),
            Outcome::LogBehind(behind) => Err(TransferLeaderError::LogNotFlushed {
                expected: behind.expected.map(from_position),
                actual: behind.actual.map(from_position),
            }),
        },
    )
}

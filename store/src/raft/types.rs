//! The types that openraft is configured with. What it derives from them goes by its own names (`VoteOf<Types>`,
//! `LogIdOf<Types>`): the plain ones are those of `crate::log` and of the wire.
//!
//! Leader ids are those of the Raft paper (one leader per term), so that a log position is a term and an index.

use std::fmt;

use bytes::Bytes;
use openraft::batch::InlineBatch;
use openraft::impls::OneshotResponder;
use openraft::type_config::alias::{self, LogIdOf};
use openraft::{AnyError, Entry, EntryPayload, RaftTypeConfig, vote};

use crate::log::{ClusterId, DiskId};
use remora_table::Outcome;

use super::runtime::RaftRuntime;

/// Id of a node, from 1; never used again for another disk.
pub(crate) type NodeId = u64;

/// openraft's configuration of types.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Types;

impl RaftTypeConfig for Types {
    type D = Commands;
    type R = Vec<Outcome>;
    type NodeId = NodeId;
    type Node = Member;
    type Term = u64;
    type LeaderId = vote::leader_id_std::LeaderId<u64, NodeId>;
    type Vote = vote::Vote<Self::LeaderId>;
    type Payload = EntryPayload<Commands, NodeId, Member>;
    type Entry = Entry<alias::CommittedLeaderIdOf<Self>, Self::Payload>;
    type AsyncRuntime = RaftRuntime;
    type Responder<T>
        = OneshotResponder<Self, T>
    where
        T: Send + 'static;
    type Batch<T>
        = InlineBatch<T>
    where
        T: Send + 'static;
    type ErrorSource = AnyError;
}

/// Who votes and who listens.
pub(super) type Membership = openraft::Membership<NodeId, Member>;
/// A membership and where in the log it stands.
pub(super) type StoredMembership = alias::StoredMembershipOf<Types>;

/// The log position of a term and an index.
pub(super) fn log_id(term: u64, index: u64) -> LogIdOf<Types> {
    LogIdOf::<Types>::new_term_index(term, index)
}

/// The commands of one entry, encoded once by the proposer. The same bytes are the disk payload, the peer payload and
/// what the applier decodes; a clone is a reference.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Commands(pub(super) Bytes);

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of commands", self.0.len())
    }
}

impl fmt::Display for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One member of the cluster as the membership records it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Member {
    /// Where peers reach it (host:port).
    pub(super) peer_address: String,
    /// Where clients reached it when it joined; introductions tell the present address.
    pub(super) client_address: String,
    /// Its disk: another disk under the same node id is refused.
    pub(super) disk: DiskId,
    /// The cluster it belongs to; the same in all members.
    pub(super) cluster: ClusterId,
}

//! The seam to a peer: one call to one node, in the words of the wire. Implemented over gRPC by `rpc::links`, in memory
//! by tests.
//!
//! Contract, which `tests/link.rs` holds every implementation to:
//!
//! - Every call ends, at the latest at its deadline, whatever the far side does.
//! - A call that ended with [`LinkError::Unreachable`] may or may not have been carried out. [`LinkError::Refused`] is what
//!   an operator has to cure; whatever the next try may find otherwise is unreachable.
//! - Replies of [`PeerLink::append`] come in the order of the requests, and the stream of replies ends when the stream of
//!   requests has ended and all are answered, or with a refusal.
//! - A snapshot whose pieces end too early is not installed, and may be sent again. Those of [`PeerLink::image`] end behind
//!   the last one, with an error, or too early.
//! - A link reconnects by itself.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use remora_proto::v1;

use super::NodeId;

/// What a call to a peer gives.
pub(crate) type LinkResult<T> = Result<T, LinkError>;

/// A stream of what one side of a call says.
pub(crate) type LinkStream<T> = BoxStream<'static, LinkResult<T>>;

/// Why a call to a peer gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkError {
    /// Nobody answered there, or not in time.
    #[error("peer does not answer: {0}")]
    Unreachable(String),
    /// The peer answered that it will not: another cluster, another node, another disk.
    #[error("peer refuses: {0}")]
    Refused(String),
    /// The machine answered that no process listens at the peer's address.
    #[error("nobody listens at the peer's address")]
    NobodyListens,
}

/// Why a peer's message was not handled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PeerError {
    /// Another cluster, another node, another disk: an operator has to look.
    #[error("{0}")]
    Refused(String),
    /// Not a message of ours.
    #[error("{0}")]
    Malformed(String),
    /// Not now: try again.
    #[error("{0}")]
    Unavailable(String),
}

/// One peer.
pub(crate) trait PeerLink: Send + Sync + 'static {
    /// Opens a replication stream. Its length is not limited, only its silence is: openraft ends it.
    fn append(
        &self,
        requests: BoxStream<'static, v1::AppendRequest>,
    ) -> BoxFuture<'static, LinkResult<LinkStream<v1::AppendReply>>>;

    /// One append outside the stream.
    fn heartbeat(
        &self,
        request: v1::AppendRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::AppendReply>>;

    /// Asks for a vote or a pre-vote.
    fn vote(
        &self,
        request: v1::VoteRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::VoteReply>>;

    /// Sends a snapshot and waits until it is installed.
    fn snapshot(
        &self,
        chunks: BoxStream<'static, v1::SnapshotChunk>,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::SnapshotReply>>;

    /// Asks for the newest table image, which must reach an entry. The deadline is for the answer to begin: the length of the
    /// stream is not limited.
    fn image(
        &self,
        request: v1::ImageRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<LinkStream<v1::SnapshotChunk>>>;

    /// Hands leadership over.
    fn transfer_leader(
        &self,
        request: v1::TransferLeaderRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::TransferLeaderReply>>;

    /// Asks a leader what is committed.
    fn read_index(
        &self,
        request: v1::ReadIndexRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::ReadIndexReply>>;

    /// Whether a process listens at the peer's address. Only [`LinkError::NobodyListens`] says that none does; any other
    /// error says nothing.
    fn listens(&self, deadline: Duration) -> BoxFuture<'static, LinkResult<()>>;

    /// Exchanges introductions.
    fn introduce(
        &self,
        request: v1::IntroduceRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::IntroduceReply>>;
}

/// How links are made. Making one opens no connection; that happens at the first call.
pub(crate) trait PeerLinks: Send + Sync + 'static {
    /// A link to a node at an address (host:port). Every call makes a link with its own connection.
    fn link(&self, node: NodeId, address: &str) -> Result<Arc<dyn PeerLink>, LinkError>;
}

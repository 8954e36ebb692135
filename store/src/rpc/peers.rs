//! The peer service: what other store nodes ask.
//!
//! Invariant: a peer speaks for itself alone, in every message of a stream too. Left out on purpose: every other check, which is
//! the endpoint's.

use futures::StreamExt;
use futures::stream::BoxStream;
use remora_process::tls::{Caller, Role};
use remora_proto::v1;
use remora_proto::v1::peer_server::{Peer, PeerServer};
use remora_proto::v1::refusal::Reason;
use tonic::{Request, Response, Status, Streaming};

use crate::raft::{Incoming, PeerEndpoint, PeerError};

use super::bounds::PEER_MESSAGE_BYTES_MAX;
use super::gate;
use super::status::refusal;

/// The peer service over an endpoint of consensus.
pub(super) fn peer_service(endpoint: PeerEndpoint) -> PeerServer<Peers> {
    PeerServer::new(Peers { endpoint })
        .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX)
}

/// See [`peer_service`].
pub(super) struct Peers {
    endpoint: PeerEndpoint,
}

/// What a peer streams, up to its end or to the break of its connection, or to the first message in another one's name.
fn incoming<T: Said + Send + 'static>(request: Request<Streaming<T>>) -> Incoming<T> {
    let caller = gate::caller(&request);
    let own = move |message: Result<T, Status>| message.ok().filter(|message| is_own(&caller, message));
    tokio_stream::StreamExt::map_while(request.into_inner(), own).boxed()
}

/// One message of a peer, unless it is in another one's name.
fn own<T: Said>(request: Request<T>) -> Result<T, Status> {
    let caller = gate::caller(&request);
    let message = request.into_inner();
    if is_own(&caller, &message) {
        return Ok(message);
    }
    let sentence = format!(
        "the message is of node {}, and comes from {caller}: a node speaks for itself alone",
        message.node().unwrap_or_default()
    );
    Err(super::status::status(refusal(Reason::Forbidden, sentence)))
}

/// Whether a message is of the node that the connection's certificate names. One that does not say whose it is goes on: the
/// endpoint asks for what is missing.
fn is_own<T: Said>(caller: &Caller, message: &T) -> bool {
    let node = message.node();
    node.is_none_or(|node| caller.is(|role| *role == Role::Peer(node)))
}

/// A message of a peer.
trait Said {
    /// The node that it says it is of.
    fn node(&self) -> Option<u64>;
}

macro_rules! said_in_envelope {
    ($($message:ident),*) => {
        $(impl Said for v1::$message {
            fn node(&self) -> Option<u64> {
                self.envelope.as_ref().map(|envelope| envelope.from_node)
            }
        })*
    };
}

said_in_envelope!(
    AppendRequest,
    VoteRequest,
    ImageRequest,
    TransferLeaderRequest,
    ReadIndexRequest
);

impl Said for v1::SnapshotChunk {
    fn node(&self) -> Option<u64> {
        let head = self.head.as_ref()?;
        head.envelope.as_ref().map(|envelope| envelope.from_node)
    }
}

impl Said for v1::IntroduceRequest {
    fn node(&self) -> Option<u64> {
        self.from.as_ref().map(|from| from.node)
    }
}

fn status(error: PeerError) -> Status {
    match error {
        PeerError::Refused(sentence) => Status::failed_precondition(sentence),
        PeerError::Malformed(sentence) => Status::invalid_argument(sentence),
        PeerError::Unavailable(sentence) => Status::unavailable(sentence),
    }
}

fn reply<T>(result: Result<T, PeerError>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(status)
}

#[tonic::async_trait]
impl Peer for Peers {
    type AppendStream = BoxStream<'static, Result<v1::AppendReply, Status>>;

    type ImageStream = BoxStream<'static, Result<v1::SnapshotChunk, Status>>;

    async fn append(
        &self,
        request: Request<Streaming<v1::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let replies = self.endpoint.append(incoming(request));
        Ok(Response::new(replies.map(|reply| reply.map_err(status)).boxed()))
    }

    async fn heartbeat(
        &self,
        request: Request<v1::AppendRequest>,
    ) -> Result<Response<v1::AppendReply>, Status> {
        reply(self.endpoint.heartbeat(own(request)?).await)
    }

    async fn vote(&self, request: Request<v1::VoteRequest>) -> Result<Response<v1::VoteReply>, Status> {
        reply(self.endpoint.vote(own(request)?).await)
    }

    async fn snapshot(
        &self,
        request: Request<Streaming<v1::SnapshotChunk>>,
    ) -> Result<Response<v1::SnapshotReply>, Status> {
        reply(self.endpoint.snapshot(incoming(request)).await)
    }

    async fn image(&self, request: Request<v1::ImageRequest>) -> Result<Response<Self::ImageStream>, Status> {
        let pieces = self.endpoint.image(own(request)?).await;
        reply(pieces.map(|pieces| pieces.map(Ok).boxed()))
    }

    async fn transfer_leader(
        &self,
        request: Request<v1::TransferLeaderRequest>,
    ) -> Result<Response<v1::TransferLeaderReply>, Status> {
        reply(self.endpoint.transfer_leader(own(request)?).await)
    }

    async fn read_index(
        &self,
        request: Request<v1::ReadIndexRequest>,
    ) -> Result<Response<v1::ReadIndexReply>, Status> {
        reply(self.endpoint.read_index(own(request)?).await)
    }

    async fn introduce(
        &self,
        request: Request<v1::IntroduceRequest>,
    ) -> Result<Response<v1::IntroduceReply>, Status> {
        reply(self.endpoint.introduce(own(request)?).await)
    }
}

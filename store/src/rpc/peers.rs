//! The peer service: what other store nodes ask. Only carries; every check is the endpoint's.

use futures::StreamExt;
use futures::stream::BoxStream;
use remora_proto::v1;
use remora_proto::v1::peer_server::{Peer, PeerServer};
use tonic::{Request, Response, Status, Streaming};

use crate::raft::{Incoming, PeerEndpoint, PeerError};

use super::bounds::PEER_MESSAGE_BYTES_MAX;

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

/// What a peer streams, up to its end or to the break of its connection.
fn incoming<T: Send + 'static>(request: Request<Streaming<T>>) -> Incoming<T> {
    tokio_stream::StreamExt::map_while(request.into_inner(), Result::ok).boxed()
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
        reply(self.endpoint.heartbeat(request.into_inner()).await)
    }

    async fn vote(&self, request: Request<v1::VoteRequest>) -> Result<Response<v1::VoteReply>, Status> {
        reply(self.endpoint.vote(request.into_inner()).await)
    }

    async fn snapshot(
        &self,
        request: Request<Streaming<v1::SnapshotChunk>>,
    ) -> Result<Response<v1::SnapshotReply>, Status> {
        reply(self.endpoint.snapshot(incoming(request)).await)
    }

    async fn image(&self, request: Request<v1::ImageRequest>) -> Result<Response<Self::ImageStream>, Status> {
        let pieces = self.endpoint.image(request.into_inner()).await;
        reply(pieces.map(|pieces| pieces.map(Ok).boxed()))
    }

    async fn transfer_leader(
        &self,
        request: Request<v1::TransferLeaderRequest>,
    ) -> Result<Response<v1::TransferLeaderReply>, Status> {
        reply(self.endpoint.transfer_leader(request.into_inner()).await)
    }

    async fn read_index(
        &self,
        request: Request<v1::ReadIndexRequest>,
    ) -> Result<Response<v1::ReadIndexReply>, Status> {
        reply(self.endpoint.read_index(request.into_inner()).await)
    }

    async fn introduce(
        &self,
        request: Request<v1::IntroduceRequest>,
    ) -> Result<Response<v1::IntroduceReply>, Status> {
        reply(self.endpoint.introduce(request.into_inner()).await)
    }
}

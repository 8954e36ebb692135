//! Links to peers over gRPC channels.
//!
//! A link connects when it is first used and reconnects by itself; a connection refused is known at once, a peer that
//! went silent within [`SILENT_AFTER`] and [`SILENT_WITHIN`]. Every link has its own connection, so that a heartbeat
//! never waits behind entries or a snapshot.
//!
//! Left out on purpose: a length limit of the replication stream. It lives as long as the leadership does.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream, StreamExt};
use remora_process::tls::Dial;
use remora_proto::v1;
use remora_proto::v1::peer_client::PeerClient;
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::raft::{LinkError, LinkResult, LinkStream, NodeId, PeerLink, PeerLinks};

use super::bounds::{CONNECTION_WINDOW_BYTES, PEER_MESSAGE_BYTES_MAX, STREAM_WINDOW_BYTES};

#[cfg(test)]
mod tests;

/// How long a connection may take; on a local network it takes a round trip.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// How long a peer may take to open a replication stream.
const OPEN_WITHIN: Duration = Duration::from_secs(1);
/// A connection on which nothing was heard for this long is asked for a sign of life.
const SILENT_AFTER: Duration = Duration::from_secs(1);
/// How long that sign may take before the connection is given up.
const SILENT_WITHIN: Duration = Duration::from_secs(2);

/// Makes links, each over a connection of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct GrpcLinks {
    /// How this node connects.
    pub(crate) dial: Dial,
}

impl PeerLinks for GrpcLinks {
    fn link(&self, node: NodeId, address: &str) -> LinkResult<Arc<dyn PeerLink>> {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| {
            LinkError::Refused(format!(
                "{address:?} is no address of node {node} (host:port): {error}"
            ))
        })?;
        let channel = endpoint
            .connect_timeout(CONNECT_WITHIN)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .http2_keep_alive_interval(SILENT_AFTER)
            .keep_alive_timeout(SILENT_WITHIN)
            .keep_alive_while_idle(true)
            .connect_with_connector_lazy(self.dial.clone().to_peer(node));
        let client = PeerClient::new(channel)
            .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX);
        Ok(Arc::new(GrpcLink {
            client,
            address: address.to_owned(),
        }))
    }
}

/// One peer over one channel.
struct GrpcLink {
    client: PeerClient<Channel>,
    /// Host:port.
    address: String,
}

/// Waits for a call, at most until its deadline.
async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> LinkResult<T> {
    match tokio::time::timeout(deadline, call).await {
        Ok(Ok(reply)) => Ok(reply.into_inner()),
        Ok(Err(status)) => Err(link_error(&status)),
        Err(_) => Err(LinkError::Unreachable(format!(
            "no answer within {} ms",
            deadline.as_millis()
        ))),
    }
}

/// A status that says that an operator has to look is a refusal; anything else may be over with the next try.
fn link_error(status: &Status) -> LinkError {
    match status.code() {
        Code::FailedPrecondition | Code::InvalidArgument => LinkError::Refused(status.message().to_owned()),
        _ => LinkError::Unreachable(status.message().to_owned()),
    }
}

/// What is streamed to a peer. A named type, because the compiler cannot prove a call over a boxed one to be Send.
struct Outgoing<T>(BoxStream<'static, T>);

impl<T> Stream for Outgoing<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.as_mut().poll_next(context)
    }
}

/// One item of a stream of replies.
fn stream_item<T>(reply: Result<T, Status>) -> LinkResult<T> {
    reply.map_err(|status| link_error(&status))
}

impl PeerLink for GrpcLink {
    fn append(
        &self,
        requests: BoxStream<'static, v1::AppendRequest>,
    ) -> BoxFuture<'static, LinkResult<LinkStream<v1::AppendReply>>> {
        let mut client = self.client.clone();
        Box::pin(async move {
            let replies = within(OPEN_WITHIN, client.append(Outgoing(requests))).await?;
            Ok(replies.map(stream_item).boxed())
        })
    }

    fn heartbeat(
        &self,
        request: v1::AppendRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::AppendReply>> {
        let mut client = self.client.clone();
        Box::pin(async move { within(deadline, client.heartbeat(request)).await })
    }

    fn vote(
        &self,
        request: v1::VoteRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::VoteReply>> {
        let mut client = self.client.clone();
        Box::pin(async move { within(deadline, client.vote(request)).await })
    }

    fn snapshot(
        &self,
        chunks: BoxStream<'static, v1::SnapshotChunk>,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::SnapshotReply>> {
        let mut client = self.client.clone();
        Box::pin(async move { within(deadline, client.snapshot(Outgoing(chunks))).await })
    }

    fn image(
        &self,
        request: v1::ImageRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<LinkStream<v1::SnapshotChunk>>> {
        let mut client = self.client.clone();
        Box::pin(async move {
            let pieces = within(deadline, client.image(request)).await?;
            Ok(pieces.map(stream_item).boxed())
        })
    }

    fn transfer_leader(
        &self,
        request: v1::TransferLeaderRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::TransferLeaderReply>> {
        let mut client = self.client.clone();
        Box::pin(async move { within(deadline, client.transfer_leader(request)).await })
    }

    fn read_index(
        &self,
        request: v1::ReadIndexRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::ReadIndexReply>> {
        let mut client = self.client.clone();
        Box::pin(async move { within(deadline, client.read_index(request)).await })
    }

    fn listens(&self, deadline: Duration) -> BoxFuture<'static, LinkResult<()>> {
        let address = self.address.clone();
        Box::pin(async move {
            let opened = tokio::time::timeout(deadline, TcpStream::connect(address)).await;
            match opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(_) => Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    Err(LinkError::NobodyListens)
                }
                Err(error) => Err(LinkError::Unreachable(error.to_string())),
            }
        })
    }

    fn introduce(
        &self,
        request: v1::IntroduceRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::IntroduceReply>> {
        let mut client = self.client.clone();
        Box::pin(async move { within(deadline, client.introduce(request)).await })
    }
}

//! openraft's network seam over [`PeerLink`].
//!
//! Replication is one long-lived stream per follower with many requests in flight. Heartbeats have their own link, so
//! that they never wait behind entries or a snapshot; pre-vote is really asked (openraft's default grants it).
//!
//! Invariant: openraft never hears that a follower lacks what it acknowledged to this leader (`acknowledged`). It gets nothing
//! then, and is tried again from time to time.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use openraft::OptionalSend;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{
    Backoff, NetBackoff, NetSnapshot, NetStreamAppend, NetTransferLeader, NetVote, RPCOption,
    RaftNetworkFactory,
};
use openraft::raft::{
    AppendEntriesRequest, SnapshotResponse, StreamAppendError, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::type_config::alias::{LogIdOf, VoteOf};
use remora_proto::v1;

use crate::log::{DiskId, LogId};
use crate::runtime;

use super::NodeId;
use super::identity::NodeIdentity;
use super::link::{LinkError, PeerLink, PeerLinks};
use super::log_seam::disk_id;
use super::pace::Pace;
use super::snapshots::{self, SnapshotData};
use super::types::{Member, Types};
use super::wire::{self, Malformed};

/// Pause before an unreachable follower is tried again. Short and constant: a follower that restarts must be back
/// before the next failure, and a refused connection on a local network costs next to nothing.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// The same for one that lacks what it acknowledged, and will hardly have it again: what is sent to it each time is in vain.
const RETRY_LACKING_AFTER: Duration = Duration::from_secs(1);

/// Makes the links that openraft asks for.
pub(super) struct Network {
    identity: Arc<NodeIdentity>,
    links: Arc<dyn PeerLinks>,
    pace: Arc<Pace>,
}

impl Network {
    /// Over a way to make links. Tells how long heartbeats take.
    pub(super) fn new(identity: Arc<NodeIdentity>, links: Arc<dyn PeerLinks>, pace: Arc<Pace>) -> Self {
        Self {
            identity,
            links,
            pace,
        }
    }

    fn peer(&self, target: NodeId, member: &Member, heartbeats: bool) -> PeerNetwork {
        PeerNetwork {
            link: self.links.link(target, &member.peer_address),
            envelope: self.identity.envelope(target, member),
            follower: Follower {
                node: target,
                disk: member.disk,
                identity: Arc::clone(&self.identity),
            },
            pace: Arc::clone(&self.pace),
            heartbeats,
        }
    }
}

impl RaftNetworkFactory<Types> for Network {
    type Network = PeerNetwork;

    async fn new_client(&mut self, target: NodeId, node: &Member) -> PeerNetwork {
        self.peer(target, node, false)
    }

    async fn new_heartbeat_client(&mut self, target: NodeId, node: &Member) -> PeerNetwork {
        self.peer(target, node, true)
    }
}

/// One peer as openraft sees it.
pub(super) struct PeerNetwork {
    link: Result<Arc<dyn PeerLink>, LinkError>,
    envelope: v1::Envelope,
    follower: Follower,
    pace: Arc<Pace>,
    heartbeats: bool,
}

impl PeerNetwork {
    fn link(&self) -> Result<Arc<dyn PeerLink>, RPCError<Types>> {
        self.link.clone().map_err(|error| rpc_error(&error))
    }

    /// The head of a message that is sent now.
    fn head(&self) -> v1::Envelope {
        self.follower.identity.stamp(self.envelope)
    }

    /// What a peer answered, noted as a sign of life.
    fn answered<T>(&self, answer: Result<T, LinkError>) -> Result<T, RPCError<Types>> {
        let answer = answer.map_err(|error| rpc_error(&error))?;
        self.follower.identity.heard(self.envelope.to_node);
        Ok(answer)
    }

    /// What a follower answered on a stream of this term, for openraft to hear.
    async fn judged(
        &self,
        term: u64,
        reply: Result<v1::AppendReply, LinkError>,
    ) -> Result<StreamAppendResult<Types>, RPCError<Types>> {
        let reply = self.answered(reply)?;
        let result = wire::from_append_reply(reply).map_err(|error| malformed(&error))?;
        if let Err(error) = self.follower.answered(term, &result) {
            tokio::time::sleep(RETRY_LACKING_AFTER).await;
            return Err(rpc_error(&error));
        }
        Ok(result)
    }
}

/// A follower, as far as it is known what it acknowledged.
#[derive(Clone)]
struct Follower {
    node: NodeId,
    disk: DiskId,
    identity: Arc<NodeIdentity>,
}

impl Follower {
    /// In this term it has entries up to `upto`, and those up to `committed` are committed.
    fn has(&self, term: u64, upto: Option<LogIdOf<Types>>, committed: Option<LogIdOf<Types>>) {
        let known = (upto.map(disk_id), committed.map(disk_id));
        self.identity.lives.acknowledged(self.disk, term, known);
    }

    /// What it answered to an append of this term.
    ///
    /// # Errors
    /// It lacks what it acknowledged, which openraft takes for impossible.
    fn answered(&self, term: u64, result: &StreamAppendResult<Types>) -> Result<(), LinkError> {
        match result {
            Ok(upto) => {
                self.has(term, *upto, None);
                self.identity.lives.acknowledgements().is_whole(self.disk, term);
                Ok(())
            }
            Err(StreamAppendError::Conflict(at)) => self.check(term, disk_id(*at)),
            Err(StreamAppendError::HigherVote(_)) => Ok(()),
        }
    }

    /// Whether it may be true that it has no such entry.
    fn check(&self, term: u64, at: LogId) -> Result<(), LinkError> {
        let lives = &self.identity.lives;
        let Some((upto, is_new)) = lives.acknowledgements().lacks(self.disk, term, at) else {
            return Ok(());
        };
        let node = self.node;
        let sentence = format!(
            "node {node} acknowledged entry {} of term {} and has no entry {} of term {}: its data directory is an older copy of \
             itself, or its disk was put back to an older state. Nothing is sent to it; replace it: start it with an empty data \
             directory and --join, and say `remora nodes replace {node}`",
            upto.index, upto.term, at.index, at.term
        );
        if is_new {
            tracing::error!("{sentence}");
        }
        Err(LinkError::Refused(sentence))
    }
}

/// An answer that did not come is unreachable, so that openraft waits [`RETRY_AFTER`] before it tries again; so is a
/// refusal, which an operator has to cure.
fn rpc_error(error: &LinkError) -> RPCError<Types> {
    RPCError::Unreachable(Unreachable::new(error))
}

fn malformed(error: &Malformed) -> RPCError<Types> {
    RPCError::Network(NetworkError::new(error))
}

impl NetBackoff<Types> for PeerNetwork {
    fn backoff(&self) -> Option<Backoff> {
        Some(Backoff::new(std::iter::repeat(RETRY_AFTER)))
    }
}

type AppendResults<'s> = BoxStream<'s, Result<StreamAppendResult<Types>, RPCError<Types>>>;

impl NetStreamAppend<Types> for PeerNetwork {
    fn stream_append<'s, S>(
        &'s mut self,
        mut input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<AppendResults<'s>, RPCError<Types>>>
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + Unpin + 'static,
    {
        Box::pin(async move {
            let link = self.link()?;
            if self.heartbeats {
                let Some(request) = input.next().await else {
                    return Ok(stream::empty().boxed());
                };
                // openraft sends it behind the last entry that matched.
                let (term, upto) = (request.vote.leader_id.term, request.prev_log_id);
                self.follower.has(term, upto, request.leader_commit);
                let began = runtime::now();
                let reply = link
                    .heartbeat(wire::append(self.head(), request), option.hard_ttl())
                    .await;
                let reply = self.answered(reply)?;
                self.pace.answered(runtime::since(began));
                let result = wire::from_append_reply(reply).map_err(|error| malformed(&error))?;
                if let Err(StreamAppendError::Conflict(at)) = &result {
                    let checked = self.follower.check(term, disk_id(*at));
                    checked.map_err(|error| rpc_error(&error))?;
                }
                return Ok(stream::once(async move { Ok(result) }).boxed());
            }
            let (envelope, follower) = (self.envelope, self.follower.clone());
            // Of the requests, all of which are of one leader.
            let term = Arc::new(AtomicU64::new(0));
            let asked = Arc::clone(&term);
            let requests = input.map(move |request| {
                let term = request.vote.leader_id.term;
                asked.store(term, Ordering::Relaxed);
                follower.has(term, None, request.leader_commit);
                wire::append(follower.identity.stamp(envelope), request)
            });
            let replies = match link.append(requests.boxed()).await {
                Ok(replies) => replies,
                Err(error) => {
                    // openraft waits before the first request of a stream, and comes to that only on one that opens.
                    tokio::time::sleep(RETRY_AFTER).await;
                    return Err(rpc_error(&error));
                }
            };
            let this = &*self;
            let results = replies.then(move |reply| {
                let term = term.load(Ordering::Relaxed);
                async move { this.judged(term, reply).await }
            });
            Ok(results.boxed())
        })
    }
}

impl NetVote<Types> for PeerNetwork {
    async fn vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let request = wire::vote_request(self.head(), &rpc, false);
        let reply = self.link()?.vote(request, option.hard_ttl()).await;
        wire::from_vote_reply(self.answered(reply)?).map_err(|error| malformed(&error))
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let request = wire::vote_request(self.head(), &rpc, true);
        let reply = self.link()?.vote(request, option.hard_ttl()).await;
        wire::from_vote_reply(self.answered(reply)?).map_err(|error| malformed(&error))
    }
}

impl NetSnapshot<Types> for PeerNetwork {
    type SnapshotData = SnapshotData;

    async fn full_snapshot(
        &mut self,
        vote: VoteOf<Types>,
        snapshot: openraft::type_config::alias::SnapshotOf<Types, SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let last = snapshot.meta.last_log_id;
        let head = snapshots::head(Some(self.head()), wire::vote(&vote), &snapshot);
        let chunks = snapshots::chunks(head, snapshot.snapshot);
        let sent = self.link()?.snapshot(chunks, option.hard_ttl());
        tokio::select! {
            biased;
            closed = cancel => Err(StreamingError::Closed(closed)),
            reply = sent => {
                let reply = self.answered(reply)?;
                let answered = wire::from_vote(reply.vote).map_err(|error| malformed(&error))?;
                if answered == vote {
                    self.follower.has(vote.leader_id.term, last, last);
                    let up_to = last.map(|last| last.index);
                    tracing::info!(to = self.envelope.to_node, up_to, "sent a table image to a node whose log lacks what came before");
                }
                Ok(SnapshotResponse::new(answered))
            }
        }
    }
}

impl NetTransferLeader<Types> for PeerNetwork {
    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        let request = wire::transfer(self.head(), &req);
        let reply = self.link()?.transfer_leader(request, option.hard_ttl()).await;
        wire::from_transfer_reply(self.answered(reply)?).map_err(|error| malformed(&error))
    }
}

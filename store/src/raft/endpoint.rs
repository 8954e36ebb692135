//! The receiving side: what peers send, checked before openraft sees it.
//!
//! Invariants: every message but an introduction is checked for its sender and receiver (`identity`) and for its shape
//! (`wire`) first, and what is wrong is refused with a sentence. A vote is given when `elections` is free to give it. A
//! snapshot is whole and is the announced one before openraft hears of it.
//!
//! Left out: the transport (`rpc::peers` over gRPC, memory in tests), and the sending side (`network`).

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use openraft::async_runtime::watch::WatchReceiver;
use openraft::raft::AppendEntriesRequest;
use openraft::type_config::alias::{LogIdOf, SnapshotOf};
use remora_proto::v1;

use crate::log::{DiskId, DiskLife};
use crate::runtime;

use super::applier::Raft;
use super::elections::Elections;
use super::identity::NodeIdentity;
use super::imaging::{self, SharedBacklog};
use super::lives::OwnDisk;
use super::log_seam::{from_disk_id, from_disk_vote};
use super::pace::Pace;
use super::reader::Reader;
use super::reasons::Stands;
use super::snapshots::{self, SnapshotData, Snapshots};
use super::types::Types;
use super::wire::{self, Malformed};
use super::{NodeId, PeerError, Refusal, WaitingNode};

impl From<Malformed> for PeerError {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Takes what peers send. Cheap to clone.
#[derive(Clone)]
pub(crate) struct PeerEndpoint {
    inner: Arc<Inner>,
}

struct Inner {
    raft: Raft,
    identity: Arc<NodeIdentity>,
    snapshots: Snapshots,
    backlog: SharedBacklog,
    reader: Reader,
    elections: Arc<Elections>,
    pace: Arc<Pace>,
    own: OwnDisk,
    /// Whether openraft still works on a heartbeat that was answered.
    passing_on: AtomicBool,
}

/// A stream of what a peer sends; it ends when the connection breaks.
pub(crate) type Incoming<T> = BoxStream<'static, T>;

impl PeerEndpoint {
    /// For a running openraft.
    pub(super) fn new(
        raft: Raft,
        identity: Arc<NodeIdentity>,
        (snapshots, backlog): (Snapshots, SharedBacklog),
        reader: Reader,
        (elections, pace): (Arc<Elections>, Arc<Pace>),
        own: OwnDisk,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                raft,
                identity,
                snapshots,
                backlog,
                reader,
                elections,
                pace,
                own,
                passing_on: AtomicBool::new(false),
            }),
        }
    }

    /// A replication stream. The replies end with the first that is not a success, or with the reason why a message
    /// was not handled.
    pub(crate) fn append(
        &self,
        requests: Incoming<v1::AppendRequest>,
    ) -> BoxStream<'static, Result<v1::AppendReply, PeerError>> {
        let refused: Arc<Mutex<Option<PeerError>>> = Arc::default();
        let inner = Arc::clone(&self.inner);
        let reason = Arc::clone(&refused);
        let mut sender = Sender {
            node: None,
            elections: Arc::clone(&self.inner.elections),
        };
        let checked = requests.map(move |request| {
            let checked = inner.identity.check(request.envelope.as_ref());
            sender.is(request.envelope.as_ref());
            let checked = checked.and_then(|()| keepable(&inner.identity, &request));
            match checked.and_then(|()| Ok(wire::from_append(request)?)) {
                Ok(request) => {
                    inner.elections.is_followed(&request.vote);
                    Some(request)
                }
                Err(error) => {
                    *reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    None
                }
            }
        });
        let checked = checked.take_while(|request| std::future::ready(request.is_some()));
        let checked = checked.filter_map(std::future::ready);
        let replies = self.inner.raft.stream_append(checked).map(|reply| match reply {
            Ok(result) => Ok(wire::append_reply(&result)),
            Err(fatal) => Err(PeerError::Unavailable(fatal.to_string())),
        });
        let last = futures::stream::once(async move {
            refused
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
                .map(Err)
        });
        replies
            .chain(last.filter_map(|error| async move { error }))
            .boxed()
    }

    /// One append outside the stream. From the leader whom this node follows it is answered at once, see `elections`: openraft
    /// would answer it only when all that it accepted is on the disk.
    pub(crate) async fn heartbeat(&self, request: v1::AppendRequest) -> Result<v1::AppendReply, PeerError> {
        self.inner.identity.check(request.envelope.as_ref())?;
        let rpc = wire::from_append(request)?;
        let previous = rpc.prev_log_id;
        if rpc.entries.is_empty() && self.inner.elections.is_followed(&rpc.vote) {
            self.pass_on(rpc);
            return Ok(wire::append_reply(&Ok(previous)));
        }
        let last = rpc.entries.last().map(|entry| entry.log_id).or(previous);
        let reply = self.inner.raft.append_entries(rpc).await.map_err(stopped)?;
        Ok(wire::append_reply(&reply.into_stream_result(previous, last)))
    }

    /// Lets openraft know of a heartbeat that was answered, unless it still works on an earlier one: the next says as much.
    fn pass_on(&self, rpc: AppendEntriesRequest<Types>) {
        if self.inner.passing_on.swap(true, Ordering::AcqRel) {
            return;
        }
        let inner = Arc::clone(&self.inner);
        runtime::spawn(async move {
            // What openraft thinks of it, it tells the leader on the stream.
            let _ = inner.raft.append_entries(rpc).await;
            inner.passing_on.store(false, Ordering::Release);
        });
    }

    /// A vote or pre-vote.
    pub(crate) async fn vote(&self, request: v1::VoteRequest) -> Result<v1::VoteReply, PeerError> {
        if let Some(waiting) = self.inner.identity.waiting() {
            return Err(PeerError::Unavailable(waiting));
        }
        self.inner.identity.check(request.envelope.as_ref())?;
        let mut rpc = wire::from_vote_request(&request)?;
        if request.pre_vote {
            let reply = self.inner.elections.pre_vote(&rpc)?;
            return Ok(wire::vote_reply(&reply));
        }
        if rpc.leadership_transfer {
            self.inner.elections.check_room()?;
        } else {
            self.inner.elections.check_free()?;
            // openraft's own lease is longer than ours ever is: it does not know of a dead process.
            rpc.leadership_transfer = true;
        }
        let reply = self.inner.raft.vote(rpc).await;
        reply.map(|reply| wire::vote_reply(&reply)).map_err(stopped)
    }

    /// A snapshot.
    pub(crate) async fn snapshot(
        &self,
        mut chunks: Incoming<v1::SnapshotChunk>,
    ) -> Result<v1::SnapshotReply, PeerError> {
        let first = chunks.next().await.and_then(|chunk| chunk.head);
        let head = first.ok_or_else(|| PeerError::Malformed("a snapshot has no head".to_owned()))?;
        self.inner.identity.check(head.envelope.as_ref())?;
        let vote = wire::from_vote(head.vote)?;
        let (meta, bytes) = snapshots::announced(head)?;
        let pieces = chunks.map(Ok).boxed();
        let taken = self
            .inner
            .snapshots
            .take_aside(pieces, (&meta, bytes), |_| ())
            .await;
        // Consensus hears of it when it is whole: what a broken wire or disk made of it is sent again, while openraft would end
        // this node over it.
        let receiver = taken.map_err(|error| disk(&error))?;
        let up_to = meta.last_log_id.map(|last| last.index);
        tracing::info!(
            bytes,
            up_to,
            "the leader sent a table image: this node goes on from it"
        );
        let data = SnapshotData::Received(receiver);
        let snapshot: SnapshotOf<Types, SnapshotData> = openraft::Snapshot { meta, snapshot: data };
        let reply = self
            .inner
            .raft
            .install_full_snapshot(vote, snapshot)
            .await
            .map_err(stopped)?;
        Ok(v1::SnapshotReply {
            vote: Some(wire::vote(&reply.vote)),
        })
    }

    /// The newest table image, for a member whose own do not reach its log (`asking`).
    ///
    /// # Errors
    /// Whoever asks is no member, or there is none yet that goes so far: if it can be written, that begins.
    pub(crate) async fn image(
        &self,
        request: v1::ImageRequest,
    ) -> Result<BoxStream<'static, v1::SnapshotChunk>, PeerError> {
        let inner = &self.inner;
        let asks = inner.identity.check_member(request.envelope.as_ref())?;
        let newest = inner.snapshots.newest().await;
        let newest = newest
            .map_err(|error| PeerError::Unavailable(format!("cannot read its table image: {error}")))?;
        let reaches = |last: LogIdOf<Types>| last.index >= request.reaches;
        let Some(snapshot) = newest.filter(|newest| newest.meta.last_log_id.is_some_and(reaches)) else {
            return Err(self.no_image_yet(request.reaches));
        };
        let voted = inner.elections.voted_for().unwrap_or_default();
        let head = snapshots::head(None, wire::vote(&from_disk_vote(voted)), &snapshot);
        tracing::info!(
            to = asks,
            bytes = head.bytes,
            "a node that lost its table image is sent one"
        );
        Ok(snapshots::chunks(head, snapshot.snapshot))
    }

    /// Begins to write an image that reaches so far, if this node does.
    fn no_image_yet(&self, reaches: u64) -> PeerError {
        let inner = &self.inner;
        let applied = inner.raft.metrics().borrow_watched().last_applied;
        PeerError::Unavailable(match applied.map_or(0, |applied| applied.index) {
            applied if applied < reaches => {
                format!("it has applied no more than entry {applied} itself, and entry {reaches} is needed")
            }
            _ => {
                imaging::lock(&inner.backlog).want_image(reaches);
                format!("it writes a table image that reaches entry {reaches}")
            }
        })
    }

    /// A hand-over of leadership.
    pub(crate) async fn transfer_leader(
        &self,
        request: v1::TransferLeaderRequest,
    ) -> Result<v1::TransferLeaderReply, PeerError> {
        self.inner.identity.check(request.envelope.as_ref())?;
        let rpc = wire::from_transfer(request)?;
        if *rpc.to_node_id() == self.inner.identity.node {
            self.inner.elections.check_room()?;
            self.inner.identity.reasons.stands(Stands::Named);
        }
        let reply = self
            .inner
            .raft
            .handle_transfer_leader(rpc)
            .await
            .map_err(stopped)?;
        Ok(wire::transfer_reply(&reply))
    }

    /// What is committed, if this node leads and a majority confirms it.
    pub(crate) async fn read_index(
        &self,
        request: v1::ReadIndexRequest,
    ) -> Result<v1::ReadIndexReply, PeerError> {
        self.inner.identity.check(request.envelope.as_ref())?;
        let committed = self.inner.reader.read_index().await.map_err(|refusal| {
            PeerError::Unavailable(match refusal {
                Refusal::NotLeader { leader: Some(leader) } => format!("node {leader} leads, not this one"),
                Refusal::NotLeader { leader: None } => "this node does not lead".to_owned(),
                Refusal::NoQuorum => "no majority answers this leader".to_owned(),
                Refusal::Overloaded => "too many reads wait on this node".to_owned(),
                Refusal::Stopping => "this node stops".to_owned(),
            })
        })?;
        Ok(v1::ReadIndexReply {
            committed: Some(wire::position(committed)),
        })
    }

    /// Introductions: the only message without an envelope, because it is how nodes get to know each other. Who comes is told
    /// who this node is, and not believed: anybody can say that they are a peer, but only a peer answers at its address
    /// (`forming`).
    pub(crate) async fn introduce(
        &self,
        request: v1::IntroduceRequest,
    ) -> Result<v1::IntroduceReply, PeerError> {
        let identity = &self.inner.identity;
        if request.to_node != identity.node && request.to_node != 0 {
            return Err(PeerError::Refused(format!(
                "this is node {}, not node {}: check the addresses of both",
                identity.node, request.to_node
            )));
        }
        let from = request
            .from
            .ok_or_else(|| PeerError::Malformed("nobody introduced itself".to_owned()))?;
        if from.waits {
            identity.waiting_nodes.note(WaitingNode {
                node: from.node,
                disk: DiskId(from.disk),
                peer_address: from.peer_address,
            });
        }
        let remembered = identity.lives.of(DiskId(from.disk));
        Ok(v1::IntroduceReply {
            from: Some(self.introduction()),
            your_disk: self.known_disk(from.node),
            removed: identity.has_removed(DiskId(from.disk)),
            your_start: remembered.start,
            your_position: remembered.entry.map(from_disk_id).map(wire::position),
            your_draw: remembered.draw,
            your_voted_term: remembered.voted,
        })
    }

    /// How far the disk of this node has come, for peers to keep.
    pub(super) fn promised(&self) -> DiskLife {
        let applied = self.inner.raft.metrics().borrow_watched().last_applied;
        self.inner.own.promised(applied.map(|applied| applied.index))
    }

    /// The disk of this node.
    pub(super) fn own_disk(&self) -> &OwnDisk {
        &self.inner.own
    }

    /// What this node says of itself.
    pub(super) fn introduction(&self) -> v1::Introduction {
        let identity = &self.inner.identity;
        let slowest = self.inner.pace.slowest();
        let promised = self.promised();
        let microseconds = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        v1::Introduction {
            node: identity.node,
            disk: identity.disk.0,
            cluster: identity.cluster().map_or(0, |cluster| cluster.0),
            pristine: self.inner.elections.is_pristine() && !identity.awaits_restore(),
            peer_address: identity.peer_address.clone(),
            client_address: identity.client_address(identity.node).unwrap_or_default(),
            cluster_list: identity.cluster_list(),
            understands: Some(wire::formats(identity.understands)),
            format: identity.cluster().map_or(0, |_| u32::from(identity.format().0)),
            start: promised.start,
            draw: promised.draw,
            voted_term: promised.voted,
            acknowledged: promised.entry.map(from_disk_id).map(wire::position),
            sync_p99_us: microseconds(slowest.sync),
            round_trip_us: microseconds(slowest.answer),
            free_bytes: identity.space.available(),
            image_bytes: identity.image_bytes(),
            waits: identity.waits(),
            leads: self.inner.elections.leads(),
        }
    }

    /// How long the slowest syncs of this node take, as its introduction tells.
    pub(super) fn slowest_sync(&self) -> Duration {
        self.inner.pace.slowest().sync
    }

    fn known_disk(&self, node: NodeId) -> u64 {
        self.inner
            .identity
            .members()
            .get(&node)
            .map_or(0, |member| member.disk.0)
    }
}

/// What a log that waits for room would only hold in memory is left with the leader.
fn keepable(identity: &NodeIdentity, request: &v1::AppendRequest) -> Result<(), PeerError> {
    if identity.lacks_room() && !request.entries.is_empty() {
        return Err(PeerError::Unavailable(format!(
            "the disk of node {} has no room for the log",
            identity.node
        )));
    }
    Ok(())
}

/// Who sends a stream of appends; when the stream ends it is known to be lost.
struct Sender {
    node: Option<NodeId>,
    elections: Arc<Elections>,
}

impl Sender {
    fn is(&mut self, envelope: Option<&v1::Envelope>) {
        self.node = envelope.map(|envelope| envelope.from_node);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if let Some(node) = self.node {
            self.elections.lost(node);
        }
    }
}

/// openraft has ended.
fn stopped(error: impl std::fmt::Display) -> PeerError {
    PeerError::Unavailable(format!("consensus has stopped on this node: {error}"))
}

/// What goes wrong with a snapshot that is received is logged here, and tried again by the leader.
fn disk(error: &io::Error) -> PeerError {
    tracing::warn!(%error, "cannot take the snapshot that the leader sends");
    PeerError::Unavailable(format!("cannot take the snapshot: {error}"))
}

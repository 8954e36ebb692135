//! The contract of the seam to a peer (`raft/link.rs`), one claim for each of its sentences, over every kind of link.
//!
//! The far side is a real node that belongs to no cluster yet, and whoever speaks to it is its leader: so every call can be
//! made, and every answer is known.
//!
//! Broken once to see it fail: no timeout around a gRPC call ("a snapshot that stalls never ended"); every status unreachable
//! (the refusals over gRPC); the endpoint's reason behind an append left out (two replies and no refusal, over both); the end
//! of the pieces taken for the end of a snapshot (not "cut off", over both).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};
use remora_proto::v1;
use remora_table::Formats;
use tempfile::TempDir;

use crate::raft::{LinkError, LinkResult, NodeId, PeerEndpoint, PeerLink, PeerLinks, RaftHandle, start};
use crate::runtime;

use super::cluster::{Cluster, PATIENCE};
use super::wires::{MemoryLinks, Wires};

/// The node at the far side.
const FAR: NodeId = 2;
/// The node that speaks.
const NEAR: NodeId = 1;
/// A deadline that passes.
const SHORT: Duration = Duration::from_millis(50);

/// A way to a far side, and what may happen to that.
pub(crate) trait Carrier {
    /// A far side that nobody serves yet.
    fn new() -> Self;
    /// Serves there, at the same address each time.
    async fn serve(&mut self, endpoint: PeerEndpoint);
    /// Ends there: whoever calls finds nobody.
    async fn vanish(&mut self);
    /// Stands still there, like a process that was paused: whoever calls hears nothing.
    async fn freeze(&mut self);
    /// A link there.
    fn link(&self) -> Arc<dyn PeerLink>;
}

/// Makes each claim a test over one kind of link.
macro_rules! link_contract {
    ($carrier:ty: $($claim:ident)*) => {$(
        #[tokio::test]
        async fn $claim() {
            crate::raft::tests::link::$claim::<$carrier>().await;
        }
    )*};
    ($carrier:ty) => {
        crate::raft::tests::link::link_contract!($carrier:
            every_call_ends_at_its_deadline
            nobody_there_is_unreachable
            only_where_nobody_listens_that_is_said
            a_refusal_is_told_apart_from_what_may_be_over_soon
            replies_of_an_append_come_in_the_order_of_the_requests_and_end_with_them
            a_refusal_amid_an_append_ends_it
            a_link_reconnects_by_itself
            a_snapshot_that_was_cut_off_is_not_installed
        );
    };
}
pub(crate) use link_contract;

/// The far node, its link, and what stands for the node that speaks.
struct Far<C> {
    carrier: C,
    handle: RaftHandle,
    link: Arc<dyn PeerLink>,
    _directory: TempDir,
}

impl<C: Carrier> Far<C> {
    async fn served() -> Self {
        let directory = TempDir::new().unwrap();
        let mut settings = Cluster::new(2).settings(FAR);
        settings.data_dir = directory.path().join("far");
        let handle = start(settings).await.unwrap();
        let mut carrier = C::new();
        carrier.serve(handle.endpoint()).await;
        eventually("it waits no longer for whoever speaks", async || {
            handle.is_compared().then_some(())
        })
        .await;
        Self {
            link: carrier.link(),
            carrier,
            handle,
            _directory: directory,
        }
    }

    /// The head of a message to a node at the far side.
    fn envelope(&self, to_node: NodeId) -> v1::Envelope {
        v1::Envelope {
            format: u32::from(Formats::OURS.oldest.0),
            cluster: 77,
            from_node: NEAR,
            from_disk: 11,
            to_node,
            to_disk: self.handle.inner.identity.disk.0,
            ..v1::Envelope::default()
        }
    }

    /// Every call with a deadline, to a node at the far side.
    fn calls(
        &self,
        to_node: NodeId,
        deadline: Duration,
    ) -> BTreeMap<&'static str, BoxFuture<'_, LinkResult<()>>> {
        let (link, envelope) = (&self.link, Some(self.envelope(to_node)));
        let vote = v1::VoteRequest {
            envelope,
            vote: LEADS,
            ..v1::VoteRequest::default()
        };
        let transfer = v1::TransferLeaderRequest {
            envelope,
            vote: LEADS,
            to: to_node,
            ..v1::TransferLeaderRequest::default()
        };
        let image = v1::ImageRequest {
            envelope,
            ..v1::ImageRequest::default()
        };
        let introduce = v1::IntroduceRequest {
            from: Some(v1::Introduction::default()),
            to_node,
        };
        let head = stream::iter([self.head(to_node)]);
        BTreeMap::from([
            (
                "heartbeat",
                told(link.heartbeat(append(self.envelope(to_node), 0..0), deadline)),
            ),
            ("vote", told(link.vote(vote, deadline))),
            (
                "snapshot",
                told(link.snapshot(head.chain(stream::pending()).boxed(), deadline)),
            ),
            ("transfer leader", told(link.transfer_leader(transfer, deadline))),
            ("image", told(link.image(image, deadline))),
            (
                "read index",
                told(link.read_index(v1::ReadIndexRequest { envelope }, deadline)),
            ),
            ("introduce", told(link.introduce(introduce, deadline))),
        ])
    }

    /// Begins a snapshot.
    fn head(&self, to_node: NodeId) -> v1::SnapshotChunk {
        let head = v1::snapshot_chunk::Head {
            envelope: Some(self.envelope(to_node)),
            vote: LEADS,
            membership: Some(v1::StoredMembership::default()),
            ..v1::snapshot_chunk::Head::default()
        };
        v1::SnapshotChunk {
            head: Some(head),
            ..v1::SnapshotChunk::default()
        }
    }

    async fn heartbeat(&self) -> LinkResult<v1::AppendReply> {
        self.link
            .heartbeat(append(self.envelope(FAR), 0..0), PATIENCE)
            .await
    }
}

/// The vote of a leader.
const LEADS: Option<v1::Vote> = Some(v1::Vote {
    term: 1,
    node: NEAR,
    committed: true,
});

/// Entries without commands at these places.
fn append(envelope: v1::Envelope, indexes: Range<u64>) -> v1::AppendRequest {
    let position = |index| v1::LogPosition { term: 1, index };
    let previous = indexes.start.checked_sub(1).map(position);
    let entries = indexes.map(|index| v1::LogEntry {
        position: Some(position(index)),
        payload: None,
    });
    v1::AppendRequest {
        envelope: Some(envelope),
        vote: LEADS,
        previous,
        entries: entries.collect(),
        committed: None,
    }
}

fn told<T: Send + 'static>(call: BoxFuture<'static, LinkResult<T>>) -> BoxFuture<'static, LinkResult<()>> {
    call.map(|answer| answer.map(|_| ())).boxed()
}

async fn ended<T>(what: &str, call: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(answer) => answer,
        Err(_) => panic!("{what} never ended"),
    }
}

/// Tries until it goes as it should.
async fn eventually<T>(what: &str, tries: impl AsyncFn() -> Option<T>) -> T {
    let deadline = runtime::now() + PATIENCE;
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    loop {
        if let Some(came) = tries().await {
            return came;
        }
        assert!(runtime::now() < deadline, "never: {what}");
        pace.tick().await;
    }
}

fn unreachable<T>(answer: &LinkResult<T>) -> bool {
    matches!(answer, Err(LinkError::Unreachable(_)))
}

/// "Every call ends, at the latest at its deadline": a far side that stands still, and one that waits for the caller.
pub(crate) async fn every_call_ends_at_its_deadline<C: Carrier>() {
    let mut far = Far::<C>::served().await;
    let stalled = far.calls(FAR, SHORT).remove("snapshot").unwrap();
    let answer = ended("a snapshot that stalls", stalled).await;
    assert!(unreachable(&answer), "{answer:?}");
    far.carrier.freeze().await;
    for (name, call) in far.calls(FAR, SHORT) {
        let answer = ended(name, call).await;
        assert!(unreachable(&answer), "{name}: {answer:?}");
    }
}

/// Nobody there is no refusal.
pub(crate) async fn nobody_there_is_unreachable<C: Carrier>() {
    let mut far = Far::<C>::served().await;
    far.carrier.vanish().await;
    for (name, call) in far.calls(FAR, PATIENCE) {
        let answer = ended(name, call).await;
        assert!(unreachable(&answer), "{name}: {answer:?}");
    }
    let opened = ended("append", far.link.append(stream::pending().boxed())).await;
    assert!(unreachable(&opened.map(|_| ())), "append");
}

/// A process that is gone is told apart from one that stands still.
pub(crate) async fn only_where_nobody_listens_that_is_said<C: Carrier>() {
    let mut far = Far::<C>::served().await;
    assert_eq!(ended("served", far.link.listens(PATIENCE)).await, Ok(()));
    far.carrier.vanish().await;
    let gone = ended("gone", far.link.listens(PATIENCE)).await;
    assert_eq!(gone, Err(LinkError::NobodyListens));
    far.carrier.serve(far.handle.endpoint()).await;
    far.carrier.freeze().await;
    let frozen = ended("frozen", far.link.listens(SHORT)).await;
    assert_ne!(frozen, Err(LinkError::NobodyListens));
}

/// What an operator has to cure is refused; what the next try may find otherwise is not.
pub(crate) async fn a_refusal_is_told_apart_from_what_may_be_over_soon<C: Carrier>() {
    let far = Far::<C>::served().await;
    for (name, call) in far.calls(9, PATIENCE) {
        let answer = ended(name, call).await;
        assert!(matches!(answer, Err(LinkError::Refused(_))), "{name}: {answer:?}");
    }
    // It does not lead, which may be otherwise soon.
    let not_now = far.calls(FAR, PATIENCE).remove("read index").unwrap();
    let answer = ended("read index", not_now).await;
    assert!(unreachable(&answer), "{answer:?}");
}

/// "Replies come in the order of the requests, and the stream of replies ends when the stream of requests has ended and
/// all are answered."
pub(crate) async fn replies_of_an_append_come_in_the_order_of_the_requests_and_end_with_them<C: Carrier>() {
    let far = Far::<C>::served().await;
    let envelope = far.envelope(FAR);
    let requests = stream::iter(0..100).map(move |index| append(envelope, index..index + 1));
    let replies = far.link.append(requests.boxed()).await.unwrap();
    let replies: Vec<_> = ended("the stream of replies", replies.collect()).await;
    let flushed: Vec<u64> = replies
        .into_iter()
        .map(|reply| match reply.unwrap().outcome {
            Some(v1::append_reply::Outcome::Flushed(position)) => position.index,
            other => panic!("not flushed: {other:?}"),
        })
        .collect();
    assert_eq!(flushed, (0..100).collect::<Vec<_>>());
}

/// A stream of replies tells a refusal behind what it answered, and ends though its requests go on.
pub(crate) async fn a_refusal_amid_an_append_ends_it<C: Carrier>() {
    let far = Far::<C>::served().await;
    let requests = [
        append(far.envelope(FAR), 0..1),
        append(far.envelope(FAR), 1..2),
        append(far.envelope(9), 2..3),
    ];
    let requests = stream::iter(requests).chain(stream::pending());
    let replies = far.link.append(requests.boxed()).await.unwrap();
    let replies: Vec<_> = ended("the stream of replies", replies.collect()).await;
    assert!(
        matches!(replies.as_slice(), [Ok(_), Ok(_), Err(LinkError::Refused(_))]),
        "{replies:?}"
    );
}

/// "A link reconnects by itself."
pub(crate) async fn a_link_reconnects_by_itself<C: Carrier>() {
    let mut far = Far::<C>::served().await;
    far.heartbeat().await.unwrap();
    for _ in 0..2 {
        far.carrier.vanish().await;
        let lost = far.heartbeat().await;
        assert!(unreachable(&lost), "{lost:?}");
        far.carrier.serve(far.handle.endpoint()).await;
        eventually("the same link works again", async || far.heartbeat().await.ok()).await;
    }
}

/// A snapshot without its end is no snapshot, and may be sent again.
pub(crate) async fn a_snapshot_that_was_cut_off_is_not_installed<C: Carrier>() {
    let far = Far::<C>::served().await;
    let cut = v1::SnapshotChunk {
        data: bytes::Bytes::from_static(b"half of an image"),
        ..v1::SnapshotChunk::default()
    };
    let chunks = stream::iter([far.head(FAR), cut]);
    let answer = ended("the snapshot", far.link.snapshot(chunks.boxed(), PATIENCE)).await;
    assert!(
        matches!(&answer, Err(LinkError::Unreachable(why)) if why.contains("cut off")),
        "{answer:?}"
    );
    assert_eq!(far.handle.status().snapshot_bytes, None);
    assert!(far.handle.failed().now_or_never().is_none());
    far.heartbeat().await.unwrap();
}

/// Wires in memory.
pub(super) struct Memory(Wires);

impl Carrier for Memory {
    fn new() -> Self {
        Self(Wires::default())
    }

    async fn serve(&mut self, endpoint: PeerEndpoint) {
        self.0.connect(FAR, endpoint);
        self.0.mend(FAR);
    }

    async fn vanish(&mut self) {
        self.0.disconnect(FAR);
    }

    async fn freeze(&mut self) {
        self.0.freeze(FAR);
    }

    fn link(&self) -> Arc<dyn PeerLink> {
        let links = MemoryLinks::new(self.0.clone(), NEAR);
        links.link(FAR, "").unwrap()
    }
}

mod memory {
    super::link_contract!(super::Memory);
}

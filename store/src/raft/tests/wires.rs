//! The wires between the nodes of a test: links in memory that can be cut, made deaf, or lead to a node that stands still.
//!
//! Left out: what a link promises, which `tests/link.rs` holds these and the real ones to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use remora_proto::v1;
use tokio::sync::watch;

use crate::raft::{LinkError, LinkResult, LinkStream, NodeId, PeerEndpoint, PeerError, PeerLink, PeerLinks};

/// The wires between nodes.
#[derive(Clone, Default)]
pub(super) struct Wires(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    endpoints: BTreeMap<NodeId, PeerEndpoint>,
    /// Of the nodes that can be reached; what is connected to one ends with it.
    lives: BTreeMap<NodeId, watch::Sender<()>>,
    cut: BTreeSet<NodeId>,
    deaf: BTreeSet<NodeId>,
    frozen: BTreeSet<NodeId>,
    /// How many images that a node sends are torn in their middle.
    tears: BTreeMap<NodeId, usize>,
    strangers: BTreeSet<NodeId>,
    /// Votes and pre-votes asked for by each node, also those that a cut wire swallowed.
    candidacies: BTreeMap<NodeId, usize>,
    /// Introductions that arrived, by who asked whom.
    introductions: BTreeMap<(NodeId, NodeId), usize>,
}

impl Wires {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Cuts a node off from all others.
    pub(super) fn cut(&self, node: NodeId) {
        self.state().cut.insert(node);
    }

    /// Mends what was cut.
    pub(super) fn mend(&self, node: NodeId) {
        let mut state = self.state();
        state.cut.remove(&node);
        state.deaf.remove(&node);
        state.frozen.remove(&node);
        state.strangers.remove(&node);
    }

    /// Lets a node speak, but not hear what others answer.
    pub(super) fn deafen(&self, node: NodeId) {
        self.state().deaf.insert(node);
    }

    /// Lets a node stand still: it hears what it is asked when it wakes, and that is never.
    pub(super) fn freeze(&self, node: NodeId) {
        self.state().frozen.insert(node);
    }

    /// Tears the next images that a node sends, so many.
    pub(super) fn tear_images(&self, node: NodeId, images: usize) {
        self.state().tears.insert(node, images);
    }

    /// How many pieces of the next image come through; all if it is not torn.
    fn tears(&self, node: NodeId) -> Option<usize> {
        let mut state = self.state();
        let left = state.tears.get_mut(&node).filter(|left| **left > 0)?;
        *left -= 1;
        // The head and a piece, and not the end.
        Some(3)
    }

    /// Lets the introductions of a node, and those to it, get lost: nobody hears what it says of its disk, and it does not hear
    /// what they remember.
    pub(super) fn estrange(&self, node: NodeId) {
        self.state().strangers.insert(node);
    }

    /// Lets a node be reached.
    pub(super) fn connect(&self, node: NodeId, endpoint: PeerEndpoint) {
        let mut state = self.state();
        state.endpoints.insert(node, endpoint);
        state.lives.insert(node, watch::Sender::default());
    }

    /// Lets nobody reach a node any more, as if its process had ended.
    pub(super) fn disconnect(&self, node: NodeId) {
        let mut state = self.state();
        state.endpoints.remove(&node);
        state.lives.remove(&node);
    }

    /// Comes when a node that can be reached no longer lives.
    fn end_of(&self, node: NodeId) -> impl Future<Output = ()> + Send + use<> {
        let life = self.state().lives.get(&node).map(watch::Sender::subscribe);
        async move {
            if let Some(mut life) = life {
                while life.changed().await.is_ok() {}
            }
        }
    }

    /// How often a node asked for a vote or a pre-vote.
    pub(super) fn candidacies(&self, node: NodeId) -> usize {
        self.state().candidacies.get(&node).copied().unwrap_or(0)
    }

    /// How often a node introduced itself to another.
    pub(super) fn introductions(&self, from: NodeId, to: NodeId) -> usize {
        self.state().introductions.get(&(from, to)).copied().unwrap_or(0)
    }

    fn broken(&self, from: NodeId, to: NodeId) -> bool {
        let state = self.state();
        state.cut.contains(&from) || state.cut.contains(&to)
    }

    fn stands_still(&self, node: NodeId) -> bool {
        self.state().frozen.contains(&node)
    }

    /// The way back.
    fn answer(&self, from: NodeId, to: NodeId) -> LinkResult<()> {
        let deaf = self.state().deaf.contains(&from);
        if deaf || self.broken(from, to) {
            return Err(LinkError::Unreachable(format!("no way back from {to} to {from}")));
        }
        Ok(())
    }

    /// The way there.
    fn reach(&self, from: NodeId, to: NodeId) -> LinkResult<PeerEndpoint> {
        let unreachable = || LinkError::Unreachable(format!("no wire from {from} to {to}"));
        if self.broken(from, to) {
            return Err(unreachable());
        }
        self.state().endpoints.get(&to).cloned().ok_or_else(unreachable)
    }
}

/// The links of one node.
pub(super) struct MemoryLinks {
    wires: Wires,
    from: NodeId,
}

impl MemoryLinks {
    /// Over these wires.
    pub(super) fn new(wires: Wires, from: NodeId) -> Self {
        Self { wires, from }
    }
}

impl PeerLinks for MemoryLinks {
    fn link(&self, node: NodeId, address: &str) -> LinkResult<Arc<dyn PeerLink>> {
        // Of one whose id is not known yet, the address says it: see `Cluster::peer_address`.
        let named = address.split(['.', ':']).nth(3).and_then(|id| id.parse().ok());
        let to = (node > 0).then_some(node).or(named);
        Ok(Arc::new(MemoryLink {
            wires: self.wires.clone(),
            from: self.from,
            to: to.ok_or_else(|| LinkError::Unreachable(format!("{address} is no address")))?,
        }))
    }
}

#[derive(Clone)]
struct MemoryLink {
    wires: Wires,
    from: NodeId,
    to: NodeId,
}

impl MemoryLink {
    /// One call: there, and back if the wire still stands.
    fn call<T: Send + 'static, F>(
        &self,
        deadline: Duration,
        ask: impl FnOnce(PeerEndpoint) -> F + Send + 'static,
    ) -> BoxFuture<'static, LinkResult<T>>
    where
        F: Future<Output = Result<T, PeerError>> + Send + 'static,
    {
        let link = self.clone();
        Box::pin(async move {
            let endpoint = link.wires.reach(link.from, link.to)?;
            let asked = async {
                if link.wires.stands_still(link.to) {
                    std::future::pending::<()>().await;
                }
                ask(endpoint).await
            };
            let answer = tokio::time::timeout(deadline, asked).await;
            link.wires.answer(link.from, link.to)?;
            answer
                .map_err(|_| LinkError::Unreachable("too late".to_owned()))?
                .map_err(link_error)
        })
    }
}

/// What a peer said, as a link tells it.
pub(crate) fn link_error(error: PeerError) -> LinkError {
    match error {
        PeerError::Refused(sentence) | PeerError::Malformed(sentence) => LinkError::Refused(sentence),
        PeerError::Unavailable(sentence) => LinkError::Unreachable(sentence),
    }
}

impl PeerLink for MemoryLink {
    fn append(
        &self,
        requests: BoxStream<'static, v1::AppendRequest>,
    ) -> BoxFuture<'static, LinkResult<LinkStream<v1::AppendReply>>> {
        let link = self.clone();
        Box::pin(async move {
            let endpoint = link.wires.reach(link.from, link.to)?;
            if link.wires.stands_still(link.to) {
                return Ok(futures::stream::pending().boxed());
            }
            let wires = link.wires.clone();
            let sent = requests.take_while(move |_| {
                let whole = !wires.broken(link.from, link.to);
                async move { whole }
            });
            let wires = link.wires.clone();
            let end = link.wires.end_of(link.to);
            let replies = endpoint.append(sent.boxed()).map(move |reply| {
                wires.answer(link.from, link.to)?;
                reply.map_err(link_error)
            });
            let end = futures::stream::once(end.map(|()| Err(LinkError::Unreachable("it ended".to_owned()))));
            let whole = futures::stream::once(std::future::ready(None));
            // Whichever comes first: a process that ends leaves nobody connected to it, however little they have to say.
            let either = futures::stream::select(replies.map(Some).chain(whole), end.map(Some));
            let replies = either.take_while(|reply| std::future::ready(reply.is_some()));
            Ok(replies.filter_map(std::future::ready).boxed())
        })
    }

    fn heartbeat(
        &self,
        request: v1::AppendRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::AppendReply>> {
        self.call(deadline, move |peer| async move { peer.heartbeat(request).await })
    }

    fn vote(
        &self,
        request: v1::VoteRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::VoteReply>> {
        *self.wires.state().candidacies.entry(self.from).or_default() += 1;
        self.call(deadline, move |peer| async move { peer.vote(request).await })
    }

    fn snapshot(
        &self,
        chunks: BoxStream<'static, v1::SnapshotChunk>,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::SnapshotReply>> {
        self.call(deadline, move |peer| async move { peer.snapshot(chunks).await })
    }

    fn image(
        &self,
        request: v1::ImageRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<LinkStream<v1::SnapshotChunk>>> {
        let link = self.clone();
        let opened = self.call(deadline, move |peer| async move { peer.image(request).await });
        Box::pin(async move {
            let mut most = link.wires.tears(link.to);
            let pieces = opened.await?.map(move |piece| {
                link.wires.answer(link.from, link.to)?;
                most = most.map(|most| most.saturating_sub(1));
                if most == Some(0) {
                    return Err(LinkError::Unreachable("torn".to_owned()));
                }
                Ok(piece)
            });
            Ok(pieces.boxed())
        })
    }

    fn transfer_leader(
        &self,
        request: v1::TransferLeaderRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::TransferLeaderReply>> {
        self.call(deadline, move |peer| async move {
            peer.transfer_leader(request).await
        })
    }

    fn read_index(
        &self,
        request: v1::ReadIndexRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::ReadIndexReply>> {
        self.call(
            deadline,
            move |peer| async move { peer.read_index(request).await },
        )
    }

    fn listens(&self, deadline: Duration) -> BoxFuture<'static, LinkResult<()>> {
        let listens = self.wires.state().endpoints.contains_key(&self.to);
        if !listens && !self.wires.broken(self.from, self.to) {
            return Box::pin(async { Err(LinkError::NobodyListens) });
        }
        self.call(deadline, |_| async { Ok(()) })
    }

    fn introduce(
        &self,
        request: v1::IntroduceRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::IntroduceReply>> {
        let strangers = self.wires.state().strangers.clone();
        if strangers.contains(&self.from) || strangers.contains(&self.to) {
            return Box::pin(async { Err(LinkError::Unreachable("it was not introduced".to_owned())) });
        }
        let (wires, ends) = (self.wires.clone(), (self.from, self.to));
        self.call(deadline, move |peer| async move {
            *wires.state().introductions.entry(ends).or_default() += 1;
            peer.introduce(request).await
        })
    }
}

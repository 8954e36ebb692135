//! Store nodes in one process: real data directories, peers in memory, wires that can be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use remora_proto::v1;
use tempfile::TempDir;

use crate::clock::Clock;
use crate::disk::{Disk, faulty};
use crate::faults::Faults;
use crate::raft::{
    DiskPatience, EventSink, Fate, LinkError, LinkResult, LinkStream, NodeId, PeerEndpoint, PeerError,
    PeerLink, PeerLinks, RaftHandle, Settings, SnapshotPolicy, StartError, Timers, opening::Media, start,
    start::start_on,
};
use crate::runtime;
use remora_table::{Event, Formats, TableReader};

use super::create;

/// How long a condition may take on a loaded machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// By how much the clocks of two nodes differ.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The wires between nodes.
#[derive(Clone, Default)]
pub(super) struct Wires(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    endpoints: BTreeMap<NodeId, PeerEndpoint>,
    cut: BTreeSet<NodeId>,
    deaf: BTreeSet<NodeId>,
    frozen: BTreeSet<NodeId>,
    /// Votes and pre-votes asked for by each node, also those that a cut wire swallowed.
    candidacies: BTreeMap<NodeId, usize>,
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
    }

    /// Lets a node speak, but not hear what others answer.
    pub(super) fn deafen(&self, node: NodeId) {
        self.state().deaf.insert(node);
    }

    /// Lets a node stand still: it hears what it is asked when it wakes, and that is never.
    pub(super) fn freeze(&self, node: NodeId) {
        self.state().frozen.insert(node);
    }

    /// Lets a node be reached.
    pub(super) fn connect(&self, node: NodeId, endpoint: PeerEndpoint) {
        self.state().endpoints.insert(node, endpoint);
    }

    /// Lets nobody reach a node any more, as if its process had ended.
    pub(super) fn disconnect(&self, node: NodeId) {
        self.state().endpoints.remove(&node);
    }

    /// How often a node asked for a vote or a pre-vote.
    pub(super) fn candidacies(&self, node: NodeId) -> usize {
        self.state().candidacies.get(&node).copied().unwrap_or(0)
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

fn link_error(error: PeerError) -> LinkError {
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
            let replies = endpoint.append(sent.boxed()).map(move |reply| {
                wires.answer(link.from, link.to)?;
                reply.map_err(link_error)
            });
            Ok(replies.boxed())
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
        self.call(deadline, move |peer| async move { peer.introduce(request).await })
    }
}

/// Size of a log's segments in bytes: so small that they fill and are used again.
const SEGMENT_BYTES: u64 = 1 << 20;

/// Events that a node reported.
#[derive(Default)]
pub(super) struct Heard(pub(super) Mutex<Vec<Event>>);

impl EventSink for Heard {
    fn happened(&self, events: &[Event]) {
        self.0.lock().unwrap().extend_from_slice(events);
    }

    fn elected(&self, _table: &TableReader) {}
}

/// A cluster whose nodes can be stopped and started again.
pub(super) struct Cluster {
    pub(super) wires: Wires,
    pub(super) nodes: BTreeMap<NodeId, RaftHandle>,
    pub(super) snapshots: SnapshotPolicy,
    pub(super) timers: Timers,
    pub(super) patience: DiskPatience,
    /// What nodes understand that play another release than ours.
    /// The faults of nodes that run on disks and logs with faults.
    pub(super) faults: BTreeMap<NodeId, Faults>,
    pub(super) understands: BTreeMap<NodeId, Formats>,
    /// Nodes that were started to be added.
    joining: BTreeSet<NodeId>,
    directory: TempDir,
    size: u64,
}

impl Cluster {
    /// A cluster of so many nodes, none of them started.
    pub(super) fn new(size: u64) -> Self {
        Self {
            wires: Wires::default(),
            nodes: BTreeMap::new(),
            snapshots: SnapshotPolicy::default(),
            // Wider than in production: the tests of a whole workspace share two cores.
            timers: Timers {
                heartbeat: Duration::from_millis(50),
                election_min: Duration::from_millis(200),
                election_max: Duration::from_millis(400),
            },
            patience: DiskPatience::default(),
            faults: BTreeMap::new(),
            understands: BTreeMap::new(),
            joining: BTreeSet::new(),
            directory: TempDir::new().unwrap(),
            size,
        }
    }

    /// A running cluster.
    pub(super) async fn started(size: u64) -> Self {
        let mut cluster = Self::new(size);
        cluster.start_all().await;
        cluster
    }

    /// A cluster whose nodes run on disks and logs with faults, none of them started.
    pub(super) fn faulty(size: u64) -> Self {
        Self {
            faults: (1..=size).map(|node| (node, Faults::default())).collect(),
            ..Self::new(size)
        }
    }

    /// Starts the nodes that do not run.
    pub(super) async fn start_all(&mut self) {
        for node in 1..=self.size {
            if !self.nodes.contains_key(&node) {
                self.start(node).await;
            }
        }
    }

    pub(super) fn data_dir(&self, node: NodeId) -> PathBuf {
        self.directory.path().join(node.to_string())
    }

    pub(super) fn settings(&self, node: NodeId) -> Settings {
        let joins = self.joining.contains(&node);
        let nodes = 1..=self.size;
        let cluster = nodes.clone().map(|node| (node, Self::peer_address(node)));
        let contacts = nodes.map(Self::peer_address);
        Settings {
            node,
            cluster: if self.size == 1 || joins {
                BTreeMap::new()
            } else {
                cluster.collect()
            },
            join: if joins { contacts.collect() } else { Vec::new() },
            peer_address: Self::peer_address(node),
            client_address: format!("10.0.0.{node}:7400"),
            data_dir: self.data_dir(node),
            understands: self.understands.get(&node).copied().unwrap_or(Formats::OURS),
            timers: self.timers,
            patience: self.patience,
            snapshots: self.snapshots,
            links: Arc::new(MemoryLinks::new(self.wires.clone(), node)),
            clock: self.clock(node),
            events: Arc::new(Heard::default()),
        }
    }

    fn peer_address(node: NodeId) -> String {
        format!("10.0.0.{node}:7500")
    }

    /// Runs as fast as that of any other node, and shows another day.
    fn clock(&self, node: NodeId) -> Clock {
        Clock::driven(move || runtime::now() + DAY * u32::try_from(node).unwrap())
    }

    /// Starts a node and connects it.
    pub(super) async fn start(&mut self, node: NodeId) -> RaftHandle {
        let deadline = runtime::now() + PATIENCE;
        let mut look = tokio::time::interval(Duration::from_millis(5));
        loop {
            match self.try_start(node).await {
                Ok(handle) => return handle,
                // A call from a peer that is just ending still holds the data directory of the node's former life.
                Err(StartError::DataDir(error)) if runtime::now() < deadline => {
                    assert!(error.to_string().contains("in use"), "{error}");
                    look.tick().await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Why a node with these settings does not start.
    pub(super) async fn refusal(&self, settings: impl Fn() -> Settings) -> String {
        let deadline = runtime::now() + PATIENCE;
        loop {
            match start(settings()).await {
                Ok(_) => panic!("it started"),
                Err(error) if error.to_string().contains("in use") && runtime::now() < deadline => {
                    tokio::task::yield_now().await;
                }
                Err(error) => return error.to_string(),
            }
        }
    }

    /// Starts a node that is to be added to this cluster, and connects it.
    pub(super) async fn start_joining(&mut self, node: NodeId) -> RaftHandle {
        self.joining.insert(node);
        self.start(node).await
    }

    /// Starts a node and connects it, if its data directory can be used.
    pub(super) async fn try_start(&mut self, node: NodeId) -> Result<RaftHandle, StartError> {
        self.try_start_by(self.settings(node)).await
    }

    /// The same by other settings than the usual ones.
    pub(super) async fn try_start_by(&mut self, settings: Settings) -> Result<RaftHandle, StartError> {
        let node = settings.node;
        let media = Media {
            disk: self.faults.get(&node).map_or_else(Disk::real, faulty::disk),
            segment_bytes: SEGMENT_BYTES,
        };
        let handle = start_on(settings, media).await?;
        self.wires.connect(node, handle.endpoint());
        self.nodes.insert(node, handle.clone());
        Ok(handle)
    }

    /// Ends a node at once, as a crash of its process would, but for what the disk already has.
    pub(super) async fn crash(&mut self, node: NodeId) {
        self.wires.disconnect(node);
        let handle = self.nodes.remove(&node).unwrap();
        handle.halt().await;
    }

    /// Cuts the power of some nodes at once; `cut` says what each disk does then.
    pub(super) async fn cut_power(&mut self, nodes: &[NodeId], cut: impl Fn(&Faults)) {
        for node in nodes {
            self.wires.cut(*node);
            cut(&self.faults[node]);
        }
        for node in nodes {
            self.crash(*node).await;
            self.wires.mend(*node);
        }
    }

    /// The node that leads, once one does and knows it.
    pub(super) async fn leader(&self) -> NodeId {
        let leading = || {
            self.nodes
                .iter()
                .find(|(_, node)| node.leadership().borrow().leads())
        };
        eventually("somebody leads", || leading().is_some()).await;
        let (node, _) = leading().unwrap();
        *node
    }

    /// Lets the next node lead.
    pub(super) async fn move_leadership(&self) {
        let old = self.leader().await;
        let handle = &self.nodes[&old];
        let (term, deadline) = (handle.status().term, runtime::now() + PATIENCE);
        let mut again = tokio::time::interval(self.timers.election_max);
        while handle.status().term == term {
            assert!(runtime::now() < deadline, "nobody took over");
            // One that is behind declines.
            let trigger = handle.inner.raft.trigger();
            trigger.transfer_leader(old % self.size + 1).await.unwrap();
            again.tick().await;
        }
    }

    /// The handle of the leader.
    pub(super) async fn lead(&self) -> RaftHandle {
        self.nodes[&self.leader().await].clone()
    }

    /// Saves a new session through whoever leads, as an adapter does: again until it is known.
    pub(super) async fn save(&self, user: u64) {
        let deadline = runtime::now() + PATIENCE;
        while runtime::now() < deadline {
            match self.lead().await.propose(create(user, 100)).await {
                Fate::Done(outcome) => {
                    assert!(super::saved(&Fate::Done(outcome.clone())), "{outcome:?}");
                    return;
                }
                Fate::Refused(_) | Fate::Unknown => tokio::task::yield_now().await,
            }
        }
        panic!("session {user} could not be saved");
    }
}

/// Waits for a condition.
pub(super) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = runtime::now() + PATIENCE;
    let mut look = tokio::time::interval(Duration::from_millis(5));
    while !holds() {
        assert!(runtime::now() < deadline, "never: {what}");
        look.tick().await;
    }
}

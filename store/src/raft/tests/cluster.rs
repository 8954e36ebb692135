//! Store nodes in one process: real data directories, peers in memory over `wires` that can be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::disk::{Disk, faulty};
use crate::faults::Faults;
use crate::raft::{
    DiskPatience, EventSink, Fate, Leadership, NodeId, RaftHandle, Settings, SnapshotPolicy, StartError,
    Timers, opening::Media, start, start::start_on,
};
use crate::runtime;
use remora_table::{Event, Formats, Happening, Ousted, TableReader};

use super::wires::{MemoryLinks, Wires};
use super::{create, key};

/// How long a condition may take on a loaded machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Of nodes that let their disks hang for so long, and do nothing about it before.
pub(super) fn patience(hangs: Duration) -> DiskPatience {
    DiskPatience {
        ready: hangs,
        part: hangs,
        life: hangs,
    }
}

/// By how much the clocks of two nodes differ.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Size of a log's segments in bytes: so small that they fill and are used again.
const SEGMENT_BYTES: u64 = 1 << 20;

/// Events that a node reported.
#[derive(Default)]
pub(crate) struct Heard(pub(super) Mutex<Vec<Event>>);

impl EventSink for Heard {
    fn happened(&self, events: &[Event]) {
        self.0.lock().unwrap().extend_from_slice(events);
    }

    fn seen(&self, _index: u64, _happenings: Vec<Happening>) {}

    fn ousted(&self, _ousted: &[Ousted]) {}

    fn skipped(&self, _index: u64) {}

    fn elected(&self, _table: &TableReader) {}
}

/// A cluster whose nodes can be stopped and started again.
pub(super) struct Cluster {
    pub(super) wires: Wires,
    pub(super) nodes: BTreeMap<NodeId, RaftHandle>,
    pub(super) snapshots: SnapshotPolicy,
    pub(super) timers: Timers,
    pub(super) patience: DiskPatience,
    /// Size of the logs' segments in bytes.
    pub(super) segment_bytes: u64,
    /// The faults of nodes that run on disks and logs with faults.
    pub(super) faults: BTreeMap<NodeId, Faults>,
    /// What nodes understand that play another release than ours.
    pub(super) understands: BTreeMap<NodeId, Formats>,
    /// What a node that starts says of that.
    pub(super) starting: watch::Sender<String>,
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
            segment_bytes: SEGMENT_BYTES,
            faults: BTreeMap::new(),
            understands: BTreeMap::new(),
            starting: watch::Sender::default(),
            joining: BTreeSet::new(),
            directory: TempDir::new().unwrap(),
            size,
        }
    }

    /// A running cluster.
    pub(super) async fn started(size: u64) -> Self {
        let mut cluster = Self::new(size);
        cluster.start_all().await;
        eventually("every node takes part", || {
            cluster.nodes.values().all(RaftHandle::is_compared)
        })
        .await;
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
            await_restore: false,
            understands: self.understands.get(&node).copied().unwrap_or(Formats::OURS),
            timers: self.timers,
            patience: self.patience,
            snapshots: self.snapshots,
            links: Arc::new(MemoryLinks::new(self.wires.clone(), node)),
            clock: self.clock(node),
            events: Arc::new(Heard::default()),
            leavers_bytes_max: Arc::new(|| u64::MAX),
            starting: self.starting.clone(),
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
        let handle = self.start(node).await;
        eventually("its contacts were asked", || handle.is_compared()).await;
        handle
    }

    /// Starts a node and connects it, if its data directory can be used.
    pub(super) async fn try_start(&mut self, node: NodeId) -> Result<RaftHandle, StartError> {
        self.try_start_by(self.settings(node)).await
    }

    /// The same by other settings than the usual ones.
    pub(super) async fn try_start_by(&mut self, settings: Settings) -> Result<RaftHandle, StartError> {
        let node = settings.node;
        let handle = self.starts(settings).await?;
        self.connect(node, &handle);
        Ok(handle)
    }

    /// Waits until nobody uses the directory of a node that ended.
    pub(super) async fn released(&self, node: NodeId) {
        let lock = self.data_dir(node).join("lock");
        eventually("its former life is over", || {
            File::open(&lock).unwrap().try_lock().is_ok()
        })
        .await;
    }

    /// Begins to start a node, and lets it take its time; nobody reaches it yet.
    pub(super) async fn begin(&self, node: NodeId) -> JoinHandle<Result<RaftHandle, StartError>> {
        self.released(node).await;
        runtime::spawn(self.starts(self.settings(node)))
    }

    /// Why a node does not start.
    pub(super) async fn begin_in_vain(&self, node: NodeId) -> String {
        let started = self.begin(node).await.await.unwrap();
        started.err().unwrap().to_string()
    }

    fn starts(&self, settings: Settings) -> impl Future<Output = Result<RaftHandle, StartError>> + use<> {
        let media = self.media(settings.node);
        async move {
            let started = tokio::time::timeout(PATIENCE, start_on(settings, media)).await;
            started.expect("it starts or says why it does not")
        }
    }

    /// Lets a node be reached.
    pub(super) fn connect(&mut self, node: NodeId, handle: &RaftHandle) {
        self.wires.connect(node, handle.endpoint());
        self.nodes.insert(node, handle.clone());
    }

    fn media(&self, node: NodeId) -> Media {
        let disk = self.faults.get(&node).map_or_else(Disk::real, faulty::disk);
        Media::new(disk, self.segment_bytes)
    }

    /// Waits until nothing of a node that has ended touches its data directory: an image that it was writing is finished all the
    /// same.
    pub(super) async fn let_go(&self, node: NodeId) {
        self.released(node).await;
        eventually("no image is being written", || {
            self.images(node, "aside").is_empty()
        })
        .await;
    }

    /// Takes the data directory of a node away that has ended, once nothing of its former life writes to it.
    pub(super) async fn take_away(&self, node: NodeId) {
        self.let_go(node).await;
        std::fs::remove_dir_all(self.data_dir(node)).unwrap();
    }

    /// Files of a node's images whose names end so.
    fn images(&self, node: NodeId, ends: &str) -> Vec<PathBuf> {
        let Ok(files) = std::fs::read_dir(self.data_dir(node).join("snapshots")) else {
            return Vec::new();
        };
        let paths = files.map(|file| file.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|extension| extension == ends))
            .collect()
    }

    /// Writes over the images of a node that has ended.
    pub(super) async fn damage_images(&self, node: NodeId) {
        self.let_go(node).await;
        let images = self.images(node, "image");
        assert!(!images.is_empty(), "it has no image");
        images
            .iter()
            .for_each(|image| std::fs::write(image, b"scribble").unwrap());
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
        self.leader_in_term().await.0
    }

    /// The same, and what it knows of that.
    async fn leader_in_term(&self) -> (NodeId, Leadership) {
        let leading = || {
            let nodes = self.nodes.iter();
            let known = nodes.map(|(id, node)| (*id, *node.leadership().borrow()));
            // One that was followed may not know it yet.
            known
                .filter(|(_, known)| known.leads())
                .max_by_key(|(_, known)| known.term)
        };
        eventually("somebody leads", || leading().is_some()).await;
        leading().unwrap()
    }

    /// Lets another node lead: the next one, if it is not behind.
    pub(super) async fn move_leadership(&self) {
        let deadline = runtime::now() + PATIENCE;
        let mut again = tokio::time::interval(self.timers.election_max);
        let mut first = None;
        loop {
            let (node, leads) = self.leader_in_term().await;
            if *first.get_or_insert(leads.term) < leads.term {
                return;
            }
            assert!(runtime::now() < deadline, "nobody took over");
            // One that is behind declines; one that leads no more is not asked again.
            let trigger = self.nodes[&node].inner.raft.trigger();
            trigger.transfer_leader(node % self.size + 1).await.unwrap();
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

    /// The same, until every node has it: each disk then holds a vote and an entry.
    pub(super) async fn save_everywhere(&self, user: u64) {
        self.save(user).await;
        let has = |node: &RaftHandle| node.table().get(&key(user)).is_some();
        eventually("every node has the session", || self.nodes.values().all(has)).await;
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

//! The cluster of a simulation: nodes with their disks and clocks, started and ended, and what clients ask of them.
//!
//! A node is the product's own, over a disk with faults (`crate::disk::faulty`) whose log works as fast as its disk is said
//! to be, links with faults (`wires`), and a clock with a rate of its own. It ends as a process does: with none of its tasks
//! run once more.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use remora_table::{Checked, Epoch, Formats, Outcome, Proposal, Session, SessionKey, Version};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::disk::{Disk, faulty};
use crate::faults::{Faults, Life};
use crate::raft::opening::Media;
use crate::raft::start::start_on;
use crate::raft::tests::cluster::Heard;
use crate::raft::{
    DiskPatience, Fate, Leadership, NodeId, RaftHandle, Refusal, Settings, SnapshotPolicy, StartError, Timers,
};
use crate::runtime;

use super::chronicle::Chronicle;
use super::dice::Dice;
use super::turns::{Turns, WORLD};
use super::twists::Twist;
use super::wires::{SimulatedLinks, Wires};
use super::{RATE_PERCENT_MAX, oracle::Oracle};

/// Size of a log's segments in bytes: so small that they fill within a second and are used again.
const SEGMENT_BYTES: u64 = 32 << 10;
/// When images are taken: several times a second of saves.
const IMAGES: SnapshotPolicy = SnapshotPolicy {
    bytes: 24 << 10,
    keep_bytes: 8 << 10,
    check_every: Duration::from_millis(100),
};
/// What is free on a disk, in bytes: enough for everything.
const FREE_BYTES: u64 = 1 << 40;
/// By how much the clocks of two nodes differ.
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// How long a client waits for an answer before it asks again: less than a trouble lasts.
const ANSWER_WITHIN: Duration = Duration::from_millis(250);

/// All that a simulation is made of; clones are the same.
#[derive(Clone)]
pub(super) struct World {
    pub(super) turns: Turns,
    pub(super) chronicle: Chronicle,
    pub(super) wires: Wires,
    pub(super) twist: Option<Twist>,
    nodes: Arc<Mutex<Nodes>>,
    oracle: Arc<Mutex<Oracle>>,
    directory: Arc<TempDir>,
}

#[derive(Default)]
struct Nodes {
    known: BTreeMap<NodeId, Machine>,
    running: BTreeMap<NodeId, RaftHandle>,
    /// What each proposal came to where it was applied first, by its place in the log.
    outcomes: BTreeMap<(u64, u64), u32>,
    /// The first promise that was found broken.
    broken: Option<String>,
}

/// What stays of a node when its process ends.
#[derive(Clone)]
struct Machine {
    faults: Faults,
    /// Its disk since the power last came, and that life. What a process left unsynced stays so when it ends.
    powered: Option<(Life, Disk)>,
    /// How much longer than a millisecond its log's disk takes for a group.
    disk_lag: Duration,
    /// How fast its clock goes, in hundredths.
    rate_percent: u32,
    /// Whether it was started to be added.
    joins: bool,
}

/// How fast a clock goes, in hundredths.
fn rate_percent(dice: &mut Dice) -> u32 {
    let slower = dice.below(u64::from(2 * RATE_PERCENT_MAX + 1));
    100 + RATE_PERCENT_MAX - u32::try_from(slower).unwrap_or(RATE_PERCENT_MAX)
}

/// What a client gets for a question.
pub(super) enum Answer<T> {
    /// What the node said.
    Said(T),
    /// Nobody was asked.
    Nobody,
    /// No answer came in time.
    Silence,
}

impl World {
    /// With so many nodes, none of them started.
    pub(super) fn new(turns: Turns, size: u64, twist: Option<Twist>) -> Self {
        let chronicle = Chronicle::default();
        let wires = Wires::new(turns.clone(), chronicle.clone());
        let machine = |node| {
            let faults = Faults::default();
            // The machine's own disk fills up by chance.
            faults.say_free(Some(FREE_BYTES));
            let machine = Machine {
                faults,
                powered: None,
                disk_lag: Duration::ZERO,
                rate_percent: turns.draw(rate_percent),
                joins: false,
            };
            (node, machine)
        };
        let nodes = Nodes {
            known: (1..=size).map(machine).collect(),
            ..Nodes::default()
        };
        Self {
            wires,
            twist,
            nodes: Arc::new(Mutex::new(nodes)),
            oracle: Arc::default(),
            directory: Arc::new(TempDir::new().expect("there is room for a directory")),
            chronicle,
            turns,
        }
    }

    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The judge.
    pub(super) fn oracle(&self) -> MutexGuard<'_, Oracle> {
        self.oracle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A promise is broken: the story ends.
    pub(super) fn break_off(&self, sentence: String) {
        self.chronicle.tell(&format!("BROKEN: {sentence}"));
        self.nodes().broken.get_or_insert(sentence);
    }

    /// The first promise that was found broken.
    pub(super) fn broken(&self) -> Option<String> {
        let panicked = self.turns.has_panicked().then(|| "a task panicked".to_owned());
        self.nodes().broken.clone().or(panicked)
    }

    /// All nodes.
    pub(super) fn all(&self) -> Vec<NodeId> {
        self.nodes().known.keys().copied().collect()
    }

    /// The nodes that run.
    pub(super) fn running(&self) -> Vec<NodeId> {
        self.nodes().running.keys().copied().collect()
    }

    /// The nodes that do not.
    pub(super) fn down(&self) -> Vec<NodeId> {
        let nodes = self.nodes();
        let down = nodes
            .known
            .keys()
            .filter(|node| !nodes.running.contains_key(node));
        down.copied().collect()
    }

    /// A node that runs.
    pub(super) fn handle(&self, node: NodeId) -> Option<RaftHandle> {
        self.nodes().running.get(&node).cloned()
    }

    /// The faults of a node's disk.
    pub(super) fn faults(&self, node: NodeId) -> Faults {
        self.nodes().known[&node].faults.clone()
    }

    /// A node's disk, with what a power cut would take back.
    fn disk(&self, node: NodeId) -> Option<Disk> {
        let mut nodes = self.nodes();
        let machine = nodes.known.get_mut(&node)?;
        let powered = machine.powered.take().filter(|(life, _)| life.cut().is_none());
        let powered = powered.unwrap_or_else(|| (machine.faults.life(), faulty::disk(&machine.faults)));
        Some(machine.powered.insert(powered).1.clone())
    }

    /// The nodes that run on, although their power went: they have not asked anything of their disk since.
    pub(super) fn without_power(&self) -> Vec<NodeId> {
        let nodes = self.nodes();
        let is_cut = |node: &NodeId| {
            let powered = nodes.known[node].powered.as_ref();
            powered.is_some_and(|(life, _)| life.cut().is_some())
        };
        nodes.running.keys().copied().filter(is_cut).collect()
    }

    /// The disk of a node's log takes so much longer from now on.
    pub(super) fn set_disk_lag(&self, node: NodeId, lag: Duration) {
        if let Some(machine) = self.nodes().known.get_mut(&node) {
            machine.disk_lag = lag;
        }
    }

    /// Says how much is free on a node's disk; none is plenty.
    pub(super) fn set_free(&self, node: NodeId, bytes: Option<u64>) {
        self.faults(node).say_free(bytes.or(Some(FREE_BYTES)));
    }

    /// A node that does not run gets an empty disk, and waits to be added when it starts.
    pub(super) fn empty(&self, node: NodeId) -> io::Result<()> {
        if let Some(machine) = self.nodes().known.get_mut(&node) {
            machine.joins = true;
        }
        fs::remove_dir_all(self.data_dir(node))
    }

    /// How long the disk of a node's log takes for a group.
    pub(super) fn disk_time(&self, node: NodeId) -> Duration {
        let lag = self.nodes().known[&node].disk_lag;
        Duration::from_millis(1) + lag
    }

    /// Where a node keeps its data.
    pub(super) fn data_dir(&self, node: NodeId) -> PathBuf {
        self.directory.path().join(node.to_string())
    }

    /// Who leads and knows it.
    pub(super) fn leader(&self) -> Option<NodeId> {
        let nodes = self.nodes();
        let leads = |leadership: &Leadership| leadership.leads();
        let mut running = nodes.running.iter();
        running
            .find(|(_, handle)| leads(&handle.leadership().borrow()))
            .map(|(node, _)| *node)
    }

    /// Where a node's peers reach it.
    pub(super) fn peer_address(node: NodeId) -> String {
        format!("10.0.0.{node}:7500")
    }

    fn settings(&self, node: NodeId) -> Settings {
        let machine = self.nodes().known[&node].clone();
        let (rate, began) = (machine.rate_percent, runtime::now());
        let day = DAY * u32::try_from(node).unwrap_or(0);
        let clock = Clock::driven(move || began + day + runtime::since(began) * rate / 100);
        let cluster = self.all().into_iter();
        let cluster: BTreeMap<NodeId, String> =
            cluster.map(|node| (node, Self::peer_address(node))).collect();
        let contacts = cluster.values().cloned().collect();
        let (cluster, join) = if machine.joins {
            (BTreeMap::new(), contacts)
        } else {
            (cluster, Vec::new())
        };
        Settings {
            node,
            cluster,
            join,
            peer_address: Self::peer_address(node),
            client_address: format!("10.0.0.{node}:7400"),
            data_dir: self.data_dir(node),
            await_restore: false,
            understands: Formats::OURS,
            timers: Timers::default(),
            patience: DiskPatience::default(),
            snapshots: IMAGES,
            links: Arc::new(SimulatedLinks::new(self.wires.clone(), node)),
            clock,
            events: Arc::new(Heard::default()),
            leavers_bytes_max: Arc::new(|| u64::MAX),
            starting: watch::Sender::default(),
        }
    }

    /// Starts a node, which its peers find when it has read its disk. Says why it does not start, if it does not.
    pub(super) async fn start(&self, node: NodeId) -> Result<(), String> {
        let (world, settings) = (self.clone(), self.settings(node));
        let disk = self.disk(node).ok_or("there is no such node")?;
        if self.twist == Some(Twist::SyncSkipped) {
            self.faults(node).lie();
        }
        let media = Media {
            open_log: self.opening_log(node, disk.clone()),
            rules: self.rules(node),
            ..Media::new(disk, SEGMENT_BYTES)
        };
        let started = self.turns.start(node, async move {
            let handle = start_on(settings, media).await?;
            world.wires.connect(node, handle.endpoint());
            world.nodes().running.insert(node, handle);
            Ok::<_, StartError>(())
        });
        let started = started.await.map_err(|error| error.to_string())?;
        started.map_err(|error| self.without_directory(&error.to_string()))?;
        self.chronicle.tell(&format!("node {node} runs"));
        Ok(())
    }

    /// A sentence without the directory of this run, which no other run has.
    fn without_directory(&self, sentence: &str) -> String {
        let directory = self.directory.path().to_string_lossy();
        sentence.replace(&*directory, "")
    }

    /// Ends a node as the end of its process does.
    pub(super) async fn end(&self, node: NodeId) {
        self.wires.disconnect(node);
        self.nodes().running.remove(&node);
        self.turns.end(node).await;
    }

    /// A node applied a proposal, which stands there in the log: all who do come to the same.
    pub(super) fn applied(&self, node: NodeId, at: (u64, u64), outcome: &Outcome) {
        let sum = crc32fast::hash(format!("{outcome:?}").as_bytes());
        self.chronicle
            .note(&format!("node {node} applied {at:?}: {sum:08x}"));
        let first = *self.nodes().outcomes.entry(at).or_insert(sum);
        if first != sum {
            self.break_off(format!(
                "replicas diverge: node {node} applied {at:?} to {outcome:?}"
            ));
        }
    }

    /// The nodes that ended by themselves, with their last words.
    pub(super) fn failed(&self) -> Vec<(NodeId, String)> {
        let nodes = self.nodes();
        let failed = nodes.running.iter().filter_map(|(node, handle)| {
            let identity = &handle.inner.identity;
            let sentence = identity.failure().borrow().clone();
            sentence.map(|sentence| (*node, self.without_directory(&sentence)))
        });
        failed.collect()
    }

    /// Asks a running node something on a client's behalf, who waits for so long.
    pub(super) async fn ask<T: Send + 'static, F>(
        &self,
        (node, within): (NodeId, Duration),
        question: impl FnOnce(RaftHandle) -> F + Send + 'static,
    ) -> Answer<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let world = self.clone();
        let asked = self.turns.start(WORLD, async move {
            world.wires.carry_for_clients().await;
            let handle = world.handle(node)?;
            let answer = world.turns.start(node, question(handle)).await;
            world.wires.carry_for_clients().await;
            Some(answer)
        });
        match tokio::time::timeout(within, asked).await {
            Ok(Ok(Some(Ok(answer)))) => Answer::Said(answer),
            Ok(Ok(None)) => Answer::Nobody,
            Ok(_) | Err(_) => Answer::Silence,
        }
    }

    /// Proposes something to a node.
    pub(super) async fn propose(&self, node: NodeId, proposal: Proposal) -> Answer<Fate> {
        self.ask((node, ANSWER_WITHIN), |handle| async move {
            handle.propose(proposal).await
        })
        .await
    }

    /// Reads a session at a node: whether it stands, and what it is.
    pub(super) async fn read(
        &self,
        node: NodeId,
        key: SessionKey,
    ) -> Answer<Result<Option<Arc<Session>>, Refusal>> {
        let unproven = self.twist == Some(Twist::ReadUnproven);
        self.ask((node, ANSWER_WITHIN), move |handle| async move {
            if !unproven {
                handle.barrier().await?;
            }
            let table = handle.table();
            let stands = !matches!(table.check(&key, Epoch(0), Version(0)), Checked::Gone { .. });
            Ok(table.get(&key).filter(|_| stands))
        })
        .await
    }
}

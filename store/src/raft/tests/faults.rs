//! Whole nodes over disks with faults: power cuts under load, a disk that hangs, a disk that is full.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::stream::{self, StreamExt};
use tokio::task::JoinHandle;

use crate::faults::{Faults, Kind, Operation};
use crate::raft::{RaftHandle, SnapshotPolicy};
use crate::runtime;

use super::cluster::{Cluster, eventually};
use super::{SAVE_BYTES, create, key, saved};

/// Rounds of power cuts, each with a seed of its own.
const SEEDS: u64 = 10;

/// Users that one burst saves at most: so many that no power cut comes behind its end.
const BURST: u64 = 1_000_000;

/// How long each save of a burst waits before it asks, and asks again: a few hundred saves a second are load enough, and
/// leave a table that a snapshot every moment does not make slow.
const PACE: Duration = Duration::from_millis(20);

/// Small enough that snapshots and purges come under the power cuts too.
const SMALL: SnapshotPolicy = SnapshotPolicy {
    bytes: 20 * SAVE_BYTES,
    keep_bytes: 5 * SAVE_BYTES,
    check_every: Duration::from_millis(20),
};

/// Whose saves were acknowledged.
#[derive(Clone, Default)]
pub(super) struct Acknowledged(Arc<Mutex<BTreeSet<u64>>>);

impl Acknowledged {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Whose of them a node does not have.
    pub(super) fn missing(&self, node: &RaftHandle) -> Vec<u64> {
        let users = self.0.lock().unwrap();
        let missing = users
            .iter()
            .filter(|user| node.table().get(&key(**user)).is_none());
        missing.copied().collect()
    }

    /// Waits for so many more.
    pub(super) async fn grows_by(&self, more: u64) {
        let enough = self.count() + usize::try_from(more).unwrap();
        eventually("saves are acknowledged", || self.count() >= enough).await;
    }
}

/// Saves on their way, eight at a time, through whoever leads.
pub(super) struct Burst {
    over: Arc<AtomicBool>,
    running: JoinHandle<()>,
}

impl Burst {
    pub(super) fn begin(cluster: &Cluster, acknowledged: &Acknowledged, users: Range<u64>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let nodes: Vec<RaftHandle> = cluster.nodes.values().cloned().collect();
        let (acknowledged, ended) = (acknowledged.clone(), Arc::clone(&over));
        let running = runtime::spawn(async move {
            let saves = stream::iter(users).map(|user| save(&nodes, user, &acknowledged, &ended));
            saves.buffer_unordered(8).collect::<Vec<()>>().await;
        });
        Self { over, running }
    }

    /// Lets what is on its way be answered.
    pub(super) async fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        self.running.await.unwrap();
    }
}

/// Saves one user, again until it is acknowledged or the burst is over.
async fn save(nodes: &[RaftHandle], user: u64, acknowledged: &Acknowledged, over: &AtomicBool) {
    let mut pace = tokio::time::interval_at((runtime::now() + PACE).into(), PACE);
    while !over.load(Ordering::Relaxed) {
        pace.tick().await;
        // A node whose power went still says that it leads.
        for leader in nodes.iter().filter(|node| node.leadership().borrow().leads()) {
            if saved(&leader.propose(create(user, 100)).await) {
                acknowledged.0.lock().unwrap().insert(user);
                return;
            }
        }
    }
}

#[tokio::test]
async fn acknowledged_saves_outlive_power_cuts_of_one_node_and_of_all() {
    let mut cluster = Cluster::faulty(3);
    cluster.snapshots = SMALL;
    cluster.start_all().await;
    cluster.save(0).await;
    let acknowledged = Acknowledged::default();
    for seed in 0..SEEDS {
        let cut = |faults: &Faults| {
            if seed % 2 == 0 {
                faults.forget();
            } else {
                faults.tear(seed);
            }
        };
        let first = 1 + seed * 2 * BURST;
        let burst = Burst::begin(&cluster, &acknowledged, first..first + BURST);
        acknowledged.grows_by(1 + seed * 7 % 40).await;
        let one = 1 + seed % 3;
        cluster.cut_power(&[one], cut).await;
        acknowledged.grows_by(1).await;
        burst.end().await;
        cluster.start(one).await;

        let first = first + BURST;
        let burst = Burst::begin(&cluster, &acknowledged, first..first + BURST);
        acknowledged.grows_by(1 + seed * 11 % 40).await;
        cluster.cut_power(&[1, 2, 3], cut).await;
        burst.end().await;
        cluster.start_all().await;
        let leader = cluster.lead().await;
        leader.barrier().await.unwrap();
        let missing = acknowledged.missing(&leader);
        assert!(
            missing.is_empty(),
            "seed {seed}: of users {missing:?} is nothing left"
        );
    }
}

/// The control: it shows that the claim above would notice.
#[tokio::test]
async fn disks_that_speak_early_lose_an_acknowledged_save() {
    let mut cluster = Cluster::faulty(3);
    cluster.start_all().await;
    cluster.save_everywhere(0).await;
    cluster.faults.values().for_each(Faults::lie);
    let acknowledged = Acknowledged::default();
    let burst = Burst::begin(&cluster, &acknowledged, 1..2);
    acknowledged.grows_by(1).await;
    burst.end().await;
    cluster.cut_power(&[1, 2, 3], Faults::forget).await;
    for node in 1..=3 {
        cluster.released(node).await;
        // What the manifest was told of the log may have outlived the log: then the loss is found before it is felt.
        if let Err(error) = cluster.try_start(node).await {
            assert!(error.to_string().contains("lost a part of its log"), "{error}");
            return;
        }
    }
    let leader = cluster.lead().await;
    leader.barrier().await.unwrap();
    assert_eq!(acknowledged.missing(&leader), [1]);
    assert!(leader.table().get(&key(0)).is_some());
}

#[tokio::test]
async fn a_sync_that_hangs_acknowledges_nothing_until_it_ends() {
    let mut cluster = Cluster::faulty(1);
    cluster.start_all().await;
    cluster.save(0).await;
    let faults = cluster.faults[&1].clone();
    faults.hang(Kind::Log, Operation::Sync);
    let leader = cluster.lead().await;
    let mut saving = runtime::spawn(async move { leader.propose(create(1, 100)).await });
    eventually("the sync hangs", || {
        faults.hanging(Kind::Log, Operation::Sync) > 0
    })
    .await;
    assert!((&mut saving).now_or_never().is_none(), "it was answered");
    assert!(cluster.nodes[&1].table().get(&key(1)).is_none(), "it was applied");
    faults.clear(Kind::Log, Operation::Sync);
    assert!(saved(&saving.await.unwrap()));
}

#[tokio::test]
async fn a_majority_that_hangs_acknowledges_nothing_until_it_ends() {
    let mut cluster = Cluster::faulty(3);
    cluster.start_all().await;
    cluster.save(0).await;
    let leader = cluster.leader().await;
    let followers: Vec<Faults> = (cluster.faults.iter())
        .filter(|(node, _)| **node != leader)
        .map(|(_, faults)| faults.clone())
        .collect();
    for faults in &followers {
        faults.hang(Kind::Log, Operation::Sync);
    }
    let node = cluster.nodes[&leader].clone();
    let mut saving = runtime::spawn(async move { node.propose(create(1, 100)).await });
    eventually("both followers hang", || {
        followers
            .iter()
            .all(|faults| faults.hanging(Kind::Log, Operation::Sync) > 0)
    })
    .await;
    if let Some(answer) = (&mut saving).now_or_never() {
        let answer = answer.unwrap();
        assert!(!saved(&answer), "{answer:?} without a majority");
    }
    assert!(
        cluster
            .nodes
            .values()
            .all(|node| node.table().get(&key(1)).is_none())
    );
    for faults in &followers {
        faults.clear(Kind::Log, Operation::Sync);
    }
    cluster.save(2).await;
}

#[tokio::test]
async fn a_full_disk_postpones_the_snapshot_and_loses_nothing() {
    let mut cluster = Cluster::faulty(1);
    cluster.snapshots = SMALL;
    cluster.start_all().await;
    let faults = cluster.faults[&1].clone();
    for user in 0..30 {
        cluster.save(user).await;
    }
    let node = cluster.lead().await;
    eventually("the first snapshot is there", || {
        node.status().snapshot_bytes.is_some()
    })
    .await;
    faults.fill_after(Kind::Snapshot, 100);
    let begun = faults.begun(Kind::Snapshot, Operation::Write);
    for user in 30..90 {
        cluster.save(user).await;
    }
    eventually("a snapshot found the disk full", || {
        faults.begun(Kind::Snapshot, Operation::Write) > begun + 1
    })
    .await;
    cluster.save(90).await;
    assert!(node.failed().now_or_never().is_none(), "the node ended");
    drop(node);
    cluster.crash(1).await;
    let synced = faults.begun(Kind::Snapshot, Operation::Sync);
    faults.make_room(Kind::Snapshot);
    let node = cluster.start(1).await;
    cluster.leader().await;
    node.barrier().await.unwrap();
    assert!((0..=90).all(|user| node.table().get(&key(user)).is_some()));
    cluster.save(91).await;
    eventually("a snapshot is written again", || {
        faults.begun(Kind::Snapshot, Operation::Sync) > synced
    })
    .await;
}

/// Files of images on the disk of a node that are whole, and those that are not.
fn images(cluster: &Cluster, node: u64) -> (usize, usize) {
    let snapshots = cluster.data_dir(node).join("snapshots");
    let files = std::fs::read_dir(snapshots).unwrap();
    let whole = |file: &std::io::Result<std::fs::DirEntry>| {
        file.as_ref().unwrap().path().extension().unwrap() == "image"
    };
    let (whole, rest): (Vec<_>, Vec<_>) = files.partition(whole);
    (whole.len(), rest.len())
}

/// When the first image found the disk full, consensus ended on all nodes within milliseconds.
#[tokio::test]
async fn first_images_that_find_their_disks_full_end_no_node_and_leave_nothing() {
    let mut cluster = Cluster::faulty(3);
    cluster.snapshots = SMALL;
    for faults in cluster.faults.values() {
        faults.fill_after(Kind::Snapshot, 100);
    }
    cluster.start_all().await;
    for user in 0..50 {
        cluster.save(user).await;
    }
    let tried = |faults: &Faults| faults.begun(Kind::Snapshot, Operation::Write) > 1;
    eventually("every node found its disk full", || {
        cluster.faults.values().all(tried)
    })
    .await;
    cluster.save(50).await;
    for (number, node) in &cluster.nodes {
        assert!(node.failed().now_or_never().is_none(), "node {number} ended");
        eventually("half an image is gone", || images(&cluster, *number) == (0, 0)).await;
    }
    for faults in cluster.faults.values() {
        faults.make_room(Kind::Snapshot);
    }
    for user in 51..200 {
        cluster.save(user).await;
    }
    eventually("every node has its image", || {
        cluster.nodes.keys().all(|node| images(&cluster, *node) == (1, 0))
    })
    .await;
}

#[tokio::test]
async fn an_image_that_does_not_fit_is_not_begun() {
    let mut cluster = Cluster::faulty(1);
    cluster.snapshots = SMALL;
    let faults = cluster.faults[&1].clone();
    faults.say_free(Some(10 << 20));
    cluster.start_all().await;
    for user in 0..50 {
        cluster.save(user).await;
    }
    let node = cluster.lead().await;
    eventually("the disk was looked at", || {
        node.status().free_bytes == Some(10 << 20)
    })
    .await;
    let said = node.endpoint().introduction();
    assert!(
        said.free_bytes == 0 || said.free_bytes >= 10 << 20,
        "what the log holds ahead counts"
    );
    assert!(said.image_bytes > 50 * 100 && said.image_bytes < 50 * 400);
    assert_eq!(faults.begun(Kind::Snapshot, Operation::Write), 0);
    faults.say_free(None);
    eventually("it is written once it fits", || images(&cluster, 1) == (1, 0)).await;
}

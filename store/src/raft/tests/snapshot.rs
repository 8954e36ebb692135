//! Snapshots, purged logs, and followers that come back too late for the log.

use std::time::Duration;

use openraft::RaftSnapshotBuilder;

use crate::raft::SnapshotPolicy;
use crate::raft::snapshots::{self, SnapshotBuilder, Snapshots};
use crate::raft::types::{StoredMembership, log_id};
use crate::session::SessionTable;
use crate::snapshot::SnapshotStore;

use super::cluster::{Cluster, eventually};
use super::key;

/// Small enough that a few saves need a snapshot.
const SMALL: SnapshotPolicy = SnapshotPolicy {
    entries: 20,
    bytes: 1 << 30,
    keep_entries: 5,
    check_every: Duration::from_millis(20),
};

async fn started(size: u64) -> Cluster {
    let mut cluster = Cluster::new(size);
    cluster.snapshots = SMALL;
    for node in 1..=size {
        cluster.start(node).await;
    }
    cluster
}

#[tokio::test]
async fn a_lagging_node_catches_up_by_snapshot() {
    let mut cluster = started(3).await;
    cluster.save(0).await;
    let lagging = cluster.leader().await % 3 + 1;
    cluster.crash(lagging).await;
    for user in 1..100 {
        cluster.save(user).await;
    }
    let leader = cluster.lead().await;
    eventually("the log that the node needs is purged", || purged(&leader) > 50).await;
    let node = cluster.start(lagging).await;
    eventually("the node has all", || {
        (0..100).all(|user| node.table().get(&key(user)).is_some())
    })
    .await;
    assert!(purged(&node) > 50, "the node caught up without a snapshot");
    cluster.save(100).await;
    eventually("it follows again", || node.table().get(&key(100)).is_some()).await;
}

#[tokio::test]
async fn a_restart_from_snapshot_and_log_keeps_every_save() {
    let mut cluster = started(1).await;
    for user in 0..70 {
        cluster.save(user).await;
    }
    let node = cluster.lead().await;
    eventually("the log is purged", || purged(&node) > 0).await;
    let before = node.table().version();
    drop(node);
    cluster.crash(1).await;
    let node = cluster.start(1).await;
    cluster.leader().await;
    node.barrier().await.unwrap();
    assert!((0..70).all(|user| node.table().get(&key(user)).is_some()));
    assert_eq!(node.table().version(), before);
}

fn purged(node: &crate::raft::RaftHandle) -> u64 {
    use openraft::async_runtime::watch::WatchReceiver;
    let metrics = node.inner.raft.metrics();
    metrics.borrow_watched().purged.map_or(0, |purged| purged.index)
}

#[tokio::test]
async fn an_older_snapshot_never_replaces_a_newer_one() {
    let directory = tempfile::TempDir::new().unwrap();
    let snapshots = Snapshots::new(SnapshotStore::open(directory.path()).unwrap());
    let build = |index| SnapshotBuilder {
        snapshots: snapshots.clone(),
        meta: snapshots::meta(Some(log_id(1, index)), StoredMembership::default()),
        image: Some(SessionTable::new().image()),
    };
    build(10).build_snapshot().await.unwrap();
    build(5).build_snapshot().await.unwrap();
    let newest = snapshots.newest().await.unwrap().unwrap();
    assert_eq!(newest.meta.last_log_id, Some(log_id(1, 10)));
}

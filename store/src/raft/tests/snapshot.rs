//! Snapshots, purged logs, and followers that come back too late for the log.

use std::time::Duration;

use futures::StreamExt;
use openraft::RaftSnapshotBuilder;
use remora_proto::v1;

use crate::disk::Disk;
use crate::metrics::Consensus;
use crate::raft::snapshots::{self, SnapshotBuilder, Snapshots};
use crate::raft::types::{StoredMembership, log_id};
use crate::raft::{Fate, PeerError, SnapshotPolicy, wire};
use crate::snapshot::SnapshotStore;
use remora_table::{Command, Formats, Outcome, RequestId, SessionTable};

use super::cluster::{Cluster, eventually};
use super::{SAVE_BYTES, create, key};

/// Small enough that a few saves need a snapshot.
pub(super) const SMALL: SnapshotPolicy = SnapshotPolicy {
    bytes: 20 * SAVE_BYTES,
    keep_bytes: 5 * SAVE_BYTES,
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
    // An image is due when the log outweighs the one before: by then there were three of them, however late each was drawn.
    for user in 1..250 {
        cluster.save(user).await;
    }
    let leader = cluster.lead().await;
    eventually("the log that the node needs is purged", || purged(&leader) > 50).await;
    let node = cluster.start(lagging).await;
    eventually("the node has all", || {
        (0..250).all(|user| node.table().get(&key(user)).is_some())
    })
    .await;
    // openraft purges what the image holds a moment after the table shows it.
    eventually("the node caught up by a snapshot", || purged(&node) > 50).await;
    cluster.save(250).await;
    eventually("it follows again", || node.table().get(&key(250)).is_some()).await;
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

/// Index of the last entry that a node's log lost to an image; 0 if none.
pub(super) fn purged(node: &crate::raft::RaftHandle) -> u64 {
    use openraft::async_runtime::watch::WatchReceiver;
    let metrics = node.inner.raft.metrics();
    metrics.borrow_watched().purged.map_or(0, |purged| purged.index)
}

/// With a count of entries kept, nothing was ever purged: 1.7 GiB of log for a table of 0.9 MiB.
#[tokio::test]
async fn the_log_of_one_session_that_is_saved_again_and_again_stays_small() {
    const VALUE: usize = 20_000;
    let mut cluster = Cluster::new(1);
    cluster.snapshots = SnapshotPolicy {
        bytes: 5 * VALUE as u64,
        keep_bytes: 2 * VALUE as u64,
        ..SMALL
    };
    cluster.start_all().await;
    let node = cluster.lead().await;
    let mut proposal = create(1, VALUE);
    for serial in 0..60 {
        let Fate::Done(Outcome::Saved(saved)) = node.propose(proposal.clone()).await else {
            panic!("not saved")
        };
        proposal.request_id = Some(RequestId {
            instance: 7,
            serial: serial + 3,
        });
        if let Command::Save(save) = &mut proposal.command {
            (save.epoch, save.base) = (saved.epoch, saved.version);
        }
    }
    eventually("the log is short", || {
        let status = node.status();
        // What makes an image due, a quarter of that, what is kept, and an entry more for each of them.
        status.applied_index - purged(&node) <= 5 + 2 + 2 + 3
    })
    .await;
    drop(node);
    cluster.crash(1).await;
    let node = cluster.start(1).await;
    cluster.leader().await;
    node.barrier().await.unwrap();
    assert!(node.table().get(&key(1)).is_some());
}

#[tokio::test]
async fn an_older_snapshot_never_replaces_a_newer_one() {
    let directory = tempfile::TempDir::new().unwrap();
    let snapshots = Snapshots::counted(
        SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS).unwrap(),
        Consensus::new(),
    );
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

#[tokio::test]
async fn a_damaged_image_that_nobody_else_can_have_is_one_clear_sentence_at_every_start() {
    let mut cluster = started(1).await;
    for user in 0..70 {
        cluster.save(user).await;
    }
    let node = cluster.lead().await;
    eventually("the log is purged", || purged(&node) > 0).await;
    drop(node);
    cluster.crash(1).await;
    cluster.damage_images(1).await;
    for _ in 0..2 {
        let sentence = cluster.refusal(|| cluster.settings(1)).await;
        for part in [
            "there is no table image that is whole",
            "--join",
            "remora restore",
        ] {
            assert!(sentence.contains(part), "{part} is not in {sentence}");
        }
    }
}

#[tokio::test]
async fn a_full_disk_keeps_the_snapshot_before() {
    let directory = tempfile::TempDir::new().unwrap();
    let snapshots = Snapshots::counted(
        SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS).unwrap(),
        Consensus::new(),
    );
    let full = || Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
    snapshots.unless_full(full()).unwrap();
    snapshots.unless_full(full()).unwrap();
    snapshots.unless_full(Ok(())).unwrap();
    let other = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    assert!(snapshots.unless_full(Err(other)).is_err());
}

/// A snapshot as a leader sends it, with one byte flipped.
fn damaged(
    head: v1::snapshot_chunk::Head,
    piece: Vec<u8>,
) -> futures::stream::BoxStream<'static, v1::SnapshotChunk> {
    let chunk = |head, data: Vec<u8>, last| v1::SnapshotChunk {
        head,
        data: data.into(),
        last,
    };
    futures::stream::iter([
        chunk(Some(head), Vec::new(), false),
        chunk(None, piece, false),
        chunk(None, Vec::new(), true),
    ])
    .boxed()
}

#[tokio::test]
async fn a_snapshot_that_was_damaged_on_its_way_does_not_end_the_node() {
    let cluster = started(1).await;
    for user in 0..30 {
        cluster.save(user).await;
    }
    let node = cluster.lead().await;
    let snapshots = Snapshots::counted(
        SnapshotStore::open(
            &Disk::real(),
            &cluster.data_dir(1).join("elsewhere"),
            Formats::OURS,
        )
        .unwrap(),
        Consensus::new(),
    );
    let mut builder = SnapshotBuilder {
        snapshots: snapshots.clone(),
        meta: snapshots::meta(Some(log_id(99, 1_000)), StoredMembership::default()),
        image: Some(SessionTable::new().image()),
    };
    builder.build_snapshot().await.unwrap();
    let stored = std::fs::read_dir(cluster.data_dir(1).join("elsewhere"))
        .unwrap()
        .next();
    let mut piece = std::fs::read(stored.unwrap().unwrap().path()).unwrap();
    let last = piece.len() - 12;
    piece[last] ^= 1;
    let identity = &node.inner.identity;
    let own = identity.members().remove(&1).unwrap();
    let head = v1::snapshot_chunk::Head {
        envelope: Some(identity.envelope(1, &own)),
        vote: Some(v1::Vote {
            term: 99,
            committed: true,
            ..v1::Vote::default()
        }),
        last_log: Some(wire::position(log_id(99, 1_000))),
        membership: Some(wire::stored_membership(&StoredMembership::default())),
        bytes: piece.len() as u64,
    };
    let refused = node.endpoint().snapshot(damaged(head, piece)).await;
    assert!(matches!(refused, Err(PeerError::Unavailable(_))), "{refused:?}");
    cluster.save(30).await;
}

//! A node whose images are damaged and whose log is purged: another node's image takes their place.
//!
//! Broken once to see them fail: what was asked for forgotten (it never starts); the room not asked for, the damaged file left, a
//! stranger answered (each its own claim); what was never committed left in the log (consensus does not start over it); the end
//! of the pieces taken for the end of the image (never "cut off"). That the disk is judged first is claimed in `copies`.

use std::path::Path;
use std::sync::mpsc;

use futures::StreamExt;
use remora_proto::v1;
use remora_table::Formats;

use crate::disk::Disk;
use crate::log::{DataDir, Log, LogEntry, LogId, Payload};
use crate::raft::{NodeId, PeerError, SnapshotPolicy, Verb};

use super::cluster::{Cluster, eventually};
use super::key;
use super::snapshot::{SMALL, purged};

/// Writes no image unless it is asked for one.
const NEVER: SnapshotPolicy = SnapshotPolicy {
    bytes: u64::MAX,
    keep_bytes: 0,
    check_every: SMALL.check_every,
};

/// A cluster with images on these nodes alone.
async fn with_images_on(nodes: &[NodeId]) -> Cluster {
    started(Cluster::new(3), nodes).await
}

async fn started(mut cluster: Cluster, images: &[NodeId]) -> Cluster {
    for node in 1..=3 {
        cluster.snapshots = if images.contains(&node) { SMALL } else { NEVER };
        cluster.start(node).await;
    }
    cluster.snapshots = SMALL;
    cluster
}

/// Saves until a node has purged its log durably beyond an entry; gives how many users there are.
async fn save_until_purged_beyond(cluster: &Cluster, node: NodeId, entry: u64) -> u64 {
    let mut users = 0;
    while purged(&cluster.nodes[&node]) <= entry {
        cluster.save(users).await;
        users += 1;
    }
    // What is durable in the log is so with all that came before it.
    cluster.save_everywhere(users).await;
    users + 1
}

async fn save_until_purged(cluster: &Cluster, node: NodeId) -> u64 {
    save_until_purged_beyond(cluster, node, 0).await
}

/// Ends a node and damages its images.
async fn lose_images(cluster: &mut Cluster, node: NodeId) {
    cluster.crash(node).await;
    cluster.damage_images(node).await;
}

/// It has what these users saved, and follows.
async fn serves_again(cluster: &Cluster, node: NodeId, users: u64) {
    cluster.save(users).await;
    let table = cluster.nodes[&node].table();
    eventually("the node has what was saved", || {
        (0..=users).all(|user| table.get(&key(user)).is_some())
    })
    .await;
}

async fn says(cluster: &Cluster, what: &str) {
    let starting = cluster.starting.subscribe();
    eventually(what, || starting.borrow().contains(what)).await;
}

/// Names of files in a node's directory of images that end so.
fn files(directory: &Path, ends: &str) -> usize {
    let files = std::fs::read_dir(directory.join("snapshots")).unwrap();
    let named = files.filter(|file| file.as_ref().unwrap().path().to_string_lossy().ends_with(ends));
    named.count()
}

#[tokio::test]
async fn a_node_whose_images_are_damaged_goes_on_with_the_image_of_another() {
    let mut cluster = with_images_on(&[1, 2, 3]).await;
    let node = cluster.follower().await;
    let users = save_until_purged(&cluster, node).await;
    lose_images(&mut cluster, node).await;
    cluster.start(node).await;
    serves_again(&cluster, node, users).await;
    let directory = cluster.data_dir(node);
    assert_eq!(files(&directory, ".image"), 1);
    assert_eq!(
        files(&directory, ".damaged"),
        0,
        "what a whole one replaces is not kept"
    );
}

#[tokio::test]
async fn a_node_that_can_ask_nobody_yet_waits_and_says_so_and_keeps_its_vote() {
    let mut cluster = with_images_on(&[1, 2, 3]).await;
    let node = cluster.leader().await;
    let users = save_until_purged(&cluster, node).await;
    let disk = cluster.nodes[&node].endpoint().promised();
    lose_images(&mut cluster, node).await;
    cluster.wires.cut(node);
    let starting = cluster.begin(node).await;
    says(
        &cluster,
        "asks the other nodes for one, and takes no part until it has it",
    )
    .await;
    // The others go on without it, and do not count on it.
    cluster.save(users).await;
    let leader = cluster.lead().await;
    eventually("it does not count as reachable", || {
        !leader.inner.identity.reachable(node)
    })
    .await;
    assert!(!starting.is_finished());
    cluster.wires.mend(node);
    let handle = starting.await.unwrap().unwrap();
    cluster.connect(node, &handle);
    serves_again(&cluster, node, users + 1).await;
    eventually("it takes part", || handle.is_compared()).await;
    assert!(handle.endpoint().promised().voted >= disk.voted);
}

#[tokio::test]
async fn a_peer_without_an_image_that_reaches_so_far_writes_one_when_it_is_asked() {
    let mut cluster = with_images_on(&[3]).await;
    let users = save_until_purged(&cluster, 3).await;
    lose_images(&mut cluster, 3).await;
    let has = |cluster: &Cluster, node| cluster.nodes[&node].status().snapshot_bytes.is_some();
    assert!(!has(&cluster, 1) && !has(&cluster, 2));
    cluster.start(3).await;
    serves_again(&cluster, 3, users).await;
    assert!(has(&cluster, 1) || has(&cluster, 2));
}

#[tokio::test]
async fn a_peer_that_is_behind_itself_is_passed_over() {
    let mut cluster = with_images_on(&[1, 2, 3]).await;
    let behind = cluster.follower().await;
    cluster.save_everywhere(0).await;
    let reached = cluster.nodes[&behind].status().applied_index;
    cluster.crash(behind).await;
    let node = cluster.follower().await;
    let users = save_until_purged_beyond(&cluster, node, reached).await;
    let full = 6 - behind - node;
    cluster.crash(full).await;
    lose_images(&mut cluster, node).await;
    cluster.start(behind).await;
    let starting = cluster.begin(node).await;
    says(&cluster, "it has applied no more than entry").await;
    assert!(!starting.is_finished());
    cluster.start(full).await;
    let handle = starting.await.unwrap().unwrap();
    cluster.connect(node, &handle);
    serves_again(&cluster, node, users).await;
}

#[tokio::test]
async fn two_nodes_at_once_have_it_from_the_third_though_nobody_leads() {
    let mut cluster = with_images_on(&[1, 2]).await;
    let users = save_until_purged(&cluster, 1)
        .await
        .max(save_until_purged(&cluster, 2).await);
    cluster.save_everywhere(users).await;
    lose_images(&mut cluster, 1).await;
    lose_images(&mut cluster, 2).await;
    for node in [1, 2] {
        cluster.start(node).await;
    }
    for node in [1, 2] {
        serves_again(&cluster, node, users + node).await;
    }
}

#[tokio::test]
async fn an_image_that_was_torn_on_its_way_is_asked_for_again() {
    let mut cluster = with_images_on(&[1, 2, 3]).await;
    let node = cluster.follower().await;
    let users = save_until_purged(&cluster, node).await;
    lose_images(&mut cluster, node).await;
    let others = (1..=3).filter(|other| *other != node);
    others.for_each(|other| cluster.wires.tear_images(other, 1));
    let starting = cluster.begin(node).await;
    says(&cluster, "the snapshot was cut off").await;
    let handle = starting.await.unwrap().unwrap();
    cluster.connect(node, &handle);
    serves_again(&cluster, node, users).await;
    assert_eq!(
        files(&cluster.data_dir(node), ".aside"),
        0,
        "half an image is gone"
    );
}

#[tokio::test]
async fn a_disk_that_was_removed_ends_and_is_sent_nothing() {
    let mut cluster = with_images_on(&[1, 2, 3]).await;
    let node = cluster.follower().await;
    save_until_purged(&cluster, node).await;
    lose_images(&mut cluster, node).await;
    cluster.change(Verb::Remove, node).await.unwrap();
    let sentence = cluster.begin_in_vain(node).await;
    assert!(sentence.contains("was removed"), "{sentence}");
}

#[tokio::test]
async fn a_disk_without_room_for_an_image_waits_for_room() {
    let mut cluster = started(Cluster::faulty(3), &[1, 2, 3]).await;
    let node = cluster.follower().await;
    let users = save_until_purged(&cluster, node).await;
    lose_images(&mut cluster, node).await;
    let faults = cluster.faults[&node].clone();
    faults.say_free(Some(1 << 20));
    let starting = cluster.begin(node).await;
    says(&cluster, "make room").await;
    faults.say_free(None);
    let handle = starting.await.unwrap().unwrap();
    cluster.connect(node, &handle);
    serves_again(&cluster, node, users).await;
}

/// What a leader that nobody answers appends, and nobody else ever has.
fn append_in_vain(cluster: &Cluster, node: NodeId, entries: u64) {
    let mut data_dir = DataDir::open(&Disk::real(), &cluster.data_dir(node), node, Formats::OURS).unwrap();
    let log = data_dir.open_log(Formats::OURS, cluster.segment_bytes).unwrap();
    let (last, term) = (log.bounds().last.unwrap(), log.vote().unwrap().term);
    let entry = |index| LogEntry {
        log_id: LogId { term, index },
        payload: Payload::Blank,
    };
    let (done, durable) = mpsc::sync_channel(1);
    let done = Box::new(move |result: std::io::Result<()>| done.send(result).unwrap());
    let appended = (last.index + 1..=last.index + entries).map(entry);
    log.append(appended.collect(), done).unwrap();
    durable.recv().unwrap().unwrap();
}

#[tokio::test]
async fn entries_that_were_never_committed_make_way_for_the_image() {
    let mut cluster = with_images_on(&[3]).await;
    while cluster.leader().await != 3 {
        cluster.move_leadership().await;
    }
    let users = save_until_purged(&cluster, 3).await;
    lose_images(&mut cluster, 3).await;
    append_in_vain(&cluster, 3, 100);
    // They stand where others save now, and where the image will end that one of them writes.
    cluster.save(users).await;
    cluster.start(3).await;
    serves_again(&cluster, 3, users + 1).await;
}

#[tokio::test]
async fn a_damaged_image_is_not_asked_for_while_the_log_reaches_back() {
    let mut cluster = Cluster::new(3);
    cluster.snapshots = SnapshotPolicy {
        keep_bytes: u64::MAX,
        ..SMALL
    };
    cluster.start_all().await;
    let node = cluster.follower().await;
    let has_image = |cluster: &Cluster| cluster.nodes[&node].status().snapshot_bytes.is_some();
    let mut users = 0;
    while !has_image(&cluster) {
        cluster.save(users).await;
        users += 1;
    }
    lose_images(&mut cluster, node).await;
    cluster.wires.cut(node);
    cluster.start(node).await;
    cluster.wires.mend(node);
    serves_again(&cluster, node, users).await;
}

#[tokio::test]
async fn an_image_is_sent_to_members_alone() {
    let cluster = with_images_on(&[1, 2, 3]).await;
    save_until_purged(&cluster, 2).await;
    let (from, to) = (&cluster.nodes[&1].inner.identity, cluster.nodes[&2].endpoint());
    let envelope = from.envelope(2, &from.members()[&2]);
    let ask = |from_disk| {
        to.image(v1::ImageRequest {
            envelope: Some(v1::Envelope {
                from_disk,
                ..envelope
            }),
            reaches: 1,
        })
    };
    let refused = ask(envelope.from_disk ^ 1).await.err();
    assert!(matches!(refused, Some(PeerError::Refused(_))), "{refused:?}");
    let pieces: Vec<_> = ask(envelope.from_disk).await.unwrap().collect().await;
    assert!(pieces.first().unwrap().head.is_some() && pieces.last().unwrap().last);
}

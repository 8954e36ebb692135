//! Older copies of a data directory: one that a living peer has seen further on is refused, and nothing else is.
//!
//! Broken once to see them fail: the last entry of the log told instead of what is committed and durable ("uncommitted");
//! what is remembered not written (the copy serves on beside the peer that was restarted).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use futures::FutureExt;
use remora_proto::v1;

use crate::disk::Disk;
use crate::faults::{Kind, Operation};
use crate::log::{DataDir, DiskLife};
use crate::raft::{NodeId, PeerError, RaftHandle};
use crate::runtime;
use remora_table::Formats;

use super::cluster::{Cluster, PATIENCE, eventually, patience};
use super::snapshot::{SMALL, purged};
use super::{create, key, saved};

/// Where copies of data directories are: those of nodes that do not exist.
const ASIDE: NodeId = 100;

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Keeps a copy of a node's data directory as it is now; if the node has ended, as it has left it.
pub(super) async fn put_aside(cluster: &Cluster, node: NodeId) {
    if !cluster.nodes.contains_key(&node) {
        cluster.let_go(node).await;
    }
    copy(&cluster.data_dir(node), &cluster.data_dir(ASIDE + node));
}

/// Puts the copy in the place of what the directory has become.
pub(super) async fn put_back(cluster: &Cluster, node: NodeId) {
    cluster.take_away(node).await;
    copy(&cluster.data_dir(ASIDE + node), &cluster.data_dir(node));
}

pub(super) fn remembered(of: &RaftHandle, disk: &RaftHandle) -> DiskLife {
    of.inner.identity.lives.of(disk.inner.identity.disk)
}

/// What a node tells of its disk now.
fn promised(node: &RaftHandle) -> DiskLife {
    node.endpoint().promised()
}

/// Saves some sessions more, until all that run have applied them and remember of each other that they have.
pub(super) async fn go_on(cluster: &Cluster, users: std::ops::Range<u64>) {
    for user in users.clone() {
        cluster.save(user).await;
    }
    let last = cluster.lead().await.status().committed_index;
    let knows = |of: &RaftHandle, disk: &RaftHandle| {
        remembered(of, disk)
            .entry
            .is_some_and(|entry| entry.index >= last)
    };
    eventually("all remember of each other what they have", || {
        let all = || cluster.nodes.values();
        all()
            .all(|of| all().all(|disk| of.inner.identity.node == disk.inner.identity.node || knows(of, disk)))
    })
    .await;
}

/// Waits until what a node remembers of a disk is on its own disk.
pub(super) async fn written(cluster: &Cluster, of: NodeId, disk: NodeId) {
    let (of, disk) = (&cluster.nodes[&of], &cluster.nodes[&disk]);
    let path = cluster.data_dir(of.inner.identity.node).join("lives");
    eventually("it is written", || {
        // Read anew: it rises, and what it was before is never written then.
        let known = remembered(of, disk).entry.unwrap().index.to_le_bytes();
        let bytes = fs::read(&path).unwrap_or_default();
        bytes.windows(8).any(|number| number == known)
    })
    .await;
}

pub(super) async fn ends_as_an_older_copy(node: &RaftHandle) {
    let sentence = tokio::time::timeout(PATIENCE, node.failed()).await;
    let sentence = sentence.expect("the copy serves on");
    assert!(sentence.contains("is an older copy of itself"), "{sentence}");
    assert!(
        sentence.contains("must not go on with this data directory"),
        "{sentence}"
    );
    assert!(!node.is_compared(), "it takes part");
}

pub(super) fn none_ended(cluster: &Cluster) {
    for (node, handle) in &cluster.nodes {
        assert_eq!(handle.failed().now_or_never(), None, "node {node} ended");
    }
}

#[tokio::test]
async fn a_copy_that_its_peers_have_seen_further_on_ends_and_the_others_serve() {
    for leads in [false, true] {
        let mut cluster = Cluster::started(3).await;
        go_on(&cluster, 0..5).await;
        let leader = cluster.leader().await;
        let older = if leads { leader } else { leader % 3 + 1 };
        cluster.crash(older).await;
        put_aside(&cluster, older).await;
        cluster.start(older).await;
        go_on(&cluster, 5..10).await;
        cluster.crash(older).await;
        put_back(&cluster, older).await;
        let node = cluster.start(older).await;
        ends_as_an_older_copy(&node).await;
        cluster.save(10).await;
    }
}

/// What it has forgotten does not come back with an image: it is judged by what it held before it asked.
#[tokio::test]
async fn a_copy_whose_images_are_damaged_ends_before_it_is_sent_one() {
    let mut cluster = Cluster::new(3);
    cluster.snapshots = SMALL;
    cluster.start_all().await;
    let older = cluster.leader().await % 3 + 1;
    let mut users = 0..;
    while purged(&cluster.nodes[&older]) == 0 {
        cluster.save(users.next().unwrap()).await;
    }
    cluster.save_everywhere(users.next().unwrap()).await;
    cluster.crash(older).await;
    put_aside(&cluster, older).await;
    cluster.start(older).await;
    let next = users.next().unwrap();
    go_on(&cluster, next..next + 100).await;
    cluster.crash(older).await;
    put_back(&cluster, older).await;
    cluster.damage_images(older).await;
    let sentence = cluster.begin_in_vain(older).await;
    assert!(sentence.contains("is an older copy of itself"), "{sentence}");
    cluster.save(next + 100).await;
}

#[tokio::test]
async fn two_copies_at_once_end_where_one_peer_has_seen_them() {
    let mut cluster = Cluster::started(3).await;
    go_on(&cluster, 0..5).await;
    let leader = cluster.leader().await;
    let copies = [leader, leader % 3 + 1];
    for older in copies {
        cluster.crash(older).await;
        put_aside(&cluster, older).await;
        cluster.start(older).await;
        go_on(&cluster, older * 10..older * 10 + 5).await;
    }
    for older in copies {
        cluster.crash(older).await;
        put_back(&cluster, older).await;
    }
    for older in copies {
        let node = cluster.start(older).await;
        ends_as_an_older_copy(&node).await;
    }
}

/// Nothing but the start itself was missed.
#[tokio::test]
async fn a_copy_from_before_the_last_start_ends_though_its_log_is_whole() {
    let mut cluster = Cluster::started(3).await;
    go_on(&cluster, 0..5).await;
    let older = cluster.leader().await % 3 + 1;
    cluster.crash(older).await;
    put_aside(&cluster, older).await;
    cluster.start(older).await;
    go_on(&cluster, 5..6).await;
    let start = cluster.nodes[&older].inner.identity.start;
    cluster.crash(older).await;
    // All of its log, under the identity of the copy.
    fs::copy(
        cluster.data_dir(ASIDE + older).join("identity"),
        cluster.data_dir(older).join("identity"),
    )
    .unwrap();
    let node = cluster.start(older).await;
    assert_eq!(node.inner.identity.start, start, "one number, two starts");
    ends_as_an_older_copy(&node).await;
}

#[tokio::test]
async fn a_peer_that_comes_up_later_ends_the_copy_by_what_it_kept_on_its_disk() {
    for keeps in [true, false] {
        let mut cluster = Cluster::started(3).await;
        go_on(&cluster, 0..5).await;
        let (older, peer) = (2, 3);
        cluster.crash(older).await;
        put_aside(&cluster, older).await;
        cluster.start(older).await;
        go_on(&cluster, 5..10).await;
        written(&cluster, peer, older).await;
        for node in 1..=3 {
            cluster.crash(node).await;
        }
        put_back(&cluster, older).await;
        if !keeps {
            fs::write(cluster.data_dir(peer).join("lives"), b"scribble").unwrap();
        }
        let node = cluster.start(older).await;
        eventually("it goes on alone", || node.is_compared()).await;
        assert_eq!(node.failed().now_or_never(), None);
        let other = cluster.start(peer).await;
        if keeps {
            ends_as_an_older_copy(&node).await;
        } else {
            // A memory that is lost stops nobody, and knows nothing.
            eventually("both know each other", || {
                other.inner.identity.reachable(older) && node.inner.identity.reachable(peer)
            })
            .await;
            assert_eq!(remembered(&other, &node).start, node.inner.identity.start);
            none_ended(&cluster);
        }
    }
}

#[tokio::test]
async fn a_copy_from_before_the_cluster_formed_ends() {
    let mut cluster = Cluster::new(3);
    let directory = cluster.data_dir(2);
    drop(DataDir::open(&Disk::real(), &directory, 2, Formats::OURS).unwrap());
    put_aside(&cluster, 2).await;
    cluster.start_all().await;
    go_on(&cluster, 0..5).await;
    cluster.crash(2).await;
    put_back(&cluster, 2).await;
    let node = cluster.start(2).await;
    ends_as_an_older_copy(&node).await;
    assert_eq!(node.cluster(), "", "it became part of the cluster");
}

#[tokio::test]
async fn a_node_takes_no_part_before_its_peers_were_asked_and_waits_for_none_that_is_silent() {
    let mut cluster = Cluster::started(3).await;
    cluster.save(1).await;
    let started = cluster.leader().await % 3 + 1;
    cluster.crash(started).await;
    let others: Vec<NodeId> = (1..=3).filter(|node| *node != started).collect();
    for other in &others {
        cluster.wires.freeze(*other);
    }
    let node = cluster.start(started).await;
    let honest = &cluster.nodes[&others[0]].inner.identity;
    let envelope = honest.envelope(started, &honest.members()[&started]);
    let vote = v1::VoteRequest {
        envelope: Some(envelope),
        ..v1::VoteRequest::default()
    };
    let answer = node.endpoint().vote(vote).await;
    assert!(
        matches!(&answer, Err(PeerError::Unavailable(why)) if why.contains("compares its data directory")),
        "{answer:?}"
    );
    assert!(!node.ready());
    eventually("it goes on without them", || node.is_compared()).await;
    none_ended(&cluster);
    for other in &others {
        cluster.wires.mend(*other);
    }
    cluster.save(2).await;
}

#[tokio::test]
async fn what_is_told_is_committed_and_durable() {
    let mut cluster = Cluster::faulty(3);
    // Disks hang here for as long as it takes.
    cluster.patience = patience(PATIENCE);
    cluster.start_all().await;
    cluster.save(0).await;
    let leader = cluster.leader().await;
    let node = cluster.nodes[&leader].clone();
    let log = |node: &RaftHandle| node.status().last_log_index;
    // Durable here alone: not committed.
    let followers = || cluster.faults.iter().filter(|(node, _)| **node != leader);
    followers().for_each(|(_, faults)| faults.hang(Kind::Log, Operation::Sync));
    let before = log(&node);
    let other = node.clone();
    let saving = runtime::spawn(async move { other.propose(create(1, 100)).await });
    eventually("the leader alone holds it", || {
        log(&node) > before
            && node
                .status()
                .log_load
                .is_some_and(|load| load.oldest_unsynced.is_none())
    })
    .await;
    assert!(
        promised(&node).entry.is_none_or(|entry| entry.index <= before),
        "uncommitted"
    );
    followers().for_each(|(_, faults)| faults.clear(Kind::Log, Operation::Sync));
    assert!(saved(&saving.await.unwrap()));
    // Committed without it: not durable here.
    let own = &cluster.faults[&leader];
    own.hang(Kind::Log, Operation::Sync);
    assert!(saved(&node.propose(create(2, 100)).await));
    assert!(
        node.table().get(&key(2)).is_some(),
        "it is applied where it is not durable"
    );
    let applied = node.status().applied_index;
    assert!(
        promised(&node).entry.is_none_or(|entry| entry.index < applied),
        "not durable"
    );
    own.clear(Kind::Log, Operation::Sync);
    eventually("it is told once it is", || {
        promised(&node).entry.map(|entry| entry.index) >= Some(applied)
    })
    .await;
}

/// Crashes, power cuts that lose what was not synced, tails that are truncated, and starts one after the other: each of them
/// many times, while everybody remembers everybody.
#[tokio::test]
async fn no_crash_no_power_cut_and_no_restart_makes_a_disk_look_older() {
    let mut cluster = Cluster::faulty(3);
    cluster.start_all().await;
    let mut users = 0..;
    for seed in 0..6_u64 {
        let node = seed % 3 + 1;
        for user in users.by_ref().take(3) {
            cluster.save(user).await;
        }
        // What a leader appended, and nobody else has.
        let leader = cluster.leader().await;
        cluster.wires.cut(leader);
        let alone = cluster.nodes[&leader].clone();
        let lost = runtime::spawn(async move { alone.propose(create(1_000 + seed, 100)).await });
        tokio::task::yield_now().await;
        match seed / 2 {
            0 => cluster.crash(node).await,
            1 => cluster.cut_power(&[node], |faults| faults.tear(seed)).await,
            _ => cluster.cut_power(&[1, 2, 3], |faults| faults.tear(seed)).await,
        }
        cluster.wires.mend(leader);
        cluster.start_all().await;
        for user in users.by_ref().take(3) {
            cluster.save(user).await;
        }
        drop(lost.await);
        eventually("all take part", || {
            cluster.nodes.values().all(RaftHandle::is_compared)
        })
        .await;
        none_ended(&cluster);
    }
}

#[tokio::test]
async fn saves_go_on_while_the_disk_does_not_take_what_is_remembered() {
    let mut cluster = Cluster::faulty(3);
    cluster.start_all().await;
    cluster.save_everywhere(0).await;
    for faults in cluster.faults.values() {
        faults.hang(Kind::Identity, Operation::Sync);
    }
    let hang = || {
        cluster
            .faults
            .values()
            .all(|faults| faults.hanging(Kind::Identity, Operation::Sync) > 0)
    };
    let (mut user, deadline) = (0, runtime::now() + PATIENCE);
    while !hang() {
        assert!(
            runtime::now() < deadline,
            "not every node writes what it remembers"
        );
        user += 1;
        cluster.save(user).await;
    }
    let terms = |cluster: &Cluster| -> BTreeMap<NodeId, u64> {
        (cluster.nodes.iter())
            .map(|(node, handle)| (*node, handle.status().term))
            .collect()
    };
    let before = terms(&cluster);
    for more in 1..20 {
        cluster.save(user + more).await;
    }
    assert_eq!(terms(&cluster), before, "somebody was elected meanwhile");
    for faults in cluster.faults.values() {
        faults.clear(Kind::Identity, Operation::Sync);
        faults.fail(Kind::Identity, Operation::Write, std::io::ErrorKind::StorageFull);
    }
    cluster.save(user + 20).await;
    none_ended(&cluster);
}

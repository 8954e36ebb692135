//! Disks that go back behind what they acknowledged, so little that no peer was told how far they had come: their leader knows.
//!
//! Broken once to see them fail: what is acknowledged goes to nobody's memory (the leader's consensus panics, or where it does
//! not hear of it the copy serves on); openraft hears of a follower that lacks something (it panics in the leader); what is not
//! committed is remembered too ("uncommitted").

use futures::FutureExt;

use crate::faults::{Kind, Operation};
use crate::raft::{NodeId, RaftHandle};
use crate::runtime;

use super::cluster::{Cluster, PATIENCE, eventually, patience};
use super::copies::{ends_as_an_older_copy, go_on, none_ended, put_aside, put_back, remembered, written};
use super::{create, key, saved};

/// How far a follower is, as its leader has it.
fn matched(leader: &RaftHandle, follower: NodeId) -> Option<u64> {
    let members = leader.status().members.into_iter();
    let mut of = members.filter(|member| member.node == follower);
    of.next()?.matched_index
}

/// Lets a follower acknowledge some saves of which nobody but its leader knows, ends it and puts its disk back to the state of
/// before. Gives the leader and the follower.
async fn go_back(cluster: &mut Cluster) -> (NodeId, NodeId) {
    go_on(cluster, 0..5).await;
    let leader = cluster.leader().await;
    let older = leader % 3 + 1;
    for peer in (1..=3).filter(|peer| *peer != older) {
        written(cluster, older, peer).await;
    }
    cluster.wires.estrange(older);
    put_aside(cluster, older).await;
    let before = remembered(&cluster.nodes[&leader], &cluster.nodes[&older]).start;
    for user in 5..10 {
        cluster.save(user).await;
    }
    let node = &cluster.nodes[&leader];
    let last = node.status().committed_index;
    eventually("it acknowledged all", || matched(node, older) >= Some(last)).await;
    assert_eq!(remembered(node, &cluster.nodes[&older]).start, before);
    cluster.crash(older).await;
    put_back(cluster, older).await;
    (leader, older)
}

#[tokio::test]
async fn a_copy_of_moments_ago_is_told_by_its_leader_and_takes_no_part() {
    let mut cluster = Cluster::started(3).await;
    let (leader, older) = go_back(&mut cluster).await;
    cluster.wires.mend(older);
    let node = cluster.start(older).await;
    ends_as_an_older_copy(&node).await;
    cluster.crash(older).await;
    none_ended(&cluster);
    assert_eq!(cluster.leader().await, leader);
    cluster.save(10).await;
}

#[tokio::test]
async fn a_leader_outlives_a_follower_that_lacks_what_it_acknowledged() {
    let mut cluster = Cluster::started(3).await;
    let (leader, older) = go_back(&mut cluster).await;
    let node = cluster.start(older).await;
    let leads = &cluster.nodes[&leader];
    let lives = &leads.inner.identity.lives;
    eventually("it lacks something", || {
        assert_eq!(leads.failed().now_or_never(), None, "the leader ended");
        lives.acknowledgements().is_lacking(node.inner.identity.disk)
    })
    .await;
    let term = leads.status().term;
    cluster.save(10).await;
    assert!(node.table().get(&key(10)).is_none(), "it was led on");
    assert_eq!(leads.status().term, term);
    // What it could not be told before.
    cluster.wires.mend(older);
    ends_as_an_older_copy(&node).await;
    drop(node);
    cluster.crash(older).await;
    none_ended(&cluster);
    cluster.save(11).await;
}

#[tokio::test]
async fn what_a_leader_remembers_of_a_follower_is_committed() {
    let mut cluster = Cluster::faulty(3);
    // A disk hangs here for as long as it takes.
    cluster.patience = patience(PATIENCE);
    cluster.start_all().await;
    go_on(&cluster, 0..2).await;
    let leader = cluster.leader().await;
    let (follower, cut) = (leader % 3 + 1, (leader + 1) % 3 + 1);
    let (node, other) = (&cluster.nodes[&leader], &cluster.nodes[&follower]);
    cluster.wires.cut(cut);
    let own = &cluster.faults[&leader];
    own.hang(Kind::Log, Operation::Sync);
    let committed = node.status().committed_index;
    let proposer = node.clone();
    let saving = runtime::spawn(async move { proposer.propose(create(2, 100)).await });
    eventually("the follower alone has it", || {
        matched(node, follower) > Some(committed)
    })
    .await;
    let known = remembered(node, other).entry.unwrap();
    assert!(known.index <= committed, "uncommitted");
    own.clear(Kind::Log, Operation::Sync);
    assert!(saved(&saving.await.unwrap()));
    let last = node.status().committed_index;
    eventually("it is remembered once it is", || {
        remembered(node, other).entry.unwrap().index >= last
    })
    .await;
    none_ended(&cluster);
}

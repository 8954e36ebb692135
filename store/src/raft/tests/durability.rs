//! What was acknowledged stays.

use super::cluster::{Cluster, eventually};
use super::{create, key, saved};

#[tokio::test]
async fn a_single_node_keeps_its_saves_over_a_restart() {
    let mut cluster = Cluster::started(1).await;
    for user in 0..20 {
        cluster.save(user).await;
    }
    cluster.crash(1).await;
    let node = cluster.start(1).await;
    cluster.leader().await;
    node.barrier().await.unwrap();
    assert!((0..20).all(|user| node.table().get(&key(user)).is_some()));
}

#[tokio::test]
async fn saves_survive_the_loss_of_the_leader() {
    let mut cluster = Cluster::started(3).await;
    for user in 0..20 {
        cluster.save(user).await;
    }
    let leader = cluster.leader().await;
    cluster.crash(leader).await;
    cluster.save(20).await;
    let next = cluster.lead().await;
    next.barrier().await.unwrap();
    assert!((0..=20).all(|user| next.table().get(&key(user)).is_some()));
    let returned = cluster.start(leader).await;
    eventually("the dead node has what it missed", || {
        returned.table().get(&key(20)).is_some()
    })
    .await;
}

#[tokio::test]
async fn a_restart_of_all_nodes_keeps_every_save() {
    let mut cluster = Cluster::started(3).await;
    for user in 0..50 {
        cluster.save(user).await;
    }
    for node in 1..=3 {
        cluster.crash(node).await;
    }
    for node in 1..=3 {
        cluster.start(node).await;
    }
    let leader = cluster.lead().await;
    leader.barrier().await.unwrap();
    assert!((0..50).all(|user| leader.table().get(&key(user)).is_some()));
}

#[tokio::test]
async fn many_saves_at_once_are_each_answered_once() {
    let cluster = Cluster::started(3).await;
    // A leader that was elected this moment may refuse until its first round was answered.
    cluster.save(2_000).await;
    let leader = cluster.lead().await;
    let answers = futures::future::join_all((0..2_000).map(|user| leader.propose(create(user, 1_000)))).await;
    assert!(
        answers.iter().all(saved),
        "{:?}",
        answers.iter().find(|answer| !saved(answer))
    );
    let entries = leader.status().applied_index;
    assert!(
        entries < 200,
        "2000 proposals became {entries} entries: they are not packed"
    );
}

#[tokio::test]
async fn a_node_whose_log_was_emptied_does_not_start_and_the_others_go_on() {
    let mut cluster = Cluster::started(3).await;
    for user in 0..5 {
        cluster.save(user).await;
    }
    let leader = cluster.leader().await;
    cluster.crash(leader).await;
    cluster.released(leader).await;
    std::fs::remove_dir_all(cluster.data_dir(leader).join("log")).unwrap();
    let sentence = cluster.refusal(|| cluster.settings(leader)).await;
    assert!(
        sentence.contains("this disk lost a part of its log"),
        "{sentence}"
    );
    assert!(sentence.contains("Keep the other nodes running"), "{sentence}");
    cluster.save(5).await;
    let next = cluster.lead().await;
    next.barrier().await.unwrap();
    assert!((0..=5).all(|user| next.table().get(&key(user)).is_some()));
}

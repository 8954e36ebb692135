//! Who leads, who may vote, and what a node that does not lead answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use remora_proto::v1;

use crate::raft::{Answer, PeerError, Refusal, Role};

use super::cluster::{Cluster, eventually};
use super::{create, saved};

#[tokio::test]
async fn three_nodes_form_one_cluster_by_themselves() {
    let cluster = Cluster::started(3).await;
    let leader = cluster.lead().await;
    eventually("all are ready and agree", || {
        cluster
            .nodes
            .values()
            .all(|node| node.ready() && node.cluster() == leader.cluster())
    })
    .await;
    let status = leader.status();
    assert_eq!(status.role, Role::Leader);
    assert_eq!(status.members.len(), 3);
    assert!(
        status
            .members
            .iter()
            .all(|member| member.voter && !member.client_address.is_empty())
    );
    assert_eq!(
        leader.client_addresses(),
        ["10.0.0.1:7400", "10.0.0.2:7400", "10.0.0.3:7400"]
    );
}

#[tokio::test]
async fn a_follower_refuses_and_names_the_leader() {
    let cluster = Cluster::started(3).await;
    let leader = cluster.leader().await;
    let follower = &cluster.nodes[&(leader % 3 + 1)];
    eventually("the follower knows", || {
        follower.leadership().borrow().leader == Some(leader)
    })
    .await;
    let refusal = Refusal::NotLeader { leader: Some(leader) };
    assert_eq!(follower.propose(create(1, 10)).await, Answer::Refused(refusal));
    assert_eq!(follower.barrier().await, Err(refusal));
}

#[tokio::test]
async fn a_leader_without_a_majority_proposes_and_reads_nothing() {
    let cluster = Cluster::started(3).await;
    cluster.save(1).await;
    let leader = cluster.leader().await;
    cluster.wires.cut(leader);
    let node = &cluster.nodes[&leader];
    let answer = node.barrier().await;
    assert!(answer.is_err(), "a cut-off leader answered a read");
    eventually("it is not ready", || !node.ready()).await;
    eventually("it says so", || !node.leadership().borrow().leading).await;
    let answer = node.propose(create(2, 10)).await;
    assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
    cluster.wires.mend(leader);
    eventually("it is ready again", || node.ready()).await;
}

#[tokio::test]
async fn a_stopping_leader_hands_over_first() {
    let mut cluster = Cluster::started(3).await;
    cluster.save(1).await;
    let old = cluster.leader().await;
    let handle = cluster.nodes.remove(&old).unwrap();
    let others: Vec<_> = cluster.nodes.values().cloned().collect();
    let stopping = tokio::spawn(async move {
        let began = Instant::now();
        handle.stop().await;
        began.elapsed()
    });
    let began = Instant::now();
    eventually("another leads", || {
        others.iter().any(|node| node.leadership().borrow().leading)
    })
    .await;
    let gap = began.elapsed();
    // Without a hand-over the others wait a whole leader lease (400 ms) before anybody stands.
    assert!(gap < Duration::from_millis(350), "leadership moved after {gap:?}");
    assert!(stopping.await.unwrap() < Duration::from_secs(3));
    let leader = cluster.lead().await;
    assert!(saved(&leader.propose(create(2, 10)).await));
}

#[tokio::test]
async fn a_restarted_node_gives_no_vote_at_first() {
    let mut cluster = Cluster::started(3).await;
    cluster.save(1).await;
    let leader = cluster.leader().await;
    let voter = leader % 3 + 1;
    let status = cluster.nodes[&leader].status();
    let disk = |node: u64| cluster.nodes[&node].inner.identity.disk.0;
    let cluster_id = cluster.nodes[&leader].inner.identity.cluster().unwrap().0;
    let request = v1::VoteRequest {
        envelope: Some(v1::Envelope {
            cluster: cluster_id,
            group: 0,
            from_node: leader,
            from_disk: disk(leader),
            to_node: voter,
            to_disk: disk(voter),
        }),
        vote: Some(v1::Vote {
            term: status.term + 5,
            node: leader,
            committed: false,
        }),
        last_log: Some(v1::LogPosition {
            term: status.term,
            index: 1_000,
        }),
        leadership_transfer: false,
        pre_vote: true,
    };
    cluster.timers.election_max = Duration::from_secs(30);
    cluster.crash(voter).await;
    let restarted = cluster.start(voter).await;
    let refused = restarted.endpoint().vote(request).await;
    assert!(matches!(refused, Err(PeerError::Unavailable(_))), "{refused:?}");
    let handed_over = v1::VoteRequest {
        leadership_transfer: true,
        ..request
    };
    restarted.endpoint().vote(handed_over).await.unwrap();
}

#[tokio::test]
async fn idle_leaders_keep_table_time_moving_only_for_sessions() {
    let cluster = Cluster::started(1).await;
    let node = cluster.lead().await;
    let idle = node.status().applied_index;
    cluster.save(1).await;
    let saved = node.table().table_time();
    eventually("a tick moved table time", || node.table().table_time() > saved).await;
    assert!(idle <= 2, "an empty table was ticked: {idle} entries");
    let _ = Arc::new(node);
}

//! How a node waits to be added to a cluster.

use futures::FutureExt;
use remora_proto::v1;

use crate::raft::types::Member;
use crate::raft::{PeerError, RaftHandle, Role, Settings};

use super::cluster::{Cluster, eventually};

/// A message of the cluster to this node, naming this disk.
fn envelope(cluster: &Cluster, to: u64, disk: u64) -> v1::Envelope {
    let from = &cluster.nodes[&1].inner.identity;
    v1::Envelope {
        to_node: to,
        to_disk: disk,
        ..from.envelope(2, &from.members()[&2])
    }
}

fn waits(node: &RaftHandle) -> bool {
    let status = node.status();
    node.waiting().is_some() && (status.role, status.cluster.as_str()) == (Role::Waiting, "")
}

#[tokio::test]
async fn a_node_that_waits_neither_votes_nor_ends_and_says_how_it_is_added() {
    let mut cluster = Cluster::started(3).await;
    cluster.save(1).await;
    let node = cluster.start_joining(4).await;
    let disk = node.status().disk;
    let sentence = node.waiting().unwrap();
    for part in ["nodes add 4 10.0.0.4:7500", "nodes replace 4", &disk.to_string()] {
        assert!(sentence.contains(part), "{part} is not in {sentence}");
    }
    let request = v1::VoteRequest {
        envelope: Some(envelope(&cluster, 4, disk.0)),
        vote: Some(v1::Vote {
            term: 9,
            node: 1,
            committed: false,
        }),
        ..v1::VoteRequest::default()
    };
    for pre_vote in [true, false] {
        let request = v1::VoteRequest { pre_vote, ..request };
        let answer = node.endpoint().vote(request).await;
        assert!(matches!(answer, Err(PeerError::Unavailable(_))), "{answer:?}");
    }
    let other = node
        .inner
        .identity
        .check(Some(&envelope(&cluster, 4, disk.0 ^ 1)));
    assert!(matches!(other, Err(PeerError::Refused(_))), "{other:?}");
    assert!(node.failed().now_or_never().is_none(), "it ended");
    assert!(waits(&node));
}

/// A directory that was to be added, and whose node is started without a word of that, would otherwise become a cluster of
/// one.
#[tokio::test]
async fn a_directory_that_was_to_be_added_never_forms_a_cluster() {
    let mut cluster = Cluster::started(3).await;
    cluster.save(1).await;
    cluster.start_joining(4).await;
    cluster.crash(4).await;
    let settings = cluster.settings(4);
    let node = cluster
        .try_start_by(Settings {
            join: Vec::new(),
            ..settings
        })
        .await
        .unwrap();
    eventually("it could have formed by now", || {
        node.inner.identity.joins() && node.inner.endpoint.introduction().waits
    })
    .await;
    cluster.save(2).await;
    assert!(waits(&node));
}

#[tokio::test]
async fn the_first_cluster_that_names_its_disk_has_it() {
    let mut cluster = Cluster::started(3).await;
    cluster.save(1).await;
    let node = cluster.start_joining(4).await;
    let leader = cluster.lead().await;
    let disk = node.status().disk;
    let member = |disk| Member {
        peer_address: "10.0.0.4:7500".to_owned(),
        client_address: "10.0.0.4:7400".to_owned(),
        disk,
        cluster: leader.inner.identity.cluster().unwrap(),
    };
    leader
        .inner
        .raft
        .add_learner(4, member(disk), false)
        .await
        .unwrap();
    eventually("it has what was saved", || node.table().sessions() == 1).await;
    assert_eq!(
        (node.waiting(), node.cluster(), node.status().role),
        (None, leader.cluster(), Role::Learner)
    );
}

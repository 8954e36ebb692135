//! Who belongs to a cluster, and which disk.

use std::collections::BTreeMap;
use std::time::Duration;

use remora_proto::v1;

use crate::raft::{Fate, PeerError, Settings};

use super::cluster::{Cluster, PATIENCE, eventually};

#[tokio::test]
async fn no_cluster_forms_while_a_node_is_absent() {
    let mut cluster = Cluster::new(3);
    cluster.start(1).await;
    cluster.start(2).await;
    eventually("the two know each other", || {
        cluster.nodes[&1].inner.identity.reachable(2) && cluster.nodes[&2].inner.identity.reachable(1)
    })
    .await;
    assert_eq!(cluster.nodes[&1].cluster(), "");
    cluster.start(3).await;
    cluster.save(1).await;
}

#[tokio::test]
async fn an_emptied_data_directory_of_a_known_node_ends_the_node() {
    let mut cluster = Cluster::started(3).await;
    cluster.save(1).await;
    let emptied = cluster.leader().await % 3 + 1;
    cluster.crash(emptied).await;
    cluster.take_away(emptied).await;
    let node = cluster.start(emptied).await;
    let sentence = tokio::time::timeout(PATIENCE, node.failed()).await.unwrap();
    assert!(sentence.contains("emptied or swapped"), "{sentence}");
    assert_eq!(node.cluster(), "", "the emptied node became part of the cluster");
    cluster.save(2).await;
}

#[tokio::test]
async fn a_data_directory_of_another_cluster_ends_its_node_and_no_other() {
    let (mut cluster, mut other) = (Cluster::started(3).await, Cluster::started(3).await);
    cluster.save(1).await;
    other.save(1).await;
    // The strayed node comes up beside one peer at first, which must not take its word for the cluster's.
    for node in [1, 2] {
        cluster.crash(node).await;
    }
    other.crash(1).await;
    cluster.take_away(1).await;
    std::fs::rename(other.data_dir(1), cluster.data_dir(1)).unwrap();
    let strayed = cluster.start(1).await;
    let healthy = cluster.start(2).await;
    let sentence = tokio::time::timeout(PATIENCE, strayed.failed()).await.unwrap();
    assert!(sentence.contains("most nodes of --cluster"), "{sentence}");
    assert!(
        futures::FutureExt::now_or_never(healthy.failed()).is_none(),
        "a healthy node ended"
    );
    cluster.crash(1).await;
    cluster.save(2).await;
}

#[tokio::test]
async fn a_message_for_another_disk_node_or_cluster_is_refused() {
    let cluster = Cluster::started(3).await;
    cluster.save(1).await;
    let (from, to) = (&cluster.nodes[&1].inner.identity, &cluster.nodes[&2]);
    let members = from.members();
    let honest = from.envelope(2, &members[&2]);
    to.inner.identity.check(Some(&honest)).unwrap();
    let wrong = |change: fn(&mut v1::Envelope)| {
        let mut envelope = honest;
        change(&mut envelope);
        to.inner.identity.check(Some(&envelope))
    };
    let refused = |result: Result<(), PeerError>| matches!(result, Err(PeerError::Refused(_)));
    assert!(refused(wrong(|envelope| envelope.cluster ^= 1)));
    assert!(refused(wrong(|envelope| envelope.to_node = 3)));
    assert!(refused(wrong(|envelope| envelope.group = 1)));
    assert!(refused(wrong(|envelope| envelope.to_disk ^= 1)));
    assert!(matches!(
        to.inner.identity.check(None),
        Err(PeerError::Malformed(_))
    ));
}

/// When whoever came was believed, clients were sent to an address that a stranger named, and each number that one made up
/// was kept.
#[tokio::test]
async fn nobody_is_believed_who_only_says_that_it_is_a_peer() {
    let cluster = Cluster::started(3).await;
    cluster.save(1).await;
    let node = &cluster.nodes[&1];
    let known = ["10.0.0.1:7400", "10.0.0.2:7400", "10.0.0.3:7400"];
    eventually("all addresses are known", || node.client_addresses() == known).await;
    let honest = cluster.nodes[&2].endpoint().introduction();
    for stranger in 2..1_000 {
        let forged = v1::Introduction {
            node: stranger,
            client_address: "evil.example:1".to_owned(),
            ..honest.clone()
        };
        let request = v1::IntroduceRequest {
            from: Some(forged.clone()),
            to_node: 1,
        };
        node.endpoint().introduce(request).await.unwrap();
        assert_eq!(node.client_addresses(), known);
        if stranger > 3 {
            assert!(node.inner.identity.introduced(&forged).is_err());
            node.inner.identity.heard(stranger);
        }
    }
    let other_disk = v1::Introduction {
        disk: honest.disk ^ 1,
        client_address: "evil.example:1".to_owned(),
        ..honest
    };
    assert!(node.inner.identity.introduced(&other_disk).is_err());
    assert_eq!(node.client_addresses(), known);
    assert!(!node.inner.identity.reachable(4));
}

#[tokio::test]
async fn all_nodes_learn_where_one_is_reached_from_now_on() {
    let cluster = Cluster::started(3).await;
    cluster.save(1).await;
    cluster.nodes[&1].advertise("10.0.1.1:7400".to_owned());
    let moved = ["10.0.1.1:7400", "10.0.0.2:7400", "10.0.0.3:7400"];
    eventually("all know the new address", || {
        (cluster.nodes.values()).all(|node| node.client_addresses() == moved)
    })
    .await;
}

#[tokio::test]
async fn a_data_directory_of_another_node_is_refused() {
    let mut cluster = Cluster::started(1).await;
    cluster.save(1).await;
    cluster.crash(1).await;
    let sentence = cluster
        .refusal(|| Settings {
            node: 2,
            ..cluster.settings(1)
        })
        .await;
    assert!(sentence.contains("belongs to node 1"), "{sentence}");
}

#[tokio::test]
async fn a_cluster_list_without_this_node_is_refused() {
    let cluster = Cluster::new(3);
    let sentence = cluster
        .refusal(|| Settings {
            node: 4,
            ..cluster.settings(1)
        })
        .await;
    assert!(sentence.contains("--cluster does not name node 4"), "{sentence}");
}

#[tokio::test]
async fn a_minority_neither_saves_nor_forms_anything_new() {
    let mut cluster = Cluster::started(3).await;
    cluster.save(1).await;
    let survivor = cluster.leader().await;
    for node in (1..=3).filter(|node| *node != survivor) {
        cluster.crash(node).await;
    }
    let node = cluster.nodes[&survivor].clone();
    eventually("the survivor notices", || !node.leadership().borrow().leads()).await;
    let answer = tokio::time::timeout(Duration::from_secs(1), node.propose(super::create(2, 10))).await;
    assert!(matches!(answer, Ok(Fate::Refused(_))), "{answer:?}");
}

/// A member that was added since this node heard of the membership may hold what nobody else does: if only those were heard who
/// are known, it could not be elected, and nobody else either.
#[tokio::test]
async fn a_sender_that_is_not_known_yet_is_heard() {
    let cluster = Cluster::started(3).await;
    cluster.save(1).await;
    let (from, to) = (&cluster.nodes[&1].inner.identity, &cluster.nodes[&2]);
    let honest = from.envelope(2, &from.members()[&2]);
    let later = v1::Envelope {
        from_node: 4,
        from_disk: 0x99,
        ..honest
    };
    let replaced = v1::Envelope {
        from_disk: 0x99,
        ..honest
    };
    for envelope in [later, replaced] {
        to.inner.identity.check(Some(&envelope)).unwrap();
    }
}

#[tokio::test]
async fn the_membership_counts_where_the_cluster_list_says_otherwise() {
    let mut cluster = Cluster::started(3).await;
    cluster.save_everywhere(1).await;
    cluster.crash(1).await;
    cluster.released(1).await;
    let told_nothing = Settings {
        cluster: BTreeMap::new(),
        ..cluster.settings(1)
    };
    let node = cluster.try_start_by(told_nothing).await.unwrap();
    eventually("it is one of three again", || {
        node.ready() && node.status().members.len() == 3
    })
    .await;
    cluster.save(2).await;
}

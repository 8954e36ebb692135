//! Who stands when, over disks that hang and processes that die.
//!
//! Broken once to see it fail: heartbeats answered by openraft alone (the rounds of the first test end); a stream's end that
//! nobody looks at (the second waits for the lease); a pre-vote refused to whoever has a lower term (the third stands in vain).

use std::time::Duration;

use crate::faults::{Kind, Operation};
use crate::raft::Timers;
use crate::runtime;

use super::cluster::{Cluster, eventually, patience};

/// Longer than any test waits.
const NEVER: Duration = Duration::from_secs(300);

/// How often a leader's death is tried: one vote in a few gets lost on a busy machine, three in a row do not.
const TRIES: u32 = 3;
/// How long one of these may take: a hundred times as long as it does.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(10);

/// Rounds that show that a leader goes on, at four a second: more than a lease of any kind lasts.
const ROUNDS: u64 = 12;

#[tokio::test]
async fn a_leader_goes_on_while_the_disks_of_its_followers_hang() {
    let mut cluster = Cluster::faulty(3);
    cluster.patience = patience(NEVER);
    cluster.start_all().await;
    cluster.save(1).await;
    let leader = cluster.leader().await;
    let term = cluster.nodes[&leader].status().term;
    for (node, faults) in &cluster.faults {
        if *node != leader {
            faults.hang(Kind::Log, Operation::Sync);
        }
    }
    let hanging = runtime::spawn({
        let node = cluster.nodes[&leader].clone();
        async move { node.propose(super::create(2, 100)).await }
    });
    let rounds = cluster.nodes[&leader].rounds();
    let before = rounds.borrow().map_or(0, |round| round.number);
    eventually("rounds go on", || {
        rounds
            .borrow()
            .is_some_and(|round| round.number >= before + ROUNDS)
    })
    .await;
    assert!(!hanging.is_finished(), "nothing was committed");
    for faults in cluster.faults.values() {
        faults.clear(Kind::Log, Operation::Sync);
    }
    assert!(super::saved(&hanging.await.unwrap()));
    assert_eq!(cluster.nodes[&leader].status().term, term);
}

#[tokio::test]
async fn a_dead_process_is_followed_before_any_timer() {
    // A vote that gets lost on a busy machine is asked for again when a timer says so, and here none does.
    for _ in 0..TRIES {
        let mut cluster = Cluster::new(3);
        cluster.timers = Timers {
            election_max: NEVER,
            ..cluster.timers
        };
        let followed = tokio::time::timeout(FOLLOWED_WITHIN, follows_a_dead_process(&mut cluster));
        if followed.await.is_ok() {
            return;
        }
    }
    panic!("nobody followed a dead process");
}

async fn follows_a_dead_process(cluster: &mut Cluster) {
    cluster.start_all().await;
    // Who does not know the members yet does not stand.
    cluster.save_everywhere(1).await;
    let leader = cluster.leader().await;
    cluster.crash(leader).await;
    cluster.save(2).await;
    assert_ne!(cluster.leader().await, leader);
}

#[tokio::test]
async fn whoever_stands_takes_over_the_highest_term_that_it_hears_of() {
    let mut cluster = Cluster::started(3).await;
    // Who does not know the members yet does not stand.
    cluster.save_everywhere(1).await;
    let leader = cluster.leader().await;
    let (ahead, behind) = (leader % 3 + 1, (leader + 1) % 3 + 1);
    // It misses a save, so only the other can lead; and it has seen a term that the other has not.
    cluster.wires.cut(ahead);
    cluster.save(2).await;
    for _ in 0..3 {
        cluster.nodes[&ahead]
            .inner
            .raft
            .trigger()
            .elect(false)
            .await
            .unwrap();
    }
    let term = cluster.nodes[&leader].status().term;
    eventually("the terms differ", || cluster.nodes[&ahead].status().term > term).await;
    cluster.crash(leader).await;
    cluster.wires.mend(ahead);
    cluster.save(3).await;
    assert_eq!(cluster.leader().await, behind);
}

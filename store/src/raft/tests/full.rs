//! Disks that fill together: a log without room ends nothing by itself, of several nodes one ends at most, and where there is room
//! again all goes on.
//!
//! Broken once to see them fail: whoever lacks room may end (they ended one after the other, as did the one that is alone); what
//! waited for room counts as having waited for the disk (where there was room again they ended as if their disks hung, sometimes
//! all of them, and nobody led); a leader hands over to one that has no room either (nobody is read); whoever ends waits for room
//! (it never ends).

use std::time::Duration;

use futures::FutureExt;

use crate::faults::{Kind, Operation};
use crate::runtime;

use super::cluster::{Cluster, PATIENCE, eventually};
use super::faults::{Acknowledged, Burst};

/// Small enough that a reserve is spent at once.
const SEGMENT: u64 = 64 << 10;

/// After so long a node whose log lacks room may end: long enough to learn from its peers how they are.
const LIFE: Duration = Duration::from_millis(1_500);

/// Bytes that are enough for such a log, and not for one of the usual size.
const SPENT: u64 = 1 << 20;

/// How long a slow disk takes: long enough that a node looks at it meanwhile, short enough that it does not hang.
const SLOW: Duration = Duration::from_millis(200);

impl Cluster {
    /// How long the log of a node has been waiting for room.
    fn lacks_room(&self, node: u64) -> Option<Duration> {
        self.nodes[&node].status().log_load?.lacks_room
    }

    /// The nodes whose log waits for room.
    fn without_room(&self) -> Vec<u64> {
        let nodes = self.nodes.keys().copied();
        nodes.filter(|node| self.lacks_room(*node).is_some()).collect()
    }

    /// The nodes that ended by themselves.
    fn ended(&self) -> Vec<u64> {
        let ended = self.nodes.iter();
        let ended = ended.filter(|(_, node)| node.failed().now_or_never().is_some());
        ended.map(|(number, _)| *number).collect()
    }

    /// A cluster of such logs, with the reserve that they begin with.
    async fn of_small_logs(size: u64) -> Self {
        let mut cluster = Self::faulty(size);
        cluster.segment_bytes = SEGMENT;
        cluster.patience.life = LIFE;
        cluster.start_all().await;
        cluster.save(0).await;
        let is_whole = |node: &u64| {
            let load = cluster.nodes[node].status().log_load;
            load.is_some_and(|load| load.spare_bytes >= 4 * SEGMENT)
        };
        eventually("every log has its reserve", || cluster.nodes.keys().all(is_whole)).await;
        cluster
    }

    /// Whether some have waited for room longer than a node does before it may end, and as long again for the next one.
    fn waited_long(&self) -> bool {
        let longest = self.nodes.keys().filter_map(|node| self.lacks_room(*node)).max();
        longest.is_some_and(|longest| longest >= LIFE * 2)
    }
}

#[tokio::test]
async fn of_nodes_whose_disks_fill_together_one_ends_at_most_and_all_goes_on_with_room() {
    let mut cluster = Cluster::of_small_logs(3).await;
    let acknowledged = Acknowledged::default();
    let burst = Burst::begin(&cluster, &acknowledged, 1..1_000_000);
    acknowledged.grows_by(1).await;
    cluster
        .faults
        .values()
        .for_each(|faults| faults.say_free(Some(0)));
    eventually("a majority lacks room", || cluster.without_room().len() > 1).await;
    eventually("they waited long, or one has ended", || {
        cluster.waited_long() || !cluster.ended().is_empty()
    })
    .await;
    for ended in cluster.ended() {
        cluster.crash(ended).await;
    }
    eventually("the others waited long", || cluster.waited_long()).await;
    assert!(cluster.nodes.len() > 1, "more than one ended");
    assert!(cluster.ended().is_empty(), "they ended one after the other");
    burst.end().await;

    for faults in cluster.faults.values() {
        faults.delay(Kind::Log, Operation::Sync, SLOW);
        faults.say_free(None);
    }
    eventually("there is room again", || cluster.without_room().is_empty()).await;
    cluster.save(2_000_000).await;
    for faults in cluster.faults.values() {
        faults.clear(Kind::Log, Operation::Sync);
    }
    cluster.start_all().await;
    let leader = cluster.lead().await;
    leader.barrier().await.unwrap();
    assert!(acknowledged.missing(&leader).is_empty());
}

#[tokio::test]
async fn whoever_has_waited_long_does_not_end_in_the_moment_in_which_there_is_room_again() {
    let cluster = Cluster::of_small_logs(3).await;
    let acknowledged = Acknowledged::default();
    let burst = Burst::begin(&cluster, &acknowledged, 1..1_000_000);
    // The last one could follow the others, and says that it has no room either.
    cluster.faults[&3].say_free(Some(SPENT));
    let know = || {
        [1, 2]
            .iter()
            .all(|node| cluster.nodes[node].inner.identity.is_spent(3))
    };
    eventually("they know of the last one", know).await;
    for node in [1, 2] {
        cluster.faults[&node].say_free(Some(0));
    }
    eventually("two lack room", || cluster.without_room() == [1, 2]).await;
    eventually("they waited long", || cluster.waited_long()).await;
    burst.end().await;
    for faults in cluster.faults.values() {
        // Only what makes files is slow: it is their making that takes long enough to end meanwhile.
        faults.delay(Kind::Directory, Operation::Sync, SLOW * 4);
        faults.say_free(None);
    }
    eventually("there is room again", || cluster.without_room().is_empty()).await;
    assert_eq!(cluster.ended(), [0; 0], "whose disk has room again ended");
}

#[tokio::test]
async fn a_node_that_is_alone_waits_for_room_and_goes_on() {
    let cluster = Cluster::of_small_logs(1).await;
    let acknowledged = Acknowledged::default();
    let burst = Burst::begin(&cluster, &acknowledged, 1..1_000_000);
    cluster.faults[&1].say_free(Some(0));
    eventually("it waited long", || cluster.waited_long()).await;
    assert!(cluster.ended().is_empty());
    let node = &cluster.nodes[&1];
    node.barrier().await.expect("who reads needs no disk");
    assert!(!node.ready() && !node.leadership().borrow().leads());
    cluster.faults[&1].delay(Kind::Log, Operation::Sync, SLOW);
    cluster.faults[&1].say_free(None);
    acknowledged.grows_by(1).await;
    assert!(
        cluster.ended().is_empty(),
        "it took its full disk for one that hung"
    );
    burst.end().await;
    assert!(acknowledged.missing(node).is_empty());
}

#[tokio::test]
async fn a_leader_whose_followers_have_no_room_either_stays_and_is_read() {
    let cluster = Cluster::of_small_logs(3).await;
    let leader = cluster.leader().await;
    let node = &cluster.nodes[&leader];
    for faults in cluster.faults.values() {
        faults.say_free(Some(0));
    }
    let spent = |follower| node.inner.identity.is_spent(follower);
    eventually("it knows how they are", || {
        (1..=3).all(|follower| follower == leader || spent(follower))
    })
    .await;
    let acknowledged = Acknowledged::default();
    let burst = Burst::begin(&cluster, &acknowledged, 1..1_000_000);
    eventually("it takes nothing", || node.inner.identity.lacks_room()).await;
    node.barrier().await.expect("who reads needs no disk");
    for faults in cluster.faults.values() {
        faults.say_free(None);
    }
    acknowledged.grows_by(1).await;
    burst.end().await;
}

#[tokio::test]
async fn a_node_whose_vote_waits_for_room_can_be_ended() {
    let mut cluster = Cluster::of_small_logs(3).await;
    let acknowledged = Acknowledged::default();
    let burst = Burst::begin(&cluster, &acknowledged, 1..1_000_000);
    let full = cluster.leader().await % 3 + 1;
    cluster.faults[&full].say_free(Some(0));
    eventually("its log lacks room", || cluster.lacks_room(full).is_some()).await;
    let raft = cluster.nodes[&full].inner.raft.clone();
    raft.trigger().elect(false).await.unwrap();
    let deadline = runtime::now() + PATIENCE;
    while tokio::time::timeout(SLOW, raft.with_raft_state(|_| ()))
        .await
        .is_ok()
    {
        assert!(runtime::now() < deadline, "consensus does not wait for its vote");
    }
    let ended = tokio::time::timeout(PATIENCE, cluster.crash(full)).await;
    ended.expect("it never ends");
    acknowledged.grows_by(1).await;
    burst.end().await;
    cluster.faults[&full].say_free(None);
    let node = cluster.start(full).await;
    let committed = cluster.lead().await.status().committed_index;
    eventually("it catches up", || node.status().applied_index >= committed).await;
    assert!(acknowledged.missing(&node).is_empty());
}

#[tokio::test]
async fn a_leader_whose_disk_alone_is_full_hands_over_and_ends() {
    let cluster = Cluster::of_small_logs(3).await;
    let acknowledged = Acknowledged::default();
    let burst = Burst::begin(&cluster, &acknowledged, 1..1_000_000);
    acknowledged.grows_by(1).await;
    let full = cluster.leader().await;
    cluster.faults[&full].say_free(Some(0));
    eventually("its log lacks room", || cluster.lacks_room(full).is_some()).await;
    let leads = |node: u64| cluster.nodes[&node].leadership().borrow().leads();
    eventually("another node leads", || {
        (1..=3).any(|node| node != full && leads(node))
    })
    .await;
    acknowledged.grows_by(20).await;
    eventually("it ends", || cluster.ended() == [full]).await;
    acknowledged.grows_by(20).await;
    burst.end().await;
}

//! How nodes are added, replaced and removed.

use futures::FutureExt;
use openraft::ChangeMembers;
use openraft::async_runtime::watch::WatchReceiver;

use crate::raft::{ChangeError, PeerError, StepTaken, Verb, Wish};
use crate::runtime;

use super::cluster::{Cluster, PATIENCE, eventually};
use super::wires::Wires;

impl Cluster {
    /// Says the same to whoever leads until it is done or refused; gives what came of the steps, or the refusal.
    pub(super) async fn change(&self, verb: Verb, node: u64) -> Result<Vec<StepTaken>, String> {
        let wish = Wish {
            verb,
            node,
            peer_address: format!("10.0.0.{node}:7500"),
        };
        let deadline = runtime::now() + PATIENCE;
        let mut steps = Vec::new();
        while runtime::now() < deadline {
            match self.lead().await.change_members(&wish).await {
                Ok(done @ StepTaken::Done(_)) => {
                    steps.push(done);
                    return Ok(steps);
                }
                Ok(step) => steps.push(step),
                Err(ChangeError::Refused(sentence)) => return Err(sentence),
                Err(ChangeError::Passing(_)) => tokio::task::yield_now().await,
            }
        }
        panic!("{verb:?} {node} is never done: {steps:?}");
    }

    /// The voters, as the leader has them.
    async fn voters(&self) -> Vec<u64> {
        let status = self.lead().await.status();
        let voters = status.members.into_iter().filter(|member| member.voter);
        voters.map(|member| member.node).collect()
    }

    /// A node that does not lead.
    pub(super) async fn follower(&self) -> u64 {
        let leader = self.leader().await;
        *self.nodes.keys().find(|node| **node != leader).unwrap()
    }
}

#[tokio::test]
async fn a_node_is_added_catches_up_and_votes() {
    let mut cluster = Cluster::started(3).await;
    for user in 1..=20 {
        cluster.save(user).await;
    }
    let node = cluster.start_joining(4).await;
    let disk = node.status().disk;
    eventually("the cluster hears of it", || {
        let heard = cluster.nodes[&1].status().waiting;
        heard
            .iter()
            .any(|waiting| (waiting.node, waiting.disk) == (4, disk))
    })
    .await;
    let steps = cluster.change(Verb::Add, 4).await.unwrap();
    assert_eq!(steps.first(), Some(&StepTaken::Learns(disk)));
    assert_eq!(steps.last(), Some(&StepTaken::Done(Some(disk))));
    assert_eq!(cluster.voters().await, [1, 2, 3, 4]);
    eventually("it is ready", || node.ready()).await;
    assert_eq!(
        cluster.change(Verb::Add, 4).await,
        Ok(vec![StepTaken::Done(Some(disk))]),
        "said once more"
    );
    // Three of four are a majority only if the fourth votes.
    let follower = cluster.follower().await;
    cluster.crash(follower).await;
    cluster.save(21).await;
}

#[tokio::test]
async fn a_cluster_of_one_grows_and_shrinks() {
    let mut cluster = Cluster::started(1).await;
    cluster.save(1).await;
    for node in [2, 3] {
        cluster.start_joining(node).await;
        cluster.change(Verb::Add, node).await.unwrap();
    }
    assert_eq!(cluster.voters().await, [1, 2, 3]);
    cluster.crash(1).await;
    cluster.save(2).await;
    cluster.start(1).await;
    // Whoever leads hands over before it goes.
    let leader = cluster.leader().await;
    eventually("all are alive", || {
        let identity = &cluster.nodes[&leader].inner.identity;
        (1..=3).all(|node| identity.reachable(node))
    })
    .await;
    let steps = cluster.change(Verb::Remove, leader).await.unwrap();
    assert_eq!(
        steps,
        [StepTaken::HandedOver, StepTaken::Removed, StepTaken::Done(None)]
    );
    cluster.crash(leader).await;
    let other = cluster.follower().await;
    cluster.change(Verb::Remove, other).await.unwrap();
    cluster.crash(other).await;
    cluster.save(3).await;
    let last = cluster.leader().await;
    let sentence = cluster.change(Verb::Remove, last).await.unwrap_err();
    assert!(sentence.contains("the only voter"), "{sentence}");
    cluster.crash(last).await;
    let node = cluster.start(last).await;
    cluster.save(4).await;
    assert_eq!(node.table().sessions(), 4);
}

#[tokio::test]
async fn a_removed_disk_is_told_so_and_heard_by_nobody() {
    let mut cluster = Cluster::started(3).await;
    cluster.save_everywhere(1).await;
    let removed = cluster.follower().await;
    let node = cluster.nodes[&removed].clone();
    let to = cluster.leader().await;
    let members = node.inner.identity.members();
    let envelope = node.inner.identity.envelope(to, &members[&to]);
    cluster.change(Verb::Remove, removed).await.unwrap();
    let sentence = tokio::time::timeout(PATIENCE, node.failed()).await.unwrap();
    assert!(sentence.contains("was removed from cluster"), "{sentence}");
    let heard = cluster.nodes[&to].inner.identity.check(Some(&envelope));
    assert!(matches!(heard, Err(PeerError::Refused(_))), "{heard:?}");
    drop(node);
    cluster.crash(removed).await;
    cluster.save(2).await;

    // Over what it left, and over what it left as a node that is to be added: it is the same disk.
    for joining in [false, true] {
        let node = if joining {
            cluster.start_joining(removed).await
        } else {
            cluster.start(removed).await
        };
        let sentence = tokio::time::timeout(PATIENCE, node.failed()).await.unwrap();
        assert!(sentence.contains("was removed from cluster"), "{sentence}");
        let sentence = cluster.change(Verb::Add, removed).await.unwrap_err();
        assert!(sentence.contains("never taken again"), "{sentence}");
        cluster.crash(removed).await;
    }
    cluster.save(3).await;
}

#[tokio::test]
async fn an_empty_disk_takes_the_place_of_one_that_is_gone() {
    let mut cluster = Cluster::started(3).await;
    cluster.save(1).await;
    let gone = cluster.follower().await;
    cluster.crash(gone).await;
    cluster.take_away(gone).await;
    let sentence = cluster.change(Verb::Replace, gone).await.unwrap_err();
    assert!(sentence.contains("--join"), "{sentence}");
    let node = cluster.start_joining(gone).await;
    let disk = node.status().disk;
    let steps = cluster.change(Verb::Replace, gone).await.unwrap();
    assert_eq!(steps[..2], [StepTaken::Removed, StepTaken::Learns(disk)]);
    assert_eq!(cluster.voters().await, [1, 2, 3]);
    let another = (1..=3).find(|node| *node != gone).unwrap();
    cluster.crash(another).await;
    cluster.save(2).await;
}

#[tokio::test]
async fn a_peer_that_missed_a_replacement_does_not_end_the_new_disk() {
    let mut cluster = Cluster::started(5).await;
    cluster.save_everywhere(1).await;
    let leader = cluster.leader().await;
    let mut followers = (1..=5).filter(|node| *node != leader);
    let (behind, gone) = (followers.next().unwrap(), followers.next().unwrap());
    cluster.wires.cut(behind);
    cluster.crash(gone).await;
    cluster.take_away(gone).await;
    let node = cluster.start_joining(gone).await;
    cluster.change(Verb::Replace, gone).await.unwrap();

    // Nobody is left to tell that peer.
    for other in (1..=5).filter(|other| ![behind, gone].contains(other)) {
        cluster.wires.cut(other);
    }
    let asked = |wires: &Wires| (wires.introductions(gone, behind), wires.candidacies(behind));
    cluster.wires.mend(behind);
    let before = asked(&cluster.wires);
    // One of two introductions has come back; of eight votes, which four nodes are asked for, one went to the new disk.
    eventually("each has asked the other, and heard the answer", || {
        let now = asked(&cluster.wires);
        now.0 >= before.0 + 2 && now.1 >= before.1 + 8
    })
    .await;
    assert_eq!(node.failed().now_or_never(), None);
    (1..=5).for_each(|other| cluster.wires.mend(other));
    cluster.save(2).await;
}

#[tokio::test]
async fn no_change_leaves_voters_of_whom_no_majority_answers() {
    let mut cluster = Cluster::started(3).await;
    cluster.save(1).await;
    let leader = cluster.leader().await;
    let [dead, lives] = [1, 2].map(|step| (leader + step - 1) % 3 + 1);
    cluster.crash(dead).await;
    eventually("the death is noticed", || {
        !cluster.nodes[&leader].inner.identity.reachable(dead)
    })
    .await;
    let sentence = cluster.change(Verb::Remove, lives).await.unwrap_err();
    assert!(sentence.contains("no majority answers"), "{sentence}");
    cluster.change(Verb::Remove, dead).await.unwrap();
    cluster.save(2).await;
}

/// As when its leader dies between the two entries of a change.
#[tokio::test]
async fn a_change_that_was_left_half_done_is_finished_first() {
    let cluster = Cluster::started(3).await;
    cluster.save(1).await;
    let leader = cluster.lead().await;
    let removed = cluster.follower().await;
    let mut seen = leader.inner.raft.server_metrics();
    let half_done = async {
        while seen
            .borrow_watched()
            .membership_config
            .membership()
            .get_joint_config()
            .len()
            < 2
        {
            seen.changed().await.unwrap();
        }
    };
    let change = ChangeMembers::RemoveVoters([removed].into());
    tokio::select! {
        biased;
        () = half_done => {}
        changed = leader.inner.raft.change_membership(change, false) => panic!("it is done: {changed:?}"),
    }
    let steps = cluster.change(Verb::Remove, removed).await.unwrap();
    assert_eq!(steps, [StepTaken::Finished, StepTaken::Done(None)]);
    assert_eq!(cluster.voters().await.len(), 2);
}

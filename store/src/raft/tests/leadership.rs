//! Who leads, who may vote, and what a node that does not lead answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use remora_proto::v1;

use crate::raft::{Ask, Fate, PeerError, Refusal, Replies, Role, Timers};
use crate::runtime;

use super::cluster::{Cluster, eventually};
use super::{create, key, saved};

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
    // Before it has an entry of the leader's, a follower knows the vote and not whose it is.
    cluster.save_everywhere(1).await;
    let leader = cluster.leader().await;
    let follower = &cluster.nodes[&(leader % 3 + 1)];
    eventually("the follower knows", || {
        follower.leadership().borrow().leader == Some(leader)
    })
    .await;
    let refusal = Refusal::NotLeader { leader: Some(leader) };
    assert_eq!(follower.propose(create(2, 10)).await, Fate::Refused(refusal));
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
    eventually("it says so", || !node.leadership().borrow().leads()).await;
    let answer = node.propose(create(2, 10)).await;
    assert!(matches!(answer, Fate::Refused(_)), "{answer:?}");
    cluster.wires.mend(leader);
    eventually("it is ready again", || node.ready()).await;
}

#[tokio::test]
async fn a_stopping_leader_hands_over_first() {
    let mut cluster = Cluster::new(3);
    // A lease far longer than a hand-over takes on a busy machine: without one, the others would wait for all of it.
    let lease = Duration::from_secs(2);
    cluster.timers = Timers {
        heartbeat: Duration::from_millis(100),
        election_min: Duration::from_millis(300),
        election_max: lease,
    };
    for node in 1..=3 {
        cluster.start(node).await;
    }
    cluster.save(1).await;
    let old = cluster.leader().await;
    let handle = cluster.nodes.remove(&old).unwrap();
    let others: Vec<_> = cluster.nodes.values().cloned().collect();
    let stopping = runtime::spawn(async move { handle.stop().await });
    let began = runtime::now();
    eventually("another leads", || {
        others.iter().any(|node| node.leadership().borrow().leads())
    })
    .await;
    let gap = runtime::since(began);
    assert!(gap < lease, "leadership moved after {gap:?}");
    stopping.await.unwrap();
    cluster.save(2).await;
}

#[tokio::test]
async fn a_restarted_node_gives_no_vote_at_first() {
    let mut cluster = Cluster::started(3).await;
    // A disk that has stored nothing yet has promised nothing.
    cluster.save_everywhere(1).await;
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
            format: 1,
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
    eventually("it is known to be no older copy", || {
        restarted.inner.identity.takes_part()
    })
    .await;
    let refused = restarted.endpoint().vote(request).await;
    assert!(matches!(refused, Err(PeerError::Unavailable(_))), "{refused:?}");
    let handed_over = v1::VoteRequest {
        leadership_transfer: true,
        pre_vote: false,
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
}

#[tokio::test]
async fn a_node_that_was_cut_off_does_not_disturb_the_term() {
    let cluster = Cluster::started(3).await;
    // Who does not know the members yet does not stand.
    cluster.save_everywhere(1).await;
    let leader = cluster.leader().await;
    let term = cluster.nodes[&leader].status().term;
    let lonely = leader % 3 + 1;
    cluster.wires.cut(lonely);
    let node = &cluster.nodes[&lonely];
    let asked = cluster.wires.candidacies(lonely);
    // Two peers are asked each time.
    eventually("it stood three times", || {
        cluster.wires.candidacies(lonely) >= asked + 6
    })
    .await;
    cluster.wires.mend(lonely);
    eventually("it follows again", || node.ready()).await;
    assert_eq!(
        cluster.nodes[&leader].status().term,
        term,
        "pre-vote was granted without a majority"
    );
    assert_eq!(cluster.leader().await, leader);
}

/// Keeps answers by token.
#[derive(Default)]
struct Kept(Mutex<Vec<(u64, Fate)>>);

impl Replies for Kept {
    fn deliver(&self, answers: Vec<(u64, Fate)>) {
        self.0.lock().unwrap().extend(answers);
    }
}

fn asks(users: std::ops::Range<u64>) -> Vec<Ask> {
    users
        .map(|user| Ask {
            token: user,
            proposal: create(user, 100),
        })
        .collect()
}

#[tokio::test]
async fn what_a_deposed_leader_refused_never_happened() {
    let cluster = Cluster::started(3).await;
    cluster.save(0).await;
    let old = cluster.leader().await;
    let kept = Arc::new(Kept::default());
    let replies: Arc<dyn Replies> = Arc::<Kept>::clone(&kept);
    let others: Vec<_> = cluster.nodes.iter().filter(|(node, _)| **node != old).collect();
    let furthest = || others.iter().map(|(_, node)| node.status().last_log_index).max();
    // First it is heard but hears nothing, so that what it appends reaches the others unknown to it; then it is alone.
    let mut pace = tokio::time::interval(Duration::from_millis(1));
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut deaf_at = None;
    for user in 1..=500 {
        match user {
            100 => {
                cluster.wires.deafen(old);
                deaf_at = Some(cluster.nodes[&old].status().committed_index);
            }
            150 => {
                eventually("something is on its way", || furthest() > deaf_at).await;
                cluster.wires.cut(old);
            }
            _ => {}
        }
        cluster.nodes[&old].submit(asks(user..user + 1), &replies);
        pace.tick().await;
    }
    eventually("another leads", || {
        others.iter().any(|(_, node)| node.leadership().borrow().leads())
    })
    .await;
    cluster.wires.mend(old);
    eventually("every proposal is answered", || {
        kept.0.lock().unwrap().len() == 500
    })
    .await;
    cluster.save(2_000).await;
    let leader = cluster.lead().await;
    leader.barrier().await.unwrap();
    let answers = std::mem::take(&mut *kept.0.lock().unwrap());
    let mut tokens: Vec<u64> = answers.iter().map(|(token, _)| *token).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 500, "a proposal was answered twice");
    for (user, answer) in &answers {
        let there = leader.table().get(&key(*user)).is_some();
        assert!(
            !(there && matches!(answer, Fate::Refused(_))),
            "{user}: {answer:?}, but it is there"
        );
        assert!(there || !saved(answer), "{user}: {answer:?}, but it is lost");
    }
    let heard = answers
        .iter()
        .filter(|(user, answer)| (100..500).contains(user) && saved(answer));
    assert!(
        heard.count() > 0,
        "nothing was on its way when the leader went deaf: no claim"
    );
}

#[tokio::test]
async fn more_than_a_node_can_hold_is_refused_at_once() {
    let cluster = Cluster::started(1).await;
    let node = cluster.lead().await;
    let kept = Arc::new(Kept::default());
    let replies: Arc<dyn Replies> = Arc::<Kept>::clone(&kept);
    node.submit(asks(0..65_537), &replies);
    let answers = std::mem::take(&mut *kept.0.lock().unwrap());
    assert_eq!(answers.len(), 65_537);
    assert!(
        answers
            .iter()
            .all(|(_, answer)| *answer == Fate::Refused(Refusal::Overloaded))
    );
    assert!(saved(&node.propose(create(1, 10)).await));
}

/// With stamps that count from the origin of each node's own clock,
/// which differ by days, the session was gone after a few moves.
#[tokio::test]
async fn table_time_goes_on_alike_wherever_leadership_moves() {
    let cluster = Cluster::started(3).await;
    cluster.save(0).await;
    let (began, table_began) = (runtime::now(), cluster.lead().await.table().table_time());
    for moved in 1..=15 {
        cluster.move_leadership().await;
        cluster.save(moved).await;
    }
    let passed = runtime::since(began);
    let counted = cluster.lead().await.table().table_time().0 - table_began.0;
    let fits = counted > 0 && u128::from(counted) <= passed.as_millis();
    assert!(fits, "{counted} ms were counted in {passed:?}");
}

#[tokio::test]
async fn a_successor_that_is_gone_costs_an_election_and_no_more() {
    let cluster = Cluster::started(3).await;
    cluster.save_everywhere(1).await;
    let leader = cluster.leader().await;
    let (gone, other) = (leader % 3 + 1, (leader + 1) % 3 + 1);
    cluster.wires.cut(gone);
    let now = cluster.nodes[&leader].hand_over(Some(gone)).await.unwrap();
    assert_eq!(now.leader, Some(other), "nobody else could be elected");
    cluster.save(2).await;
}

//! Releases of different formats in one cluster: who waits for whom, and who is refused.
//!
//! Broken once to see them fail: a rise takes no turn (it "did not wait", be it asked for or due).

use std::sync::Arc;

use futures::FutureExt;
use remora_table::{
    Command, ENTRY_ADDS_MAX_MS, Format, Formats, Outcome, SessionTable, Stamp, TableReader, Tidings,
};
use tokio::task::JoinHandle;

use crate::raft::duties::own;
use crate::raft::{Fate, RAISE_AFTER_MS, RaftHandle, Verb, Wish, formats};
use crate::runtime;

use super::cluster::{Cluster, eventually};

const NEXT: Formats = Formats {
    oldest: Format(1),
    newest: Format(2),
};

async fn ask(cluster: &Cluster, command: Command) -> Outcome {
    match cluster.lead().await.propose(own(command)).await {
        Fate::Done(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

async fn restart(cluster: &mut Cluster, node: u64, understands: Formats) {
    cluster.crash(node).await;
    cluster.understands.insert(node, understands);
    cluster.start(node).await;
}

async fn noted(cluster: &Cluster) {
    eventually("every node is noted", || {
        cluster.nodes.values().all(RaftHandle::noted)
    })
    .await;
}

#[tokio::test]
async fn the_format_rises_when_the_last_member_understands_it() {
    let mut cluster = Cluster::started(3).await;
    noted(&cluster).await;
    let raise = Command::Raise {
        format: Format(2),
        asked: true,
    };
    for node in [1, 2] {
        restart(&mut cluster, node, NEXT).await;
    }
    cluster.save(1).await;
    noted(&cluster).await;
    let refused = Outcome::NotUnderstood {
        node: 3,
        understood: Some(Formats::OURS),
    };
    assert_eq!(ask(&cluster, raise.clone()).await, refused);
    // The third node would end over an entry of the next format.
    cluster.save(2).await;

    restart(&mut cluster, 3, NEXT).await;
    noted(&cluster).await;
    assert_eq!(ask(&cluster, raise).await, Outcome::Raised { format: Format(2) });
    cluster.save(3).await;
    let risen = || {
        cluster
            .nodes
            .values()
            .all(|node| node.table().format() == Format(2))
    };
    eventually("every node writes format 2", risen).await;
}

#[tokio::test]
async fn an_older_release_is_refused_once_the_format_has_risen() {
    let mut cluster = Cluster::new(3);
    for node in 1..=3 {
        cluster.understands.insert(node, NEXT);
        cluster.start(node).await;
    }
    noted(&cluster).await;
    // Node 3 is away while the format rises: its own disk does not know.
    let leader = cluster.leader().await;
    let (here, away) = (leader % 3 + 1, (leader + 1) % 3 + 1);
    cluster.crash(away).await;
    let raised = ask(
        &cluster,
        Command::Raise {
            format: Format(2),
            asked: true,
        },
    )
    .await;
    assert_eq!(raised, Outcome::Raised { format: Format(2) });
    cluster.understands.insert(away, Formats::OURS);
    let sentence = cluster.start(away).await.failed().await;
    assert!(
        sentence.contains("writes format 2, and this program"),
        "{sentence}"
    );
    restart(&mut cluster, away, NEXT).await;

    // A node that was there has it on its disk, which says so before anything else is read.
    let node = &cluster.nodes[&here];
    eventually("the rise is recorded", || {
        node.inner.identity.recorded_format() == Format(2)
    })
    .await;
    cluster.crash(here).await;
    cluster.save(1).await;
    cluster.understands.insert(here, Formats::OURS);
    let sentence = cluster.refusal(|| cluster.settings(here)).await;
    assert!(
        sentence.contains("writes format 2, and this program"),
        "{sentence}"
    );

    // An emptied disk of the older release finds nobody who lets it in.
    cluster.take_away(here).await;
    let sentence = cluster.start(here).await.failed().await;
    assert!(
        sentence.contains("writes format 2, and this program"),
        "{sentence}"
    );
}

#[tokio::test]
async fn an_older_release_that_meets_the_rise_in_its_log_ends_and_writes_nothing() {
    let mut cluster = Cluster::new(1);
    cluster.understands.insert(1, NEXT);
    cluster.start(1).await;
    noted(&cluster).await;
    cluster.save(1).await;
    ask(
        &cluster,
        Command::Raise {
            format: Format(2),
            asked: true,
        },
    )
    .await;
    let identity = cluster.data_dir(1).join("identity");
    eventually("the rise is recorded", || {
        cluster.nodes[&1].inner.identity.recorded_format() == Format(2)
    })
    .await;
    cluster.crash(1).await;
    // As after a crash in the moment before it was recorded.
    let text = std::fs::read_to_string(&identity).unwrap();
    std::fs::write(&identity, text.replace("format 2", "format 1")).unwrap();
    cluster.understands.insert(1, Formats::OURS);
    let sentence = cluster.refusal(|| cluster.settings(1)).await;
    assert!(
        sentence.contains("is of format 2, and this program understands format 1"),
        "{sentence}"
    );

    cluster.understands.insert(1, NEXT);
    cluster.start(1).await;
    cluster.save(2).await;
    assert!(cluster.lead().await.table().get(&super::key(1)).is_some());
}

/// A cluster that may rise, and a change of its membership that holds the turn until nobody has answered for a second.
async fn changing(cluster: &mut Cluster) -> (RaftHandle, JoinHandle<bool>) {
    for node in 1..=4 {
        cluster.understands.insert(node, NEXT);
    }
    cluster.start_all().await;
    noted(cluster).await;
    cluster.start_joining(4).await;
    cluster.wires.freeze(4);
    let leader = cluster.lead().await;
    let changes = leader.clone();
    let step = runtime::spawn(async move {
        let wish = Wish {
            verb: Verb::Add,
            node: 4,
            peer_address: "10.0.0.4:7500".to_owned(),
        };
        changes.change_members(&wish).await.is_ok()
    });
    let turn = &leader.inner.changes.turn;
    eventually("the change has its turn", || turn.take().now_or_never().is_none()).await;
    (leader, step)
}

#[tokio::test]
async fn a_rise_that_is_asked_for_waits_for_a_change_of_the_membership() {
    let mut cluster = Cluster::new(3);
    let (leader, step) = changing(&mut cluster).await;
    let raise = own(Command::Raise {
        format: Format(2),
        asked: true,
    });
    let raised = leader.raise(raise).await;
    assert!(step.is_finished(), "it did not wait");
    assert!(
        matches!(raised, Fate::Done(Outcome::Raised { format: Format(2) })),
        "{raised:?}"
    );
}

/// What a table tells whose members have understood the next format for a day and a night.
fn for_a_day(members: impl Iterator<Item = (u64, u64)> + Clone) -> TableReader {
    let mut table = SessionTable::new();
    table.set_members(&members.clone().collect());
    for (node, disk) in members {
        let understands = Command::Understands {
            node,
            disk,
            formats: NEXT,
        };
        table.apply(&own(understands), &mut Tidings::default());
    }
    for entry in 0..=RAISE_AFTER_MS / ENTRY_ADDS_MAX_MS {
        table.begin_entry(Stamp(entry * ENTRY_ADDS_MAX_MS));
    }
    table.reader()
}

#[tokio::test]
async fn a_rise_that_is_due_waits_for_a_change_of_the_membership() {
    let mut cluster = Cluster::new(3);
    let (leader, step) = changing(&mut cluster).await;
    let parts = &leader.inner;
    let members = parts.identity.members();
    let disks = members.iter().map(|(node, member)| (*node, member.disk.0));
    let keeping = runtime::spawn(formats::keep(
        Arc::clone(&parts.identity),
        parts.proposer.clone(),
        for_a_day(disks),
        leader.leadership(),
        Arc::clone(&parts.changes.turn),
    ));
    eventually("the format rises", || leader.table().format() == Format(2)).await;
    assert!(step.is_finished(), "it did not wait");
    keeping.abort();
}

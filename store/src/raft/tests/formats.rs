//! Releases of different formats in one cluster: who waits for whom, and who is refused.

use remora_table::{Command, Format, Formats, Outcome};

use crate::raft::Fate;
use crate::raft::duties::own;

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
        cluster.nodes.values().all(crate::raft::RaftHandle::noted)
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
    std::fs::remove_dir_all(cluster.data_dir(here)).unwrap();
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

//! What whoever watches sessions is told, on real nodes.

use super::common::{Running, Who, claimed, creation, key, saved, single, soon, three, until};
use futures::future::try_join_all;
use remora_proto::v1;
use remora_proto::v1::session_happening::{Ending, Kind};
use tonic::{Code, Status, Streaming};

/// A watch as the test holds it.
struct Watch {
    stream: Streaming<v1::WatchSessionsReply>,
    told: Vec<(u8, Kind, Ending)>,
    next: bytes::Bytes,
    missed: bool,
}

impl Watch {
    async fn open(
        node: &Running,
        filter: Option<v1::SessionFilter>,
        from: bytes::Bytes,
    ) -> Result<Self, Status> {
        let ask = v1::WatchSessionsRequest { filter, from };
        let stream = node.admin().await.watch_sessions(ask).await?.into_inner();
        let mut watch = Watch {
            stream,
            told: Vec::new(),
            next: bytes::Bytes::new(),
            missed: false,
        };
        // What is done from here on is told.
        watch.message().await?;
        Ok(watch)
    }

    async fn message(&mut self) -> Result<(), Status> {
        let message = soon("a word of the watch", self.stream.message()).await?.unwrap();
        self.next = message.next;
        self.missed |= message.missed;
        self.told.extend(message.happenings.iter().map(shown));
        Ok(())
    }

    /// So many things that happened: the last byte of the key, what, and why it ended.
    async fn told(&mut self, count: usize) -> Vec<(u8, Kind, Ending)> {
        while self.told.len() < count {
            self.message().await.unwrap();
        }
        std::mem::take(&mut self.told)
    }

    async fn end(mut self) -> Status {
        let ended = async {
            loop {
                if let Err(status) = self.message().await {
                    return status;
                }
            }
        };
        soon("the end of the watch", ended).await
    }
}

fn shown(happening: &v1::SessionHappening) -> (u8, Kind, Ending) {
    let session = happening.session.as_ref().unwrap();
    (session.key[15], happening.kind(), happening.ending())
}

fn principal(name: &str) -> v1::Label {
    v1::Label {
        name: "principal".to_owned(),
        value: name.to_owned(),
    }
}

fn labels(name: &str) -> Option<v1::Labels> {
    Some(v1::Labels {
        labels: vec![principal(name)],
    })
}

fn of_user(name: &str) -> Option<v1::SessionFilter> {
    Some(v1::SessionFilter {
        labels: vec![principal(name)],
        ..v1::SessionFilter::default()
    })
}

#[tokio::test]
async fn the_life_of_a_session_is_told_as_it_goes_and_of_others_nothing() {
    let (node, _directory) = single().await;
    let (mut store, mut admin) = (node.sessions().await, node.admin().await);
    let (mut tomcat, mut other) = (Who::new(1), Who::new(2));
    let before = v1::SaveRequest {
        caller: tomcat.caller(),
        ..creation(1, "cart", "apple")
    };
    let before = saved(store.save(before).await.unwrap().into_inner());
    let mut all = Watch::open(&node, None, bytes::Bytes::new()).await.unwrap();
    let mut adas = Watch::open(&node, of_user("ada"), bytes::Bytes::new())
        .await
        .unwrap();

    let login = v1::SaveRequest {
        caller: tomcat.caller(),
        session: key(1),
        epoch: before.epoch,
        base: before.version,
        labels: labels("ada"),
        ..v1::SaveRequest::default()
    };
    saved(store.save(login).await.unwrap().into_inner());
    let bob = v1::SaveRequest {
        caller: tomcat.caller(),
        labels: labels("bob"),
        ..creation(2, "cart", "apple")
    };
    saved(store.save(bob).await.unwrap().into_inner());
    let claim = v1::ClaimRequest {
        caller: other.caller(),
        session: key(1),
    };
    claimed(store.claim(claim).await.unwrap().into_inner());
    let kill = v1::KillSessionsRequest {
        filter: of_user("ada"),
        all: false,
    };
    admin.kill_sessions(kill).await.unwrap();

    let no = Ending::Unspecified;
    let adas_life = [
        (1, Kind::Labelled, no),
        (1, Kind::Moved, no),
        (1, Kind::Ended, Ending::Operator),
    ];
    assert_eq!(adas.told(3).await, adas_life);
    let mut everything = adas_life.to_vec();
    everything.insert(1, (2, Kind::Created, no));
    assert_eq!(all.told(4).await, everything, "and not what was before the watch");

    let (ended, ()) = tokio::join!(all.end(), node.stop());
    assert_eq!(
        ended.code(),
        Code::Unavailable,
        "a node that stops waits for nobody who watches"
    );
}

#[tokio::test]
async fn a_watch_goes_on_at_another_node_without_a_gap() {
    let (nodes, _directory) = three().await;
    let mut store = nodes[0].sessions().await;
    let mut tomcat = Who::new(1);
    let mut create = async |tail: u8| {
        let save = v1::SaveRequest {
            caller: tomcat.caller(),
            ..creation(tail, "cart", "apple")
        };
        saved(store.save(save).await.unwrap().into_inner());
    };
    let mut follower = Watch::open(&nodes[1], None, bytes::Bytes::new()).await.unwrap();
    create(1).await;
    assert_eq!(follower.told(1).await, [(1, Kind::Created, Ending::Unspecified)]);
    let next = follower.next.clone();
    drop(follower);
    create(2).await;
    let mut leader = Watch::open(&nodes[0], None, next.clone()).await.unwrap();
    create(3).await;
    let meanwhile = [2, 3].map(|tail| (tail, Kind::Created, Ending::Unspecified));
    assert_eq!(leader.told(2).await, meanwhile);
    assert!(!leader.missed, "nothing was missed");

    let foreign = [&next[..12], b"another cluster"].concat();
    let elsewhere = Watch::open(&nodes[2], None, foreign.into()).await.unwrap();
    assert!(elsewhere.missed, "a place of another cluster's log is none here");
    let wrong = Watch::open(&nodes[2], None, bytes::Bytes::from_static(b"x")).await;
    assert_eq!(wrong.err().unwrap().code(), Code::InvalidArgument);
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn more_watches_than_a_node_bears_are_refused_until_one_ends() {
    let (node, _directory) = single().await;
    let opened = (0..16).map(|_| Watch::open(&node, None, bytes::Bytes::new()));
    let mut watches: Vec<Watch> = try_join_all(opened).await.unwrap();
    let refused = Watch::open(&node, None, bytes::Bytes::new()).await.err().unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    watches.pop();
    until("there is room again", async || {
        Watch::open(&node, None, bytes::Bytes::new()).await.is_ok()
    })
    .await;
    drop(watches);
    node.stop().await;
}

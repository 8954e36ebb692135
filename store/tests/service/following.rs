//! What proxies are told that follow the registry, who waits for them, and what of it outlives leaders and nodes; on real nodes.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::common::{
    Manager, Running, Who, free_addresses, hello, leader_first, refusal, single, soon, start, until,
};
use super::killing::books;
use bytes::Bytes;
use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};

/// How long the answer to a retirement waits at most, as the store promises.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// A proxy as the test holds it.
struct Follower {
    says: mpsc::Sender<v1::FollowRequest>,
    told: Streaming<v1::FollowReply>,
}

/// A whole view: by name for servers and who was retired, by name and words for wishes.
#[derive(Debug, Default, PartialEq)]
struct View {
    cluster: String,
    version: u64,
    servers: Vec<String>,
    wishes: Vec<(String, Bytes)>,
    retired: Vec<String>,
}

impl Follower {
    async fn open(node: &Running, proxy: &str) -> Result<Follower, Status> {
        let (says, said) = mpsc::channel(8);
        let first = v1::FollowRequest {
            proxy: proxy.to_owned(),
            followed: 0,
        };
        says.send(first).await.unwrap();
        let opened = node.registry().await.follow(ReceiverStream::new(said)).await?;
        let told = opened.into_inner();
        Ok(Follower { says, told })
    }

    async fn message(&mut self) -> Result<v1::FollowReply, Status> {
        let message = soon("a word to who follows", self.told.message()).await?;
        Ok(message.unwrap())
    }

    /// The next view, whole.
    async fn view(&mut self) -> View {
        let mut view = View::default();
        loop {
            let part = self.message().await.unwrap();
            if part.stands {
                continue;
            }
            let name = |owner: Option<v1::Owner>| owner.unwrap().node;
            (view.cluster, view.version) = (part.cluster, part.version);
            view.servers
                .extend(part.servers.into_iter().map(|entry| name(entry.server)));
            view.wishes
                .extend(part.wishes.into_iter().map(|wish| (wish.of, wish.said)));
            view.retired
                .extend(part.retired.into_iter().map(|mark| name(mark.server)));
            if !part.more {
                return view;
            }
        }
    }

    async fn follows(&self, version: u64) {
        let followed = v1::FollowRequest {
            proxy: String::new(),
            followed: version,
        };
        self.says.send(followed).await.unwrap();
    }

    /// The end of the stream.
    async fn end(&mut self) -> Status {
        loop {
            if let Err(status) = self.message().await {
                return status;
            }
        }
    }
}

fn announcement(tomcat: &mut Who) -> v1::AnnounceRequest {
    v1::AnnounceRequest {
        caller: tomcat.caller(),
        url: "http://127.0.0.1:8081".to_owned(),
        applications: vec!["localhost/shop".to_owned()],
        ..v1::AnnounceRequest::default()
    }
}

async fn announce(node: &Running, tomcat: &mut Who) -> u64 {
    let said = announcement(tomcat);
    node.registry()
        .await
        .announce(said)
        .await
        .unwrap()
        .into_inner()
        .version
}

async fn retire(node: &Running, tomcat: &mut Who) -> bool {
    let caller = tomcat.caller();
    let asked = node.registry().await.retire(v1::RetireRequest { caller }).await;
    asked.unwrap().into_inner().retired
}

async fn retire_node(node: &Running, name: &str, instance: u64) -> bool {
    let node_name = name.to_owned();
    let ask = v1::RetireNodeRequest {
        node: node_name,
        instance,
    };
    let asked = node.registry().await.retire_node(ask).await;
    asked.unwrap().into_inner().retired
}

fn wish(of: &str, said: &'static [u8], base: Option<u64>) -> v1::WishRequest {
    let wish = v1::Wish {
        of: of.to_owned(),
        said: Bytes::from_static(said),
        who: "ada".to_owned(),
        at_ms: 7,
        ..v1::Wish::default()
    };
    let wish = Some(wish);
    v1::WishRequest { wish, base }
}

async fn servers(node: &Running) -> Vec<v1::list_servers_reply::Server> {
    let listed = node
        .registry()
        .await
        .list_servers(v1::ListServersRequest {})
        .await;
    listed.unwrap().into_inner().servers
}

#[tokio::test]
async fn a_proxy_is_told_what_changes_and_once_a_second_that_nothing_has() {
    let (node, _directory) = single().await;
    let mut proxy = Follower::open(&node, "p1").await.unwrap();
    let empty = proxy.view().await;
    assert_eq!((empty.version, empty.servers.len()), (0, 0));
    let (mut n1, mut n2) = (Who::new(1), Who::new(2));

    let first = announce(&node, &mut n1).await;
    let seen = proxy.view().await;
    assert_eq!((seen.version, seen.servers), (first, vec!["n1".to_owned()]));
    assert_eq!(announce(&node, &mut n1).await, first, "it stands already");
    announce(&node, &mut n2).await;
    assert_eq!(proxy.view().await.servers, ["n1", "n2"]);

    let mut registry = node.registry().await;
    let kept = registry
        .wish(wish("route n1", b"drain", Some(0)))
        .await
        .unwrap()
        .into_inner();
    let seen = proxy.view().await;
    assert_eq!(
        (seen.version, seen.wishes),
        (
            kept.version,
            vec![("route n1".to_owned(), Bytes::from_static(b"drain"))]
        )
    );
    let behind = registry.wish(wish("route n1", b"", Some(0))).await.unwrap_err();
    assert_eq!(behind.code(), Code::FailedPrecondition, "{behind:?}");
    registry
        .wish(wish("route n1", b"", Some(kept.version)))
        .await
        .unwrap();
    let nothing = vec![("route n1".to_owned(), Bytes::new())];
    assert_eq!(
        proxy.view().await.wishes,
        nothing,
        "over which another may be told"
    );
    let late = registry.wish(wish("route n1", b"drain", Some(0))).await;
    assert_eq!(late.unwrap_err().code(), Code::FailedPrecondition);

    let (retired, (seen, at)) = tokio::join!(retire(&node, &mut n2), async {
        let seen = proxy.view().await;
        proxy.follows(seen.version).await;
        (seen, Instant::now())
    });
    assert!(retired);
    assert_eq!(
        (seen.servers, seen.retired),
        (vec!["n1".to_owned()], vec!["n2".to_owned()])
    );
    for _ in 0..2 {
        let word = proxy.message().await.unwrap();
        assert_eq!(
            (word.stands, word.version, word.servers.len()),
            (true, seen.version, 0)
        );
    }
    assert!(
        at.elapsed() > Duration::from_secs(1),
        "not more often than it has to be"
    );

    let (ended, ()) = tokio::join!(proxy.end(), node.stop());
    assert_eq!(
        ended.code(),
        Code::Unavailable,
        "a node that stops waits for nobody who follows"
    );
}

#[tokio::test]
async fn a_retirement_is_answered_when_all_who_follow_say_so_and_otherwise_in_a_second() {
    let (node, _directory) = single().await;
    until(
        "nobody is expected back who followed another leader",
        async || {
            let began = Instant::now();
            assert!(retire_node(&node, "nobody", 9).await);
            began.elapsed() < ANSWERED_WITHIN / 5
        },
    )
    .await;
    let mut one = Follower::open(&node, "p1").await.unwrap();
    let mut other = Follower::open(&node, "p2").await.unwrap();
    let (mut n1, mut n2) = (Who::new(1), Who::new(2));
    announce(&node, &mut n2).await;
    let told = announce(&node, &mut n1).await;
    for follower in [&mut one, &mut other] {
        while follower.view().await.version < told {}
    }

    let began = Instant::now();
    let (retired, word) = tokio::join!(retire(&node, &mut n1), async {
        let out = one.view().await.version;
        one.follows(out).await;
        while other.view().await.version < out {}
        tokio::time::timeout(ANSWERED_WITHIN / 5, std::future::pending::<()>())
            .await
            .unwrap_err();
        let word = began.elapsed();
        other.follows(out).await;
        word
    });
    let took = began.elapsed();
    assert!(retired);
    assert!(
        took > word,
        "nobody answers before the last has followed: {took:?}, {word:?}"
    );
    assert!(took < ANSWERED_WITHIN, "nor any longer: {took:?}");

    let began = Instant::now();
    assert!(retire(&node, &mut n2).await, "whoever hangs holds up nobody");
    assert!(began.elapsed() >= ANSWERED_WITHIN, "{:?}", began.elapsed());
    assert!(began.elapsed() < ANSWERED_WITHIN * 5, "{:?}", began.elapsed());
    node.stop().await;
}

/// Hands leadership to another node, which knows at once who is announced, n1 among them; gives the nodes with that first.
async fn moved(nodes: Vec<Running>) -> Vec<Running> {
    let (leader, term) = {
        let status = nodes[0].status().await;
        (status.node_id, status.term)
    };
    let to = nodes[1].status().await.node_id;
    let hand = v1::HandOverRequest { to_node: to };
    nodes[0].admin().await.hand_over(hand).await.unwrap();
    let welcomed = Cell::new(None);
    until("the new leader takes streams", async || {
        let opened = Manager::open(&nodes[1], hello(1)).await.ok();
        welcomed.set(opened.map(|manager| manager.welcome.announced));
        welcomed.get().is_some()
    })
    .await;
    assert_eq!(
        welcomed.get(),
        Some(true),
        "it has applied what was committed before it says so"
    );
    until("another node leads", async || {
        let status = nodes[0].status().await;
        status.leader_id != leader && status.leader_id != 0 && status.term > term
    })
    .await;
    leader_first(nodes).await
}

#[tokio::test]
async fn the_registry_outlives_its_leader_a_majority_and_the_whole_cluster() {
    let directory = tempfile::tempdir().unwrap();
    let cluster: BTreeMap<u64, SocketAddr> = (1..=3).zip(free_addresses(3)).collect();
    let mut nodes = leader_first(start(directory.path(), &cluster, &[1, 2, 3]).await).await;
    let mut n1 = Who::new(1);
    announce(&nodes[1], &mut n1).await;
    announce(&nodes[0], &mut Who::new(2)).await;
    let mut registry = nodes[2].registry().await;
    registry.wish(wish("route n1", b"drain", None)).await.unwrap();
    let mut ask = Request::new(v1::RetireNodeRequest {
        node: "n2".to_owned(),
        instance: 0,
    });
    ask.metadata_mut().insert("remora-for", "grace".parse().unwrap());
    assert!(books("instance 0000000000000002").is_empty());
    assert!(registry.retire_node(ask).await.unwrap().into_inner().retired);
    let lines = books("instance 0000000000000002");
    assert_eq!(lines.len(), 1, "by the leader, and by it alone: {lines:?}");
    assert!(lines[0].contains("for grace, as anybody says"), "{lines:?}");

    let mut proxy = Follower::open(&nodes[0], "p1").await.unwrap();
    let view = proxy.view().await;
    assert_eq!(
        (view.servers.len(), view.wishes.len(), view.retired.len()),
        (1, 1, 1)
    );
    let elsewhere = refusal(&Follower::open(&nodes[2], "p1").await.err().unwrap());
    assert_eq!(
        (elsewhere.reason(), elsewhere.leader),
        (Reason::NotLeader, nodes[0].client.to_string())
    );

    nodes = moved(nodes).await;
    let ended = proxy.end().await;
    assert_eq!(
        (ended.code(), refusal(&ended).reason()),
        (Code::Unavailable, Reason::NotLeader)
    );
    let mut proxy = Follower::open(&nodes[0], "p1").await.unwrap();
    assert_eq!(proxy.view().await, view, "after another was elected");

    // For a while nobody leads.
    let away = [nodes[1].status().await.node_id, nodes[2].status().await.node_id];
    let (second, first) = (nodes.pop().unwrap(), nodes.pop().unwrap());
    tokio::join!(second.stop(), first.stop());
    nodes.extend(start(directory.path(), &cluster, &away).await);
    nodes = leader_first(nodes).await;
    let mut proxy = Follower::open(&nodes[0], "p1").await.unwrap();
    assert_eq!(proxy.view().await, view, "after a majority was away");

    for node in nodes {
        node.stop().await;
    }
    let nodes = leader_first(start(directory.path(), &cluster, &[1, 2, 3]).await).await;
    let mut proxy = Follower::open(&nodes[0], "p1").await.unwrap();
    assert_eq!(proxy.view().await, view, "after all of them were away");
    let told = announce(&nodes[0], &mut n1).await;
    assert!(told <= view.version, "it stands, whoever says it to whom");
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn more_proxies_than_may_follow_are_refused_until_one_goes() {
    let (node, _directory) = single().await;
    let mut proxies = Vec::new();
    for number in 0..64 {
        proxies.push(Follower::open(&node, &format!("p{number}")).await.unwrap());
    }
    let refused = Follower::open(&node, "one").await.err().unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    proxies.pop();
    until("there is room again", async || {
        Follower::open(&node, "one").await.is_ok()
    })
    .await;
    let long = Follower::open(&node, &"p".repeat(65)).await.err().unwrap();
    assert_eq!(refusal(&long).reason(), Reason::Malformed);
    drop(proxies);
    node.stop().await;
}

#[tokio::test]
async fn a_tomcat_is_told_whether_the_registry_holds_it_and_operators_whether_it_is_there() {
    let (node, _directory) = single().await;
    let manager = Manager::open(&node, hello(1)).await.unwrap();
    assert!(!manager.welcome.announced);
    let mut n1 = Who::new(1);
    announce(&node, &mut n1).await;
    let listed = servers(&node).await;
    assert!(
        listed[0].present && listed[0].silent_seconds.is_some(),
        "{listed:?}"
    );
    drop(manager);
    until("its stream is gone", async || !servers(&node).await[0].present).await;
    assert!(
        servers(&node).await[0].silent_seconds.is_some(),
        "it is remembered"
    );

    let mut manager = Manager::open(&node, hello(1)).await.unwrap();
    assert!(manager.welcome.announced, "silence takes nobody out");
    assert!(!retire_node(&node, "n2", 0).await, "nobody of that name");
    assert!(retire_node(&node, "n1", 0).await);
    let ended = manager.end().await;
    assert_eq!(ended.code(), Code::Aborted, "{ended:?}");
    assert!(
        ended.message().contains("does not hold this Tomcat any more"),
        "{ended:?}"
    );
    assert!(servers(&node).await.is_empty());
    let manager = Manager::open(&node, hello(1)).await.unwrap();
    assert!(
        !manager.welcome.announced,
        "one that lives announces itself again"
    );
    announce(&node, &mut n1).await;
    assert!(servers(&node).await[0].present);
    drop(manager);
    node.stop().await;
}

//! Real nodes over loopback in temporary directories, and the words to speak with them.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use remora_proto::v1;
use remora_proto::v1::registry_client::RegistryClient;
use remora_proto::v1::session_store_client::SessionStoreClient;
use remora_proto::v1::store_admin_client::StoreAdminClient;
use remora_store::{Clock, Config, Ended, Keys, Node};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

/// The longest wait for anything that must happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A node that runs on its own thread, as a process of its own would, and what stops it.
pub(crate) struct Running {
    pub(crate) client: SocketAddr,
    pub(crate) ops: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: oneshot::Receiver<Result<(), String>>,
}

impl Running {
    /// Starts a node and returns when it listens.
    pub(crate) async fn start(config: Config) -> Running {
        let (stop, stopped) = oneshot::channel();
        let (listening, addresses) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let result = runtime.block_on(async {
                let node = Node::start(config, Clock::system())
                    .await
                    .map_err(|failure| failure.to_string())?;
                // Whoever started the node may have given up.
                let _ = listening.send((node.client_addr(), node.ops_addr()));
                let run = node.run(async {
                    // A dropped sender stops the node as well.
                    let _ = stopped.await;
                });
                let ended = run.await.map_err(|failure| failure.to_string())?;
                assert_eq!(ended, Ended::Stopped);
                Ok(())
            });
            // Its tasks hold the data directory, which may be wanted again.
            drop(runtime);
            // Nobody may wait for the end.
            let _ = end.send(result);
        });
        match addresses.await {
            Ok((client, ops)) => Running {
                client,
                ops,
                stop: Some(stop),
                ended,
            },
            Err(_) => panic!("the node did not start: {:?}", ended.await),
        }
    }

    /// Stops the node in order and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.stop.take();
        soon("the node's end", self.ended).await.unwrap().unwrap();
    }

    pub(crate) async fn sessions(&self) -> SessionStoreClient<Channel> {
        SessionStoreClient::connect(format!("http://{}", self.client))
            .await
            .unwrap()
    }

    pub(crate) async fn admin(&self) -> StoreAdminClient<Channel> {
        StoreAdminClient::connect(format!("http://{}", self.client))
            .await
            .unwrap()
    }

    pub(crate) async fn registry(&self) -> RegistryClient<Channel> {
        RegistryClient::connect(format!("http://{}", self.client))
            .await
            .unwrap()
    }

    pub(crate) async fn status(&self) -> v1::StoreStatus {
        self.admin()
            .await
            .status(v1::StoreStatusRequest {})
            .await
            .unwrap()
            .into_inner()
    }
}

/// The configuration of a node on free ports.
pub(crate) fn config(node: u64, directory: &Path, cluster: &BTreeMap<u64, SocketAddr>) -> Config {
    let free: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let list: Vec<String> = cluster
        .iter()
        .map(|(id, address)| format!("{id}={address}"))
        .collect();
    let settings = Keys {
        node_id: Some(node),
        data_dir: Some(directory.join(format!("n{node}"))),
        client_addr: Some(free),
        peer_addr: Some(cluster.get(&node).copied().unwrap_or(free)),
        ops_addr: Some(free),
        cluster: Some(list.join(",")),
        ..Keys::default()
    };
    settings.check().unwrap()
}

/// A complete store of one node that is ready.
pub(crate) async fn single() -> (Running, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let node = Running::start(config(1, directory.path(), &BTreeMap::new())).await;
    until("the node is ready", async || node.status().await.ready).await;
    (node, directory)
}

/// Three nodes that know one leader; the leader first.
pub(crate) async fn three() -> (Vec<Running>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let cluster: BTreeMap<u64, SocketAddr> = (1..=3).zip(free_addresses(3)).collect();
    let nodes = start(directory.path(), &cluster, &[1, 2, 3]).await;
    (leader_first(nodes).await, directory)
}

/// Starts nodes of a cluster, each where it was before if it was.
pub(crate) async fn start(
    directory: &Path,
    cluster: &BTreeMap<u64, SocketAddr>,
    which: &[u64],
) -> Vec<Running> {
    let mut nodes = Vec::new();
    for node in which {
        nodes.push(Running::start(config(*node, directory, cluster)).await);
    }
    nodes
}

/// The nodes of a cluster of three, the leader first, when all know it.
pub(crate) async fn leader_first(mut nodes: Vec<Running>) -> Vec<Running> {
    for node in &nodes {
        until("every node is ready", async || node.status().await.ready).await;
    }
    until("all know the leader's client address", async || {
        for node in &nodes {
            let status = node.status().await;
            let known = |member: &v1::StoreMember| !member.client_address.is_empty();
            if status.leader_id == 0 || status.members.len() != 3 || !status.members.iter().all(known) {
                return false;
            }
        }
        true
    })
    .await;
    let mut at = 0;
    for (place, node) in nodes.iter().enumerate() {
        let status = node.status().await;
        if status.leader_id == status.node_id {
            at = place;
        }
    }
    nodes.swap(0, at);
    nodes
}

/// Addresses that were free a moment ago.
pub(crate) fn free_addresses(count: usize) -> Vec<SocketAddr> {
    let held: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    held.iter()
        .map(|listener| listener.local_addr().unwrap())
        .collect()
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < DEADLINE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Within the deadline.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// Who asks: an instance and its next serial.
pub(crate) struct Who {
    pub(crate) instance: u64,
    serial: u64,
}

impl Who {
    pub(crate) fn new(instance: u64) -> Who {
        Who { instance, serial: 0 }
    }

    pub(crate) fn caller(&mut self) -> Option<v1::Caller> {
        self.serial += 1;
        Some(v1::Caller {
            instance: self.instance,
            serial: self.serial,
            node: format!("n{}", self.instance),
        })
    }
}

/// A key that ends in `tail`.
pub(crate) fn key(tail: u8) -> Option<v1::SessionKey> {
    let mut bytes = [9; 16];
    bytes[15] = tail;
    Some(v1::SessionKey {
        application: "localhost/shop".to_owned(),
        key: Bytes::copy_from_slice(&bytes),
    })
}

pub(crate) fn attribute(name: &str, value: &str) -> v1::Attribute {
    v1::Attribute {
        name: name.to_owned(),
        value: Bytes::from(value.to_owned()),
        ..v1::Attribute::default()
    }
}

/// A save that creates a session with one attribute.
pub(crate) fn creation(tail: u8, name: &str, value: &str) -> v1::SaveRequest {
    v1::SaveRequest {
        session: key(tail),
        changed: vec![attribute(name, value)],
        max_idle_seconds: Some(1_800),
        ..v1::SaveRequest::default()
    }
}

pub(crate) fn saved(reply: v1::SaveReply) -> v1::Saved {
    match reply.outcome {
        Some(v1::save_reply::Outcome::Saved(saved)) => saved,
        other => panic!("not saved: {other:?}"),
    }
}

pub(crate) fn claimed(reply: v1::ClaimReply) -> v1::Session {
    match reply.outcome {
        Some(v1::claim_reply::Outcome::Claimed(session)) => session,
        other => panic!("not claimed: {other:?}"),
    }
}

/// The refusal that a status carries.
pub(crate) fn refusal(status: &Status) -> v1::Refusal {
    let bytes = status
        .metadata()
        .get_bin("remora-refusal-bin")
        .unwrap_or_else(|| panic!("no refusal in {status:?}"));
    v1::Refusal::decode(bytes.to_bytes().unwrap()).unwrap()
}

/// A stream of a session manager as the test holds it.
pub(crate) struct Manager {
    pub(crate) requests: mpsc::Sender<v1::ExchangeRequest>,
    pub(crate) replies: Streaming<v1::ExchangeReply>,
    pub(crate) welcome: v1::Welcome,
}

pub(crate) fn hello(instance: u64) -> v1::Hello {
    v1::Hello {
        understands: Some(v1::Formats { oldest: 1, newest: 1 }),
        cluster: String::new(),
        node: format!("n{instance}"),
        instance,
        ..v1::Hello::default()
    }
}

impl Manager {
    pub(crate) async fn open(node: &Running, hello: v1::Hello) -> Result<Manager, Status> {
        let (requests, outgoing) = mpsc::channel(64);
        let first = v1::ExchangeRequest {
            hello: Some(hello),
            probe: 1,
            ..v1::ExchangeRequest::default()
        };
        requests.send(first).await.unwrap();
        let mut client = node.sessions().await;
        let mut replies = client.exchange(ReceiverStream::new(outgoing)).await?.into_inner();
        let first = soon("the welcome", replies.message()).await?.unwrap();
        Ok(Manager {
            requests,
            replies,
            welcome: first.welcome.unwrap(),
        })
    }

    pub(crate) async fn send(&self, requests: Vec<(u64, v1::request::Ask)>) {
        let requests = requests.into_iter().map(|(serial, ask)| v1::Request {
            serial,
            ask: Some(ask),
        });
        let message = v1::ExchangeRequest {
            requests: requests.collect(),
            ..v1::ExchangeRequest::default()
        };
        self.requests.send(message).await.unwrap();
    }

    pub(crate) async fn probe(&self, probe: u64) {
        let message = v1::ExchangeRequest {
            probe,
            ..v1::ExchangeRequest::default()
        };
        self.requests.send(message).await.unwrap();
    }

    /// The confirmation of a probe.
    pub(crate) async fn confirmed(&mut self, probe: u64) {
        loop {
            let message = soon("a confirmation", self.replies.message()).await;
            if message.unwrap().unwrap().confirmed == probe {
                return;
            }
        }
    }

    pub(crate) async fn acknowledge(&self, push: u64) {
        let message = v1::ExchangeRequest {
            acknowledged: vec![push],
            ..v1::ExchangeRequest::default()
        };
        self.requests.send(message).await.unwrap();
    }

    /// The next message that is no mere confirmation.
    pub(crate) async fn next(&mut self) -> v1::ExchangeReply {
        loop {
            let message = soon("a message", self.replies.message()).await.unwrap().unwrap();
            if !message.replies.is_empty() || !message.pushes.is_empty() {
                return message;
            }
        }
    }

    /// Replies until there are so many, by serial.
    pub(crate) async fn replies(&mut self, count: usize) -> BTreeMap<u64, v1::reply::Answer> {
        let mut answers = BTreeMap::new();
        while answers.len() < count {
            for reply in self.next().await.replies {
                answers.insert(reply.serial, reply.answer.unwrap());
            }
        }
        answers
    }

    /// The end of the stream.
    pub(crate) async fn end(&mut self) -> Status {
        loop {
            match soon("the end of the stream", self.replies.message()).await {
                Err(status) => return status,
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended without a status"),
            }
        }
    }
}

//! The stream over gRPC, with a node of one: what a manager says on it, and how its end is understood. The rule is in
//! `hub/owners`.

use std::net::SocketAddr;

use remora_process::accept::Accepting;
use remora_proto::v1::reply::Answer;
use remora_proto::v1::session_store_client::SessionStoreClient;
use remora_table::{Command, Proposal};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;

use super::*;
use crate::rpc::visit::tests::{Store, answer, claim, key, logout};
use crate::rpc::{Events, Services, serve_clients};
use crate::runtime;

/// How long a condition may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

async fn serve(store: &Store) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let desk = &store.desk;
    let services = Services {
        node: desk.node,
        raft: desk.raft.clone(),
        events: Events(Arc::clone(&desk.hub)),
        limits: desk.limits.clone(),
        phase: desk.phase.clone(),
        tls: None,
    };
    let listener = Accepting::new(listener, "client-addr", 16, metrics::Gauge::noop());
    runtime::spawn(serve_clients(listener, services, std::future::pending()));
    address
}

/// A connection that a test can end, and see where it comes from.
struct Wire {
    entry: SocketAddr,
    from: oneshot::Receiver<SocketAddr>,
    cut: oneshot::Sender<()>,
}

async fn wire(to: SocketAddr) -> Wire {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let entry = listener.local_addr().unwrap();
    let ((tell, from), (cut, is_cut)) = (oneshot::channel(), oneshot::channel::<()>());
    runtime::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect(to).await.unwrap();
        tell.send(far.local_addr().unwrap()).unwrap();
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => {}
            _ = is_cut => {}
        }
    });
    Wire { entry, from, cut }
}

/// Instance 1, and its stream.
struct Manager {
    says: mpsc::Sender<v1::ExchangeRequest>,
    hears: Streaming<v1::ExchangeReply>,
    cut: oneshot::Sender<()>,
}

impl Manager {
    /// Opens a stream, with the first probe; names the address from which it comes, or does not know it.
    async fn open(store: SocketAddr, named: bool) -> Manager {
        let wire = wire(store).await;
        let endpoint = Endpoint::from_shared(format!("http://{}", wire.entry)).unwrap();
        let channel = endpoint.connect().await.unwrap();
        let from = wire.from.await.unwrap();
        let (says, said) = mpsc::channel(8);
        let hello = v1::Hello {
            understands: Some(v1::Formats { oldest: 1, newest: 1 }),
            node: "n1".to_owned(),
            instance: 1,
            address: if named { from.to_string() } else { String::new() },
            ..v1::Hello::default()
        };
        let first = v1::ExchangeRequest {
            hello: Some(hello),
            probe: 1,
            ..v1::ExchangeRequest::default()
        };
        says.send(first).await.unwrap();
        let mut store = SessionStoreClient::new(channel);
        let hears = store.exchange(ReceiverStream::new(said)).await;
        let hears = hears.unwrap().into_inner();
        let cut = wire.cut;
        let mut manager = Manager { says, hears, cut };
        assert!(
            manager
                .hear(|message| message.welcome.is_some())
                .await
                .welcome
                .is_some()
        );
        manager
    }

    /// The next message that is meant.
    async fn hear(&mut self, meant: impl Fn(&v1::ExchangeReply) -> bool) -> v1::ExchangeReply {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.hears.message()).await;
            let message = message.expect("nothing came").unwrap().unwrap();
            if meant(&message) {
                return message;
            }
        }
    }

    async fn say(&self, message: v1::ExchangeRequest) {
        self.says.send(message).await.unwrap();
    }
}

#[tokio::test]
async fn probes_are_confirmed_though_nobody_reads_anything() {
    let store = Store::of_one().await;
    let mut manager = Manager::open(serve(&store).await, true).await;
    for probe in 1..=5 {
        assert_eq!(
            manager.hear(|message| message.confirmed != 0).await.confirmed,
            probe
        );
        manager
            .say(v1::ExchangeRequest {
                probe: probe + 1,
                ..v1::ExchangeRequest::default()
            })
            .await;
    }
}

/// How an owner lets others have what it held.
#[derive(Debug, Clone, Copy)]
enum Word {
    Acknowledges,
    /// Of a session that was removed.
    Reads,
    HalfCloses,
    /// Its kernel ends the connection.
    Dies,
}

#[tokio::test]
async fn an_answer_goes_at_every_word_of_the_owner() {
    for word in [Word::Acknowledges, Word::Reads, Word::HalfCloses, Word::Dies] {
        let store = Store::of_one().await;
        let created = store.owned(1).await.created;
        let mut manager = Manager::open(serve(&store).await, true).await;
        let mut visit = Visit::new(Arc::clone(&store.desk));
        visit.begin(std::iter::once(match word {
            Word::Reads => logout(2, 1, created),
            _ => claim(2, 1),
        }));
        let told = manager.hear(|message| !message.pushes.is_empty()).await;
        visit.collect();
        assert!(visit.due.is_empty(), "{word:?}: nothing was said yet");
        let push = told.pushes[0].id;
        match word {
            Word::Acknowledges => {
                let acknowledged = vec![push];
                manager
                    .say(v1::ExchangeRequest {
                        acknowledged,
                        ..v1::ExchangeRequest::default()
                    })
                    .await;
            }
            Word::Reads => {
                manager
                    .say(v1::ExchangeRequest {
                        read_through: push,
                        ..v1::ExchangeRequest::default()
                    })
                    .await;
            }
            Word::HalfCloses => drop(manager.says),
            Word::Dies => manager.cut.send(()).unwrap(),
        }
        let taken = answer(&mut visit).await;
        assert!(
            matches!(taken, Answer::Claim(_) | Answer::Remove(_)),
            "{word:?}: {taken:?}"
        );
    }
}

#[tokio::test]
async fn the_end_of_a_connection_says_nothing_when_somebody_may_stand_between() {
    let store = Store::of_one().await;
    store.owned(1).await;
    let mut manager = Manager::open(serve(&store).await, false).await;
    let mut visit = Visit::new(Arc::clone(&store.desk));
    visit.begin(std::iter::once(claim(2, 1)));
    manager.hear(|message| !message.pushes.is_empty()).await;
    manager.cut.send(()).unwrap();
    while store.desk.hub.streams() > 0 {
        tokio::task::yield_now().await;
    }
    visit.collect();
    assert!(visit.due.is_empty());
}

#[tokio::test]
async fn a_stream_hears_of_the_end_of_what_it_watches() {
    let store = Store::of_one().await;
    let created = store.owned(2).await.created;
    let mut manager = Manager::open(serve(&store).await, true).await;
    let session = key(2);
    manager
        .say(v1::ExchangeRequest {
            watched: vec![v1::Watched {
                session: session.clone(),
                created_version: created,
            }],
            ..v1::ExchangeRequest::default()
        })
        .await;
    let mut visit = Visit::new(Arc::clone(&store.desk));
    visit.begin(std::iter::once(logout(2, 2, created)));
    let told = manager.hear(|message| !message.news.is_empty()).await;
    let ended = v1::News {
        session,
        created_version: created,
        ..v1::News::default()
    };
    assert_eq!(told.news, [ended]);
}

/// Negative control, run: with a hub that cuts no stream of whoever was taken out, it waits in vain.
#[tokio::test]
async fn a_tomcat_hears_that_it_was_taken_out_whoever_waits_for_the_answer() {
    let store = Store::of_one().await;
    let mut manager = Manager::open(serve(&store).await, true).await;
    // Nobody stands at the desk any more when this is applied: its caller has hung up, or was told that nothing is known.
    let taken_out = Proposal {
        request_id: None,
        node: Arc::from(""),
        command: Command::RetireNode {
            node: Arc::from("n1"),
            instance: Some(1),
        },
    };
    store.desk.raft.propose(taken_out).await;
    let ended = loop {
        let message = tokio::time::timeout(PATIENCE, manager.hears.message()).await;
        if let Err(status) = message.expect("the stream goes on") {
            break status;
        }
    };
    assert_eq!(ended.code(), tonic::Code::Aborted, "{ended:?}");
}

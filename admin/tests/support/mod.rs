//! A proxy and a store that are none, and the program that asks them.
#![allow(dead_code, reason = "each test file uses its part of the support")]

mod proxies;
pub(crate) mod today;

pub(crate) use proxies::Proxy;

use std::collections::VecDeque;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use remora_proto::v1::change_member_reply::State;
use remora_proto::v1::list_servers_reply::Server as Announced;
use remora_proto::v1::proxy_admin_server::ProxyAdminServer;
use remora_proto::v1::registry_server::RegistryServer;
use remora_proto::v1::store_admin_server::{StoreAdmin, StoreAdminServer};
use remora_proto::v1::{
    BackupChunk, BackupRequest, ChangeMemberReply, ChangeMemberRequest, HandOverReply, HandOverRequest,
    KillMatchingRequest, KillSessionsReply, KillSessionsRequest, ListSessionsReply, ListSessionsRequest,
    RecoverReply, RecoverRequest, RestoreReply, SessionDetail, SessionFilter, SessionStatsReply,
    SessionStatsRequest, SessionValues, ShowSessionRequest, StoreMember, StoreStatus, StoreStatusRequest,
    UpgradeReply, UpgradeRequest, WatchSessionsReply, WatchSessionsRequest,
};
use tonic::transport::Server;
use tonic::transport::server::{Router, TcpIncoming};
use tonic::{Request, Response, Status, Streaming};

/// Longer than any other question may take.
pub(crate) const SLOW: Duration = Duration::from_millis(2_500);

/// Takes longer than any other question may.
async fn slowly() {
    tokio::time::sleep(SLOW).await;
}

/// What a store tells to whoever watches, one after the other, and from where each went on.
#[derive(Clone, Default)]
pub(crate) struct Watched {
    pub(crate) told: Arc<Mutex<VecDeque<Telling>>>,
    pub(crate) from: Arc<Mutex<Vec<String>>>,
}

/// What one watch is told, and whether the node fails afterwards.
pub(crate) struct Telling {
    pub(crate) replies: Vec<WatchSessionsReply>,
    pub(crate) fails: bool,
}

impl Watched {
    fn begin(
        &self,
        ask: &WatchSessionsRequest,
    ) -> Result<BoxStream<'static, Result<WatchSessionsReply, Status>>, Status> {
        let from = String::from_utf8_lossy(&ask.from).into_owned();
        self.from.lock().expect("no test has failed").push(from);
        let next = self.told.lock().expect("no test has failed").pop_front();
        let Telling { replies, fails } = next.ok_or_else(|| Status::unimplemented("no such method"))?;
        let told = stream::iter(replies.into_iter().map(Ok));
        Ok(if fails {
            told.chain(stream::iter([Err(Status::unavailable("this node stops"))]))
                .boxed()
        } else {
            told.chain(stream::pending()).boxed()
        })
    }
}

/// A store of three nodes and an earlier release that has no session, ends those of `slow` slowly and those of any other application who knows how, and adds node 4
/// in three steps and nobody else. One of today has one session, of ada on n1, that has just been used.
#[derive(Clone, Default)]
pub(crate) struct Store {
    pub(crate) kills: Arc<AtomicU32>,
    pub(crate) steps: Arc<AtomicU32>,
    pub(crate) watches: Watched,
    pub(crate) today: bool,
    /// What it says of itself in place of three nodes, by its address.
    pub(crate) says: Option<fn(SocketAddr) -> StoreStatus>,
    /// The Tomcats that are announced, in place of one that has no name.
    pub(crate) announced: Arc<Mutex<Vec<Announced>>>,
    /// Who was taken out.
    pub(crate) retired: Arc<Mutex<Vec<String>>>,
    /// Whether it fails to say which Tomcats are there.
    pub(crate) forgets: bool,
    /// What was asked of it that takes an operator.
    pub(crate) operated: Arc<Mutex<Vec<&'static str>>>,
    pub(crate) killed: Arc<Mutex<Vec<SessionFilter>>>,
    /// How many match when it ends what matches, whatever it counted before.
    pub(crate) match_now: Arc<AtomicU64>,
}

impl Store {
    fn operates(&self, what: &'static str) {
        self.operated.lock().expect("no test has failed").push(what);
    }
}

#[tonic::async_trait]
impl StoreAdmin for Store {
    async fn status(&self, request: Request<StoreStatusRequest>) -> Result<Response<StoreStatus>, Status> {
        if let Some(says) = self.says {
            let own = request.local_addr().expect("it came over a socket");
            return Ok(Response::new(says(own)));
        }
        let members = (1..=3).map(|node_id| StoreMember {
            node_id,
            ..StoreMember::default()
        });
        Ok(Response::new(StoreStatus {
            members: members.collect(),
            ..StoreStatus::default()
        }))
    }

    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsReply>, Status> {
        if self.today {
            return Ok(Response::new(today::list(request.into_inner())));
        }
        Ok(Response::new(ListSessionsReply::default()))
    }

    async fn show_session(
        &self,
        request: Request<ShowSessionRequest>,
    ) -> Result<Response<SessionDetail>, Status> {
        let found = Some(request.into_inner())
            .filter(|_| self.today)
            .and_then(today::show);
        let missing = || Status::not_found("no session has a key that begins like this");
        found.map(Response::new).ok_or_else(missing)
    }

    async fn show_values(
        &self,
        request: Request<ShowSessionRequest>,
    ) -> Result<Response<SessionValues>, Status> {
        self.operates("ShowValues");
        if !self.today {
            return Err(Status::unimplemented(""));
        }
        let session = self.show_session(request).await?.into_inner();
        Ok(Response::new(today::values(session)))
    }

    async fn session_stats(
        &self,
        request: Request<SessionStatsRequest>,
    ) -> Result<Response<SessionStatsReply>, Status> {
        if !self.today {
            return Err(Status::unimplemented(""));
        }
        Ok(Response::new(today::stats(request.into_inner())))
    }

    async fn kill_matching(
        &self,
        request: Request<KillMatchingRequest>,
    ) -> Result<Response<KillSessionsReply>, Status> {
        self.operates("KillMatching");
        if !self.today {
            return Err(Status::unimplemented(""));
        }
        self.kills.fetch_add(1, Ordering::SeqCst);
        let KillMatchingRequest { filter, at_most, .. } = request.into_inner();
        let killed = self.match_now.load(Ordering::SeqCst);
        if at_most != 0 && killed > at_most {
            return Err(Status::failed_precondition("more sessions match than that"));
        }
        let filter = filter.unwrap_or_default();
        self.killed.lock().expect("no test has failed").push(filter);
        Ok(Response::new(KillSessionsReply { killed }))
    }

    type WatchSessionsStream = BoxStream<'static, Result<WatchSessionsReply, Status>>;

    async fn watch_sessions(
        &self,
        request: Request<WatchSessionsRequest>,
    ) -> Result<Response<Self::WatchSessionsStream>, Status> {
        self.watches.begin(request.get_ref()).map(Response::new)
    }

    async fn upgrade(&self, _: Request<UpgradeRequest>) -> Result<Response<UpgradeReply>, Status> {
        self.operates("Upgrade");
        Err(Status::failed_precondition("node 2 understands format 1"))
    }

    async fn hand_over(&self, _: Request<HandOverRequest>) -> Result<Response<HandOverReply>, Status> {
        self.operates("HandOver");
        Err(Status::unavailable("node 2 was asked and did not take over"))
    }

    async fn change_member(
        &self,
        request: Request<ChangeMemberRequest>,
    ) -> Result<Response<ChangeMemberReply>, Status> {
        self.operates("ChangeMember");
        if request.into_inner().node_id != 4 {
            return Err(Status::failed_precondition("no majority answers"));
        }
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        let state = match step {
            0 => State::Learns,
            1 => State::CatchesUp,
            _ => State::Done,
        };
        Ok(Response::new(ChangeMemberReply {
            state: state.into(),
            disk: 0xd15c,
            entries_behind: 70,
            bytes_behind: 2_048,
        }))
    }

    type BackupStream = BoxStream<'static, Result<BackupChunk, Status>>;

    async fn backup(&self, _: Request<BackupRequest>) -> Result<Response<Self::BackupStream>, Status> {
        self.operates("Backup");
        let first = BackupChunk {
            data: "a part".into(),
            checksum: crc32fast::hash(b"a part"),
            ..BackupChunk::default()
        };
        Ok(Response::new(stream::iter([Ok(first)]).boxed()))
    }

    async fn restore(&self, _: Request<Streaming<BackupChunk>>) -> Result<Response<RestoreReply>, Status> {
        self.operates("Restore");
        Err(Status::failed_precondition(
            "this node does not wait for a backup",
        ))
    }

    async fn recover(&self, _: Request<RecoverRequest>) -> Result<Response<RecoverReply>, Status> {
        self.operates("Recover");
        Ok(Response::new(RecoverReply {
            silent: vec![1, 2],
            ..RecoverReply::default()
        }))
    }

    async fn kill_sessions(
        &self,
        request: Request<KillSessionsRequest>,
    ) -> Result<Response<KillSessionsReply>, Status> {
        self.operates("KillSessions");
        self.kills.fetch_add(1, Ordering::SeqCst);
        if self.today {
            let filter = request.into_inner().filter.unwrap_or_default();
            self.killed.lock().expect("no test has failed").push(filter);
            return Ok(Response::new(KillSessionsReply { killed: 1 }));
        }
        if request.into_inner().filter.unwrap_or_default().application != "slow" {
            return Err(Status::unknown("the outcome was not learned"));
        }
        slowly().await;
        Ok(Response::new(KillSessionsReply { killed: 7 }))
    }
}

pub(crate) fn listener() -> (std::net::TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}

/// Serves on a thread of its own until the test ends; its address.
pub(crate) fn serve(router: impl FnOnce() -> Router + Send + 'static) -> String {
    let (listener, address) = listener();
    listener.set_nonblocking(true).expect("a socket");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            let serving = router().serve_with_incoming(TcpIncoming::from(listener));
            serving.await.expect("a listening socket");
        });
    });
    address.to_string()
}

pub(crate) fn proxy(route: &'static str) -> String {
    serve(move || Server::builder().add_service(ProxyAdminServer::new(Proxy::of(route))))
}

pub(crate) fn store() -> (String, Store) {
    serve_store(Store::default())
}

/// A store of today.
pub(crate) fn store_of_today() -> (String, Store) {
    serve_store(Store {
        today: true,
        match_now: Arc::new(AtomicU64::new(1)),
        ..Store::default()
    })
}

pub(crate) fn serve_store(store: Store) -> (String, Store) {
    let serving = store.clone();
    let serve = serve(move || {
        let admin = StoreAdminServer::new(serving.clone());
        Server::builder()
            .add_service(admin)
            .add_service(RegistryServer::new(serving))
    });
    (serve, store)
}

/// An address at which nobody listens.
pub(crate) fn nobody() -> String {
    listener().1.to_string()
}

/// Exit code, standard output, standard error.
pub(crate) fn remora(arguments: &[&str]) -> (Option<i32>, String, String) {
    remora_fed(arguments, "")
}

/// The same with something on standard input.
pub(crate) fn remora_fed(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_remora"))
        .args(arguments)
        .env_remove("REMORA_STORE")
        .env_remove("REMORA_PROXY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    // Who ends without a look at it closes it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().expect("the program ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

//! Claim: the exit code tells scripts whether it was done (0), refused or not found (1), or asked wrongly (2), and a
//! kill is asked for once.

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::StreamExt;
use remora_proto::v1::change_member_reply::State;
use remora_proto::v1::proxy_admin_server::{ProxyAdmin, ProxyAdminServer};
use remora_proto::v1::store_admin_server::{StoreAdmin, StoreAdminServer};
use remora_proto::v1::{
    BackupChunk, BackupRequest, ChangeMemberReply, ChangeMemberRequest, DrainReply, DrainRequest,
    HandOverReply, HandOverRequest, KillSessionsReply, KillSessionsRequest, ListSessionsReply,
    ListSessionsRequest, ProxyStatus, ProxyStatusRequest, RecoverReply, RecoverRequest, RestoreReply,
    SessionDetail, ShowSessionRequest, StoreStatus, StoreStatusRequest, UpgradeReply, UpgradeRequest,
    UpstreamStatus,
};
use tonic::transport::Server;
use tonic::transport::server::{Router, TcpIncoming};
use tonic::{Request, Response, Status, Streaming};

/// Longer than any other question may take.
const SLOW: Duration = Duration::from_millis(2_500);

/// A proxy that knows one route.
struct Proxy {
    route: &'static str,
}

impl Proxy {
    fn upstreams(&self) -> Vec<UpstreamStatus> {
        vec![UpstreamStatus {
            pool: "tomcat".into(),
            route: self.route.into(),
            health: "up".into(),
            ..UpstreamStatus::default()
        }]
    }

    fn drained(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        if request.into_inner().route == self.route {
            return Ok(Response::new(DrainReply {
                upstreams: self.upstreams(),
            }));
        }
        Err(Status::not_found("no pool has an upstream with that route"))
    }
}

#[tonic::async_trait]
impl ProxyAdmin for Proxy {
    async fn status(&self, _: Request<ProxyStatusRequest>) -> Result<Response<ProxyStatus>, Status> {
        Ok(Response::new(ProxyStatus {
            upstreams: self.upstreams(),
            ..ProxyStatus::default()
        }))
    }

    async fn drain(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        self.drained(request)
    }

    async fn undrain(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        self.drained(request)
    }
}

/// A store that has no session, ends those of `slow` slowly and those of any other application who knows how, and adds node 4
/// in three steps and nobody else.
#[derive(Clone, Default)]
struct Store {
    kills: Arc<AtomicU32>,
    steps: Arc<AtomicU32>,
}

#[tonic::async_trait]
impl StoreAdmin for Store {
    async fn status(&self, _: Request<StoreStatusRequest>) -> Result<Response<StoreStatus>, Status> {
        Ok(Response::new(StoreStatus::default()))
    }

    async fn list_sessions(
        &self,
        _: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsReply>, Status> {
        Ok(Response::new(ListSessionsReply::default()))
    }

    async fn show_session(&self, _: Request<ShowSessionRequest>) -> Result<Response<SessionDetail>, Status> {
        Err(Status::not_found("no session has a key that begins like this"))
    }

    async fn upgrade(&self, _: Request<UpgradeRequest>) -> Result<Response<UpgradeReply>, Status> {
        Err(Status::failed_precondition("node 2 understands format 1"))
    }

    async fn hand_over(&self, _: Request<HandOverRequest>) -> Result<Response<HandOverReply>, Status> {
        Err(Status::unavailable("node 2 was asked and did not take over"))
    }

    async fn change_member(
        &self,
        request: Request<ChangeMemberRequest>,
    ) -> Result<Response<ChangeMemberReply>, Status> {
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

    type BackupStream = futures::stream::BoxStream<'static, Result<BackupChunk, Status>>;

    async fn backup(&self, _: Request<BackupRequest>) -> Result<Response<Self::BackupStream>, Status> {
        let first = BackupChunk {
            data: "a part".into(),
            checksum: crc32fast::hash(b"a part"),
            ..BackupChunk::default()
        };
        Ok(Response::new(futures::stream::iter([Ok(first)]).boxed()))
    }

    async fn restore(&self, _: Request<Streaming<BackupChunk>>) -> Result<Response<RestoreReply>, Status> {
        Err(Status::failed_precondition(
            "this node does not wait for a backup",
        ))
    }

    async fn recover(&self, _: Request<RecoverRequest>) -> Result<Response<RecoverReply>, Status> {
        Ok(Response::new(RecoverReply {
            silent: vec![1, 2],
            ..RecoverReply::default()
        }))
    }

    async fn kill_sessions(
        &self,
        request: Request<KillSessionsRequest>,
    ) -> Result<Response<KillSessionsReply>, Status> {
        self.kills.fetch_add(1, Ordering::SeqCst);
        if request.into_inner().filter.unwrap_or_default().application != "slow" {
            return Err(Status::unknown("the outcome was not learned"));
        }
        tokio::time::sleep(SLOW).await;
        Ok(Response::new(KillSessionsReply { killed: 7 }))
    }
}

fn listener() -> (std::net::TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}

/// Serves on a thread of its own until the test ends; its address.
fn serve(router: impl FnOnce() -> Router + Send + 'static) -> String {
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

fn proxy(route: &'static str) -> String {
    serve(move || Server::builder().add_service(ProxyAdminServer::new(Proxy { route })))
}

fn store() -> (String, Store) {
    let store = Store::default();
    let serving = store.clone();
    (
        serve(move || Server::builder().add_service(StoreAdminServer::new(serving))),
        store,
    )
}

/// An address at which nobody listens.
fn nobody() -> String {
    listener().1.to_string()
}

/// Exit code, standard output, standard error.
fn remora(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_remora"))
        .args(arguments)
        .env_remove("REMORA_STORE")
        .env_remove("REMORA_PROXY")
        .output()
        .expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

/// Ends the sessions of an application.
fn kill(store: &str, application: &str) -> (Option<i32>, String, String) {
    let verb = ["sessions", "kill", "--application", application, "--yes"];
    remora(&[["--store", store].as_slice(), &verb].concat())
}

#[test]
fn a_drain_of_a_known_route_is_done_and_of_an_unknown_one_refused() {
    let proxy = proxy("n1");
    assert_eq!(
        remora(&["--proxy", &proxy, "upstreams", "drain", "n1"]).0,
        Some(0)
    );
    let (code, said, _) = remora(&["--proxy", &proxy, "upstreams", "drain", "n9"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no pool has"), "{said}");
}

#[test]
fn one_proxy_of_two_that_refuses_is_a_refusal_and_the_other_holds() {
    let (one, other) = (proxy("n1"), proxy("n2"));
    let both = format!("{one},{other}");
    let (code, said, _) = remora(&["--proxy", &both, "upstreams", "drain", "n1"]);
    assert_eq!(code, Some(1), "{said}");
    let row = said.lines().find(|line| line.starts_with(&one));
    assert!(row.is_some_and(|row| row.contains("n1")), "{said}");
    assert!(said.contains(&format!("! {other}: ")), "{said}");
}

#[test]
fn an_unknown_key_is_not_found() {
    let (store, fake) = store();
    for verb in ["show", "kill"] {
        let (code, _, said) = remora(&["--store", &store, "sessions", verb, "3fa4"]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("no session has"), "{said}");
    }
    assert_eq!(fake.kills.load(Ordering::SeqCst), 0);
}

#[test]
fn a_store_that_does_not_know_a_condition_is_not_believed() {
    let (store, _) = store();
    for narrowed in [["--idle", "2d"], ["--sort", "size"], ["--attribute", "cart"]] {
        let list = ["--store", &store, "sessions", "list"];
        let (code, said, errors) = remora(&[list, [narrowed[0], narrowed[1], "--limit", "9"]].concat());
        assert_eq!(code, Some(1), "{said}");
        assert!(errors.contains("of an earlier release"), "{errors}");
    }
    assert_eq!(remora(&["--store", &store, "sessions", "list"]).0, Some(0));
    for wrong in [["--size", "1GB"], ["--idle", "long"], ["--page", "xyz"]] {
        let list = ["--store", &store, "sessions", "list", wrong[0], wrong[1]];
        assert_eq!(remora(&list).0, Some(2), "{wrong:?}");
    }
}

#[test]
fn a_slow_kill_is_asked_for_once_and_counted_right() {
    let (store, fake) = store();
    let (code, said, errors) = kill(&store, "slow");
    assert_eq!(code, Some(0), "{errors}");
    assert!(said.contains('7'), "{said}");
    assert_eq!(fake.kills.load(Ordering::SeqCst), 1);
}

#[test]
fn a_kill_whose_outcome_is_not_known_is_not_repeated() {
    let (store, fake) = store();
    let (code, _, said) = kill(&store, "x");
    assert_eq!(code, Some(1));
    assert!(
        said.contains("unknown whether") && said.contains("look again"),
        "{said}"
    );
    assert_eq!(fake.kills.load(Ordering::SeqCst), 1);
}

#[test]
fn a_change_is_said_again_until_it_is_done_and_each_step_is_told() {
    let (store, fake) = store();
    let (code, said, told) = remora(&["--store", &store, "nodes", "add", "4", "127.0.0.1:7504"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(said.contains("000000000000d15c"), "{said}");
    for step in ["is a member without a vote", "70 entries behind, about 2.0 KiB"] {
        assert!(told.contains(step), "{step} is not in {told}");
    }
    assert_eq!(fake.steps.load(Ordering::SeqCst), 3);
    let (code, _, said) = remora(&["--store", &store, "nodes", "remove", "3"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("no majority answers"), "{said}");
}

#[test]
fn an_address_that_is_none_is_a_usage_error() {
    for address in [
        "localhost",
        "localhost:",
        "localhost:x",
        "local host:1",
        ":7401x",
        "h:0",
    ] {
        for (flag, verb) in [("--store", "nodes"), ("--proxy", "upstreams")] {
            let (code, _, said) = remora(&[flag, address, verb, "list"]);
            assert_eq!(code, Some(2), "{flag} {address}: {said}");
        }
        let both = format!("{},{address}", nobody());
        assert_eq!(remora(&["--store", &both, "status"]).0, Some(2), "{both}");
    }
}

#[test]
fn certificates_are_made_before_there_are_any() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    let own = [
        "--tls-authority",
        &path("authority.pem"),
        "--tls-cert",
        &path("admin.pem"),
        "--tls-key",
        &path("admin.key"),
    ];
    let (code, _, said) = remora(&[&own[..], &["nodes", "list"]].concat());
    assert_eq!(code, Some(2), "{said}");
    let (code, _, said) = remora(&[&own[..], &["certs", "init", &path("")]].concat());
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = remora(&[&own[..], &["certs", "issue", "admin", "--dir", &path("")]].concat());
    assert_eq!(code, Some(0), "{said}");
    // Two of the three are none.
    let (code, _, said) = remora(&[&own[..4], &["nodes", "list"]].concat());
    assert!(code == Some(2) && said.contains("all three"), "{said}");
}

#[test]
fn status_shows_the_proxies_when_the_store_is_away() {
    let (store, proxy) = (nobody(), proxy("n1"));
    let (code, said, errors) = remora(&["--store", &store, "--proxy", &proxy, "status"]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(
        said.contains("n1") && said.contains("the store does not answer"),
        "{said}"
    );
}

#[test]
fn a_backup_that_is_cut_on_its_way_leaves_the_one_before() {
    let (store, _) = store();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("sessions");
    std::fs::write(&file, "the one before").expect("a file");
    let (code, _, said) = remora(&["--store", &store, "backup", &file.to_string_lossy()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("was cut off on its way"), "{said}");
    let kept = std::fs::read_to_string(&file).expect("it stands");
    assert_eq!(kept, "the one before");
    let left = std::fs::read_dir(directory.path()).expect("a directory").count();
    assert_eq!(left, 1, "nothing stands aside");
}

#[test]
fn a_restore_needs_a_node_that_waits_for_it() {
    let (store, _) = store();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let (code, _, said) = remora(&["--store", &store, "restore", &file.path().to_string_lossy()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("start one with --await-restore"), "{said}");
}

#[test]
fn a_recovery_tells_what_is_given_up_and_is_done_by_one_node_alone() {
    let (store, _) = store();
    let recover = ["recover", "--force-new-cluster"];
    let (code, said, _) = remora(&[["--store", store.as_str()].as_slice(), &recover].concat());
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("nodes 1, 2") && said.contains("repeat with --yes"),
        "{said}"
    );
    let both = format!("{store},{}", nobody());
    let (code, _, said) = remora(&[["--store", both.as_str()].as_slice(), &recover].concat());
    assert_eq!(code, Some(2), "{said}");
    let (code, _, said) = remora(&["--store", &store, "recover", "--yes"]);
    assert_eq!(code, Some(2), "{said}");
}

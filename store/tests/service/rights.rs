//! Who may call what, asked of real nodes over TLS: every method of the protocol in every role, and every fault that a
//! certificate can have.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use remora_process::tls::{Authority, Dial, Door, Files, Role, Tls, Wanted};
use remora_proto::v1;
use remora_proto::v1::registry_client::RegistryClient;
use remora_proto::v1::store_admin_client::StoreAdminClient;
use remora_store::{Config, Keys};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::common::{Running, Who, config, free_addresses, until};

/// How long certificates of these tests hold, unless they are to expire.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Every method of the protocol with the roles that may call it; a unit test of `rpc/rights.rs` compares it with `proto/`.
const TABLE: &str = include_str!("../../src/rpc/rights/table.txt");

/// The roles of the table, each as a certificate names it.
const ROLES: [(&str, &str); 6] = [
    ("peer", "remora://peer/1"),
    ("adapter", "remora://adapter/localhost/shop"),
    ("proxy", "remora://proxy"),
    ("reader", "remora://reader"),
    ("admin", "remora://admin"),
    ("nobody", "nothing"),
];

/// A directory with certificates of one authority.
struct Certificates {
    authority: Authority,
    directory: TempDir,
}

impl Certificates {
    fn new(name: &str) -> Certificates {
        Certificates {
            authority: Authority::create(name, SystemTime::now(), DAY).unwrap().0,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn wanted(name: &str, role: &str) -> Wanted {
        Wanted {
            name: name.to_owned(),
            roles: Role::parse(role).into_iter().collect(),
            hosts: vec!["127.0.0.1".to_owned()],
            lifetime: DAY,
        }
    }

    /// Issues a certificate, whose holder trusts `trusted`.
    fn issue(&self, wanted: &Wanted, now: SystemTime, trusted: &Authority) -> Files {
        let issued = self.authority.issue(wanted, now).unwrap();
        let path = |ending: &str| {
            let name = wanted.name.replace('/', "-");
            self.directory.path().join(format!("{name}.{ending}"))
        };
        let files = Files {
            authority: path("authority.pem"),
            cert: path("pem"),
            key: path("key"),
        };
        fs::write(&files.authority, trusted.certificate()).unwrap();
        fs::write(&files.cert, issued.cert).unwrap();
        fs::write(&files.key, issued.key).unwrap();
        files
    }

    fn of(&self, role: &str) -> Files {
        let name = role.trim_start_matches("remora://");
        let wanted = Self::wanted(name, role);
        self.issue(&wanted, SystemTime::now(), &self.authority)
    }
}

/// A node with TLS.
fn secured(node: u64, directory: &Path, cluster: &BTreeMap<u64, SocketAddr>, files: Files) -> Config {
    Config {
        tls: Some(files),
        ..config(node, directory, cluster)
    }
}

/// Three nodes of a cluster, each with a certificate of its own.
async fn three(ours: &Certificates, directory: &Path) -> Vec<Running> {
    let cluster: BTreeMap<u64, SocketAddr> = (1..=3).zip(free_addresses(3)).collect();
    let mut nodes = Vec::new();
    for node in 1..=3 {
        let own = ours.of(&format!("remora://peer/{node}"));
        nodes.push(Running::start(secured(node, directory, &cluster, own)).await);
    }
    nodes
}

fn dial(files: Files) -> Dial {
    Dial::new(Some(Tls::load(files, Door::Certified).unwrap()))
}

async fn reach(dial: &Dial, address: SocketAddr) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let connected = endpoint.connect_with_connector(dial.clone()).await;
    connected.map_err(|error| error.to_string())
}

/// Calls a method with an empty message and some metadata; what becomes of it. Some answer with a stream that has no end.
async fn call(channel: &Channel, method: &str, metadata: &[(&'static str, &str)]) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client
        .ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let mut request = Request::new(());
    for (name, value) in metadata {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    let path = format!("/remora.v1.{method}").parse().unwrap();
    let codec: ProstCodec<(), ()> = ProstCodec::new();
    let answered = client.server_streaming(request, path, codec).await?;
    answered.into_inner().message().await.map(|_| ())
}

fn is_forbidden(answered: &Result<(), Status>) -> bool {
    answered
        .as_ref()
        .is_err_and(|status| status.code() == Code::PermissionDenied)
}

#[tokio::test]
async fn every_role_gets_what_it_may_call_and_nothing_else() {
    let ours = Certificates::new("ours");
    let directory = tempfile::tempdir().unwrap();
    let peer: SocketAddr = free_addresses(1)[0];
    let alone = BTreeMap::from([(1, peer)]);
    let own = ours.of("remora://peer/1");
    let node = Running::start(secured(1, directory.path(), &alone, own)).await;
    let admin = dial(ours.of("remora://admin"));
    let channel = reach(&admin, node.client).await.unwrap();
    until("the node answers operators", async || {
        call(&channel, "StoreAdmin/ListSessions", &[]).await.is_ok()
    })
    .await;

    for (role, name) in ROLES {
        let dial = dial(ours.of(name));
        for line in TABLE.lines() {
            let (method, may) = line.split_once(' ').unwrap();
            let may = may.split(' ').any(|named| named == role);
            let address = if method.starts_with("Peer/") {
                peer
            } else {
                node.client
            };
            let channel = reach(&dial, address).await.unwrap();
            let forged = [
                ("remora-forwarded", "1"),
                ("remora-roles", "remora://admin remora://adapter/localhost/shop"),
                ("remora-caller", "ada"),
            ];
            // Only a peer can forward, and its word is asked for elsewhere.
            let claims: &[&[(&'static str, &str)]] = match role {
                "peer" => &[&[]],
                _ => &[&[], &forged],
            };
            for metadata in claims {
                let answered = call(&channel, method, metadata).await;
                assert_eq!(
                    !is_forbidden(&answered),
                    may,
                    "{role} {method} {metadata:?}: {answered:?}"
                );
            }
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn a_certificate_with_a_fault_does_not_even_connect() {
    let (ours, others) = (Certificates::new("ours"), Certificates::new("others"));
    let directory = tempfile::tempdir().unwrap();
    let peer: SocketAddr = free_addresses(1)[0];
    let alone = BTreeMap::from([(1, peer)]);
    let node = Running::start(secured(1, directory.path(), &alone, ours.of("remora://peer/1"))).await;
    let now = SystemTime::now();

    let of_others = others.issue(
        &Certificates::wanted("eve", "remora://admin"),
        now,
        &ours.authority,
    );
    let soon_over = Wanted {
        lifetime: Duration::from_secs(2),
        ..Certificates::wanted("late", "remora://admin")
    };
    let expired = dial(ours.issue(&soon_over, now, &ours.authority));
    let over = now + Duration::from_secs(3);
    until("a certificate has expired", async || SystemTime::now() > over).await;
    for (fault, dial) in [
        ("in clear", Dial::default()),
        ("of another authority", dial(of_others)),
        ("expired", expired),
    ] {
        for address in [node.client, peer] {
            let answered = match reach(&dial, address).await {
                Ok(channel) => call(&channel, "StoreAdmin/Status", &[])
                    .await
                    .map_err(|s| s.to_string()),
                Err(error) => Err(error),
            };
            let error = answered.unwrap_err();
            assert!(!error.contains("gives no right"), "{fault}: {error}");
        }
    }
    let honest = dial(ours.of("remora://admin"));
    let channel = reach(&honest, node.client).await.unwrap();
    assert!(call(&channel, "StoreAdmin/Status", &[]).await.is_ok());
    // A server that is somebody else's node is not spoken to either.
    assert!(reach(&honest.to_peer(2), peer).await.is_err());
    node.stop().await;
}

#[tokio::test]
async fn a_call_that_is_forwarded_keeps_its_rights_and_gains_none() {
    let ours = Certificates::new("ours");
    let directory = tempfile::tempdir().unwrap();
    let nodes = three(&ours, directory.path()).await;
    let admin = dial(ours.of("remora://admin"));
    for node in &nodes {
        let channel = reach(&admin, node.client).await.unwrap();
        until("every node answers, itself or by the leader", async || {
            call(&channel, "StoreAdmin/ListSessions", &[]).await.is_ok()
        })
        .await;
    }
    let reader = dial(ours.of("remora://reader"));
    let peer = dial(ours.of("remora://peer/2"));
    let stranger = dial(ours.of("remora://peer/9"));
    let elsewhere = [
        ("remora-forwarded", "1"),
        ("remora-roles", "remora://admin"),
        ("remora-cluster", "00000000deadbeef"),
    ];
    for node in &nodes {
        let channel = reach(&reader, node.client).await.unwrap();
        assert!(call(&channel, "StoreAdmin/ListSessions", &[]).await.is_ok());
        let killed = call(&channel, "StoreAdmin/KillSessions", &[]).await;
        assert!(is_forbidden(&killed), "{killed:?}");
        for dial in [&peer, &stranger] {
            let channel = reach(dial, node.client).await.unwrap();
            for metadata in [&[][..], &elsewhere] {
                let listed = call(&channel, "StoreAdmin/ListSessions", metadata).await;
                assert!(is_forbidden(&listed), "{metadata:?}: {listed:?}");
            }
        }
    }
    for node in nodes {
        node.stop().await;
    }
}

/// Announces an instance of n1 that serves an application.
async fn announces(channel: &Channel, instance: u64, application: &str) -> Result<u64, Status> {
    let said = v1::AnnounceRequest {
        caller: Who::new(instance).caller().map(|caller| v1::Caller {
            node: "n1".to_owned(),
            ..caller
        }),
        url: "http://127.0.0.1:8081".to_owned(),
        applications: vec![application.to_owned()],
        ..v1::AnnounceRequest::default()
    };
    let answered = RegistryClient::new(channel.clone()).announce(said).await?;
    Ok(answered.into_inner().version)
}

/// Negative control, run: without `may_have` in `rpc/registry.rs` the other application's Tomcat gets the name.
#[tokio::test]
async fn nobody_takes_the_name_of_a_tomcat_whose_applications_are_not_his() {
    let ours = Certificates::new("ours");
    let directory = tempfile::tempdir().unwrap();
    let alone = BTreeMap::from([(1, free_addresses(1)[0])]);
    let own = ours.of("remora://peer/1");
    let node = Running::start(secured(1, directory.path(), &alone, own)).await;
    let shop = dial(ours.of("remora://adapter/localhost/shop"));
    let bank = dial(ours.of("remora://adapter/localhost/bank"));
    let shop = reach(&shop, node.client).await.unwrap();
    let bank = reach(&bank, node.client).await.unwrap();
    until("the shop's Tomcat is announced", async || {
        announces(&shop, 1, "localhost/shop").await.is_ok()
    })
    .await;
    let taken = announces(&bank, 2, "localhost/bank").await.unwrap_err();
    assert_eq!(taken.code(), Code::PermissionDenied, "{taken:?}");
    assert!(
        taken
            .message()
            .contains("another application server has the name n1"),
        "{taken:?}"
    );
    // Its own may: that is a restart.
    announces(&shop, 3, "localhost/shop").await.unwrap();
    announces(&shop, 3, "localhost/shop").await.unwrap();
    node.stop().await;
}

/// Negative control, run: without `within` in `rpc/admin.rs` the shop's Tomcat is told of the sessions of the bank.
#[tokio::test]
async fn a_tomcat_lists_and_ends_sessions_of_its_own_applications_alone() {
    let ours = Certificates::new("ours");
    let directory = tempfile::tempdir().unwrap();
    let nodes = three(&ours, directory.path()).await;
    let shop = dial(ours.of("remora://adapter/localhost/shop"));
    let of = |application: &str| {
        Some(v1::SessionFilter {
            application: application.to_owned(),
            ..v1::SessionFilter::default()
        })
    };
    // The leader, and those that forward to it.
    for node in &nodes {
        let mut client = StoreAdminClient::new(reach(&shop, node.client).await.unwrap());
        let list = |application| v1::ListSessionsRequest {
            filter: of(application),
            ..v1::ListSessionsRequest::default()
        };
        let kill = |application| v1::KillSessionsRequest {
            filter: of(application),
            ..v1::KillSessionsRequest::default()
        };
        until("its own sessions are listed", async || {
            let mut client = client.clone();
            client.list_sessions(list("localhost/shop")).await.is_ok()
        })
        .await;
        client.kill_sessions(kill("localhost/shop")).await.unwrap();
        let listed = client.list_sessions(list("localhost/bank")).await.unwrap_err();
        let killed = client.kill_sessions(kill("localhost/bank")).await.unwrap_err();
        let all = v1::KillSessionsRequest {
            all: true,
            ..v1::KillSessionsRequest::default()
        };
        assert_eq!(listed.code(), Code::PermissionDenied, "{listed:?}");
        assert_eq!(killed.code(), Code::PermissionDenied, "{killed:?}");
        let all = client.kill_sessions(all).await.unwrap_err();
        assert_eq!(all.code(), Code::InvalidArgument, "{all:?}");
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_node_does_not_start_as_somebody_else() {
    let ours = Certificates::new("ours");
    let directory = tempfile::tempdir().unwrap();
    let files = ours.of("remora://peer/2");
    let config = secured(1, directory.path(), &BTreeMap::new(), files);
    let refused = remora_store::Node::start(config, remora_store::Clock::system()).await;
    let failure = refused.err().unwrap().to_string();
    assert!(failure.contains("remora certs issue peer 1"), "{failure}");

    let half = Keys {
        data_dir: Some(directory.path().to_owned()),
        tls_cert: Some("node.pem".into()),
        ..Keys::default()
    };
    let faults = half.check().unwrap_err().to_string();
    assert!(
        faults.contains("tls-authority") && faults.contains("tls-key"),
        "{faults}"
    );
}

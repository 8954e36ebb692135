//! The only place that names tonic: services for clients and peers, links to peers, wire to domain and back.
//!
//! `sessions` (unary) and `exchange` (the stream) carry requests to the `desk` and replies back; `convert` checks and
//! translates them, and a `visit` is the life of those of one asker; `hub` knows the live streams, tells owners what happened
//! to their sessions and holds an answer until the previous owner has dropped its copy; `accepted` tells it when a client's
//! connection ends; `watches` is what a stream wants to hear of beside the sessions that it owns; `offers` has one Tomcat call the
//! listeners of a session that expired; `lately` remembers what happened to sessions, for operators who are `watching`;
//! `fares` bounds what a Tomcat says of itself; `outbox` and `parcel` group what leaves on a stream; `gate` stands before all services
//! and asks `rights` who may ask what; behind it `forward` takes unary calls one hop to the leader; `admin`
//! (with `listing`, `killing` and `stats`) and `copies` serve operators, `registry` the list of application servers, with `retiring`, and `twins` that want one name; what goes on without
//! whoever asked keeps its own `books`; proxies are
//! `following` that, each with a seat among the `followers`; `status` maps what was turned away to a gRPC status, once; `bounds` are what both ends of a connection keep to. `peers` and `links` are the two ends of the consensus
//! traffic.
//!
//! Invariants: no wire type leaves this directory inwards; no request is retried here; every refusal carries a sentence
//! that says what to do; a session's key appears in no log line beyond 8 hexadecimal digits.

mod accepted;
mod admin;
mod books;
mod bounds;
mod convert;
mod copies;
mod desk;
mod exchange;
mod fares;
#[cfg(test)]
mod fixtures;
mod followers;
mod following;
mod forward;
mod gate;
mod hello;
mod hub;
mod killing;
mod lately;
mod links;
mod listing;
mod members;
mod offers;
mod outbox;
mod parcel;
mod peers;
mod registry;
mod retiring;
mod rights;
mod sessions;
mod stats;
mod status;
mod twins;
mod upgrade;
mod visit;
mod watches;
mod watching;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, Stream};
use remora_process::accept::Accepting;
use remora_process::tls::Tls;
use remora_proto::v1::registry_server::RegistryServer;
use remora_proto::v1::session_store_server::SessionStoreServer;
use remora_proto::v1::store_admin_server::StoreAdminServer;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic::transport::server::Router;

use crate::metrics::{Answers, Streams};
use crate::raft::{EventSink, NodeId, PeerEndpoint, RaftHandle};
use crate::runtime;
use remora_table::Limits;

use accepted::Accepted;
use desk::Desk;
use forward::{AtLeader, Forwards};
use gate::Gate;
use hub::Hub;

pub(crate) use desk::Phase;
pub(crate) use links::GrpcLinks;

use bounds::{CONNECTION_WINDOW_BYTES, MESSAGE_BYTES_MAX, STREAM_WINDOW_BYTES};

/// Calls and streams of one connection at a time; a manager needs one, a gateway a few hundred.
const CALLS_PER_CONNECTION_MAX: u32 = 1_024;

/// How often a silent connection is asked whether it still lives: an owner that vanished without a word is found
/// within [`KEEPALIVE_EVERY`] and [`KEEPALIVE_WITHIN`].
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);

/// How long it may take to answer.
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(5);

/// Why a listener ended by itself.
#[derive(Debug, thiserror::Error)]
#[error("the {address} listener stopped: {source}")]
pub(crate) struct ServeError {
    address: &'static str,
    source: tonic::transport::Error,
}

/// Whoever takes the table's events; made before consensus, which feeds it.
#[derive(Clone)]
pub(crate) struct Events(Arc<Hub>);

impl Events {
    /// Without streams. The process's metrics recorder must be installed.
    pub(crate) fn new() -> Events {
        Events(Arc::new(Hub::new(hello::PATIENCE, Streams::new())))
    }

    /// As consensus knows it.
    pub(crate) fn sink(&self) -> Arc<dyn EventSink> {
        Arc::clone(&self.0) as Arc<dyn EventSink>
    }
}

impl Default for Events {
    fn default() -> Self {
        Events::new()
    }
}

/// What the services for clients are made of.
pub(crate) struct Services {
    /// This node.
    pub node: NodeId,
    /// Consensus.
    pub raft: RaftHandle,
    /// The same that consensus was given.
    pub events: Events,
    /// Limits on sessions and on the table, as they are now.
    pub limits: watch::Receiver<Limits>,
    /// Where the node is in its life.
    pub phase: watch::Receiver<Phase>,
    /// Who is believed; absent where nothing is encrypted and everybody may do everything.
    pub tls: Option<Tls>,
}

/// Serves clients and operators on the client address until `stop` completes, then ends when all calls have.
pub(crate) async fn serve_clients(
    listener: Accepting,
    services: Services,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let desk = Arc::new(Desk {
        node: services.node,
        raft: services.raft,
        hub: services.events.0,
        limits: services.limits,
        phase: services.phase,
        answers: Answers::new(),
    });
    let sessions = SessionStoreServer::new(sessions::Sessions {
        desk: Arc::clone(&desk),
    });
    let admin = StoreAdminServer::new(admin::Admin {
        desk: Arc::clone(&desk),
        started: runtime::now(),
        backups: copies::Backups::default(),
        watchers: watching::Watchers::default(),
        counts: stats::Counts::default(),
    });
    let registry = RegistryServer::new(registry::Registered {
        desk: Arc::clone(&desk),
    });
    let forwards = Arc::new(Forwards::new(services.tls.clone()));
    let sessions = sessions
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let router = server()
        .add_service(behind_gate(&desk, &forwards, sessions))
        .add_service(behind_gate(
            &desk,
            &forwards,
            admin.max_encoding_message_size(MESSAGE_BYTES_MAX),
        ))
        .add_service(behind_gate(&desk, &forwards, registry));
    let connections = accepted(listener, Some(Arc::clone(&desk.hub)), services.tls);
    let serving = serve("client", connections, router, stop);
    tokio::select! {
        biased;
        served = serving => served,
        never = offers::offer(desk) => match never {},
    }
}

/// Who may not ask comes no further than the gate; what this node cannot answer goes on to the leader.
fn behind_gate<S>(desk: &Arc<Desk>, forwards: &Arc<Forwards>, service: S) -> Gate<AtLeader<S>> {
    let service = AtLeader {
        desk: Arc::clone(desk),
        forwards: Arc::clone(forwards),
        service,
    };
    Gate::new(service, Some(desk.raft.clone()))
}

/// Serves the other nodes on the peer address until `stop` completes.
pub(crate) async fn serve_peers(
    listener: Accepting,
    endpoint: PeerEndpoint,
    tls: Option<Tls>,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let peers = Gate::new(peers::peer_service(endpoint), None);
    serve(
        "peer",
        accepted(listener, None, tls),
        server().add_service(peers),
        stop,
    )
    .await
}

fn server() -> Server {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(CALLS_PER_CONNECTION_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEPALIVE_WITHIN))
}

/// What a listener accepts, counted from 1; a hub is told when the far end of one ends it.
fn accepted(
    listener: Accepting,
    hub: Option<Arc<Hub>>,
    tls: Option<Tls>,
) -> impl Stream<Item = io::Result<Accepted>> {
    stream::unfold((listener, 1), move |(mut listener, number)| {
        let (hub, tls) = (hub.clone(), tls.clone());
        async move {
            let (connection, remote) = listener.next().await;
            let accepted = Accepted::new(connection, (number, remote), hub, tls.as_ref());
            Some((Ok(accepted), (listener, number + 1)))
        }
    })
}

async fn serve(
    address: &'static str,
    incoming: impl Stream<Item = io::Result<Accepted>>,
    router: Router,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    router
        .serve_with_incoming_shutdown(incoming, stop)
        .await
        .map_err(|source| ServeError { address, source })
}

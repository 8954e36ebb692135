//! The composition root: puts a node together from its configuration, runs it, stops it.
//!
//! Addresses are bound before anything is read or written, so that a busy port leaves no trace; health and metrics are
//! served from then on, while the table is restored. The only place that spawns besides the accept loops and the tasks
//! of consensus.
//!
//! A planned stop: readiness goes, new requests are refused, leadership is handed over and what was proposed finishes,
//! streams end with a hint to the next leader; all of it within `STOP_WITHIN`, or the rest is dropped.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use remora_process::accept::Accepting;
use remora_process::exit::{Failure, chain};
use remora_process::ops;
use remora_process::tls::{Dial, Door, Role, Tls};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clients::ClientThread;
use crate::clock::Clock;
use crate::config::Config;
use crate::descriptors::Shares;
use crate::metrics;
use crate::raft::{self, DiskHealth, DiskPatience, RaftHandle, Settings, StartError};
use crate::rpc::{self, Events, GrpcLinks, Phase, ServeError, Services};
use remora_table::Limits;

/// How long a planned stop may take: a hand-over takes a few election timers, and supervisors kill after 10 s or more.
const STOP_WITHIN: Duration = Duration::from_secs(5);

// What was proposed finishes and leadership moves before the rest is dropped.
const _: () = assert!(raft::STOPS_WITHIN.as_millis() < STOP_WITHIN.as_millis());

/// How long open streams and calls may take to end once consensus has stopped.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// How often gauges are set.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// How a node ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// As asked.
    Stopped,
    /// To be started again: its data directory has begun anew.
    Anew,
}

/// A node whose addresses are bound and whose consensus runs.
pub struct Node {
    raft: RaftHandle,
    client_addr: SocketAddr,
    peer_addr: SocketAddr,
    ops_addr: SocketAddr,
    limits: Arc<watch::Sender<Limits>>,
    tls: Option<Tls>,
    phase: watch::Sender<Phase>,
    tasks: JoinSet<Result<(), ServeError>>,
    /// Ends with the node.
    _clients: ClientThread,
}

impl Node {
    /// Binds the addresses, opens the data directory and starts serving. Must run inside a tokio runtime, which it keeps for
    /// consensus. Dropped before it is done, it leaves a data directory that can be started again.
    pub async fn start(config: Config, clock: Clock) -> Result<Node, Failure> {
        let shares = Shares::of_this_process().map_err(Failure::Runtime)?;
        // Before anything counts: what is counted earlier is lost.
        ops::recorder();
        let tls = secured(&config)?;
        let clients = ClientThread::start()?;
        let front = clients.handle();
        let client = bind_on(front, config.client_addr, "client-addr").await?;
        let peer = ops::bind(config.peer_addr, "peer-addr").await?;
        let operators = bind_on(front, config.ops_addr, "ops-addr").await?;
        let addresses = (bound(&client)?, bound(&peer)?, bound(&operators)?);
        let (phase, phase_seen) = watch::channel(Phase::Serving);
        let (starting, starting_seen) = watch::channel(raft::RESTORING.to_owned());
        let started = Started::default();
        let mut tasks = JoinSet::new();
        let operators = accepting(operators, "ops-addr", shares.operators);
        tasks.spawn_on(
            serve_ops(
                operators,
                operations_port(&config, addresses.0),
                (Arc::clone(&started), starting_seen),
                phase_seen.clone(),
            ),
            front,
        );
        let events = Events::new();
        let limits = Arc::new(watch::Sender::new(config.limits));
        let settings = settings(&config, addresses, (clock, &tls), (&events, &limits, starting));
        let raft = raft::start(settings).await.map_err(failure)?;
        started.get_or_init(|| raft.clone());
        let services = Services {
            node: config.node,
            raft: raft.clone(),
            events,
            limits: limits.subscribe(),
            phase: phase_seen.clone(),
            tls: tls.clone(),
        };
        let serving = rpc::serve_clients(
            accepting(client, "client-addr", shares.clients),
            services,
            reached(phase_seen.clone(), Phase::Closed),
        );
        tasks.spawn_on(serving, front);
        tasks.spawn(rpc::serve_peers(
            accepting(peer, "peer-addr", shares.peers),
            raft.endpoint(),
            tls.clone(),
            reached(phase_seen.clone(), Phase::Closed),
        ));
        tasks.spawn_on(keep_looking(tls.clone(), phase_seen.clone()), front);
        tasks.spawn_on(sample(raft.clone(), limits.subscribe(), phase_seen), front);
        let (client_addr, peer_addr, ops_addr) = addresses;
        Ok(Node {
            raft,
            client_addr,
            peer_addr,
            ops_addr,
            limits,
            tls,
            phase,
            tasks,
            _clients: clients,
        })
    }

    /// Where clients reach this node.
    pub fn client_addr(&self) -> SocketAddr {
        self.client_addr
    }

    /// Where peers reach this node.
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer_addr
    }

    /// Where operators reach this node.
    pub fn ops_addr(&self) -> SocketAddr {
        self.ops_addr
    }

    /// What takes a new configuration over.
    pub fn changes(&self) -> Changes {
        Changes {
            raft: self.raft.clone(),
            client_addr: self.client_addr,
            limits: Arc::clone(&self.limits),
            tls: self.tls.clone(),
        }
    }

    /// Runs until `stop` completes, or until what it keeps has begun anew, then stops in order; fails when consensus or a
    /// listener ends by itself.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<Ended, Failure> {
        let ended = tokio::select! {
            biased;
            () = stop => Ok(Ended::Stopped),
            why = self.raft.failed() => Err(why),
            () = self.raft.begun_anew() => Ok(Ended::Anew),
            ended = self.tasks.join_next() => Err(sentence(ended)),
        };
        let ended = ended.map_err(Failure::Runtime)?;
        tracing::info!("stopping: new requests are refused, leadership is handed over");
        self.phase.send_replace(Phase::Stopping);
        if tokio::time::timeout(STOP_WITHIN, self.raft.stop()).await.is_err() {
            tracing::warn!("consensus did not stop in time: what is in flight is dropped");
        }
        self.phase.send_replace(Phase::Closed);
        let closed = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(CLOSE_WITHIN, closed).await.is_err() {
            tracing::debug!("connections that are still open are dropped");
            self.tasks.shutdown().await;
        }
        tracing::info!("stopped");
        Ok(ended)
    }
}

/// Changes a running node. Cheap to clone.
#[derive(Clone)]
pub struct Changes {
    raft: RaftHandle,
    client_addr: SocketAddr,
    limits: Arc<watch::Sender<Limits>>,
    tls: Option<Tls>,
}

impl Changes {
    /// Reads the TLS files again, if they have changed. Disk work.
    pub fn look_again(&self) {
        if let Some(tls) = &self.tls {
            tls.look_again();
        }
    }

    /// Takes over what of a configuration is not fixed.
    pub fn take(&self, config: &Config) {
        self.limits.send_replace(config.limits);
        self.raft.set_snapshots(config.snapshots);
        self.raft.advertise(advertised(config, self.client_addr));
    }
}

/// Where clients are told to reach this node.
fn advertised(config: &Config, bound: SocketAddr) -> String {
    let named = config.advertise_client_addr.clone();
    named.unwrap_or_else(|| bound.to_string())
}

fn settings(
    config: &Config,
    (client, peer, _): (SocketAddr, SocketAddr, SocketAddr),
    (clock, tls): (Clock, &Option<Tls>),
    (events, limits, starting): (&Events, &watch::Sender<Limits>, watch::Sender<String>),
) -> Settings {
    let limits = limits.subscribe();
    Settings {
        node: config.node,
        cluster: config.cluster.clone(),
        join: config.join.clone(),
        peer_address: peer.to_string(),
        client_address: advertised(config, client),
        data_dir: config.data_dir.clone(),
        await_restore: config.await_restore,
        understands: config.understands,
        timers: config.timers,
        patience: DiskPatience::default(),
        snapshots: config.snapshots,
        links: Arc::new(GrpcLinks {
            dial: Dial::new(tls.clone()),
        }),
        clock,
        events: events.sink(),
        leavers_bytes_max: Arc::new(move || limits.borrow().leavers_bytes_max()),
        starting,
    }
}

/// Who this node believes, and as whom it is believed.
fn secured(config: &Config) -> Result<Option<Tls>, Failure> {
    let Some(files) = &config.tls else {
        return Ok(None);
    };
    let tls = Tls::load(files.clone(), Door::Certified).map_err(|error| Failure::Usage(error.to_string()))?;
    let (own, node) = (tls.own(), config.node);
    if !own.is(|role| *role == Role::Peer(node)) {
        return Err(Failure::Usage(format!(
            "tls-cert is the certificate of {own}, and no other node believes that to be node {node}: issue one with \
             `remora certs issue peer {node}`"
        )));
    }
    Ok(Some(tls))
}

/// Binds a listener that is to accept on the thread of this runtime.
async fn bind_on(front: &Handle, address: SocketAddr, what: &'static str) -> Result<TcpListener, Failure> {
    let bound = front.spawn(async move { ops::bind(address, what).await });
    bound
        .await
        .map_err(|error| Failure::while_doing("the thread for clients ended", &error))?
}

/// A listener within its share, which shows how many are connected.
fn accepting(listener: TcpListener, address: &'static str, share: usize) -> Accepting {
    Accepting::new(listener, address, share, metrics::connections(address))
}

fn bound(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener
        .local_addr()
        .map_err(|error| Failure::while_doing("a listener has no address", &error))
}

fn failure(error: StartError) -> Failure {
    match error {
        StartError::Settings(sentence) => Failure::Usage(sentence),
        other => Failure::while_doing("cannot start", &other),
    }
}

async fn reached(mut phase: watch::Receiver<Phase>, wanted: Phase) {
    // An error means that the node is gone, which is later than any phase.
    let _ = phase.wait_for(|now| *now >= wanted).await;
}

/// What whoever asks the wrong port is told of this one.
fn operations_port(config: &Config, client: SocketAddr) -> String {
    let client = config
        .advertise_client_addr
        .clone()
        .unwrap_or_else(|| client.to_string());
    format!(
        "the operations port of store node {}; its client address is {client}",
        config.node
    )
}

/// Consensus, once it has started.
type Started = Arc<OnceLock<RaftHandle>>;

async fn serve_ops(
    listener: Accepting,
    port: String,
    (started, starting): (Started, watch::Receiver<String>),
    phase: watch::Receiver<Phase>,
) -> Result<(), ServeError> {
    let seen = phase.clone();
    let readiness: ops::Readiness = Arc::new(move || ready(started.get(), &starting, *seen.borrow()));
    let router = ops::router(&port, readiness, metrics::FIGURES);
    if let Err(failure) = ops::serve(listener, router, reached(phase, Phase::Closed)).await {
        tracing::error!(%failure, "health and metrics are no longer served");
    }
    Ok(())
}

fn ready(raft: Option<&RaftHandle>, starting: &watch::Receiver<String>, phase: Phase) -> Result<(), String> {
    if phase != Phase::Serving {
        return Err("this node stops".to_owned());
    }
    let Some(raft) = raft else {
        return Err(starting.borrow().clone());
    };
    match raft.disk_health() {
        DiskHealth::Answers => {}
        DiskHealth::Full => {
            return Err("the disk of the data directory has no room for the log: make room".to_owned());
        }
        DiskHealth::Late | DiskHealth::Hangs | DiskHealth::Lost => {
            return Err("the disk of the data directory has not answered for a second or more".to_owned());
        }
    }
    if !raft.is_compared() {
        return Err("this node compares its data directory with what its peers remember of it".to_owned());
    }
    if let Some(waiting) = raft.waiting() {
        return Err(waiting);
    }
    let status = raft.status();
    if status.ready {
        return Ok(());
    }
    Err(match status.leader {
        _ if raft.awaits_restore() => {
            "this node waits for a backup: send it one with `remora restore FILE`".to_owned()
        }
        _ if status.cluster.is_empty() => {
            "the cluster is not formed yet: every node of --cluster must run and be reachable".to_owned()
        }
        None => format!(
            "no leader is known in term {}: a majority of the nodes must run",
            status.term
        ),
        Some(leader) if !raft.noted() => {
            format!("the leader, node {leader}, has not noted yet what this program understands")
        }
        Some(leader) if leader == status.node => "this node leads, but no majority answers it".to_owned(),
        Some(leader) => format!("this node has not caught up with the leader, node {leader}"),
    })
}

/// Takes new certificates over until the node closes.
async fn keep_looking(tls: Option<Tls>, phase: watch::Receiver<Phase>) -> Result<(), ServeError> {
    let closed = reached(phase, Phase::Closed);
    match tls {
        None => closed.await,
        Some(tls) => tokio::select! {
            biased;
            () = closed => {}
            () = tls.keep_looking() => {}
        },
    }
    Ok(())
}

/// Keeps the gauges up to date until the node closes.
async fn sample(
    raft: RaftHandle,
    limits: watch::Receiver<Limits>,
    phase: watch::Receiver<Phase>,
) -> Result<(), ServeError> {
    let mut ticks = tokio::time::interval(SAMPLE_EVERY);
    let sampling = async {
        loop {
            ticks.tick().await;
            metrics::sample(&raft.status(), raft.table(), &limits.borrow());
        }
    };
    tokio::select! {
        biased;
        () = reached(phase, Phase::Closed) => {}
        () = sampling => {}
    }
    Ok(())
}

fn sentence(ended: Option<Result<Result<(), ServeError>, tokio::task::JoinError>>) -> String {
    match ended {
        Some(Ok(Err(error))) => chain(&error),
        Some(Err(error)) => format!("a part of the node failed: {error}"),
        Some(Ok(Ok(()))) | None => "a part of the node ended by itself".to_owned(),
    }
}

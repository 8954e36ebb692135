//! What a node is told: flags and a TOML file with the same keys; flags win.
//!
//! [`Keys`] is what was written, every key optional; [`Config`] is what holds, defaults filled in and everything
//! checked, all faults reported together. SIGHUP reads it all again: limits, snapshot-bytes and
//! advertise-client-addr are taken over, [`Config::fixed_differences`] says what is not. Left out on purpose: the log filter,
//! which the environment gives.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use remora_process::config::{Faults, load};
use remora_process::tls::Files;
use serde::Deserialize;

mod check;
mod fixed;

use crate::raft::{NodeId, SnapshotPolicy, Timers};
use check::Check;
#[cfg(debug_assertions)]
use remora_table::Format;
use remora_table::{Formats, Limits};

/// Where clients reach a node unless it is told otherwise.
const CLIENT_ADDR: &str = "127.0.0.1:7401";
/// Where peers reach a node unless it is told otherwise.
const PEER_ADDR: &str = "127.0.0.1:7501";
/// Where operators reach a node unless it is told otherwise.
const OPS_ADDR: &str = "127.0.0.1:7601";
/// Limit on one session unless told otherwise: 1 MiB.
const SESSION_BYTES: u64 = 1 << 20;
/// Largest limit on one session: a record, its names and framing must fit a message of 4 MiB.
const SESSION_BYTES_TOP: u64 = 3 << 20;
/// Limit on the attributes of one session unless told otherwise.
const ATTRIBUTES: u32 = 1_024;
/// Largest limit on attributes: their names and framing must fit a message beside the values.
const ATTRIBUTES_TOP: u32 = 2_048;
/// Limit on sessions unless told otherwise.
const SESSIONS: u64 = 2_000_000;
/// Limit on the bytes of all sessions unless told otherwise: 4 GiB.
const TABLE_BYTES: u64 = 4 << 30;
/// Longest election timer that makes sense, in milliseconds: a minute without a leader is an outage.
const ELECTION_TOP_MS: u64 = 60_000;
/// Shortest heartbeat that makes sense, in milliseconds: below it a busy machine does little else, and misses them.
const HEARTBEAT_BOTTOM_MS: u64 = 5;

const EXAMPLES: &str = "\
Examples:
  A complete store for development, on this machine only:
    remora-store --data-dir ./store-data

  The first of three nodes on one machine (the others: --node-id 2 and 3 with their own addresses and directories):
    remora-store --node-id 1 --data-dir ./n1 --client-addr 127.0.0.1:7401 --peer-addr 127.0.0.1:7501 \\
      --ops-addr 127.0.0.1:7601 --cluster 1=127.0.0.1:7501,2=127.0.0.1:7502,3=127.0.0.1:7503

  A fourth node for a cluster that runs, which then waits for `remora nodes add 4 127.0.0.1:7504`:
    remora-store --node-id 4 --data-dir ./n4 --client-addr 127.0.0.1:7404 --peer-addr 127.0.0.1:7504 \\
      --ops-addr 127.0.0.1:7604 --join 127.0.0.1:7501,127.0.0.1:7502

  The same from a file, in which the keys are the flags without the dashes:
    remora-store --config store.toml

  The same once more, after all was lost: it waits for the backup that `remora restore FILE` sends it (the others as ever):
    remora-store --config store.toml --await-restore

Exit codes: 0 stopped as asked, 1 could not do its work, 2 flags or configuration wrong.";

/// One node of Remora's session store.
#[derive(Debug, Parser)]
#[command(name = "remora-store", version, after_help = EXAMPLES)]
pub struct Flags {
    /// TOML file with the same keys as the flags; flags win.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    keys: Keys,
    /// Plays a later release that understands formats up to this one. Not in programs built for use: what they write
    /// under a number must be what the number means.
    #[cfg(debug_assertions)]
    #[arg(long, hide = true, value_name = "N")]
    newest_format: Option<u8>,
}

/// What was written, on the command line or in the file.
#[derive(Debug, Clone, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Keys {
    /// This node's id in the cluster, from 1 [default: 1]
    #[arg(long, value_name = "N")]
    pub node_id: Option<NodeId>,
    /// Directory of this node's log and snapshots; made if absent; never shared, never swapped
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Listening address for application servers and the command line [default: 127.0.0.1:7401]
    #[arg(long, value_name = "IP:PORT")]
    pub client_addr: Option<SocketAddr>,
    /// Listening address for the other nodes [default: 127.0.0.1:7501]
    #[arg(long, value_name = "IP:PORT")]
    pub peer_addr: Option<SocketAddr>,
    /// Listening address for /healthz, /readyz and /metrics [default: 127.0.0.1:7601]
    #[arg(long, value_name = "IP:PORT")]
    pub ops_addr: Option<SocketAddr>,
    /// All nodes of the cluster with their peer addresses, the same on every node: 1=host:port,2=host:port,...
    #[arg(long, value_name = "LIST")]
    pub cluster: Option<String>,
    /// Peer addresses of nodes of a cluster that exists: a node with an empty data directory waits to be added to it,
    /// and says how; one that was added finds its cluster by itself. In place of cluster: host:port,host:port,...
    #[arg(long, value_name = "LIST")]
    pub join: Option<String>,
    /// With a new data directory: form no cluster, but wait for the backup that `remora restore FILE` sends, and form one with
    /// that and all other nodes of `cluster`; afterwards it says nothing
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub await_restore: Option<bool>,
    /// Where application servers reach this node, for hints to the leader [default: client-addr]
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise_client_addr: Option<String>,
    /// Say aloud that addresses off the loopback are served without TLS
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub allow_plaintext: Option<bool>,
    /// PEM file with the certificates of the authorities that this node trusts; with tls-cert and tls-key it encrypts what
    /// clients and peers say, and asks each of them for a certificate
    #[arg(long, value_name = "FILE")]
    pub tls_authority: Option<PathBuf>,
    /// PEM file with this node's own certificate, which names it `remora://peer/N` and the host of its addresses
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the key of that certificate
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// How often an idle leader tells its followers that it lives [default: 30]
    #[arg(long, value_name = "MS")]
    pub heartbeat_ms: Option<u64>,
    /// Shortest random part of the wait before an election on quick disks [default: 75]
    #[arg(long, value_name = "MS")]
    pub election_min_ms: Option<u64>,
    /// Longest random part of that wait; the gap after a leader fell silent is about twice this [default: 150]
    #[arg(long, value_name = "MS")]
    pub election_max_ms: Option<u64>,
    /// Largest session: attribute names, values, login and labels together, at most 3 MiB [default: 1048576]
    #[arg(long, value_name = "BYTES")]
    pub session_bytes_max: Option<u64>,
    /// Most attributes of one session, at most 2048 [default: 1024]
    #[arg(long, value_name = "N")]
    pub attributes_max: Option<u32>,
    /// Most sessions on this node; beyond it new sessions are refused [default: 2000000]
    #[arg(long, value_name = "N")]
    pub sessions_max: Option<u64>,
    /// Most bytes of sessions on this node; beyond it new sessions are refused [default: 4294967296]
    #[arg(long, value_name = "BYTES")]
    pub bytes_max: Option<u64>,
    /// Bytes of log after which a snapshot is taken; with a larger table, as many as it holds [default: 268435456]
    #[arg(long, value_name = "BYTES")]
    pub snapshot_bytes: Option<u64>,
}

/// What holds: checked and complete.
#[derive(Debug, Clone)]
pub struct Config {
    /// This node.
    pub node: NodeId,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// Listening address for clients.
    pub client_addr: SocketAddr,
    /// Listening address for peers.
    pub peer_addr: SocketAddr,
    /// Listening address for operators.
    pub ops_addr: SocketAddr,
    /// Peer addresses (host:port) of all nodes, this one included; empty for a single node.
    pub cluster: BTreeMap<NodeId, String>,
    /// Peer addresses (host:port) of nodes of the cluster that this one is to be added to; empty for one that forms its own.
    pub join: Vec<String>,
    /// Whether a new data directory waits for a backup.
    pub await_restore: bool,
    /// Where clients reach this node (host:port); absent means wherever `client_addr` is bound.
    pub advertise_client_addr: Option<String>,
    /// Whether addresses off the loopback were allowed.
    pub allow_plaintext: bool,
    /// The files of TLS; absent where nothing is encrypted.
    pub tls: Option<Files>,
    /// Timers of elections.
    pub timers: Timers,
    /// What the program understands.
    pub understands: Formats,
    /// When snapshots are taken.
    pub snapshots: SnapshotPolicy,
    /// Limits on sessions and on the table.
    pub limits: Limits,
}

impl Flags {
    /// Reads the file, if one is named, lays the flags over it and checks the whole.
    pub fn config(&self) -> Result<Config, Faults> {
        let file = match &self.config {
            Some(path) => load(path)?,
            None => Keys::default(),
        };
        let config = self.keys.clone().over(file).check();
        #[cfg(debug_assertions)]
        let config = config.map(|config| Config {
            understands: Formats {
                newest: self.newest_format.map_or(Formats::OURS.newest, Format),
                ..Formats::OURS
            },
            ..config
        });
        config
    }
}

impl Keys {
    /// These settings where they say something, the others elsewhere.
    pub fn over(self, below: Keys) -> Keys {
        Keys {
            node_id: self.node_id.or(below.node_id),
            data_dir: self.data_dir.or(below.data_dir),
            client_addr: self.client_addr.or(below.client_addr),
            peer_addr: self.peer_addr.or(below.peer_addr),
            ops_addr: self.ops_addr.or(below.ops_addr),
            cluster: self.cluster.or(below.cluster),
            join: self.join.or(below.join),
            await_restore: self.await_restore.or(below.await_restore),
            advertise_client_addr: self.advertise_client_addr.or(below.advertise_client_addr),
            allow_plaintext: self.allow_plaintext.or(below.allow_plaintext),
            tls_authority: self.tls_authority.or(below.tls_authority),
            tls_cert: self.tls_cert.or(below.tls_cert),
            tls_key: self.tls_key.or(below.tls_key),
            heartbeat_ms: self.heartbeat_ms.or(below.heartbeat_ms),
            election_min_ms: self.election_min_ms.or(below.election_min_ms),
            election_max_ms: self.election_max_ms.or(below.election_max_ms),
            session_bytes_max: self.session_bytes_max.or(below.session_bytes_max),
            attributes_max: self.attributes_max.or(below.attributes_max),
            sessions_max: self.sessions_max.or(below.sessions_max),
            bytes_max: self.bytes_max.or(below.bytes_max),
            snapshot_bytes: self.snapshot_bytes.or(below.snapshot_bytes),
        }
    }

    /// Fills in the defaults and checks everything.
    pub fn check(self) -> Result<Config, Faults> {
        let mut faults = Check(Vec::new());
        let node = self.node_id.unwrap_or(1);
        faults.unless(node > 0, "node-id", "must be 1 or more");
        let cluster = faults.cluster(self.cluster.as_deref().unwrap_or(""), node);
        let join = faults.join(self.join.as_deref().unwrap_or(""), self.node_id, &cluster);
        if self.data_dir.is_none() {
            faults.add(
                "data-dir",
                "is missing: name a directory for this node's log, as in --data-dir ./store-data",
            );
        }
        let addr = |given: Option<SocketAddr>, default: &str| {
            given.unwrap_or_else(|| default.parse().expect("the default addresses are well formed"))
        };
        let tls = faults.tls([self.tls_authority, self.tls_cert, self.tls_key]);
        let own = cluster.get(&node);
        let own_peer = own.and_then(|address| address.parse().ok());
        if let (Some(name), None, None) = (own, self.peer_addr, own_peer) {
            faults.add(
                "peer-addr",
                format!("is missing: cluster calls this node {name}, by a name; say at which IP:PORT it listens for the others"),
            );
        }
        let config = Config {
            node,
            data_dir: self.data_dir.unwrap_or_default(),
            client_addr: addr(self.client_addr, CLIENT_ADDR),
            peer_addr: addr(self.peer_addr.or(own_peer), PEER_ADDR),
            ops_addr: addr(self.ops_addr, OPS_ADDR),
            cluster,
            join,
            await_restore: self.await_restore.unwrap_or(false),
            advertise_client_addr: self.advertise_client_addr,
            allow_plaintext: self.allow_plaintext.unwrap_or(false),
            tls,
            timers: timers(self.heartbeat_ms, self.election_min_ms, self.election_max_ms),
            understands: Formats::OURS,
            snapshots: SnapshotPolicy {
                bytes: self.snapshot_bytes.unwrap_or(SnapshotPolicy::default().bytes),
                ..SnapshotPolicy::default()
            },
            limits: Limits {
                session_bytes_max: self.session_bytes_max.unwrap_or(SESSION_BYTES),
                attributes_max: self.attributes_max.unwrap_or(ATTRIBUTES),
                sessions_max: self.sessions_max.unwrap_or(SESSIONS),
                table_bytes_max: self.bytes_max.unwrap_or(TABLE_BYTES),
            },
        };
        faults.beginning(&config);
        faults.addresses(&config);
        faults.timers(&config.timers);
        faults.limits(&config);
        Faults(faults.0).or(config)
    }
}

fn timers(heartbeat_ms: Option<u64>, election_min_ms: Option<u64>, election_max_ms: Option<u64>) -> Timers {
    let default = Timers::default();
    let millis = |given: Option<u64>, default| given.map_or(default, Duration::from_millis);
    Timers {
        heartbeat: millis(heartbeat_ms, default.heartbeat),
        election_min: millis(election_min_ms, default.election_min),
        election_max: millis(election_max_ms, default.election_max),
    }
}

impl Config {
    /// What works and is hardly meant, as sentences for the log.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.cluster.len() == 2 {
            remarks.push(
                "a cluster of two nodes stops when either of them does; three survive the loss of one"
                    .to_owned(),
            );
        }
        let named = self
            .cluster
            .get(&self.node)
            .and_then(|address| address.parse().ok());
        if let Some(named) = named.filter(|named| !self.listens_at(named)) {
            remarks.push(format!(
                "peers look for this node at {named}, as cluster says, and it listens at {}: one of them is wrong unless \
                 something between them forwards",
                self.peer_addr
            ));
        }
        remarks
    }

    fn listens_at(&self, named: &SocketAddr) -> bool {
        let listens = self.peer_addr;
        (listens.port() == 0 || listens.port() == named.port())
            && (listens.ip().is_unspecified() || listens.ip() == named.ip())
    }
}

impl fmt::Display for Config {
    /// The effective configuration in one line, with the keys of the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cluster: Vec<String> = self
            .cluster
            .iter()
            .map(|(id, address)| format!("{id}={address}"))
            .collect();
        write!(f, "node-id={} data-dir={}", self.node, self.data_dir.display())?;
        write!(
            f,
            " client-addr={} peer-addr={} ops-addr={}",
            self.client_addr, self.peer_addr, self.ops_addr
        )?;
        write!(
            f,
            " cluster={}",
            if !self.join.is_empty() {
                "(an existing one)".to_owned()
            } else if cluster.is_empty() {
                "(single node)".to_owned()
            } else {
                cluster.join(",")
            }
        )?;
        if !self.join.is_empty() {
            write!(f, " join={}", self.join.join(","))?;
        }
        write!(
            f,
            " advertise-client-addr={}",
            self.advertise_client_addr.as_deref().unwrap_or("(client-addr)")
        )?;
        write!(f, " allow-plaintext={}", self.allow_plaintext)?;
        if let Some(tls) = &self.tls {
            write!(
                f,
                " tls-authority={} tls-cert={} tls-key={}",
                tls.authority.display(),
                tls.cert.display(),
                tls.key.display()
            )?;
        }
        write!(f, " await-restore={}", self.await_restore)?;
        write!(f, " heartbeat-ms={}", self.timers.heartbeat.as_millis())?;
        write!(f, " election-min-ms={}", self.timers.election_min.as_millis())?;
        write!(f, " election-max-ms={}", self.timers.election_max.as_millis())?;
        write!(f, " session-bytes-max={}", self.limits.session_bytes_max)?;
        write!(
            f,
            " attributes-max={} sessions-max={}",
            self.limits.attributes_max, self.limits.sessions_max
        )?;
        write!(
            f,
            " bytes-max={} snapshot-bytes={}",
            self.limits.table_bytes_max, self.snapshots.bytes
        )
    }
}

#[cfg(test)]
mod tests;

//! What consensus must be told: who we are, who the others are, timers, limits.
//!
//! A relation that must hold: `heartbeat` < `election_min` < `election_max`, which the configuration checks.
//! Clock, links and whoever listens are handed in, so that consensus runs as well in memory, under a clock of the test.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use remora_table::{Event, Formats, Happening, Ousted, TableReader};
use tokio::sync::watch;

use crate::clock::Clock;

use super::imaging::SnapshotPolicy;
use super::watchdog::DiskPatience;
use super::{NodeId, PeerLinks};

/// What a node does before it has consensus, unless it says something else, for people.
pub(crate) const RESTORING: &str = "this node is restoring its sessions from the disk";

/// Everything that [`super::start()`] needs.
pub(crate) struct Settings {
    /// This node's id, from 1.
    pub node: NodeId,
    /// All nodes of the cluster by id with their peer addresses, this one included; empty for a single node.
    pub cluster: BTreeMap<NodeId, String>,
    /// Peer addresses of nodes of a cluster that exists, which this node is to be added to; empty for one that forms its own.
    pub join: Vec<String>,
    /// Where peers reach this node (host:port); only read when `cluster` is empty.
    pub peer_address: String,
    /// Where clients reach this node (host:port).
    pub client_address: String,
    /// The data directory.
    pub data_dir: PathBuf,
    /// Whether a node whose data directory is new waits for a backup instead of forming a cluster.
    pub await_restore: bool,
    /// What this program understands: [`Formats::OURS`], but where a test plays the next release.
    pub understands: Formats,
    /// Timers of elections.
    pub timers: Timers,
    /// How long the disk may take.
    pub patience: DiskPatience,
    /// When snapshots are taken.
    pub snapshots: SnapshotPolicy,
    /// How to reach peers.
    pub links: Arc<dyn PeerLinks>,
    /// The clock by which log entries are stamped.
    pub clock: Clock,
    /// Who wants to know what happened to sessions.
    pub events: Arc<dyn EventSink>,
    /// What sessions that expired may take while they wait for somebody who calls their listeners, in bytes.
    pub leavers_bytes_max: Bound,
    /// Is told in a sentence for people what the node does until it has started.
    pub starting: watch::Sender<String>,
}

/// A bound that may change while the node runs.
pub(crate) type Bound = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Timers of elections on quick disks; slower ones make them longer, see `pace`. A follower stands for election
/// `election_max` plus a random time between `election_min` and `election_max` after the last sign of its leader, so the gap
/// after a leader fell silent is about 1.5 to 2 times `election_max`. A dead process is followed at once.
#[derive(Debug, Clone, Copy)]
pub struct Timers {
    /// How often a leader that has nothing to say says so.
    pub heartbeat: Duration,
    /// Shortest random part of the wait before an election; longer than `heartbeat`.
    pub election_min: Duration,
    /// Longest random part, and the length of a lease; longer than `election_min`.
    pub election_max: Duration,
}

impl Default for Timers {
    /// Sized for a gap of 0.3 s after a silence on a local network. Measured over ten silent leaders at 200 saves a second:
    /// median 270 ms, longest 316 ms; timers of 50, 150 and 300 ms gave 550 and 612.
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(30),
            election_min: Duration::from_millis(75),
            election_max: Duration::from_millis(150),
        }
    }
}

/// Who wants to know what happened when an entry was applied on this node. Called on the applying task:
/// it must neither block nor wait.
pub(crate) trait EventSink: Send + Sync + 'static {
    /// Takes the events of one entry, in order.
    fn happened(&self, events: &[Event]);

    /// Takes what watchers are told of the entry at this index, in order. Entries come in order; one of which nothing is told
    /// does not come.
    fn seen(&self, index: u64, happenings: Vec<Happening>);

    /// Takes which application servers lost their places by one entry, in order.
    fn ousted(&self, ousted: &[Ousted]);

    /// An image took the place of the entries up to this one: nothing more is told of them.
    fn skipped(&self, index: u64);

    /// This node was elected. Comes before anything is proposed in its term; what is applied meanwhile is in the table.
    fn elected(&self, table: &TableReader);
}

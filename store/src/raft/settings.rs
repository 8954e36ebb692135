//! What consensus must be told: who we are, who the others are, timers, limits.
//!
//! Relations that must hold: `heartbeat` < `election_min` < `election_max`, which the configuration checks; a snapshot
//! leaves more entries behind it than a follower misses while one is sent, else it would need the next one at once.
//! Clock, links and whoever listens are handed in, so that consensus runs as well in memory, under a clock of the test.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use remora_table::{Event, Formats, TableReader};

use crate::clock::Clock;

use super::{NodeId, PeerLinks};

/// Everything that [`super::start()`] needs.
pub(crate) struct Settings {
    /// This node's id, from 1.
    pub node: NodeId,
    /// All nodes of the cluster by id with their peer addresses, this one included; empty for a single node.
    pub cluster: BTreeMap<NodeId, String>,
    /// Where peers reach this node (host:port); only read when `cluster` is empty.
    pub peer_address: String,
    /// Where clients reach this node (host:port).
    pub client_address: String,
    /// The data directory.
    pub data_dir: PathBuf,
    /// What this program understands: [`Formats::OURS`], but where a test plays the next release.
    pub understands: Formats,
    /// Timers of elections.
    pub timers: Timers,
    /// When snapshots are taken.
    pub snapshots: SnapshotPolicy,
    /// How to reach peers.
    pub links: Arc<dyn PeerLinks>,
    /// The clock by which log entries are stamped.
    pub clock: Clock,
    /// Who wants to know what happened to sessions.
    pub events: Arc<dyn EventSink>,
}

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

/// When snapshots are taken: whichever limit is reached first since the last one.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotPolicy {
    /// Log entries.
    pub entries: u64,
    /// Bytes of log entries; with a table that is larger, as many as it holds, so that no more is written for snapshots
    /// than for the log itself.
    pub bytes: u64,
    /// Log entries that stay after a snapshot, so that a follower that was away shortly needs no snapshot.
    pub keep_entries: u64,
    /// How often the limits are looked at.
    pub check_every: Duration,
}

impl Default for SnapshotPolicy {
    /// A restart replays at most 256 MiB, or as much as the table holds. A follower may miss about ten seconds of full load
    /// without needing a snapshot, and those are written while a snapshot of some GiB is sent, so it can catch up then.
    fn default() -> Self {
        Self {
            entries: 100_000,
            bytes: 256 << 20,
            keep_entries: 50_000,
            check_every: Duration::from_secs(1),
        }
    }
}

impl SnapshotPolicy {
    /// Whether a snapshot is due after so many entries of so many bytes, with a table of that size.
    pub(super) fn due(&self, entries: u64, bytes: u64, table_bytes: u64) -> bool {
        entries >= self.entries || (entries > 0 && bytes >= self.bytes.max(table_bytes))
    }
}

/// Who wants to know what happened to sessions when an entry was applied on this node. Called on the applying task:
/// it must neither block nor wait.
pub(crate) trait EventSink: Send + Sync + 'static {
    /// Takes the events of one entry, in order.
    fn happened(&self, events: &[Event]);

    /// This node was elected. Comes before anything is proposed in its term; what is applied meanwhile is in the table.
    fn elected(&self, table: &TableReader);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_waits_until_the_log_outweighs_the_table() {
        let policy = SnapshotPolicy {
            entries: 100,
            bytes: 1_000,
            ..SnapshotPolicy::default()
        };
        assert!(policy.due(1, 1_000, 10));
        assert!(!policy.due(1, 999, 10));
        assert!(!policy.due(1, 4_999, 5_000), "the table is larger than the log");
        assert!(policy.due(1, 5_000, 5_000));
        assert!(!policy.due(0, 5_000, 10), "nothing came since the last one");
        assert!(policy.due(100, 1, 5_000));
    }
}

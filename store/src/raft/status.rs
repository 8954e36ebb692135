//! What an operator sees of a node, taken at one moment and no more than a value.

use std::time::Duration;

use remora_table::{Formats, Room};

use crate::log::{DiskId, LogLoad, Syncs};

use super::{NodeId, Role, WaitingNode};

/// A node and the cluster as it sees it.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    /// This node.
    pub node: NodeId,
    /// Its disk.
    pub disk: DiskId,
    /// Identity of the cluster in hexadecimal; empty while it is not formed.
    pub cluster: String,
    /// What it does.
    pub role: Role,
    /// Whether a ReadIndex round succeeded within the last second, and the table knows what this program understands.
    pub ready: bool,
    /// The present term.
    pub term: u64,
    /// The leader as far as this node knows.
    pub leader: Option<NodeId>,
    /// Index of the last log entry; 0 when there is none.
    pub last_log_index: u64,
    /// Index of the last entry known to be committed; 0 when there is none.
    pub committed_index: u64,
    /// Index of the last entry applied to the table; 0 when there is none.
    pub applied_index: u64,
    /// All members, by node id.
    pub members: Vec<MemberStatus>,
    /// Nodes that wait to be added, as they told this one lately.
    pub waiting: Vec<WaitingNode>,
    /// Proposals that were taken and not answered yet.
    pub proposals_waiting: usize,
    /// Log entries applied since the newest table image.
    pub entries_since_snapshot: u64,
    /// What this program understands.
    pub understands: Formats,
    /// What room the disks of the nodes that answer leave.
    pub room: Room,
    /// Whether a table image that is due finds no room.
    pub snapshot_postponed: bool,
    /// Size of the newest table image on disk.
    pub snapshot_bytes: Option<u64>,
    /// What a table image would take on disk, about.
    pub image_bytes: u64,
    /// Bytes free on the disk of the data directory; none while that is not known.
    pub free_bytes: Option<u64>,
    /// Bytes of that disk in all; 0 while that is not known.
    pub disk_bytes: u64,
    /// How long the slowest syncs of this node take, as its peers are told.
    pub slowest_sync: Duration,
    /// What the log's syncs cost; none while it is closed.
    pub log_syncs: Option<Syncs>,
    /// What the log holds, and what waits for its disk; none while it is closed.
    pub log_load: Option<LogLoad>,
}

/// A member as this node sees it.
#[derive(Debug, Clone)]
pub(crate) struct MemberStatus {
    /// Its id.
    pub node: NodeId,
    /// Its disk.
    pub disk: DiskId,
    /// Where peers reach it.
    pub peer_address: String,
    /// Where clients reach it; empty when not learned yet.
    pub client_address: String,
    /// Whether it votes.
    pub voter: bool,
    /// Whether this node heard from it within the last second.
    pub reachable: bool,
    /// Index up to which its log matches the leader's; only known on the leader.
    pub matched_index: Option<u64>,
}

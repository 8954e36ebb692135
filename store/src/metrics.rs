//! What the node counts, under names that begin with `remora_store_`.
//!
//! Handles of hot counters are made once: a lookup by name for each of a hundred thousand answers a second would show
//! in the profile. Gauges are set by [`sample`] about once a second. Left out on purpose: labels that name sessions,
//! applications or principals; they would make metrics a list of users.

use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

use crate::raft::{Role, Status};
use remora_table::TableReader;

/// What a request was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Take ownership.
    Claim,
    /// Store what changed.
    Save,
    /// Move deadlines.
    Touch,
    /// Give a session another id.
    Rename,
    /// End a session.
    Remove,
    /// Give up ownership.
    Release,
    /// Is a near copy still the truth?
    Check,
    /// Is the caller the first to end an expired session?
    Bury,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As asked.
    Done,
    /// The table said no: conflict, fenced, gone, renamed, stale, taken, buried before.
    Declined,
    /// Nothing happened.
    Refused,
    /// It may have happened.
    Unknown,
}

const KINDS: [(Kind, &str); 8] = [
    (Kind::Claim, "claim"),
    (Kind::Save, "save"),
    (Kind::Touch, "touch"),
    (Kind::Rename, "rename"),
    (Kind::Remove, "remove"),
    (Kind::Release, "release"),
    (Kind::Check, "check"),
    (Kind::Bury, "bury"),
];

const ENDINGS: [(Ending, &str); 4] = [
    (Ending::Done, "done"),
    (Ending::Declined, "declined"),
    (Ending::Refused, "refused"),
    (Ending::Unknown, "unknown"),
];

/// The reasons of refusals, by their number on the wire (session.proto).
const REASONS: [&str; 8] = [
    "unspecified",
    "not_leader",
    "no_quorum",
    "stopping",
    "overloaded",
    "malformed",
    "too_large",
    "wrong_cluster",
];

/// Counts and latencies of answers.
#[derive(Clone)]
pub(crate) struct Answers {
    counts: [[Counter; ENDINGS.len()]; KINDS.len()],
    seconds: [Histogram; KINDS.len()],
    refusals: [Counter; REASONS.len()],
}

impl Answers {
    /// The handles; the process's recorder must be installed.
    pub(crate) fn new() -> Answers {
        describe();
        let count = |kind: &'static str| {
            ENDINGS.map(
                |(_, ending)| counter!("remora_store_answers_total", "request" => kind, "ending" => ending),
            )
        };
        Answers {
            counts: KINDS.map(|(_, kind)| count(kind)),
            seconds: KINDS.map(|(_, kind)| histogram!("remora_store_answer_seconds", "request" => kind)),
            refusals: REASONS.map(|reason| counter!("remora_store_refusals_total", "reason" => reason)),
        }
    }

    /// One of the answers was a refusal, for the reason with this number on the wire.
    pub(crate) fn refused(&self, reason: i32) {
        let known = usize::try_from(reason).ok();
        if let Some(refusals) = known.and_then(|at| self.refusals.get(at)) {
            refusals.increment(1);
        }
    }

    /// One request was answered.
    pub(crate) fn answered(&self, kind: Kind, ending: Ending, took: Duration) {
        self.counts[kind as usize][ending as usize].increment(1);
        self.seconds[kind as usize].record(took);
    }
}

impl Default for Answers {
    fn default() -> Self {
        Answers::new()
    }
}

/// How long the log's disk took for what it made durable at a time.
pub(crate) fn log_syncs() -> Histogram {
    describe_histogram!("remora_store_log_sync_seconds", "What a sync of the log took");
    histogram!("remora_store_log_sync_seconds")
}

/// How long it took to apply each entry that holds commands.
pub(crate) fn applies() -> Histogram {
    describe_histogram!(
        "remora_store_apply_seconds",
        "What it took to apply a log entry to the table"
    );
    histogram!("remora_store_apply_seconds")
}

/// How many are connected to an address, which goes by its key in the configuration.
pub(crate) fn connections(address: &'static str) -> Gauge {
    describe_gauge!("remora_store_connections", "Open connections, by address");
    gauge!("remora_store_connections", "address" => address)
}

/// Streams of session managers and what is pushed to them.
#[derive(Clone)]
pub(crate) struct Streams {
    /// Live streams on this node.
    pub live: Gauge,
    /// Pushes sent to owners.
    pub pushes: Counter,
    /// Streams cut because they did not read or acknowledge.
    pub cut: Counter,
    /// Claims answered without the previous owner's acknowledgement.
    pub evictions_unacknowledged: Counter,
}

impl Streams {
    /// The handles; the process's recorder must be installed.
    pub(crate) fn new() -> Streams {
        Streams {
            live: gauge!("remora_store_streams"),
            pushes: counter!("remora_store_pushes_total"),
            cut: counter!("remora_store_streams_cut_total"),
            evictions_unacknowledged: counter!("remora_store_evictions_unacknowledged_total"),
        }
    }
}

impl Default for Streams {
    fn default() -> Self {
        Streams::new()
    }
}

/// Counts another leader than the one before, by why it leads.
pub(crate) fn count_leader_change(reason: &'static str) {
    counter!("remora_store_leader_changes_total", "reason" => reason).increment(1);
}

/// What consensus counts as it goes.
#[derive(Clone)]
pub(crate) struct Consensus {
    /// Proposals in each entry that this node proposed: its count is that of the entries.
    pub entry_proposals: Histogram,
    /// ReadIndex rounds that a majority answered.
    pub rounds: Counter,
    /// ReadIndex rounds that failed.
    pub rounds_failed: Counter,
    /// Snapshots written.
    pub snapshots: Counter,
    /// Snapshots that could not be written.
    pub snapshots_failed: Counter,
    /// Times that snapshots began to find no room.
    pub snapshots_postponed: Counter,
    /// How long those took that were written.
    pub snapshot_seconds: Histogram,
}

impl Consensus {
    /// The handles; the process's recorder must be installed.
    pub(crate) fn new() -> Consensus {
        describe_consensus();
        Consensus {
            entry_proposals: histogram!("remora_store_entry_proposals"),
            rounds: counter!("remora_store_read_rounds_total", "ending" => "done"),
            rounds_failed: counter!("remora_store_read_rounds_total", "ending" => "failed"),
            snapshots: counter!("remora_store_snapshots_total", "ending" => "written"),
            snapshots_failed: counter!("remora_store_snapshots_total", "ending" => "failed"),
            snapshots_postponed: counter!("remora_store_snapshots_total", "ending" => "postponed"),
            snapshot_seconds: histogram!("remora_store_snapshot_seconds"),
        }
    }
}

impl Default for Consensus {
    fn default() -> Self {
        Consensus::new()
    }
}

/// Sets the gauges from what the node knows of itself.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float by the format of Prometheus"
)]
pub(crate) fn sample(status: &Status, table: &TableReader) {
    gauge!("remora_store_sessions").set(table.sessions() as f64);
    gauge!("remora_store_session_bytes").set(table.bytes() as f64);
    gauge!("remora_store_tombstones").set(table.remains() as f64);
    gauge!("remora_store_leavers").set(table.leavers() as f64);
    gauge!("remora_store_leaver_bytes").set(table.leaver_bytes() as f64);
    counter!("remora_store_leavers_lost_total").absolute(table.leavers_lost());
    gauge!("remora_store_table_time_seconds").set(table.table_time().0 as f64 / 1_000.0);
    gauge!("remora_store_proposals_waiting").set(status.proposals_waiting as f64);
    gauge!("remora_store_entries_since_snapshot").set(status.entries_since_snapshot as f64);
    gauge!("remora_store_image_bytes").set(status.image_bytes as f64);
    if let Some(bytes) = status.free_bytes {
        gauge!("remora_store_disk_free_bytes").set(bytes as f64);
    }
    if let Some(bytes) = status.snapshot_bytes {
        gauge!("remora_store_snapshot_bytes").set(bytes as f64);
    }
    if let Some(syncs) = status.log_syncs {
        counter!("remora_store_log_syncs_total").absolute(syncs.count);
        counter!("remora_store_log_bytes_total").absolute(syncs.bytes);
    }
    if let Some(load) = status.log_load {
        let unsynced = load.oldest_unsynced.unwrap_or_default();
        gauge!("remora_store_log_disk_bytes").set(load.disk_bytes as f64);
        gauge!("remora_store_log_bytes_since_purge").set(load.bytes_since_purge as f64);
        gauge!("remora_store_log_queued_bytes").set(load.queued_bytes as f64);
        gauge!("remora_store_log_oldest_unsynced_seconds").set(unsynced.as_secs_f64());
    }
    gauge!("remora_store_ready").set(f64::from(u8::from(status.ready)));
    gauge!("remora_store_leader").set(f64::from(u8::from(status.role == Role::Leader)));
    gauge!("remora_store_raft_term").set(status.term as f64);
    gauge!("remora_store_raft_last_log_index").set(status.last_log_index as f64);
    gauge!("remora_store_raft_committed_index").set(status.committed_index as f64);
    gauge!("remora_store_raft_applied_index").set(status.applied_index as f64);
    let reachable = status.members.iter().filter(|member| member.reachable).count();
    for member in &status.members {
        let matched = member
            .matched_index
            .map(|matched| status.last_log_index.saturating_sub(matched));
        gauge!("remora_store_peer_entries_behind", "peer" => member.node.to_string())
            .set(matched.map_or(f64::NAN, |behind| behind as f64));
    }
    gauge!("remora_store_members").set(status.members.len() as f64);
    gauge!("remora_store_members_reachable").set(reachable as f64);
}

fn describe() {
    describe_counter!(
        "remora_store_answers_total",
        "Requests answered, by kind and by how they ended"
    );
    describe_histogram!(
        "remora_store_answer_seconds",
        "Time from a request's arrival to its answer"
    );
    describe_gauge!(
        "remora_store_streams",
        "Live streams of session managers on this node"
    );
    describe_counter!("remora_store_pushes_total", "Pushes sent to owners of sessions");
    describe_counter!(
        "remora_store_streams_cut_total",
        "Streams cut because they did not read or acknowledge"
    );
    describe_counter!(
        "remora_store_evictions_unacknowledged_total",
        "Claims answered without the acknowledgement of the previous owner"
    );
    describe_gauge!("remora_store_sessions", "Live sessions in this node's table");
    describe_gauge!(
        "remora_store_session_bytes",
        "Bytes of session keys, attributes, logins and labels in this node's table"
    );
    describe_gauge!(
        "remora_store_ready",
        "1 while a ReadIndex round succeeded within the last second and the cluster knows what this program understands"
    );
    describe_gauge!("remora_store_leader", "1 on the leader");
    describe_gauge!("remora_store_raft_term", "Raft term");
    describe_gauge!(
        "remora_store_raft_last_log_index",
        "Index of the last log entry on this node"
    );
    describe_gauge!(
        "remora_store_raft_committed_index",
        "Index of the last entry known to be committed"
    );
    describe_gauge!(
        "remora_store_raft_applied_index",
        "Index of the last entry applied to the table"
    );
    describe_gauge!("remora_store_members", "Members of the cluster");
    describe_gauge!(
        "remora_store_members_reachable",
        "Members heard from within the last second"
    );
}

fn describe_consensus() {
    describe_histogram!(
        "remora_store_entry_proposals",
        "Proposals in each log entry that this node proposed"
    );
    describe_counter!(
        "remora_store_read_rounds_total",
        "ReadIndex rounds, by how they ended"
    );
    describe_counter!(
        "remora_store_leader_changes_total",
        "Other leaders than the one before, as this node saw them, by the reason that the new one had; elsewhere where this node is \
         not the new one"
    );
    describe_counter!(
        "remora_store_snapshots_total",
        "Table images of this node's own table, by whether they could be written"
    );
    describe_histogram!(
        "remora_store_snapshot_seconds",
        "What it took to write a table image"
    );
    describe_gauge!(
        "remora_store_peer_entries_behind",
        "On the leader, log entries that a peer is not known to have; NaN where nobody knows"
    );
    describe_gauge!(
        "remora_store_snapshot_bytes",
        "Size of the newest table image on disk"
    );
    describe_gauge!(
        "remora_store_image_bytes",
        "What a table image would take on disk, about"
    );
    describe_gauge!(
        "remora_store_disk_free_bytes",
        "Bytes free on the disk of the data directory"
    );
    describe_gauge!(
        "remora_store_entries_since_snapshot",
        "Log entries that a restart would replay"
    );
    describe_gauge!(
        "remora_store_proposals_waiting",
        "Proposals that were taken and not answered yet"
    );
    describe_gauge!(
        "remora_store_tombstones",
        "What remains of removed and renamed sessions in this node's table"
    );
    describe_gauge!("remora_store_table_time_seconds", "The replicated clock");
    describe_leavers();
    describe_log();
    describe_counter!("remora_store_refusals_total", "Requests refused, by reason");
}

fn describe_leavers() {
    describe_gauge!(
        "remora_store_leavers",
        "Expired sessions whose listeners no Tomcat has called yet"
    );
    describe_gauge!(
        "remora_store_leaver_bytes",
        "Bytes of expired sessions, and of what is known of those that a Tomcat has ended"
    );
    describe_counter!(
        "remora_store_leavers_lost_total",
        "Expired sessions whose listeners no Tomcat called within an hour, or before others needed their room"
    );
}

fn describe_log() {
    describe_counter!(
        "remora_store_log_syncs_total",
        "Times the log's disk was asked to make entries durable"
    );
    describe_counter!("remora_store_log_bytes_total", "Bytes written to the log");
    describe_gauge!(
        "remora_store_log_disk_bytes",
        "Bytes that the log's segments take on the disk, spare ones included"
    );
    describe_gauge!(
        "remora_store_log_bytes_since_purge",
        "Bytes written to the log since it was purged last"
    );
    describe_gauge!(
        "remora_store_log_queued_bytes",
        "Bytes of log entries that are not on the disk yet"
    );
    describe_gauge!(
        "remora_store_log_oldest_unsynced_seconds",
        "How long the oldest entry or vote has been waiting for a sync"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_endings_index_their_tables() {
        for (at, (kind, _)) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, at);
        }
        for (at, (ending, _)) in ENDINGS.iter().enumerate() {
            assert_eq!(*ending as usize, at);
        }
    }
}

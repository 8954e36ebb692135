//! What the node counts, under names that begin with `remora_store_`; the rows say what each figure means, on `/metrics` and
//! in docs/metrics.md.
//!
//! Handles of hot counters are made once: a lookup by name for each of a hundred thousand answers a second would show
//! in the profile. Gauges are set by [`sample`] about once a second. Left out on purpose: labels that name sessions,
//! applications or principals; they would make metrics a list of users.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use remora_process::figures;

use crate::raft::{Role, Status};
use remora_table::{Limits, Room, TableReader};

figures! {
    "Requests of session managers" {
        /// Requests answered, by what they asked for (claim, save, touch, rename, remove, release, check, bury) and how they
        /// ended: done; declined, as the table's rules want it; refused, and nothing happened; or unknown, and it may have
        /// happened.
        ANSWERS = Counter "remora_store_answers_total" (request, ending);
        /// Time from a request's arrival to its answer.
        ANSWER_SECONDS = Histogram "remora_store_answer_seconds" (request);
        /// Requests refused, by reason. no_quorum and overloaded are for operators to act on; not_leader is usual after an
        /// election.
        REFUSALS = Counter "remora_store_refusals_total" (reason);
        /// Saves that the table's rules declined, by what stood against them: conflict, another Tomcat had changed the same;
        /// fenced, another owns the session; gone, it had ended; renamed, its id was given up; stale, it was a repeat of
        /// something older; over_limit, its user has as many sessions as may be.
        SAVES_DECLINED = Counter "remora_store_saves_declined_total" (reason);
        /// Proposals that were taken and not answered yet.
        PROPOSALS_WAITING = Gauge "remora_store_proposals_waiting" ();
        /// Live streams of session managers on this node.
        STREAMS = Gauge "remora_store_streams" ();
        /// Pushes sent to owners of sessions.
        PUSHES = Counter "remora_store_pushes_total" ();
        /// Streams cut because they did not read or acknowledge.
        STREAMS_CUT = Counter "remora_store_streams_cut_total" ();
        /// Claims answered without the acknowledgement of the previous owner.
        EVICTIONS = Counter "remora_store_evictions_unacknowledged_total" ();
        /// Open connections, by the key of the address that they came to.
        CONNECTIONS = Gauge "remora_store_connections" (address);
    }
    "Sessions" {
        /// Live sessions in this node's table.
        SESSIONS = Gauge "remora_store_sessions" ();
        /// Live sessions beyond which this node refuses new ones (sessions-max).
        SESSIONS_LIMIT = Gauge "remora_store_sessions_limit" ();
        /// Bytes of session keys, attributes, logins and labels in this node's table.
        SESSION_BYTES = Gauge "remora_store_session_bytes" ();
        /// What this node's table counts towards its limit: bytes of sessions, and a fixed part for each and for what remains of
        /// removed and expired ones.
        TABLE_BYTES = Gauge "remora_store_table_bytes" ();
        /// Bytes of the table beyond which this node refuses new sessions (bytes-max).
        TABLE_LIMIT = Gauge "remora_store_table_limit_bytes" ();
        /// What remains of removed and renamed sessions in this node's table.
        TOMBSTONES = Gauge "remora_store_tombstones" ();
        /// Expired sessions whose listeners no Tomcat has called yet.
        LEAVERS = Gauge "remora_store_leavers" ();
        /// Bytes of expired sessions, and of what is known of those that a Tomcat has ended.
        LEAVER_BYTES = Gauge "remora_store_leaver_bytes" ();
        /// Expired sessions whose listeners no Tomcat called within an hour, or before others needed their room.
        LEAVERS_LOST = Counter "remora_store_leavers_lost_total" ();
        /// The replicated clock, in seconds since 1970.
        TABLE_TIME = Gauge "remora_store_table_time_seconds" ();
    }
    "Registry" {
        /// Application servers in the registry of this node's table.
        SERVERS = Gauge "remora_store_servers" ();
        /// What operators wish of upstreams and pools, in this node's table.
        WISHES = Gauge "remora_store_wishes" ();
        /// Proxies that follow the registry at this node: all of them at the leader, none at another.
        FOLLOWERS = Gauge "remora_store_followers" ();
        /// Proxies whose streams were ended because they did not follow what they were told.
        FOLLOWERS_CUT = Counter "remora_store_followers_cut_total" ();
        /// Application servers of which some proxy did not say within a second, when they were taken out, that it sends nobody
        /// there any more.
        RETIREMENTS_LATE = Counter "remora_store_retirements_late_total" ();
    }
    "Cluster" {
        /// 1 while a ReadIndex round succeeded within the last second and the cluster knows what this program understands.
        READY = Gauge "remora_store_ready" ();
        /// 1 on the leader.
        LEADER = Gauge "remora_store_leader" ();
        /// Other leaders than the one before, as this node saw them, by the reason that the new one had; elsewhere where this
        /// node is not the new one.
        LEADER_CHANGES = Counter "remora_store_leader_changes_total" (reason);
        /// Members of the cluster.
        MEMBERS = Gauge "remora_store_members" ();
        /// Members heard from within the last second.
        MEMBERS_REACHABLE = Gauge "remora_store_members_reachable" ();
        /// On the leader, log entries that a peer is not known to have; NaN where nobody knows.
        PEER_ENTRIES_BEHIND = Gauge "remora_store_peer_entries_behind" (peer);
        /// Raft term.
        TERM = Gauge "remora_store_raft_term" ();
        /// Index of the last log entry on this node.
        LAST_LOG_INDEX = Gauge "remora_store_raft_last_log_index" ();
        /// Index of the last entry known to be committed.
        COMMITTED_INDEX = Gauge "remora_store_raft_committed_index" ();
        /// Index of the last entry applied to the table.
        APPLIED_INDEX = Gauge "remora_store_raft_applied_index" ();
        /// The format that the cluster writes, as this node's table has it.
        FORMAT = Gauge "remora_store_format" ();
        /// The newest format that this node's program understands.
        FORMAT_NEWEST = Gauge "remora_store_format_newest" ();
        /// 1 while an operator holds the format where it is.
        FORMAT_HELD = Gauge "remora_store_format_held" ();
        /// ReadIndex rounds, by how they ended: done or failed.
        READ_ROUNDS = Counter "remora_store_read_rounds_total" (ending);
        /// Proposals in each log entry that this node proposed.
        ENTRY_PROPOSALS = Histogram "remora_store_entry_proposals" ();
        /// What it took to apply a log entry to the table.
        APPLY_SECONDS = Histogram "remora_store_apply_seconds" ();
    }
    "Disk" {
        /// What a sync of the log took: every save waits for one.
        LOG_SYNC_SECONDS = Histogram "remora_store_log_sync_seconds" ();
        /// Times the log's disk was asked to make entries durable.
        LOG_SYNCS = Counter "remora_store_log_syncs_total" ();
        /// Bytes written to the log.
        LOG_BYTES = Counter "remora_store_log_bytes_total" ();
        /// Bytes that the log's segments take on the disk, spare ones included.
        LOG_DISK_BYTES = Gauge "remora_store_log_disk_bytes" ();
        /// Bytes written to the log since it was purged last.
        LOG_BYTES_SINCE_PURGE = Gauge "remora_store_log_bytes_since_purge" ();
        /// Bytes of log entries that are not on the disk yet.
        LOG_QUEUED_BYTES = Gauge "remora_store_log_queued_bytes" ();
        /// How long the oldest entry or vote has been waiting for a sync.
        LOG_OLDEST_UNSYNCED = Gauge "remora_store_log_oldest_unsynced_seconds" ();
        /// Table images of this node's own table: written, failed, or postponed because they found no room.
        SNAPSHOTS = Counter "remora_store_snapshots_total" (ending);
        /// 1 while a table image that is due finds no room, so that the log grows.
        SNAPSHOT_POSTPONED = Gauge "remora_store_snapshot_postponed" ();
        /// What it took to write a table image.
        SNAPSHOT_SECONDS = Histogram "remora_store_snapshot_seconds" ();
        /// Size of the newest table image on disk; absent before the first.
        SNAPSHOT_BYTES = Gauge "remora_store_snapshot_bytes" ();
        /// What a table image would take on disk, about.
        IMAGE_BYTES = Gauge "remora_store_image_bytes" ();
        /// Log entries that a restart would replay.
        ENTRIES_SINCE_SNAPSHOT = Gauge "remora_store_entries_since_snapshot" ();
        /// Bytes free on the disk of the data directory.
        DISK_FREE_BYTES = Gauge "remora_store_disk_free_bytes" ();
        /// 1 for what room the fullest disk of the nodes that answer leaves, as this node hears of them, 0 for the others: ample;
        /// short, nothing grows; reserve, only what makes nothing larger is taken.
        ROOM = Gauge "remora_store_room" (room);
    }
}

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

/// What a save's declined answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declined {
    /// Another Tomcat changed the same.
    Conflict,
    /// Another Tomcat owns the session.
    Fenced,
    /// It has ended.
    Gone,
    /// Its id was given up.
    Renamed,
    /// A repeat of something older.
    Stale,
    /// As many sessions carry its label as may.
    OverLimit,
}

const DECLINED: [(Declined, &str); 6] = [
    (Declined::Conflict, "conflict"),
    (Declined::Fenced, "fenced"),
    (Declined::Gone, "gone"),
    (Declined::Renamed, "renamed"),
    (Declined::Stale, "stale"),
    (Declined::OverLimit, "over_limit"),
];

const ROOMS: [(Room, &str); 3] = [
    (Room::Ample, "ample"),
    (Room::Short, "short"),
    (Room::Reserve, "reserve"),
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
    declined: [Counter; DECLINED.len()],
}

impl Answers {
    /// The handles; the process's recorder must be installed.
    pub(crate) fn new() -> Answers {
        let count = |kind: &'static str| {
            ENDINGS.map(|(_, ending)| counter!(ANSWERS, "request" => kind, "ending" => ending))
        };
        Answers {
            counts: KINDS.map(|(_, kind)| count(kind)),
            seconds: KINDS.map(|(_, kind)| histogram!(ANSWER_SECONDS, "request" => kind)),
            refusals: REASONS.map(|reason| counter!(REFUSALS, "reason" => reason)),
            declined: DECLINED.map(|(_, reason)| counter!(SAVES_DECLINED, "reason" => reason)),
        }
    }

    /// One of the answers declined a save.
    pub(crate) fn declined(&self, why: Declined) {
        self.declined[why as usize].increment(1);
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
    histogram!(LOG_SYNC_SECONDS)
}

/// How long it took to apply each entry that holds commands.
pub(crate) fn applies() -> Histogram {
    histogram!(APPLY_SECONDS)
}

/// How many are connected to an address, which goes by its key in the configuration.
pub(crate) fn connections(address: &'static str) -> Gauge {
    gauge!(CONNECTIONS, "address" => address)
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
            live: gauge!(STREAMS),
            pushes: counter!(PUSHES),
            cut: counter!(STREAMS_CUT),
            evictions_unacknowledged: counter!(EVICTIONS),
        }
    }
}

impl Default for Streams {
    fn default() -> Self {
        Streams::new()
    }
}

/// Proxies that follow the registry.
#[derive(Clone)]
pub(crate) struct Following {
    /// Those that follow here.
    pub followers: Gauge,
    /// Streams ended because of views that were not followed.
    pub cut: Counter,
    /// Retirements answered before everybody followed them.
    pub late: Counter,
}

impl Following {
    /// The handles; the process's recorder must be installed.
    pub(crate) fn new() -> Following {
        Following {
            followers: gauge!(FOLLOWERS),
            cut: counter!(FOLLOWERS_CUT),
            late: counter!(RETIREMENTS_LATE),
        }
    }
}

impl Default for Following {
    fn default() -> Self {
        Following::new()
    }
}

/// Shows changes of leader from the beginning, for each of these reasons: a rate needs a first value.
pub(crate) fn begin_leader_changes(reasons: impl Iterator<Item = &'static str>) {
    for reason in reasons {
        counter!(LEADER_CHANGES, "reason" => reason).increment(0);
    }
}

/// Counts another leader than the one before, by why it leads.
pub(crate) fn count_leader_change(reason: &'static str) {
    counter!(LEADER_CHANGES, "reason" => reason).increment(1);
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
        Consensus {
            entry_proposals: histogram!(ENTRY_PROPOSALS),
            rounds: counter!(READ_ROUNDS, "ending" => "done"),
            rounds_failed: counter!(READ_ROUNDS, "ending" => "failed"),
            snapshots: counter!(SNAPSHOTS, "ending" => "written"),
            snapshots_failed: counter!(SNAPSHOTS, "ending" => "failed"),
            snapshots_postponed: counter!(SNAPSHOTS, "ending" => "postponed"),
            snapshot_seconds: histogram!(SNAPSHOT_SECONDS),
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
pub(crate) fn sample(status: &Status, table: &TableReader, limits: &Limits) {
    sample_table(table, limits);
    sample_disk(status);
    gauge!(PROPOSALS_WAITING).set(status.proposals_waiting as f64);
    gauge!(READY).set(one_if(status.ready));
    gauge!(LEADER).set(one_if(status.role == Role::Leader));
    gauge!(TERM).set(status.term as f64);
    gauge!(LAST_LOG_INDEX).set(status.last_log_index as f64);
    gauge!(COMMITTED_INDEX).set(status.committed_index as f64);
    gauge!(APPLIED_INDEX).set(status.applied_index as f64);
    gauge!(FORMAT_NEWEST).set(f64::from(status.understands.newest.0));
    let reachable = status.members.iter().filter(|member| member.reachable).count();
    for member in &status.members {
        let matched = member
            .matched_index
            .map(|matched| status.last_log_index.saturating_sub(matched));
        gauge!(PEER_ENTRIES_BEHIND, "peer" => member.node.to_string())
            .set(matched.map_or(f64::NAN, |behind| behind as f64));
    }
    gauge!(MEMBERS).set(status.members.len() as f64);
    gauge!(MEMBERS_REACHABLE).set(reachable as f64);
}

fn one_if(so: bool) -> f64 {
    f64::from(u8::from(so))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float by the format of Prometheus"
)]
fn sample_table(table: &TableReader, limits: &Limits) {
    let (cluster, registry) = (table.cluster(), table.registry());
    gauge!(SERVERS).set(registry.servers.len() as f64);
    let wishes = registry.wishes.iter().filter(|wish| !wish.is_taken_back());
    gauge!(WISHES).set(wishes.count() as f64);
    gauge!(SESSIONS).set(table.sessions() as f64);
    gauge!(SESSIONS_LIMIT).set(limits.sessions_max as f64);
    gauge!(SESSION_BYTES).set(table.bytes() as f64);
    gauge!(TABLE_BYTES).set(table.weight() as f64);
    gauge!(TABLE_LIMIT).set(limits.table_bytes_max as f64);
    gauge!(TOMBSTONES).set(table.remains() as f64);
    gauge!(LEAVERS).set(table.leavers() as f64);
    gauge!(LEAVER_BYTES).set(table.leaver_bytes() as f64);
    counter!(LEAVERS_LOST).absolute(table.leavers_lost());
    gauge!(TABLE_TIME).set(table.table_time().0 as f64 / 1_000.0);
    gauge!(FORMAT).set(f64::from(cluster.format.0));
    gauge!(FORMAT_HELD).set(one_if(cluster.held));
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float by the format of Prometheus"
)]
fn sample_disk(status: &Status) {
    for (room, word) in ROOMS {
        gauge!(ROOM, "room" => word).set(one_if(status.room == room));
    }
    gauge!(SNAPSHOT_POSTPONED).set(one_if(status.snapshot_postponed));
    gauge!(ENTRIES_SINCE_SNAPSHOT).set(status.entries_since_snapshot as f64);
    gauge!(IMAGE_BYTES).set(status.image_bytes as f64);
    if let Some(bytes) = status.free_bytes {
        gauge!(DISK_FREE_BYTES).set(bytes as f64);
    }
    if let Some(bytes) = status.snapshot_bytes {
        gauge!(SNAPSHOT_BYTES).set(bytes as f64);
    }
    if let Some(syncs) = status.log_syncs {
        counter!(LOG_SYNCS).absolute(syncs.count);
        counter!(LOG_BYTES).absolute(syncs.bytes);
    }
    if let Some(load) = status.log_load {
        let unsynced = load.oldest_unsynced.unwrap_or_default();
        gauge!(LOG_DISK_BYTES).set(load.disk_bytes as f64);
        gauge!(LOG_BYTES_SINCE_PURGE).set(load.bytes_since_purge as f64);
        gauge!(LOG_QUEUED_BYTES).set(load.queued_bytes as f64);
        gauge!(LOG_OLDEST_UNSYNCED).set(unsynced.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use remora_process::catalogue::is_told;

    use super::*;

    /// `UPDATE_GOLDENFILES=1 cargo test -p remora-store the_page` writes the part anew.
    #[test]
    fn the_page_says_what_the_rows_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        let told = is_told(path.as_ref(), "store", FIGURES).unwrap();
        assert!(told, "docs/metrics.md differs: write it anew");
    }

    #[test]
    fn kinds_and_endings_index_their_tables() {
        for (at, (kind, _)) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, at);
        }
        for (at, (ending, _)) in ENDINGS.iter().enumerate() {
            assert_eq!(*ending as usize, at);
        }
        for (at, (declined, _)) in DECLINED.iter().enumerate() {
            assert_eq!(*declined as usize, at);
        }
    }
}

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

/// What a request was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
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
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As asked.
    Done,
    /// The table said no: conflict, fenced, gone, renamed, stale, taken.
    Declined,
    /// Nothing happened.
    Refused,
    /// It may have happened.
    Unknown,
}

const KINDS: [(Kind, &str); 7] = [
    (Kind::Claim, "claim"),
    (Kind::Save, "save"),
    (Kind::Touch, "touch"),
    (Kind::Rename, "rename"),
    (Kind::Remove, "remove"),
    (Kind::Release, "release"),
    (Kind::Check, "check"),
];

const ENDINGS: [(Ending, &str); 4] = [
    (Ending::Done, "done"),
    (Ending::Declined, "declined"),
    (Ending::Refused, "refused"),
    (Ending::Unknown, "unknown"),
];

/// Counts and latencies of answers.
#[derive(Clone)]
pub struct Answers {
    counts: [[Counter; ENDINGS.len()]; KINDS.len()],
    seconds: [Histogram; KINDS.len()],
}

impl Answers {
    /// The handles; the process's recorder must be installed.
    pub fn new() -> Answers {
        describe();
        let count = |kind: &'static str| {
            ENDINGS.map(
                |(_, ending)| counter!("remora_store_answers_total", "request" => kind, "ending" => ending),
            )
        };
        Answers {
            counts: KINDS.map(|(_, kind)| count(kind)),
            seconds: KINDS.map(|(_, kind)| histogram!("remora_store_answer_seconds", "request" => kind)),
        }
    }

    /// One request was answered.
    pub fn answered(&self, kind: Kind, ending: Ending, took: Duration) {
        self.counts[kind as usize][ending as usize].increment(1);
        self.seconds[kind as usize].record(took);
    }
}

impl Default for Answers {
    fn default() -> Self {
        Answers::new()
    }
}

/// Streams of session managers and what is pushed to them.
#[derive(Clone)]
pub struct Streams {
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
    pub fn new() -> Streams {
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

/// Sets the gauges from what the node knows of itself.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float by the format of Prometheus"
)]
pub fn sample(status: &Status, sessions: u64, session_bytes: u64) {
    gauge!("remora_store_sessions").set(sessions as f64);
    gauge!("remora_store_session_bytes").set(session_bytes as f64);
    gauge!("remora_store_ready").set(f64::from(u8::from(status.ready)));
    gauge!("remora_store_leader").set(f64::from(u8::from(status.role == Role::Leader)));
    gauge!("remora_store_raft_term").set(status.term as f64);
    gauge!("remora_store_raft_last_log_index").set(status.last_log_index as f64);
    gauge!("remora_store_raft_committed_index").set(status.committed_index as f64);
    gauge!("remora_store_raft_applied_index").set(status.applied_index as f64);
    let reachable = status.members.iter().filter(|member| member.reachable).count();
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
        "Bytes of session keys, attributes and logins in this node's table"
    );
    describe_gauge!(
        "remora_store_ready",
        "1 while a ReadIndex round succeeded within the last second"
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

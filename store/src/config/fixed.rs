//! What of a configuration holds for the life of a process: who a node is, where it listens, with whom it forms a cluster,
//! and its timers, which consensus takes once. Everything else is taken over when the file is read again.

use remora_process::reload::differing;

use super::Config;

impl Config {
    /// The keys of `new` that a running node cannot take over.
    pub fn fixed_differences(&self, new: &Config) -> Vec<&'static str> {
        differing([
            ("node-id", self.node != new.node),
            ("data-dir", self.data_dir != new.data_dir),
            ("client-addr", self.client_addr != new.client_addr),
            ("peer-addr", self.peer_addr != new.peer_addr),
            ("ops-addr", self.ops_addr != new.ops_addr),
            ("cluster", self.cluster != new.cluster),
            ("join", self.join != new.join),
            ("await-restore", self.await_restore != new.await_restore),
            // What the files hold is taken over; which files they are is not.
            ("tls-authority, tls-cert, tls-key", self.tls != new.tls),
            ("heartbeat-ms", self.timers.heartbeat != new.timers.heartbeat),
            (
                "election-min-ms",
                self.timers.election_min != new.timers.election_min,
            ),
            (
                "election-max-ms",
                self.timers.election_max != new.timers.election_max,
            ),
        ])
    }
}

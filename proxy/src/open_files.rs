//! How many files and sockets this process may have open.
//!
//! Each client needs a socket, and each request in flight one more. Where the limit is lower than that the proxy runs
//! out of sockets under load, and clients wait or are answered 503 although every upstream is well. So the limit is
//! raised as far as it goes, and the operator is told when that is not enough.

use remora_process::descriptors;

use crate::config::Config;

/// Files beside the clients and their requests: listeners, logs, runtimes, checks, operators, resting connections.
const BESIDE: u64 = 512;

/// Makes room for as many clients as may be connected, and logs if there is none.
pub fn make_room(config: &Config) {
    let connections = config.limits.connections;
    let clients = u64::try_from(connections).unwrap_or(u64::MAX);
    let needed = clients.saturating_mul(2);
    let holds = descriptors::raise(needed.saturating_add(BESIDE));
    if let Some(holds) = holds
        && holds < needed
    {
        tracing::warn!(
            limit = holds,
            needed,
            connections,
            "the limit on open files is too low for limits.connections: raise it (LimitNOFILE=, ulimit -n), or lower that"
        );
    }
}

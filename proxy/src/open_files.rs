//! How many files and sockets this process may have open.
//!
//! Each client needs a socket, and each request in flight one more. Where the limit is lower than that the proxy runs
//! out of sockets under load, and clients wait or are answered 503 although every upstream is well. So the soft limit
//! is raised as far as the hard one allows, and the operator is told when that is not enough.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// Files beside the clients and their requests: listeners, logs, runtimes, checks, operators, resting connections.
const BESIDE: u64 = 512;

/// Makes room for as many clients as may be connected, and logs if there is none.
pub fn make_room(config: &Config) {
    let connections = config.limits.connections;
    let clients = u64::try_from(connections).unwrap_or(u64::MAX);
    let needed = clients.saturating_mul(2);
    let limit = getrlimit(Resource::Nofile);
    let holds = match raised(&limit, needed.saturating_add(BESIDE)) {
        Some(current) if raise(&limit, current) => Some(current),
        _ => limit.current,
    };
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

/// Whether the soft limit could be set.
fn raise(limit: &Rlimit, current: u64) -> bool {
    let new = Rlimit {
        current: Some(current),
        ..*limit
    };
    setrlimit(Resource::Nofile, new).is_ok()
}

/// The soft limit to set, if the present one is too low and can be raised. A limit that is absent is infinite.
fn raised(limit: &Rlimit, needed: u64) -> Option<u64> {
    let current = limit.current?;
    let most = limit.maximum.map_or(needed, |hard| hard.min(needed));
    (most > current).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_rises_as_far_as_needed_and_allowed() {
        for (current, maximum, expected) in [
            (Some(1_024), Some(524_288), Some(20_512)),
            (Some(1_024), None, Some(20_512)),
            (Some(1_024), Some(4_096), Some(4_096)),
            (Some(1_024), Some(1_024), None),
            (Some(65_536), Some(65_536), None),
            (None, None, None),
        ] {
            assert_eq!(
                raised(&Rlimit { current, maximum }, 20_512),
                expected,
                "{current:?} {maximum:?}"
            );
        }
    }
}

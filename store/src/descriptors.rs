//! Who may have how many of the process's descriptors: connections of clients, peers and operators, and the rest.
//!
//! Invariant: whatever is connected, the log and the snapshots can open their files and this node can reach its peers;
//! a node that runs out of descriptors at its next log file has to end.
//!
//! Left out: how a listener keeps to its share (`remora_process::accept`).

use remora_process::descriptors;

/// Kept for everything but accepted connections: segments of the log, snapshots that are written, sent and received,
/// directories that are synced, what the runtime has, and four connections to each of ten peers.
const RESERVED: u64 = 128;
/// Connections of peers: four of each of ten, and once more while they come again from addresses that fell silent.
const PEERS: u64 = 80;
/// Connections of operators: health checks and scrapers that keep theirs.
const OPERATORS: u64 = 32;
/// Connections of clients at most: a thousand Tomcats with one each and one that replaces it, gateways, and operators.
const CLIENTS_MAX: u64 = 4_096;
/// Connections of clients at least; a node that can serve no more than a few is not worth its start.
const CLIENTS_MIN: u64 = 16;

/// How many connections each address serves at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    /// The client address.
    pub clients: usize,
    /// The peer address.
    pub peers: usize,
    /// The operations address.
    pub operators: usize,
}

impl Shares {
    /// Raises this process's limit as far as it helps, and divides it.
    ///
    /// # Errors
    /// A sentence, if the limit is too low for a node.
    pub(crate) fn of_this_process() -> Result<Shares, String> {
        let beside = RESERVED + PEERS + OPERATORS;
        let limit = descriptors::raise(beside + CLIENTS_MAX);
        let shares = Shares::of(limit)?;
        tracing::info!(
            limit,
            clients = shares.clients,
            peers = shares.peers,
            operators = shares.operators,
            "so many connections at a time, within the limit on open files"
        );
        Ok(shares)
    }

    /// Divides a limit on open files; none is infinite.
    fn of(limit: Option<u64>) -> Result<Shares, String> {
        let beside = RESERVED + PEERS + OPERATORS;
        let left = limit.map_or(CLIENTS_MAX, |limit| limit.saturating_sub(beside));
        if left < CLIENTS_MIN {
            return Err(format!(
                "the limit on open files is {}, and a store node needs {} at least: raise it (LimitNOFILE=, ulimit -n)",
                limit.unwrap_or_default(),
                beside + CLIENTS_MIN
            ));
        }
        let count = |share: u64| usize::try_from(share).unwrap_or(usize::MAX);
        Ok(Shares {
            clients: count(left.min(CLIENTS_MAX)),
            peers: count(PEERS),
            operators: count(OPERATORS),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_needs_itself_is_kept_from_its_clients() {
        let clients = |limit| Shares::of(limit).map(|shares| shares.clients);
        assert_eq!(clients(None), Ok(4_096));
        assert_eq!(clients(Some(1 << 20)), Ok(4_096));
        assert_eq!(clients(Some(1_024)), Ok(784));
        assert_eq!(clients(Some(256)), Ok(16));
        let refused = clients(Some(255)).unwrap_err();
        assert!(refused.contains("is 255") && refused.contains("256"), "{refused}");
    }
}

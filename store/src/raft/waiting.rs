//! Nodes that wait to be added to this cluster, as they say themselves: for operators to see, and nothing is done on their word.
//!
//! Invariant: of a flood of them a few are kept, and none that has fallen silent.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::log::DiskId;
use crate::runtime;

use super::NodeId;
use super::identity::is_fresh;

/// How many are remembered: more than anybody adds at a time.
const WAITING_MAX: usize = 16;

/// A node that waits to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WaitingNode {
    /// As which it wants to be added.
    pub node: NodeId,
    /// Its disk.
    pub disk: DiskId,
    /// Where peers reach it (host:port).
    pub peer_address: String,
}

/// Those that were heard lately, by their disks.
#[derive(Debug, Default)]
pub(super) struct WaitingNodes(Mutex<BTreeMap<DiskId, (Instant, WaitingNode)>>);

impl WaitingNodes {
    /// Notes that one said that it waits.
    pub(super) fn note(&self, node: WaitingNode) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, (heard, _)| is_fresh(*heard));
        if waiting.len() < WAITING_MAX || waiting.contains_key(&node.disk) {
            waiting.insert(node.disk, (runtime::now(), node));
        }
    }

    /// Who waits.
    pub(super) fn lately(&self) -> Vec<WaitingNode> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = waiting.values().filter(|(heard, _)| is_fresh(*heard));
        fresh.map(|(_, node)| node.clone()).collect()
    }
}

//! The book of peers: which nodes there are beside this one, where, and a way to each for questions beside replication.
//!
//! It follows the membership; `--cluster` fills it only until there is one. Who leaves the membership leaves the book, and
//! whoever talked to it by this way sees that it is no longer [`PeerBook::holds`].
//!
//! Left out: what is asked there (`forming`, `reader`, `elections`), and replication, whose ways openraft asks for (`network`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::NodeId;
use super::link::{PeerLink, PeerLinks};

/// Addresses (host:port) by node id.
pub(super) type Addresses = BTreeMap<NodeId, String>;

/// A peer's address and the way there.
struct PeerWay {
    address: String,
    link: Arc<dyn PeerLink>,
}

/// The book.
pub(super) struct PeerBook {
    links: Arc<dyn PeerLinks>,
    ways: Mutex<BTreeMap<NodeId, PeerWay>>,
}

impl PeerBook {
    /// An empty book, whose ways are made by these links.
    pub(super) fn new(links: Arc<dyn PeerLinks>) -> Self {
        Self {
            links,
            ways: Mutex::default(),
        }
    }

    /// The way to a peer.
    pub(super) fn get(&self, node: NodeId) -> Option<Arc<dyn PeerLink>> {
        self.ways().get(&node).map(|way| Arc::clone(&way.link))
    }

    /// Whether this is still the way to that peer.
    pub(super) fn holds(&self, node: NodeId, link: &Arc<dyn PeerLink>) -> bool {
        self.ways()
            .get(&node)
            .is_some_and(|way| Arc::ptr_eq(&way.link, link))
    }

    /// Takes over who there is, without this node; gives the ways that are new.
    pub(super) fn follow(&self, addresses: &Addresses) -> Vec<(NodeId, Arc<dyn PeerLink>)> {
        let mut ways = self.ways();
        ways.retain(|node, way| addresses.get(node) == Some(&way.address));
        let mut added = Vec::new();
        for (node, address) in addresses {
            if ways.contains_key(node) {
                continue;
            }
            match self.links.link(*node, address) {
                Ok(link) => {
                    added.push((*node, Arc::clone(&link)));
                    let address = address.clone();
                    ways.insert(*node, PeerWay { address, link });
                }
                Err(error) => tracing::error!(node, address, %error, "cannot use a peer's address"),
            }
        }
        added
    }

    fn ways(&self) -> MutexGuard<'_, BTreeMap<NodeId, PeerWay>> {
        // Whole values are put in and taken out: a poisoned lock still holds such.
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

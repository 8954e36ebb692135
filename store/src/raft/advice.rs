//! What operators are told whose node waits, or must not go on: which node it is, on which disk, and what to do.
//!
//! Left out: when that is said (`identity`, `forming`, `joining`).

use crate::log::{ClusterId, DiskId};
use remora_table::Format;

use super::identity::NodeIdentity;

impl NodeIdentity {
    /// What an operator has to do for a node that waits to be added; none for any other.
    pub(super) fn waiting(&self) -> Option<String> {
        let Self {
            node,
            disk,
            peer_address,
            ..
        } = self;
        self.waits().then(|| {
            format!(
                "waiting to be added: this is node {node} with disk {disk}; say `remora nodes add {node} {peer_address}`, or \
                 `remora nodes replace {node} {peer_address}` where it takes the place of a disk that is gone"
            )
        })
    }

    /// What an operator must do whose node runs on a disk that was removed.
    pub(super) fn was_removed(&self, cluster: ClusterId) -> String {
        format!(
            "node {} with disk {} was removed from cluster {cluster}, which takes nothing from that disk any more: to add the \
             node again, start it with an empty data directory and --join, and say `remora nodes add {}`",
            self.node, self.disk, self.node
        )
    }

    /// What an operator must do when the cluster writes what this program does not understand.
    pub(super) fn wrong_version(&self, format: Format) -> String {
        format!(
            "the cluster writes format {format}, and this program on node {} understands {}: start a later release of \
             remora-store on this node",
            self.node, self.understands
        )
    }

    /// What an operator must do when the cluster knows this node under another disk.
    pub(super) fn other_disk(&self, cluster: ClusterId, known: DiskId) -> String {
        format!(
            "cluster {cluster} knows node {} under disk {known}, but this data directory is disk {}: it was emptied or \
             swapped, and a node that forgot what it voted for could lose acknowledged saves. Start the node with its \
             own data directory; if that is gone, with an empty one and --join, and say `remora nodes replace {}`",
            self.node, self.disk, self.node
        )
    }
}

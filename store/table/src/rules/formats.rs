//! Understands, Raise and Hold: what the cluster writes.
//!
//! Invariants: the cluster's format never falls, and no member is left that has not said that it understands it. Both
//! hold because memberships and these commands stand in one log: a member that is added later is judged by whoever
//! proposes its membership, against the format that is applied there.

use crate::formats::{Format, Formats};
use crate::outcome::Outcome;
use crate::table::SessionTable;

impl SessionTable {
    /// Notes what a member's program understands. A program that was put back says less than the one before, and then
    /// the cluster waits for it again.
    pub(crate) fn understands(&mut self, node: u64, disk: u64, formats: Formats) -> Outcome {
        let now = self.now();
        let mut cluster = self.contents.cluster_mut();
        let Some(member) = cluster
            .members
            .get_mut(&node)
            .filter(|member| member.disk == disk)
        else {
            return Outcome::NoMember;
        };
        member.understood = Some(formats);
        cluster.look(now);
        Outcome::Understood
    }

    /// Lets the cluster write a format from the next entry on, if every member understands it.
    pub(crate) fn raise(&mut self, format: Format) -> Outcome {
        let now = self.now();
        let mut cluster = self.contents.cluster_mut();
        if format <= cluster.format {
            return Outcome::Raised {
                format: cluster.format,
            };
        }
        if let Some((node, member)) = cluster.lacking(format) {
            return Outcome::NotUnderstood {
                node,
                understood: member.understood,
            };
        }
        if cluster.members.is_empty() {
            return Outcome::NoMember;
        }
        cluster.format = format;
        cluster.look(now);
        Outcome::Raised { format }
    }

    /// Holds the cluster's format where it is, or lets it go.
    pub(crate) fn hold(&mut self, held: bool) -> Outcome {
        self.contents.cluster_mut().held = held;
        Outcome::Held { held }
    }
}

//! Understands, Raise and Hold: what the cluster writes.
//!
//! Invariants: the cluster's format never falls; when it rose, every member of the membership that was applied then had
//! said that it understands it. What a member says later does not take that back, and who is added later is judged by
//! whoever proposes that membership.

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

    /// Lets the cluster write a format from the next proposal on, if every member understands it and no operator holds it,
    /// or one asks for it.
    pub(crate) fn raise(&mut self, format: Format, asked: bool) -> Outcome {
        let now = self.now();
        let mut cluster = self.contents.cluster_mut();
        if format <= cluster.format {
            return Outcome::Raised {
                format: cluster.format,
            };
        }
        if cluster.members.is_empty() {
            return Outcome::NoMember;
        }
        if let Some((node, member)) = cluster.lacking(format) {
            return Outcome::NotUnderstood {
                node,
                understood: member.understood,
            };
        }
        if cluster.held && !asked {
            return Outcome::Held { held: true };
        }
        cluster.format = format;
        cluster.held = false;
        cluster.look(now);
        Outcome::Raised { format }
    }

    /// Holds the cluster's format where it is, or lets it go.
    pub(crate) fn hold(&mut self, held: bool) -> Outcome {
        self.contents.cluster_mut().held = held;
        Outcome::Held { held }
    }
}

//! Who keeps the sessions of a world's Tomcats when they start.

use anyhow::Result;

use crate::place::free_port;
use crate::tomcat::Member;

/// One of the managers that need nothing which is not Tomcat's or ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// Tomcat's own StandardManager: in memory, and gone with it.
    Standard,
    /// Tomcat's own DeltaManager on two Tomcats: in the memory of both.
    Delta {
        /// Whether a page waits until the other Tomcat has what it changed.
        acknowledged: bool,
    },
    /// Our manager: on the disks of most store nodes, before the answer.
    Remora,
}

impl Keeper {
    /// Where n1 and n2 are told each other's sessions, if they are.
    pub(super) fn ports(self) -> Result<Option<(u16, u16)>> {
        match self {
            Self::Delta { .. } => Ok(Some((free_port()?, free_port()?))),
            Self::Standard | Self::Remora => Ok(None),
        }
    }

    /// The part of one of them in that.
    pub(super) fn member(self, ports: Option<(u16, u16)>, node: &str) -> Option<Member> {
        let acknowledged = self == Self::Delta { acknowledged: true };
        let (first, second) = ports?;
        let (own, peer) = if node == "n1" {
            (first, second)
        } else {
            (second, first)
        };
        Some(Member {
            own,
            peer,
            acknowledged,
        })
    }
}

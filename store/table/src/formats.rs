//! Formats: versions of everything that is written on a disk or said between programs, as one number.
//!
//! A program *understands* a range of formats; the *cluster's format* is the one that everybody writes. It rises by a
//! command, once every member of the applied membership has said a range that holds the new one, and never falls. So
//! programs of two releases serve side by side, and until the rise the older one can be put back: the rule of etcd,
//! which operates with the protocol of the lowest common version.
//!
//! Left out on purpose: when it rises. That is for those who propose.

use std::collections::BTreeMap;
use std::fmt;

use super::types::TableTime;

/// A version of everything that is written. From 1; 0 stands for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Format(pub u8);

impl Format {
    /// What every cluster begins with.
    pub const FIRST: Self = Self(1);
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a program understands: every format from the oldest to the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formats {
    /// The least.
    pub oldest: Format,
    /// The greatest, not below the least.
    pub newest: Format,
}

impl Formats {
    /// What this program understands.
    pub const OURS: Self = Self {
        oldest: Format::FIRST,
        newest: Format::FIRST,
    };

    /// Whether a format is among them.
    pub fn hold(&self, format: Format) -> bool {
        (self.oldest..=self.newest).contains(&format)
    }
}

impl fmt::Display for Formats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.oldest == self.newest {
            write!(f, "format {}", self.oldest)
        } else {
            write!(f, "formats {} to {}", self.oldest, self.newest)
        }
    }
}

/// A member of the cluster, voter or learner, as far as formats go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberFormats {
    /// Its disk: another disk under the same node id has said nothing yet.
    pub disk: u64,
    /// What its program understands, once it has said so.
    pub understood: Option<Formats>,
}

/// How many removed disks are remembered: years of replacing one a month. A disk that is forgotten is refused as a stranger all
/// the same, only without a word of what became of it.
const REMOVED_MAX: usize = 64;

/// A disk that was a member of the cluster and never is one again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovedDisk {
    /// The node id under which it was a member.
    pub node: u64,
    /// The disk.
    pub disk: u64,
}

/// A format above the cluster's that every member understands, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The greatest such format.
    pub format: Format,
    /// Table time at which the last member said that it understands it.
    pub since: TableTime,
}

/// What the cluster writes, what its members understand, and whether it may write more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterFormat {
    /// What everybody writes.
    pub format: Format,
    /// The members by node id, as the last membership that was applied has them.
    pub members: BTreeMap<u64, MemberFormats>,
    /// The disks that were members before, the last one removed at the end.
    pub removed: Vec<RemovedDisk>,
    /// Whether it could rise.
    pub ready: Option<Ready>,
    /// Whether an operator holds it where it is: then it rises only by an operator's word.
    pub held: bool,
}

impl Default for ClusterFormat {
    fn default() -> Self {
        Self {
            format: Format::FIRST,
            members: BTreeMap::new(),
            removed: Vec::new(),
            ready: None,
            held: false,
        }
    }
}

impl ClusterFormat {
    /// Whether a disk was a member and was removed.
    pub fn has_removed(&self, disk: u64) -> bool {
        self.removed.iter().any(|removed| removed.disk == disk)
    }

    /// The first member, by node id, that has not said that it understands a format.
    pub fn lacking(&self, format: Format) -> Option<(u64, MemberFormats)> {
        let lacks = |member: &MemberFormats| {
            !member
                .understood
                .is_some_and(|understood| understood.hold(format))
        };
        let found = self.members.iter().find(|(_, member)| lacks(member));
        found.map(|(node, member)| (*node, *member))
    }

    /// Takes over a membership. Who stays under the same disk keeps what it has said; who does not is remembered.
    pub(super) fn set_members(&mut self, disks: &BTreeMap<u64, u64>, now: TableTime) {
        let before = std::mem::take(&mut self.members);
        self.members = disks
            .iter()
            .map(|(node, disk)| {
                let known = before.get(node).filter(|member| member.disk == *disk);
                let new = MemberFormats {
                    disk: *disk,
                    understood: None,
                };
                (*node, known.copied().unwrap_or(new))
            })
            .collect();
        let is_gone = |node: &u64, disk: u64| disks.get(node) != Some(&disk);
        let gone = (before.iter()).filter(|(node, member)| is_gone(node, member.disk));
        self.removed.extend(gone.map(|(node, member)| RemovedDisk {
            node: *node,
            disk: member.disk,
        }));
        let forgotten = self.removed.len().saturating_sub(REMOVED_MAX);
        self.removed.drain(..forgotten);
        self.look(now);
    }

    /// Finds anew what every member understands. What was ready stays so since then.
    pub(super) fn look(&mut self, now: TableTime) {
        let newest = |member: &MemberFormats| member.understood.map(|understood| understood.newest);
        let newest = self.members.values().filter_map(newest).min();
        let format = newest.filter(|format| *format > self.format && self.lacking(*format).is_none());
        if self.ready.map(|ready| ready.format) != format {
            self.ready = format.map(|format| Ready { format, since: now });
        }
    }
}

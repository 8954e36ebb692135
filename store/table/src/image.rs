//! The whole table at one point of the log, and how a new cluster goes on from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::formats::{ClusterFormat, Format};
use super::leavers::{Leaver, LeaverKey};
use super::names::Names;
use super::registry::Registry;
use super::slot::Slot;
use super::types::{SessionKey, Stamp, TableTime, Version};

/// The whole table at one point of the log: shares its records with the table it was taken from.
#[derive(Clone, Debug)]
pub struct TableImage {
    pub(super) time: TableTime,
    pub(super) previous_stamp: Stamp,
    pub(super) version: Version,
    /// In no order until it is encoded.
    pub(super) slots: Vec<(SessionKey, Slot)>,
    /// Those that expired and that somebody has to hear of, or has buried, and until when; in no order until encoded.
    pub(super) leavers: Vec<(LeaverKey, TableTime, Leaver)>,
    pub(super) registry: Registry,
    pub(super) cluster: ClusterFormat,
    /// The names that the slots share, if the image was decoded.
    pub(super) names: Names,
}

impl TableImage {
    /// What the cluster wrote at that point of the log: the image's own format.
    pub fn format(&self) -> Format {
        self.cluster.format
    }

    /// The change counter at that point of the log.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How many sessions it holds; those past their deadline that no sweep took yet are among them.
    pub fn sessions(&self) -> u64 {
        let live = |(_, slot): &&(SessionKey, Slot)| matches!(slot, Slot::Live(_));
        self.slots.iter().filter(live).count() as u64
    }

    /// What a new cluster begins with: all sessions, in the next generation, owned by nobody; the registry as it is in the copy, with
    /// what operators wish and who was taken out, as a view later than any before; and nothing that speaks of the old cluster's nodes.
    /// Who stands in the registry announces itself again ([`super::TableReader::is_announced`]). `disks` are the new members, node ids with their disks. Of `draw` 47 bits count; they must be drawn
    /// at random, because one copy may be restored twice. None if no generation is left.
    ///
    /// A copy of the table is older than what its Tomcats may have seen since. So nobody holds anything: whoever comes with
    /// what it held before is fenced, claims, and learns what is left.
    pub fn anew(mut self, disks: &BTreeMap<u64, u64>, draw: u64) -> Option<Self> {
        let version = self.version.next_generation(draw)?;
        for (_, slot) in &mut self.slots {
            match slot {
                Slot::Live(session) => Arc::make_mut(session).begin_anew(version),
                Slot::Tombstone(tombstone) => Arc::make_mut(tombstone).removed_by = None,
                Slot::Alias(_) => {}
            }
        }
        self.version = version;
        // Who was offered them may have called their listeners since: that is not done twice.
        self.leavers.clear();
        // Later than any view that the old cluster has told, for those who hold one.
        self.registry.version = version;
        self.cluster = ClusterFormat {
            format: self.cluster.format,
            ..ClusterFormat::default()
        };
        self.cluster.set_members(disks, self.time);
        Some(self)
    }
}

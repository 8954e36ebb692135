//! The whole table at one point of the log.

use super::formats::{ClusterFormat, Format};
use super::names::Names;
use super::slot::Slot;
use super::types::RegisteredServer;
use super::types::{SessionKey, Stamp, TableTime, Version};

/// The whole table at one point of the log: shares its records with the table it was taken from.
#[derive(Clone, Debug)]
pub struct TableImage {
    pub(super) time: TableTime,
    pub(super) previous_stamp: Stamp,
    pub(super) version: Version,
    /// In no order until it is encoded.
    pub(super) slots: Vec<(SessionKey, Slot)>,
    /// By node name.
    pub(super) servers: Vec<RegisteredServer>,
    pub(super) cluster: ClusterFormat,
    /// The names that the slots share, if the image was decoded.
    pub(super) names: Names,
}

impl TableImage {
    /// What the cluster wrote at that point of the log: the image's own format.
    pub fn format(&self) -> Format {
        self.cluster.format
    }
}

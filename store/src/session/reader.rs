//! Reads of the table, concurrent with apply.

use std::sync::Arc;

use super::outcome::{Checked, Outcome};
use super::types::{Epoch, KEY_BYTES, Owner, Session, SessionKey, TableTime, Version};

/// Reads the table while its owner applies. Cheap to clone. A read is linearizable only behind a barrier.
#[derive(Clone, Debug)]
pub struct TableReader {}

/// Which sessions are meant: all conditions that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Exact application.
    pub application: Option<String>,
    /// Exact principal name.
    pub principal: Option<String>,
    /// Exact node name of the owner.
    pub owner: Option<String>,
    /// Leading hexadecimal digits of the key, lower case; empty means any.
    pub key_prefix: String,
}

/// An application server in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredServer {
    /// Node name and instance.
    pub server: Owner,
    /// Where a proxy reaches it.
    pub url: Arc<str>,
    /// What it serves.
    pub applications: Vec<Arc<str>>,
    /// Table time after which the entry lapses.
    pub lapses: TableTime,
    /// The change counter at its last announcement.
    pub version: Version,
}

impl TableReader {
    /// Table time of the last applied entry.
    pub fn table_time(&self) -> TableTime {
        todo!()
    }

    /// The change counter.
    pub fn version(&self) -> Version {
        todo!()
    }

    /// Live sessions, those past their deadline that are not swept yet included.
    pub fn sessions(&self) -> u64 {
        todo!()
    }

    /// Bytes of session keys, attributes and logins.
    pub fn bytes(&self) -> u64 {
        todo!()
    }

    /// The live record under exactly this key.
    pub fn get(&self, _key: &SessionKey) -> Option<Arc<Session>> {
        todo!()
    }

    /// Is a near copy still the truth?
    pub fn check(&self, _key: &SessionKey, _epoch: Epoch, _version: Version) -> Checked {
        todo!()
    }

    /// The answer to a claim that needs no proposal (Gone, Renamed); none if the claim must be proposed.
    pub fn claim_preview(&self, _key: &SessionKey) -> Option<Outcome> {
        todo!()
    }

    /// Live sessions that match, in the order of their keys, behind `after`, at most `limit`. Walks the whole table.
    pub fn list(
        &self,
        _filter: &ListFilter,
        _after: Option<&SessionKey>,
        _limit: usize,
    ) -> Vec<(SessionKey, Arc<Session>)> {
        todo!()
    }

    /// The application servers whose entries have not lapsed, by node name.
    pub fn servers(&self) -> Vec<RegisteredServer> {
        todo!()
    }

    /// The earliest deadline of anything in the table, sessions, tombstones and registry entries alike.
    pub fn next_deadline(&self) -> Option<TableTime> {
        todo!()
    }

    /// Whether a sweep would remove something at the present table time.
    pub fn due(&self) -> bool {
        todo!()
    }

    /// Whether the table holds nothing at all: then nothing needs ticks.
    pub fn is_empty(&self) -> bool {
        todo!()
    }

    /// The first `KEY_BYTES` digits are not needed here.
    fn _unused(_: [u8; KEY_BYTES]) {}
}

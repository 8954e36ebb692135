//! Leavers: sessions that expired while somebody wants to hear of it, until a Tomcat has called their listeners.
//!
//! No command about sessions finds them, and the keys that they had are free. They wait to be offered, which the node around
//! the table does, and are buried once: whoever is the first to ask calls the listeners, and only who asked that is
//! remembered, for the repeat, until the hour of the leaver is over.
//!
//! Invariants: a leaver waits or is buried, never both; the index of their hours holds each of them; what they count is what
//! a walk over them would find.
//! Left out on purpose: who is offered what, and how many bytes they may take, which a sweep says (`rules/leave.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::slot::{SLOT_BYTES, record_bytes};
use super::types::{RequestId, Session, SessionKey, TableTime, Version};

/// How long a leaver waits, in milliseconds of table time: as long as a Tomcat of its application may take to come back.
pub(super) const LEAVER_LIVES_MS: u64 = 60 * 60 * 1_000;

/// Which session left: a life of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaverKey {
    /// The key that it had when it expired.
    pub session: SessionKey,
    /// The version that created it.
    pub created_version: Version,
}

/// What became of a session that expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leaver {
    /// It waits for somebody who calls its listeners.
    Waiting(Arc<Session>),
    /// Somebody does, by this request.
    Buried(RequestId),
}

/// Sessions that left, as their writer keeps them.
#[derive(Debug, Default)]
pub(super) struct Leavers {
    waiting: BTreeMap<LeaverKey, (TableTime, Arc<Session>)>,
    buried: BTreeMap<LeaverKey, (TableTime, RequestId)>,
    /// All of them, by the table time until which they stay.
    by_age: BTreeSet<(TableTime, LeaverKey)>,
    bytes: u64,
}

impl Leavers {
    /// One that leaves, or that an image holds, and until when it stays.
    pub(super) fn put(&mut self, key: LeaverKey, until: TableTime, leaver: Leaver) {
        self.take(&key);
        self.bytes += bytes(&key, &leaver);
        self.by_age.insert((until, key.clone()));
        match leaver {
            Leaver::Waiting(session) => {
                self.waiting.insert(key, (until, session));
            }
            Leaver::Buried(by) => {
                self.buried.insert(key, (until, by));
            }
        }
    }

    /// What became of a session that left, and until when that is known.
    pub(super) fn find(&self, key: &LeaverKey) -> Option<(TableTime, Leaver)> {
        let waiting = self.waiting.get(key);
        let waiting = waiting.map(|(until, session)| (*until, Leaver::Waiting(Arc::clone(session))));
        waiting.or_else(|| {
            let (until, by) = self.buried.get(key)?;
            Some((*until, Leaver::Buried(*by)))
        })
    }

    /// Takes one out.
    fn take(&mut self, key: &LeaverKey) -> Option<Leaver> {
        let (until, leaver) = self.find(key)?;
        self.waiting.remove(key);
        self.buried.remove(key);
        self.by_age.remove(&(until, key.clone()));
        self.bytes -= bytes(key, &leaver);
        Some(leaver)
    }

    /// Takes out the one that left first, if its hour was over before this time; of those of one hour the first by key.
    pub(super) fn take_oldest(&mut self, before: TableTime) -> Option<Leaver> {
        let (_, key) = self.by_age.first().filter(|(until, _)| *until < before)?;
        let key = key.clone();
        self.take(&key)
    }

    /// Until when the one stays that left first.
    pub(super) fn first_until(&self) -> Option<TableTime> {
        self.by_age.first().map(|(until, _)| *until)
    }

    /// Those that wait behind a key, in the order of their keys, at most so many; those whose hour is over are left out.
    pub(super) fn waiting_behind(
        &self,
        after: Option<&LeaverKey>,
        (limit, now): (usize, TableTime),
    ) -> Vec<(LeaverKey, Arc<Session>)> {
        use std::ops::Bound;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.waiting.range((from, Bound::Unbounded)).take(limit);
        let behind = behind.filter(|(_, (until, _))| now <= *until);
        behind
            .map(|(key, (_, session))| (key.clone(), Arc::clone(session)))
            .collect()
    }

    /// One that waits.
    pub(super) fn waits(&self, key: &LeaverKey) -> Option<Arc<Session>> {
        self.waiting.get(key).map(|(_, session)| Arc::clone(session))
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// What all of them count towards the node's byte limit.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// All of them, in no order.
    pub(super) fn all(&self) -> Vec<(LeaverKey, TableTime, Leaver)> {
        let waiting = self
            .waiting
            .iter()
            .map(|(key, (until, session))| (key.clone(), *until, Leaver::Waiting(Arc::clone(session))));
        let buried = self
            .buried
            .iter()
            .map(|(key, (until, by))| (key.clone(), *until, Leaver::Buried(*by)));
        waiting.chain(buried).collect()
    }
}

/// What a leaver counts: its place, and its record while it waits.
fn bytes(key: &LeaverKey, leaver: &Leaver) -> u64 {
    SLOT_BYTES
        + match leaver {
            Leaver::Waiting(session) => record_bytes(&key.session, session),
            Leaver::Buried(_) => 0,
        }
}

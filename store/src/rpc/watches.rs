//! The sessions of which the client of one stream holds something beside their record, though it owns them no more, such
//! as an open socket: it is told when one ends, wherever and however, or gets another key.
//!
//! What is watched is looked up in the table every now and then. So an end is found whoever caused it, were it a deadline
//! that passed, and nothing that happened before the watch came is missed. It is found late by the time between two
//! looks, for which nobody waits.
//!
//! Invariants: a session is looked up only in a table that has everything which was committed when the watch came, so a
//! leader that has just been elected takes none for ended; an end is told once; one look costs no more than
//! [`LOOKED_UP_MAX`] look-ups.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Instant;

use bytes::Bytes;
use remora_proto::v1;
use remora_table::{SessionKey, TableReader, Version};

use super::convert::{self, Conversion};

/// Sessions that one stream may watch (session.proto, ExchangeRequest.watched): as many as it may leave evictions
/// unacknowledged, some MiB.
const WATCHED_MAX: usize = 65_536;

/// Look-ups at a time: about a millisecond, so that the connection's other streams do not wait.
const LOOKED_UP_MAX: usize = 4_096;

/// What one stream watches.
#[derive(Default)]
pub(super) struct Watches {
    watched: BTreeMap<SessionKey, Watch>,
    /// The last one that was looked up; none to begin with the first.
    last: Option<SessionKey>,
}

/// One watched session.
struct Watch {
    created: Version,
    came: Instant,
}

impl Watches {
    /// What a message says of it.
    pub(super) fn heard(
        &mut self,
        watched: Vec<v1::Watched>,
        unwatched: Vec<v1::SessionKey>,
        now: Instant,
    ) -> Conversion<()> {
        for watch in watched {
            let session = convert::key(watch.session)?;
            if self.watched.len() < WATCHED_MAX || self.watched.contains_key(&session) {
                let created = Version(watch.created_version);
                self.watched.insert(session, Watch { created, came: now });
            }
        }
        for session in unwatched {
            self.watched.remove(&convert::key(Some(session))?);
        }
        Ok(())
    }

    /// What became of some of them. The table has everything that was committed at the time of `known`.
    pub(super) fn look(&mut self, table: &TableReader, known: Instant) -> Vec<v1::News> {
        let after = self.last.take().map_or(Bound::Unbounded, Bound::Excluded);
        let mut changed = Vec::new();
        let rest = self.watched.range((after, Bound::Unbounded));
        for (at, (session, watch)) in rest.enumerate() {
            if at == LOOKED_UP_MAX {
                break;
            }
            if watch.came <= known {
                let now = table.follow(session, watch.created);
                if now.as_ref() != Some(session) {
                    changed.push((session.clone(), now));
                }
            }
            self.last = (at + 1 == LOOKED_UP_MAX).then(|| session.clone());
        }
        changed
            .into_iter()
            .filter_map(|(before, now)| self.moved(&before, now))
            .collect()
    }

    fn moved(&mut self, before: &SessionKey, now: Option<SessionKey>) -> Option<v1::News> {
        let watch = self.watched.remove(before)?;
        let news = v1::News {
            session: Some(convert::session_key(before)),
            created_version: watch.created.0,
            new_key: now
                .as_ref()
                .map_or_else(Bytes::new, |now| Bytes::copy_from_slice(&now.key)),
        };
        if let Some(now) = now {
            self.watched.insert(now, watch);
        }
        Some(news)
    }
}

#[cfg(test)]
mod tests;

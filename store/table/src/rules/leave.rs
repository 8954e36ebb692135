//! Bury, and how a session leaves: what becomes of one whose deadline has passed.
//!
//! A session leaves something behind if somebody wants to hear of its end: an application server that has announced
//! listeners for its application and stands in the registry, or one of its own values, which says so by its type. Then its owner is
//! not told: it is offered the leaver, as anybody else might be.
//!
//! Invariant: of all who ask to bury a leaver, one is told that it was the first, however often it asks.
//! Left out on purpose: to whom leavers are offered, and when again; the node around the table does that.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::happening::{Ending, What};
use crate::leavers::{LEAVER_LIVES_MS, Leaver, LeaverKey};
use crate::outcome::{EventKind, Outcome};
use crate::slot::Slot;
use crate::table::{Call, SessionTable};
use crate::types::{Session, SessionKey, TableTime};

/// Applications of which a server has said that they listen for the end of sessions.
pub(super) type Heard = BTreeSet<Arc<str>>;

impl SessionTable {
    /// The applications that are listened for now.
    pub(super) fn heard(&self) -> Heard {
        let registry = self.contents.registry();
        let servers = registry.servers.values();
        servers.flat_map(|entry| &entry.listened).cloned().collect()
    }

    /// A session that expired is no session any more: it leaves, or its owner is told.
    pub(super) fn expire(
        &mut self,
        call: &mut Call<'_>,
        key: &SessionKey,
        session: Arc<Session>,
        heard: &Heard,
    ) {
        let why = Ending::Expiry;
        call.happened(key, &session, What::Ended { why });
        if !heard.contains(&key.application) && !session.hears_its_end() {
            call.tell(key, &session, EventKind::Expired);
            return;
        }
        let key = LeaverKey {
            session: self.shared(key),
            created_version: session.created_version,
        };
        let until = self.now().plus_ms(LEAVER_LIVES_MS);
        self.contents
            .leavers_mut()
            .put(key, until, Leaver::Waiting(session));
    }

    /// Whether the caller is the one that calls the listeners of a session that expired.
    pub(crate) fn bury_leaver(&mut self, call: &mut Call<'_>, key: &LeaverKey) -> Outcome {
        let now = self.now();
        let key = LeaverKey {
            session: self.shared(&key.session),
            created_version: key.created_version,
        };
        if let (Some(id), true) = (call.id(), self.take_expired(call, &key)) {
            let until = now.plus_ms(LEAVER_LIVES_MS);
            self.contents.leavers_mut().put(key, until, Leaver::Buried(id));
            return Outcome::Buried { first: true };
        }
        let mut leavers = self.contents.leavers_mut();
        let found = leavers.find(&key).filter(|(until, _)| now <= *until);
        let first = match (found, call.id()) {
            (Some((until, Leaver::Waiting(_))), Some(id)) => {
                leavers.put(key, until, Leaver::Buried(id));
                true
            }
            (Some((_, Leaver::Buried(by))), Some(id)) => by == id,
            _ => false,
        };
        Outcome::Buried { first }
    }

    /// Takes away a session that is past its deadline, if it is the one that is meant and no sweep has.
    fn take_expired(&mut self, call: &mut Call<'_>, key: &LeaverKey) -> bool {
        let Some(Slot::Live(session)) = self.standing(&key.session) else {
            return false;
        };
        let expired = session.created_version == key.created_version && session.deadline < self.now();
        if expired {
            let why = Ending::Expiry;
            call.happened(&key.session, &session, What::Ended { why });
            self.take(&key.session);
        }
        expired
    }

    /// Takes out the leaver that left first if all of them count more than this; false if they do not.
    pub(super) fn drop_leaver_above(&mut self, bytes_max: u64) -> bool {
        self.contents.leavers().bytes() > bytes_max && self.drop_leaver(TableTime::NEVER)
    }

    /// Takes out the leaver that left first if its hour is over; false if it is not.
    pub(super) fn drop_old_leaver(&mut self, now: TableTime) -> bool {
        self.drop_leaver(now)
    }

    fn drop_leaver(&mut self, before: TableTime) -> bool {
        let dropped = self.contents.leavers_mut().take_oldest(before);
        if let Some(Leaver::Waiting(_)) = dropped {
            self.contents.leavers_lost.fetch_add(1, Ordering::Relaxed);
        }
        dropped.is_some()
    }
}

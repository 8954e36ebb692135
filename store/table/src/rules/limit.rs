//! Limits: how many living sessions of an application may carry a label, decided as the label comes.
//!
//! A save that brings a label may name a limit for it. Counted are the others that carry the same name and value and are not past
//! their deadline. With as many as the limit allows, the save is refused, or the oldest of them end, so that the newcomer is
//! within it. Both are decided in one entry, on every replica alike: however many logins of one user come at once, no more
//! sessions carry the label than the last of them allowed.
//!
//! Left out on purpose: limits that are not asked. A session that carries the label already was counted when it came, and
//! one that comes without a limit is not refused, but counts.

use std::sync::Arc;

use crate::command::{ENDED_MAX, LIMITED_MAX, OverLimit, Save};
use crate::happening::Ending;
use crate::labels::{Carrier, LOOKED_MAX};
use crate::outcome::{Event, EventKind};
use crate::slot::Slot;
use crate::table::{Call, SessionTable};
use crate::types::{Label, RecordedChange, RecordedKind, Session, SessionKey, Version};

// Where all who carry a label live, the count ends before its bound.
const _: () = assert!(LOOKED_MAX > LIMITED_MAX as usize + ENDED_MAX + 1);

/// A living session that carries a label.
pub(super) struct Living {
    key: SessionKey,
    session: Arc<Session>,
}

impl SessionTable {
    /// The sessions that must end so that a save of this session is within the limit that it names, the oldest first; or how
    /// many that allows, if the save is over it. Changes nothing.
    pub(super) fn within_limit(
        &self,
        save: &Save,
        key: &SessionKey,
        current: Option<&Session>,
    ) -> Result<Vec<Living>, u32> {
        let Some(limit) = &save.limit else {
            return Ok(Vec::new());
        };
        let brought = save
            .labels
            .iter()
            .flatten()
            .find(|label| label.name == limit.label);
        let Some(label) = brought.filter(|label| !carries(current, label)) else {
            return Ok(Vec::new());
        };
        let sessions = limit.sessions.max(1) as usize;
        let ends_at_most = match limit.then {
            OverLimit::Refuse => 0,
            OverLimit::End => ENDED_MAX,
        };
        let Some(mut others) = self.living(label, key, sessions + ends_at_most) else {
            return Err(limit.sessions);
        };
        let ending = (others.len() + 1).saturating_sub(sessions);
        if ending > ends_at_most {
            return Err(limit.sessions);
        }
        others.truncate(ending);
        Ok(others)
    }

    /// The other living sessions that carry a label, the oldest first and no more than `enough`; none if that was too many to
    /// look at.
    fn living(&self, label: &Label, except: &SessionKey, enough: usize) -> Option<Vec<Living>> {
        let labels = self.contents.labels();
        let mut living = Vec::new();
        let application = Some(&except.application);
        let first = Carrier::first(label, application);
        for (looked, carrier) in labels.carriers(label, application, first).enumerate() {
            if living.len() == enough {
                break;
            }
            if looked == LOOKED_MAX {
                return None;
            }
            let key = carrier.session();
            if let Some(Slot::Live(session)) = self.contents.slot(&key)
                && key != *except
            {
                living.push(Living { key, session });
            }
        }
        Some(living)
    }

    /// Ends sessions for a limit, and says which. Their owners are told even where one of them asked: it is another session
    /// that it asked about.
    pub(super) fn end(&mut self, call: &mut Call<'_>, ending: Vec<Living>) -> Vec<SessionKey> {
        let mut ended = Vec::with_capacity(ending.len());
        for Living { key, session } in ending {
            if session.owner.instance != 0 {
                call.told.owners.push(Event {
                    session: key.clone(),
                    kind: EventKind::Gone,
                    instance: session.owner.instance,
                    epoch: session.epoch,
                });
            }
            self.entomb(call, &key, &session, Ending::Limit);
            ended.push(key);
        }
        ended
    }

    /// Keeps the answer to a save that was over its limit, for its repeat; otherwise its record is as it was.
    pub(super) fn remember_over_limit(&mut self, call: &Call<'_>, key: &SessionKey, version: Version) {
        let kind = RecordedKind::OverLimit;
        if let Some(id) = call.id() {
            self.change(key, |record, _| {
                record.last_change = Some(RecordedChange { id, version, kind });
            });
        }
    }
}

fn carries(session: Option<&Session>, label: &Label) -> bool {
    session.is_some_and(|session| session.labels.contains(label))
}

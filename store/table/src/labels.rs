//! Which sessions carry a label: for lists of people, and for limits that a login may name.
//!
//! What stands here says nothing of deadlines, though limits count living sessions alone: a deadline moves with every save and
//! touch, and this index with a label's coming and going, which are logins and logouts. So whoever counts looks each session
//! up, the oldest first, and stops where it knows enough ([`LOOKED_MAX`]).
//!
//! Invariants: exactly the labels of live slots stand here, those past their deadline that no sweep took yet included. So
//! it is made anew from the slots, in no image, and the same on every replica.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;
use std::sync::Arc;

use super::types::{KEY_BYTES, Label, Session, SessionKey, Version};

/// Carriers of a label that a limit looks up at most: bounded work per entry, some 2 ms. Living ones alone never come so
/// far, for the count ends before; only where thousands of one user's sessions are past their deadline and not swept yet does a
/// login meet it, and is refused until they are.
pub(super) const LOOKED_MAX: usize = 4_096;

/// What each label of a live session counts towards the node's byte limit, in bytes: its place in this index, at the fill
/// of a tree's nodes.
pub(super) const LABEL_BYTES: u64 = 128;

/// A session that carries a label. Ordered by what it carries, then by application, then the older session first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Carrier {
    /// A hash of name and value: told apart by it, most need no look at texts that lie anywhere in memory.
    mark: u64,
    name: Arc<str>,
    value: Arc<str>,
    application: Arc<str>,
    /// Names the life of the key, and orders lives by their age.
    created: Version,
    key: [u8; KEY_BYTES],
}

impl Carrier {
    /// The place before all sessions of an application that carry a label, or of all applications, whose names are never
    /// empty. No session has it: versions count from 1.
    pub(super) fn first(label: &Label, application: Option<&Arc<str>>) -> Self {
        Self {
            mark: mark(label),
            name: Arc::clone(&label.name),
            value: Arc::clone(&label.value),
            application: application.map_or_else(Arc::default, Arc::clone),
            created: Version(0),
            key: [0; KEY_BYTES],
        }
    }

    /// The session.
    pub(super) fn session(&self) -> SessionKey {
        SessionKey {
            application: Arc::clone(&self.application),
            key: self.key,
        }
    }

    fn carries(&self, label: &Label, application: Option<&Arc<str>>) -> bool {
        let applies = application.is_none_or(|application| *application == self.application);
        self.name == label.name && self.value == label.value && applies
    }
}

fn mark(label: &Label) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&label.name, &label.value).hash(&mut hasher);
    hasher.finish()
}

/// Every label of every live slot.
#[derive(Debug, Default)]
pub(super) struct Labels {
    carriers: BTreeSet<Carrier>,
}

impl Labels {
    /// These sessions stand now, and no others: faster than to enter one after the other.
    pub(super) fn fill(&mut self, sessions: &[(SessionKey, Arc<Session>)]) {
        let each = sessions.iter().flat_map(|(key, session)| carriers(key, session));
        self.carriers = each.collect();
    }

    /// A session stands under this key now, with these labels.
    pub(super) fn enter(&mut self, key: &SessionKey, session: &Session) {
        self.carriers.extend(carriers(key, session));
    }

    /// It does no more.
    pub(super) fn leave(&mut self, key: &SessionKey, session: &Session) {
        for carrier in carriers(key, session) {
            self.carriers.remove(&carrier);
        }
    }

    /// Nothing stands anywhere.
    pub(super) fn clear(&mut self) {
        self.carriers.clear();
    }

    /// Labels of live slots.
    pub(super) fn count(&self) -> u64 {
        self.carriers.len() as u64
    }

    /// The sessions of an application, or of all, that carry a label, behind [`Carrier::first`] or another one.
    pub(super) fn carriers(
        &self,
        label: &Label,
        application: Option<&Arc<str>>,
        after: Carrier,
    ) -> impl Iterator<Item = &Carrier> {
        self.carriers
            .range((Bound::Excluded(after), Bound::Unbounded))
            .take_while(move |carrier| carrier.carries(label, application))
    }
}

fn carriers(key: &SessionKey, session: &Session) -> impl Iterator<Item = Carrier> {
    session.labels.iter().map(|label| Carrier {
        created: session.created_version,
        key: key.key,
        ..Carrier::first(label, Some(&key.application))
    })
}

//! Reads of the table, concurrent with apply: one record, a check of a near copy, pages for people, figures.
//!
//! Invariants: a read changes nothing; it sees each key at one moment, and what is past its deadline is absent to it until
//! a sweep takes it away. Only [`TableReader::list`] and [`TableReader::stats`] walk the table, or the sessions
//! that carry a label.
//! Left out on purpose: the barrier. A read is linearizable only if the caller waited for one first.

use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLockReadGuard};

use super::formats::{ClusterFormat, Format};
use super::labels::{Carrier, LABEL_BYTES};
use super::leavers::LeaverKey;
use super::listing::{ListFilter, ListStart, Listing, Page};
use super::outcome::{Checked, Outcome};
use super::registry::{RegisteredServer, Registry, RegistryView};
use super::slot::{Contents, Found, SLOT_BYTES, Slot, Standing};
use super::stats::{Counting, Stats, StatsBy};
use super::types::{Epoch, Label, Session, SessionKey, TableTime, Version};

/// Sessions of a label that a walk takes down at a time: logins wait for that, well below a millisecond.
const CARRIERS_AT_A_TIME: usize = 1_024;

/// Reads the table while its writer applies. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TableReader {
    contents: Arc<Contents>,
}

impl TableReader {
    pub(super) fn new(contents: Arc<Contents>) -> Self {
        Self { contents }
    }

    /// Table time of the last entry begun.
    pub fn table_time(&self) -> TableTime {
        self.contents.now()
    }

    /// The change counter.
    pub fn version(&self) -> Version {
        Version(self.contents.version.load(Ordering::Acquire))
    }

    /// What the cluster writes: the format of whatever is encoded now.
    pub fn format(&self) -> Format {
        self.contents.cluster().format
    }

    /// What the cluster writes, what its members understand, and whether it may write more.
    pub fn cluster(&self) -> ClusterFormat {
        self.contents.cluster().clone()
    }

    /// Live sessions; those past their deadline that are not swept yet included.
    pub fn sessions(&self) -> u64 {
        self.contents.sessions.load(Ordering::Relaxed)
    }

    /// Bytes of session keys, attributes, logins and labels.
    pub fn bytes(&self) -> u64 {
        self.contents.bytes.load(Ordering::Relaxed)
    }

    /// Tombstones, and keys that were given up and still serve.
    pub fn remains(&self) -> u64 {
        self.contents.remains.load(Ordering::Relaxed)
    }

    /// What the table counts towards the node's byte limit: its bytes, and a fixed part for every slot and every label.
    pub fn weight(&self) -> u64 {
        let labels = LABEL_BYTES * self.contents.labels().count();
        self.bytes() + SLOT_BYTES * (self.sessions() + self.remains()) + labels + self.leaver_bytes()
    }

    /// Sessions that expired and wait for somebody who calls their listeners.
    pub fn leavers(&self) -> u64 {
        self.contents.leavers().waiting()
    }

    /// What they and what is known of those that were buried count towards the node's byte limit.
    pub fn leaver_bytes(&self) -> u64 {
        self.contents.leavers().bytes()
    }

    /// Leavers whose listeners nobody called in time, as far as this node's table saw them go.
    pub fn leavers_lost(&self) -> u64 {
        self.contents.leavers_lost.load(Ordering::Relaxed)
    }

    /// Leavers that wait, those behind this key in the order of keys, at most so many are looked at.
    pub fn leavers_behind(&self, after: Option<&LeaverKey>, limit: usize) -> Vec<(LeaverKey, Arc<Session>)> {
        let now = self.contents.now();
        self.contents.leavers().waiting_behind(after, (limit, now))
    }

    /// A leaver that still waits.
    pub fn leaver(&self, leaver: &LeaverKey) -> Option<Arc<Session>> {
        self.contents.leavers().waits(leaver)
    }

    /// The registry as it is now: the writer waits for whoever looks.
    pub(super) fn registered(&self) -> RwLockReadGuard<'_, Registry> {
        self.contents.registry()
    }

    /// The live record under exactly this key; renames are not followed.
    pub fn get(&self, key: &SessionKey) -> Option<Arc<Session>> {
        match self.contents.slot(key)? {
            Slot::Live(session) => Some(session),
            Slot::Tombstone(_) | Slot::Alias(_) => None,
        }
    }

    /// The live record under exactly this key while this ownership stands, none otherwise: what the answer to a claim tells
    /// when it has waited for the former owner.
    pub fn owned(&self, key: &SessionKey, epoch: Epoch) -> Option<Arc<Session>> {
        self.get(key).filter(|session| session.epoch == epoch)
    }

    /// The key under which a session lives now, renames followed; none if this life of it has ended.
    pub fn follow(&self, key: &SessionKey, created: Version) -> Option<SessionKey> {
        let Found { key, what, .. } = self.contents.find(key);
        match what {
            Standing::Live(session) if session.created_version == created => Some(key),
            _ => None,
        }
    }

    /// The live record that a command naming this key is about: renames are followed.
    pub(super) fn standing(&self, key: &SessionKey) -> Option<Arc<Session>> {
        match self.contents.find(key).what {
            Standing::Live(session) => Some(session),
            Standing::Tombstone(_) | Standing::Absent => None,
        }
    }

    /// Is a near copy still the truth?
    pub fn check(&self, key: &SessionKey, epoch: Epoch, version: Version) -> Checked {
        let Found { moved, what, .. } = self.contents.find(key);
        match what {
            Standing::Live(session) if session.epoch == epoch && session.version == version => {
                Checked::Current
            }
            Standing::Live(session) if session.epoch == epoch => Checked::Newer(session),
            Standing::Live(_) if moved => Checked::Renamed,
            Standing::Live(session) => Checked::Moved {
                owner: session.owner.clone(),
            },
            Standing::Tombstone(tombstone) if !moved => Checked::Gone {
                tombstone: tombstone.version,
            },
            Standing::Tombstone(_) | Standing::Absent => Checked::Gone {
                tombstone: Version(0),
            },
        }
    }

    /// The answer to a claim that needs no proposal (Gone, Renamed); none if the claim must be proposed. So a forged
    /// cookie costs no write.
    pub fn claim_preview(&self, key: &SessionKey) -> Option<Outcome> {
        let Found { moved, what, .. } = self.contents.find(key);
        match what {
            _ if moved => Some(Outcome::Renamed),
            Standing::Live(_) => None,
            Standing::Tombstone(tombstone) => Some(Outcome::Gone {
                tombstone: tombstone.version,
            }),
            Standing::Absent => Some(Outcome::Gone {
                tombstone: Version(0),
            }),
        }
    }

    /// A page of the live sessions that match, from this start, at most `limit`; keeps no more than a page. For people, not for
    /// requests.
    pub fn list(&self, filter: &ListFilter, start: &ListStart, limit: usize) -> Listing {
        let mut page = Page::new(start, limit);
        self.walk(filter, |key, session| page.take(key, session));
        page.finish()
    }

    /// Figures of the live sessions that match, with at most `limit` groups; for people as well.
    pub fn stats(&self, filter: &ListFilter, (by, now_ms): (StatsBy, u64), limit: usize) -> Stats {
        let mut counting = Counting::new(by, now_ms);
        self.walk(filter, |key, session| counting.take(&key.application, session));
        counting.finish(limit)
    }

    /// Walks the live sessions that match: among those that carry the first label that is asked for, or else in the whole
    /// table.
    fn walk(&self, filter: &ListFilter, mut see: impl FnMut(&SessionKey, &Arc<Session>)) {
        let now = self.contents.now();
        let mut take = |key: &SessionKey, slot: &Slot| {
            if let Slot::Live(session) = slot
                && now <= session.deadline
                && filter.matches(key, session)
            {
                see(key, session);
            }
        };
        if let Some(label) = filter.labels.first() {
            self.walk_carriers(label, filter.application.as_deref(), take);
        } else {
            for slot in self.contents.slots.iter() {
                take(slot.key(), slot.value());
            }
        }
    }

    /// Walks the sessions that carry a label, some at a time, so that no login waits for the whole walk.
    fn walk_carriers(
        &self,
        label: &Label,
        application: Option<&str>,
        mut take: impl FnMut(&SessionKey, &Slot),
    ) {
        let application = application.map(Arc::from);
        let mut last = Carrier::first(label, application.as_ref());
        loop {
            let labels = self.contents.labels();
            let carriers = labels.carriers(label, application.as_ref(), last.clone());
            let some: Vec<Carrier> = carriers.take(CARRIERS_AT_A_TIME).cloned().collect();
            drop(labels);
            for carrier in &some {
                let key = carrier.session();
                if let Some(slot) = self.contents.slot(&key) {
                    take(&key, &slot);
                }
            }
            match some.into_iter().next_back() {
                Some(carrier) => last = carrier,
                None => return,
            }
        }
    }

    /// The application servers, by node name.
    pub fn servers(&self) -> Vec<Arc<RegisteredServer>> {
        self.contents.registry().servers.values().cloned().collect()
    }

    /// The application server that holds a name.
    pub fn server(&self, node: &str) -> Option<Arc<RegisteredServer>> {
        self.contents.registry().servers.get(node).cloned()
    }

    /// Application servers, wishes and who was taken out, all of one moment.
    pub fn registry(&self) -> RegistryView {
        self.contents.registry().view()
    }

    /// The version of the view that [`TableReader::registry`] tells: rises with every change of it.
    pub fn registry_version(&self) -> Version {
        self.contents.registry().version
    }

    /// Whether the registry holds this instance, by an announcement that it made to this cluster: otherwise it has to announce
    /// itself.
    pub fn is_announced(&self, instance: u64) -> bool {
        self.contents.registry().is_announced(instance, self.version())
    }

    /// The earliest deadline of anything in the table: sessions, tombstones, keys given up, leavers.
    pub(super) fn next_deadline(&self) -> Option<TableTime> {
        let next = TableTime(self.contents.next_deadline.load(Ordering::Acquire));
        (next != TableTime::NEVER).then_some(next)
    }

    /// Whether a sweep would remove something at the present table time.
    pub fn due(&self) -> bool {
        self.next_deadline().is_some_and(|next| next < self.table_time())
    }

    /// Whether the table holds nothing: then its clock needs no ticks.
    pub fn is_empty(&self) -> bool {
        self.sessions() == 0 && self.next_deadline().is_none()
    }
}

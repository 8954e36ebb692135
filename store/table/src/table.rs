//! The writer of the table: one per node, owned by whoever applies the log.
//!
//! Invariants: the same entries in the same order give the same table on every replica; the index of deadlines holds
//! exactly the slots that have one, that of labels what live slots carry; counters equal what a walk over the slots would
//! find.
//! The rules themselves are in `rules/`, one file per kind of command; this file has what they share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::command::{Command, Proposal};
use super::happening::{Happening, Tidings, What};
use super::image::TableImage;
use super::names::Names;
use super::outcome::{Event, EventKind, Outcome};
use super::reader::TableReader;
use super::slot::{Contents, Slot};
use super::types::{Owner, RequestId, Session, SessionKey, Stamp, TableTime, Version};

/// Table time that one entry can add at most, in milliseconds: neither an outage nor a clock that was set forward
/// expires anybody. The leader proposes a tick after half of it without an entry.
pub const ENTRY_ADDS_MAX_MS: u64 = 10_000;

/// The table's one writer.
#[derive(Debug)]
pub struct SessionTable {
    pub(super) contents: Arc<Contents>,
    pub(super) previous_stamp: Stamp,
    pub(super) version: Version,
    /// Every slot that has a deadline, by deadline.
    pub(super) deadlines: BTreeSet<(TableTime, SessionKey)>,
    pub(super) names: Names,
}

/// Who asks, and where to put what others must be told.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) proposal: &'a Proposal,
    pub(super) told: &'a mut Tidings,
}

impl Call<'_> {
    pub(super) fn id(&self) -> Option<RequestId> {
        self.proposal.request_id
    }

    /// The instance that asks; 0 when the store itself does.
    pub(super) fn instance(&self) -> u64 {
        self.proposal.request_id.map_or(0, |id| id.instance)
    }

    /// Tells the owner of a session what happened to it, unless it asked for that itself or there is none.
    pub(super) fn tell(&mut self, key: &SessionKey, session: &Session, kind: EventKind) {
        let instance = session.owner.instance;
        if instance != 0 && instance != self.instance() {
            self.told.owners.push(Event {
                session: key.clone(),
                kind,
                instance,
                epoch: session.epoch,
            });
        }
    }

    /// Tells whoever watches what happened to a session, as it stands.
    pub(super) fn happened(&mut self, key: &SessionKey, session: &Session, what: What) {
        self.told.watchers.push(Happening::new(key, session, what));
    }
}

impl Default for SessionTable {
    fn default() -> Self {
        Self::new()
    }
}

impl SessionTable {
    /// An empty table at time 0.
    pub fn new() -> Self {
        Self {
            contents: Arc::new(Contents::new()),
            previous_stamp: Stamp::default(),
            version: Version::default(),
            deadlines: BTreeSet::new(),
            names: Names::default(),
        }
    }

    /// Moves table time by what the leader's clock moved since the entry before: never back, never far. Once per log
    /// entry, before its proposals.
    pub fn begin_entry(&mut self, stamp: Stamp) {
        let elapsed = stamp
            .0
            .saturating_sub(self.previous_stamp.0)
            .min(ENTRY_ADDS_MAX_MS);
        self.previous_stamp = stamp;
        let now = self.now().plus_ms(elapsed);
        self.contents.time.store(now.0, Ordering::Release);
    }

    /// The stamp of the last entry; 0 when there was none.
    pub fn stamp(&self) -> Stamp {
        self.previous_stamp
    }

    /// Applies one proposal. What others must be told is appended to `told`, the same on every node.
    pub fn apply(&mut self, proposal: &Proposal, told: &mut Tidings) -> Outcome {
        let mut call = Call { proposal, told };
        let outcome = match &proposal.command {
            Command::Claim { session } => self.claim(&mut call, session),
            Command::Save(save) => self.save(&mut call, save),
            Command::Touch { sessions } => self.touch(sessions),
            Command::Rename {
                session,
                new_key,
                epoch,
            } => self.rename(&mut call, session, new_key, *epoch),
            Command::Remove {
                session,
                created_version,
                epoch,
                reason,
            } => self.remove(&mut call, session, *created_version, *epoch, *reason),
            Command::Release { session, epoch } => self.release(&mut call, session, *epoch),
            Command::Sweep {
                limit,
                leavers_bytes_max,
            } => self.sweep(&mut call, *limit, *leavers_bytes_max),
            Command::Bury(leaver) => self.bury_leaver(&mut call, leaver),
            Command::Announce(said) => self.announce(&mut call, said),
            Command::Retire => self.retire(&call),
            Command::RetireNode { node, instance } => self.retire_node(&mut call, node, *instance),
            Command::Wish { wish, base } => self.wish(wish, *base),
            Command::Kill { sessions } => self.kill(&mut call, sessions),
            Command::Tick => Outcome::Ticked,
            Command::Understands { node, disk, formats } => self.understands(*node, *disk, *formats),
            Command::Raise { format, asked } => self.raise(*format, *asked),
            Command::Hold { held } => self.hold(*held),
        };
        self.publish();
        outcome
    }

    /// Takes over the members of the cluster, node ids with their disks, from a membership in the log.
    pub fn set_members(&mut self, disks: &BTreeMap<u64, u64>) {
        let now = self.now();
        self.contents.cluster_mut().set_members(disks, now);
    }

    /// A reader of this table; readers survive [`SessionTable::restore`].
    pub fn reader(&self) -> TableReader {
        TableReader::new(Arc::clone(&self.contents))
    }

    /// The table as it is now. It only counts references, so the pause is short: about 50 ns a record.
    pub fn image(&self) -> TableImage {
        TableImage {
            time: self.now(),
            previous_stamp: self.previous_stamp,
            version: self.version,
            slots: self
                .contents
                .slots
                .iter()
                .map(|slot| (slot.key().clone(), slot.value().clone()))
                .collect(),
            leavers: self.contents.leavers().all(),
            registry: self.contents.registry().clone(),
            cluster: self.contents.cluster().clone(),
            names: Names::default(),
        }
    }

    /// Replaces everything by an image. Readers that look meanwhile see a mixture: a node does not answer reads while
    /// it installs an image.
    pub fn restore(&mut self, image: TableImage) {
        self.contents.clear();
        self.previous_stamp = image.previous_stamp;
        self.version = image.version;
        self.names = image.names;
        self.deadlines.clear();
        self.contents.time.store(image.time.0, Ordering::Release);
        *self.contents.cluster_mut() = image.cluster;
        *self.contents.registry_mut() = image.registry;
        let mut carriers = Vec::new();
        for (key, slot) in image.slots {
            let session = labelled(&slot);
            let key = self.place(&key, slot);
            carriers.extend(session.map(|session| (key, session)));
        }
        self.contents.labels_mut().fill(&carriers);
        for (key, until, leaver) in image.leavers {
            self.contents.leavers_mut().put(key, until, leaver);
        }
        self.publish();
    }

    /// Table time now.
    pub(super) fn now(&self) -> TableTime {
        self.contents.now()
    }

    /// Counts one change.
    pub(super) fn next_version(&mut self) -> Version {
        self.version = Version(self.version.0 + 1);
        self.version
    }

    /// The owner that a command of this caller makes.
    pub(super) fn owner(&mut self, call: &Call<'_>) -> Owner {
        Owner {
            node: self.names.share(&call.proposal.node),
            instance: call.instance(),
        }
    }

    /// Puts a slot under a key, whatever stood there, and keeps indices and counters true.
    pub(super) fn put(&mut self, key: &SessionKey, slot: Slot) {
        let session = labelled(&slot);
        let key = self.place(key, slot);
        if let Some(session) = session {
            self.contents.labels_mut().enter(&key, &session);
        }
    }

    /// The same, but that nothing new stands in the index of labels. Gives the key with its application shared.
    fn place(&mut self, key: &SessionKey, slot: Slot) -> SessionKey {
        let key = self.shared(key);
        if slot.deadline() != TableTime::NEVER {
            self.deadlines.insert((slot.deadline(), key.clone()));
        }
        self.contents.count(&key, &slot);
        let before = self.contents.slots.insert(key.clone(), slot);
        self.forget(&key, before);
        key
    }

    /// The same key with the one copy of its application's name.
    pub(super) fn shared(&mut self, key: &SessionKey) -> SessionKey {
        SessionKey {
            application: self.names.share(&key.application),
            key: key.key,
        }
    }

    /// What stands under a key, past its deadline or not.
    pub(super) fn standing(&self, key: &SessionKey) -> Option<Slot> {
        self.contents.slots.get(key).map(|slot| slot.clone())
    }

    /// Takes away what stands under a key.
    pub(super) fn take(&mut self, key: &SessionKey) -> Option<Slot> {
        let before = self.contents.slots.remove(key).map(|(_, slot)| slot);
        self.forget(key, before.clone());
        before
    }

    /// Changes a live record in place: without a copy, unless a reader holds it at this moment.
    pub(super) fn change<T>(
        &mut self,
        key: &SessionKey,
        edit: impl FnOnce(&mut Session, &mut Names) -> T,
    ) -> Option<T> {
        let mut guard = self.contents.slots.get_mut(key)?;
        let (key, slot) = guard.pair_mut();
        let Slot::Live(shared) = slot else { return None };
        let session = Arc::make_mut(shared);
        let (deadline, bytes) = (session.deadline, session.bytes());
        let result = edit(session, &mut self.names);
        self.contents.recount(bytes, session.bytes());
        if session.deadline != deadline {
            self.deadlines.remove(&(deadline, key.clone()));
            if session.deadline != TableTime::NEVER {
                self.deadlines.insert((session.deadline, key.clone()));
            }
        }
        Some(result)
    }

    /// Takes a slot that is no longer there out of index and counters, unless its successor has the same deadline.
    fn forget(&mut self, key: &SessionKey, before: Option<Slot>) {
        let Some(before) = before else { return };
        let after = self.contents.slots.get(key).map(|slot| slot.deadline());
        if after != Some(before.deadline()) {
            self.deadlines.remove(&(before.deadline(), key.clone()));
        }
        self.contents.uncount(key, &before);
        if let Some(session) = labelled(&before) {
            self.contents.labels_mut().leave(key, &session);
        }
    }

    /// Shows readers the counter and the next deadline.
    fn publish(&self) {
        let slot = self.deadlines.first().map(|(deadline, _)| *deadline);
        let leaver = self.contents.leavers().first_until();
        let next = slot.into_iter().chain(leaver);
        let next = next.min().unwrap_or(TableTime::NEVER);
        self.contents.next_deadline.store(next.0, Ordering::Release);
        self.contents.version.store(self.version.0, Ordering::Release);
    }
}

/// The session of a slot, if it carries labels. Most need no look at their index.
fn labelled(slot: &Slot) -> Option<Arc<Session>> {
    match slot {
        Slot::Live(session) if !session.labels.is_empty() => Some(Arc::clone(session)),
        _ => None,
    }
}

/// The deadline of a record that was used at `now`.
pub(super) fn deadline(now: TableTime, max_idle_seconds: i32) -> TableTime {
    match u64::try_from(max_idle_seconds) {
        Ok(seconds) if seconds > 0 => now.plus_ms(seconds * 1_000),
        _ => TableTime::NEVER,
    }
}

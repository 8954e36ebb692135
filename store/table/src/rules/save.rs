//! Save: what changed in a session, or a session that is new. The rules of the book from Create to Applied, and how a save
//! meets those before them.
//!
//! First [`admit`] asks everything that may speak against a save and changes nothing; what it lets through is written in
//! one step, so that no save is applied in part. `merge.rs` compares versions, `repeat.rs` knows what was seen before.
//!
//! Invariants: everything that a save sets has the version that the save is given; attributes, labels and local attributes
//! are kept in the order of their names, no name twice among what is stored and what is local; a record never grows
//! beyond what a message takes.
//! Left out on purpose: that a save names each attribute once, and the limits of a node; both are asked before anything is
//! proposed, and what the log holds is applied.

use std::sync::Arc;

use bytes::Bytes;

use crate::command::Save;
use crate::happening::What;
use crate::merge;
use crate::names::Names;
use crate::outcome::{EventKind, Merged, Outcome, Saved};
use crate::repeat;
use crate::slot::{Found, Slot, Standing};
use crate::table::{Call, SessionTable, deadline};
use crate::types::{
    Attribute, Epoch, Label, LocalAttribute, Login, RECORD_BYTES_MAX, RecordedChange, RecordedKind,
    RecordedLate, RequestId, Session, SessionKey, TableTime, Version,
};

/// By what right a save changes a session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    /// The caller owns it.
    Owner,
    /// The caller held it before the present owner, and says that it is late.
    Late,
}

/// A save that nothing speaks against.
struct Admitted {
    right: Right,
    /// What others changed since its base.
    merged: Option<Merged>,
}

impl SessionTable {
    pub(crate) fn save(&mut self, call: &mut Call<'_>, save: &Save) -> Outcome {
        let creates = save.epoch == Epoch(0);
        let Found { moved, key, what } = self.contents.find(&save.session);
        match what {
            Standing::Live(current) => self.save_live(call, save, moved, &key, current),
            _ if moved && creates => Outcome::Renamed,
            Standing::Tombstone(tombstone) if !moved => {
                if creates && save.base == tombstone.version {
                    return self.create(call, save);
                }
                Outcome::Gone {
                    tombstone: tombstone.version,
                }
            }
            Standing::Absent if creates => self.create(call, save),
            _ => Outcome::Gone {
                tombstone: Version(0),
            },
        }
    }

    fn save_live(
        &mut self,
        call: &mut Call<'_>,
        save: &Save,
        moved: bool,
        key: &SessionKey,
        current: Arc<Session>,
    ) -> Outcome {
        let Admitted { right, mut merged } = match admit(call, save, moved, &current) {
            Ok(admitted) => admitted,
            Err(outcome) => return *outcome,
        };
        let ending = match self.within_limit(save, key, Some(&current)) {
            Ok(ending) => ending,
            Err(sessions) => {
                let version = current.version;
                drop(current);
                if right == Right::Owner {
                    self.remember_over_limit(call, key, version);
                }
                return Outcome::OverLimit { sessions };
            }
        };
        let ended = self.end(call, ending);
        let version = self.next_version();
        match right {
            Right::Owner => {}
            Right::Late => call.tell(key, &current, EventKind::Newer { version }),
        }
        let (created_version, epoch) = (current.created_version, current.epoch);
        let labels_before = save.labels.as_ref().map(|_| {
            self.contents.labels_mut().leave(key, &current);
            current.labels.clone()
        });
        drop(current);

        let now = self.now();
        let wants_names = merged.as_ref().is_some_and(|merged| merged.removals);
        let left = self.change(key, |record, names| {
            store(record, save, version, now, names);
            remember(record, call.id(), version, right);
            wants_names.then(|| (merge::names(record), record.local.to_vec()))
        });
        if let Some(before) = labels_before
            && let Some(Slot::Live(labelled)) = self.standing(key)
        {
            self.contents.labels_mut().enter(key, &labelled);
            if labelled.labels != before {
                call.happened(key, &labelled, What::Labelled { before });
            }
        }
        if let (Some(merged), Some((names, local))) = (&mut merged, left.flatten()) {
            (merged.names, merged.local) = (names, local);
        }
        Outcome::Saved(Saved {
            version,
            epoch,
            created_version,
            merged,
            ended: Some(ended),
        })
    }

    fn create(&mut self, call: &mut Call<'_>, save: &Save) -> Outcome {
        if let Some(outcome) = too_large(None, save) {
            return outcome;
        }
        let ending = match self.within_limit(save, &save.session, None) {
            Ok(ending) => ending,
            Err(sessions) => return Outcome::OverLimit { sessions },
        };
        let ended = self.end(call, ending);
        // What stands here past its deadline is absent to this command, but its owner may not know yet.
        if let Some(Slot::Live(expired)) = self.standing(&save.session) {
            self.expire(call, &save.session, expired, &self.heard());
        }
        let version = self.next_version();
        let epoch = Epoch(version.0);
        let kind = RecordedKind::Created;
        let mut record = Session {
            version,
            epoch,
            previous_epoch: Epoch(0),
            created_version: version,
            owner: self.owner(call),
            created_ms: save.created_ms,
            last_access_ms: save.last_access_ms,
            max_idle_seconds: 0,
            max_idle_version: version,
            deadline: TableTime::NEVER,
            login: None,
            login_version: version,
            labels: Box::default(),
            labels_version: version,
            removal_version: Version(0),
            attributes: Vec::with_capacity(save.changed.len()),
            local: Box::default(),
            last_claim: None,
            last_change: call.id().map(|id| RecordedChange { id, version, kind }),
            late_change: None,
        };
        let now = self.now();
        store(&mut record, save, version, now, &mut self.names);
        call.happened(&save.session, &record, What::Created);
        self.put(&save.session, Slot::Live(Arc::new(record)));
        Outcome::Saved(Saved {
            version,
            epoch,
            created_version: version,
            merged: None,
            ended: Some(ended),
        })
    }
}

/// Asks what may speak against a save of a live record, in the order of the rule book; changes nothing.
fn admit(
    call: &Call<'_>,
    save: &Save,
    moved: bool,
    current: &Arc<Session>,
) -> Result<Admitted, Box<Outcome>> {
    if let Some(outcome) = repeat::answer(current, call.id(), &call.proposal.command) {
        return Err(Box::new(outcome));
    }
    if moved && save.epoch != current.epoch {
        return Err(Box::new(Outcome::Renamed));
    }
    let Some(right) = right(save, current) else {
        return Err(Box::new(Outcome::Fenced {
            owner: current.owner.clone(),
        }));
    };
    let merged = if save.base == current.version {
        None
    } else {
        merge::merged(current, save.base, None)
    };
    if merge::conflicts(current, save) {
        return Err(Box::new(Outcome::Conflict {
            version: current.version,
            merged: merged.unwrap_or_default(),
        }));
    }
    match too_large(Some(current), save) {
        Some(outcome) => Err(Box::new(outcome)),
        None => Ok(Admitted { right, merged }),
    }
}

/// By what right a save changes a live record, if it has any.
fn right(save: &Save, current: &Session) -> Option<Right> {
    if save.epoch == current.epoch {
        return Some(Right::Owner);
    }
    // Epoch 0 is nobody's: where no ownership went before, it creates or is wrong.
    let held_last = save.epoch != Epoch(0) && save.epoch == current.previous_epoch;
    // A base from before the session began is about an earlier life of the key, which nobody may bring back.
    let of_this_life = save.base >= current.created_version;
    (save.late && held_last && of_this_life).then_some(Right::Late)
}

/// Keeps what the repeat of a save is answered by. A late one has a place of its own: the owner's last change stays.
fn remember(record: &mut Session, id: Option<RequestId>, version: Version, right: Right) {
    let epoch = record.epoch;
    match right {
        Right::Owner => {
            let kind = RecordedKind::Saved;
            record.last_change = id.map(|id| RecordedChange { id, version, kind });
        }
        Right::Late => {
            record.late_change = id.map(|id| Box::new(RecordedLate { id, version, epoch }));
        }
    }
}

/// The answer to a save that would make the record larger than a message takes. A record that is over it already may
/// shrink.
fn too_large(current: Option<&Session>, save: &Save) -> Option<Outcome> {
    let before = current.map_or(0, Session::reply_bytes);
    let added = added_bytes(save);
    // Nearly every save ends here, without a look at what it replaces.
    if before + added <= RECORD_BYTES_MAX {
        return None;
    }
    let replaced = current.map_or(0, |session| replaced_bytes(session, save));
    let bytes = (before + added).saturating_sub(replaced);
    (bytes > RECORD_BYTES_MAX && bytes > before).then_some(Outcome::TooLarge { bytes })
}

/// What a save brings, in bytes of a reply.
fn added_bytes(save: &Save) -> u64 {
    let attributes: u64 = save.changed.iter().map(Attribute::reply_bytes).sum();
    let local: u64 = save.local.iter().map(LocalAttribute::reply_bytes).sum();
    let labels: u64 = save.labels.iter().flatten().map(Label::reply_bytes).sum();
    attributes + local + labels + save.login.as_ref().map_or(0, Login::reply_bytes)
}

/// What a save takes out of a record, in bytes of a reply.
fn replaced_bytes(session: &Session, save: &Save) -> u64 {
    let attributes: u64 = save
        .names()
        .filter_map(|name| session.attribute(name))
        .map(Attribute::reply_bytes)
        .sum();
    let local: u64 = save
        .names()
        .filter_map(|name| session.local_attribute(name))
        .map(LocalAttribute::reply_bytes)
        .sum();
    let labels: u64 = session.labels.iter().map(Label::reply_bytes).sum();
    let login = session.login.as_deref().map_or(0, Login::reply_bytes);
    let labels = save.labels.as_ref().map_or(0, |_| labels);
    attributes + local + labels + save.login.as_ref().map_or(0, |_| login)
}

/// Writes what a save says into a record.
fn store(record: &mut Session, save: &Save, version: Version, now: TableTime, names: &mut Names) {
    let turned_local = save.local.iter().map(|local| &local.name);
    for name in save.removed.iter().chain(turned_local) {
        if let Ok(at) = find(&record.attributes, name) {
            record.attributes.remove(at);
            record.removal_version = version;
        }
    }
    // Whoever has an older base believes that nothing stands under the name.
    if save
        .local
        .iter()
        .any(|local| record.local_attribute(&local.name).is_none())
    {
        record.removal_version = version;
    }
    for changed in &save.changed {
        store_attribute(record, changed, version, names);
    }
    store_local(record, save, names);
    if let Some(login) = &save.login {
        record.login = login_of(login);
        record.login_version = version;
    }
    if let Some(labels) = &save.labels {
        record.labels = labels.iter().map(|label| shared(label, names)).collect();
        record
            .labels
            .sort_unstable_by(|one, other| one.name.cmp(&other.name));
        record.labels_version = version;
    }
    if let Some(seconds) = save.max_idle_seconds {
        record.max_idle_seconds = seconds;
        record.max_idle_version = version;
    }
    record.version = version;
    record.last_access_ms = save.last_access_ms;
    record.deadline = deadline(now, record.max_idle_seconds);
}

/// Writes one attribute. Its value is copied here, once: it is a slice of a whole log entry, which must not live as long
/// as the session does.
fn store_attribute(record: &mut Session, changed: &Attribute, version: Version, names: &mut Names) {
    let value = Bytes::copy_from_slice(&changed.value);
    match find(&record.attributes, &changed.name) {
        Ok(at) => {
            let attribute = &mut record.attributes[at];
            attribute.version = version;
            attribute.type_tag = changed.type_tag;
            attribute.value = value;
        }
        Err(at) => {
            let attribute = Attribute {
                name: names.share(&changed.name),
                version,
                type_tag: changed.type_tag,
                value,
            };
            record.attributes.insert(at, attribute);
        }
    }
}

/// Lists the attributes that turned local, and forgets those that the save stores or removes.
fn store_local(record: &mut Session, save: &Save, names: &mut Names) {
    let named = record
        .local
        .iter()
        .any(|local| save.names().any(|name| *name == *local.name));
    if save.local.is_empty() && !named {
        return;
    }
    let kept = record
        .local
        .iter()
        .filter(|local| save.names().all(|name| *name != *local.name));
    let mut local: Vec<LocalAttribute> = kept.cloned().collect();
    local.extend(save.local.iter().map(|turned| LocalAttribute {
        name: names.share(&turned.name),
        class: names.share(&turned.class),
    }));
    local.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    record.local = local.into();
}

fn find(attributes: &[Attribute], name: &str) -> Result<usize, usize> {
    attributes.binary_search_by(|attribute| (*attribute.name).cmp(name))
}

/// A label whose name is shared; values rarely repeat.
fn shared(label: &Label, names: &mut Names) -> Label {
    Label {
        name: names.share(&label.name),
        value: Arc::clone(&label.value),
    }
}

fn login_of(login: &Login) -> Option<Arc<Login>> {
    (!login.is_logout()).then(|| Arc::new(login.clone()))
}

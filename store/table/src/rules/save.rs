//! Save: what changed in a session, or a session that is new.

use std::sync::Arc;

use bytes::Bytes;

use crate::command::Save;
use crate::merge;
use crate::names::Names;
use crate::outcome::{EventKind, Outcome, Saved};
use crate::repeat;
use crate::slot::{Found, Slot, Standing};
use crate::table::{Call, SessionTable, deadline};
use crate::types::{
    Attribute, Epoch, Login, RECORD_BYTES_MAX, RecordedChange, RecordedKind, Session, SessionKey, TableTime,
    Version,
};

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
        if let Some(outcome) = repeat::answer(&current, call.id(), &call.proposal.command) {
            return outcome;
        }
        let retakes = save.epoch != current.epoch;
        if retakes && moved {
            return Outcome::Renamed;
        }
        // A base from before the session began is about an earlier life of the key, which nobody may bring back.
        if retakes && !(save.retake && save.base >= current.created_version) {
            return Outcome::Fenced {
                owner: current.owner.clone(),
            };
        }
        let behind = save.base < current.version;
        let mut merged = if behind {
            merge::merged(&current, save.base, None)
        } else {
            None
        };
        if behind && merge::conflicts(&current, save) {
            return Outcome::Conflict {
                version: current.version,
                merged: merged.unwrap_or_default(),
            };
        }
        if let Some(outcome) = too_large(Some(&current), save) {
            return outcome;
        }
        if retakes {
            call.tell(key, &current, EventKind::OwnershipLost);
        }
        let (created_version, epoch) = (current.created_version, current.epoch);
        drop(current);

        let version = self.next_version();
        let new_owner = retakes.then(|| self.owner(call));
        let epoch = if retakes { Epoch(version.0) } else { epoch };
        let kind = if retakes {
            RecordedKind::SavedNewEpoch
        } else {
            RecordedKind::Saved
        };
        let last_change = call.id().map(|id| RecordedChange { id, version, kind });
        let now = self.now();
        let wants_names = merged.as_ref().is_some_and(|merged| merged.removals);
        let names = self.change(key, |record, names| {
            store(record, save, version, now, names);
            record.epoch = epoch;
            record.last_change = last_change;
            if let Some(owner) = new_owner {
                record.owner = owner;
            }
            if wants_names {
                merge::names(record)
            } else {
                Vec::new()
            }
        });
        if let (Some(merged), Some(names)) = (&mut merged, names) {
            merged.names = names;
        }
        Outcome::Saved(Saved {
            version,
            epoch,
            created_version,
            merged,
        })
    }

    fn create(&mut self, call: &mut Call<'_>, save: &Save) -> Outcome {
        if let Some(outcome) = too_large(None, save) {
            return outcome;
        }
        // What stands here past its deadline is absent to this command, but its owner may not know yet.
        if let Some(Slot::Live(expired)) = self.standing(&save.session) {
            call.tell(&save.session, &expired, EventKind::Expired);
        }
        let version = self.next_version();
        let epoch = Epoch(version.0);
        let kind = RecordedKind::SavedNewEpoch;
        let mut record = Session {
            version,
            epoch,
            created_version: version,
            owner: self.owner(call),
            created_ms: save.created_ms,
            last_access_ms: save.last_access_ms,
            max_idle_seconds: 0,
            max_idle_version: version,
            deadline: TableTime::NEVER,
            login: None,
            login_version: version,
            removal_version: Version(0),
            attributes: Vec::with_capacity(save.changed.len()),
            last_claim: None,
            last_change: call.id().map(|id| RecordedChange { id, version, kind }),
        };
        let now = self.now();
        store(&mut record, save, version, now, &mut self.names);
        self.put(&save.session, Slot::Live(Arc::new(record)));
        Outcome::Saved(Saved {
            version,
            epoch,
            created_version: version,
            merged: None,
        })
    }
}

/// The answer to a save that would make the record larger than a message takes. A record that is over it already may
/// shrink.
fn too_large(current: Option<&Session>, save: &Save) -> Option<Outcome> {
    let before = current.map_or(0, Session::reply_bytes);
    let added: u64 = save.changed.iter().map(Attribute::reply_bytes).sum();
    let login = save.login.as_ref().map_or(0, Login::reply_bytes);
    // Nearly every save ends here, without a look at what it replaces.
    if before + added + login <= RECORD_BYTES_MAX {
        return None;
    }
    let attribute = |name: &str| current.and_then(|session| session.attribute(name));
    let changed = save.changed.iter().map(|attribute| &*attribute.name);
    let named = changed.chain(save.removed.iter().map(|name| &**name));
    let replaced: u64 = named.filter_map(attribute).map(Attribute::reply_bytes).sum();
    let login_before = current.and_then(|session| session.login.as_deref());
    let login_replaced = save
        .login
        .as_ref()
        .and(login_before)
        .map_or(0, Login::reply_bytes);
    let bytes = (before + added + login).saturating_sub(replaced + login_replaced);
    (bytes > RECORD_BYTES_MAX && bytes > before).then_some(Outcome::TooLarge { bytes })
}

/// Writes what a save says into a record. Values are copied here, once: they are slices of a whole log entry, which
/// must not live as long as the session does.
fn store(record: &mut Session, save: &Save, version: Version, now: TableTime, names: &mut Names) {
    for name in &save.removed {
        if let Ok(at) = record
            .attributes
            .binary_search_by(|attribute| attribute.name.cmp(name))
        {
            record.attributes.remove(at);
            record.removal_version = version;
        }
    }
    for changed in &save.changed {
        let value = Bytes::copy_from_slice(&changed.value);
        match record
            .attributes
            .binary_search_by(|attribute| attribute.name.cmp(&changed.name))
        {
            Ok(at) => {
                let attribute = &mut record.attributes[at];
                attribute.version = version;
                attribute.type_tag = changed.type_tag;
                attribute.value = value;
            }
            Err(at) => {
                let name = names.share(&changed.name);
                record.attributes.insert(
                    at,
                    Attribute {
                        name,
                        version,
                        type_tag: changed.type_tag,
                        value,
                    },
                );
            }
        }
    }
    if let Some(login) = &save.login {
        record.login = login_of(login);
        record.login_version = version;
    }
    if let Some(seconds) = save.max_idle_seconds {
        record.max_idle_seconds = seconds;
        record.max_idle_version = version;
    }
    record.version = version;
    record.last_access_ms = save.last_access_ms;
    record.deadline = deadline(now, record.max_idle_seconds);
}

fn login_of(login: &Login) -> Option<Arc<Login>> {
    (!login.is_logout()).then(|| Arc::new(login.clone()))
}

//! Whether a save conflicts with what others changed since its base, and what it must be told about that.
//!
//! A base is comparable with a record if it is of the record's generation and not above its version: everything else names
//! what this table never gave out, so nothing follows from it. A thing is newer than a comparable base if its version is. Absent attributes have the version of the last removal: nobody
//! knows which of them was removed then. Only pure comparisons; nothing here changes a record.

use std::sync::Arc;

use super::command::Save;
use super::outcome::Merged;
use super::types::{Attribute, Login, Session, Version};

/// Whether the save's base is none of this record's, or something that the save changes or removes is newer than it.
pub(super) fn conflicts(session: &Session, save: &Save) -> bool {
    if !comparable(session, save.base) {
        return true;
    }
    let newer = |name: &str| {
        session
            .attribute(name)
            .map_or(session.removal_version, |attribute| attribute.version)
            > save.base
    };
    save.names().any(newer)
        || (save.login.is_some() && session.login_version > save.base)
        || (save.labels.is_some() && session.labels_version > save.base)
        || (save.max_idle_seconds.is_some() && session.max_idle_version > save.base)
}

/// Whether a version is one that this record can have had.
fn comparable(session: &Session, base: Version) -> bool {
    base <= session.version && base.generation() == session.version.generation()
}

/// What others changed since `base`, which is everything if the record never had it; none if nothing. `own` is the version
/// of the asker's own change in the record, which it need not be told.
///
/// After an own removal nobody can tell any more whether others removed something too: then `removals` is said, which
/// is always safe, for `names` is the whole truth.
pub(super) fn merged(session: &Session, base: Version, own: Option<Version>) -> Option<Merged> {
    let known = comparable(session, base);
    let told = |version: Version| !known || (version > base && Some(version) != own);
    let attributes: Vec<Attribute> = session
        .attributes
        .iter()
        .filter(|attribute| told(attribute.version))
        .cloned()
        .collect();
    let removals = !known || session.removal_version > base;
    let (names, local) = if removals {
        (names(session), session.local.to_vec())
    } else {
        (Vec::new(), Vec::new())
    };
    let login = told(session.login_version).then(|| login(session));
    let max_idle_seconds = told(session.max_idle_version).then_some(session.max_idle_seconds);
    let labels = told(session.labels_version).then(|| session.labels.to_vec());
    let merged = Merged {
        attributes,
        removals,
        names,
        local,
        login,
        max_idle_seconds,
        labels,
    };
    (merged != Merged::default()).then_some(merged)
}

/// All attribute names of a record.
pub(super) fn names(session: &Session) -> Vec<Arc<str>> {
    session
        .attributes
        .iter()
        .map(|attribute| Arc::clone(&attribute.name))
        .collect()
}

/// The login as a merge says it: without a principal when nobody is logged in.
fn login(session: &Session) -> Login {
    session
        .login
        .as_ref()
        .map_or_else(Login::default, |login| (**login).clone())
}

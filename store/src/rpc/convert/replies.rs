//! Outcomes of the table as replies of the wire.
//!
//! Each command has the outcomes that its reply can say, and no other: what another command would answer gives no reply here,
//! and the desk turns that into "unknown", because it cannot happen and must not be guessed at. Nothing is decided here; how an
//! answer counts ([`ending`], [`declined`]) follows from what it says.
//!
//! Values are not copied: they are slices of what the table holds. Names are, because the wire owns its strings.

use bytes::Bytes;
use remora_proto::v1;
use remora_proto::v1::reply::Answer;
use remora_proto::v1::{check_reply, claim_reply, release_reply, remove_reply, rename_reply, save_reply};

use super::super::status;
use crate::metrics::{Declined, Ending, Kind};
use remora_table::{
    Attribute, Checked, Formats, Label, LocalAttribute, Login, Merged, Outcome, Owner, Session, SessionKey,
    Version,
};

/// The reply to a command; none when the table's outcome is of no command of this kind, which no correct table gives.
pub(in super::super) fn answer(kind: Kind, outcome: Outcome) -> Option<Answer> {
    if let (Kind::Save, Outcome::TooLarge { bytes }) = (kind, &outcome) {
        return Some(Answer::Refusal(status::record_too_large(*bytes)));
    }
    Some(match kind {
        Kind::Claim => Answer::Claim(v1::ClaimReply {
            outcome: Some(claim(outcome)?),
        }),
        Kind::Save => Answer::Save(v1::SaveReply {
            outcome: Some(save(outcome)?),
        }),
        Kind::Touch => Answer::Touch(touch(outcome)?),
        Kind::Rename => Answer::Rename(v1::RenameReply {
            outcome: Some(rename(outcome)?),
        }),
        Kind::Remove => Answer::Remove(v1::RemoveReply {
            outcome: Some(remove(outcome)?),
        }),
        Kind::Release => Answer::Release(v1::ReleaseReply {
            outcome: Some(release(outcome)?),
        }),
        Kind::Bury => Answer::Bury(bury(&outcome)?),
        Kind::Check => return None,
    })
}

fn claim(outcome: Outcome) -> Option<claim_reply::Outcome> {
    use claim_reply::Outcome as Reply;
    Some(match outcome {
        Outcome::Claimed(record) => Reply::Claimed(session(&record)),
        Outcome::Gone { tombstone } => Reply::Gone(gone(tombstone)),
        Outcome::Renamed => Reply::Renamed(v1::Renamed {}),
        Outcome::Stale => Reply::Stale(v1::Stale {}),
        _ => return None,
    })
}

fn save(outcome: Outcome) -> Option<save_reply::Outcome> {
    use save_reply::Outcome as Reply;
    Some(match outcome {
        Outcome::Saved(saved) => Reply::Saved(v1::Saved {
            version: saved.version.0,
            epoch: saved.epoch.0,
            created_version: saved.created_version.0,
            merged: saved.merged.as_ref().map(merged),
        }),
        Outcome::Conflict {
            version,
            merged: newer,
        } => Reply::Conflict(v1::Conflict {
            version: version.0,
            merged: Some(merged(&newer)),
        }),
        Outcome::Fenced { owner } => Reply::Fenced(fenced(&owner)),
        Outcome::Gone { tombstone } => Reply::Gone(gone(tombstone)),
        Outcome::Renamed => Reply::Renamed(v1::Renamed {}),
        Outcome::Stale => Reply::Stale(v1::Stale {}),
        Outcome::OverLimit { sessions } => Reply::OverLimit(v1::OverLimit { sessions }),
        _ => return None,
    })
}

fn touch(outcome: Outcome) -> Option<v1::TouchReply> {
    match outcome {
        Outcome::Touched { fenced, gone } => Some(v1::TouchReply { fenced, gone }),
        _ => None,
    }
}

fn rename(outcome: Outcome) -> Option<rename_reply::Outcome> {
    use rename_reply::Outcome as Reply;
    Some(match outcome {
        Outcome::Rekeyed { version } => Reply::Done(rename_reply::Done { version: version.0 }),
        Outcome::Fenced { owner } => Reply::Fenced(fenced(&owner)),
        Outcome::Gone { tombstone } => Reply::Gone(gone(tombstone)),
        Outcome::Renamed => Reply::Renamed(v1::Renamed {}),
        Outcome::Stale => Reply::Stale(v1::Stale {}),
        Outcome::Taken => Reply::Taken(rename_reply::Taken {}),
        _ => return None,
    })
}

fn remove(outcome: Outcome) -> Option<remove_reply::Outcome> {
    use remove_reply::Outcome as Reply;
    Some(match outcome {
        Outcome::Removed { tombstone } => Reply::Done(remove_reply::Done {
            tombstone: tombstone.0,
        }),
        Outcome::Fenced { owner } => Reply::Fenced(fenced(&owner)),
        Outcome::Gone { tombstone } => Reply::Gone(gone(tombstone)),
        Outcome::Renamed => Reply::Renamed(v1::Renamed {}),
        Outcome::Stale => Reply::Stale(v1::Stale {}),
        _ => return None,
    })
}

fn release(outcome: Outcome) -> Option<release_reply::Outcome> {
    use release_reply::Outcome as Reply;
    Some(match outcome {
        Outcome::Released => Reply::Done(release_reply::Done {}),
        Outcome::Fenced { owner } => Reply::Fenced(fenced(&owner)),
        Outcome::Gone { tombstone } => Reply::Gone(gone(tombstone)),
        Outcome::Renamed => Reply::Renamed(v1::Renamed {}),
        Outcome::Stale => Reply::Stale(v1::Stale {}),
        _ => return None,
    })
}

fn bury(outcome: &Outcome) -> Option<v1::BuryReply> {
    match outcome {
        Outcome::Buried { first } => Some(v1::BuryReply { first: *first }),
        _ => None,
    }
}

/// The answer to a check.
pub(in super::super) fn checked(checked: Checked) -> v1::CheckReply {
    use check_reply::Outcome as Reply;
    let outcome = match checked {
        Checked::Current => Reply::Current(check_reply::Current {}),
        Checked::Newer(record) => Reply::Newer(session(&record)),
        Checked::Moved { owner } => Reply::Moved(fenced(&owner)),
        Checked::Renamed => Reply::Renamed(v1::Renamed {}),
        Checked::Gone { tombstone } => Reply::Gone(gone(tombstone)),
    };
    v1::CheckReply {
        outcome: Some(outcome),
    }
}

/// How an answer ends, for the metrics.
pub(in super::super) fn ending(answer: &Answer) -> Ending {
    let done = match answer {
        Answer::Claim(reply) => matches!(reply.outcome, Some(claim_reply::Outcome::Claimed(_))),
        Answer::Save(reply) => matches!(reply.outcome, Some(save_reply::Outcome::Saved(_))),
        Answer::Rename(reply) => matches!(reply.outcome, Some(rename_reply::Outcome::Done(_))),
        Answer::Remove(reply) => matches!(reply.outcome, Some(remove_reply::Outcome::Done(_))),
        Answer::Release(reply) => matches!(reply.outcome, Some(release_reply::Outcome::Done(_))),
        Answer::Check(reply) => matches!(reply.outcome, Some(check_reply::Outcome::Current(_))),
        Answer::Bury(reply) => reply.first,
        Answer::Touch(_) => true,
        Answer::Refusal(_) => return Ending::Refused,
        Answer::Unknown(_) => return Ending::Unknown,
    };
    if done { Ending::Done } else { Ending::Declined }
}

/// Why a save is declined, for the metrics; none for any other answer.
pub(in super::super) fn declined(answer: &Answer) -> Option<Declined> {
    use save_reply::Outcome as Reply;
    let Answer::Save(v1::SaveReply { outcome }) = answer else {
        return None;
    };
    Some(match outcome.as_ref()? {
        Reply::Saved(_) => return None,
        Reply::Conflict(_) => Declined::Conflict,
        Reply::Fenced(_) => Declined::Fenced,
        Reply::Gone(_) => Declined::Gone,
        Reply::Renamed(_) => Declined::Renamed,
        Reply::Stale(_) => Declined::Stale,
        Reply::OverLimit(_) => Declined::OverLimit,
    })
}

/// A whole record.
pub(in super::super) fn session(session: &Session) -> v1::Session {
    v1::Session {
        version: session.version.0,
        epoch: session.epoch.0,
        created_version: session.created_version.0,
        owner: Some(owner(&session.owner)),
        created_ms: session.created_ms,
        last_access_ms: session.last_access_ms,
        max_idle_seconds: session.max_idle_seconds,
        login: session.login.as_deref().map(login),
        attributes: session.attributes.iter().map(attribute).collect(),
        previous_epoch: session.previous_epoch.0,
        labels: session.labels.iter().map(label).collect(),
        local: session.local.iter().map(local).collect(),
    }
}

/// Who holds a session.
pub(in super::super) fn owner(owner: &Owner) -> v1::Owner {
    v1::Owner {
        node: owner.node.to_string(),
        instance: owner.instance,
    }
}

/// The key of a session.
pub(in super::super) fn session_key(key: &SessionKey) -> v1::SessionKey {
    v1::SessionKey {
        application: key.application.to_string(),
        key: Bytes::copy_from_slice(&key.key),
    }
}

fn attribute(attribute: &Attribute) -> v1::Attribute {
    v1::Attribute {
        name: attribute.name.to_string(),
        version: attribute.version.0,
        r#type: attribute.type_tag,
        value: attribute.value.clone(),
    }
}

/// A range of formats.
pub(in super::super) fn range(formats: Formats) -> v1::Formats {
    v1::Formats {
        oldest: u32::from(formats.oldest.0),
        newest: u32::from(formats.newest.0),
    }
}

/// A label.
pub(in super::super) fn label(label: &Label) -> v1::Label {
    v1::Label {
        name: label.name.to_string(),
        value: label.value.to_string(),
    }
}

/// An attribute that was not stored.
pub(in super::super) fn local(local: &LocalAttribute) -> v1::LocalAttribute {
    v1::LocalAttribute {
        name: local.name.to_string(),
        class: local.class.to_string(),
    }
}

fn login(login: &Login) -> v1::Login {
    v1::Login {
        principal: login.principal.to_string(),
        roles: login.roles.iter().map(|role| role.to_string()).collect(),
        auth_type: login.auth_type.to_string(),
    }
}

fn merged(merged: &Merged) -> v1::Merged {
    v1::Merged {
        attributes: merged.attributes.iter().map(attribute).collect(),
        removals: merged.removals,
        names: merged.names.iter().map(|name| name.to_string()).collect(),
        login: merged.login.as_ref().map(login),
        max_idle_seconds: merged.max_idle_seconds,
        labels: merged.labels.as_deref().map(|labels| v1::Labels {
            labels: labels.iter().map(label).collect(),
        }),
        local: merged.local.iter().map(local).collect(),
    }
}

fn fenced(holder: &Owner) -> v1::Fenced {
    v1::Fenced {
        owner: Some(owner(holder)),
    }
}

fn gone(tombstone: Version) -> v1::Gone {
    v1::Gone {
        tombstone: tombstone.0,
    }
}

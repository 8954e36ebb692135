//! Whether a command was seen before: the answer that its first try got, or Stale.
//!
//! A record remembers its last claim, its last change and the last late change of a former owner, a tombstone its removal.
//! That is enough because an adapter has one change per session in flight. Outcomes that changed nothing (Conflict, Fenced, Gone) need no memory: their
//! reasons only grow, so the repeat meets them again. TooLarge, and the Conflict of a base that was ahead, may have lost
//! their reason by then; the repeat is then applied, for the first and only time.

use std::sync::Arc;

use super::command::Command;
use super::merge;
use super::outcome::{Outcome, Saved};
use super::types::{Epoch, RecordedChange, RecordedKind, RequestId, Session, Version};

/// The answer to a command that this record remembers or that is older than what it remembers.
pub(super) fn answer(session: &Arc<Session>, id: Option<RequestId>, command: &Command) -> Option<Outcome> {
    let id = id?;
    if let Some(claim) = session.last_claim.filter(|claim| claim.id == id) {
        let stands = matches!(command, Command::Claim { .. }) && claim.epoch == session.epoch;
        return Some(if stands {
            Outcome::Claimed(Arc::clone(session))
        } else {
            Outcome::Stale
        });
    }
    if let Some(change) = session.last_change.filter(|change| change.id == id) {
        return Some(recorded(session, change, command));
    }
    if let Some(late) = session.late_change.as_deref().filter(|late| late.id == id) {
        return Some(match command {
            Command::Save(save) => saved(session, late.version, late.epoch, save.base),
            _ => Outcome::Stale,
        });
    }
    let older = |seen: RequestId| seen.instance == id.instance && seen.serial > id.serial;
    let claim_is_later = session.last_claim.is_some_and(|claim| older(claim.id));
    let change_is_later = session.last_change.is_some_and(|change| older(change.id));
    let late_is_later = session.late_change.as_ref().is_some_and(|late| older(late.id));
    (claim_is_later || change_is_later || late_is_later).then_some(Outcome::Stale)
}

/// The outcome of the last change, once more. Another command under the same id is a mistake of the asker: Stale.
fn recorded(session: &Session, change: RecordedChange, command: &Command) -> Outcome {
    let version = change.version;
    match (change.kind, command) {
        (RecordedKind::Saved, Command::Save(save)) => saved(session, version, save.epoch, save.base),
        (RecordedKind::Created, Command::Save(save)) => saved(session, version, Epoch(version.0), save.base),
        (RecordedKind::OverLimit, Command::Save(save)) if let Some(limit) = &save.limit => {
            Outcome::OverLimit {
                sessions: limit.sessions,
            }
        }
        (RecordedKind::Rekeyed, Command::Rename { .. }) => Outcome::Rekeyed { version },
        (RecordedKind::Released, Command::Release { .. }) => Outcome::Released,
        _ => Outcome::Stale,
    }
}

fn saved(session: &Session, version: Version, epoch: Epoch, base: Version) -> Outcome {
    // The save that created the session had nothing before it that could be merged.
    let creator = session.created_version == version;
    let merged = if creator {
        None
    } else {
        merge::merged(session, base, Some(version))
    };
    Outcome::Saved(Saved {
        version,
        epoch,
        created_version: session.created_version,
        merged,
        ended: None,
    })
}

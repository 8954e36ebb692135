//! The table's deterministic answers, conflicts included, and what it must tell owners afterwards.
//!
//! There is no error type: whatever a proposal says, applying it gives one of these values, the same on every
//! replica. Refusals and "unknown" do not exist here; they belong to those who propose.

use std::sync::Arc;

use super::formats::{Format, Formats};
use super::types::{Attribute, Epoch, Label, LocalAttribute, Login, Owner, Session, SessionKey, Version};

/// The answer to a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Claim: the record; the caller owns it under the record's epoch.
    Claimed(Arc<Session>),
    /// Save: the change is in the record.
    Saved(Saved),
    /// Save: something that it changes or removes is newer than its base; nothing changed.
    Conflict {
        /// The record's version.
        version: Version,
        /// What others changed since the base.
        merged: Merged,
    },
    /// The caller's epoch is not the record's.
    Fenced {
        /// Who owns the session.
        owner: Owner,
    },
    /// There is no such session: never was, logged out, expired.
    Gone {
        /// Version of the tombstone; 0 when there is none.
        tombstone: Version,
    },
    /// The key was given up at a rename; it serves nobody but the owner, and only for a while.
    Renamed,
    /// A repeat that is older than the last command of that instance on the session, or a claim's repeat after the
    /// ownership it began has passed on. Nothing happened.
    Stale,
    /// Save: the record would not fit a message any more. Nothing changed. Only reached by saves that were in flight
    /// together: alone, each would have been refused before it was proposed.
    TooLarge {
        /// What the record would take in a reply.
        bytes: u64,
    },
    /// Save: as many living sessions as it allows carry its label already. Nothing changed.
    OverLimit {
        /// How many may.
        sessions: u32,
    },
    /// Touch: positions, from 0, of the sessions that were not touched.
    Touched {
        /// Somebody else owns them, or the key was given up.
        fenced: Vec<u32>,
        /// They are gone.
        gone: Vec<u32>,
    },
    /// Rename: the session has its new key.
    Rekeyed {
        /// The record's version.
        version: Version,
    },
    /// Rename: the new key is in use.
    Taken,
    /// Remove: the session is gone for good.
    Removed {
        /// Version of the tombstone.
        tombstone: Version,
    },
    /// Release: nobody owns the session.
    Released,
    /// Sweep: how many records were removed, of every kind.
    Swept {
        /// Records.
        removed: u32,
    },
    /// Bury.
    Buried {
        /// Whether the caller is the first to bury this leaver: then it calls the listeners.
        first: bool,
    },
    /// Announce: the entry stands.
    Announced {
        /// The change counter at the announcement that says so first: a repeat changes nothing.
        version: Version,
    },
    /// Retire, RetireNode.
    Retired {
        /// The change counter when the instance was taken out, by this command or before; none when no such instance is
        /// known.
        version: Option<Version>,
    },
    /// Wish: it is so.
    Wished {
        /// Its version; of one that is taken back, when it first was.
        version: Version,
    },
    /// Wish: another was taken in since the one that it was made over. Nothing changed.
    Behind {
        /// The version of the wish that stands, or at which it was taken back; 0 when nothing is known of any.
        version: Version,
    },
    /// Kill.
    Killed {
        /// How many sessions this command ended.
        killed: u32,
    },
    /// Tick: table time moved.
    Ticked,
    /// Understands: it is noted.
    Understood,
    /// Understands: no member has this node id and disk. Raise: there is no member yet. Nothing changed.
    NoMember,
    /// Raise: what the cluster writes now; what was asked, or more than that already.
    Raised {
        /// The cluster's format.
        format: Format,
    },
    /// Raise: a member has not said that it understands the format. Nothing changed.
    NotUnderstood {
        /// The first such member, by node id.
        node: u64,
        /// What it understands, if it has said so.
        understood: Option<Formats>,
    },
    /// Hold. Raise that nobody asked for: an operator holds the format; nothing changed.
    Held {
        /// Whether the format is held now.
        held: bool,
    },
}

/// A save that is in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The version that it was given; the base of the caller's next save.
    pub version: Version,
    /// The session's epoch: the caller's, a new one after a create; after a late save the successor's, or nobody's, and
    /// not the caller's.
    pub epoch: Epoch,
    /// Version of the command that created the session.
    pub created_version: Version,
    /// What others changed since the base; absent when nothing.
    pub merged: Option<Merged>,
    /// The sessions that a limit ended with this save; absent in the answer to a repeat, which does not remember them.
    pub ended: Option<Vec<SessionKey>>,
}

/// What others changed since the base of a save.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Attributes newer than the base.
    pub attributes: Vec<Attribute>,
    /// Whether something was removed since the base: then every attribute that is not in `names` is gone.
    pub removals: bool,
    /// All attribute names that exist now; only filled when `removals` is set.
    pub names: Vec<Arc<str>>,
    /// All attributes that stay on one Tomcat; only filled when `removals` is set.
    pub local: Vec<LocalAttribute>,
    /// The login, when it is newer than the base; an empty principal means that it was logged out.
    pub login: Option<Login>,
    /// Idle limit in seconds, when it is newer than the base.
    pub max_idle_seconds: Option<i32>,
    /// All labels, when they are newer than the base.
    pub labels: Option<Vec<Label>>,
}

/// The answer to a check: is a near copy still the truth?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The copy is the truth.
    Current,
    /// The caller owns the session, but its copy is old: here is the record.
    Newer(Arc<Session>),
    /// Somebody else owns the session.
    Moved {
        /// Who.
        owner: Owner,
    },
    /// The key was given up at a rename.
    Renamed,
    /// There is no such session.
    Gone {
        /// Version of the tombstone; 0 when there is none.
        tombstone: Version,
    },
}

/// Something that an owner must be told: the leader pushes it to the adapter of that instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which session.
    pub session: SessionKey,
    /// What happened.
    pub kind: EventKind,
    /// The instance that held it. Never 0 and never the one that asked for it.
    pub instance: u64,
    /// The ownership under which it held it; a copy under another epoch is not meant.
    pub epoch: Epoch,
}

/// What happened to a session that somebody held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Another instance claimed it.
    OwnershipLost,
    /// A logout elsewhere or an operator removed it.
    Gone,
    /// It expired.
    Expired,
    /// A late save of the former owner changed it; the instance still holds it.
    Newer {
        /// The record's version since.
        version: Version,
    },
}

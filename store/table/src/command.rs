//! What is asked of the table. A proposal is the unit in the log: a command with its request id.
//!
//! Left out on purpose: reads (they are methods of the reader and never enter the log) and limits (`limits.rs`
//! refuses before anything is proposed; the table applies whatever the log holds).

use std::sync::Arc;

use super::formats::{Format, Formats};
use super::leavers::LeaverKey;
use super::registry::Wish;
use super::types::{
    Attribute, Epoch, KEY_BYTES, Label, LocalAttribute, Login, RequestId, SessionKey, Version,
};

/// Sessions that one touch may name: bounded work per entry.
pub const TOUCHED_MAX: usize = 1_000;
/// Records that one sweep removes at most: bounded work per entry.
pub const SWEPT_MAX: u32 = 1_000;
/// Sessions that one kill may name: bounded work per entry.
pub const KILLED_MAX: usize = 256;

/// Sessions that a limit may allow at most: bounded work per entry.
pub const LIMITED_MAX: u32 = 1_000;
/// Sessions that one save may end for a limit: bounded work per entry.
pub const ENDED_MAX: usize = 64;

/// A command, who asks it, and the id by which its repeat is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Absent for what the store asks of itself (sweep, tick).
    pub request_id: Option<RequestId>,
    /// Route or node name of who asks, for people; becomes the owner's name.
    pub node: Arc<str>,
    /// What is asked.
    pub command: Command,
}

/// What is asked of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take ownership of a session.
    Claim {
        /// Which session.
        session: SessionKey,
    },
    /// Store what changed.
    Save(Save),
    /// Move the deadlines of sessions that were used; at most [`TOUCHED_MAX`].
    Touch {
        /// The sessions.
        sessions: Vec<Touched>,
    },
    /// Give a session another id.
    Rename {
        /// The present key.
        session: SessionKey,
        /// The new key in the same application.
        new_key: [u8; KEY_BYTES],
        /// The caller's ownership.
        epoch: Epoch,
    },
    /// End a session.
    Remove {
        /// Which session.
        session: SessionKey,
        /// Names the life of the key that is meant.
        created_version: Version,
        /// The caller's ownership; read for [`RemoveReason::Expiry`] and at a key that a rename gave up.
        epoch: Epoch,
        /// Why.
        reason: RemoveReason,
    },
    /// Give up ownership.
    Release {
        /// Which session.
        session: SessionKey,
        /// The caller's ownership.
        epoch: Epoch,
    },
    /// Remove what is past its deadline, at most `limit` and at most [`SWEPT_MAX`].
    Sweep {
        /// How many records at most.
        limit: u32,
        /// What leavers may count, in bytes: beyond it those go that left first.
        leavers_bytes_max: u64,
    },
    /// Call the listeners of a session that expired, if nobody has.
    Bury(LeaverKey),
    /// Enter an application server in the registry, under the proposal's node and instance.
    Announce(Announcement),
    /// Take the proposal's node out of the registry, if its instance entered it.
    Retire,
    /// An operator takes an application server out of the registry.
    RetireNode {
        /// Its node name.
        node: Arc<str>,
        /// The instance that is meant; whichever is there where none is named.
        instance: Option<u64>,
    },
    /// Keep what an operator wishes of upstreams or of a pool.
    Wish {
        /// What; one that says nothing takes the wish back. Its version is ignored.
        wish: Wish,
        /// The version of the wish of the same thing that this one was made over, taken back or not, 0 where none was known;
        /// absent where any may be replaced.
        base: Option<Version>,
    },
    /// An operator ends sessions; at most [`KILLED_MAX`].
    Kill {
        /// The sessions.
        sessions: Vec<Killed>,
    },
    /// Only moves table time.
    Tick,
    /// What a member's program understands.
    Understands {
        /// The member's node id.
        node: u64,
        /// Its disk.
        disk: u64,
        /// What its program understands.
        formats: Formats,
    },
    /// Write a format from the next entry on, if every member understands it.
    Raise {
        /// Which.
        format: Format,
        /// Whether an operator asked for it, now: then a hold does not stop it, and ends.
        asked: bool,
    },
    /// An operator holds the cluster's format where it is, or lets it go.
    Hold {
        /// Whether it is held from now on.
        held: bool,
    },
}

/// What changed in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Save {
    /// Which session.
    pub session: SessionKey,
    /// The caller's ownership; 0 creates the session.
    pub epoch: Epoch,
    /// What the change is based on; with epoch 0 the tombstone's version, or 0 when none is known.
    pub base: Version,
    /// Attributes set, whole values; their versions are ignored.
    pub changed: Vec<Attribute>,
    /// Names of attributes removed.
    pub removed: Vec<Arc<str>>,
    /// Attributes that turned local; what the record held under their names is removed.
    pub local: Vec<LocalAttribute>,
    /// The login, when it changed; an empty principal logs out.
    pub login: Option<Login>,
    /// All labels, when they changed.
    pub labels: Option<Vec<Label>>,
    /// Idle limit in seconds, when it changed (always with epoch 0).
    pub max_idle_seconds: Option<i32>,
    /// Whether the save is of a request that began before its Tomcat lost the session: then it may carry the ownership
    /// before the present one.
    pub late: bool,
    /// How many living sessions may carry a label that this save sets and its record did not carry before.
    pub limit: Option<Limit>,
    /// Creation, milliseconds since 1970; read only with epoch 0.
    pub created_ms: u64,
    /// Last access, milliseconds since 1970.
    pub last_access_ms: u64,
}

/// How many living sessions of an application may carry a label, the one that asks among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Name of the label; its value is the one that the save gives.
    pub label: Arc<str>,
    /// Sessions that may carry it, from 1 to [`LIMITED_MAX`].
    pub sessions: u32,
    /// What happens at the limit.
    pub then: OverLimit,
}

/// What happens when as many sessions as a limit allows carry its label already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverLimit {
    /// The save changes nothing.
    Refuse,
    /// The oldest of the others end, at most [`ENDED_MAX`]; where that is not enough, as with [`OverLimit::Refuse`].
    End,
}

impl Save {
    /// Every attribute name that the save is about, as it names them: set, removed, turned local.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let changed = self.changed.iter().map(|attribute| &*attribute.name);
        let removed = self.removed.iter().map(|name| &**name);
        let local = self.local.iter().map(|local| &*local.name);
        changed.chain(removed).chain(local)
    }
}

/// What an application server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Where a proxy reaches it.
    pub url: Arc<str>,
    /// What it serves.
    pub applications: Vec<Arc<str>>,
    /// How its session manager runs, for people. At most 32 bytes.
    pub mode: Arc<str>,
    /// Version of its session manager's jar, for people. At most 64 bytes.
    pub software: Arc<str>,
    /// Threads that serve requests; 0 when not known.
    pub threads: u32,
    /// Applications beside those that have a session manager of their own.
    pub unprotected: Vec<Arc<str>>,
    /// Those of its applications that have listeners for the end of a session.
    pub listened: Vec<Arc<str>>,
}

/// One session that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Which session.
    pub session: SessionKey,
    /// The caller's ownership.
    pub epoch: Epoch,
    /// Last access, milliseconds since 1970.
    pub last_access_ms: u64,
}

/// One session that an operator ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Killed {
    /// Which session.
    pub session: SessionKey,
    /// Names the life of the key that is meant.
    pub created_version: Version,
}

/// Why a session is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoveReason {
    /// The user logged out or the application invalidated it. Ignores the epoch.
    Logout,
    /// An operator ended it. Ignores the epoch.
    Operator,
    /// The owner found it expired. Fenced.
    Expiry,
}

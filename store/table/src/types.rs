//! The values that the table is made of: names, clocks, and the session record.
//!
//! Domain types only: nothing here knows how it travels or how it is stored, and nothing derives a wire format.
//! Left out on purpose: commands (`command.rs`), answers (`outcome.rs`), and every rule
//! (the preface of `lib.rs` is their book).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;

/// Bytes in the hashed part of a session key.
pub const KEY_BYTES: usize = 16;

/// What a record may take in a reply at most, in bytes (see [`Session::bytes`] for what people are told). A record must
/// fit one message of 4 MiB, beside 1,024 pushes and the reply's own frame, or nobody could claim it any more.
///
/// The table itself refuses a save above it, because limits are checked against a table that does not hold yet what is
/// in flight. So it is a part of what a log entry means: it changes only with the version of the entries. Every session
/// that the configuration allows (3 MiB, 2,048 attributes) stays below it.
pub(super) const RECORD_BYTES_MAX: u64 = 3_932_160;

/// What the wire adds to an attribute at most: tags, lengths, version and type, and once more tag and length of the name.
const ATTRIBUTE_FRAME_BYTES: u64 = 36;

/// What the wire adds to a role: tag and length.
const ROLE_FRAME_BYTES: u64 = 4;

/// What the wire adds to a pair of texts, a label or a local attribute: three tags and lengths.
const PAIR_FRAME_BYTES: u64 = 12;

/// The key of a record: the application it belongs to and the hash of the session's bare id.
///
/// The session id itself is a credential and never reaches the store.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionKey {
    /// Namespace, such as `shop:localhost/cart##2`. 1 to 256 bytes.
    pub application: Arc<str>,
    /// The first 16 bytes of the (keyed) SHA-256 of the bare id. The first byte is the slot, by which records may later
    /// be spread over groups; here it says nothing.
    pub key: [u8; KEY_BYTES],
}

impl SessionKey {
    /// The same application with another hash: where a rename leads.
    pub(super) fn with_key(&self, key: [u8; KEY_BYTES]) -> Self {
        Self {
            application: Arc::clone(&self.application),
            key,
        }
    }
}

impl Hash for SessionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The key is already a hash; its second half is as good a fingerprint as any function of the whole.
        let mut half = [0; 8];
        half.copy_from_slice(&self.key[8..]);
        state.write_u64(u64::from_le_bytes(half));
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for SessionKey {
    /// The application and the first 8 hexadecimal digits of the key, as people see it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.application)?;
        self.key[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Identity of one request: a repeat carries the id of the first try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// 64 random bits drawn at each start of the asking process. Never 0.
    pub instance: u64,
    /// Rising per instance, from 1.
    pub serial: u64,
}

/// Who holds a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Route or node name, for people. At most 64 bytes.
    pub node: Arc<str>,
    /// The instance that decides; 0 when the session was released and nobody holds it.
    pub instance: u64,
}

/// A value of the table's change counter. 0 is before every change. The upper 16 bits are the generation, 0 at first: a
/// table that is restored from a copy goes on in the next one, so that no version of before is met again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

/// Bits of a version below its generation.
const GENERATION_SHIFT: u32 = 48;

/// Bits of a draw that count in the first version of a generation. Behind the greatest one 2^47 versions are left, which
/// 50,000 changes a second use up in 89 years.
const DRAWN_BITS: u32 = 47;

impl Version {
    /// Which restore of the table gave it out, from 0. Versions of two generations say nothing about each other.
    pub(crate) fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }

    /// The first version of the generation behind this one; none after 65,535 restores of restores. Where in it the table
    /// goes on is drawn: the same copy may be restored twice, to the same generation, and what the two give out must not be
    /// equal either.
    pub(crate) fn next_generation(self, draw: u64) -> Option<Version> {
        let generation = u16::try_from(self.generation() + 1).ok()?;
        let drawn = draw >> (u64::BITS - DRAWN_BITS);
        Some(Version((u64::from(generation) << GENERATION_SHIFT) + drawn + 1))
    }
}

// What is drawn stays below the generation's bits.
const _: () = assert!(DRAWN_BITS < GENERATION_SHIFT);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The version of the command that began an ownership. Compared for equality only; 0 means "no ownership yet" and
/// is what a save carries that creates a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Table time in milliseconds since the table began: the replicated clock that alone decides expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableTime(pub u64);

impl TableTime {
    /// The deadline of what never expires.
    pub const NEVER: Self = Self(u64::MAX);

    /// This time and so many milliseconds later; never beyond [`TableTime::NEVER`].
    pub fn plus_ms(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}

/// When the leader proposed an entry, in milliseconds: the stamp before it and the time that passed since. Only differences
/// mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub u64);

/// The part of a type tag by which an adapter says that the value wants to hear when its session ends; of the rest the table
/// knows nothing.
pub const HEARS_ITS_END: u32 = 1 << 31;

/// One attribute of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Name. At most 256 bytes.
    pub name: Arc<str>,
    /// Version of the command that last changed it. Ignored in a save.
    pub version: Version,
    /// How the adapter encoded the value; opaque here, but for [`HEARS_ITS_END`].
    pub type_tag: u32,
    /// The encoded value; opaque here.
    pub value: Bytes,
}

impl Attribute {
    /// What it counts towards the limits, in bytes: name and value.
    pub fn bytes(&self) -> u64 {
        (self.name.len() + self.value.len()) as u64
    }

    /// What it takes in a reply at most: a merge may list the name once more.
    pub(super) fn reply_bytes(&self) -> u64 {
        self.bytes() + self.name.len() as u64 + ATTRIBUTE_FRAME_BYTES
    }
}

/// The container login of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// Principal name; empty in a save or a merge means "logged out". At most 256 bytes.
    pub principal: Arc<str>,
    /// Roles of the principal.
    pub roles: Vec<Arc<str>>,
    /// How the login was made: FORM, BASIC, DIGEST, CLIENT_CERT.
    pub auth_type: Arc<str>,
}

impl Login {
    /// Whether this stands for "nobody is logged in".
    pub(super) fn is_logout(&self) -> bool {
        self.principal.is_empty()
    }

    /// What it counts towards the limits, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let roles: usize = self.roles.iter().map(|role| role.len()).sum();
        (self.principal.len() + self.auth_type.len() + roles) as u64
    }

    /// What it takes in a reply at most, but for a fixed part.
    pub(super) fn reply_bytes(&self) -> u64 {
        self.bytes() + self.roles.len() as u64 * ROLE_FRAME_BYTES
    }
}

/// A mark by which a session is found beside its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Such as `principal`. 1 to 64 bytes.
    pub name: Arc<str>,
    /// 1 to 256 bytes.
    pub value: Arc<str>,
}

impl Label {
    /// What it counts towards the limits, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        (self.name.len() + self.value.len()) as u64
    }

    /// What it takes in a reply at most.
    pub(super) fn reply_bytes(&self) -> u64 {
        self.bytes() + PAIR_FRAME_BYTES
    }
}

/// An attribute that could not be stored: it stays on the Tomcat that set it, and nobody else finds a value under its
/// name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAttribute {
    /// Name. At most 256 bytes.
    pub name: Arc<str>,
    /// Class of its value, for people. At most 256 bytes.
    pub class: Arc<str>,
}

impl LocalAttribute {
    /// What it counts towards the limits, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        (self.name.len() + self.class.len()) as u64
    }

    /// What it takes in a reply at most.
    pub(super) fn reply_bytes(&self) -> u64 {
        self.bytes() + PAIR_FRAME_BYTES
    }
}

/// The outcome that a repeat gets again, beside the version it happened at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordedKind {
    /// A save by the owner.
    Saved,
    /// A save that created the session: its version is the epoch it began.
    Created,
    /// A rename.
    Rekeyed,
    /// A release.
    Released,
    /// A save that found too many sessions with its label, and changed nothing.
    OverLimit,
}

/// The last change of a record, kept to answer its repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordedChange {
    /// The command's request id.
    pub(super) id: RequestId,
    /// The version it was given.
    pub(super) version: Version,
    /// What it did.
    pub(super) kind: RecordedKind,
}

/// The last late change of a record, kept to answer its repeat although the owner has changed the record since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordedLate {
    /// The save's request id.
    pub(super) id: RequestId,
    /// The version it was given.
    pub(super) version: Version,
    /// The ownership that it found, and left.
    pub(super) epoch: Epoch,
}

/// The last claim of a record, kept to answer its repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordedClaim {
    /// The claim's request id.
    pub(super) id: RequestId,
    /// The ownership it began.
    pub(super) epoch: Epoch,
}

/// A live record. Shared as `Arc<Session>`: readers keep the one they saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Version of the command that last changed the record. Touches change no version.
    pub version: Version,
    /// The present ownership.
    pub epoch: Epoch,
    /// The ownership of who held the session before; 0 when nobody did. A time in which nobody held it does not count.
    pub previous_epoch: Epoch,
    /// Version of the command that created the session: names this life of the key, also across renames.
    pub created_version: Version,
    /// Who holds it.
    pub owner: Owner,
    /// Creation, milliseconds since 1970, as the creating adapter said it. Data: never compared.
    pub created_ms: u64,
    /// Last access, milliseconds since 1970, as an adapter last said it. Data: never compared.
    pub last_access_ms: u64,
    /// Idle limit in seconds; 0 or less means that the session never expires.
    pub max_idle_seconds: i32,
    /// Version of the command that last set the idle limit.
    pub(super) max_idle_version: Version,
    /// Table time after which the session is expired; [`TableTime::NEVER`] if it never does.
    pub deadline: TableTime,
    /// The login; absent when nobody is logged in.
    pub login: Option<Arc<Login>>,
    /// Version of the command that last set the login.
    pub(super) login_version: Version,
    /// Version of the last command that removed an attribute: the version of every absent attribute.
    pub(super) removal_version: Version,
    /// Labels, in the order of their names.
    pub labels: Box<[Label]>,
    /// Version of the command that last set the labels.
    pub(super) labels_version: Version,
    /// All attributes, in the order of their names.
    pub attributes: Vec<Attribute>,
    /// Attributes that stay on one Tomcat, in the order of their names; none of them is in `attributes`.
    pub local: Box<[LocalAttribute]>,
    /// For repeats of the last claim.
    pub(super) last_claim: Option<RecordedClaim>,
    /// For repeats of the last save, rename or release of who owned the session then.
    pub(super) last_change: Option<RecordedChange>,
    /// For repeats of the last late save. Apart, because most records have none.
    pub(super) late_change: Option<Box<RecordedLate>>,
}

impl Session {
    /// Bytes of attribute names and values.
    pub fn attribute_bytes(&self) -> u64 {
        self.attributes.iter().map(Attribute::bytes).sum()
    }

    /// Whether one of its values wants to hear when the session ends.
    pub(super) fn hears_its_end(&self) -> bool {
        let mut tags = self.attributes.iter().map(|attribute| attribute.type_tag);
        tags.any(|tag| tag & HEARS_ITS_END != 0)
    }

    /// What the record counts towards the limits, in bytes: attribute names and values, the login, labels, and the names
    /// and classes of local attributes.
    pub(super) fn bytes(&self) -> u64 {
        let labels: u64 = self.labels.iter().map(Label::bytes).sum();
        let local: u64 = self.local.iter().map(LocalAttribute::bytes).sum();
        self.attribute_bytes() + labels + local + self.login.as_ref().map_or(0, |login| login.bytes())
    }

    /// What a reply that tells the whole record takes at most, in bytes, but for a fixed part: what
    /// [`RECORD_BYTES_MAX`] limits.
    pub(super) fn reply_bytes(&self) -> u64 {
        let attributes: u64 = self.attributes.iter().map(Attribute::reply_bytes).sum();
        let labels: u64 = self.labels.iter().map(Label::reply_bytes).sum();
        let local: u64 = self.local.iter().map(LocalAttribute::reply_bytes).sum();
        attributes + labels + local + self.login.as_ref().map_or(0, |login| login.reply_bytes())
    }

    /// What an attribute of this name counts towards the limits, in bytes, stored or local.
    pub(super) fn counted(&self, name: &str) -> Option<u64> {
        let stored = self.attribute(name).map(Attribute::bytes);
        stored.or_else(|| self.local_attribute(name).map(LocalAttribute::bytes))
    }

    /// Somebody owns the session from now on, or nobody does. What the last holder saves late finds its epoch here, also
    /// when it gave the session up before the next one came.
    pub(super) fn begin_epoch(&mut self, epoch: Epoch, owner: Owner) {
        if self.owner.instance != 0 {
            self.previous_epoch = self.epoch;
        }
        self.epoch = epoch;
        self.owner = owner;
    }

    /// A life anew of the cluster begins with this version: nobody holds the session, no former holder may save late, and
    /// nothing is a repeat of what was asked before.
    pub(super) fn begin_anew(&mut self, version: Version) {
        self.version = version;
        self.epoch = Epoch(version.0);
        self.previous_epoch = Epoch(0);
        self.owner.instance = 0;
        self.last_claim = None;
        self.last_change = None;
        self.late_change = None;
    }

    /// The attribute of this name.
    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute> {
        let found = self
            .attributes
            .binary_search_by(|attribute| (*attribute.name).cmp(name));
        found.ok().map(|at| &self.attributes[at])
    }

    /// What is said of an attribute of this name that stays on one Tomcat.
    pub(super) fn local_attribute(&self, name: &str) -> Option<&LocalAttribute> {
        let found = self.local.binary_search_by(|local| (*local.name).cmp(name));
        found.ok().map(|at| &self.local[at])
    }
}

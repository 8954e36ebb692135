//! What may stand under a key, and where the table keeps it so that readers can look while the writer works.
//!
//! Invariants: only the table's writer changes anything here; a change of one key is seen whole or not at all; a slot
//! past its deadline is absent to everybody but the sweep.
//! Left out on purpose: every rule about commands; this file only finds.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use dashmap::DashMap;

use super::formats::ClusterFormat;
use super::labels::Labels;
use super::leavers::Leavers;
use super::registry::Registry;
use super::types::{KEY_BYTES, RequestId, Session, SessionKey, TableTime, Version};

/// Renames that a lookup follows from a key that was given up. More rotations of one session within the 30 s that a
/// key lives on are no login but a loop, and the oldest keys then stop to serve.
const HOPS_MAX: usize = 4;

/// Separately locked parts of the map, a power of two. A part that grows, or that a listing walks, keeps the writer
/// waiting: many small ones keep that short.
const SHARDS: usize = 256;

/// What every slot counts towards the node's byte limit, in bytes: its place in the map and in the index of deadlines,
/// and a record without attributes or what remains of one. So tombstones, which live for up to a day, cannot fill a
/// node unseen.
pub(super) const SLOT_BYTES: u64 = 256;

/// What stands under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// A session.
    Live(Arc<Session>),
    /// A session that was removed.
    Tombstone(Arc<Tombstone>),
    /// A key that was given up at a rename.
    Alias(Arc<Alias>),
}

/// What is left of a removed session, so that nobody brings it back by accident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tombstone {
    /// Version of the removal.
    pub(super) version: Version,
    /// The life of the key that ended.
    pub(super) created_version: Version,
    /// Table time after which the tombstone is gone.
    pub(super) deadline: TableTime,
    /// The request that removed the session, for its repeat.
    pub(super) removed_by: Option<RequestId>,
}

/// Where a renamed session went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alias {
    /// The new key in the same application.
    pub(super) target: [u8; KEY_BYTES],
    /// Table time after which the old key serves nobody.
    pub(super) deadline: TableTime,
}

impl Slot {
    /// Table time after which the slot is absent.
    pub(super) fn deadline(&self) -> TableTime {
        match self {
            Self::Live(session) => session.deadline,
            Self::Tombstone(tombstone) => tombstone.deadline,
            Self::Alias(alias) => alias.deadline,
        }
    }
}

/// What a lookup found, aliases followed.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Whether the key asked for was given up at a rename and another one was looked at instead.
    pub(super) moved: bool,
    /// The key looked at last.
    pub(super) key: SessionKey,
    /// What stands there.
    pub(super) what: Standing,
}

/// What stands under the key that a lookup ended at.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    /// A session.
    Live(Arc<Session>),
    /// A removed session.
    Tombstone(Arc<Tombstone>),
    /// Nothing, or nothing any more.
    Absent,
}

/// 2^64 divided by the golden ratio: an odd number whose multiples lie evenly apart.
const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;

/// The upper bits of a product, which depend on most bits of the key, change places with the lower ones, which depend on
/// few: the map takes its buckets from below. So many are enough for the buckets of any table that fits in memory.
const MIXED_BITS: u32 = 29;

/// The keys are hashes already: one multiplication spreads them over shards and buckets, the same in every process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, half: u64) {
        self.0 = (self.0 ^ half).wrapping_mul(GOLDEN_RATIO).rotate_left(MIXED_BITS);
    }
}

/// The slots by key.
pub(super) type Slots = DashMap<SessionKey, Slot, BuildHasherDefault<KeyHasher>>;

/// The table's contents, shared by its writer and all readers.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) slots: Slots,
    registry: RwLock<Registry>,
    cluster: RwLock<ClusterFormat>,
    leavers: RwLock<Leavers>,
    /// Leavers whose listeners nobody called: since this table was made, not since the cluster was.
    pub(super) leavers_lost: AtomicU64,
    labels: RwLock<Labels>,
    /// Table time of the last entry begun, in milliseconds.
    pub(super) time: AtomicU64,
    /// The change counter.
    pub(super) version: AtomicU64,
    /// Live sessions.
    pub(super) sessions: AtomicU64,
    /// Tombstones and keys that were given up.
    pub(super) remains: AtomicU64,
    /// Bytes of keys, attributes, logins and labels of live sessions.
    pub(super) bytes: AtomicU64,
    /// The earliest deadline of anything, in milliseconds of table time.
    pub(super) next_deadline: AtomicU64,
}

impl Contents {
    /// Nothing, at time 0.
    pub(super) fn new() -> Self {
        Self {
            slots: Slots::with_hasher_and_shard_amount(BuildHasherDefault::default(), SHARDS),
            registry: RwLock::default(),
            cluster: RwLock::default(),
            leavers: RwLock::default(),
            leavers_lost: AtomicU64::new(0),
            labels: RwLock::default(),
            time: AtomicU64::new(0),
            version: AtomicU64::new(0),
            sessions: AtomicU64::new(0),
            remains: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            next_deadline: AtomicU64::new(TableTime::NEVER.0),
        }
    }

    /// Table time now.
    pub(super) fn now(&self) -> TableTime {
        TableTime(self.time.load(Ordering::Acquire))
    }

    /// One more slot.
    pub(super) fn count(&self, key: &SessionKey, slot: &Slot) {
        match slot {
            Slot::Live(session) => {
                self.sessions.fetch_add(1, Ordering::Relaxed);
                self.bytes
                    .fetch_add(record_bytes(key, session), Ordering::Relaxed);
            }
            Slot::Tombstone(_) | Slot::Alias(_) => {
                self.remains.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// One slot less.
    pub(super) fn uncount(&self, key: &SessionKey, slot: &Slot) {
        match slot {
            Slot::Live(session) => {
                self.sessions.fetch_sub(1, Ordering::Relaxed);
                self.bytes
                    .fetch_sub(record_bytes(key, session), Ordering::Relaxed);
            }
            Slot::Tombstone(_) | Slot::Alias(_) => {
                self.remains.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// A live record has another size.
    pub(super) fn recount(&self, before: u64, after: u64) {
        self.bytes.fetch_add(after, Ordering::Relaxed);
        self.bytes.fetch_sub(before, Ordering::Relaxed);
    }

    /// Nothing stands anywhere; the clock and the counter stay for the caller to set.
    pub(super) fn clear(&self) {
        self.slots.clear();
        *self.registry_mut() = Registry::default();
        *self.leavers_mut() = Leavers::default();
        self.labels_mut().clear();
        self.sessions.store(0, Ordering::Relaxed);
        self.remains.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// The registry. A panic of its only writer ends the node, so nobody looks at what it left.
    pub(super) fn registry(&self) -> RwLockReadGuard<'_, Registry> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The registry, for the writer.
    pub(super) fn registry_mut(&self) -> RwLockWriteGuard<'_, Registry> {
        self.registry.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sessions that left. As of the registry, nobody looks at what a panic left.
    pub(super) fn leavers(&self) -> RwLockReadGuard<'_, Leavers> {
        self.leavers.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sessions that left, for the writer.
    pub(super) fn leavers_mut(&self) -> RwLockWriteGuard<'_, Leavers> {
        self.leavers.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which sessions carry which label. A panic of its only writer ends the node, so nobody looks at what it left.
    pub(super) fn labels(&self) -> RwLockReadGuard<'_, Labels> {
        self.labels.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which sessions carry which label, for the writer.
    pub(super) fn labels_mut(&self) -> RwLockWriteGuard<'_, Labels> {
        self.labels.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the cluster writes. A panic of its only writer ends the node, so nobody looks at what it left.
    pub(super) fn cluster(&self) -> RwLockReadGuard<'_, ClusterFormat> {
        self.cluster.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the cluster writes, for the writer.
    pub(super) fn cluster_mut(&self) -> RwLockWriteGuard<'_, ClusterFormat> {
        self.cluster.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands under a key, if it is not past its deadline.
    pub(super) fn slot(&self, key: &SessionKey) -> Option<Slot> {
        let slot = self.slots.get(key)?;
        (self.now() <= slot.deadline()).then(|| slot.clone())
    }

    /// What a command that names this key is about.
    pub(super) fn find(&self, key: &SessionKey) -> Found {
        let mut found = Found {
            moved: false,
            key: key.clone(),
            what: Standing::Absent,
        };
        for _ in 0..=HOPS_MAX {
            match self.slot(&found.key) {
                Some(Slot::Alias(alias)) => {
                    found.key = found.key.with_key(alias.target);
                    found.moved = true;
                    continue;
                }
                Some(Slot::Live(session)) => found.what = Standing::Live(session),
                Some(Slot::Tombstone(tombstone)) => found.what = Standing::Tombstone(tombstone),
                None => {}
            }
            break;
        }
        found
    }
}

/// What a live session counts towards the node's byte limit, beside its slot; one that left counts the same.
pub(super) fn record_bytes(key: &SessionKey, session: &Session) -> u64 {
    (KEY_BYTES + key.application.len()) as u64 + session.bytes()
}

//! What a log costs and how it is doing, readable at any moment: by atomics, so that nobody who looks waits for the disk or
//! for whoever waits for it.
//!
//! Left out: what follows from the figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::metrics::Histogram;

use crate::metrics;
use crate::runtime;

/// A sync that took as long is said: half a second, an eternity for a disk, and half of what makes it late.
const SLOW_SYNC: Duration = Duration::from_millis(500);

/// How often slow syncs are said at most: their histogram has them all.
const SAY_SLOW_EVERY: Duration = Duration::from_secs(60);

/// Looks at a log. It does not keep it open.
#[derive(Clone, Debug)]
pub(crate) struct LogGauge(Arc<Figures>);

/// What a log's syncs cost since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Syncs {
    /// How often the disk was asked to make something durable.
    pub count: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// What a log holds, and what waits for its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogLoad {
    /// Bytes that its segments take on the disk, spare ones included.
    pub disk_bytes: u64,
    /// Bytes written since the last purge.
    pub bytes_since_purge: u64,
    /// Bytes of entries that are not on the disk yet.
    pub queued_bytes: u64,
    /// How long the oldest append or vote has been waiting for the disk that is not synced yet; none if all are. What waited for
    /// room waits for the disk from the moment on at which there was some.
    pub oldest_unsynced: Option<Duration>,
    /// Bytes on the disk that wait for their next use, the reserve among them.
    pub spare_bytes: u64,
    /// How long what is appended has been waiting for room on the disk; none while the log has room.
    pub lacks_room: Option<Duration>,
}

/// The figures themselves; one writer each, many readers.
#[derive(Debug)]
pub(super) struct Figures {
    opened: Instant,
    closed: AtomicBool,
    /// Whether the disk was given up for lost.
    given_up: AtomicBool,
    /// Whether nobody waits for room any more.
    expects_no_room: AtomicBool,
    syncs: AtomicU64,
    sync_seconds: Histogram,
    bytes: AtomicU64,
    disk_bytes: AtomicU64,
    since_purge: AtomicU64,
    queued_bytes: AtomicU64,
    /// Microseconds since `opened`, and one; 0 if nothing waits.
    oldest_unsynced: AtomicU64,
    spare_bytes: AtomicU64,
    /// Bytes of files that may wait for their next use.
    spare_bytes_kept: AtomicU64,
    /// As `oldest_unsynced`; 0 while there is room.
    lacks_room: AtomicU64,
    /// When a slow sync was said last, in microseconds since `opened`; 0 for never.
    slow_said: AtomicU64,
}

impl LogGauge {
    /// Of a log that counts here.
    pub(super) fn over(figures: Arc<Figures>) -> Self {
        Self(figures)
    }

    /// What syncs cost; none once the log is closed.
    pub(crate) fn syncs(&self) -> Option<Syncs> {
        let figures = self.open()?;
        Some(Syncs {
            count: figures.syncs.load(Ordering::Relaxed),
            bytes: figures.bytes.load(Ordering::Relaxed),
        })
    }

    /// Bytes written since it was opened.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// What it holds and what waits; none once the log is closed.
    pub(crate) fn load(&self) -> Option<LogLoad> {
        let figures = self.open()?;
        let waited = |since: &AtomicU64| {
            let micros = since.load(Ordering::Acquire).checked_sub(1)?;
            Some(runtime::since(figures.opened).saturating_sub(Duration::from_micros(micros)))
        };
        // First: whoever finds room finds how long what waited for it has been waiting since.
        let lacks_room = waited(&figures.lacks_room);
        Some(LogLoad {
            disk_bytes: figures.disk_bytes.load(Ordering::Relaxed),
            bytes_since_purge: figures.since_purge.load(Ordering::Relaxed),
            queued_bytes: figures.queued_bytes.load(Ordering::Relaxed),
            oldest_unsynced: waited(&figures.oldest_unsynced),
            spare_bytes: figures.spare_bytes.load(Ordering::Relaxed),
            lacks_room,
        })
    }

    /// Files of so many bytes may wait for their next use from now on; what is more goes back to the file system, but for the
    /// reserve.
    pub(crate) fn keep_spares(&self, bytes: u64) {
        self.0.spare_bytes_kept.store(bytes, Ordering::Relaxed);
    }

    /// Gives the disk up for lost: whoever closes the log waits for it no more.
    pub(crate) fn give_up(&self) {
        self.0.given_up.store(true, Ordering::Relaxed);
    }

    /// Nobody waits for room from now on: what cannot be written for want of it fails within a second, and the log with it. For
    /// whoever is about to end, and would wait for those who wait.
    pub(crate) fn expect_no_room(&self) {
        self.0.expects_no_room.store(true, Ordering::Relaxed);
    }

    fn open(&self) -> Option<&Figures> {
        (!self.0.closed.load(Ordering::Relaxed)).then_some(&self.0)
    }
}

impl Figures {
    /// Of a log that is opened now and wrote so much since its last purge.
    pub(super) fn new(since_purge: u64) -> Self {
        Self {
            opened: runtime::now(),
            closed: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            expects_no_room: AtomicBool::new(false),
            syncs: AtomicU64::new(0),
            sync_seconds: metrics::log_syncs(),
            bytes: AtomicU64::new(0),
            disk_bytes: AtomicU64::new(0),
            since_purge: AtomicU64::new(since_purge),
            queued_bytes: AtomicU64::new(0),
            oldest_unsynced: AtomicU64::new(0),
            spare_bytes: AtomicU64::new(0),
            spare_bytes_kept: AtomicU64::new(u64::MAX),
            lacks_room: AtomicU64::new(0),
            slow_said: AtomicU64::new(0),
        }
    }

    /// So many bytes were written and synced, in so long.
    pub(super) fn synced(&self, bytes: u64, took: Duration) {
        self.sync_seconds.record(took);
        if took >= SLOW_SYNC {
            self.was_slow(took);
        }
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.since_purge.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Says that a sync took long, unless that was said lately.
    fn was_slow(&self, took: Duration) {
        let now = runtime::since(self.opened);
        let said = Duration::from_micros(self.slow_said.load(Ordering::Relaxed));
        if said.is_zero() || now.saturating_sub(said) >= SAY_SLOW_EVERY {
            let micros = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
            self.slow_said.store(micros, Ordering::Relaxed);
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(
                took_ms,
                "a sync of the log took long: every save waits for it; remora_store_log_sync_seconds has them all"
            );
        }
    }

    /// Whether the disk was given up for lost.
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Whether nobody waits for room any more.
    pub(super) fn expects_no_room(&self) -> bool {
        self.expects_no_room.load(Ordering::Relaxed)
    }

    /// A purge is durable.
    pub(super) fn purged(&self) {
        self.since_purge.store(0, Ordering::Relaxed);
    }

    /// What waits for the disk now, and since when the oldest of it does.
    pub(super) fn waits(&self, queued_bytes: u64, oldest: Option<Instant>) {
        self.queued_bytes.store(queued_bytes, Ordering::Relaxed);
        self.since(&self.oldest_unsynced, oldest);
    }

    /// Since when what is appended waits for room; none while there is some.
    pub(super) fn lacks_room(&self, since: Option<Instant>) {
        self.since(&self.lacks_room, since);
    }

    fn since(&self, noted: &AtomicU64, since: Option<Instant>) {
        let micros = since.map_or(0, |since| {
            let micros = since.saturating_duration_since(self.opened).as_micros();
            u64::try_from(micros).map_or(u64::MAX, |micros| micros.saturating_add(1))
        });
        noted.store(micros, Ordering::Release);
    }

    /// So many bytes are in use on the disk, and so many wait for their next use.
    pub(super) fn holds(&self, in_use: u64, spare: u64) {
        self.disk_bytes.store(in_use + spare, Ordering::Relaxed);
        self.spare_bytes.store(spare, Ordering::Relaxed);
    }

    /// Bytes of files that may wait for their next use.
    pub(super) fn spare_bytes_kept(&self) -> u64 {
        self.spare_bytes_kept.load(Ordering::Relaxed)
    }

    /// Nobody writes any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

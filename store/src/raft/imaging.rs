//! When a node writes an image of its table, and how much of the log it keeps behind that.
//!
//! An image pays for itself by the log that may go for it, so it is due once the log since the last one outweighs it: what
//! is written for images is never more than for the log. Nodes apply the same entries, and would all write at the same
//! moment; so each draws by how much later than due it begins, anew for each image. What there is of the disk is asked
//! first: an image that does not fit is postponed, and on a small disk everything is in proportion.
//!
//! A node that lost its images asks the others for one that reaches its log (`asking`): that is due at once.
//!
//! What the log writes between two images it will write again: as many of its files wait for that, unless the disk needs them.
//!
//! Invariant: a disk that has no room for an image ends nothing here. The image before it stands, and the log behind that.
//!
//! Left out: how an image is written (`snapshot`), and what a log that fills its disk means.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use rand::RngExt;
use remora_table::TableReader;
use tokio::sync::watch;

use crate::log::{LogGauge, RESERVE_BYTES};
use crate::runtime;

use super::applier::Raft;
use super::backlog::Backlog;
use super::snapshots::Snapshots;
use super::space;

/// Most by which a node begins an image later than it is due, in hundredths of what makes it due: replicas that are out of
/// step leave a majority whose disks are quiet.
const LATER_PERCENT_MAX: u64 = 25;
/// What stays free of a disk beside an image, in bytes: what the log may take while the image is written.
pub(super) const MARGIN_BYTES: u64 = 32 << 20;

/// When images are taken.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotPolicy {
    /// Bytes of log after which an image is due; with an image that is larger, as many as it takes.
    pub bytes: u64,
    /// Bytes of log that stay behind an image, so that a follower that was away shortly needs none.
    pub keep_bytes: u64,
    /// How often all of this is looked at.
    pub check_every: Duration,
}

impl Default for SnapshotPolicy {
    /// A restart replays 320 MiB at most, or a quarter more than the table's image takes. A follower may miss some seconds of
    /// full load without needing an image, and all that is written while one is sent.
    fn default() -> Self {
        Self {
            bytes: 256 << 20,
            keep_bytes: 64 << 20,
            check_every: Duration::from_secs(1),
        }
    }
}

impl SnapshotPolicy {
    /// Whether an image of that size is due after so many bytes of log, beginning so many hundredths later. Where little is
    /// free, a quarter of that is log enough.
    fn is_due(&self, written: u64, image: u64, free: Option<u64>, later_percent: u64) -> bool {
        written > 0 && written >= self.interval(image, free, later_percent)
    }

    /// Bytes of log between two images of that size, the second of which begins so many hundredths later than due.
    fn interval(&self, image: u64, free: Option<u64>, later_percent: u64) -> u64 {
        let bytes = free.map_or(self.bytes, |free| self.bytes.min(free / 4));
        let due = bytes.max(image);
        due.saturating_add(due / 100 * later_percent)
    }

    /// Bytes of the log's files that wait for their next use beside images of that size, the reserve among them: what comes
    /// between two images and while one is written. The next image has no need of them, or nothing is kept.
    fn spare_bytes(&self, image: u64, free: Option<u64>) -> u64 {
        if free.is_some_and(|free| space::is_little(free, image)) {
            return 0;
        }
        let longest = self.interval(image, free, LATER_PERCENT_MAX);
        longest.saturating_add(MARGIN_BYTES + RESERVE_BYTES)
    }
}

/// What an image of the table takes on a disk, about, in bytes.
pub(super) fn image_bytes(table: &TableReader) -> u64 {
    (table.bytes() + table.leaver_bytes()) / 10 * 11
}

/// Whether an image of that size fits where so much is free.
pub(super) fn fits(image: u64, free: Option<u64>) -> bool {
    free.is_none_or(|free| free >= (image / 10 * 11).saturating_add(MARGIN_BYTES))
}

/// The backlog as its writer, the applier, and its reader share it.
pub(super) type SharedBacklog = Arc<Mutex<Backlog>>;

/// Every critical section is a few assignments: a poisoned lock still holds whole values.
pub(super) fn lock(backlog: &Mutex<Backlog>) -> MutexGuard<'_, Backlog> {
    backlog.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes images when they are due, and purges the log behind them, until consensus ends.
pub(super) async fn take_images(
    raft: Raft,
    policy: watch::Receiver<SnapshotPolicy>,
    (backlog, snapshots, log): (SharedBacklog, Snapshots, LogGauge),
    table: TableReader,
) {
    let mut check = tokio::time::interval(policy.borrow().check_every);
    check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let draw = || runtime::chance().random_range(0..=LATER_PERCENT_MAX);
    let (mut later, mut newest, mut was_short) = (draw(), None, false);
    loop {
        check.tick().await;
        let imaged = raft.metrics().borrow_watched().snapshot.map(|last| last.index);
        if imaged != newest {
            (later, newest) = (draw(), imaged);
            let purgeable = imaged.and_then(|index| lock(&backlog).purgeable(index));
            if let Some(index) = purgeable
                && raft.trigger().purge_log(index).await.is_err()
            {
                return;
            }
        }
        let free = snapshots.look_at_disk().await;
        let (written, image) = (lock(&backlog).bytes_since_image(), image_bytes(&table));
        log.keep_spares(policy.borrow().spare_bytes(image, free));
        let is_short = space::is_short(space::available(free, log.load()), image);
        // What is purged behind it may be what is missing; if it is not, the next one would not do more.
        let helps = is_short && !was_short && written > 0;
        was_short = is_short;
        // Whoever needs it asks again, should it not come about.
        let is_wanted = lock(&backlog).take_wanted(imaged);
        let due = helps || is_wanted || policy.borrow().is_due(written, image, free, later);
        if due && snapshots.unless_too_large(image, free) && raft.trigger().snapshot().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_waits_until_the_log_outweighs_it() {
        let policy = SnapshotPolicy {
            bytes: 1_000,
            ..SnapshotPolicy::default()
        };
        let due = |written, image| policy.is_due(written, image, None, 0);
        assert!(due(1_000, 10) && !due(999, 10));
        assert!(
            due(5_000, 5_000) && !due(4_999, 5_000),
            "the image is larger than that"
        );
        assert!(
            !policy.is_due(0, 0, Some(0), 0),
            "nothing came since the last one"
        );
    }

    #[test]
    fn nodes_begin_up_to_a_quarter_later() {
        let policy = SnapshotPolicy {
            bytes: 1_000,
            ..SnapshotPolicy::default()
        };
        let due = |written| policy.is_due(written, 0, None, LATER_PERCENT_MAX);
        assert!(due(1_250) && !due(1_249));
    }

    #[test]
    fn a_small_disk_gets_its_images_early_and_only_those_that_fit() {
        let policy = SnapshotPolicy::default();
        let due = |free| policy.is_due(20 << 20, 1 << 20, free, 0);
        assert!(due(Some(80 << 20)) && !due(Some(1 << 30)) && !due(None));
        let image = 100 << 20;
        assert!(fits(image, None) && fits(image, Some(143 << 20)));
        assert!(!fits(image, Some(141 << 20)));
    }
}

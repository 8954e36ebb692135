//! How much room the disks leave, and who is told when it becomes little.
//!
//! A disk that fills up stops its node, and replicas fill their disks together: so the room is measured in steps long before.
//! What the log holds ahead of its use counts as room, for it may still be written. Each node tells its room and what an image
//! of its table would take; each takes the worst of those who answer, and the leader refuses by it what would make it worse
//! ([`remora_table::Limits`]). Who is logged in stays logged in, logs out, and moves; newcomers wait. The last step begins when
//! the log begins to spend its reserve, which is left to that alone.
//!
//! Left out: what is refused at which step (`remora_table`), when images are taken (`imaging`), and what a node does whose
//! reserve is spent (`watchdog`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use remora_table::Room;
use tokio::sync::watch;

use crate::log::{LogGauge, LogLoad, RESERVE_BYTES, SEGMENT_BYTES};

use super::identity::NodeIdentity;
use super::imaging::MARGIN_BYTES;
use super::snapshots::Snapshots;

/// How often the room is judged: in that time a log in full flight spends no more than a segment of its reserve.
const JUDGE_EVERY: Duration = Duration::from_millis(100);

/// Below this, in bytes, a log has no other file to go on in, and will soon wait for room: one that it would make, and what
/// must stay free beside that.
const SPENT_BYTES: u64 = 2 * SEGMENT_BYTES;

/// The room that is left: what is free on the disk, and what the log holds ahead. None while that is not known.
pub(super) fn available(free: Option<u64>, log: Option<LogLoad>) -> Option<u64> {
    Some(free?.saturating_add(log.unwrap_or_default().spare_bytes))
}

/// Whether a log with so much room has spent its reserve.
pub(super) fn is_spent(available: u64) -> bool {
    available < SPENT_BYTES
}

/// Whether there is less room than an image and the reserve take.
pub(super) fn is_short(available: Option<u64>, image: u64) -> bool {
    available.is_some_and(|available| of(available, image) != Room::Ample)
}

/// The step at which so much room is left, for a table whose image takes so much.
pub(super) fn of(available: u64, image: u64) -> Room {
    // While an image is written the log goes on.
    let image = image + MARGIN_BYTES;
    if available < RESERVE_BYTES {
        Room::Reserve
    } else if available < image + RESERVE_BYTES {
        Room::Short
    } else {
        Room::Ample
    }
}

/// Whether an operator should look: room for two images is left, or less.
pub(super) fn is_little(free: u64, image: u64) -> bool {
    free < (image + MARGIN_BYTES) * 2
}

/// The room on the disks as it was judged last, for whoever asks.
#[derive(Debug, Default)]
pub(super) struct KnownRoom {
    step: watch::Sender<Room>,
    available: AtomicU64,
}

impl KnownRoom {
    /// What room the disks of the nodes that answer leave.
    pub(super) fn step(&self) -> Room {
        *self.step.borrow()
    }

    /// Bytes that may still be written on this node's disk; 0 while that is not known.
    pub(super) fn available(&self) -> u64 {
        self.available.load(Ordering::Relaxed)
    }

    /// Notes what was judged; gives the step before.
    fn judged(&self, step: Room, available: Option<u64>) -> Room {
        let known = available.map_or(0, |bytes| bytes.max(1));
        self.available.store(known, Ordering::Relaxed);
        self.step.send_replace(step)
    }
}

/// Judges the room again and again, until the node ends.
pub(super) async fn judge(identity: Arc<NodeIdentity>, snapshots: Snapshots, log: LogGauge) {
    let mut look = tokio::time::interval(JUDGE_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut was_little = false;
    loop {
        look.tick().await;
        let image = identity.image_bytes();
        let free = available(snapshots.free_bytes(), log.load());
        let own = free.map_or(Room::Ample, |free| of(free, image));
        let now = own.max(identity.least_room_of_peers());
        let before = identity.space.judged(now, free);
        let little = free.is_some_and(|free| is_little(free, image));
        if little && !was_little {
            tracing::warn!(free, image, "the disk of the data directory is filling up");
        }
        was_little = little;
        say(before, now, own == now);
    }
}

fn say(before: Room, now: Room, here: bool) {
    if before == now {
        return;
    }
    let place = if here { "this node's disk" } else { "a peer's disk" };
    match now {
        Room::Ample => tracing::info!("there is room on the disks again"),
        Room::Short => tracing::warn!("{place} is nearly full: new sessions and saves that grow are refused"),
        Room::Reserve => {
            tracing::error!("{place} is full but for the reserve: only what makes nothing larger is taken");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newcomers_wait_before_there_is_no_room_for_an_image() {
        /// Bytes of a table's image.
        const IMAGE: u64 = 1 << 30;
        let least = IMAGE + MARGIN_BYTES + RESERVE_BYTES;
        let steps = [least, least - 1, RESERVE_BYTES, RESERVE_BYTES - 1, 0].map(|free| of(free, IMAGE));
        let (ample, short, reserve) = (Room::Ample, Room::Short, Room::Reserve);
        assert_eq!(steps, [ample, short, short, reserve, reserve]);
        assert!(
            is_little(2 * IMAGE, IMAGE),
            "an operator hears of it before anything is refused"
        );
    }
}

//! How much room the disks leave, and who is told when it becomes little.
//!
//! A disk that fills up ends its node, and replicas fill their disks together: so the room is measured in steps long before.
//! Each node tells its free bytes and what an image of its table would take; each takes the worst of those who answer, and the
//! leader refuses by it what would make it worse ([`remora_table::Limits`]). Who is logged in stays logged in, logs out, and
//! moves; newcomers wait.
//!
//! Left out: what is refused at which step (`remora_table`), and when images are taken (`imaging`).

use std::sync::Arc;
use std::time::Duration;

use remora_table::Room;

use super::identity::NodeIdentity;
use super::imaging::MARGIN_BYTES;
use super::snapshots::Snapshots;

/// How often the room is judged: as often as the disk is looked at.
const JUDGE_EVERY: Duration = Duration::from_secs(1);

/// What is for ends of sessions alone, in bytes: four files of the log.
const RESERVE_BYTES: u64 = 64 << 20;

/// The room that a disk leaves on which so much is free, for a table whose image takes so much.
pub(super) fn of(free: u64, image: u64) -> Room {
    // While an image is written the log goes on.
    let image = image + MARGIN_BYTES;
    if free < RESERVE_BYTES {
        Room::Reserve
    } else if free < image + RESERVE_BYTES {
        Room::Short
    } else {
        Room::Ample
    }
}

/// Whether an operator should look: room for two images is left, or less.
fn is_little(free: u64, image: u64) -> bool {
    free < (image + MARGIN_BYTES) * 2
}

/// Judges the room again and again, until the node ends.
pub(super) async fn judge(identity: Arc<NodeIdentity>, snapshots: Snapshots) {
    let mut look = tokio::time::interval(JUDGE_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut was_little = false;
    loop {
        look.tick().await;
        let image = identity.image_bytes();
        let free = snapshots.free_bytes();
        let own = free.map_or(Room::Ample, |free| of(free, image));
        let now = own.max(identity.least_room_of_peers());
        let before = identity.set_room(now);
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
            tracing::error!("{place} is full but for the reserve: only what ends sessions is taken");
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

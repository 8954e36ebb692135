//! The watch over a disk that hangs, and over one that is full.
//!
//! A sync that does not return is no error: nothing fails, and a leader that waits for it goes on leading while nobody's save is
//! answered. So the age of the oldest append or vote that is not durable is looked at, by a task that waits for no disk. First
//! that is said, and the node calls itself not ready. Then it takes no part: it hands leadership over, gives no sign of life, no
//! vote and no confirmation, and proposes nothing; its disk may never store the term of its successor, and need not. At last it
//! ends without waiting for the disk, so that a supervisor, or a person, sees a dead process instead of a silent one. A
//! disk that answers again before that makes it whole again.
//!
//! Measured where a leader's disk never returned: it led on for 36 s and took 2 GiB of saves into memory
//! (etcd issue 15247 is of the same kind).
//!
//! A log that *lacks room* is no hung disk: it says so, and goes on when there is room. Until then the node hands over what it
//! leads to one that has some, gives no votes, takes nothing and calls nothing durable; it answers heartbeats and reads, which need no disk. A node
//! that stays so ends, so that somebody sees it and the others need not wait for it. But disks that are equal fill together: so
//! of several whose log has no room the one with the highest id ends first, and whoever's end would leave no majority waits. Nor
//! does a node end whose disk has room again, though its log has not found it yet: disks that fill together are made room on
//! together, and all but one of those nodes learn from another that it can go on before they do so themselves.
//!
//! Left out: what a refusal says to whom (`leadership`, `endpoint`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;

use crate::log::{LogGauge, LogLoad};

use super::applier::Raft;
use super::identity::{NodeIdentity, REACHABLE_WITHIN};
use super::snapshots::Snapshots;
use super::steps::is_majority;
use super::{NodeId, space, succession};

/// How often the disk is looked at: a tenth of the shortest patience.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a disk may do nothing for its node before that ends: what lags for seconds may recover, what lags longer does not.
const LIFE: Duration = Duration::from_secs(10);
// Nodes whose logs lack room know of each other before the first of them may end.
const _: () = assert!(REACHABLE_WITHIN.as_millis() * 4 < LIFE.as_millis());

/// How long the oldest write may wait for the disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiskPatience {
    /// Until the node is not ready.
    pub(crate) ready: Duration,
    /// Until it takes no part in consensus.
    pub(crate) part: Duration,
    /// Until it ends.
    pub(crate) life: Duration,
}

impl Default for DiskPatience {
    /// A disk that takes seconds for one sync is beyond what a lagging one takes under load, and session managers wait 5 s.
    fn default() -> Self {
        Self {
            ready: Duration::from_secs(1),
            part: Duration::from_secs(2),
            life: LIFE,
        }
    }
}

/// How the disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum DiskHealth {
    /// It answers.
    #[default]
    Answers,
    /// It has not answered for long: this node is not ready.
    Late,
    /// It answers, and has no room for the log: this node takes nothing and calls nothing durable.
    Full,
    /// It hangs: this node takes no part.
    Hangs,
    /// This node must end.
    Lost,
}

impl DiskHealth {
    /// Of a log that is so.
    fn of(load: &LogLoad, patience: DiskPatience) -> Self {
        let waits = load.oldest_unsynced.unwrap_or_default();
        if load.lacks_room.is_some() {
            Self::Full
        } else if waits >= patience.life {
            Self::Lost
        } else if waits >= patience.part {
            Self::Hangs
        } else if waits >= patience.ready {
            Self::Late
        } else {
            Self::Answers
        }
    }

    /// Whether the node takes part in consensus.
    pub(super) fn takes_part(self) -> bool {
        self < Self::Hangs
    }
}

/// Watches the disk. Ends with the node, or when the disk is lost.
pub(super) async fn watch_disk(
    raft: Raft,
    identity: Arc<NodeIdentity>,
    (gauge, snapshots): (LogGauge, Snapshots),
    patience: DiskPatience,
) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut handed_over = false;
    loop {
        look.tick().await;
        let Some(load) = gauge.load() else { return };
        let now = DiskHealth::of(&load, patience);
        if identity.set_health(now) != now {
            handed_over = false;
            say(now, load.oldest_unsynced.unwrap_or_default());
        }
        match now {
            DiskHealth::Lost => {
                gauge.give_up();
                identity.fail(format!(
                    "the disk of this data directory has not made anything durable for {} s: the node ends, the others go on; \
                     look after the disk, then start it again",
                    patience.life.as_secs()
                ));
                return;
            }
            DiskHealth::Full
                if load.lacks_room >= Some(patience.life)
                    && may_leave(&raft, &identity)
                    && space::available(snapshots.free_bytes(), Some(load)).is_none_or(space::is_spent) =>
            {
                identity.fail(
                    "the disk of this data directory has no room for the log: the node ends, the others go on; make room, then \
                     start it again"
                        .to_owned(),
                );
                return;
            }
            DiskHealth::Hangs | DiskHealth::Full if !handed_over => {
                handed_over = hand_over(&raft, &identity, now).await;
            }
            DiskHealth::Hangs | DiskHealth::Full | DiskHealth::Late | DiskHealth::Answers => {}
        }
    }
}

fn say(now: DiskHealth, waits: Duration) {
    let waits_ms = u64::try_from(waits.as_millis()).unwrap_or(u64::MAX);
    match now {
        DiskHealth::Answers => tracing::info!("the disk answers again, and has room"),
        DiskHealth::Late => tracing::warn!(waits_ms, "the disk is late: this node is not ready"),
        DiskHealth::Full => tracing::error!(
            "the disk has no room for the log, and the reserve is spent: this node takes nothing until there is room; make room"
        ),
        DiskHealth::Hangs => tracing::error!(
            waits_ms,
            "the disk hangs: this node hands over what it leads and takes no part until the disk answers"
        ),
        DiskHealth::Lost => tracing::error!(waits_ms, "the disk is lost"),
    }
}

/// Whether this node's end leaves a majority that answers, and nobody whose log has no room either is to end before it.
fn may_leave(raft: &Raft, identity: &NodeIdentity) -> bool {
    let metrics = raft.metrics();
    let membership = Arc::clone(&metrics.borrow_watched().membership_config);
    let answers = |voter: &NodeId| *voter != identity.node && identity.reachable(*voter);
    let sets = membership.membership().get_joint_config();
    let others: BTreeSet<NodeId> = membership.membership().voter_ids().filter(answers).collect();
    let is_first = others
        .iter()
        .all(|voter| *voter < identity.node || !identity.is_spent(*voter));
    is_first && !sets.is_empty() && is_majority(sets, &others)
}

/// Asks the voter that is furthest ahead to lead, and says whether there is one. Whether it does is not waited for: this node is
/// out of it already. But one whose log has no room either could not store its vote, and consensus stands still on every node
/// whose vote waits for room: then the leader stays, for those who read.
async fn hand_over(raft: &Raft, identity: &NodeIdentity, health: DiskHealth) -> bool {
    let can_vote = |voter: &NodeId| health != DiskHealth::Full || !identity.is_spent(*voter);
    let successor = succession::successors(raft, identity).pop();
    let Some(successor) = successor.filter(can_vote) else {
        return false;
    };
    identity.reasons.hands_over(successor);
    // An error says that consensus has ended, which is told elsewhere.
    let _ = raft.trigger().transfer_leader(successor).await;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_loses_first_its_readiness_then_its_part_then_its_life() {
        let after = |seconds| {
            let load = LogLoad {
                oldest_unsynced: Some(Duration::from_secs(seconds)),
                ..LogLoad::default()
            };
            DiskHealth::of(&load, DiskPatience::default())
        };
        let idle = DiskHealth::of(&LogLoad::default(), DiskPatience::default());
        assert_eq!(idle, DiskHealth::Answers);
        let seen = [0, 1, 2, 9, 10].map(after);
        assert_eq!(
            seen,
            [
                DiskHealth::Answers,
                DiskHealth::Late,
                DiskHealth::Hangs,
                DiskHealth::Hangs,
                DiskHealth::Lost
            ]
        );
        assert_eq!(
            seen.map(DiskHealth::takes_part),
            [true, true, false, false, false]
        );
    }
    #[test]
    fn a_disk_that_is_full_is_not_taken_for_one_that_hangs() {
        let load = LogLoad {
            oldest_unsynced: Some(Duration::from_secs(3_600)),
            lacks_room: Some(Duration::from_secs(3_600)),
            ..LogLoad::default()
        };
        let health = DiskHealth::of(&load, DiskPatience::default());
        assert_eq!((health, health.takes_part()), (DiskHealth::Full, true));
    }
}

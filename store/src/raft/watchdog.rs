//! The watch over a disk that hangs.
//!
//! A sync that does not return is no error: nothing fails, and a leader that waits for it goes on leading while nobody's save is
//! answered. So the age of the oldest append or vote that is not durable is looked at, by a task that waits for no disk. First
//! that is said, and the node calls itself not ready. Then it takes no part: it hands leadership over, gives no sign of life, no
//! vote and no confirmation, and proposes nothing; its disk may never store the term of its successor, and need not. At last it
//! ends without waiting for the disk, so that a supervisor, or a person, sees a dead process instead of a silent one. A disk that answers again before that
//! makes it whole again.
//!
//! Measured where a leader's disk never returned: it led on for 36 s and took 2 GiB of saves into memory
//! (etcd issue 15247 is of the same kind).
//!
//! Left out: what a refusal says to whom (`leadership`, `endpoint`).

use std::sync::Arc;
use std::time::Duration;

use crate::log::LogGauge;

use super::applier::Raft;
use super::identity::NodeIdentity;
use super::succession;

/// How often the disk is looked at: a tenth of the shortest patience.
const LOOK_EVERY: Duration = Duration::from_millis(100);

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
            life: Duration::from_secs(10),
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
    /// It hangs: this node takes no part.
    Hangs,
    /// This node must end.
    Lost,
}

impl DiskHealth {
    /// After the oldest write waited for so long.
    fn of(waits: Option<Duration>, patience: DiskPatience) -> Self {
        let waits = waits.unwrap_or_default();
        if waits >= patience.life {
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
    gauge: LogGauge,
    patience: DiskPatience,
) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let Some(load) = gauge.load() else { return };
        let waits = load.oldest_unsynced;
        let now = DiskHealth::of(waits, patience);
        if identity.set_health(now) == now {
            continue;
        }
        say(now, waits.unwrap_or_default());
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
            DiskHealth::Hangs => hand_over(&raft, &identity).await,
            DiskHealth::Late | DiskHealth::Answers => {}
        }
    }
}

fn say(now: DiskHealth, waits: Duration) {
    let waits_ms = u64::try_from(waits.as_millis()).unwrap_or(u64::MAX);
    match now {
        DiskHealth::Answers => tracing::info!("the disk answers again"),
        DiskHealth::Late => tracing::warn!(waits_ms, "the disk is late: this node is not ready"),
        DiskHealth::Hangs => tracing::error!(
            waits_ms,
            "the disk hangs: this node hands over what it leads and takes no part until the disk answers"
        ),
        DiskHealth::Lost => tracing::error!(waits_ms, "the disk is lost"),
    }
}

/// Asks the voter that is furthest ahead to lead. Whether it does is not waited for: this node is out of it already.
async fn hand_over(raft: &Raft, identity: &NodeIdentity) {
    if let Some(successor) = succession::successors(raft, identity).last() {
        // An error says that consensus has ended, which is told elsewhere.
        let _ = raft.trigger().transfer_leader(*successor).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_loses_first_its_readiness_then_its_part_then_its_life() {
        let after = |seconds| DiskHealth::of(Some(Duration::from_secs(seconds)), DiskPatience::default());
        assert_eq!(DiskHealth::of(None, DiskPatience::default()), DiskHealth::Answers);
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
}

//! Why leadership passed to this node or from it, as the node itself knows: noted where it happens, told when it is seen.
//!
//! Left out: why another node leads, which that one's own log says.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::NodeId;

/// Why this node stands for election.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stands {
    /// It knew of no leader.
    #[default]
    NobodyLed,
    /// The leader was silent for so long.
    Silence(Duration),
    /// The leader's process has ended.
    Ended(NodeId),
    /// The leader named it as its successor.
    Named,
}

impl Stands {
    /// Each of them, whatever it carries.
    const ALL: [Stands; 4] = [
        Stands::NobodyLed,
        Stands::Silence(Duration::ZERO),
        Stands::Ended(0),
        Stands::Named,
    ];

    /// All labels.
    pub(super) fn labels() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(Stands::label)
    }

    /// As a metric's label.
    pub(super) fn label(self) -> &'static str {
        match self {
            Stands::NobodyLed => "nobody_led",
            Stands::Silence(_) => "silence",
            Stands::Ended(_) => "process_ended",
            Stands::Named => "handed_over",
        }
    }
}

impl fmt::Display for Stands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stands::NobodyLed => f.write_str("nobody led"),
            Stands::Silence(silence) => {
                write!(f, "the leader was silent for {} ms", silence.as_millis())
            }
            Stands::Ended(leader) => write!(f, "the process of node {leader}, the leader, has ended"),
            Stands::Named => f.write_str("the leader handed over to it"),
        }
    }
}

/// What was noted last.
#[derive(Default)]
pub(super) struct Reasons {
    stands: Mutex<Stands>,
    handed_to: Mutex<Option<NodeId>>,
}

impl Reasons {
    /// This node is about to stand.
    pub(super) fn stands(&self, why: Stands) {
        *lock(&self.stands) = why;
    }

    /// Why it leads now.
    pub(super) fn leads(&self) -> Stands {
        self.stays();
        std::mem::take(&mut *lock(&self.stands))
    }

    /// This node asks another one to lead in its place.
    pub(super) fn hands_over(&self, successor: NodeId) {
        *lock(&self.handed_to) = Some(successor);
    }

    /// The other one did not.
    pub(super) fn stays(&self) {
        *lock(&self.handed_to) = None;
    }

    /// Why it leads no more.
    pub(super) fn lost(&self, takes_part: bool) -> String {
        match lock(&self.handed_to).take() {
            Some(successor) => format!("it handed over to node {successor}"),
            None if !takes_part => "its disk does not answer".to_owned(),
            None => "another node was elected, so this one was not heard for a while".to_owned(),
        }
    }
}

fn lock<T>(noted: &Mutex<T>) -> MutexGuard<'_, T> {
    // One assignment at a time: a poisoned lock still holds a whole value.
    noted.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once() {
        let reasons = Reasons::default();
        reasons.stands(Stands::Ended(3));
        assert_eq!(reasons.leads(), Stands::Ended(3));
        assert_eq!(reasons.leads(), Stands::NobodyLed);
        reasons.hands_over(2);
        assert_eq!(reasons.lost(true), "it handed over to node 2");
        assert!(reasons.lost(true).starts_with("another node was elected"));
        assert_eq!(reasons.lost(false), "its disk does not answer");
    }

    #[test]
    fn a_hand_over_that_came_to_nothing_explains_no_later_loss() {
        let reasons = Reasons::default();
        reasons.hands_over(2);
        reasons.leads();
        assert!(reasons.lost(true).starts_with("another node was elected"));
    }
}

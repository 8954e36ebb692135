//! Health and drain together: what an upstream may be given.
//!
//! The tiers are tried in their order and never mixed: as long as one open upstream is left untried, nobody else is
//! asked. The last tier is the panic rule: when nobody is believed to be up, beliefs are ignored, because a wrong
//! belief about everybody must not take the site down. Upstreams that have just answered a check come before the rest.

use super::health::{Belief, Health};

/// What an upstream may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Everything: new users and its own.
    Open,
    /// Up, but its users are wanted elsewhere: only when no open upstream is left.
    Drained,
    /// Not believed to be up: only when nobody is.
    Closed(Belief),
}

/// Groups of upstreams in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tier {
    /// Up and not drained.
    Open,
    /// Up and drained.
    Drained,
    /// Has answered a check after a failure, but not yet enough of them.
    Probing,
    /// The panic rule: everybody.
    Panic,
}

impl Admission {
    /// What an upstream of this health and drain may be given.
    pub(super) fn of(health: &Health, draining: bool) -> Admission {
        match (health.belief(), draining) {
            (Belief::Up, false) => Admission::Open,
            (Belief::Up, true) => Admission::Drained,
            (belief, _) => Admission::Closed(belief),
        }
    }

    /// The tier it is asked in.
    pub(super) fn tier(self) -> Tier {
        match self {
            Admission::Open => Tier::Open,
            Admission::Drained => Tier::Drained,
            Admission::Closed(Belief::Probing) => Tier::Probing,
            Admission::Closed(_) => Tier::Panic,
        }
    }
}

//! Health and drain together: what an upstream may be given.
//!
//! The tiers are tried in their order and never mixed: as long as one open upstream is left untried, nobody else is
//! asked. The last two are the panic rule: when nobody is believed to answer, beliefs are ignored, because a wrong
//! belief about everybody must not take the site down. A frozen upstream costs a request its patience, so it comes
//! last; a pool that is frozen as a whole is a slow site, and is still asked.

use super::health::{Belief, Health, HealthRule};

/// Groups of upstreams in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tier {
    /// Up and not drained; or on trial, which is asked by one request at a time.
    Open,
    /// Nothing was seen of it yet.
    Unknown,
    /// It answers and asks to be spared.
    Leaving,
    /// Up, but its users are wanted elsewhere.
    Drained,
    /// The panic rule: everybody else.
    Panic,
    /// The panic rule: whoever answers nothing.
    Frozen,
}

impl Tier {
    /// The tier in which an upstream of this health and drain is asked.
    pub(super) fn of(health: &Health, rule: &HealthRule, draining: bool) -> Tier {
        match (health.belief(), draining) {
            (Belief::Up, false) => Tier::Open,
            (Belief::Unknown, false) if health.is_on_trial(rule) => Tier::Open,
            (Belief::Unknown, false) => Tier::Unknown,
            (Belief::Leaving, false) => Tier::Leaving,
            (Belief::Up, true) => Tier::Drained,
            _ if health.is_frozen() => Tier::Frozen,
            _ => Tier::Panic,
        }
    }
}

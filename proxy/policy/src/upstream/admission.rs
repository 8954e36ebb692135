//! What is believed and what is wanted together: what an upstream may be given.
//!
//! The tiers are tried in their order and never mixed: as long as one open upstream is left untried, nobody else is
//! asked. The last two are the panic rule: when nobody is believed to answer, beliefs are ignored, because a wrong
//! belief about everybody must not take the site down. A frozen upstream costs a request its patience, so it comes
//! last; a pool that is frozen as a whole is a slow site, and is still asked. Who is disabled is in none: that is no belief.

use super::admin_state::AdminState;
use super::health::{Belief, Health, HealthRule};

/// Groups of upstreams in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Up and active; or on trial, which is asked by one request at a time.
    Open,
    /// Nothing was seen of it yet.
    Unknown,
    /// Up, and kept for when nobody active is.
    Standby,
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
    /// All there are, in their order.
    pub const ALL: [Tier; 7] = [
        Tier::Open,
        Tier::Unknown,
        Tier::Standby,
        Tier::Leaving,
        Tier::Drained,
        Tier::Panic,
        Tier::Frozen,
    ];

    /// The word in figures.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::Open => "open",
            Tier::Unknown => "unknown",
            Tier::Standby => "standby",
            Tier::Leaving => "leaving",
            Tier::Drained => "drained",
            Tier::Panic => "panic",
            Tier::Frozen => "frozen",
        }
    }

    /// The tier in which an upstream is asked of which this is believed and wanted; none if it is not to be asked.
    pub(crate) fn of(health: &Health, rule: &HealthRule, state: AdminState) -> Option<Tier> {
        let belief = health.belief();
        let is_up = belief == Belief::Up || health.is_on_trial(rule);
        let tier = match state {
            AdminState::Disabled | AdminState::Stopped => return None,
            AdminState::Active if is_up => Tier::Open,
            AdminState::Active if belief == Belief::Unknown => Tier::Unknown,
            AdminState::Active if belief == Belief::Leaving => Tier::Leaving,
            AdminState::Standby if is_up => Tier::Standby,
            AdminState::Finishing | AdminState::Draining if belief == Belief::Up => Tier::Drained,
            _ if health.is_frozen() => Tier::Frozen,
            _ => Tier::Panic,
        };
        Some(tier)
    }
}

//! Upstreams as values: who they are, what is believed of them, whether they may be used.
//!
//! The proxy's directory owns the current set and publishes a new one whenever something changes; a request keeps the
//! set that it started with.
//!
//! Invariants: a set never changes once published · ids are unique for the life of the process and an upstream keeps
//! its id over a reload as long as pool, route and address stay · addresses are unique within a pool · the order of
//! members is that of the configuration.
//!
//! Left out on purpose: connections (they belong to a thread), counters (they are shared) and stickiness (`route`).

mod admin_state;
mod admission;
mod balance;
mod emptied;
mod health;
mod rising;
mod set;
mod silence;
mod traffic;

pub use admin_state::AdminState;
pub use admission::Tier;
pub use balance::{Balance, BalanceBy};
pub use emptied::Emptied;
pub use health::{Belief, Health, HealthRule, Observation};
pub use rising::Rising;
pub use set::{Lookup, Pool, RouteCookie, SameSite, Sticky, Upstream, UpstreamId, UpstreamSet};
pub use silence::{Sight, Silence, Waiting};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

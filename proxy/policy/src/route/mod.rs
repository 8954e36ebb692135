//! Where a request goes: which pool serves its path, which session it belongs to, which upstream holds that session.
//!
//! Everything here is total: any bytes give an answer, and a value that makes no sense is no value. Stickiness
//! is an optimisation; what is correct is decided by the session store, so a forged route moves only its forger.

mod explain;
mod httpd;
mod key;
mod paths;
mod pick;
mod rendezvous;

pub use explain::{Explained, Fate, explain};
pub use key::{FoundKey, Place, ROUTE_MAX, RouteKey, can_be_route};
pub use paths::{MappedPath, PathFault, PathMap, PathRoute, Standing};
pub use pick::{Pick, Rule, pick};

#[cfg(test)]
pub(crate) mod tests;

//! Where a request goes: which pool serves its path, which session it belongs to, which upstream holds that session.
//!
//! Everything here is pure and total: any bytes give an answer, and a value that makes no sense is no value. Stickiness
//! is an optimisation; what is correct is decided by the session store, so a forged route moves only its forger.

pub mod key;
pub mod paths;
pub mod pick;
pub mod rendezvous;

pub use key::RouteKey;
pub use paths::{MappedPath, PathFault, PathMap, PathRoute};
pub use pick::{Pick, pick};

#[cfg(test)]
pub(crate) mod tests;

//! Rendezvous hashing: which of several upstreams stands in for a session.
//!
//! The function is fixed for ever: all proxies, of all versions, must choose the same stand-in without talking. It
//! hashes names only (bare session id and route), never addresses, so it also survives a move of an upstream. When an
//! upstream goes away, only its own sessions choose anew.

use crate::hash::fnv1a;

/// The rank of an upstream for a session; the highest rank serves it.
#[must_use]
pub(super) fn rank(session: &[u8], route: &[u8]) -> u64 {
    // A zero byte between the names: neither may contain one, so no two pairs give the same bytes.
    mix(fnv1a(session.iter().chain(&[0u8]).chain(route)))
}

/// The finalizer of SplitMix64: FNV alone leaves ranks of similar routes correlated.
fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

//! FNV-1a, 64 bits: a number for a few bytes, the same for ever and at every proxy.
//!
//! Left out on purpose: resistance to whoever seeks two texts with one number. Names and operators' words come here, from people who
//! could say what they want without that.

/// Starting value.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
/// Multiplier.
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The number of these bytes.
pub(crate) fn fnv1a<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> u64 {
    let bytes = bytes.into_iter();
    bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

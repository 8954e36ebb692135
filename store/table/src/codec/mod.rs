//! Bytes of proposals, log entries and table images.
//!
//! All little-endian, each kind with a version byte in front, each validated in full when it is read: bad bytes give
//! a [`CodecError`], never a panic and never an allocation larger than the input. A proposal is encoded once, by the
//! proposer: the same bytes are the disk payload, the peer payload and the input of apply.
//! Left out on purpose: outcomes, which nobody stores but for the little that records remember; checksums, which
//! belong to the files.

mod bytes;
mod entry;
mod image;
mod proposal;
mod record;

pub use entry::{Entry, EntryBuilder};
pub use image::ImageDecoder;
pub use proposal::{decode_proposal, encode_proposal};

/// Bytes that are not what they should be, as a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be read: {why} at byte {at}")]
pub struct CodecError {
    /// What was being read.
    pub what: &'static str,
    /// What is wrong.
    pub why: &'static str,
    /// Where, counted from the beginning of what was being read.
    pub at: usize,
}

//! Bytes of proposals, log entries and table images.
//!
//! All little-endian, each kind with its format in front (see [`crate::Format`]), each validated in full when it is read: bad bytes give
//! a [`CodecError`], never a panic and never an allocation larger than the input. A proposal is encoded once, by the
//! proposer: the same bytes are the disk payload, the peer payload and the input of apply.
//! Left out on purpose: outcomes, which nobody stores but for the little that records remember; checksums, which
//! belong to the files.

mod bytes;
mod entry;
mod image;
mod proposal;
mod record;
mod words;

use crate::formats::{Format, Formats};

pub use entry::{Entry, EntryBuilder};
pub use image::ImageDecoder;
pub use proposal::{decode_proposal, encode_proposal};

/// Bytes that cannot be read, as a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// They are not what they should be.
    #[error("{what} cannot be read: {why} at byte {at}")]
    Broken {
        /// What was being read.
        what: &'static str,
        /// What is wrong.
        why: &'static str,
        /// Where, counted from the beginning of what was being read.
        at: usize,
    },
    /// They are of a format that this program does not understand.
    #[error(
        "{what} is of format {found}, and this program understands {understood}: start the release of remora-store that \
         wrote it, or a later one"
    )]
    WrongVersion {
        /// What was being read.
        what: &'static str,
        /// Its format.
        found: Format,
        /// What this program understands.
        understood: Formats,
    },
}

//! Bytes of proposals, log entries and table images: little-endian, versioned, validated in full when read.

use bytes::Bytes;

use super::command::Proposal;
use super::table::TableImage;
use super::types::Stamp;

/// Bytes that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CodecError(pub String);

/// Encodes a proposal once: these bytes are the disk payload, the peer payload and the input of apply.
pub fn encode_proposal(_proposal: &Proposal) -> Bytes {
    todo!()
}

/// Decodes a proposal; attribute values are slices of `bytes`.
pub fn decode_proposal(_bytes: &Bytes) -> Result<Proposal, CodecError> {
    todo!()
}

/// Packs encoded proposals into one log entry.
#[derive(Debug)]
pub struct EntryBuilder {}

impl EntryBuilder {
    /// An empty entry of a group.
    pub fn new(_group: u32, _stamp: Stamp) -> Self {
        todo!()
    }

    /// Adds an encoded proposal.
    pub fn push(&mut self, _proposal: &[u8]) {
        todo!()
    }

    /// Encoded bytes so far.
    pub fn bytes(&self) -> usize {
        todo!()
    }

    /// Proposals so far.
    pub fn count(&self) -> u32 {
        todo!()
    }

    /// The entry.
    pub fn finish(self) -> Bytes {
        todo!()
    }
}

/// A decoded log entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The group.
    pub group: u32,
    /// The leader's clock at the proposal.
    pub stamp: Stamp,
    /// The encoded proposals in order: slices of the entry's bytes, each for [`decode_proposal`].
    pub proposals: Vec<Bytes>,
}

impl Entry {
    /// Takes an entry apart.
    pub fn decode(_bytes: &Bytes) -> Result<Self, CodecError> {
        todo!()
    }
}

impl TableImage {
    /// The image as a stream of chunks of roughly 64 KiB, in a canonical order: equal images give equal bytes.
    pub fn into_chunks(self) -> impl Iterator<Item = Bytes> + Send {
        let chunks: Vec<Bytes> = Vec::new();
        chunks.into_iter()
    }
}

/// Puts an image together from its chunks, however they were cut.
#[derive(Debug)]
pub struct ImageDecoder {}

impl ImageDecoder {
    /// Nothing received yet.
    #[allow(clippy::new_without_default, reason = "temporary, for a quarter of an hour")]
    pub fn new() -> Self {
        todo!()
    }

    /// Takes the next bytes.
    pub fn push(&mut self, _chunk: &[u8]) -> Result<(), CodecError> {
        todo!()
    }

    /// The image, if it is complete.
    pub fn finish(self) -> Result<TableImage, CodecError> {
        todo!()
    }
}

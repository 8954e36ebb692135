//! A log entry: format, group, the leader's stamp, and the proposals that waited together, each already encoded.

use bytes::Bytes;

use super::CodecError;
use super::bytes::{Reader, Writer};
use super::words::LENGTH_BYTES;
use crate::formats::{Format, Formats};
use crate::types::Stamp;

/// Format, group, stamp, count: what stands before the proposals, in bytes.
const HEADER_BYTES: usize = 1 + 4 + 8 + 4;
/// Where the count stands.
const COUNT_AT: usize = HEADER_BYTES - 4;

/// Packs encoded proposals into one log entry.
#[derive(Debug)]
pub struct EntryBuilder {
    buffer: Vec<u8>,
    count: u32,
}

impl EntryBuilder {
    /// An empty entry of a group, in the cluster's format.
    pub fn new(format: Format, group: u32, stamp: Stamp) -> Self {
        let mut buffer = Vec::with_capacity(HEADER_BYTES);
        let mut writer = Writer(&mut buffer);
        writer.u8(format.0);
        writer.u32(group);
        writer.u64(stamp.0);
        writer.u32(0);
        Self { buffer, count: 0 }
    }

    /// Adds a proposal that [`super::encode_proposal`] made.
    pub fn push(&mut self, proposal: &[u8]) {
        Writer(&mut self.buffer).bytes(proposal);
        self.count += 1;
    }

    /// Encoded bytes so far.
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Proposals so far.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The entry.
    pub fn finish(mut self) -> Bytes {
        self.buffer[COUNT_AT..HEADER_BYTES].copy_from_slice(&self.count.to_le_bytes());
        self.buffer.into()
    }
}

/// A log entry taken apart; its proposals are still encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The group.
    pub group: u32,
    /// When the leader proposed it.
    pub stamp: Stamp,
    /// The proposals in order: slices of the entry's bytes, each for [`super::decode_proposal`].
    pub proposals: Vec<Bytes>,
}

impl Entry {
    /// Takes an entry apart.
    ///
    /// # Errors
    /// The bytes are no entry of a format that is understood.
    pub fn decode(bytes: &Bytes, understood: Formats) -> Result<Self, CodecError> {
        let mut reader = Reader::new("a log entry", bytes);
        reader.format(understood)?;
        let group = reader.u32()?;
        let stamp = Stamp(reader.u64()?);
        let proposals = reader.list(LENGTH_BYTES, Reader::bytes)?;
        reader.end()?;
        Ok(Self {
            group,
            stamp,
            proposals,
        })
    }
}

//! The alphabet of the codec: fixed-width little-endian numbers, byte strings behind their length (u32), lists behind
//! their count (u32), and what may be absent behind a flag.
//!
//! Invariants: what [`Writer`] writes, [`Reader`] reads back to the same values; a reader never looks beyond its bytes,
//! allocates no more than they could fill, and says at which byte it failed. Each value has one form: a flag is 0 or 1,
//! nothing may follow the last value.
//! Left out on purpose: what the values mean, and in which order they stand (the files beside this one).

use std::sync::Arc;

use bytes::Bytes;

use super::CodecError;
use crate::formats::{Format, Formats};

/// Appends values to a buffer.
pub(super) struct Writer<'a>(pub(super) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A count of what follows. Every collection is bounded far below 2^32 by the limits on a message.
    pub(super) fn count(&mut self, value: usize) {
        self.u32(u32::try_from(value).unwrap_or(u32::MAX));
    }

    pub(super) fn array<const N: usize>(&mut self, value: &[u8; N]) {
        self.0.extend_from_slice(value);
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.count(value.len());
        self.0.extend_from_slice(value);
    }

    pub(super) fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// So many things in a row, behind their count.
    pub(super) fn list<T>(&mut self, values: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.count(values.len());
        values.iter().for_each(|value| write(self, value));
    }

    /// A flag, then the value if there is one.
    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }
}

/// Takes values from the front of a buffer.
pub(super) struct Reader<'a> {
    what: &'static str,
    bytes: &'a Bytes,
    at: usize,
}

pub(super) type Read<T> = Result<T, CodecError>;

impl<'a> Reader<'a> {
    pub(super) fn new(what: &'static str, bytes: &'a Bytes) -> Self {
        Self { what, bytes, at: 0 }
    }

    pub(super) fn error(&self, why: &'static str) -> CodecError {
        CodecError::Broken {
            what: self.what,
            why,
            at: self.at,
        }
    }

    /// The format in front of what is read. One that this program does not understand says so, before anything behind it
    /// is taken for damage.
    pub(super) fn format(&mut self, understood: Formats) -> Read<Format> {
        let found = Format(self.u8()?);
        if understood.hold(found) {
            Ok(found)
        } else {
            Err(CodecError::WrongVersion {
                what: self.what,
                found,
                understood,
            })
        }
    }

    /// Everything must have been read.
    pub(super) fn end(&self) -> Read<()> {
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(self.error("more bytes than expected"))
        }
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let Some(found) = self.bytes[self.at..].first_chunk::<N>() else {
            return Err(self.error("bytes are missing"));
        };
        self.at += N;
        Ok(*found)
    }

    pub(super) fn u8(&mut self) -> Read<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(super) fn bool(&mut self) -> Read<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.error("a flag is neither 0 nor 1")),
        }
    }

    pub(super) fn u32(&mut self) -> Read<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn i32(&mut self) -> Read<i32> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Read<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of things that take at least `least` bytes each: more than could follow is an error, so that a
    /// collection can be allocated at once.
    pub(super) fn count(&mut self, least: usize) -> Read<usize> {
        let count = usize::try_from(self.u32()?).map_err(|_| self.error("a count is absurd"))?;
        if count.saturating_mul(least) > self.left() {
            return Err(self.error("a count is larger than what follows"));
        }
        Ok(count)
    }

    /// A slice of the buffer; it keeps the whole buffer alive.
    pub(super) fn bytes(&mut self) -> Read<Bytes> {
        let length = self.count(1)?;
        let found = self.bytes.slice(self.at..self.at + length);
        self.at += length;
        Ok(found)
    }

    pub(super) fn text(&mut self) -> Read<Arc<str>> {
        let length = self.count(1)?;
        let found = &self.bytes[self.at..self.at + length];
        let text = std::str::from_utf8(found).map_err(|_| self.error("text is not UTF-8"))?;
        let text = Arc::from(text);
        self.at += length;
        Ok(text)
    }

    pub(super) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        if self.bool()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// So many things in a row, each at least `least` bytes.
    pub(super) fn list<T>(
        &mut self,
        least: usize,
        mut read: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<Vec<T>> {
        let count = self.count(least)?;
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }
}

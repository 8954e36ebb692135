//! Fields of the log's own bytes: little-endian numbers, and the few words that several records share. Pure.
//!
//! Invariant: reading believes nothing and never panics: whatever does not stand there, or stands there in another way
//! than we write it, is [`None`]. Left out: what the fields mean (`record`, `manifest`).

use super::types::{LogId, Vote};

/// Reads fields from the front of some bytes.
#[derive(Clone, Debug)]
pub(super) struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    /// All of these bytes.
    pub(super) fn of(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// So many bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        self.take(COUNT)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Something that may be absent.
    #[expect(
        clippy::option_option,
        reason = "the outer one says whether the bytes are well, the inner one is the value"
    )]
    pub(super) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.bool()? {
            read(self).map(Some)
        } else {
            Some(None)
        }
    }

    pub(super) fn log_id(&mut self) -> Option<LogId> {
        Some(LogId {
            term: self.u64()?,
            index: self.u64()?,
        })
    }

    pub(super) fn vote(&mut self) -> Option<Vote> {
        Some(Vote {
            term: self.u64()?,
            committed: self.bool()?,
            node: self.option(Self::u64)?,
        })
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

pub(super) fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Something that may be absent.
pub(super) fn put_option<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

pub(super) fn put_log_id(out: &mut Vec<u8>, LogId { term, index }: LogId) {
    put_u64(out, term);
    put_u64(out, index);
}

pub(super) fn put_vote(out: &mut Vec<u8>, vote: Vote) {
    put_u64(out, vote.term);
    out.push(u8::from(vote.committed));
    put_option(out, vote.node, put_u64);
}

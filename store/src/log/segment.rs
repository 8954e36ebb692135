//! One segment: a label, then groups, each on pages of its own. Pure.
//!
//! A *group* is what one write brings to the disk and one sync makes durable: a mark, then records, then zeros up to the end
//! of a page. It counts as a whole or not at all. Groups share no page, so a page that was synced is never written again in
//! this use of the segment: a power cut can tear only what nobody was told of. For that a lone record takes a page.
//!
//! Invariants: a group that was read is complete, and each of its records was sealed for the place where it stands.
//! Left out: what records mean together (`recovery`), and files (`writer`, `housekeeping`).

use bytes::Bytes;
use remora_table::{Format, Formats};

use super::record::{Record, Seal, Spot, Unreadable};

/// What a disk writes whole, in bytes; the unit of everything in a segment.
pub(super) const PAGE_BYTES: u64 = 4_096;

/// Bytes that a segment needs beside its largest entry: the label's page, a mark and a head, with some room.
const BESIDE_ENTRY_BYTES: u64 = PAGE_BYTES + 512;

/// Longest content of an entry in bytes that fits into a segment of this size.
pub(super) fn entry_bytes_max(segment_bytes: u64) -> u64 {
    segment_bytes.saturating_sub(BESIDE_ENTRY_BYTES)
}

/// The first page of a segment.
pub(super) fn label(seal: Seal, bytes: u64, format: Format) -> Vec<u8> {
    let mut page = Vec::new();
    Record::Label { seal, bytes }.put(&mut page, 0, seal, format);
    pad(&mut page);
    page
}

/// Zeros up to the end of the page.
fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(size(PAGE_BYTES)), 0);
}

/// An offset within a segment as the size of something in memory; a segment fits there.
pub(super) fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Where a record stands in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// In bytes.
    pub(super) offset: u64,
    /// Its length in bytes.
    pub(super) bytes: u32,
}

/// A group in the making.
#[derive(Debug)]
pub(super) struct GroupBuilder {
    seal: Seal,
    format: Format,
    offset: u64,
    room: u64,
    bytes: Vec<u8>,
}

impl GroupBuilder {
    /// Begins a group at an offset of a segment, with so much room behind it, both whole pages.
    pub(super) fn new(seal: Seal, format: Format, offset: u64, room: u64) -> Self {
        let mut group = Self {
            seal,
            format,
            offset,
            room,
            bytes: Vec::new(),
        };
        group.bytes = group.mark(Spot::default());
        group
    }

    /// Adds a record, if it fits.
    pub(super) fn push(&mut self, record: &Record) -> Option<Extent> {
        let at = self.bytes.len();
        record.put(&mut self.bytes, self.offset, self.seal, self.format);
        if self.bytes.len() as u64 > self.room {
            self.bytes.truncate(at);
            return None;
        }
        let bytes = u32::try_from(self.bytes.len() - at).ok()?;
        let offset = self.offset + at as u64;
        Some(Extent { offset, bytes })
    }

    /// The pages to write. `synced` is up to where the log is synced now.
    pub(super) fn finish(mut self, synced: Spot) -> Vec<u8> {
        let mark = self.mark(synced);
        self.bytes[..mark.len()].copy_from_slice(&mark);
        pad(&mut self.bytes);
        self.bytes
    }

    /// The group's first record, for what it holds now.
    fn mark(&self, synced: Spot) -> Vec<u8> {
        // No group is longer than a segment.
        let bytes = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let mut mark = Vec::new();
        Record::Mark { synced, bytes }.put(&mut mark, self.offset, self.seal, self.format);
        mark
    }
}

/// A group that was read.
#[derive(Debug)]
pub(super) struct RecordGroup {
    /// Up to where the log was synced before it was written.
    pub(super) synced: Spot,
    /// What stands behind the mark.
    pub(super) records: Vec<(Record, Extent)>,
    /// Where the next one begins.
    pub(super) end: u64,
}

/// The bytes of a segment, to be read.
#[derive(Debug)]
pub(super) struct SegmentBytes<'b> {
    bytes: &'b Bytes,
    seal: Seal,
    understood: Formats,
}

impl<'b> SegmentBytes<'b> {
    /// All of a segment that has this seal.
    pub(super) fn new(bytes: &'b Bytes, seal: Seal, understood: Formats) -> Self {
        Self {
            bytes,
            seal,
            understood,
        }
    }

    /// The group that begins at an offset.
    pub(super) fn group(&self, offset: u64) -> Result<RecordGroup, Unreadable> {
        let begin = size(offset);
        let (Record::Mark { synced, bytes }, marked) = self.record(begin)? else {
            return Err(Unreadable::Bad);
        };
        let end = begin.saturating_add(size(u64::from(bytes)));
        let mut records = Vec::new();
        let mut at = begin + marked;
        while at < end {
            let (record, length) = self.record(at)?;
            let bytes = u32::try_from(length).map_err(|_| Unreadable::Bad)?;
            let offset = at as u64;
            records.push((record, Extent { offset, bytes }));
            at += length;
        }
        if at != end {
            return Err(Unreadable::Bad);
        }
        Ok(RecordGroup {
            synced,
            records,
            end: (at as u64).next_multiple_of(PAGE_BYTES),
        })
    }

    /// Up to where the log was synced at most, as the marks say that stand at or behind an offset; and whether a group
    /// begins right there, whole or not.
    pub(super) fn marks_behind(&self, offset: u64) -> (Spot, bool) {
        let pages = (size(offset)..self.bytes.len()).step_by(size(PAGE_BYTES));
        let marks = pages.filter_map(|at| match self.record(at) {
            Ok((Record::Mark { synced, .. }, _)) => Some((synced, at == size(offset))),
            _ => None,
        });
        marks.fold((Spot::default(), false), |(newest, begun), (synced, here)| {
            (newest.max(synced), begun || here)
        })
    }

    /// The end of the last page from an offset on that holds anything but zeros.
    pub(super) fn filled_to(&self, offset: u64) -> u64 {
        let behind = self.bytes.get(size(offset)..).unwrap_or_default();
        let last = behind.iter().rposition(|byte| *byte != 0);
        last.map_or(offset, |last| {
            offset + (last as u64 + 1).next_multiple_of(PAGE_BYTES)
        })
    }

    fn record(&self, at: usize) -> Result<(Record, usize), Unreadable> {
        Record::read(self.bytes, at, 0, self.seal, self.understood)
    }
}

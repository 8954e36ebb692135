//! Reading entries: what to read is settled under the lock, then the disk is read without it. So a follower that is far
//! behind keeps nobody from appending.
//!
//! Neighbours are read together, as far as they stand in one segment. What was purged meanwhile may be gone from under a
//! reader, and is then a missing entry like any other; the checksum tells.
//!
//! Left out: what is in memory (`recent`).

use std::io;
use std::ops::Range;

use bytes::Bytes;
use remora_table::Formats;

use super::contents::Place;
use super::core::{CoreState, Segment};
use super::record::{ENTRY_BYTES_MIN, Record};
use super::segment::{Extent, size};
use super::types::LogEntry;

/// Longest part of a segment that is read at once, in bytes: large against the cost of a call, small beside the memory that
/// a node has; a single longer entry is read alone.
const RUN_BYTES_MAX: u64 = 1 << 20;

/// An entry that is to be read.
#[derive(Debug)]
pub(super) enum Planned {
    /// It was in memory.
    Found(LogEntry),
    /// It is on disk, there.
    OnDisk(u64, Segment, Extent),
}

/// What to read of a range so that the entries hold `bytes_max` bytes, at least one if the range is not empty.
pub(super) fn plan(state: &CoreState, range: Range<u64>, bytes_max: u64) -> io::Result<Vec<Planned>> {
    let mut planned = Vec::new();
    let mut bytes = 0;
    for index in range {
        let place = state.contents.place(index).ok_or_else(|| missing(index))?;
        let (next, weight) = match (state.recent.get(index), place) {
            (Some(entry), _) => (Planned::Found(entry.clone()), entry.payload.bytes()),
            (None, Place::Written(generation, extent)) => {
                let segment = state.segment(generation).ok_or_else(|| missing(index))?;
                let content = u64::from(extent.bytes).saturating_sub(ENTRY_BYTES_MIN as u64);
                (Planned::OnDisk(index, segment, extent), content)
            }
            (None, Place::Queued(_)) => return Err(missing(index)),
        };
        bytes += weight;
        if bytes > bytes_max && !planned.is_empty() {
            break;
        }
        planned.push(next);
    }
    Ok(planned)
}

/// Reads what is planned.
pub(super) fn fetch(planned: Vec<Planned>, understood: Formats) -> io::Result<Vec<LogEntry>> {
    let mut entries = Vec::with_capacity(planned.len());
    let mut rest = planned.into_iter().peekable();
    while let Some(next) = rest.next() {
        let (index, segment, extent) = match next {
            Planned::Found(entry) => {
                entries.push(entry);
                continue;
            }
            Planned::OnDisk(index, segment, extent) => (index, segment, extent),
        };
        let mut run = vec![(index, extent)];
        let follows = |next: &Planned| match next {
            Planned::OnDisk(_, of, at) => {
                of.seal == segment.seal
                    && at.offset > extent.offset
                    && end(*at) - extent.offset <= RUN_BYTES_MAX
            }
            Planned::Found(_) => false,
        };
        while let Some(Planned::OnDisk(index, _, extent)) = rest.next_if(follows) {
            run.push((index, extent));
        }
        read_run(&segment, &run, understood, &mut entries)?;
    }
    Ok(entries)
}

/// Reads entries that stand in one part of a segment.
fn read_run(
    segment: &Segment,
    run: &[(u64, Extent)],
    understood: Formats,
    entries: &mut Vec<LogEntry>,
) -> io::Result<()> {
    let (Some((_, first)), Some((_, last))) = (run.first(), run.last()) else {
        return Ok(());
    };
    let base = first.offset;
    let mut bytes = vec![0; size(end(*last) - base)];
    segment.file.read_at(&mut bytes, base)?;
    let bytes = Bytes::from(bytes);
    for (index, extent) in run {
        let at = size(extent.offset - base);
        match Record::read(&bytes, at, base, segment.seal, understood) {
            Ok((Record::Entry(entry), _)) if entry.log_id.index == *index => entries.push(entry),
            _ => return Err(unreadable(*index)),
        }
    }
    Ok(())
}

fn end(extent: Extent) -> u64 {
    extent.offset + u64::from(extent.bytes)
}

/// The error of an entry that is not in the log.
pub(super) fn missing(index: u64) -> io::Error {
    let sentence = format!("log entry {index} is not in the log");
    io::Error::new(io::ErrorKind::NotFound, sentence)
}

fn unreadable(index: u64) -> io::Error {
    let sentence = format!("log entry {index} cannot be read from the disk");
    io::Error::new(io::ErrorKind::InvalidData, sentence)
}

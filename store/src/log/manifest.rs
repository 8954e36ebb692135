//! The manifest: which segments the log consists of, and what it has promised. Pure.
//!
//! A segment is named here before the first record in it counts, and forgotten here before it is used again. So a segment
//! that is named and missing, or that holds another use than the named one, is a part that this disk has lost.
//!
//! Invariants: segments stand in the order of their generations; what is read was checksummed as a whole. Left out: how it
//! is replaced (`disk`), and when (`housekeeping`).

use remora_table::{Format, Formats};

use super::data_dir::DiskId;
use super::fields::{Fields, put_log_id, put_option, put_u32, put_u64};
use super::record::Unreadable;
use super::types::{GROUP, LogId};

/// The manifest's name in the log's directory.
pub(super) const MANIFEST: &str = "manifest";

/// Begins the manifest; the format follows.
const MANIFEST_MAGIC: &[u8; 7] = b"remoraM";

/// What the log's directory must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// Whose log it is.
    pub(super) disk: DiskId,
    /// A committed entry: the log reaches at least there. Rises at each rotation; no truncation passes it.
    pub(super) floor: Option<LogId>,
    /// Everything up to here was purged: a table image that reaches there was durable before this was said.
    pub(super) purged: Option<LogId>,
    /// The segments in the order of their use. The last one may be named ahead of its use.
    pub(super) segments: Vec<NamedSegment>,
}

/// A segment that the manifest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NamedSegment {
    /// Its number, which is its file's name.
    pub(super) number: u32,
    /// Its use.
    pub(super) generation: u64,
    /// Index of the entry that comes first in it; absent as long as nothing was known to be written to it.
    pub(super) first: Option<u64>,
}

impl Manifest {
    /// Of a log that holds nothing yet.
    pub(super) fn new(disk: DiskId) -> Self {
        Self {
            disk,
            floor: None,
            purged: None,
            segments: Vec::new(),
        }
    }

    /// Its bytes.
    pub(super) fn encode(&self, format: Format) -> Vec<u8> {
        let mut out = MANIFEST_MAGIC.to_vec();
        out.push(format.0);
        put_u32(&mut out, GROUP);
        put_u64(&mut out, self.disk.0);
        put_option(&mut out, self.floor, put_log_id);
        put_option(&mut out, self.purged, put_log_id);
        // A log has some dozens of segments.
        put_u32(&mut out, u32::try_from(self.segments.len()).unwrap_or(u32::MAX));
        for segment in &self.segments {
            put_u32(&mut out, segment.number);
            put_u64(&mut out, segment.generation);
            put_option(&mut out, segment.first, put_u64);
        }
        let checksum = crc32fast::hash(&out);
        put_u32(&mut out, checksum);
        out
    }

    /// Reads it.
    pub(super) fn decode(bytes: &[u8], understood: Formats) -> Result<Self, Unreadable> {
        let (content, checksum) = bytes.split_last_chunk().ok_or(Unreadable::Bad)?;
        if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
            return Err(Unreadable::Bad);
        }
        let rest = content.strip_prefix(MANIFEST_MAGIC).ok_or(Unreadable::Bad)?;
        let mut fields = Fields::of(rest);
        let format = Format(fields.u8().ok_or(Unreadable::Bad)?);
        if !understood.hold(format) {
            return Err(Unreadable::Later(format));
        }
        Self::from_fields(fields).ok_or(Unreadable::Bad)
    }

    fn from_fields(mut fields: Fields<'_>) -> Option<Self> {
        if fields.u32()? != GROUP {
            return None;
        }
        let mut manifest = Self::new(DiskId(fields.u64()?));
        manifest.floor = fields.option(Fields::log_id)?;
        manifest.purged = fields.option(Fields::log_id)?;
        for _ in 0..fields.u32()? {
            manifest.segments.push(NamedSegment {
                number: fields.u32()?,
                generation: fields.u64()?,
                first: fields.option(Fields::u64)?,
            });
        }
        fields.end()?;
        let rises = |pair: &[NamedSegment]| pair[0].generation < pair[1].generation;
        manifest.segments.windows(2).all(rises).then_some(manifest)
    }
}

/// The name of a segment's file.
pub(super) fn segment_name(number: u32) -> String {
    format!("segment-{number:04}")
}

/// The number in the name of a segment's file.
pub(super) fn segment_number(name: &str) -> Option<u32> {
    let number = name.strip_prefix("segment-")?.parse().ok()?;
    (segment_name(number) == name).then_some(number)
}

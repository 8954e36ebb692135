//! One record of the log: a header, a payload, a checksum over both and over where they stand. Pure.
//!
//! A record is only read where it was written: its checksum covers the disk, the segment, the segment's use (*generation*)
//! and the offset, none of which stands in the record. So the old records of a recycled segment, of another node's file or
//! of a page that a disk put elsewhere are never taken for new ones.
//!
//! Invariants: reading never panics and believes no length before it looked; a format that is not understood is told apart
//! from damage, because the checksum covers it and does not depend on it. Left out: how records stand together (`segment`).

use bytes::Bytes;
use remora_table::{Format, Formats};

use super::data_dir::DiskId;
use super::fields::{Fields, put_log_id, put_option, put_u32, put_u64, put_vote};
use super::types::{GROUP, LogEntry, LogId, LogState, Payload, Vote};

/// Bytes in front of each payload: checksum, length, format, kind, two reserved, group.
pub(super) const HEADER_BYTES: usize = 16;

/// Bytes of an entry's record beside what the entry holds: header, term, index, what it is.
pub(super) const ENTRY_BYTES_MIN: usize = HEADER_BYTES + 8 + 8 + 1;

/// Begins a label, so that people and tools know the file.
const LABEL_MAGIC: &[u8; 7] = b"remoraL";

const LABEL: u8 = 1;
const MARK: u8 = 2;
const HEAD: u8 = 3;
const VOTE: u8 = 4;
const ENTRY: u8 = 5;
const TRUNCATE: u8 = 6;
const PURGE: u8 = 7;
const COMMITTED: u8 = 8;

const BLANK: u8 = 0;
const MEMBERSHIP: u8 = 1;
const NORMAL: u8 = 2;

/// Whose a segment is in its present use; every record in it is sealed with this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// The disk.
    pub(super) disk: DiskId,
    /// The segment's number, which is its file's name.
    pub(super) number: u32,
    /// Its use: rises with each, over all segments of a log, from 1.
    pub(super) generation: u64,
}

/// A place in the stream of all writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    /// Which use of a segment.
    pub(super) generation: u64,
    /// Where in it, in bytes.
    pub(super) offset: u64,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// Whose the file is; at its very front, written before the segment is named.
    Label {
        /// What it is sealed with.
        seal: Seal,
        /// Size of the file in bytes.
        bytes: u64,
    },
    /// Begins a group, which is written and synced as one.
    Mark {
        /// Up to where the log was synced before this group was written.
        synced: Spot,
        /// Length of the group in bytes, this record included.
        bytes: u32,
    },
    /// What all segments before this one made of the log; first in each segment's first group.
    Head(LogState),
    /// A vote.
    Vote(Vote),
    /// An entry.
    Entry(LogEntry),
    /// Every entry behind this one is gone, or all.
    Truncate(Option<LogId>),
    /// Every entry up to this one is gone.
    Purge(LogId),
    /// What is known to be committed.
    Committed(LogId),
}

/// Why there is no record to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// None was written there in this use, or it is damaged.
    Bad,
    /// A later release wrote it.
    Later(Format),
}

impl Record {
    /// Writes it behind what `out` holds, which begins at offset `base` of the segment.
    pub(super) fn put(&self, out: &mut Vec<u8>, base: u64, seal: Seal, format: Format) {
        let at = out.len();
        out.resize(at + HEADER_BYTES, 0);
        let kind = self.put_payload(out);
        // No record is longer than a segment, and that is far below: the log refuses what does not fit.
        let length = u32::try_from(out.len() - at - HEADER_BYTES).unwrap_or(u32::MAX);
        let header = &mut out[at..at + HEADER_BYTES];
        header[4..8].copy_from_slice(&length.to_le_bytes());
        header[8] = format.0;
        header[9] = kind;
        header[12..16].copy_from_slice(&GROUP.to_le_bytes());
        let checksum = checksum(seal, base + at as u64, &out[at + 4..]);
        out[at..at + 4].copy_from_slice(&checksum.to_le_bytes());
    }

    fn put_payload(&self, out: &mut Vec<u8>) -> u8 {
        match self {
            Self::Label { seal, bytes } => {
                out.extend_from_slice(LABEL_MAGIC);
                put_u64(out, seal.disk.0);
                put_u32(out, seal.number);
                put_u64(out, seal.generation);
                put_u64(out, *bytes);
                LABEL
            }
            Self::Mark { synced, bytes } => {
                put_u64(out, synced.generation);
                put_u64(out, synced.offset);
                put_u32(out, *bytes);
                MARK
            }
            Self::Head(state) => {
                put_option(out, state.vote, put_vote);
                for id in [state.committed, state.purged, state.last] {
                    put_option(out, id, put_log_id);
                }
                HEAD
            }
            Self::Vote(vote) => {
                put_vote(out, *vote);
                VOTE
            }
            Self::Entry(entry) => {
                put_log_id(out, entry.log_id);
                put_entry(out, &entry.payload);
                ENTRY
            }
            Self::Truncate(last) => {
                put_option(out, *last, put_log_id);
                TRUNCATE
            }
            Self::Purge(upto) => {
                put_log_id(out, *upto);
                PURGE
            }
            Self::Committed(committed) => {
                put_log_id(out, *committed);
                COMMITTED
            }
        }
    }

    /// Reads the record at `at` of `bytes`, which begin at offset `base` of the segment; gives it with its length.
    pub(super) fn read(
        bytes: &Bytes,
        at: usize,
        base: u64,
        seal: Seal,
        understood: Formats,
    ) -> Result<(Self, usize), Unreadable> {
        let header = Header::at(bytes, at).ok_or(Unreadable::Bad)?;
        let end = at + HEADER_BYTES + header.length;
        if checksum(seal, base + at as u64, &bytes[at + 4..end]) != header.checksum {
            return Err(Unreadable::Bad);
        }
        if !understood.hold(header.format) {
            return Err(Unreadable::Later(header.format));
        }
        let payload = bytes.slice(at + HEADER_BYTES..end);
        let record = Self::from_payload(header.kind, &payload).ok_or(Unreadable::Bad)?;
        Ok((record, end - at))
    }

    /// Reads a label by what it says of itself: it alone names what it is sealed with.
    pub(super) fn read_label(bytes: &Bytes, understood: Formats) -> Result<(Seal, u64), Unreadable> {
        let header = Header::at(bytes, 0).ok_or(Unreadable::Bad)?;
        let payload = bytes.slice(HEADER_BYTES..HEADER_BYTES + header.length);
        let Some(Self::Label { seal, bytes: size }) = Self::from_payload(header.kind, &payload) else {
            return Err(Unreadable::Bad);
        };
        Self::read(bytes, 0, 0, seal, understood).map(|_| (seal, size))
    }

    /// What a payload of this kind says.
    pub(super) fn from_payload(kind: u8, payload: &Bytes) -> Option<Self> {
        let mut fields = Fields::of(payload);
        let record = match kind {
            LABEL => {
                if fields.take(LABEL_MAGIC.len())? != LABEL_MAGIC {
                    return None;
                }
                let seal = Seal {
                    disk: DiskId(fields.u64()?),
                    number: fields.u32()?,
                    generation: fields.u64()?,
                };
                Self::Label {
                    seal,
                    bytes: fields.u64()?,
                }
            }
            MARK => {
                let synced = Spot {
                    generation: fields.u64()?,
                    offset: fields.u64()?,
                };
                Self::Mark {
                    synced,
                    bytes: fields.u32()?,
                }
            }
            HEAD => Self::Head(LogState {
                vote: fields.option(Fields::vote)?,
                committed: fields.option(Fields::log_id)?,
                purged: fields.option(Fields::log_id)?,
                last: fields.option(Fields::log_id)?,
            }),
            VOTE => Self::Vote(fields.vote()?),
            ENTRY => {
                let log_id = fields.log_id()?;
                let payload = entry_payload(fields.u8()?, payload.slice(ENTRY_BYTES_MIN - HEADER_BYTES..))?;
                return Some(Self::Entry(LogEntry { log_id, payload }));
            }
            TRUNCATE => Self::Truncate(fields.option(Fields::log_id)?),
            PURGE => Self::Purge(fields.log_id()?),
            COMMITTED => Self::Committed(fields.log_id()?),
            _ => return None,
        };
        fields.end()?;
        Some(record)
    }
}

/// What stands in front of a payload, not yet believed.
struct Header {
    checksum: u32,
    length: usize,
    format: Format,
    kind: u8,
}

impl Header {
    /// The header at `at`, if all of its record lies within `bytes`.
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let mut fields = Fields::of(bytes.get(at..)?);
        let checksum = fields.u32()?;
        let length = usize::try_from(fields.u32()?).ok()?;
        let format = Format(fields.u8()?);
        let kind = fields.u8()?;
        let reserved = fields.take(2)?;
        let group = fields.u32()?;
        fields.take(length)?;
        (reserved == [0, 0] && group == GROUP).then_some(Self {
            checksum,
            length,
            format,
            kind,
        })
    }
}

fn put_entry(out: &mut Vec<u8>, payload: &Payload) {
    let (kind, bytes): (u8, &[u8]) = match payload {
        Payload::Blank => (BLANK, &[]),
        Payload::Membership(bytes) => (MEMBERSHIP, bytes),
        Payload::Normal(bytes) => (NORMAL, bytes),
    };
    out.push(kind);
    out.extend_from_slice(bytes);
}

fn entry_payload(kind: u8, bytes: Bytes) -> Option<Payload> {
    match kind {
        BLANK => bytes.is_empty().then_some(Payload::Blank),
        MEMBERSHIP => Some(Payload::Membership(bytes)),
        NORMAL => Some(Payload::Normal(bytes)),
        _ => None,
    }
}

fn checksum(seal: Seal, offset: u64, sealed: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&seal.disk.0.to_le_bytes());
    hasher.update(&seal.number.to_le_bytes());
    hasher.update(&seal.generation.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher.update(sealed);
    hasher.finalize()
}

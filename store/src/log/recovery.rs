//! What an opened directory means: whole, with a torn tail, damaged, or with a part missing. Pure: the manifest and the
//! bytes of the segments that it names, in their order, come in; what the log holds comes out.
//!
//! **Torn or damaged.** A group is written and synced before the next one is written, and each says up to where the log was
//! synced before it. So the groups are read up to the first that is not whole. If any mark behind it, in its segment or a
//! later one, says that the log was synced past it, then it was whole once, somebody may have been told of it, and the node
//! must not go on. If none does, it was being written when the power went: it is cut, with everything behind it.
//!
//! **Lost.** A segment that is named must be there, in the named use; the log must reach its floor and hold its purge; a
//! disk that has voted must hold a vote; and each segment repeats what those before it came to.
//!
//! Left out: reading and writing files (`opening`).

use std::fmt;

use bytes::Bytes;
use remora_table::{Format, Formats};

use super::contents::Contents;
use super::manifest::{Manifest, NamedSegment, segment_name};
use super::record::{Record, Seal, Spot, Unreadable};
use super::segment::{PAGE_BYTES, RecordGroup, SegmentBytes};
use super::types::{LogId, LogState};

/// Why a log cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// A part is not there any more.
    Lost(String),
    /// A part that was durable cannot be read.
    Damaged(String),
    /// A later release wrote it.
    WrittenLater(Format),
}

impl fmt::Display for Broken {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(what) => write!(to, "this disk lost a part of its log: {what}"),
            Self::Damaged(what) => write!(to, "the log is damaged: {what}"),
            Self::WrittenLater(format) => write!(to, "the log is of format {format}"),
        }
    }
}

/// A log, read segment by segment.
#[derive(Debug)]
pub(super) struct Recovery {
    manifest: Manifest,
    understood: Formats,
    contents: Contents,
    /// Where the last whole group ends, and in which of the named segments.
    end: Option<(usize, Spot)>,
    /// Up to where the log was synced, as the marks say that stand behind whole groups.
    synced: Spot,
    /// Index of the entry that comes first, of each segment that was begun.
    firsts: Vec<u64>,
    since_purge: u64,
    torn: bool,
    leftovers: Vec<Leftovers>,
}

/// Bytes behind the end of the log that are not zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leftovers {
    /// In which of the named segments.
    pub(super) segment: usize,
    /// From this offset on, in bytes.
    pub(super) from: u64,
    /// Up to this one.
    pub(super) to: u64,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Recovered {
    /// What the log holds.
    pub(super) contents: Contents,
    /// Index of the entry that comes first, of each segment that was begun; they are the first ones that are named.
    pub(super) firsts: Vec<u64>,
    /// Where it ends, and in which of the named segments; none if nothing was ever written.
    pub(super) end: Option<(usize, Spot)>,
    /// What stands behind its end.
    pub(super) leftovers: Vec<Leftovers>,
    /// Whether a write was cut in its middle.
    pub(super) torn: bool,
    /// Bytes written since the last purge.
    pub(super) since_purge: u64,
}

impl Recovery {
    /// Of the log with this manifest, for a program that understands these formats.
    pub(super) fn new(manifest: Manifest, understood: Formats) -> Self {
        Self {
            manifest,
            understood,
            contents: Contents::default(),
            end: None,
            synced: Spot::default(),
            firsts: Vec::new(),
            since_purge: 0,
            torn: false,
            leftovers: Vec::new(),
        }
    }

    /// Takes all bytes of the `nth` segment that the manifest names; they come in their order.
    pub(super) fn segment(&mut self, nth: usize, bytes: &Bytes) -> Result<(), Broken> {
        let named = self.manifest.segments[nth];
        let seal = self.seal(named, bytes)?;
        let read = SegmentBytes::new(bytes, seal, self.understood);
        let mut offset = PAGE_BYTES;
        loop {
            match read.group(offset) {
                Ok(group) => offset = self.group(named, offset, group)?,
                Err(Unreadable::Later(format)) => return Err(Broken::WrittenLater(format)),
                Err(Unreadable::Bad) => break,
            }
        }
        let is_begun = offset > PAGE_BYTES;
        let is_last = nth + 1 == self.manifest.segments.len();
        if !is_begun && (named.first.is_some() || !is_last) {
            return Err(unreadable(named, offset));
        }
        let (synced, torn) = read.marks_behind(offset);
        self.synced = self.synced.max(synced);
        self.torn = torn || (self.torn && !is_begun);
        if is_begun {
            let generation = named.generation;
            self.end = Some((nth, Spot { generation, offset }));
            self.leftovers.clear();
        }
        let to = read.filled_to(offset);
        if to > offset {
            let from = offset;
            let segment = nth;
            self.leftovers.push(Leftovers { segment, from, to });
        }
        Ok(())
    }

    /// The seal of a segment, if it is the one that is named.
    fn seal(&self, named: NamedSegment, bytes: &Bytes) -> Result<Seal, Broken> {
        let NamedSegment {
            number, generation, ..
        } = named;
        let wanted = Seal {
            disk: self.manifest.disk,
            number,
            generation,
        };
        let name = segment_name(number);
        match Record::read_label(bytes, self.understood) {
            Ok((seal, size)) if seal == wanted && size == bytes.len() as u64 => Ok(seal),
            Ok((seal, size)) => Err(Broken::Lost(format!(
                "{name} should be use {generation} by disk {}, and is use {} of segment {} by disk {}, {} of {size} bytes",
                wanted.disk,
                seal.generation,
                seal.number,
                seal.disk,
                bytes.len()
            ))),
            Err(Unreadable::Bad) => Err(Broken::Lost(format!("{name} has no label that can be read"))),
            Err(Unreadable::Later(format)) => Err(Broken::WrittenLater(format)),
        }
    }

    /// Takes a whole group; gives where the next one begins.
    fn group(&mut self, named: NamedSegment, offset: u64, group: RecordGroup) -> Result<u64, Broken> {
        let broken = || unreadable(named, offset);
        let mut records = group.records.into_iter();
        if offset == PAGE_BYTES {
            let Some((Record::Head(head), _)) = records.next() else {
                return Err(broken());
            };
            self.head(named, group.synced, head)?;
            self.firsts.push(self.contents.next());
        }
        self.since_purge += group.end - offset;
        for (record, extent) in records {
            if matches!(record, Record::Purge(_)) {
                self.since_purge = group.end - offset;
            }
            let taken = self.contents.replay(record, named.generation, extent);
            taken.map_err(|_| broken())?;
        }
        Ok(group.end)
    }

    /// A segment begins: what it repeats must be what was found before it.
    fn head(&mut self, named: NamedSegment, synced: Spot, head: LogState) -> Result<(), Broken> {
        let next = head.last.map_or(0, |last| last.index + 1);
        if named.first.is_some_and(|first| first != next) {
            return Err(unreadable(named, PAGE_BYTES));
        }
        let Some((before, end)) = self.end else {
            self.contents = Contents::begin(head);
            return Ok(());
        };
        if synced != end {
            return Err(unreadable(self.manifest.segments[before], end.offset));
        }
        if self.contents.state() != head {
            return Err(unreadable(named, PAGE_BYTES));
        }
        Ok(())
    }

    /// What the log holds, once all segments were taken; `voted` says whether this disk ever answered with a vote.
    pub(super) fn finish(self, voted: bool) -> Result<Recovered, Broken> {
        let begin = Spot {
            generation: 0,
            offset: PAGE_BYTES,
        };
        let (nth, end) = self.end.unwrap_or((0, begin));
        if self.synced > end {
            return Err(unreadable(self.manifest.segments[nth], end.offset));
        }
        let state = self.contents.state();
        if voted && state.vote.is_none() {
            return Err(Broken::Lost("it has voted, and there is no vote".to_owned()));
        }
        self.purged()?;
        self.floor()?;
        if self.contents.first() > state.purged.map_or(0, |purged| purged.index + 1)
            && let Some(before) = self.contents.last_up_to(None)
        {
            return Err(Broken::Lost(format!("entry {} is not there", before.index)));
        }
        Ok(Recovered {
            contents: self.contents,
            firsts: self.firsts,
            end: self.end,
            leftovers: self.leftovers,
            torn: self.torn,
            since_purge: self.since_purge,
        })
    }

    /// The purge that the manifest speaks of was durable in the log before.
    fn purged(&self) -> Result<(), Broken> {
        match self.manifest.purged {
            Some(purged) if !self.is_purged(purged) => Err(Broken::Lost(format!(
                "it was purged up to entry {} and does not know that",
                purged.index
            ))),
            _ => Ok(()),
        }
    }

    fn is_purged(&self, id: LogId) -> bool {
        let purged = self.contents.state().purged;
        purged.is_some_and(|purged| purged.index >= id.index)
    }

    /// The log reaches its floor, with the very entry.
    fn floor(&self) -> Result<(), Broken> {
        let Some(floor) = self.manifest.floor else {
            return Ok(());
        };
        if self.is_purged(floor) || self.contents.id(floor.index) == Some(floor) {
            return Ok(());
        }
        let end = self.contents.state().last;
        Err(Broken::Lost(format!(
            "it held entry {} of term {}, and now ends at entry {}",
            floor.index,
            floor.term,
            end.map_or_else(|| "none".to_owned(), |end| end.index.to_string())
        )))
    }
}

/// A place that was durable and cannot be read.
fn unreadable(named: NamedSegment, offset: u64) -> Broken {
    let name = segment_name(named.number);
    Broken::Damaged(format!("{name} cannot be read at byte {offset}"))
}

//! The writer: brings what is queued to the disk, one group a step, each written and synced before the next.
//!
//! It is a state machine without a thread: whoever drives it calls [`LogWriter::step`], and tells nobody anything that a
//! step has not made durable. All that waits goes into one group, so a lone writer waits for one sync and a crowd shares
//! it; only the end of a segment parts a group, and the next segment is there already.
//!
//! Left out: segments coming and going (`housekeeping`).

use std::io;
use std::sync::Arc;

use remora_table::Format;

use crate::runtime;

use super::core::{Core, Progress, Segment, Taken};
use super::record::{Record, Spot};
use super::segment::{GroupBuilder, PAGE_BYTES};
use super::types::LogState;

/// Writes groups.
pub(super) struct LogWriter {
    core: Arc<Core>,
    format: Format,
    /// The segment that is written, from this offset on; none before the first.
    at: Option<(Segment, u64)>,
    /// Up to where the log is synced.
    synced: Spot,
    /// What the log comes to up to there.
    state: LogState,
    taken: Option<Taken>,
    /// Whether the last group says nothing but how far the log was synced.
    is_marked: bool,
}

impl LogWriter {
    /// Goes on at the end of an opened log, all of which is synced.
    pub(super) fn new(core: Arc<Core>, format: Format, at: Option<(Segment, u64)>) -> Self {
        let state = core.lock().durable;
        let synced = at.as_ref().map_or_else(Spot::default, |(segment, offset)| Spot {
            generation: segment.seal.generation,
            offset: *offset,
        });
        Self {
            core,
            format,
            at,
            synced,
            state,
            taken: None,
            is_marked: true,
        }
    }

    /// Writes and syncs one group, if somebody waits for one.
    pub(super) fn step(&mut self) -> Progress {
        let Some(mut taken) = self.taken.take().or_else(|| self.core.take()) else {
            return Progress::None;
        };
        let done = if self.core.has_failed() {
            Err(io::Error::other("the log has failed"))
        } else {
            self.group(&mut taken)
        };
        match done {
            Ok(progress) if taken.changes.is_empty() => {
                self.core.settled(taken);
                progress
            }
            Ok(progress) => {
                self.taken = Some(taken);
                progress
            }
            Err(error) => {
                self.core.fail(&error);
                self.core.refuse(taken);
                Progress::Made
            }
        }
    }

    /// Writes as much of what was taken as the segment has room for.
    fn group(&mut self, taken: &mut Taken) -> io::Result<Progress> {
        if taken.changes.is_empty() {
            return Ok(Progress::Made);
        }
        let Some((segment, offset)) = &self.at else {
            return Ok(self.rotate());
        };
        let (segment, offset) = (segment.clone(), *offset);
        let mut group = self.begin(&segment, offset);
        let mut state = self.state;
        let mut entries = Vec::new();
        let mut records = 0;
        for change in &taken.changes {
            let Some(extent) = group.push(&change.record) else {
                break;
            };
            state.after(&change.record);
            records += 1;
            if let Record::Entry(entry) = &change.record {
                entries.push(((entry.log_id.index, change.serial), extent));
            }
        }
        if records == 0 {
            return Ok(self.rotate());
        }
        self.write(&segment, offset, group)?;
        taken.changes.drain(..records);
        self.state = state;
        self.is_marked = false;
        self.core.written(&entries, segment.seal.generation, state);
        Ok(Progress::Made)
    }

    fn write(&mut self, segment: &Segment, offset: u64, group: GroupBuilder) -> io::Result<()> {
        let pages = group.finish(self.synced);
        segment.file.write_at(&pages, offset)?;
        let began = runtime::now();
        segment.file.sync_data()?;
        self.core
            .figures
            .synced(pages.len() as u64, runtime::since(began));
        let offset = offset + pages.len() as u64;
        self.synced = Spot {
            generation: segment.seal.generation,
            offset,
        };
        self.at = Some((segment.clone(), offset));
        Ok(())
    }

    /// Goes on at the front of the next segment, if that is ready.
    fn rotate(&mut self) -> Progress {
        let next = self.state.last.map_or(0, |last| last.index + 1);
        match self.core.begin_segment(next) {
            Some(segment) => {
                self.at = Some((segment, PAGE_BYTES));
                Progress::Made
            }
            None => Progress::None,
        }
    }

    /// Says at the end of the log that all of it was synced, so that no damage in it can pass for a torn tail.
    pub(super) fn close(&mut self) -> io::Result<()> {
        if self.is_marked || self.core.has_failed() {
            return Ok(());
        }
        self.is_marked = true;
        if self
            .at
            .as_ref()
            .is_some_and(|(segment, offset)| segment.bytes == *offset)
            && self.rotate() == Progress::None
        {
            return Ok(());
        }
        let Some((segment, offset)) = self.at.clone() else {
            return Ok(());
        };
        let group = self.begin(&segment, offset);
        self.write(&segment, offset, group)
    }

    /// A group that says up to where the log is synced, and at the front of a segment what it comes to.
    fn begin(&self, segment: &Segment, offset: u64) -> GroupBuilder {
        let mut group = GroupBuilder::new(segment.seal, self.format, offset, segment.bytes - offset);
        if offset == PAGE_BYTES {
            group.push(&Record::Head(self.state));
        }
        group
    }
}

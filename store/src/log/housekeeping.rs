//! The housekeeper: keeps a segment ready for the writer, and takes away those that a purge has emptied.
//!
//! It is a state machine without a thread, as the writer is: one step is one piece of work on the disk. Segments are used again
//! and again: those that a purge empties wait for their next use, as many as may be written before the next purge, so that a
//! log that goes on as before makes no new ones.
//!
//! A disk without room ends nothing. The log then has its reserve; when that is spent it *lacks room*: what is appended waits,
//! nobody is told that it is durable, and it goes on when there is room again. Only whoever ends waits for nobody's room.
//!
//! Invariants: a segment is named durably before the writer gets it, and forgotten durably before it is used again or
//! removed; what the manifest says of the log was durable in the log before; the reserve is spent only while there is no room
//! for another file or the writer waits. Left out: when to purge, and how the files are made (`spares`).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use remora_table::Format;

use crate::disk::{DeviceFile, Disk};

use super::core::{Core, Progress, Segment, SegmentInUse};
use super::data_dir::DiskId;
use super::manifest::{MANIFEST, Manifest, segment_name};
use super::record::Seal;
use super::segment::label;
use super::spares::{RESERVE_SEGMENTS, Spare, Spares};
use super::types::{LogId, LogState};

/// Where a log's files are, and how they are made.
#[derive(Clone, Debug)]
pub(super) struct LogHome {
    /// The disk, with
    pub(super) disk: Disk,
    /// the log's directory.
    pub(super) directory: PathBuf,
    /// Whose log it is.
    pub(super) owner: DiskId,
    /// What is written.
    pub(super) format: Format,
    /// Size of new segments in bytes: whole pages.
    pub(super) segment_bytes: u64,
}

impl LogHome {
    /// The file of a segment.
    pub(super) fn segment(&self, number: u32) -> PathBuf {
        self.directory.join(segment_name(number))
    }

    /// Makes a manifest durable.
    pub(super) fn write(&self, manifest: &Manifest) -> io::Result<()> {
        let path = self.directory.join(MANIFEST);
        self.disk.replace(&path, &manifest.encode(self.format))
    }
}

/// Keeps segments.
pub(super) struct Housekeeper {
    core: Arc<Core>,
    home: LogHome,
    floor: Option<LogId>,
    spares: Spares,
    /// Labelled for its next use, and not named yet.
    labelled: Option<Segment>,
    /// Whether there was no room for another file when the disk was looked at last.
    is_full: bool,
    /// Whether that was said.
    is_said: bool,
}

/// What the housekeeper saw under the lock.
struct View {
    in_use: Vec<SegmentInUse>,
    /// How many of them, from the front, hold nothing but what was purged.
    emptied: usize,
    durable: LogState,
    starves: bool,
}

impl View {
    fn is_ready(&self) -> bool {
        self.in_use.last().is_some_and(|last| last.first.is_none())
    }

    /// The next use of a segment.
    fn next_generation(&self) -> u64 {
        let last = self.in_use.last();
        last.map_or(1, |last| last.segment.seal.generation + 1)
    }
}

impl Housekeeper {
    /// Of an opened log, with the floor that its manifest has and the files that are not in use.
    pub(super) fn new(core: Arc<Core>, home: LogHome, floor: Option<LogId>, spares: Vec<Spare>) -> Self {
        let keeper = Self {
            core,
            spares: Spares::new(home.clone(), spares),
            home,
            floor,
            labelled: None,
            is_full: false,
            is_said: false,
        };
        keeper.count();
        keeper
    }

    /// Does one piece of work, if there is any.
    pub(super) fn step(&mut self) -> Progress {
        if self.core.has_failed() {
            return Progress::None;
        }
        match self.work() {
            Ok(progress) => progress,
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                self.spares.abandon();
                if !self.is_said {
                    tracing::error!(%error, "no room for another file of the log: make room");
                }
                self.is_said = true;
                if std::mem::replace(&mut self.is_full, true) {
                    return self.waits_for_room();
                }
                // The reserve may do.
                Progress::Made
            }
            Err(error) => {
                self.core.fail(&error);
                Progress::Made
            }
        }
    }

    /// Nothing can be done before there is room.
    fn waits_for_room(&self) -> Progress {
        let starves = self.core.lock().starves;
        if starves && self.core.figures.expects_no_room() {
            self.core.fail(&io::ErrorKind::StorageFull.into());
            return Progress::Made;
        }
        if starves {
            self.core.lacks_room();
        }
        Progress::None
    }

    /// There may be room again.
    pub(super) fn look_again(&mut self) {
        self.is_full = false;
    }

    fn work(&mut self) -> io::Result<Progress> {
        let view = self.look();
        if view.emptied > 0 {
            return self.forget(view);
        }
        if !view.is_ready() {
            return self.prepare(&view);
        }
        if self.spares.count() < RESERVE_SEGMENTS && !self.is_full {
            self.spares.reserve(self.unused(&view))?;
            self.is_said = false;
        } else if self.spares.bytes() <= self.core.figures.spare_bytes_kept()
            || self.spares.count() <= RESERVE_SEGMENTS
            || !self.spares.give_back()?
        {
            return Ok(Progress::None);
        }
        self.count();
        Ok(Progress::Paced)
    }

    fn look(&self) -> View {
        let state = self.core.lock();
        let in_use: Vec<SegmentInUse> = state.segments.iter().cloned().collect();
        let next = state.durable.purged.map_or(0, |purged| purged.index + 1);
        // What stands in a segment came before the first entry of the one behind it.
        let emptied = in_use.iter().skip(1).take_while(|behind| {
            let first = behind.first;
            first.is_some_and(|first| first <= next && state.durable.purged.is_some())
        });
        View {
            emptied: emptied.count(),
            durable: state.durable,
            starves: state.starves,
            in_use,
        }
    }

    /// One step towards a segment that is ready.
    fn prepare(&mut self, view: &View) -> io::Result<Progress> {
        if let Some(segment) = self.labelled.clone() {
            return self.name(view, segment);
        }
        let may_spend = view.starves || self.is_full || self.spares.count() > RESERVE_SEGMENTS;
        if may_spend && let Some(spare) = self.spares.take() {
            let seal = self.seal(view, spare.number);
            spare.file.write_at(&self.label(seal), 0)?;
            spare.file.sync_data()?;
            self.labelled = Some(self.segment(seal, spare.file));
            return Ok(Progress::Made);
        }
        if self.is_full {
            return Ok(self.waits_for_room());
        }
        self.spares.fill(self.unused(view))?;
        Ok(if view.starves {
            Progress::Made
        } else {
            Progress::Paced
        })
    }

    /// Names a segment, then gives it to the writer.
    fn name(&mut self, view: &View, segment: Segment) -> io::Result<Progress> {
        let named = SegmentInUse { segment, first: None };
        self.write_manifest(view, view.in_use.iter().chain([&named]))?;
        self.labelled = None;
        self.is_said &= self.is_full;
        self.core.ready(named);
        self.count();
        Ok(Progress::Made)
    }

    /// Forgets the segments that hold nothing but what was purged.
    fn forget(&mut self, view: View) -> io::Result<Progress> {
        self.write_manifest(&view, view.in_use[view.emptied..].iter())?;
        self.core.forget(view.emptied);
        for SegmentInUse { segment, .. } in view.in_use.into_iter().take(view.emptied) {
            let number = segment.seal.number;
            if segment.bytes == self.home.segment_bytes {
                let file = segment.file;
                self.spares.put(Spare { number, file });
            } else {
                self.home.disk.remove(&self.home.segment(number))?;
            }
        }
        self.count();
        Ok(Progress::Made)
    }

    /// Replaces the manifest. It is small, but a disk may be too full even for that: then a spare segment makes way.
    fn write_manifest<'s>(
        &mut self,
        view: &View,
        segments: impl Iterator<Item = &'s SegmentInUse>,
    ) -> io::Result<()> {
        let floor = self.floor.max(view.durable.committed);
        let manifest = Manifest {
            disk: self.home.owner,
            floor,
            purged: view.durable.purged,
            segments: segments.map(SegmentInUse::named).collect(),
        };
        match self.home.write(&manifest) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull && self.spares.give_back()? => {
                self.home.write(&manifest)?;
            }
            written => written?,
        }
        self.floor = floor;
        Ok(())
    }

    fn seal(&self, view: &View, number: u32) -> Seal {
        Seal {
            disk: self.home.owner,
            number,
            generation: view.next_generation(),
        }
    }

    fn label(&self, seal: Seal) -> Vec<u8> {
        label(seal, self.home.segment_bytes, self.home.format)
    }

    fn segment(&self, seal: Seal, file: Arc<dyn DeviceFile>) -> Segment {
        Segment {
            seal,
            bytes: self.home.segment_bytes,
            file,
        }
    }

    /// The lowest number that no file has.
    fn unused(&self, view: &View) -> u32 {
        let in_use = view.in_use.iter().map(|in_use| in_use.segment.seal.number);
        let labelled = self.labelled.iter().map(|segment| segment.seal.number);
        let taken: Vec<u32> = in_use.chain(labelled).chain(self.spares.numbers()).collect();
        let mut numbers = 1..u32::MAX;
        numbers.find(|number| !taken.contains(number)).unwrap_or(u32::MAX)
    }

    /// Says how much the log takes on the disk.
    fn count(&self) {
        let state = self.core.lock();
        let in_use: u64 = state.segments.iter().map(|in_use| in_use.segment.bytes).sum();
        self.core.figures.holds(in_use, self.spares.bytes());
    }
}

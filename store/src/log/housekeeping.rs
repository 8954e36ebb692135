//! The housekeeper: keeps a segment ready for the writer, and takes away those that a purge has emptied.
//!
//! It is a state machine without a thread, as the writer is: one step is one piece of work on the disk. A segment comes into
//! being full of zeros, so that whoever writes to it changes no size and no map of blocks; it is used again and again.
//!
//! Invariants: a segment is named durably before the writer gets it, and forgotten durably before it is used again or
//! removed; what the manifest says of the log was durable in the log before. A disk without room for another segment ends
//! the log only when the writer needs one. Left out: when to purge.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use remora_table::Format;

use crate::disk::{DeviceFile, Disk, NewFile};

use super::core::{Core, Progress, Segment, SegmentInUse};
use super::data_dir::DiskId;
use super::manifest::{MANIFEST, Manifest, segment_name};
use super::record::Seal;
use super::segment::{label, size};
use super::types::{LogId, LogState};

/// Zeros written at a time, in bytes: a disk takes them in about a millisecond, and the writer waits behind no more.
const PIECE_BYTES_MAX: u64 = 256 * 1024;

/// Segments kept beside those in use, for the next ones: a purge frees more, and those go back to the file system.
pub(super) const SPARES_MAX: usize = 2;

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

/// A segment's file that is not in use.
#[derive(Debug)]
pub(super) struct Spare {
    /// Its number.
    pub(super) number: u32,
    /// The file, of the size of new segments.
    pub(super) file: Arc<dyn DeviceFile>,
}

/// A segment's file that is being made.
#[derive(Debug)]
struct Filling {
    number: u32,
    new: NewFile,
    bytes: u64,
}

/// Keeps segments.
pub(super) struct Housekeeper {
    core: Arc<Core>,
    home: LogHome,
    floor: Option<LogId>,
    spares: Vec<Spare>,
    /// Numbers of files that go back to the file system.
    surplus: Vec<u32>,
    filling: Option<Filling>,
    /// Labelled for its next use, and not named yet.
    labelled: Option<Segment>,
    /// Whether there was no room for another segment, and nothing was freed since.
    is_full: bool,
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
            home,
            floor,
            spares,
            surplus: Vec::new(),
            filling: None,
            labelled: None,
            is_full: false,
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
            Err(error) if error.kind() == io::ErrorKind::StorageFull && !self.core.lock().starves => {
                tracing::error!(%error, "no room for the log's next segment: it goes on in this one; make room");
                self.filling = None;
                self.is_full = true;
                Progress::None
            }
            Err(error) => {
                self.core.fail(&error);
                Progress::Made
            }
        }
    }

    fn work(&mut self) -> io::Result<Progress> {
        let view = self.look();
        if view.emptied > 0 {
            return self.forget(view);
        }
        if !view.is_ready() {
            return self.prepare(&view);
        }
        let Some(number) = self.surplus.pop() else {
            return Ok(Progress::None);
        };
        self.home.disk.remove(&self.home.segment(number))?;
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
        if self.is_full && !view.starves {
            return Ok(Progress::None);
        }
        if let Some(segment) = self.labelled.clone() {
            return self.name(view, segment);
        }
        if let Some(spare) = self.spares.pop() {
            let seal = self.seal(view, spare.number);
            spare.file.write_at(&self.label(seal), 0)?;
            spare.file.sync_data()?;
            self.labelled = Some(self.segment(seal, spare.file));
            return Ok(Progress::Made);
        }
        self.fill(view)?;
        Ok(if view.starves {
            Progress::Made
        } else {
            Progress::Paced
        })
    }

    /// One piece of a new file.
    fn fill(&mut self, view: &View) -> io::Result<()> {
        let Some(mut filling) = self.filling.take() else {
            let number = self.unused(view);
            let new = self
                .home
                .disk
                .begin(&self.home.directory, &segment_name(number))?;
            self.filling = Some(Filling {
                number,
                new,
                bytes: 0,
            });
            return Ok(());
        };
        let seal = self.seal(view, filling.number);
        let piece = match filling.bytes {
            0 => self.label(seal),
            done => vec![0; size(PIECE_BYTES_MAX.min(self.home.segment_bytes - done))],
        };
        let file = filling.new.file();
        file.write_all(&piece)?;
        // Synced piece by piece: one sync of all would keep the writer's waiting.
        file.sync_data()?;
        filling.bytes += piece.len() as u64;
        if filling.bytes < self.home.segment_bytes {
            self.filling = Some(filling);
            return Ok(());
        }
        let path = self.home.segment(filling.number);
        filling.new.publish(&path)?;
        let file = self.home.disk.open_to_write(&path)?;
        self.labelled = Some(self.segment(seal, Arc::from(file)));
        Ok(())
    }

    /// Names a segment, then gives it to the writer.
    fn name(&mut self, view: &View, segment: Segment) -> io::Result<Progress> {
        let named = SegmentInUse { segment, first: None };
        self.write_manifest(view, view.in_use.iter().chain([&named]))?;
        self.labelled = None;
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
            if self.spares.len() < SPARES_MAX && segment.bytes == self.home.segment_bytes {
                let file = segment.file;
                self.spares.push(Spare { number, file });
            } else {
                self.surplus.push(number);
            }
        }
        self.is_full = false;
        Ok(Progress::Made)
    }

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
        self.home.write(&manifest)?;
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
        let spare = self.spares.iter().map(|spare| spare.number);
        let taken: Vec<u32> = in_use.chain(spare).chain(self.surplus.iter().copied()).collect();
        let mut numbers = 1..u32::MAX;
        numbers.find(|number| !taken.contains(number)).unwrap_or(u32::MAX)
    }

    /// Says how much the log takes on the disk.
    fn count(&self) {
        let state = self.core.lock();
        let in_use: u64 = state.segments.iter().map(|in_use| in_use.segment.bytes).sum();
        let beside = self.spares.len() + self.surplus.len();
        self.core
            .figures
            .holds(in_use + beside as u64 * self.home.segment_bytes);
    }
}

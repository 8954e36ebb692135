//! Files of segments that are not in use: those that wait for their next use, and the one that is being made.
//!
//! The first [`RESERVE_SEGMENTS`] of them are the *reserve*: room that the log has even when the disk has none, taken ahead
//! and not written. What is made for the next use is written with zeros, so that whoever writes to it changes no size and no
//! map of blocks. Measured on ext4 in a virtual machine, a page and a sync at a time: 0.44 to 0.81 ms (median) in a file of
//! zeros, 0.69 to 1.06 ms where blocks were only taken; in groups of 64 KiB no difference. Zeros for 16 MiB in pieces of
//! 256 KiB took 118 to 165 ms, in pieces of 1 MiB 71 to 114 ms; taking the blocks 1 to 6 ms.
//!
//! Invariant: a file here is named by no manifest, so it counts for nothing and may go at any moment.
//!
//! Left out: when one is needed, and when there are too many (`housekeeping`).

use std::io;
use std::sync::Arc;

use crate::disk::{DeviceFile, NewFile};

use super::housekeeping::LogHome;
use super::manifest::segment_name;
use super::opening::SEGMENT_BYTES;
use super::segment::size;

/// Segments that are kept for a disk without room: what is allowed then is small, and the four of them hold some 16,000
/// groups of it.
pub(super) const RESERVE_SEGMENTS: usize = 4;

/// The room that the log has ahead, in bytes.
pub(crate) const RESERVE_BYTES: u64 = RESERVE_SEGMENTS as u64 * SEGMENT_BYTES;

// Less would last for seconds of logouts alone.
const _: () = assert!(RESERVE_BYTES >= 64 << 20);

/// Zeros written at a time, in bytes: a disk takes them in some milliseconds, and the writer waits behind no more.
const PIECE_BYTES_MAX: u64 = 1 << 20;

/// Segments that must fit before another one is made: the one, and as much for files that are replaced.
const FITTING_MIN: u64 = 2;

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

/// The files.
#[derive(Debug)]
pub(super) struct Spares {
    home: LogHome,
    /// The reserve first; the next use takes the last.
    whole: Vec<Spare>,
    filling: Option<Filling>,
}

impl Spares {
    /// Those that were found.
    pub(super) fn new(home: LogHome, whole: Vec<Spare>) -> Self {
        Self {
            home,
            whole,
            filling: None,
        }
    }

    /// How many are whole.
    pub(super) fn count(&self) -> usize {
        self.whole.len()
    }

    /// What those take on the disk, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.whole.len() as u64 * self.home.segment_bytes
    }

    /// Their numbers, and that of the one that is being made.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        let whole = self.whole.iter().map(|spare| spare.number);
        whole.chain(self.filling.iter().map(|filling| filling.number))
    }

    /// One for its next use.
    pub(super) fn take(&mut self) -> Option<Spare> {
        self.whole.pop()
    }

    /// One whose use has ended.
    pub(super) fn put(&mut self, spare: Spare) {
        self.whole.push(spare);
    }

    /// Gives one back to the file system; says whether there was one.
    pub(super) fn give_back(&mut self) -> io::Result<bool> {
        if self.whole.is_empty() {
            return Ok(false);
        }
        let number = self.whole.remove(0).number;
        self.home.disk.remove(&self.home.segment(number))?;
        Ok(true)
    }

    /// Takes room for another one of the reserve, under a number that no file has; one that was begun will do.
    pub(super) fn reserve(&mut self, number: u32) -> io::Result<()> {
        if self.filling.is_some() {
            return self.fill(number);
        }
        let mut new = self.begin(number)?;
        new.file().allocate(self.home.segment_bytes)?;
        let spare = self.publish(number, new)?;
        self.whole.insert(0, spare);
        Ok(())
    }

    /// Writes one piece of the file that is being made, or begins one under a number that no file has.
    pub(super) fn fill(&mut self, number: u32) -> io::Result<()> {
        let Some(mut filling) = self.filling.take() else {
            let new = self.begin(number)?;
            self.filling = Some(Filling {
                number,
                new,
                bytes: 0,
            });
            return Ok(());
        };
        let piece = PIECE_BYTES_MAX.min(self.home.segment_bytes - filling.bytes);
        let file = filling.new.file();
        file.write_all(&vec![0; size(piece)])?;
        // Synced piece by piece: one sync of all would keep the writer's waiting.
        file.sync_data()?;
        filling.bytes += piece;
        if filling.bytes < self.home.segment_bytes {
            self.filling = Some(filling);
            return Ok(());
        }
        let spare = self.publish(filling.number, filling.new)?;
        self.whole.push(spare);
        Ok(())
    }

    /// Gives up the file that is being made.
    pub(super) fn abandon(&mut self) {
        self.filling = None;
    }

    fn begin(&self, number: u32) -> io::Result<NewFile> {
        let LogHome {
            disk,
            directory,
            segment_bytes,
            ..
        } = &self.home;
        if disk.space(directory)?.free < segment_bytes * FITTING_MIN {
            return Err(io::ErrorKind::StorageFull.into());
        }
        disk.begin(directory, &segment_name(number))
    }

    fn publish(&self, number: u32, new: NewFile) -> io::Result<Spare> {
        let path = self.home.segment(number);
        new.publish(&path)?;
        let file = Arc::from(self.home.disk.open_to_write(&path)?);
        Ok(Spare { number, file })
    }
}

//! Writes a file at a bounded pace, so that the log's syncs on the same disk wait for no more than a piece of it.
//!
//! What is only written lies in the kernel's memory and goes to the disk all at once, at the sync that ends a file. So
//! the file is synced piece by piece, and each piece waits until it is due.
//!
//! Left out: files that a peer sends, which come at the peer's pace.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::disk::DeviceFile;
use crate::runtime;

/// Bytes a second: half of what a plain cloud disk writes, so that the log has the other half.
const BYTES_PER_SECOND: u64 = 64 << 20;
/// Bytes between two syncs: a quarter of a second's.
const PIECE_BYTES: u64 = BYTES_PER_SECOND / 4;

/// A file that is written at that pace. Waits: not for a runtime's thread.
pub(super) struct Paced<'a> {
    file: &'a mut dyn DeviceFile,
    began: Instant,
    written: u64,
    synced: u64,
}

impl<'a> Paced<'a> {
    /// From now on.
    pub(super) fn new(file: &'a mut dyn DeviceFile) -> Self {
        Self {
            file,
            began: runtime::now(),
            written: 0,
            synced: 0,
        }
    }
}

/// How long to wait when so many bytes took so long.
fn ahead(written: u64, took: Duration) -> Duration {
    Duration::from_millis(written.saturating_mul(1_000) / BYTES_PER_SECOND).saturating_sub(took)
}

impl Write for Paced<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.written += written as u64;
        if self.written - self.synced >= PIECE_BYTES {
            self.file.sync()?;
            self.synced = self.written;
            runtime::pause(ahead(self.written, runtime::since(self.began)));
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::disk::faulty;
    use crate::faults::{Faults, Kind, Operation};

    #[test]
    fn whoever_is_ahead_waits_and_whoever_is_behind_does_not() {
        let quarter = Duration::from_millis(250);
        assert_eq!(ahead(PIECE_BYTES, Duration::ZERO), quarter);
        assert_eq!(
            ahead(PIECE_BYTES, Duration::from_millis(200)),
            Duration::from_millis(50)
        );
        assert_eq!(ahead(PIECE_BYTES, Duration::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn a_large_file_reaches_the_disk_piece_by_piece() {
        let directory = tempfile::tempdir().unwrap();
        let (faults, at) = (Faults::default(), directory.path().join("snapshots"));
        let disk: Disk = faulty::disk(&faults);
        disk.make_directory(&at).unwrap();
        let mut new = disk.begin(&at, "1").unwrap();
        let mut paced = Paced::new(new.file());
        let mebibyte = vec![7; 1 << 20];
        (0..33).for_each(|_| paced.write_all(&mebibyte).unwrap());
        assert_eq!(faults.begun(Kind::Snapshot, Operation::Sync), 2);
    }
}

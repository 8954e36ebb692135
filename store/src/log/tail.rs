//! Whether the log ends torn, as a crash leaves it, or damaged, as a disk leaves it.
//!
//! The log cuts a record that reaches beyond the end of its newest file: it was being written when the power went, and
//! nobody was told that it is durable. A length that a disk flipped looks the same, but then records stand behind it
//! that were acknowledged. So this looks first: behind an incomplete record there must be nothing that is one. A value
//! in a torn record that imitates a record makes the node refuse too, which is the safe side.
//!
//! Left out on purpose: damage that is no incomplete record; the log itself refuses it.

use std::io;
use std::path::{Path, PathBuf};

use raft_log::RaftLogRecord;
use raft_log::codeq::Decode;

use crate::disk::Disk;

use super::records::Records;

/// Checks that nothing which the log would cut is followed by a whole record.
///
/// # Errors
/// The disk failed, or the log is damaged in its middle.
pub(super) fn check(disk: &Disk, directory: &Path) -> io::Result<()> {
    let mut files = files(disk, directory)?;
    while let Some(path) = files.pop() {
        let bytes = disk.read(&path)?;
        let Some(at) = incomplete(&bytes) else {
            return Ok(());
        };
        if let Some(behind) = record_behind(&bytes, at) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{} is damaged at byte {at}: a record there cannot be read, and at byte {behind} another one stands",
                    path.display()
                ),
            ));
        }
        if at > 0 {
            return Ok(());
        }
        // A file without a first record is one that was just begun: it will be removed, and the one before is then the
        // newest.
    }
    Ok(())
}

/// The files of the log, oldest first.
fn files(disk: &Disk, directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = disk.list(directory)?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wal"));
    files.sort();
    Ok(files)
}

/// Where a file stops to hold whole records, if it ends before the last of them does.
fn incomplete(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        match RaftLogRecord::<Records>::decode(&mut rest) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Some(at),
            // Some file systems make a file longer before they write it.
            Err(_) => return bytes[at..].iter().all(|byte| *byte == 0).then_some(at),
        }
    }
    bytes.is_empty().then_some(0)
}

/// Where a whole record with a true checksum begins behind `at`, if one does anywhere.
fn record_behind(bytes: &[u8], at: usize) -> Option<usize> {
    /// The kinds of records: a big-endian number in front of each (raft-log 0.4).
    const KINDS: u8 = 6;
    let begins = |at: &usize| matches!(bytes[*at..], [0, 0, 0, kind, ..] if kind < KINDS);
    let whole = |at: &usize| RaftLogRecord::<Records>::decode(&bytes[*at..]).is_ok();
    (at + 1..bytes.len()).filter(begins).find(whole)
}

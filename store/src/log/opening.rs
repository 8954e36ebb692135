//! Opening a log: reads what the manifest names, lets `recovery` say what it means, and makes the disk agree with that.
//!
//! Invariants: nothing is changed before all of it was read and found usable; on return what was found is durable, also what
//! a process that died had written and not synced, and behind the end of the log stand zeros, so that nothing that was cut
//! comes back. Left out: threads (`file_log`).

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use remora_table::{Format, Formats};

use crate::disk::Disk;

use super::LEAVE_OUT;
use super::core::{Core, Segment, SegmentInUse};
use super::data_dir::DiskId;
use super::gauge::Figures;
use super::housekeeping::{Housekeeper, LogHome};
use super::manifest::{MANIFEST, Manifest, segment_number};
use super::record::{Seal, Spot, Unreadable};
use super::recovery::{Broken, Leftovers, Recovered, Recovery};
use super::segment::size;
use super::spares::Spare;
use super::writer::LogWriter;

/// Size of a segment in bytes. Purging works segment by segment, so small ones keep the log tight; a segment of 16 MiB is
/// written in a third of a second of full load, and the next one is ready by then.
pub(crate) const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Whose log it is, and how it is read and written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogSetup {
    /// The disk that it lies on.
    pub owner: DiskId,
    /// Whether this disk may have answered with a vote: then the log holds one.
    pub voted: bool,
    /// What is written.
    pub format: Format,
    /// What can be read.
    pub understood: Formats,
    /// Size of new segments in bytes: whole pages of 4 KiB, four at least; no entry may be longer.
    pub segment_bytes: u64,
}

/// An opened log, with the two who work for it.
pub(super) struct OpenedLog {
    /// What they share.
    pub(super) core: Arc<Core>,
    /// Who writes.
    pub(super) writer: LogWriter,
    /// Who keeps segments.
    pub(super) housekeeper: Housekeeper,
}

/// Opens or creates the log in `directory`. Reads all of it: not for a runtime's thread.
pub(super) fn open(disk: &Disk, directory: &Path, setup: LogSetup) -> io::Result<OpenedLog> {
    let home = LogHome {
        disk: disk.clone(),
        directory: directory.to_path_buf(),
        owner: setup.owner,
        format: setup.format,
        segment_bytes: setup.segment_bytes,
    };
    disk.make_directory(directory)?;
    let manifest = manifest(&home, setup)?;
    let mut recovery = Recovery::new(manifest.clone(), setup.understood);
    let mut segments = Vec::new();
    for (nth, named) in manifest.segments.iter().enumerate() {
        let (segment, bytes) = segment(&home, named.number, named.generation)?;
        recovery.segment(nth, &bytes).map_err(|broken| refused(&broken))?;
        segments.push(segment);
    }
    let recovered = recovery.finish(setup.voted).map_err(|broken| refused(&broken))?;
    settle(&recovered, &segments)?;
    disk.sweep(directory)?;
    let spares = spares(&home, &manifest)?;
    let at = recovered
        .end
        .map(|(nth, Spot { offset, .. })| (segments[nth].clone(), offset));
    let mut firsts = recovered.firsts.into_iter();
    let segments: VecDeque<SegmentInUse> = (segments.into_iter())
        .map(|segment| SegmentInUse {
            segment,
            first: firsts.next(),
        })
        .collect();
    let figures = Figures::new(recovered.since_purge);
    let core = Arc::new(Core::new(recovered.contents, segments, figures));
    Ok(OpenedLog {
        writer: LogWriter::new(Arc::clone(&core), setup.format, at),
        housekeeper: Housekeeper::new(Arc::clone(&core), home, manifest.floor, spares),
        core,
    })
}

/// Reads the manifest; a directory that is empty gets its first one.
fn manifest(home: &LogHome, setup: LogSetup) -> io::Result<Manifest> {
    let lost = |what: &str| Err(refused(&Broken::Lost(what.to_owned())));
    let path = home.directory.join(MANIFEST);
    let bytes = match home.disk.read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if setup.voted {
                return lost("it has voted, and there is no log");
            }
            home.disk.sweep(&home.directory)?;
            if !home.disk.list(&home.directory)?.is_empty() {
                return lost("there are files, and no manifest that names them");
            }
            let manifest = Manifest::new(setup.owner);
            home.write(&manifest)?;
            return Ok(manifest);
        }
        Err(error) => return Err(error),
    };
    match Manifest::decode(&bytes, setup.understood) {
        Ok(manifest) if manifest.disk == setup.owner => Ok(manifest),
        Ok(manifest) => lost(&format!("the manifest is of disk {}", manifest.disk)),
        Err(Unreadable::Bad) => lost("the manifest cannot be read"),
        Err(Unreadable::Later(format)) => Err(refused(&Broken::WrittenLater(format))),
    }
}

/// Opens a segment that is named, and reads all of it.
fn segment(home: &LogHome, number: u32, generation: u64) -> io::Result<(Segment, Bytes)> {
    let path = home.segment(number);
    let file = match home.disk.open_to_write(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().unwrap_or_default().display();
            return Err(refused(&Broken::Lost(format!("{name} is not there"))));
        }
        opened => opened?,
    };
    let mut file = file;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let seal = Seal {
        disk: home.owner,
        number,
        generation,
    };
    let segment = Segment {
        seal,
        bytes: bytes.len() as u64,
        file: Arc::from(file),
    };
    Ok((segment, bytes.into()))
}

/// Makes what was found durable, and what stands behind it zeros.
fn settle(recovered: &Recovered, segments: &[Segment]) -> io::Result<()> {
    if recovered.torn {
        tracing::warn!("cut a torn tail off the log: the last write before the stop was incomplete");
    }
    if let Some((nth, _)) = recovered.end {
        segments[nth].file.sync_data()?;
    }
    for Leftovers { segment, from, to } in &recovered.leftovers {
        let file = &segments[*segment].file;
        file.write_at(&vec![0; size(to - from)], *from)?;
        file.sync_data()?;
    }
    Ok(())
}

/// The files that the manifest does not name: they wait for their next use, and what is no whole segment goes.
fn spares(home: &LogHome, manifest: &Manifest) -> io::Result<Vec<Spare>> {
    let mut spares = Vec::new();
    for path in home.disk.list(&home.directory)? {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(number) = name.and_then(segment_number) else {
            continue;
        };
        if manifest.segments.iter().any(|named| named.number == number) {
            continue;
        }
        if std::fs::metadata(&path)?.len() == home.segment_bytes {
            let file = Arc::from(home.disk.open_to_write(&path)?);
            spares.push(Spare { number, file });
        } else {
            home.disk.remove(&path)?;
        }
    }
    Ok(spares)
}

/// The sentence of a log that cannot be used.
fn refused(broken: &Broken) -> io::Error {
    match broken {
        Broken::WrittenLater(_) => io::Error::new(
            io::ErrorKind::Unsupported,
            format!(
                "{broken}, which this program does not understand: start the release of remora-store that ran here last, \
                 or a later one"
            ),
        ),
        Broken::Lost(_) | Broken::Damaged(_) => {
            io::Error::new(io::ErrorKind::InvalidData, format!("{broken}. {LEAVE_OUT}"))
        }
    }
}

//! The device with faults: the machine's file system, remembering what is not durable yet, so that a power cut can take
//! it back.
//!
//! Every operation meets its fault, then happens for real under the journal's lock, and is written down there: names that
//! were made, changed or removed, until their directory is synced; how much of a file is durable, and what its pages held
//! before they were written in place, until it is synced. A power cut undoes the names from the last to the first, or to
//! one drawn by its seed, cuts each file to its durable length, or to one beyond, and gives back each page as it was, or
//! not: each by itself, for a disk writes them in any order. Whoever still holds a file of an ended life is refused.
//!
//! The machine's own disk is never waited for: what is durable is what the journal says.
//!
//! Left out: a part of a page, which a disk writes whole or not at all; names that outlive an earlier change in the same
//! data directory, which a file system with a journal does not leave.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::faults::{Faults, Kind, Leftover, Life, Operation, no_room, power_is_cut};

use super::{Device, DeviceFile, Disk, FileSystem, Space, parent};

/// What a disk writes whole or not at all, in bytes: the sector of today's disks, and the page of the kernel's cache.
const PAGE_BYTES: u64 = 4_096;

/// The disk of a node with such faults, for their present life.
pub(crate) fn disk(faults: &Faults) -> Disk {
    let device = FaultyDevice {
        life: faults.life(),
        journal: Arc::default(),
    };
    let journal = Arc::clone(&device.journal);
    device.life.at_cut(move |leftover| {
        let journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal
            .take_back(leftover)
            .expect("the machine's own disk is well");
    });
    Disk::over(device)
}

#[derive(Clone, Debug)]
struct FaultyDevice {
    life: Life,
    journal: Arc<Mutex<Journal>>,
}

#[derive(Debug)]
struct FaultyFile {
    file: Box<dyn DeviceFile>,
    kind: Kind,
    /// Its number in the journal; none if it is only read.
    number: Option<u64>,
    device: FaultyDevice,
}

/// The page of a segment that says whose it is. A disk that lies about it has lost a part of the log, and its node does not
/// start: that is shown elsewhere.
const LABEL: u64 = 0;

/// What a power cut would take back.
#[derive(Debug, Default)]
struct Journal {
    names: Vec<Change>,
    files: BTreeMap<u64, Bytes>,
    begun: u64,
}

/// The bytes of a file.
#[derive(Debug)]
struct Bytes {
    path: PathBuf,
    durable: u64,
    /// Pages that were written in place, by number, as they were before.
    overwritten: BTreeMap<u64, Vec<u8>>,
}

/// A change of names, with what undoes it.
#[derive(Debug)]
enum Change {
    Made(PathBuf),
    Renamed {
        from: PathBuf,
        to: PathBuf,
        replaced: Option<Vec<u8>>,
    },
    Removed(PathBuf, Vec<u8>),
}

impl Change {
    /// The directory whose sync makes it durable.
    fn directory(&self) -> &Path {
        match self {
            Self::Made(path) | Self::Removed(path, _) | Self::Renamed { to: path, .. } => parent(path),
        }
    }
}

impl Journal {
    /// Leaves of what is not durable so much.
    fn take_back(&self, leftover: Leftover) -> io::Result<()> {
        let stays = leftover.of(self.names.len());
        let mut moved: BTreeMap<&Path, &Path> = BTreeMap::new();
        let mut restored: BTreeSet<&Path> = BTreeSet::new();
        for change in self.names[stays..].iter().rev() {
            match change {
                Change::Made(path) if path.is_dir() => fs::remove_dir_all(path)?,
                Change::Made(path) => fs::remove_file(path)?,
                Change::Renamed { from, to, replaced } => {
                    fs::rename(to, from)?;
                    moved.insert(to, from);
                    if let Some(bytes) = replaced {
                        fs::write(to, bytes)?;
                    }
                }
                Change::Removed(path, bytes) => {
                    fs::write(path, bytes)?;
                    restored.insert(path);
                }
            }
        }
        for bytes in self.files.values() {
            let path = moved.get(bytes.path.as_path()).copied().unwrap_or(&bytes.path);
            // What bore the name before bears it again.
            if restored.contains(path) {
                continue;
            }
            let Ok(file) = fs::File::options().write(true).open(path) else {
                continue;
            };
            for (nth, (page, before)) in bytes.overwritten.iter().enumerate() {
                if !leftover.keeps(nth) {
                    file.write_all_at(before, page * PAGE_BYTES)?;
                }
            }
            // A name that was taken back may show an older file, all of which was durable.
            if let Some(unsynced) = file.metadata()?.len().checked_sub(bytes.durable) {
                let unsynced = usize::try_from(unsynced).map_err(io::Error::other)?;
                file.set_len(bytes.durable + leftover.of(unsynced) as u64)?;
            }
        }
        Ok(())
    }

    /// A file was made, to be written; gives its number.
    fn begin(&mut self, path: &Path) -> u64 {
        self.files.retain(|_, bytes| bytes.path != path);
        self.note(Bytes {
            path: path.to_path_buf(),
            durable: 0,
            overwritten: BTreeMap::new(),
        })
    }

    /// A file of this length is open to be written again; gives its number. What a former writer left unsynced still is.
    fn begin_again(&mut self, path: &Path, length: u64) -> u64 {
        let former = self.files.extract_if(.., |_, bytes| bytes.path == path).last();
        self.note(former.map_or_else(
            || Bytes {
                path: path.to_path_buf(),
                durable: length,
                overwritten: BTreeMap::new(),
            },
            |(_, bytes)| bytes,
        ))
    }

    fn note(&mut self, bytes: Bytes) -> u64 {
        self.begun += 1;
        self.files.insert(self.begun, bytes);
        self.begun
    }

    /// A file bears another name now, and whatever bore it is gone.
    fn renamed(&mut self, from: &Path, to: &Path) {
        self.files.retain(|_, bytes| bytes.path != to);
        for bytes in self.files.values_mut().filter(|bytes| bytes.path == from) {
            bytes.path = to.to_path_buf();
        }
    }
}

/// Whose file it is, by where it lies in a data directory.
fn kind(path: &Path) -> Kind {
    let directory = parent(path).file_name().unwrap_or_default();
    match directory.to_str() {
        Some("snapshots") => Kind::Snapshot,
        Some("log") => Kind::Log,
        _ => Kind::Identity,
    }
}

impl FaultyDevice {
    /// Meets the fault of an operation; then it happens while nobody cuts the power.
    fn meet(&self, kind: Kind, operation: Operation) -> io::Result<MutexGuard<'_, Journal>> {
        self.life.meet(kind, operation)?;
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        match self.life.cut() {
            None => Ok(journal),
            Some(_) => Err(power_is_cut()),
        }
    }

    fn file(&self, path: &Path, file: Box<dyn DeviceFile>, number: Option<u64>) -> Box<dyn DeviceFile> {
        Box::new(FaultyFile {
            file,
            kind: kind(path),
            number,
            device: self.clone(),
        })
    }
}

impl Device for FaultyDevice {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DeviceFile>> {
        let mut journal = self.meet(Kind::Directory, Operation::Write)?;
        if !path.exists() {
            journal.names.push(Change::Made(path.to_path_buf()));
        }
        let file = FileSystem.create(path)?;
        let number = journal.begin(path);
        Ok(self.file(path, file, Some(number)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DeviceFile>> {
        let _journal = self.meet(kind(path), Operation::Read)?;
        Ok(self.file(path, FileSystem.open(path)?, None))
    }

    fn open_to_write(&self, path: &Path) -> io::Result<Box<dyn DeviceFile>> {
        let mut journal = self.meet(Kind::Directory, Operation::Read)?;
        let file = FileSystem.open_to_write(path)?;
        let number = journal.begin_again(path, fs::metadata(path)?.len());
        Ok(self.file(path, file, Some(number)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut journal = self.meet(Kind::Directory, Operation::Write)?;
        let replaced = fs::read(to).ok();
        FileSystem.rename(from, to)?;
        journal.renamed(from, to);
        journal.names.push(Change::Renamed {
            from: from.to_path_buf(),
            to: to.to_path_buf(),
            replaced,
        });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut journal = self.meet(Kind::Directory, Operation::Write)?;
        let bytes = fs::read(path)?;
        FileSystem.remove(path)?;
        journal.files.retain(|_, bytes| bytes.path != path);
        journal.names.push(Change::Removed(path.to_path_buf(), bytes));
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let _journal = self.meet(Kind::Directory, Operation::Read)?;
        FileSystem.list(directory)
    }

    fn make_directories(&self, path: &Path) -> io::Result<()> {
        let mut journal = self.meet(Kind::Directory, Operation::Write)?;
        let missing = path.ancestors().take_while(|above| super::is_missing(above));
        let mut made: Vec<Change> = missing.map(|made| Change::Made(made.to_path_buf())).collect();
        made.reverse();
        FileSystem.make_directories(path)?;
        journal.names.append(&mut made);
        Ok(())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut journal = self.meet(Kind::Directory, Operation::Sync)?;
        journal.names.retain(|change| change.directory() != directory);
        Ok(())
    }

    fn space(&self, directory: &Path) -> io::Result<Space> {
        let space = FileSystem.space(directory)?;
        let free = self.life.free_bytes().unwrap_or(space.free);
        Ok(Space { free, ..space })
    }
}

impl Read for FaultyFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let _journal = self.device.meet(self.kind, Operation::Read)?;
        self.file.read(into)
    }
}

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _journal = self.device.meet(self.kind, Operation::Write)?;
        let fits = self.device.life.take_room(self.kind, bytes.len());
        if fits == 0 && !bytes.is_empty() {
            return Err(no_room());
        }
        self.file.write(&bytes[..fits])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for FaultyFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl DeviceFile for FaultyFile {
    fn sync(&self) -> io::Result<()> {
        let mut journal = self.device.meet(self.kind, Operation::Sync)?;
        let lies = self.kind == Kind::Log && self.device.life.lies();
        if let Some(bytes) = self.number.and_then(|number| journal.files.get_mut(&number)) {
            bytes.durable = fs::metadata(&bytes.path)?.len();
            bytes.overwritten.retain(|page, _| lies && *page != LABEL);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        let _journal = self.device.meet(self.kind, Operation::Read)?;
        self.file.read_at(into, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut journal = self.device.meet(self.kind, Operation::Write)?;
        if let Some(known) = self.number.and_then(|number| journal.files.get_mut(&number)) {
            for page in offset / PAGE_BYTES..(offset + bytes.len() as u64).div_ceil(PAGE_BYTES) {
                let mut before = vec![0; usize::try_from(PAGE_BYTES).map_err(io::Error::other)?];
                self.file.read_at(&mut before, page * PAGE_BYTES)?;
                known.overwritten.entry(page).or_insert(before);
            }
        }
        self.file.write_at(bytes, offset)
    }
    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let _journal = self.device.meet(self.kind, Operation::Write)?;
        let wanted = usize::try_from(bytes).map_err(io::Error::other)?;
        if self.device.life.take_room(self.kind, wanted) < wanted {
            return Err(no_room());
        }
        self.file.allocate(bytes)
    }
}

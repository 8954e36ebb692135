//! Disks that misbehave under real processes: slow syncs, slow reads, syncs that do not end, and no room.
//!
//! A small library (`disk/faulty.c`), which is compiled for each world and preloaded, stands between a program and the C
//! library. What it does is written into a file that it has mapped, so a claim changes it while the process runs. Each
//! process may have a disk of its own, or share one.
//!
//! Left out: errors and lost writes, which the store's own tests make at every single operation.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::place;

/// What can be asked of a disk, by its place in the file.
#[derive(Clone, Copy)]
enum Word {
    SyncFile,
    SyncDirectory,
    Read,
    Hang,
    Room,
}

/// Bytes of one word.
const WORD_BYTES: u64 = 4;

/// Bytes of a KiB, in which the control file counts room.
const KIB_BYTES: u64 = 1_024;

/// Bytes of a block, in which a file system says what a file takes.
const BLOCK_BYTES: u64 = 512;

/// A disk under one or more processes; clones are the same.
#[derive(Clone, Debug)]
pub struct FaultyDisk {
    control: Arc<File>,
    data: PathBuf,
    path: PathBuf,
    library: PathBuf,
}

impl FaultyDisk {
    /// One without faults so far under the data directory `data`, whose control file stands beside it.
    ///
    /// # Errors
    /// When the library cannot be compiled or the file not be written.
    pub fn new(data: &Path) -> Result<Self> {
        let directory = data.parent().context("a data directory stands in another one")?;
        let path = data.with_extension("disk");
        let control = File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("write {}", path.display()))?;
        let disk = Self {
            control: Arc::new(control),
            data: data.to_path_buf(),
            path,
            library: library(directory)?,
        };
        for word in [
            Word::SyncFile,
            Word::SyncDirectory,
            Word::Read,
            Word::Hang,
            Word::Room,
        ] {
            disk.set(word, 0)?;
        }
        Ok(disk)
    }

    /// Puts a program that is about to start on this disk.
    pub fn under(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAULTY_DISK", &self.path)
            .env("FAULTY_DISK_DATA", &self.data);
    }

    /// Every sync of a file takes so much longer from now on.
    ///
    /// # Errors
    /// When the control file cannot be written.
    pub fn slow_syncs(&self, by: Duration) -> Result<()> {
        self.set(Word::SyncFile, milliseconds(by)?)
    }

    /// Every sync of a directory takes so much longer from now on.
    ///
    /// # Errors
    /// When the control file cannot be written.
    pub fn slow_directory_syncs(&self, by: Duration) -> Result<()> {
        self.set(Word::SyncDirectory, milliseconds(by)?)
    }

    /// Every read at a position takes so much longer from now on.
    ///
    /// # Errors
    /// When the control file cannot be written.
    pub fn slow_reads(&self, by: Duration) -> Result<()> {
        self.set(Word::Read, milliseconds(by)?)
    }

    /// Syncs begin and do not end from now on, or do again.
    ///
    /// # Errors
    /// When the control file cannot be written.
    pub fn hang(&self, hangs: bool) -> Result<()> {
        self.set(Word::Hang, hangs.into())
    }

    /// The disk is full from now on: what stands on it stays, and nothing more fits.
    ///
    /// # Errors
    /// When the control file cannot be written, or the data directory not be read.
    pub fn fill(&self) -> Result<()> {
        // One more than it may hold, since 0 is no limit.
        self.set(Word::Room, u32::try_from(taken(&self.data)? / KIB_BYTES)? + 1)
    }

    /// There is as much room again as the machine has.
    ///
    /// # Errors
    /// When the control file cannot be written.
    pub fn make_room(&self) -> Result<()> {
        self.set(Word::Room, 0)
    }

    fn set(&self, word: Word, value: u32) -> Result<()> {
        self.control
            .write_all_at(&value.to_le_bytes(), word as u64 * WORD_BYTES)
            .with_context(|| format!("write {}", self.path.display()))
    }
}

/// Bytes that the files below a directory take. A file may go while they are counted.
fn taken(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory).with_context(|| format!("list {}", directory.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            bytes += taken(&path)?;
        } else if let Ok(about) = fs::metadata(&path) {
            bytes += about.blocks() * BLOCK_BYTES;
        }
    }
    Ok(bytes)
}

fn milliseconds(duration: Duration) -> Result<u32> {
    u32::try_from(duration.as_millis()).context("a delay of a disk is of seconds, not of weeks")
}

/// The library, compiled once for a directory.
fn library(directory: &Path) -> Result<PathBuf> {
    let library = directory.join("faulty-disk.so");
    if library.is_file() {
        return Ok(library);
    }
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&library)
        .arg(place::repository().join("tests/disk/faulty.c"))
        .arg("-ldl")
        .output()
        .context("cc compiles the disk that misbehaves")?;
    ensure!(
        compiled.status.success(),
        "cc: {}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    Ok(library)
}

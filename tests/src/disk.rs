//! Disks that misbehave under real processes: slow syncs, slow reads, syncs that do not end.
//!
//! A small library (`disk/faulty.c`), which is compiled for each world and preloaded, stands between a program and the C library. What
//! it does is written into a file that it has mapped, so a claim changes it while the process runs. Each process may have a
//! disk of its own, or share one.
//!
//! Left out: errors and lost writes, which the store's own tests make at every single operation.

use std::fs::File;
use std::os::unix::fs::FileExt;
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
}

/// Bytes of one word.
const WORD_BYTES: u64 = 4;

/// A disk under one or more processes; clones are the same.
#[derive(Clone, Debug)]
pub struct FaultyDisk {
    control: Arc<File>,
    path: PathBuf,
    library: PathBuf,
}

impl FaultyDisk {
    /// One without faults so far, whose control file stands in `directory` under this name.
    ///
    /// # Errors
    /// When the library cannot be compiled or the file not be written.
    pub fn new(directory: &Path, name: &str) -> Result<Self> {
        let path = directory.join(format!("{name}.disk"));
        let control = File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("write {}", path.display()))?;
        let disk = Self {
            control: Arc::new(control),
            path,
            library: library(directory)?,
        };
        for word in [Word::SyncFile, Word::SyncDirectory, Word::Read, Word::Hang] {
            disk.set(word, 0)?;
        }
        Ok(disk)
    }

    /// Puts a program that is about to start on this disk.
    pub fn under(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAULTY_DISK", &self.path);
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

    fn set(&self, word: Word, value: u32) -> Result<()> {
        self.control
            .write_all_at(&value.to_le_bytes(), word as u64 * WORD_BYTES)
            .with_context(|| format!("write {}", self.path.display()))
    }
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

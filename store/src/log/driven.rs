//! A log whose workers are driven by whoever opened it, one step at a time. Compiled for tests alone: a program's log has
//! threads of its own (`file_log`).

use std::io;
use std::path::Path;
use std::sync::Arc;

use remora_table::Formats;

use crate::disk::Disk;

use super::core::{Core, Progress};
use super::data_dir::{DataDir, DataDirError};
use super::file_log::FileLog;
use super::housekeeping::Housekeeper;
use super::opening::{self, LogSetup};
use super::writer::LogWriter;

/// A log, and those who work for it.
pub(crate) struct DrivenLog {
    /// The log.
    pub(crate) log: FileLog,
    /// Its workers.
    pub(crate) workers: LogWorkers,
}

/// The workers of a log.
pub(crate) struct LogWorkers {
    pub(super) core: Arc<Core>,
    pub(super) writer: LogWriter,
    pub(super) housekeeper: Housekeeper,
}

impl DrivenLog {
    /// Opens the log of a data directory, as [`DataDir::open_log`] does.
    pub(crate) fn open(
        disk: &Disk,
        data_dir: &mut DataDir,
        understood: Formats,
        segment_bytes: u64,
    ) -> Result<Self, DataDirError> {
        let path = data_dir.log_directory();
        let setup = data_dir.log_setup(understood, segment_bytes);
        let opened = Self::open_in(disk, &path, setup);
        let mut opened = opened.map_err(|source| DataDirError::Io { path, source })?;
        opened.workers.settle();
        if crate::log::Log::vote(&opened.log).is_some() {
            data_dir.set_voted()?;
        }
        Ok(opened)
    }

    /// Opens the log in a directory.
    pub(super) fn open_in(disk: &Disk, directory: &Path, setup: LogSetup) -> io::Result<Self> {
        let opened = opening::open(disk, directory, setup)?;
        Ok(Self {
            log: FileLog::over(Arc::clone(&opened.core), setup, Vec::new()),
            workers: LogWorkers {
                core: opened.core,
                writer: opened.writer,
                housekeeper: opened.housekeeper,
            },
        })
    }
}

impl LogWorkers {
    /// Lets each do one thing. Says whether there was something to do.
    pub(crate) fn step(&mut self) -> bool {
        let written = self.writer.step();
        let kept = self.housekeeper.step();
        [written, kept].iter().any(|progress| *progress != Progress::None)
    }

    /// Lets them do all that there is to do.
    pub(crate) fn settle(&mut self) {
        while self.step() {}
    }
}

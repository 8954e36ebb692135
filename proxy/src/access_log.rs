//! One line for each exchange: httpd's combined format, then what the proxy decided.
//!
//! `CLIENT - - [TIME] "REQUEST" STATUS BYTES "REFERER" "AGENT" pool= route= pick= attempts= head= total= end= id= trace=`
//!
//! A proxy thread formats its line and appends it to a shared buffer; one writer thread takes the buffer when a batch
//! is full or a tenth of a second has passed. Nobody ever waits for a disk or a pipe: when the writer is too far
//! behind, lines are dropped and counted.
//!
//! Invariants: session ids never appear (values of the session parameter are replaced in target and referer, cookies
//! are not logged) · bytes that could forge a line or drive a terminal are escaped · after [`AccessLog::close`] all
//! that was noted before is written.

mod line;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::error;

use crate::config::LogTarget;
use crate::metrics::LOG_LINES_DROPPED;

pub(crate) use line::{End, Entry};

/// Bytes after which the writer writes at once: one system call for some two hundred lines.
const BATCH_BYTES: usize = 32 * 1024;
/// How long a line may wait for others: a person who watches the log must not notice.
const LINGER: Duration = Duration::from_millis(100);
/// Bytes that may wait for the writer, some 25,000 lines; beyond it lines are dropped.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Where exchanges are noted; clones share it.
#[derive(Clone)]
pub struct AccessLog {
    shared: Option<Arc<Handover>>,
}

#[derive(Default)]
struct Handover {
    state: Mutex<Backlog>,
    wake: Condvar,
}

#[derive(Default)]
struct Backlog {
    buffer: Vec<u8>,
    reopen: bool,
    closed: bool,
    written: bool,
}

/// The side that writes; [`LogWriter::run`] belongs on a thread of its own.
pub struct LogWriter {
    shared: Arc<Handover>,
    target: LogTarget,
    output: Output,
}

enum Output {
    Stdout,
    Stderr,
    File(File),
}

impl AccessLog {
    /// A log that goes nowhere.
    #[must_use]
    pub(crate) fn off() -> AccessLog {
        AccessLog { shared: None }
    }

    /// Opens the target. There is no writer to run when the log is off.
    ///
    /// # Errors
    /// The file cannot be opened for appending.
    pub fn open(target: &LogTarget) -> io::Result<(AccessLog, Option<LogWriter>)> {
        let output = match target {
            LogTarget::Off => return Ok((AccessLog::off(), None)),
            target => Output::open(target)?,
        };
        let shared = Arc::new(Handover::default());
        let writer = LogWriter {
            shared: shared.clone(),
            target: target.clone(),
            output,
        };
        Ok((AccessLog { shared: Some(shared) }, Some(writer)))
    }

    /// Whether lines go anywhere; spares the caller the making of an entry.
    #[must_use]
    pub(crate) fn is_on(&self) -> bool {
        self.shared.is_some()
    }

    /// Notes an exchange. Never waits for the output.
    pub(crate) fn note(&self, entry: &Entry<'_>) {
        let Some(shared) = &self.shared else { return };
        let line = line::format(entry, line::now());
        let mut state = shared.lock();
        if state.buffer.len() + line.len() > BUFFER_BYTES {
            drop(state);
            metrics::counter!(LOG_LINES_DROPPED).increment(1);
            return;
        }
        let before = state.buffer.len();
        state.buffer.extend_from_slice(&line);
        let filled = before < BATCH_BYTES && state.buffer.len() >= BATCH_BYTES;
        drop(state);
        if before == 0 || filled {
            shared.wake.notify_all();
        }
    }

    /// Opens the file anew before the next batch, so that it can be rotated.
    pub fn reopen(&self) {
        if let Some(shared) = &self.shared {
            shared.lock().reopen = true;
        }
    }

    /// Lets the writer write what is left and end, and waits for it up to `limit`. Says whether all was written.
    pub fn close(&self, limit: Duration) -> bool {
        let Some(shared) = &self.shared else { return true };
        let mut state = shared.lock();
        state.closed = true;
        shared.wake.notify_all();
        let waited = shared
            .wake
            .wait_timeout_while(state, limit, |state| !state.written);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.written
    }
}

impl LogWriter {
    /// Writes until the log is closed. Blocks its thread.
    pub fn run(mut self) {
        let mut batch = Vec::new();
        let mut failed = false;
        while self.take(&mut batch) {
            let written = self.output.write(&batch);
            // Once when it begins: the operator needs one line, not one per batch.
            if let Err(cause) = &written
                && !failed
            {
                error!(%cause, "the access log cannot be written; lines are lost until it can");
            }
            failed = written.is_err();
            batch.clear();
        }
        self.shared.lock().written = true;
        self.shared.wake.notify_all();
    }

    /// Waits for a batch; false when the log is closed and empty.
    fn take(&mut self, batch: &mut Vec<u8>) -> bool {
        let idle = |state: &mut Backlog| state.buffer.is_empty() && !state.closed;
        let state = self
            .shared
            .wake
            .wait_while(self.shared.lock(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        let filling = |state: &mut Backlog| state.buffer.len() < BATCH_BYTES && !state.closed;
        let waited = self.shared.wake.wait_timeout_while(state, LINGER, filling);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.buffer, batch);
        let reopen = std::mem::take(&mut state.reopen);
        drop(state);
        if reopen {
            self.reopen();
        }
        !batch.is_empty()
    }

    fn reopen(&mut self) {
        match Output::open(&self.target) {
            Ok(output) => self.output = output,
            Err(cause) => error!(%cause, "the access log cannot be opened anew; the old file goes on"),
        }
    }
}

impl Output {
    fn open(target: &LogTarget) -> io::Result<Output> {
        Ok(match target {
            LogTarget::Stderr => Output::Stderr,
            LogTarget::File(path) => Output::File(OpenOptions::new().create(true).append(true).open(path)?),
            LogTarget::Stdout | LogTarget::Off => Output::Stdout,
        })
    }

    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        match self {
            Output::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(batch)?;
                stdout.flush()
            }
            Output::Stderr => io::stderr().lock().write_all(batch),
            Output::File(file) => file.write_all(batch),
        }
    }
}

impl Handover {
    fn lock(&self) -> MutexGuard<'_, Backlog> {
        // The state is plain data that each holder leaves whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

//! The side that writes: takes what threads hand over, and is the only one that waits for a disk or a pipe.
//!
//! Invariants: buffers go round, so that handing over costs no allocation · what waits for the writer is bounded
//! ([`BUFFER_BYTES`]) · after a close all that was handed over before is written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::error;

use crate::config::LogTarget;
use crate::metrics::LOG_LINES_DROPPED;

/// Bytes that may wait for the writer, some 20,000 lines; beyond it lines are dropped.
pub(super) const BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Empty buffers that are kept for use again: two for each of eight threads, or what a short rush leaves.
const SPARE_MAX: usize = 16;
/// Room in a buffer above which it is not kept: a rare line may be far longer than a batch.
const SPARE_BYTES: usize = 4 * super::BATCH_BYTES;

/// Between the threads and the writer of one place.
#[derive(Default)]
pub(super) struct Handover {
    state: Mutex<Backlog>,
    wake: Condvar,
}

#[derive(Default)]
pub(super) struct Backlog {
    /// What was handed over and not taken, in its order.
    pub(super) batches: Vec<Vec<u8>>,
    /// Bytes of all of them.
    pub(super) bytes: usize,
    spare: Vec<Vec<u8>>,
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

impl Handover {
    pub(super) fn lock(&self) -> MutexGuard<'_, Backlog> {
        // The state is plain data that each holder leaves whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes some lines, and leaves room for others in their place.
    pub(super) fn hand_over(&self, text: &mut Vec<u8>, lines: u64) {
        let mut state = self.lock();
        if state.bytes + text.len() > BUFFER_BYTES {
            drop(state);
            text.clear();
            metrics::counter!(LOG_LINES_DROPPED).increment(lines);
            return;
        }
        let spare = state.spare.pop().unwrap_or_default();
        let batch = std::mem::replace(text, spare);
        state.bytes += batch.len();
        state.batches.push(batch);
        drop(state);
        self.wake.notify_all();
    }

    pub(super) fn reopen(&self) {
        self.lock().reopen = true;
    }

    /// Nothing is handed over any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    /// Waits until all is written after a close, up to `limit`; says whether it is.
    pub(super) fn is_written(&self, limit: Duration) -> bool {
        let waited = self
            .wake
            .wait_timeout_while(self.lock(), limit, |state| !state.written);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.written
    }
}

impl LogWriter {
    /// Opens a place; none where nothing goes.
    pub(super) fn open(target: &LogTarget) -> io::Result<Option<(Arc<Handover>, Self)>> {
        if *target == LogTarget::Off {
            return Ok(None);
        }
        let shared = Arc::new(Handover::default());
        let writer = LogWriter {
            shared: shared.clone(),
            target: target.clone(),
            output: Output::open(target)?,
        };
        Ok(Some((shared, writer)))
    }

    /// Writes until the log is closed. Blocks its thread.
    pub fn run(mut self) {
        let mut batches = Vec::new();
        let mut failed = false;
        while self.take(&mut batches) {
            let each = batches.iter().map(|batch| self.output.write(batch));
            let written = each.fold(Ok(()), Result::and);
            // Once when it begins: the operator needs one line, not one per batch.
            if let Err(cause) = &written
                && !failed
            {
                error!(%cause, "a log cannot be written; lines are lost until it can");
            }
            failed = written.is_err();
        }
        self.shared.lock().written = true;
        self.shared.wake.notify_all();
    }

    /// Gives back the batches that were written, and waits for others; false when the log is closed and there are none.
    pub(super) fn take(&mut self, batches: &mut Vec<Vec<u8>>) -> bool {
        let mut state = self.shared.lock();
        for mut buffer in batches.drain(..) {
            if state.spare.len() < SPARE_MAX && buffer.capacity() <= SPARE_BYTES {
                buffer.clear();
                state.spare.push(buffer);
            }
        }
        let idle = |state: &mut Backlog| state.batches.is_empty() && !state.closed;
        let waited = self.shared.wake.wait_while(state, idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.batches, batches);
        state.bytes = 0;
        let reopen = std::mem::take(&mut state.reopen);
        drop(state);
        if reopen {
            self.reopen();
        }
        !batches.is_empty()
    }

    fn reopen(&mut self) {
        match Output::open(&self.target) {
            Ok(output) => self.output = output,
            Err(cause) => error!(%cause, "a log cannot be opened anew; the old file goes on"),
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

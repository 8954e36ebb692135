//! One line for each exchange: httpd's combined format, then what the proxy decided.
//!
//! `CLIENT - - [TIME] "REQUEST" STATUS BYTES "REFERER" "AGENT" received= pool= route= pick= attempts= head= total= end= reason= id= trace=`
//!
//! What was no request has a line as well, with `"-"` in its place and the reason why it was refused.
//!
//! A proxy thread writes its lines into a buffer of its own, and hands that over when it is full or the thread's tick comes;
//! one writer thread takes what was handed over. So a line costs no lock and no allocation: buffers go round. Nobody ever
//! waits for a disk or a pipe: when the writer is too far behind, lines are dropped and counted. Lines of one thread stand in
//! the order in which their exchanges ended; those of different threads may be a tick apart.
//!
//! Invariants: session ids never appear (values of the session parameter are replaced in target and referer, cookies
//! are not logged) · bytes that could forge a line or drive a terminal are escaped · a thread's last lines are handed over
//! when its handle is dropped, and after [`AccessLog::close`] all that was handed over before is written.

mod clock;
mod line;

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::error;

use crate::config::LogTarget;
use crate::metrics::LOG_LINES_DROPPED;
use clock::Clock;

pub(crate) use line::{End, Entry};

/// Bytes after which a thread hands its lines over at once: one system call for some two hundred lines.
const BATCH_BYTES: usize = 32 * 1024;
/// Bytes that may wait for the writer, some 25,000 lines; beyond it lines are dropped.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Empty buffers that are kept for use again: two for each of eight threads, or what a short rush leaves.
const SPARE_MAX: usize = 16;
/// Room in a buffer above which it is not kept: a rare line may be far longer than a batch.
const SPARE_BYTES: usize = 4 * BATCH_BYTES;

/// The log of a process; clones share it.
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
    /// What was handed over and not taken, in its order.
    batches: Vec<Vec<u8>>,
    /// Bytes of all of them.
    bytes: usize,
    spare: Vec<Vec<u8>>,
    reopen: bool,
    closed: bool,
    written: bool,
}

/// Where one thread notes its exchanges.
pub(crate) struct ThreadLog {
    shared: Option<Arc<Handover>>,
    page: RefCell<Page>,
}

/// What a thread has noted and not handed over.
struct Page {
    text: Vec<u8>,
    lines: u64,
    clock: Clock,
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
    /// Opens the target. There is no writer to run when the log is off.
    ///
    /// # Errors
    /// The file cannot be opened for appending.
    pub fn open(target: &LogTarget) -> io::Result<(AccessLog, Option<LogWriter>)> {
        let output = match target {
            LogTarget::Off => return Ok((AccessLog { shared: None }, None)),
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

    /// A thread's own handle.
    #[must_use]
    pub(crate) fn of_thread(&self) -> ThreadLog {
        ThreadLog {
            shared: self.shared.clone(),
            page: RefCell::new(Page {
                text: Vec::new(),
                lines: 0,
                clock: Clock::new(),
            }),
        }
    }

    /// Opens the file anew before the next batch, so that it can be rotated.
    pub fn reopen(&self) {
        if let Some(shared) = &self.shared {
            shared.lock().reopen = true;
        }
    }

    /// Lets the writer write what is left and end, and waits for it up to `limit`. Says whether all was written. Threads
    /// must have dropped their handles before.
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

impl ThreadLog {
    /// Whether lines go anywhere; spares the caller the making of an entry.
    #[must_use]
    pub(crate) fn is_on(&self) -> bool {
        self.shared.is_some()
    }

    /// Notes an exchange, which ended now. Never waits for the output.
    pub(crate) fn note(&self, entry: &Entry<'_>, now: Instant) {
        let Some(shared) = &self.shared else { return };
        let mut page = self.page.borrow_mut();
        let Page { text, lines, clock } = &mut *page;
        line::write(text, entry, clock.text(now));
        *lines += 1;
        if text.len() >= BATCH_BYTES {
            page.hand_over(shared);
        }
    }

    /// Hands over what was noted. To be called several times a second: until then nobody sees it.
    pub(crate) fn flush(&self) {
        if let Some(shared) = &self.shared {
            self.page.borrow_mut().hand_over(shared);
        }
    }
}

impl Drop for ThreadLog {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Page {
    fn hand_over(&mut self, shared: &Handover) {
        if self.text.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut self.lines);
        let mut state = shared.lock();
        if state.bytes + self.text.len() > BUFFER_BYTES {
            drop(state);
            self.text.clear();
            metrics::counter!(LOG_LINES_DROPPED).increment(lines);
            return;
        }
        let spare = state.spare.pop().unwrap_or_default();
        let batch = std::mem::replace(&mut self.text, spare);
        state.bytes += batch.len();
        state.batches.push(batch);
        drop(state);
        shared.wake.notify_all();
    }
}

impl LogWriter {
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
                error!(%cause, "the access log cannot be written; lines are lost until it can");
            }
            failed = written.is_err();
        }
        self.shared.lock().written = true;
        self.shared.wake.notify_all();
    }

    /// Gives back the batches that were written, and waits for others; false when the log is closed and there are none.
    fn take(&mut self, batches: &mut Vec<Vec<u8>>) -> bool {
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

//! One line for each exchange, in httpd's combined format with what the proxy decided behind it, or as a JSON object; and where
//! an operator wants it, those that went wrong once more in a place of their own. docs/log.md tells what each field means.
//!
//! What was no request has a line as well, without a request and with the reason why it was refused. The process's own log is
//! another thing, and stays on standard error.
//!
//! A proxy thread writes its lines into a buffer of its own, and hands that over when it is full or the thread's tick comes;
//! a writer's thread takes what was handed over ([`writer`]). So a line costs no lock and no allocation. Nobody ever waits for
//! a disk or a pipe: when the writer is too far behind, lines are dropped and counted. Lines of one thread stand in
//! the order in which their exchanges ended; those of different threads may be a tick apart.
//!
//! Invariants: session ids never appear (values of the session parameter are replaced in all that a client sent, cookies
//! are not logged) · bytes that could forge a line or drive a terminal are escaped · a thread's last lines are handed over
//! when its handle is dropped, and after [`AccessLog::close`] all that was handed over before is written.

mod clock;
mod combined;
mod entry;
mod json;
mod pen;
mod secrets;
mod writer;

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{LogConfig, LogFormat};
use clock::{Clock, Moment};
use pen::Pen;
use writer::Handover;

pub(crate) use entry::{Attempts, End, Entry, Fate, Tried};
pub use writer::LogWriter;

/// Bytes after which a thread hands its lines over at once: one system call for some hundred and fifty lines.
const BATCH_BYTES: usize = 32 * 1024;

/// The log of a process; clones share it.
#[derive(Clone)]
pub struct AccessLog {
    format: LogFormat,
    all: Option<Arc<Handover>>,
    faults: Option<Arc<Handover>>,
}

/// Where one thread notes its exchanges.
pub(crate) struct ThreadLog {
    format: LogFormat,
    clock: RefCell<Clock>,
    all: Option<Sheet>,
    faults: Option<Sheet>,
}

/// What a thread has noted for one place.
struct Sheet {
    shared: Arc<Handover>,
    page: RefCell<Page>,
}

/// Of that, what it has not handed over.
#[derive(Default)]
struct Page {
    text: Vec<u8>,
    lines: u64,
}

impl AccessLog {
    /// Opens its places; each that is one has a writer to run.
    ///
    /// # Errors
    /// A file cannot be opened for appending.
    pub fn open(config: &LogConfig) -> io::Result<(AccessLog, Vec<LogWriter>)> {
        let (all, faults) = (LogWriter::open(&config.to)?, LogWriter::open(&config.errors)?);
        let mut writers = Vec::new();
        let mut shared = |opened: Option<(Arc<Handover>, LogWriter)>| {
            opened.map(|(shared, writer)| {
                writers.push(writer);
                shared
            })
        };
        let log = AccessLog {
            format: config.format,
            all: shared(all),
            faults: shared(faults),
        };
        Ok((log, writers))
    }

    /// A thread's own handle.
    #[must_use]
    pub(crate) fn of_thread(&self) -> ThreadLog {
        let sheet = |shared: &Option<Arc<Handover>>| shared.clone().map(Sheet::new);
        ThreadLog {
            format: self.format,
            clock: RefCell::new(Clock::new(self.format)),
            all: sheet(&self.all),
            faults: sheet(&self.faults),
        }
    }

    /// Opens the files anew before the next batch, so that they can be rotated.
    pub fn reopen(&self) {
        self.places().for_each(Handover::reopen);
    }

    /// Lets the writers write what is left and end, and waits for each up to `limit`. Says whether all was written. Threads
    /// must have dropped their handles before.
    pub fn close(&self, limit: Duration) -> bool {
        self.places().for_each(Handover::close);
        self.places().all(|place| place.is_written(limit))
    }

    fn places(&self) -> impl Iterator<Item = &Handover> {
        self.all.iter().chain(&self.faults).map(|shared| &**shared)
    }
}

impl ThreadLog {
    /// Whether lines go anywhere; spares the caller the making of an entry.
    #[must_use]
    pub(crate) fn is_on(&self) -> bool {
        self.all.is_some() || self.faults.is_some()
    }

    /// Notes an exchange, which ended now. Never waits for the output.
    pub(crate) fn note(&self, entry: &Entry<'_>, now: Instant) {
        let faults = self.faults.as_ref().filter(|_| entry.is_fault());
        if self.all.is_none() && faults.is_none() {
            return;
        }
        let (begun, ended) = self.clock.borrow_mut().moments(now, entry.total);
        for sheet in self.all.iter().chain(faults) {
            sheet.note(|text| write(text, self.format, entry, (&begun, &ended)));
        }
    }

    /// Hands over what was noted. To be called several times a second: until then nobody sees it.
    pub(crate) fn flush(&self) {
        self.all.iter().chain(&self.faults).for_each(Sheet::hand_over);
    }
}

impl Drop for ThreadLog {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Sheet {
    fn new(shared: Arc<Handover>) -> Self {
        Self {
            shared,
            page: RefCell::default(),
        }
    }

    /// One more line, with its newline.
    fn note(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut page = self.page.borrow_mut();
        write(&mut page.text);
        page.lines += 1;
        let full = page.text.len() >= BATCH_BYTES;
        drop(page);
        if full {
            self.hand_over();
        }
    }

    fn hand_over(&self) {
        let page = &mut *self.page.borrow_mut();
        if !page.text.is_empty() {
            let lines = std::mem::take(&mut page.lines);
            self.shared.hand_over(&mut page.text, lines);
        }
    }
}

/// Writes a line behind others.
fn write(text: &mut Vec<u8>, format: LogFormat, entry: &Entry<'_>, (begun, ended): (&Moment, &Moment)) {
    match format {
        LogFormat::Combined => combined::write(text, entry, begun),
        LogFormat::Json => json::write(text, entry, (begun, ended)),
    }
}

/// What a client sent, for people, without the values of session parameters.
pub(crate) fn without_sessions(bytes: &[u8], parameters: &[Arc<str>]) -> String {
    let mut text = Vec::new();
    Pen(&mut text).without_sessions(bytes, parameters, Pen::escaped);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests;

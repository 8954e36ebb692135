//! How far something is that takes long, on standard error, for a person who waits.
//!
//! What is done within a second says nothing. Standard output stays the answer alone, so that scripts can read it.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::render::shown_bytes;

/// Between two lines, and before the first.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// Bytes that are done, of about so many.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    about: u64,
    done: u64,
    said: Instant,
}

impl Progress {
    /// Begins; `what` as in "received".
    pub(crate) fn new(what: &'static str, about: u64) -> Progress {
        Progress {
            what,
            about,
            done: 0,
            said: Instant::now(),
        }
    }

    /// So many bytes more are done.
    pub(crate) fn more(&mut self, bytes: u64) {
        self.done += bytes;
        if self.said.elapsed() >= SAY_EVERY {
            self.said = Instant::now();
            let (done, about) = (shown_bytes(self.done), shown_bytes(self.about.max(self.done)));
            // Whoever closed standard error does not want to know.
            let _ = writeln!(std::io::stderr(), "{} {done} of about {about}", self.what);
        }
    }

    /// Bytes done so far.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }
}

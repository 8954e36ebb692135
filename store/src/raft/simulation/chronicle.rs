//! What happened in a simulation, line by line with its time: for whoever reads why a seed failed, and for comparing two
//! runs of one seed to the byte.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::turns::Turns;

/// The lines; clones are the same.
#[derive(Clone, Default)]
pub(super) struct Chronicle(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    all: String,
    /// Where the lines begin and end that people read: what was done, not every message.
    told: Vec<(usize, usize)>,
}

impl Chronicle {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what people are told.
    pub(super) fn tell(&self, what: &str) {
        let mut lines = self.lines();
        let from = lines.all.len();
        lines.write(what);
        let to = lines.all.len();
        lines.told.push((from, to));
    }

    /// Writes down what only a comparison needs.
    pub(super) fn note(&self, what: &str) {
        self.lines().write(what);
    }

    /// All of it.
    pub(super) fn all(&self) -> String {
        self.lines().all.clone()
    }

    /// What people are told.
    pub(super) fn told(&self) -> String {
        let lines = self.lines();
        lines
            .told
            .iter()
            .map(|(from, to)| &lines.all[*from..*to])
            .collect()
    }
}

impl Lines {
    fn write(&mut self, what: &str) {
        let passed = Turns::played().map_or(0, |turns| turns.passed().as_millis());
        // A string takes whatever is written to it.
        let _ = writeln!(self.all, "{passed:>6} ms  {what}");
    }
}

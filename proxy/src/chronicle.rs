//! What changed at this proxy lately, and why: beliefs, wishes, reloads, members, elections of the store. What an operator asks
//! for who comes later; it decides nothing.
//!
//! Whoever changes something says so here: a look at the clock, and a moment under a lock that is held for nothing else. None of
//! it is done for a request, only for a change.
//!
//! Invariants: numbers rise by one, from 1 at the start of the process · only the last changes are remembered, and of each text
//! only so much · whoever reads learns whether some were forgotten before · no session id is ever in one.
//!
//! Left out on purpose: a place on a disk. What must be found after the process is in its log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::directory::unix_ms;

/// Changes that are remembered: a day of a calm site, an hour of a bad one, and less than a megabyte.
const CHANGES_MAX: usize = 1_000;

/// Bytes of a text that is remembered: a sentence, not a file's worth.
const TEXT_BYTES_MAX: usize = 400;

/// What sort of change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// What is believed of an upstream.
    Belief,
    /// What is wished of one.
    Wish,
    /// Of a pool's maintenance.
    Maintenance,
    /// A file was read again.
    Reload,
    /// Another process takes the place of this one, or fails to.
    Replacement,
    /// Members come and go.
    Discovery,
    /// Who leads the store.
    Leader,
    /// A node of the store.
    Node,
    /// Sessions were ended by an operator.
    Session,
    /// Somebody opened the console, or failed to.
    Login,
}

impl Sort {
    /// As it is told.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Sort::Belief => "belief",
            Sort::Wish => "wish",
            Sort::Maintenance => "maintenance",
            Sort::Reload => "reload",
            Sort::Replacement => "replacement",
            Sort::Discovery => "discovery",
            Sort::Leader => "leader",
            Sort::Node => "node",
            Sort::Session => "session",
            Sort::Login => "login",
        }
    }
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Happening {
    sort: Sort,
    of: String,
    what: String,
    why: String,
    who: String,
}

impl Happening {
    /// What happens, a sentence, to whom or what; empty where it is about all.
    pub(crate) fn new(sort: Sort, of: &str, what: impl Into<String>) -> Self {
        Self {
            sort,
            of: clipped(of.to_owned()),
            what: clipped(what.into()),
            why: String::new(),
            who: String::new(),
        }
    }

    /// For this reason.
    #[must_use]
    pub(crate) fn because(self, why: impl Into<String>) -> Self {
        let why = clipped(why.into());
        Self { why, ..self }
    }

    /// Because somebody asked for it.
    #[must_use]
    pub(crate) fn by(self, who: &str) -> Self {
        let who = clipped(who.to_owned());
        Self { who, ..self }
    }
}

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Rises by one with each.
    pub(crate) number: u64,
    /// When, milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// What sort of change.
    pub(crate) sort: Sort,
    /// What it is of; empty for all.
    pub(crate) of: String,
    /// What happened.
    pub(crate) what: String,
    /// Why; empty where nobody knows.
    pub(crate) why: String,
    /// Who asked for it; empty for nobody.
    pub(crate) who: String,
}

/// What is remembered.
#[derive(Debug, Default)]
struct Ring {
    changes: VecDeque<Arc<Changed>>,
    /// How many there ever were, which is the number of the last.
    told: u64,
}

impl Ring {
    fn note(&mut self, at_ms: u64, happening: Happening) -> u64 {
        let Happening {
            sort,
            of,
            what,
            why,
            who,
        } = happening;
        self.told += 1;
        if self.changes.len() == CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back(Arc::new(Changed {
            number: self.told,
            at_ms,
            sort,
            of,
            what,
            why,
            who,
        }));
        self.told
    }

    /// A number of another process, which may be higher than any here, has nothing behind it: all of this is new to its holder.
    fn after(&self, number: u64) -> Lately {
        let number = if number > self.told { 0 } else { number };
        let first = self.changes.front().map_or(1, |first| first.number);
        let changes = self.changes.iter().filter(|change| change.number > number);
        Lately {
            changes: changes.cloned().collect(),
            missed: number + 1 < first,
        }
    }
}

/// What changed behind a number.
#[derive(Debug)]
pub(crate) struct Lately {
    /// Earliest first.
    pub(crate) changes: Vec<Arc<Changed>>,
    /// Whether some before them are forgotten.
    pub(crate) missed: bool,
}

/// A handle on what is remembered; clones share it.
#[derive(Clone, Debug)]
pub struct Chronicle {
    ring: Arc<Mutex<Ring>>,
    last: watch::Sender<u64>,
}

impl Default for Chronicle {
    fn default() -> Self {
        Self {
            ring: Arc::default(),
            last: watch::Sender::new(0),
        }
    }
}

impl Chronicle {
    /// Takes in what happens now.
    pub(crate) fn note(&self, happening: Happening) {
        let number = self.lock().note(unix_ms(), happening);
        // Two that note at a time may say their numbers the other way round: the higher one holds.
        self.last.send_if_modified(|last| {
            let is_later = number > *last;
            *last = number.max(*last);
            is_later
        });
    }

    /// What changed behind the change of this number.
    pub(crate) fn after(&self, number: u64) -> Lately {
        self.lock().after(number)
    }

    /// Tells the number of each change that comes.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// A file was not taken over.
    pub fn reload_refused(&self, why: &str) {
        let what = "the file was not taken over, and what held before holds on";
        self.note(Happening::new(Sort::Reload, "", what).because(why));
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        // A panic elsewhere cannot have left it half changed: what is added is added last.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As much of a text as is remembered.
fn clipped(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happening(of: &str) -> Happening {
        Happening::new(Sort::Belief, of, "is down").because("a connect was refused")
    }

    fn numbers(lately: &Lately) -> Vec<u64> {
        lately.changes.iter().map(|change| change.number).collect()
    }

    #[test]
    fn what_comes_behind_a_number_is_told_in_order() {
        let mut ring = Ring::default();
        assert!(ring.after(0).changes.is_empty() && !ring.after(0).missed);
        for of in ["n1", "n2", "n3"] {
            ring.note(7, happening(of));
        }
        assert_eq!(numbers(&ring.after(0)), [1, 2, 3]);
        assert_eq!(numbers(&ring.after(2)), [3]);
        assert!(numbers(&ring.after(3)).is_empty() && !ring.after(3).missed);
        let change = &ring.after(2).changes[0];
        assert_eq!(
            (change.at_ms, &*change.of, &*change.why),
            (7, "n3", "a connect was refused")
        );
    }

    #[test]
    fn what_is_forgotten_is_told_of() {
        let mut ring = Ring::default();
        for _ in 0..CHANGES_MAX + 2 {
            ring.note(0, happening("n1"));
        }
        let all = ring.after(0);
        assert_eq!((all.changes.len(), all.changes[0].number), (CHANGES_MAX, 3));
        assert!(all.missed);
        assert!(ring.after(1).missed, "the second is gone");
        assert!(!ring.after(2).missed);
    }

    #[test]
    fn a_number_of_another_process_hides_nothing() {
        let mut ring = Ring::default();
        ring.note(0, happening("n1"));
        assert_eq!(numbers(&ring.after(900)), [1]);
    }

    #[test]
    fn a_text_without_end_is_cut() {
        let told = Happening::new(Sort::Wish, &"ü".repeat(999), "x");
        assert!(
            told.of.len() <= TEXT_BYTES_MAX + '…'.len_utf8(),
            "{}",
            told.of.len()
        );
    }

    #[tokio::test]
    async fn whoever_waits_hears_of_each() {
        let chronicle = Chronicle::default();
        let mut watch = chronicle.watch();
        chronicle.note(happening("n1"));
        watch.changed().await.unwrap();
        assert_eq!(*watch.borrow_and_update(), 1);
    }
}

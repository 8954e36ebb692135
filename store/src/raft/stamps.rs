//! What a leader stamps its entries with: the only thing that moves table time.
//!
//! The table adds what a stamp is above the one before it, ten seconds at most. So a new leader has to go on from the
//! stamp that stands in the table, by the time that passed since: it anchors once for its term, at the newest stamp before
//! it and at the instant at which this node's table came to hold that, and counts on by its own monotonic clock. Nobody's
//! clock is compared with anybody's, and time in which no node ran is not counted.
//!
//! Invariants: nothing is stamped in a term before its blank entry is applied here, for until then an entry of an earlier
//! leader may still come, with a stamp that is not known yet; within a term stamps never go back.
//!
//! Left out: the ten seconds, which are the table's rule, and the ticks that keep time moving (`duties`).

use std::time::Instant;

use tokio::sync::watch;

use crate::clock::Clock;
use remora_table::Stamp;

/// How far this node's table has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Term of the last entry that was applied; 0 when none was.
    pub(super) term: u64,
    /// The newest stamp in the table.
    pub(super) stamp: Stamp,
    /// Since when the table of this life holds it.
    pub(super) since: Instant,
}

/// Tells how far the table has come; whoever listens is woken when the term changes.
#[derive(Debug)]
pub(super) struct Marks {
    clock: Clock,
    told: watch::Sender<Mark>,
}

impl Marks {
    /// Of an empty table.
    pub(super) fn new(clock: Clock) -> Self {
        let mark = Mark {
            term: 0,
            stamp: Stamp::default(),
            since: clock.now(),
        };
        Self {
            clock,
            told: watch::Sender::new(mark),
        }
    }

    /// An entry of this term was applied, or an image that ends with one was taken over; the table's newest stamp is known
    /// if that may have changed it.
    pub(super) fn applied(&self, term: u64, stamp: Option<Stamp>) {
        self.told.send_if_modified(|mark| {
            if let Some(stamp) = stamp {
                (mark.stamp, mark.since) = (stamp, self.clock.now());
            }
            std::mem::replace(&mut mark.term, term) != term
        });
    }

    /// The stamps of a node that sees these marks.
    pub(super) fn stamps(&self) -> Stamps {
        Stamps {
            clock: self.clock.clone(),
            seen: self.told.subscribe(),
            anchor: None,
        }
    }
}

/// Gives the stamps of a node's own entries.
#[derive(Debug)]
pub(super) struct Stamps {
    clock: Clock,
    seen: watch::Receiver<Mark>,
    anchor: Option<Anchor>,
}

impl Stamps {
    /// The stamp of an entry that this node proposes now as the leader of a term; none before its blank entry is applied.
    pub(super) fn next(&mut self, term: u64) -> Option<Stamp> {
        self.anchor = Anchor::of(term, self.anchor, *self.seen.borrow());
        self.anchor.map(|anchor| anchor.stamp(self.clock.now()))
    }

    /// Waits until an entry of another term than before is applied. Safe to drop and call again.
    pub(super) async fn another_term(&mut self) {
        if self.seen.changed().await.is_err() {
            // Nothing is applied any more: consensus has ended.
            std::future::pending::<()>().await;
        }
    }
}

/// From where the stamps of a term count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Anchor {
    term: u64,
    stamp: Stamp,
    since: Instant,
}

impl Anchor {
    /// The anchor of a term: the one that it has, else where the table stands once an entry of the term is applied. The first
    /// of these is its blank one, which has no stamp.
    fn of(term: u64, before: Option<Anchor>, seen: Mark) -> Option<Anchor> {
        let here = (seen.term == term).then_some(Anchor {
            term,
            stamp: seen.stamp,
            since: seen.since,
        });
        before.filter(|anchor| anchor.term == term).or(here)
    }

    fn stamp(&self, now: Instant) -> Stamp {
        let passed = now.saturating_duration_since(self.since).as_millis();
        Stamp(
            self.stamp
                .0
                .saturating_add(u64::try_from(passed).unwrap_or(u64::MAX)),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::runtime;

    use super::*;

    fn mark(term: u64, stamp: u64, since: Instant) -> Mark {
        Mark {
            term,
            stamp: Stamp(stamp),
            since,
        }
    }

    #[test]
    fn a_term_goes_on_from_the_stamp_before_it_by_the_time_that_passed_here() {
        let began = runtime::now();
        let after = |ms| began + Duration::from_millis(ms);
        let seen = mark(3, 90_000, after(1_000));
        assert_eq!(Anchor::of(4, None, seen), None, "its blank entry is not applied");
        let seen = Mark { term: 4, ..seen };
        let anchor = Anchor::of(4, None, seen);
        assert_eq!(
            anchor.map(|anchor| anchor.stamp(after(1_700))),
            Some(Stamp(90_700))
        );
        let own = mark(4, 90_700, after(1_705));
        assert_eq!(
            Anchor::of(4, anchor, own),
            anchor,
            "what it stamped itself does not move its anchor by the way to the disk"
        );
        let other = mark(5, 91_000, after(2_100));
        assert_eq!(Anchor::of(6, anchor, other), None, "another led since");
        let again = Anchor::of(6, anchor, Mark { term: 6, ..other });
        assert_eq!(
            again.map(|anchor| anchor.stamp(after(2_400))),
            Some(Stamp(91_300))
        );
        assert_eq!(
            again.map(|anchor| anchor.stamp(after(2_000))),
            Some(Stamp(91_000)),
            "nothing counts back"
        );
    }

    #[tokio::test]
    async fn whoever_waits_hears_of_another_term_and_of_no_other_entry() {
        let began = runtime::now();
        let marks = Marks::new(Clock::driven(move || began));
        let mut stamps = marks.stamps();
        marks.applied(0, Some(Stamp(7)));
        assert_eq!(stamps.seen.has_changed().ok(), Some(false));
        assert_eq!(stamps.next(1), None);
        marks.applied(1, None);
        stamps.another_term().await;
        assert_eq!(stamps.next(1), Some(Stamp(7)));
    }
}

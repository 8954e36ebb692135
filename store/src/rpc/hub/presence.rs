//! When an instance was last heard of here, whether it has a stream or had one.
//!
//! What is remembered of those that are gone is bounded, and the longest silent go first; a node that was elected a moment ago
//! has heard of nobody. So whoever is told that somebody was never heard of knows nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::runtime;

/// Instances without a stream that are remembered: twice as many as the registry holds.
const DEPARTED_MAX: usize = 2_048;

/// When something last came on a stream. Written by the stream alone, and read without a lock by nobody who waits.
pub(super) struct LastHeard {
    opened: Instant,
    /// Milliseconds from then to the last message.
    last: AtomicU64,
}

impl LastHeard {
    /// Its first message came now.
    pub(super) fn at_first() -> Self {
        Self {
            opened: runtime::now(),
            last: AtomicU64::new(0),
        }
    }

    /// Another one came now.
    pub(super) fn now(&self) {
        let passed = runtime::since(self.opened).as_millis();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        self.last.store(passed, Ordering::Relaxed);
    }

    /// When the last one came.
    pub(super) fn at(&self) -> Instant {
        self.opened + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }
}

/// Instances whose streams ended, and when something last came on them, since this node was elected last: who was heard of before
/// may have spoken to other leaders since.
#[derive(Default)]
pub(super) struct Departed {
    heard: HashMap<u64, Instant>,
    elected: Option<Instant>,
}

impl Departed {
    /// This node was elected.
    pub(super) fn elected(&mut self, now: Instant) {
        self.heard.clear();
        self.elected = Some(now);
    }

    /// The stream of an instance ended.
    pub(super) fn note(&mut self, instance: u64, heard: Option<Instant>) {
        // A stream of an earlier term may end late.
        let Some(heard) = heard.filter(|heard| self.elected.is_none_or(|elected| *heard >= elected)) else {
            return;
        };
        self.heard.insert(instance, heard);
        if self.heard.len() > DEPARTED_MAX {
            let longest = self.heard.iter().min_by_key(|(_, heard)| **heard);
            if let Some(longest) = longest.map(|(instance, _)| *instance) {
                self.heard.remove(&longest);
            }
        }
    }

    /// When something last came; none if that is not known.
    pub(super) fn last(&self, instance: u64) -> Option<Instant> {
        self.heard.get(&instance).copied()
    }
}

/// What a node knows of an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Presence {
    /// Whether it has a stream.
    pub(in super::super) present: bool,
    /// How long ago something last came; none if that is not known.
    pub(in super::super) silent: Option<Duration>,
}

impl Presence {
    pub(super) fn of(present: bool, heard: Option<Instant>) -> Self {
        let silent = heard.map(runtime::since);
        Self { present, silent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silent_are_forgotten_first() {
        let (mut departed, began) = (Departed::default(), runtime::now());
        let at = |instance: u64| began + Duration::from_secs(instance);
        // The order in which they leave is not that of their silence.
        for instance in (0..=DEPARTED_MAX as u64).rev() {
            departed.note(instance, Some(at(instance)));
        }
        assert_eq!(departed.heard.len(), DEPARTED_MAX);
        assert_eq!(departed.last(0), None);
        assert_eq!(departed.last(1), Some(at(1)));
        departed.note(1, Some(at(9)));
        departed.note(2, None);
        assert_eq!((departed.last(1), departed.last(2)), (Some(at(9)), Some(at(2))));
    }

    #[test]
    fn who_was_heard_of_in_an_earlier_term_was_never_heard_of() {
        let (mut departed, began) = (Departed::default(), runtime::now());
        let later = began + Duration::from_secs(1);
        departed.note(1, Some(began));
        departed.elected(later);
        departed.note(2, Some(began));
        departed.note(3, Some(later));
        assert_eq!(
            [1, 2, 3].map(|instance| departed.last(instance)),
            [None, None, Some(later)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silence_counts_from_the_last_message() {
        let heard = LastHeard::at_first();
        tokio::time::advance(Duration::from_secs(5)).await;
        heard.now();
        tokio::time::advance(Duration::from_secs(3)).await;
        let known = Presence::of(true, Some(heard.at()));
        assert_eq!(known.silent.map(|silent| silent.as_secs()), Some(3));
    }
}

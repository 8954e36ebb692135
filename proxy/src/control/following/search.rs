//! Where the leader is looked for, and how long between two tries.
//!
//! Invariants: an address that was named by a node is tried at once, and only once before those of the file are · between two rounds
//! over all of them there is a pause that grows, and no two proxies pause alike, and so there is behind a stream that ended as soon as
//! it had begun · where nobody was asked in vain there is none.
//!
//! Left out on purpose: asking. `crate::overview` asks whichever node answers and waits an election out in one place; this follows
//! the leader alone and never gives up, so it has a search of its own.

use std::time::Duration;

/// The first pause. 100 ms: an election takes three of them.
const PAUSE_LEAST: Duration = Duration::from_millis(100);
/// The longest. 2 s: a store that is back is followed within, and one that is away is no matter to the machine.
const PAUSE_MOST: Duration = Duration::from_secs(2);

/// How long a stream has to have lived for the next to be opened at once. 5 s: longer than a store needs to elect another leader, so a
/// store that ends each stream behind its first view is asked no more often than one that is away.
const LIVED: Duration = Duration::from_secs(5);

/// A pause that grows with each.
#[derive(Debug)]
pub(super) struct Pause {
    next: Duration,
    least: Duration,
    most: Duration,
}

impl Pause {
    /// From `least` to `most`.
    pub(super) fn new(least: Duration, most: Duration) -> Self {
        Self {
            next: least,
            least,
            most,
        }
    }

    /// The next: between half of it and the whole.
    pub(super) fn draw(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.most);
        whole.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// The next is the first again.
    pub(super) fn reset(&mut self) {
        self.next = self.least;
    }
}

/// Which address is next.
#[derive(Debug)]
pub(super) struct Search {
    addresses: Vec<String>,
    next: usize,
    /// What a node named, not tried yet.
    hint: Option<String>,
    /// Addresses of this round that were tried in vain.
    vain: usize,
    pause: Pause,
}

/// How a try ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TryEnded {
    /// Whether a view was told.
    pub(super) followed: bool,
    /// How long the stream lived.
    pub(super) lived: Duration,
    /// Who leads, as the node says.
    pub(super) leader: Option<String>,
    /// Why, a sentence.
    pub(super) why: String,
}

impl Search {
    /// Over these, in their order; at least one.
    pub(super) fn new(addresses: Vec<String>) -> Self {
        Self {
            addresses,
            next: 0,
            hint: None,
            vain: 0,
            pause: Pause::new(PAUSE_LEAST, PAUSE_MOST),
        }
    }

    /// The address to try, and whether a node named it.
    pub(super) fn address(&mut self) -> (String, bool) {
        if let Some(hint) = self.hint.take() {
            return (hint, true);
        }
        let address = self.addresses.get(self.next).cloned().unwrap_or_default();
        self.next = (self.next + 1) % self.addresses.len().max(1);
        (address, false)
    }

    /// What came of it; the pause before the next try, if there is one.
    pub(super) fn ended(&mut self, was_hint: bool, ended: &TryEnded) -> Option<Duration> {
        let is_short = ended.followed && ended.lived < LIVED;
        if ended.followed && !is_short {
            // Whoever led a moment ago is known to the others soon; the round begins anew.
            self.vain = 0;
            self.pause.reset();
        }
        if let Some(leader) = ended.leader.clone().filter(|_| !was_hint) {
            self.hint = Some(leader);
            return is_short.then(|| self.pause.draw());
        }
        self.vain += usize::from(!was_hint);
        if self.vain < self.addresses.len() && !was_hint && !is_short {
            return None;
        }
        self.vain = 0;
        Some(self.pause.draw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(followed: bool, leader: Option<&str>) -> TryEnded {
        TryEnded {
            followed,
            lived: LIVED,
            leader: leader.map(str::to_owned),
            why: String::new(),
        }
    }

    #[test]
    fn a_round_is_followed_by_a_pause_that_grows() {
        let mut search = Search::new(vec!["a".into(), "b".into()]);
        let mut most = Duration::ZERO;
        for round in 0..8 {
            assert_eq!(search.address(), ("a".to_owned(), false));
            assert_eq!(search.ended(false, &ended(false, None)), None);
            assert_eq!(search.address(), ("b".to_owned(), false));
            let pause = search.ended(false, &ended(false, None)).unwrap();
            assert!(
                pause <= PAUSE_MOST && pause >= PAUSE_LEAST / 2,
                "{round}: {pause:?}"
            );
            most = most.max(pause);
        }
        assert!(most >= PAUSE_MOST / 2);
        assert_eq!(search.ended(false, &ended(true, None)), None);
        search.address();
        let pause = search.ended(false, &ended(false, None)).unwrap();
        assert!(pause <= PAUSE_LEAST, "{pause:?}");
    }

    #[test]
    fn a_hint_is_tried_at_once_and_only_once() {
        let mut search = Search::new(vec!["a".into()]);
        search.address();
        assert_eq!(search.ended(false, &ended(false, Some("b"))), None);
        assert_eq!(search.address(), ("b".to_owned(), true));
        // Two nodes that name each other are no loop without a pause.
        assert!(search.ended(true, &ended(false, Some("a"))).is_some());
        assert_eq!(search.address(), ("a".to_owned(), false));
    }

    #[test]
    fn a_store_that_ends_each_stream_behind_its_first_view_is_not_asked_without_pause() {
        let mut search = Search::new(vec!["a".into(), "b".into()]);
        let short = |leader| TryEnded {
            lived: LIVED / 2,
            ..ended(true, leader)
        };
        let mut most = Duration::ZERO;
        for leader in [None, Some("b"), None, Some("a"), None, None] {
            let (_, was_hint) = search.address();
            most = most.max(search.ended(was_hint, &short(leader)).unwrap());
        }
        assert!(most >= PAUSE_MOST / 2, "{most:?}");
        search.address();
        assert_eq!(search.ended(false, &ended(true, None)), None, "it lived");
    }
}

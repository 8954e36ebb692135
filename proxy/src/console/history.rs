//! What became of sessions since somebody looks: the last moves of each, as the store tells them. Pure.
//!
//! Invariants: so many sessions and so many moves of each, at most: who was not heard of for longest is forgotten first · a session
//! that changes its key keeps its history · keys are hashes of ids, as the store has them: no id is here.
//!
//! Left out on purpose: what happened before somebody looked, and while nobody did.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;

/// Sessions that are remembered: those that move in an hour of a large site. One takes up to 1.5 KB, with names of Tomcats of a usual
/// length: 8 MB in all.
const SESSIONS_MAX: usize = 5_000;

/// Moves of each: who looks at one session asks for its last days, not for its life.
const MOVES_MAX: usize = 8;

/// What a session is known by: application and key.
pub(super) type SessionName = (Arc<str>, Arc<[u8]>);

/// Something that became of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Move {
    /// When it was told, milliseconds since 1970.
    pub(super) at: u64,
    /// What.
    pub(super) kind: &'static str,
    /// Who owns it since; empty for nobody.
    pub(super) owner: String,
    /// Who did before; empty for nobody.
    pub(super) owner_before: String,
}

#[derive(Default)]
struct Known {
    moves: VecDeque<Move>,
    /// When it was heard of last, in the order of all moves.
    last: u64,
}

/// The last moves of sessions.
#[derive(Default)]
pub(super) struct Histories {
    sessions: BTreeMap<SessionName, Known>,
    /// Who was heard of last stands last.
    order: BTreeMap<u64, SessionName>,
    told: u64,
}

impl Histories {
    /// Takes in what became of a session; `new_key` where it changes its key.
    pub(super) fn take(&mut self, name: SessionName, what: Move, new_key: Option<Arc<[u8]>>) {
        let mut known = self.sessions.remove(&name).unwrap_or_default();
        self.order.remove(&known.last);
        if known.moves.len() == MOVES_MAX {
            known.moves.pop_front();
        }
        known.moves.push_back(what);
        self.told += 1;
        known.last = self.told;
        let name = match new_key {
            Some(key) => (name.0, key),
            None => name,
        };
        // Where the new key was somebody's, theirs ends here.
        if let Some(other) = self.sessions.remove(&name) {
            self.order.remove(&other.last);
        }
        self.order.insert(self.told, name.clone());
        self.sessions.insert(name, known);
        if self.sessions.len() > SESSIONS_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.sessions.remove(&oldest);
        }
    }

    /// What became of one, earliest first.
    pub(super) fn of(&self, application: &str, key: &[u8]) -> Vec<Move> {
        let name: SessionName = (application.into(), key.into());
        let known = self.sessions.get(&name);
        known.map_or_else(Vec::new, |known| known.moves.iter().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(key: u64) -> SessionName {
        ("localhost/shop".into(), key.to_be_bytes().as_slice().into())
    }

    fn moved(at: u64) -> Move {
        Move {
            at,
            kind: "moved",
            owner: "n2".to_owned(),
            owner_before: "n1".to_owned(),
        }
    }

    fn times(histories: &Histories, key: u64) -> Vec<u64> {
        let moves = histories.of("localhost/shop", &key.to_be_bytes());
        moves.iter().map(|one| one.at).collect()
    }

    #[test]
    fn the_last_moves_of_each_are_remembered_in_their_order() {
        let mut histories = Histories::default();
        for at in 0..10 {
            histories.take(name(1), moved(at), None);
        }
        histories.take(name(2), moved(99), None);
        assert_eq!(times(&histories, 1), [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(times(&histories, 2), [99]);
        assert!(times(&histories, 3).is_empty());
    }

    #[test]
    fn a_session_that_changes_its_key_keeps_its_history() {
        let mut histories = Histories::default();
        histories.take(name(1), moved(1), None);
        histories.take(name(7), moved(2), None);
        histories.take(name(1), moved(3), Some(name(7).1));
        assert_eq!(times(&histories, 7), [1, 3]);
        assert!(times(&histories, 1).is_empty());
        assert_eq!((histories.sessions.len(), histories.order.len()), (1, 1));
    }

    #[test]
    fn who_was_not_heard_of_for_longest_is_forgotten_first() {
        let mut histories = Histories::default();
        let most = u64::try_from(SESSIONS_MAX).unwrap();
        for key in 0..most {
            histories.take(name(key), moved(key), None);
        }
        histories.take(name(0), moved(1), None);
        histories.take(name(most), moved(2), None);
        assert!(times(&histories, 1).is_empty());
        assert_eq!(times(&histories, 0), [0, 1]);
        assert_eq!(
            (histories.sessions.len(), histories.order.len()),
            (SESSIONS_MAX, SESSIONS_MAX)
        );
    }
}

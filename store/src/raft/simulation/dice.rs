//! Numbers of one seed: the same numbers everywhere, in the same order.

use std::time::Duration;

use remora_fuzz::Draw;

/// A generator. Nothing here is a secret, and every draw of a simulation comes from one of these.
#[derive(Debug)]
pub(super) struct Dice(Draw);

impl Dice {
    /// The numbers of this seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(Draw::new(seed))
    }

    /// The next number.
    pub(super) fn next(&mut self) -> u64 {
        self.0.number()
    }

    /// A number from 0 up to and without `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// One of these.
    pub(super) fn one_of<T: Clone>(&mut self, choices: &[T]) -> Option<T> {
        let nth = self.below((choices.len() as u64).max(1));
        usize::try_from(nth)
            .ok()
            .and_then(|nth| choices.get(nth))
            .cloned()
    }

    /// Whether something happens that happens so many times in a hundred.
    pub(super) fn percent(&mut self, times: u64) -> bool {
        self.below(100) < times
    }

    /// A time of so many milliseconds at least, and of fewer than `to`.
    pub(super) fn between_ms(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

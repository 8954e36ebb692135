//! Which entries at the end of the log are in its cache for certain.
//!
//! The cache gives up its oldest entries when it holds too many bytes, so an entry is in it as long as all from there to
//! the end never weighed more than the cache. Nothing is claimed of what was there when the log was opened.

use std::collections::VecDeque;

/// Entries that are followed at most: far more than wait to be applied or sent, at 8 bytes each.
const FOLLOWED_MAX: usize = 8_192;

/// The weights of the newest entries.
#[derive(Debug)]
pub(super) struct Recent {
    /// Index of the first that is followed.
    first: u64,
    weights: VecDeque<u64>,
    bytes: u64,
    bytes_max: u64,
}

impl Recent {
    /// Nothing in a cache of so many bytes.
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            first: 0,
            weights: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// An entry was appended.
    pub(super) fn appended(&mut self, index: u64, bytes: u64) {
        if self.first + self.weights.len() as u64 != index {
            self.clear(index);
        }
        self.weights.push_back(bytes);
        self.bytes += bytes;
        while self.bytes > self.bytes_max || self.weights.len() > FOLLOWED_MAX {
            self.first += 1;
            self.bytes -= self.weights.pop_front().unwrap_or(0);
        }
    }

    /// Everything from this index on was removed.
    pub(super) fn truncated(&mut self, index: u64) {
        while self.first + self.weights.len() as u64 > index {
            match self.weights.pop_back() {
                Some(bytes) => self.bytes -= bytes,
                None => return self.clear(index),
            }
        }
    }

    /// Whether an entry, and every one behind it, is in the cache.
    pub(super) fn holds(&self, index: u64) -> bool {
        index >= self.first && index - self.first < self.weights.len() as u64
    }

    fn clear(&mut self, next: u64) {
        self.first = next;
        self.weights.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(recent: &Recent) -> Vec<u64> {
        (0..20).filter(|index| recent.holds(*index)).collect()
    }

    #[test]
    fn what_weighs_no_more_than_the_cache_is_in_it() {
        let mut recent = Recent::new(100);
        for index in 3..10 {
            recent.appended(index, 30);
        }
        assert_eq!(held(&recent), [7, 8, 9]);
        recent.appended(10, 100);
        assert_eq!(held(&recent), [10]);
        recent.appended(11, 101);
        assert!(held(&recent).is_empty(), "it is larger than the cache");
    }

    #[test]
    fn what_was_pushed_out_does_not_come_back_by_a_truncation() {
        let mut recent = Recent::new(100);
        for index in 0..5 {
            recent.appended(index, 40);
        }
        recent.truncated(4);
        assert_eq!(held(&recent), [3]);
        recent.truncated(1);
        assert!(held(&recent).is_empty());
        recent.appended(1, 40);
        assert_eq!(held(&recent), [1]);
    }
}

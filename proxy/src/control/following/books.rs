//! What this process knows of how it stands with the store. Changed by calls that wait for nothing.
//!
//! Invariant: a wish that the store has taken in is told no second time while the view that shows it is under way; until then it counts
//! here as one that was made over what the last view says, so a view from before it changes nothing about it.
//!
//! Left out on purpose: the view and the wishes, which are the directory's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use remora_policy::StoredWish;

/// The books of one process.
pub(super) struct Books {
    /// What was told and is in no view yet, by what it is of, with the store's version of it.
    told: BTreeMap<String, (StoredWish, u64)>,
    /// What operators wait for the store to have: it takes the place of whatever was wished before.
    pub(super) fresh: BTreeSet<String>,
    /// When this process began to follow.
    pub(super) began: Instant,
    /// When the store last said anything.
    pub(super) heard: Option<Instant>,
    /// Whether it says now that the view stands.
    pub(super) is_present: bool,
    /// Why it does not.
    pub(super) reason: String,
    /// Whether the log says that it does not.
    pub(super) is_said: bool,
}

impl Books {
    /// Nothing was heard yet.
    pub(super) fn new() -> Self {
        Self {
            told: BTreeMap::new(),
            fresh: BTreeSet::new(),
            began: Instant::now(),
            heard: None,
            is_present: false,
            reason: String::new(),
            is_said: false,
        }
    }

    /// A view of this version was told, of another cluster than the one before where `is_another`.
    pub(super) fn is_viewed(&mut self, version: u64, is_another: bool) {
        self.told.retain(|_, (_, told)| !is_another && *told > version);
    }

    /// The store has this wish, as this version.
    pub(super) fn is_told(&mut self, said: StoredWish, version: u64) {
        self.fresh.remove(&said.of);
        self.told.insert(said.of.clone(), (said, version));
    }

    /// Whether the store has just these words.
    pub(super) fn has(&self, said: &StoredWish) -> bool {
        let told = self.told.get(&said.of);
        told.is_some_and(|(told, _)| told.said == said.said)
    }

    /// The store's version of what was told of this and is in no view yet; 0 where there is none.
    pub(super) fn version(&self, of: &str) -> u64 {
        self.told.get(of).map_or(0, |(_, version)| *version)
    }
}

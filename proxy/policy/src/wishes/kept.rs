//! Wishes of one kind by what they are of, and how each stands with the store that keeps them for all proxies.
//!
//! Invariants: what is taken back before the store knows is remembered as *lifted*, for as long as the store has something to take
//! back · the store's word wins where it has changed since ours was said, and what it never heard of is kept and told to it.
//!
//! Left out on purpose: what a wish says, and how the store is told.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How a wish stands with the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The store's version of it or, while the store has not been told, of the one that it was made over; 0 where it has none.
    pub version: u64,
    /// Whether the store is still to be told.
    pub untold: bool,
}

/// A wish that was taken back and that the store still has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifted {
    /// Who took it back; none where that is not known.
    pub who: Option<Arc<str>>,
    /// When, in seconds since 1970; none where that is not known.
    pub at: Option<u64>,
    /// The store's version of it.
    pub version: u64,
}

/// A wish that stands somehow with the store.
pub(crate) trait Marked: Clone {
    fn mark(&self) -> Mark;

    fn set_mark(&mut self, mark: Mark);
}

/// Wishes of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept<T> {
    wishes: BTreeMap<Arc<str>, T>,
    lifted: BTreeMap<Arc<str>, Lifted>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            wishes: BTreeMap::new(),
            lifted: BTreeMap::new(),
        }
    }
}

impl<T: Marked> Kept<T> {
    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.wishes.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.wishes.iter().map(|(name, wish)| (&**name, wish))
    }

    pub(crate) fn lifted(&self) -> impl Iterator<Item = (&str, &Lifted)> {
        self.lifted.iter().map(|(name, lifted)| (&**name, lifted))
    }

    /// Wishes this in place of all before; nothing leaves no trace.
    pub(crate) fn set(&mut self, name: &str, wish: Option<T>) {
        self.lifted.remove(name);
        match wish {
            Some(wish) => self.wishes.insert(name.into(), wish),
            None => self.wishes.remove(name),
        };
    }

    /// Wishes nothing any more, which the store is to be told.
    pub(crate) fn lift(&mut self, name: &str, lifted: Lifted) {
        self.set(name, None);
        if lifted.version > 0 {
            self.lifted.insert(name.into(), lifted);
        }
    }

    /// The store's version over which another wish is made.
    pub(crate) fn base(&self, name: &str) -> u64 {
        let lifted = self.lifted.get(name).map(|lifted| lifted.version);
        let present = self.wishes.get(name).map(|wish| wish.mark().version);
        lifted.or(present).unwrap_or_default()
    }

    /// What holds once the store told `told` over `held`. `is_same`: it is the store that `held` stands with.
    pub(crate) fn merge(held: &Self, told: &Self, is_unread: impl Fn(&str) -> bool, is_same: bool) -> Self {
        let mut next = told.clone();
        for (name, wish) in held.iter() {
            let (there, mark) = (told.base(name), wish.mark());
            let mut kept = wish.clone();
            if is_unread(name) || is_same && mark.untold && there == mark.version {
                next.set(name, Some(kept));
            } else if !is_same && there == 0 {
                let (version, untold) = (0, true);
                kept.set_mark(Mark { version, untold });
                next.set(name, Some(kept));
            }
        }
        for (name, lifted) in held.lifted() {
            if is_unread(name) || is_same && told.base(name) == lifted.version {
                next.lift(name, lifted.clone());
            }
        }
        next
    }
}

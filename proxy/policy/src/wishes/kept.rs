//! Wishes of one kind by what they are of, and how each stands with the store that keeps them for all proxies.
//!
//! What is said here is *untold* until the store has it for certain: it has answered, or a view shows it. Before it is told, that is
//! noted, because from then on the store may have it at any time, answer or not; and whatever is said here next is made over what
//! the store turns out to have. So a wish ends in one of three ways: the store has it, the store has a later one of somebody else's, or
//! another is said here.
//!
//! Invariants: what is taken back while the store may have it is remembered as *lifted*, and so is what the store says was taken
//! back, as that has a version, over which another wish is made · a view from before the version at which something stands changes
//! nothing of it · the store's word wins where it has changed since ours was said, unless it is ours, and what it never heard of
//! is kept and told to it · only what is untold has prints.
//!
//! Left out on purpose: what a wish says, and how the store is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StoredWish;

/// Words that were told and not answered, of one wish at a time: each time that an operator changes his mind while the store does not
/// answer is one more, and after each of these he waits for two seconds. 32: nobody does for a minute.
const TOLD_MAX: usize = 32;

/// How a wish stands with the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The store's version of it or, while the store has not been told, of what it was made over; 0 where nothing is known there.
    pub version: u64,
    /// Whether the store is still to be told.
    pub untold: bool,
    /// Prints ([`StoredWish::print`]) of what may stand in the store in place of this: what it was made over, and what the store was
    /// told over that version, and did not answer; earliest first.
    pub told: Vec<u64>,
}

impl Mark {
    /// Of something that the store has.
    pub(crate) fn there(version: u64) -> Self {
        Self {
            version,
            ..Self::default()
        }
    }

    /// Of something that the store is to be told over this version.
    fn over(version: u64) -> Self {
        Self {
            version,
            untold: true,
            told: Vec::new(),
        }
    }

    /// The same over something of this print.
    fn over_this(version: u64, print: u64) -> Self {
        Self {
            told: vec![print],
            ..Self::over(version)
        }
    }

    /// Whether the store has, or may have, anything of the same.
    pub(crate) fn is_known(&self) -> bool {
        self.version > 0 || !self.told.is_empty()
    }

    /// Whether what was taken back is worth a line.
    pub(crate) fn is_something(&self) -> bool {
        self.untold || self.version > 0
    }
}

/// A wish that was taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lifted {
    /// Who took it back; none where that is not known.
    pub(crate) who: Option<Arc<str>>,
    /// When, in seconds since 1970; none where that is not known.
    pub(crate) at: Option<u64>,
    /// How that stands with the store.
    pub(crate) mark: Mark,
}

/// Something that stands somehow with the store.
pub(crate) trait Marked: Clone {
    fn mark(&self) -> &Mark;

    fn mark_mut(&mut self) -> &mut Mark;

    /// As the store keeps it, without what it is of.
    fn stored(&self) -> StoredWish;
}

impl Marked for Lifted {
    fn mark(&self) -> &Mark {
        &self.mark
    }

    fn mark_mut(&mut self) -> &mut Mark {
        &mut self.mark
    }

    fn stored(&self) -> StoredWish {
        StoredWish {
            who: self.who.as_deref().unwrap_or_default().to_owned(),
            at: self.at.unwrap_or_default(),
            version: self.mark.version,
            ..StoredWish::default()
        }
    }
}

/// What was said last of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LastWord<T> {
    Wish(T),
    Nothing(Lifted),
}

impl<T: Marked> Marked for LastWord<T> {
    fn mark(&self) -> &Mark {
        match self {
            LastWord::Wish(wish) => wish.mark(),
            LastWord::Nothing(lifted) => lifted.mark(),
        }
    }

    fn mark_mut(&mut self) -> &mut Mark {
        match self {
            LastWord::Wish(wish) => wish.mark_mut(),
            LastWord::Nothing(lifted) => lifted.mark_mut(),
        }
    }

    fn stored(&self) -> StoredWish {
        match self {
            LastWord::Wish(wish) => wish.stored(),
            LastWord::Nothing(lifted) => lifted.stored(),
        }
    }
}

/// What is to be known of a view beside the wishes that it shows.
pub(crate) struct Shown<'a> {
    /// The view's.
    pub(crate) version: u64,
    /// Whether it is of the store with which the marks stand.
    pub(crate) is_same: bool,
    /// Whether it has a wish of this that was not understood.
    pub(crate) is_unread: &'a dyn Fn(&str) -> bool,
    /// Whether an operator waits for the store to have what is said of this here, in place of whatever it has.
    pub(crate) is_pressing: &'a dyn Fn(&str) -> bool,
}

/// Wishes of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept<T>(BTreeMap<Arc<str>, LastWord<T>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Marked> Kept<T> {
    /// What is wished of this.
    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        match self.0.get(name)? {
            LastWord::Wish(wish) => Some(wish),
            LastWord::Nothing(_) => None,
        }
    }

    /// What is wished.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.all().filter_map(|(name, said)| match said {
            LastWord::Wish(wish) => Some((name, wish)),
            LastWord::Nothing(_) => None,
        })
    }

    /// What is wished and what was taken back.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &LastWord<T>)> {
        self.0.iter().map(|(name, said)| (&**name, said))
    }

    /// Takes in what is known of this, with its mark, in place of all before. What was taken back leaves no trace unless the store is to be
    /// told, or has a version of it.
    pub(crate) fn put(&mut self, name: &str, said: LastWord<T>) {
        if matches!(said, LastWord::Nothing(_)) && !said.mark().is_something() {
            self.0.remove(name);
            return;
        }
        self.0.insert(name.into(), said);
    }

    /// Somebody says this here, over whatever is known; `is_shared`: the store is to be told. To take back what the store has never
    /// heard of leaves no trace, and neither does it where the store knows that it was.
    pub(crate) fn say(&mut self, name: &str, mut said: LastWord<T>, is_shared: bool) {
        let before = self.0.get(name);
        if let (LastWord::Nothing(_), Some(LastWord::Nothing(_))) = (&said, before) {
            return;
        }
        let mut mark = before.map(|before| before.mark().clone()).unwrap_or_default();
        if let Some(before) = before.filter(|before| is_shared && !before.mark().untold && mark.is_known()) {
            // A store that was restored from a copy has it, at whatever version.
            mark.told.push(before.stored().print());
        }
        mark.untold = is_shared;
        if matches!(said, LastWord::Nothing(_)) && !(is_shared && mark.is_known()) {
            self.0.remove(name);
            return;
        }
        *said.mark_mut() = mark;
        self.put(name, said);
    }

    /// The store is about to be told this; gives the words and the version of what they were made over, none where it has been.
    pub(crate) fn telling(&mut self, name: &str) -> Option<StoredWish> {
        let said = self.0.get_mut(name).filter(|said| said.mark().untold)?;
        let stored = said.stored();
        let (print, told) = (stored.print(), &mut said.mark_mut().told);
        if !told.contains(&print) {
            if told.len() == TOLD_MAX {
                told.remove(0);
            }
            told.push(print);
        }
        Some(stored)
    }

    /// The store has answered that it has these words, as this version. What was said here since is made over that. Says whether that
    /// settles anything.
    pub(crate) fn answered(&mut self, name: &str, stored: &StoredWish, version: u64) -> bool {
        let Some(said) = self.0.get_mut(name) else {
            return false;
        };
        let is_this = said.stored().print() == stored.print();
        let mark = said.mark_mut();
        if !mark.untold || version < mark.version || version == mark.version && !is_this {
            return false;
        }
        *mark = if is_this {
            Mark::there(version)
        } else {
            Mark::over_this(version, stored.print())
        };
        true
    }

    /// What holds once the store told `told` over `held`.
    pub(crate) fn merge(held: &Self, told: &Self, shown: &Shown<'_>) -> Self {
        let mut next = told.clone();
        for (name, said) in held.all() {
            let Some(mark) = said.stands(name, told.0.get(name), shown) else {
                continue;
            };
            let mut kept = said.clone();
            *kept.mark_mut() = mark;
            next.put(name, kept);
        }
        next
    }
}

impl<T: Marked> LastWord<T> {
    /// How this stands once a view shows `there` of the same; none where the view's word holds.
    fn stands(&self, name: &str, there: Option<&Self>, shown: &Shown<'_>) -> Option<Mark> {
        let mark = self.mark();
        let version = there.map_or(0, |there| there.mark().version);
        let is_unread = (shown.is_unread)(name);
        if shown.is_same && (is_unread || mark.version > shown.version) {
            return Some(mark.clone());
        }
        if is_unread {
            // The version is another cluster's.
            return Some(Mark {
                version: 0,
                ..mark.clone()
            });
        }
        if !shown.is_same && there.is_none() {
            return Some(Mark::over(0));
        }
        if !mark.untold {
            return None;
        }
        if shown.is_same && mark.version == version {
            return Some(mark.clone());
        }
        let Some(there) = there else {
            // Nothing is there but what was taken back so long ago that the store has forgotten it.
            return matches!(self, LastWord::Wish(_)).then(|| Mark::over(0));
        };
        let print = there.stored().print();
        if print == self.stored().print() {
            return None;
        }
        let is_ours = mark.told.contains(&print);
        (is_ours || (shown.is_pressing)(name)).then(|| Mark::over_this(version, print))
    }
}

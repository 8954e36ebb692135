//! A wish as the store keeps it for all proxies: what it is of, and the words of it.
//!
//! Invariant: what is told and heard again says the same.
//!
//! Left out on purpose: the wire, and when the store is told.

use super::{Kept, Lifted, Mark, Marked, Wish, Wishes};
use crate::hash::fnv1a;

/// What stands in front of a route's name.
const ROUTE: &str = "route ";
/// What stands in front of a pool's.
const POOL: &str = "pool ";

/// Stands in a print behind what was said and who said it: text has no such byte.
const END: u8 = 0xff;

/// A wish as the store keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredWish {
    /// Of what: `route NAME` or `pool NAME`.
    pub of: String,
    /// What, in the words of the file in which a proxy keeps it; empty where it was taken back.
    pub said: Vec<u8>,
    /// Who said it; empty where that is not known.
    pub who: String,
    /// When, in seconds since 1970; 0 where that is not known.
    pub at: u64,
    /// The store's version of it or, of one that the store is to be told, of what it was made over; 0 where nothing is known there.
    pub version: u64,
}

impl StoredWish {
    /// What a route's wish is of.
    #[must_use]
    pub fn of_route(route: &str) -> String {
        format!("{ROUTE}{route}")
    }

    /// What a pool's is.
    #[must_use]
    pub fn of_pool(pool: &str) -> String {
        format!("{POOL}{pool}")
    }

    /// A number by which it is known again, whatever version the store gives it: of what was said, who said it, and when.
    #[must_use]
    pub fn print(&self) -> u64 {
        let (who, at) = (self.who.as_bytes(), self.at.to_le_bytes());
        fnv1a(self.said.iter().chain(&[END]).chain(who).chain(&[END]).chain(&at))
    }
}

impl Wishes {
    /// Takes in what the store tells.
    ///
    /// # Errors
    /// A sentence: it is not understood, and nothing was changed.
    pub fn hear(&mut self, said: &StoredWish) -> Result<(), String> {
        let not_understood = || format!("a wish of `{}` is not understood", said.of);
        let words = std::str::from_utf8(&said.said).map_err(|_| not_understood())?;
        let mark = Mark::there(said.version);
        let who = (!said.who.is_empty()).then(|| said.who.as_str().into());
        let at = (said.at != 0).then_some(said.at);
        let beside = Lifted { who, at, mark };
        let heard = if let Some(route) = named(&said.of, ROUTE) {
            let words = words.split(' ').filter(|word| !word.is_empty());
            let wish = Wish::said_by(beside).with(words);
            wish.map(|wish| self.routes.put(route, wish.said()))
        } else if let Some(pool) = named(&said.of, POOL) {
            self.pools.hear(pool, words, beside)
        } else {
            None
        };
        heard.ok_or_else(not_understood)
    }

    /// All that was said and taken back, as the store keeps it.
    pub(crate) fn stored(&self) -> impl Iterator<Item = (StoredWish, &Mark)> {
        let routes = stored(&self.routes, StoredWish::of_route);
        routes.chain(stored(self.pools.kept(), StoredWish::of_pool))
    }

    /// What the store is still to be told.
    #[must_use]
    pub fn untold(&self) -> Vec<StoredWish> {
        let untold = self.stored().filter(|(_, mark)| mark.untold);
        untold.map(|(said, _)| said).collect()
    }

    /// As [`View::telling`](crate::View::telling), over what was understood.
    pub(crate) fn telling(&mut self, of: &str) -> Option<StoredWish> {
        let told = match (named(of, ROUTE), named(of, POOL)) {
            (Some(route), _) => self.routes.telling(route),
            (_, Some(pool)) => self.pools.kept_mut().telling(pool),
            _ => None,
        };
        told.map(|told| StoredWish {
            of: of.to_owned(),
            ..told
        })
    }

    /// The store has answered that it has this, as this version. What was said here since is made over that. Says whether that settles
    /// anything.
    pub fn answered(&mut self, said: &StoredWish, version: u64) -> bool {
        match (named(&said.of, ROUTE), named(&said.of, POOL)) {
            (Some(route), _) => self.routes.answered(route, said, version),
            (_, Some(pool)) => self.pools.kept_mut().answered(pool, said, version),
            _ => false,
        }
    }

    /// Whether the same is wished here, whoever wished it and when.
    #[must_use]
    pub fn says(&self, said: &StoredWish) -> bool {
        let words = if let Some(route) = named(&said.of, ROUTE) {
            self.of(route).words()
        } else {
            let pool = named(&said.of, POOL).and_then(|pool| self.pools.of(pool));
            pool.map(crate::Maintenance::words).unwrap_or_default()
        };
        words.as_bytes() == said.said
    }
}

/// Wishes of one kind, as the store keeps them.
fn stored<T: Marked>(kept: &Kept<T>, of: fn(&str) -> String) -> impl Iterator<Item = (StoredWish, &Mark)> {
    kept.all().map(move |(name, said)| {
        let stored = StoredWish {
            of: of(name),
            ..said.stored()
        };
        (stored, said.mark())
    })
}

/// The name behind a word, if it can stand in a line.
fn named<'a>(of: &'a str, word: &str) -> Option<&'a str> {
    let name = of.strip_prefix(word)?;
    let fits =
        !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    fits.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AdminState, Maintenance, Page, PageForm};

    fn wishes() -> Wishes {
        let mut wishes = Wishes::default();
        for of in ["route n2", "pool b"] {
            let said = if of.starts_with("pool") { "on" } else { "weight=2" };
            let before = StoredWish {
                of: of.to_owned(),
                said: said.into(),
                version: 7,
                ..StoredWish::default()
            };
            wishes.hear(&before).unwrap();
        }
        let finish = Wish {
            state: Some(AdminState::Finishing),
            until: Some(100),
            weight: Some(3),
            who: Some("ada".into()),
            at: Some(50),
            ..Wish::default()
        };
        wishes.set("n1", finish.clone(), true);
        let nothing = Wish {
            state: None,
            weight: None,
            ..finish
        };
        wishes.set("n2", nothing, true);
        let maintenance = Maintenance {
            on: true,
            since: 60,
            by: "eve".into(),
            retry_after: Some(5),
            page: Some(Page::new(PageForm::named("txt").unwrap(), b"A page\n".to_vec()).unwrap()),
            mark: Mark::default(),
        };
        wishes.pools.set("a", maintenance, true);
        wishes.pools.lift("b", ("eve", 61), true);
        wishes
    }

    #[test]
    fn what_is_told_is_heard_as_it_was_said() {
        let wishes = wishes();
        let untold = wishes.untold();
        let of: Vec<(&str, bool, u64)> = untold
            .iter()
            .map(|said| (&*said.of, said.said.is_empty(), said.version))
            .collect();
        assert_eq!(
            of,
            [
                ("route n1", false, 0),
                ("route n2", true, 7),
                ("pool a", false, 0),
                ("pool b", true, 7)
            ]
        );
        let mut other = Wishes::default();
        for said in &untold {
            other
                .hear(&StoredWish {
                    version: 9,
                    ..said.clone()
                })
                .unwrap();
            assert!(other.says(said) && wishes.says(said), "{said:?}");
        }
        let heard: Vec<StoredWish> = other.stored().map(|(said, _)| said).collect();
        assert_eq!(heard.len(), 4);
        for (heard, said) in heard.iter().zip(&untold) {
            assert_eq!((heard.print(), heard.version), (said.print(), 9));
        }
        assert_eq!(other.untold(), []);
    }

    #[test]
    fn a_print_is_of_the_words_the_name_and_the_time() {
        let said = |words: &str, who: &str, at| StoredWish {
            said: words.into(),
            who: who.to_owned(),
            at,
            ..StoredWish::default()
        };
        let one = said("weight=1", "ada", 5);
        // Binding: it stands in files.
        assert_eq!(one.print(), 0xe16c_5863_8826_3df4);
        for other in [
            said("weight=", "1ada", 5),
            said("weight=1", "eve", 5),
            said("weight=1", "ada", 6),
        ] {
            assert_ne!(one.print(), other.print(), "{other:?}");
        }
        let elsewhere = StoredWish {
            of: "pool a".to_owned(),
            version: 3,
            ..one.clone()
        };
        assert_eq!(one.print(), elsewhere.print());
    }

    #[test]
    fn what_is_not_understood_changes_nothing() {
        for (of, said) in [
            ("route n1", "zone=a"),
            ("route n1", "state=gone"),
            ("route n 1", "weight=1"),
            ("route ", "weight=1"),
            ("site", "weight=1"),
            ("pool a", "perhaps"),
            ("pool a", "on page=html:9"),
            ("pool a", "on since=3"),
        ] {
            let mut wishes = Wishes::default();
            let said = StoredWish {
                of: of.to_owned(),
                said: said.into(),
                ..StoredWish::default()
            };
            assert!(wishes.hear(&said).is_err(), "{said:?}");
            assert_eq!(wishes, Wishes::default());
        }
    }
}

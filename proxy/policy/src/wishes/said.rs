//! A wish as the store keeps it for all proxies: what it is of, and the words of it.
//!
//! Invariant: what is told and heard again says the same.
//!
//! Left out on purpose: the wire, and when the store is told.

use std::sync::Arc;

use super::{Mark, Wish, Wishes};

/// What stands in front of a route's name.
const ROUTE: &str = "route ";
/// What stands in front of a pool's.
const POOL: &str = "pool ";

/// A wish as the store keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredWish {
    /// Of what: `route NAME` or `pool NAME`.
    pub of: String,
    /// What, in the words of the file in which a proxy keeps it; empty for nothing any more.
    pub said: Vec<u8>,
    /// Who said it; empty where that is not known.
    pub who: String,
    /// When, in seconds since 1970; 0 where that is not known.
    pub at: u64,
    /// The store's version of it or, of one that the store is to be told, of the one that it was made over; 0 for none.
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
}

impl Wishes {
    /// Takes in what the store tells.
    ///
    /// # Errors
    /// A sentence: it is not understood, and nothing was changed.
    pub fn hear(&mut self, said: &StoredWish) -> Result<(), String> {
        let not_understood = || format!("a wish of `{}` is not understood", said.of);
        let words = std::str::from_utf8(&said.said).map_err(|_| not_understood())?;
        let (version, untold) = (said.version, false);
        let mark = Mark { version, untold };
        let who = (!said.who.is_empty()).then(|| said.who.as_str().into());
        let heard = if let Some(route) = named(&said.of, ROUTE) {
            let at = (said.at != 0).then_some(said.at);
            let wish = Wish {
                who,
                at,
                mark,
                ..Wish::default()
            };
            heard(wish, words).map(|wish| self.set(route, wish))
        } else if let Some(pool) = named(&said.of, POOL) {
            let by = who.unwrap_or_else(|| "an operator".into());
            self.pools.hear(pool, words, (by, said.at, mark))
        } else {
            None
        };
        heard.ok_or_else(not_understood)
    }

    /// What the store is still to be told.
    #[must_use]
    pub fn untold(&self) -> Vec<StoredWish> {
        let text = |who: Option<&Arc<str>>| who.map_or_else(String::new, |who| who.to_string());
        let untold = self.iter().filter(|(_, wish)| wish.mark.untold);
        let routes = untold.map(|(route, wish)| StoredWish {
            of: StoredWish::of_route(route),
            said: wish.words().into_bytes(),
            who: text(wish.who.as_ref()),
            at: wish.at.unwrap_or_default(),
            version: wish.mark.version,
        });
        let lifted = |of: String, lifted: &super::Lifted| StoredWish {
            of,
            said: Vec::new(),
            who: text(lifted.who.as_ref()),
            at: lifted.at.unwrap_or_default(),
            version: lifted.version,
        };
        let routes_lifted = self.routes.lifted();
        let routes_lifted = routes_lifted.map(|(route, one)| lifted(StoredWish::of_route(route), one));
        let untold = self.pools.iter().filter(|(_, wish)| wish.mark.untold);
        let pools = untold.map(|(pool, wish)| StoredWish {
            of: StoredWish::of_pool(pool),
            said: wish.words().into_bytes(),
            who: wish.by.to_string(),
            at: wish.since,
            version: wish.mark.version,
        });
        let pools_lifted = self.pools.lifted();
        let pools_lifted = pools_lifted.map(|(pool, one)| lifted(StoredWish::of_pool(pool), one));
        routes
            .chain(routes_lifted)
            .chain(pools)
            .chain(pools_lifted)
            .collect()
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

/// The name behind a word, if it can stand in a line.
fn named<'a>(of: &'a str, word: &str) -> Option<&'a str> {
    let name = of.strip_prefix(word)?;
    let fits =
        !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    fits.then_some(name)
}

/// A wish with these words.
fn heard(mut wish: Wish, words: &str) -> Option<Wish> {
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        wish.take(word)?;
    }
    Some(wish)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AdminState, Lifted, Maintenance, Page, PageForm};

    fn wishes() -> Wishes {
        let untold = Mark {
            version: 7,
            untold: true,
        };
        let mut wishes = Wishes::default();
        let finish = Wish {
            state: Some(AdminState::Finishing),
            until: Some(100),
            weight: Some(3),
            who: Some("ada".into()),
            at: Some(50),
            mark: untold,
        };
        wishes.set("n1", finish.clone());
        let nothing = Wish {
            state: None,
            weight: None,
            ..finish
        };
        wishes.set("n2", nothing);
        let maintenance = Maintenance {
            on: true,
            since: 60,
            by: "eve".into(),
            retry_after: Some(5),
            page: Some(Page::new(PageForm::named("txt").unwrap(), b"A page\n".to_vec()).unwrap()),
            mark: untold,
        };
        wishes.pools.set("a", Some(maintenance));
        let lifted = Lifted {
            who: None,
            at: None,
            version: 3,
        };
        wishes.pools.lift("b", lifted);
        wishes
    }

    #[test]
    fn what_is_told_is_heard_as_it_was_said() {
        let wishes = wishes();
        let untold = wishes.untold();
        let of: Vec<(&str, bool)> = untold
            .iter()
            .map(|said| (&*said.of, said.said.is_empty()))
            .collect();
        assert_eq!(
            of,
            [
                ("route n1", false),
                ("route n2", true),
                ("pool a", false),
                ("pool b", true)
            ]
        );
        let mut other = Wishes::default();
        for said in &untold {
            other.hear(said).unwrap();
            assert!(other.says(said) && wishes.says(said), "{said:?}");
        }
        let there = Mark {
            version: 7,
            untold: false,
        };
        assert_eq!(
            (other.of("n1").mark, other.pools.of("a").unwrap().mark),
            (there, there)
        );
        assert_eq!(other.untold(), []);
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

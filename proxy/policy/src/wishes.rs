//! What operators wish of upstreams (and, beside it, of pools: `maintenance`), and the one rule by which a wish meets what the file says: the wish wins. As the proxy
//! keeps them over its own end they are text of lines, the first of which names the format.
//!
//! Invariants: one form, sorted, held by `formats/proxy/wishes.txt` · what is not understood is refused whole: a wish that
//! was misread would send users to a Tomcat that somebody has just opened · a wish for a route that no pool has is kept · a
//! wish that says nothing is none · what a file from before does not say is not known.
//!
//! The store keeps the same words of a wish, for all proxies ([`StoredWish`]); how one stands with it is a [`Mark`].
//!
//! Left out on purpose: where they are kept, and what a state does (`upstream`).

mod kept;
mod line;
mod said;

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::maintenance::Maintenances;
use crate::upstream::AdminState;
pub use kept::Mark;
pub(crate) use kept::{Kept, LastWord, Lifted, Marked, Shown};
pub(crate) use line::{WishLine, written};
pub use said::StoredWish;

/// The first line: the format and its version.
const FIRST: &str = "remora-proxy wishes 1";

/// What stands in a line in front of the second at which it was said.
const WHEN: &str = "at";

/// Shares of new users that can be said, in a file and by an operator: beyond a thousand to one it is a slip of the pen.
pub const WEIGHT: RangeInclusive<u32> = 1..=1_000;

/// What can be said of an upstream in a file, and otherwise by an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is wanted of it.
    pub state: AdminState,
    /// Share of the new users, 1 to 1,000.
    pub weight: u32,
}

/// What an operator wishes of the upstreams of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// What is wanted of them.
    pub state: Option<AdminState>,
    /// When finishing becomes draining, in seconds since 1970.
    pub until: Option<u64>,
    /// Share of the new users.
    pub weight: Option<u32>,
    /// Who wished it; none where that is not known.
    pub who: Option<Arc<str>>,
    /// When, in seconds since 1970; none where that is not known.
    pub at: Option<u64>,
    /// How it stands with the store.
    pub mark: Mark,
}

impl Wish {
    /// What holds of an upstream of which the file says `configured`, at `now`, in seconds since 1970.
    #[must_use]
    pub fn over(&self, configured: Settings, now: u64) -> Settings {
        let state = match self.state {
            Some(AdminState::Finishing) if self.until.is_some_and(|until| until <= now) => {
                AdminState::Draining
            }
            state => state.unwrap_or(configured.state),
        };
        Settings {
            state,
            weight: self.weight.unwrap_or(configured.weight),
        }
    }

    /// Whether the file's word holds.
    #[must_use]
    pub fn says_nothing(&self) -> bool {
        self.state.is_none() && self.weight.is_none()
    }

    /// The same; one that says nothing as what it takes back.
    fn said(self) -> LastWord<Wish> {
        if self.says_nothing() {
            return LastWord::Nothing(self.beside());
        }
        LastWord::Wish(self)
    }

    /// One that says nothing yet.
    fn said_by(beside: Lifted) -> Wish {
        let Lifted { who, at, mark } = beside;
        Wish {
            who,
            at,
            mark,
            ..Wish::default()
        }
    }

    /// What is known beside what it says.
    fn beside(&self) -> Lifted {
        Lifted {
            who: self.who.clone(),
            at: self.at,
            mark: self.mark.clone(),
        }
    }

    /// With these words; none where one of them is none.
    fn with<'w>(mut self, words: impl IntoIterator<Item = &'w str>) -> Option<Wish> {
        words.into_iter().try_for_each(|word| self.take(word))?;
        Some(self)
    }

    /// What it says, in the words of a line.
    fn words(&self) -> String {
        let state = self.state.map(|state| format!("state={}", state.as_str()));
        let until = self.until.map(|until| format!("until={until}"));
        let weight = self.weight.map(|weight| format!("weight={weight}"));
        let words: Vec<String> = [state, until, weight].into_iter().flatten().collect();
        words.join(" ")
    }

    /// Takes in one of these words.
    fn take(&mut self, word: &str) -> Option<()> {
        match word.split_once('=')? {
            ("state", state) => self.state = Some(AdminState::named(state)?),
            ("until", until) => self.until = Some(until.parse().ok()?),
            ("weight", weight) => self.weight = Some(share(weight)?),
            _ => return None,
        }
        Some(())
    }
}

impl Marked for Wish {
    fn mark(&self) -> &Mark {
        &self.mark
    }

    fn mark_mut(&mut self) -> &mut Mark {
        &mut self.mark
    }

    fn stored(&self) -> StoredWish {
        StoredWish {
            said: self.words().into_bytes(),
            who: self.who.as_deref().unwrap_or_default().to_owned(),
            at: self.at.unwrap_or_default(),
            version: self.mark.version,
            ..StoredWish::default()
        }
    }
}

/// All wishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Of upstreams, by route.
    routes: Kept<Wish>,
    /// Of whole pools, which are kept in a form of their own: a program that knows only routes reads the others.
    pub pools: Maintenances,
}

impl Wishes {
    /// What is wished of this route.
    #[must_use]
    pub fn of(&self, route: &str) -> Wish {
        self.routes.get(route).cloned().unwrap_or_default()
    }

    /// Who said the last word of this route, that nothing is wished any more among them; none where that is not known.
    #[must_use]
    pub fn who_of(&self, route: &str) -> Option<&str> {
        let (_, said) = self.routes.all().find(|(of, _)| *of == route)?;
        let who = match said {
            LastWord::Wish(wish) => wish.who.as_deref(),
            LastWord::Nothing(lifted) => lifted.who.as_deref(),
        };
        who.filter(|who| !who.is_empty())
    }

    /// Somebody wishes this of a route, in place of what was wished before; how it stands with the store follows from that. `is_shared`:
    /// the store is to be told. One that says nothing takes back what was.
    pub fn set(&mut self, route: &str, wish: Wish, is_shared: bool) {
        self.routes.say(route, wish.said(), is_shared);
    }

    /// Those of routes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Wish)> {
        self.routes.iter()
    }

    /// What holds once a store told `told` over `held`: its word, but for what it has not been told yet and has not changed since.
    /// What is shown as unread stays; another store than that with which `held` stands is to be told all that it has no word of.
    pub(crate) fn merge(held: &Wishes, told: &Wishes, shown: &Shown<'_>) -> Wishes {
        let of_routes = Shown {
            is_unread: &|route| (shown.is_unread)(&StoredWish::of_route(route)),
            is_pressing: &|route| (shown.is_pressing)(&StoredWish::of_route(route)),
            ..*shown
        };
        let of_pools = Shown {
            is_unread: &|pool| (shown.is_unread)(&StoredWish::of_pool(pool)),
            is_pressing: &|pool| (shown.is_pressing)(&StoredWish::of_pool(pool)),
            ..*shown
        };
        Wishes {
            routes: Kept::merge(&held.routes, &told.routes, &of_routes),
            pools: Maintenances::merge(&held.pools, &told.pools, &of_pools),
        }
    }

    /// Those of routes, as they are kept.
    #[must_use]
    pub fn write(&self) -> String {
        let mut text = format!("{FIRST}\n");
        text.extend(self.routes.all().map(|(route, said)| match said {
            LastWord::Wish(wish) => written(route, Some(&wish.words()), (WHEN, &wish.beside())),
            LastWord::Nothing(lifted) => written(route, None, (WHEN, lifted)),
        }));
        text
    }

    /// Those of routes, as they were kept.
    ///
    /// # Errors
    /// A sentence on the line that is not understood.
    pub fn read(text: &str) -> Result<Wishes, String> {
        let mut lines = text.lines();
        match lines.next() {
            Some(FIRST) => {}
            first => {
                return Err(format!(
                    "it begins with `{}` and not with `{FIRST}`",
                    first.unwrap_or_default()
                ));
            }
        }
        if !text.ends_with('\n') {
            return Err("its last line has no end".to_owned());
        }
        let mut wishes = Wishes::default();
        for line in lines {
            wishes
                .read_line(line)
                .ok_or_else(|| format!("`{line}` is no wish"))?;
        }
        Ok(wishes)
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let WishLine { name, words, beside } = WishLine::read(line, WHEN)?;
        let wish = Wish::said_by(beside).with(words.iter().copied())?;
        // A deadline alone says nothing.
        let is_told = words.is_empty() == wish.says_nothing();
        is_told.then(|| self.routes.put(name, wish.said()))
    }
}

/// A share of new users that can be said.
fn share(word: &str) -> Option<u32> {
    let said = word.parse().ok();
    said.filter(|said| WEIGHT.contains(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURE: &str = include_str!("../../../formats/proxy/wishes.txt");

    const CONFIGURED: Settings = Settings {
        state: AdminState::Standby,
        weight: 3,
    };

    #[test]
    fn the_fixture_is_read_and_written() {
        let wishes = Wishes::read(FIXTURE).unwrap();
        let routes: Vec<&str> = wishes.iter().map(|(route, _)| route).collect();
        assert_eq!(routes, ["n1", "n2", "n4", "shop-2.blue"]);
        let n2 = wishes.of("n2");
        assert_eq!(
            (n2.who.as_deref(), n2.at),
            (Some("ada by=night"), Some(1_795_766_300))
        );
        let untold = wishes.untold().into_iter();
        let untold: Vec<(String, u64)> = untold.map(|said| (said.of, said.version)).collect();
        assert_eq!(untold, [("route n3".to_owned(), 12), ("route n4".to_owned(), 0)]);
        assert_eq!(wishes.of("n4").mark.told, [0x0123_4567_89ab_cdef, 0xfe]);
        assert_eq!(wishes.write(), FIXTURE);
        assert_eq!(Wishes::read(&Wishes::default().write()), Ok(Wishes::default()));
    }

    #[test]
    fn what_is_not_understood_is_refused_whole() {
        for wrong in ["", "remora-proxy wishes 2\n", &FIXTURE[..FIXTURE.len() - 1]] {
            assert!(Wishes::read(wrong).is_err(), "{wrong}");
        }
        for line in [
            "n1",
            "n1 ",
            "n1 state=gone",
            "n1 until=1",
            " weight=1",
            "n1 weight=0",
            "n1 weight=1001",
            "n1 zone=a",
            "n1 lifted weight=1 version=3",
            "n1 lifted at=5",
            "n1 weight=1 untold told=",
            "n1 weight=1 untold told=x",
            "n1 version=3 by=ada",
            "n1 weight=1 told",
            "",
        ] {
            assert!(Wishes::read(&format!("{FIXTURE}{line}\n")).is_err(), "{line}");
        }
    }

    #[test]
    fn a_wish_wins_over_the_file_for_as_long_as_it_says_something() {
        let mut wishes = Wishes::default();
        assert_eq!(wishes.of("n1").over(CONFIGURED, 0), CONFIGURED);
        let heavy = Wish {
            weight: Some(9),
            ..Wish::default()
        };
        wishes.set("n1", heavy, false);
        assert_eq!(
            wishes.of("n1").over(CONFIGURED, 0),
            Settings {
                weight: 9,
                ..CONFIGURED
            }
        );
        wishes.set("n1", Wish::default(), false);
        assert_eq!(wishes, Wishes::default());
    }

    #[test]
    fn a_finish_becomes_a_drain_at_its_deadline() {
        let finish = Wish {
            state: Some(AdminState::Finishing),
            until: Some(100),
            ..Wish::default()
        };
        assert_eq!(finish.over(CONFIGURED, 99).state, AdminState::Finishing);
        assert_eq!(finish.over(CONFIGURED, 100).state, AdminState::Draining);
    }
}

//! What operators wish of upstreams (and, beside it, of pools: `maintenance`), and the one rule by which a wish meets what the file says: the wish wins. As the proxy
//! keeps them over its own end they are text of lines, the first of which names the format.
//!
//! Invariants: one form, sorted, held by `formats/proxy/wishes.txt` · what is not understood is refused whole: a wish that
//! was misread would send users to a Tomcat that somebody has just opened · a wish for a route that no pool has is kept · a
//! wish that says nothing is none.
//!
//! Left out on purpose: where they are kept, and what a state does (`upstream`).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use crate::maintenance::Maintenances;
use crate::upstream::AdminState;

/// The first line: the format and its version.
const FIRST: &str = "remora-proxy wishes 1";

/// What can be said of an upstream in a file, and otherwise by an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is wanted of it.
    pub state: AdminState,
    /// Share of the new users, 1 to 1,000.
    pub weight: u32,
}

/// What an operator wishes of the upstreams of one route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// What is wanted of them.
    pub state: Option<AdminState>,
    /// When finishing becomes draining, in seconds since 1970.
    pub until: Option<u64>,
    /// Share of the new users.
    pub weight: Option<u32>,
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

    fn says_nothing(&self) -> bool {
        self.state.is_none() && self.weight.is_none()
    }
}

/// All wishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Of upstreams, by route.
    routes: BTreeMap<Arc<str>, Wish>,
    /// Of whole pools, which are kept in a form of their own: a program that knows only routes reads the others.
    pub pools: Maintenances,
}

impl Wishes {
    /// What is wished of this route.
    #[must_use]
    pub fn of(&self, route: &str) -> Wish {
        self.routes.get(route).copied().unwrap_or_default()
    }

    /// Wishes this of a route, in place of what was wished before.
    pub fn set(&mut self, route: &str, wish: Wish) {
        if wish.says_nothing() {
            self.routes.remove(route);
        } else {
            self.routes.insert(route.into(), wish);
        }
    }

    /// Those of routes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Wish)> {
        self.routes.iter().map(|(route, wish)| (&**route, wish))
    }

    /// Those of routes, as they are kept.
    #[must_use]
    pub fn write(&self) -> String {
        let mut text = format!("{FIRST}\n");
        // Writing to a String cannot fail, so the results carry nothing.
        for (route, wish) in &self.routes {
            text += route;
            if let Some(state) = wish.state {
                let _ = write!(text, " state={}", state.as_str());
            }
            if let Some(until) = wish.until {
                let _ = write!(text, " until={until}");
            }
            if let Some(weight) = wish.weight {
                let _ = write!(text, " weight={weight}");
            }
            text.push('\n');
        }
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
            let (route, wish) = read_line(line).ok_or_else(|| format!("`{line}` is no wish"))?;
            wishes.set(route, wish);
        }
        Ok(wishes)
    }
}

fn read_line(line: &str) -> Option<(&str, Wish)> {
    let (route, said) = line.split_once(' ')?;
    let mut wish = Wish::default();
    for word in said.split(' ') {
        match word.split_once('=')? {
            ("state", state) => wish.state = Some(AdminState::named(state)?),
            ("until", until) => wish.until = Some(until.parse().ok()?),
            ("weight", weight) => wish.weight = Some(weight.parse().ok()?),
            _ => return None,
        }
    }
    (!route.is_empty() && !wish.says_nothing()).then_some((route, wish))
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
        assert_eq!(routes, ["n1", "n2", "shop-2.blue"]);
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
            "n1 zone=a",
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
        wishes.set("n1", heavy);
        assert_eq!(
            wishes.of("n1").over(CONFIGURED, 0),
            Settings {
                weight: 9,
                ..CONFIGURED
            }
        );
        wishes.set("n1", Wish::default());
        assert_eq!(wishes, Wishes::default());
    }

    #[test]
    fn a_finish_becomes_a_drain_at_its_deadline() {
        let finish = Wish {
            state: Some(AdminState::Finishing),
            until: Some(100),
            weight: None,
        };
        assert_eq!(finish.over(CONFIGURED, 99).state, AdminState::Finishing);
        assert_eq!(finish.over(CONFIGURED, 100).state, AdminState::Draining);
    }
}

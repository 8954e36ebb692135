//! What operators wish of whole pools: that nobody is served while somebody works on them, or that somebody is, whatever the file
//! says. As the proxy keeps it over its own end it is text: a line for each pool, the operator's page behind it.
//!
//! Invariants: one form, sorted, held by `formats/proxy/maintenance.txt` · what is not understood is refused whole · a wish for
//! a pool that is not there is kept.
//!
//! Left out on purpose: who may look nevertheless. That is the file's, as an office moves more seldom than an operator.

use std::fmt::Write;
use std::sync::Arc;

use crate::pages::{Page, PageForm};
use crate::wishes::{Kept, LastWord, Lifted, Mark, Marked, Shown, StoredWish, WishLine, written};

/// The first line: the format and its version.
const FIRST: &str = "remora-proxy maintenance 1\n";

/// What an operator wishes of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Whether its requests are answered with the page, and nobody of its upstreams is asked.
    pub on: bool,
    /// Seconds since 1970.
    pub since: u64,
    /// Who wished it.
    pub by: Arc<str>,
    /// When clients may ask again, in seconds; absent where the file says it.
    pub retry_after: Option<u32>,
    /// In place of the file's page.
    pub page: Option<Page>,
    /// How it stands with the store.
    pub mark: Mark,
}

impl Maintenance {
    /// What it says: the words of a line, and on a line of its own the page.
    pub(crate) fn words(&self) -> String {
        match &self.page {
            Some(page) => format!("{}\n{}", self.line(), page.text()),
            None => self.line(),
        }
    }

    fn line(&self) -> String {
        let mut text = if self.on { ON } else { OFF }.to_owned();
        // Writing to a String cannot fail, so the results carry nothing.
        if let Some(seconds) = self.retry_after {
            let _ = write!(text, " retry-after={seconds}");
        }
        if let Some(page) = &self.page {
            let _ = write!(text, " page={}:{}", page.form().as_str(), page.text().len());
        }
        text
    }

    /// Takes in one of these words, behind the first; the text behind the line loses what is the page.
    fn take(&mut self, word: &str, behind: &mut &str) -> Option<()> {
        match word.split_once('=')? {
            ("retry-after", seconds) => self.retry_after = Some(seconds.parse().ok()?),
            ("page", written) => {
                let (form, length) = written.split_once(':')?;
                let (text, rest) = behind.split_at_checked(length.parse().ok()?)?;
                *behind = rest;
                self.page = Some(Page::new(PageForm::named(form)?, text.into()).ok()?);
            }
            _ => return None,
        }
        Some(())
    }
}

impl Marked for Maintenance {
    fn mark(&self) -> &Mark {
        &self.mark
    }

    fn mark_mut(&mut self) -> &mut Mark {
        &mut self.mark
    }

    fn stored(&self) -> StoredWish {
        StoredWish {
            said: self.words().into_bytes(),
            who: self.by.to_string(),
            at: self.since,
            version: self.mark.version,
            ..StoredWish::default()
        }
    }
}

/// What stands in a line in front of the second at which it was said.
const WHEN: &str = "since";

/// The words for whether it is.
const ON: &str = "on";
/// The other.
const OFF: &str = "off";

/// Whether a word says that it is.
fn is_on(word: &str) -> Option<bool> {
    match word {
        ON => Some(true),
        OFF => Some(false),
        _ => None,
    }
}

/// All such wishes, by pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintenances(Kept<Maintenance>);

impl Maintenances {
    /// What is wished of this pool.
    #[must_use]
    pub fn of(&self, pool: &str) -> Option<&Maintenance> {
        self.0.get(pool)
    }

    /// Somebody wishes this of a pool in place of what was wished before; `is_shared`: the store is to be told.
    pub fn set(&mut self, pool: &str, wish: Maintenance, is_shared: bool) {
        self.0.say(pool, LastWord::Wish(wish), is_shared);
    }

    /// Somebody lets the file's word hold, at this second since 1970.
    pub fn lift(&mut self, pool: &str, (who, at): (&str, u64), is_shared: bool) {
        let (who, at) = (Some(who.into()), Some(at));
        let mark = Mark::default();
        self.0
            .say(pool, LastWord::Nothing(Lifted { who, at, mark }), is_shared);
    }

    /// All of them, by pool.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Maintenance)> {
        self.0.iter()
    }

    /// The same, with what was taken back and how each stands with the store.
    pub(crate) fn kept(&self) -> &Kept<Maintenance> {
        &self.0
    }

    pub(crate) fn kept_mut(&mut self) -> &mut Kept<Maintenance> {
        &mut self.0
    }

    /// As [`Wishes::merge`](crate::Wishes).
    pub(crate) fn merge(held: &Self, told: &Self, shown: &Shown<'_>) -> Self {
        Self(Kept::merge(&held.0, &told.0, shown))
    }

    /// Takes in what the store tells of a pool: the words, and by whom they were said when.
    pub(crate) fn hear(&mut self, pool: &str, said: &str, by: Lifted) -> Option<()> {
        if said.is_empty() {
            self.0.put(pool, LastWord::Nothing(by));
            return Some(());
        }
        let Lifted { who, at, mark } = by;
        let (by, since) = (
            who.unwrap_or_else(|| "an operator".into()),
            at.unwrap_or_default(),
        );
        let (line, mut behind) = said.split_once('\n').unwrap_or((said, ""));
        let mut words = line.split(' ');
        let mut wish = Maintenance {
            on: is_on(words.next()?)?,
            since,
            by,
            retry_after: None,
            page: None,
            mark,
        };
        words.try_for_each(|word| wish.take(word, &mut behind))?;
        behind.is_empty().then(|| self.0.put(pool, LastWord::Wish(wish)))
    }

    /// As they are kept.
    #[must_use]
    pub fn write(&self) -> String {
        let mut text = FIRST.to_owned();
        text.extend(self.0.all().map(|(pool, said)| {
            // Each line says when, and by whom, known or not.
            let StoredWish { who, at, .. } = said.stored();
            let beside = Lifted {
                who: Some(who.into()),
                at: Some(at),
                mark: said.mark().clone(),
            };
            let (line, page) = match said {
                LastWord::Wish(wish) => (Some(wish.line()), wish.page.as_ref()),
                LastWord::Nothing(_) => (None, None),
            };
            let page = page.map(|page| format!("{}\n", page.text())).unwrap_or_default();
            written(pool, line.as_deref(), (WHEN, &beside)) + &page
        }));
        text
    }

    /// As they were kept.
    ///
    /// # Errors
    /// A sentence on the line that is not understood.
    pub fn read(text: &str) -> Result<Maintenances, String> {
        let mut rest = text
            .strip_prefix(FIRST)
            .ok_or_else(|| format!("it does not begin with `{}`", FIRST.trim_end()))?;
        let mut wishes = Maintenances::default();
        while !rest.is_empty() {
            let line = rest.lines().next().unwrap_or_default();
            rest = wishes
                .read_one(rest)
                .ok_or_else(|| format!("`{line}` is no wish of a pool"))?;
        }
        Ok(wishes)
    }

    /// Takes in one wish with its page, and gives what is behind it.
    fn read_one<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let (line, mut behind) = text.split_once('\n')?;
        let WishLine { name, words, beside } = WishLine::read(line, WHEN)?;
        let (by, since, mark) = (beside.who?, beside.at?, beside.mark);
        let Some((first, words)) = words.split_first() else {
            let (who, at) = (
                Some(by).filter(|by| !by.is_empty()),
                Some(since).filter(|since| *since != 0),
            );
            self.0.put(name, LastWord::Nothing(Lifted { who, at, mark }));
            return Some(behind);
        };
        let mut wish = Maintenance {
            on: is_on(first)?,
            since,
            by,
            retry_after: None,
            page: None,
            mark,
        };
        words.iter().try_for_each(|word| wish.take(word, &mut behind))?;
        if wish.page.is_some() {
            behind = behind.strip_prefix('\n')?;
        }
        self.0.put(name, LastWord::Wish(wish));
        Some(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURE: &str = include_str!("../../../formats/proxy/maintenance.txt");

    #[test]
    fn the_fixture_is_read_and_written() {
        let wishes = Maintenances::read(FIXTURE).unwrap();
        let shown: Vec<_> = wishes
            .iter()
            .map(|(pool, wish)| (pool, wish.on, &*wish.by, wish.retry_after, wish.page.is_some()))
            .collect();
        assert_eq!(
            shown,
            [
                ("old", false, "nobody in particular", None, false),
                ("shop", true, "ada by=night", Some(600), true),
                ("tomcat", true, "ada", None, true),
            ]
        );
        assert_eq!(wishes.write(), FIXTURE);
        let none = Maintenances::default();
        assert_eq!(Maintenances::read(&none.write()), Ok(none));
    }

    #[test]
    fn what_is_not_understood_is_refused_whole() {
        for cut in 0..FIXTURE.len() {
            let Some(cut) = FIXTURE.get(..cut) else { continue };
            let is_whole = Maintenances::read(cut).is_ok();
            let ends_at_a_wish = ["page\n", "particular\n", "eve\n"]
                .iter()
                .any(|end| cut.ends_with(end));
            assert_eq!(is_whole, cut == FIRST || ends_at_a_wish, "{cut}");
        }
        for line in [
            "shop on by=ada\n",
            "shop since=1 by=ada\n",
            "shop maybe since=1 by=ada\n",
            " on since=1 by=ada\n",
            "shop on since=1\n",
            "shop on since=1 page=html:9 by=ada\nshort\n",
            "shop on since=1 page=pdf:5 by=ada\nshort\n",
            "shop on since=1 zone=a by=ada\n",
            "shop lifted since=1 by=ada\n",
        ] {
            assert!(Maintenances::read(&format!("{FIRST}{line}")).is_err(), "{line}");
        }
    }
}

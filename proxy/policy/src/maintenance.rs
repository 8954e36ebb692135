//! What operators wish of whole pools: that nobody is served while somebody works on them, or that somebody is, whatever the file
//! says. As the proxy keeps it over its own end it is text: a line for each pool, the operator's page behind it.
//!
//! Invariants: one form, sorted, held by `formats/proxy/maintenance.txt` · what is not understood is refused whole · a wish for
//! a pool that is not there is kept.
//!
//! Left out on purpose: who may look nevertheless. That is the file's, as an office moves more seldom than an operator.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use crate::pages::{Page, PageForm};

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
}

/// All such wishes, by pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintenances(BTreeMap<Arc<str>, Maintenance>);

impl Maintenances {
    /// What is wished of this pool.
    #[must_use]
    pub fn of(&self, pool: &str) -> Option<&Maintenance> {
        self.0.get(pool)
    }

    /// Wishes this of a pool in place of what was wished before; nothing lets the file's word hold.
    pub fn set(&mut self, pool: &str, wish: Option<Maintenance>) {
        match wish {
            Some(wish) => self.0.insert(pool.into(), wish),
            None => self.0.remove(pool),
        };
    }

    /// All of them, by pool.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Maintenance)> {
        self.0.iter().map(|(pool, wish)| (&**pool, wish))
    }

    /// As they are kept.
    #[must_use]
    pub fn write(&self) -> String {
        let mut text = FIRST.to_owned();
        // Writing to a String cannot fail, so the results carry nothing.
        for (pool, wish) in &self.0 {
            let word = if wish.on { "on" } else { "off" };
            let _ = write!(text, "{pool} {word} since={}", wish.since);
            if let Some(seconds) = wish.retry_after {
                let _ = write!(text, " retry-after={seconds}");
            }
            if let Some(page) = &wish.page {
                let _ = write!(text, " page={}:{}", page.form().as_str(), page.text().len());
            }
            let _ = writeln!(text, " by={}", wish.by.replace(char::is_control, " "));
            if let Some(page) = &wish.page {
                let _ = writeln!(text, "{}", page.text());
            }
        }
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
            let (pool, wish, behind) =
                read_one(rest).ok_or_else(|| format!("`{line}` is no wish of a pool"))?;
            wishes.set(pool, Some(wish));
            rest = behind;
        }
        Ok(wishes)
    }
}

/// One wish with its page, and what is behind it.
fn read_one(text: &str) -> Option<(&str, Maintenance, &str)> {
    let (line, mut behind) = text.split_once('\n')?;
    // A name may hold anything but the end of a line, so it comes last.
    let (said, by) = line.split_once(" by=")?;
    let mut words = said.split(' ');
    let pool = words.next().filter(|pool| !pool.is_empty())?;
    let on = match words.next()? {
        "on" => true,
        "off" => false,
        _ => return None,
    };
    let (mut since, mut retry_after, mut page) = (None, None, None);
    for word in words {
        match word.split_once('=')? {
            ("since", seconds) => since = Some(seconds.parse().ok()?),
            ("retry-after", seconds) => retry_after = Some(seconds.parse().ok()?),
            ("page", written) => {
                let (form, length) = written.split_once(':')?;
                let (text, rest) = behind.split_at_checked(length.parse().ok()?)?;
                behind = rest.strip_prefix('\n')?;
                page = Some(Page::new(PageForm::named(form)?, text.into()).ok()?);
            }
            _ => return None,
        }
    }
    let wish = Maintenance {
        on,
        since: since?,
        by: by.into(),
        retry_after,
        page,
    };
    Some((pool, wish, behind))
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
            let ends_at_a_wish = cut.ends_with("page\n") || cut.ends_with("particular\n");
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
        ] {
            assert!(Maintenances::read(&format!("{FIRST}{line}")).is_err(), "{line}");
        }
    }
}

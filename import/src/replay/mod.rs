//! A log of the other proxy, replayed: each request that it has, through what that proxy decides and through what ours would.
//!
//! `lines` reads them, `foreign` knows the other proxy's decisions as far as its files say them, `ours` asks remora-policy over the site that
//! was written. What the two say is compared here, counted, and shown with examples.
//!
//! Invariants: the same files and the same log give the same text · no session id is shown: of a target its path alone, up to the first
//! parameter · what cannot be told is counted with its reason, and never as the same · what the other proxy served from its own files
//! goes elsewhere, since ours has none.
//!
//! Left out on purpose: answers. Where a request goes is compared, not what comes of it; the status of a log says only whether somebody
//! was served whom no Tomcat served.

mod foreign;
mod lines;
mod ours;

use std::collections::BTreeMap;
use std::fmt::Write;

use self::foreign::{Asked, Outcome, Who};
pub(crate) use self::foreign::{Foreign, ForeignPath, ForeignPool, ForeignRule, ForeignSite, Going, Sticks};
use self::lines::{COMBINED, COMMON, LogLayout};
use self::ours::Ours;
pub(crate) use self::ours::address_of;
use crate::site::Site;

/// Examples that are shown of each difference: enough to see a pattern, few enough to read.
const EXAMPLES_MAX: usize = 3;

/// Whose words a format is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dialect {
    #[default]
    Httpd,
    Nginx,
    Haproxy,
}

/// What became of the requests of a log.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// Requests that go to the same Tomcat, or as a new user's to the same pool, under the same path; and those that are turned away
    /// by both.
    pub same: usize,
    /// Requests that go to the same pool under the same path; which member, the log does not say.
    pub partly: usize,
    /// Requests that go elsewhere, by how.
    elsewhere: BTreeMap<&'static str, Differing>,
    /// Requests of which it cannot be told, by why.
    untold: BTreeMap<&'static str, usize>,
    /// Lines that are none of a request, in no format that is known.
    pub unread: usize,
}

#[derive(Clone, Debug, Default)]
struct Differing {
    count: usize,
    examples: Vec<String>,
}

/// What a comparison says.
enum Compared {
    Same,
    Partly,
    Elsewhere(&'static str),
    Untold(&'static str),
}

const NOBODY: &str =
    "a Tomcat serves it there, and none here: 404, or 400 where the path can be read in two ways";
const SOMEBODY: &str = "no Tomcat serves it there, and one does here";
const ITSELF: &str = "the other proxy answers it itself (a file, a page, a redirect), and ours has none: 404. Leave a server for such files in front, or put \
     them into the application";
const NO_STATUS: &str =
    "the log has no status: whether the other proxy has a file there, or turned it away, is not known";
const GUARDED: &str = "a rule of the other proxy turns some away here, by what no log says";
const OTHER_POOL: &str = "to other Tomcats";
const OTHER_PATH: &str = "under another path there";
const OTHER_MEMBER: &str = "to another member of the pool";
const LOST: &str =
    "the user sticks to a member there; here the request names none: a new user's, or its session's stand-in";
const FOUND: &str = "the request names a member here; there it is a new user's";

/// Whether a status says that nobody was served: as with ours, which answers 404 where no route leads.
fn is_turned_away(status: u16) -> bool {
    matches!(status, 400 | 403..=405 | 410 | 444 | 500..=599)
}

/// Compares two decisions; the status is that of the other proxy's answer.
fn compared(there: &Outcome, here: &Outcome, status: Option<u16>) -> Compared {
    match (there, here) {
        (Outcome::Untold(why), _) | (_, Outcome::Untold(why)) => Compared::Untold(why),
        (Outcome::Nowhere | Outcome::Guarded, Outcome::Nowhere) if status.is_some_and(is_turned_away) => {
            Compared::Same
        }
        (Outcome::Nowhere, Outcome::Nowhere) if status.is_some() => Compared::Elsewhere(ITSELF),
        (Outcome::Nowhere, Outcome::Nowhere) => Compared::Untold(NO_STATUS),
        (Outcome::Guarded, Outcome::Nowhere) if status.is_some() => Compared::Elsewhere(NOBODY),
        (Outcome::Guarded, _) | (_, Outcome::Guarded) => Compared::Untold(GUARDED),
        (Outcome::Goes { .. }, Outcome::Nowhere) => Compared::Elsewhere(NOBODY),
        (Outcome::Nowhere, Outcome::Goes { .. }) => Compared::Elsewhere(SOMEBODY),
        (
            Outcome::Goes { pool, path, who },
            Outcome::Goes {
                pool: own,
                path: here,
                who: our,
            },
        ) => {
            let sorted = |pool: &[String]| {
                let mut pool = pool.to_vec();
                pool.sort();
                pool
            };
            if sorted(pool) != sorted(own) {
                return Compared::Elsewhere(OTHER_POOL);
            }
            if path != here {
                return Compared::Elsewhere(OTHER_PATH);
            }
            match (who, our) {
                _ if pool.len() < 2 => Compared::Same,
                (Who::NotInTheLog, _) | (_, Who::NotInTheLog) => Compared::Partly,
                (Who::Member(there), Who::Member(here)) if there != here => Compared::Elsewhere(OTHER_MEMBER),
                (Who::Member(_), Who::Anybody) => Compared::Elsewhere(LOST),
                (Who::Anybody, Who::Member(_)) => Compared::Elsewhere(FOUND),
                _ => Compared::Same,
            }
        }
    }
}

/// As an example shows it; the status is that of whoever answers where no Tomcat does.
fn shown(outcome: &Outcome, status: Option<u16>) -> String {
    match outcome {
        Outcome::Goes { pool, path, who } => {
            let whom = match who {
                Who::Member(address) => address.clone(),
                _ => format!("one of {}", pool.join(", ")),
            };
            format!("{} at {whom}", bare(path))
        }
        Outcome::Nowhere => match status.filter(|status| !is_turned_away(*status)) {
            Some(status) => format!("the proxy itself, {status}"),
            None => "nobody".to_owned(),
        },
        Outcome::Guarded => "a Tomcat, for some".to_owned(),
        Outcome::Untold(why) => (*why).to_owned(),
    }
}

/// A target without parameters and query, in which a session's id may stand.
fn bare(target: &str) -> &str {
    target.split(['?', ';']).next().unwrap_or_default()
}

/// Replays a log.
pub(crate) fn replay(foreign: &Foreign, site: &Site, log: &str) -> Replayed {
    let ours = Ours::of(site);
    let layout = layout(foreign, log);
    let mut replayed = Replayed::default();
    for (index, line) in log
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let Some(logged) = layout.read(line) else {
            replayed.unread += 1;
            continue;
        };
        let target = logged.target.unwrap_or_default();
        let asked = Asked {
            host: logged.host.as_deref(),
            target: &target,
            cookies: logged.cookies.as_deref(),
            entry: logged.entry.as_deref(),
        };
        let (there, here) = (foreign.decide(&asked), ours.decide(&asked));
        match compared(&there, &here, logged.status) {
            Compared::Same => replayed.same += 1,
            Compared::Partly => replayed.partly += 1,
            Compared::Untold(why) => *replayed.untold.entry(why).or_default() += 1,
            Compared::Elsewhere(how) => {
                let differing = replayed.elsewhere.entry(how).or_default();
                differing.count += 1;
                if differing.examples.len() < EXAMPLES_MAX {
                    let (there, here) = (shown(&there, logged.status), shown(&here, None));
                    differing.examples.push(format!(
                        "line {}: {}: there {there}; here {here}",
                        index + 1,
                        bare(&target)
                    ));
                }
            }
        }
    }
    replayed
}

/// The layout that reads most of a log's lines; of two that read as many, that of the files.
fn layout(foreign: &Foreign, log: &str) -> LogLayout {
    let own = foreign.formats.iter().map(|format| match foreign.dialect {
        Dialect::Nginx => LogLayout::nginx(format),
        _ => LogLayout::httpd(format),
    });
    let mut layouts: Vec<LogLayout> = own.collect();
    if foreign.dialect == Dialect::Haproxy {
        layouts = vec![LogLayout::haproxy(&foreign.formats), LogLayout::haproxy(&[])];
    }
    layouts.extend([COMBINED, COMMON].map(LogLayout::httpd));
    let read = |layout: &LogLayout| log.lines().filter(|line| layout.read(line).is_some()).count();
    // The last of the best is the first of the list.
    layouts
        .into_iter()
        .rev()
        .max_by_key(read)
        .unwrap_or_else(|| LogLayout::httpd(COMMON))
}

impl Replayed {
    /// Requests that go elsewhere.
    #[must_use]
    pub fn elsewhere(&self) -> usize {
        self.elsewhere.values().map(|differing| differing.count).sum()
    }

    /// Requests of which it cannot be told.
    #[must_use]
    pub fn untold(&self) -> usize {
        self.untold.values().sum()
    }

    /// All of it for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "go as before: {}", self.same);
        if self.partly > 0 {
            let _ = writeln!(
                text,
                "go to the same pool, under the same path: {}\n  which member, the log does not say: it has no cookies, or users stick there by \
                 what no log has",
                self.partly
            );
        }
        let _ = writeln!(text, "go elsewhere: {}", self.elsewhere());
        for (how, differing) in &self.elsewhere {
            let _ = writeln!(text, "  {}  {how}", differing.count);
            for example in &differing.examples {
                let _ = writeln!(text, "      {example}");
            }
        }
        let _ = writeln!(text, "cannot be told: {}", self.untold());
        for (why, count) in &self.untold {
            let _ = writeln!(text, "  {count}  {why}");
        }
        if self.unread > 0 {
            let _ = writeln!(text, "lines in no format that is known: {}", self.unread);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(there: &Outcome, here: &Outcome, status: Option<u16>) -> &'static str {
        match compared(there, here, status) {
            Compared::Same => "same",
            Compared::Partly => "partly",
            Compared::Elsewhere(how) => how,
            Compared::Untold(why) => why,
        }
    }

    #[test]
    fn what_the_other_proxy_serves_itself_goes_elsewhere_unless_it_turned_it_away() {
        let goes = || Outcome::Goes {
            pool: vec!["a:1".to_owned()],
            path: "/".to_owned(),
            who: Who::Anybody,
        };
        for (there, here, status, expected) in [
            (Outcome::Nowhere, Outcome::Nowhere, Some(200), ITSELF),
            (Outcome::Nowhere, Outcome::Nowhere, Some(301), ITSELF),
            (Outcome::Nowhere, Outcome::Nowhere, Some(304), ITSELF),
            (Outcome::Nowhere, Outcome::Nowhere, Some(401), ITSELF),
            (Outcome::Nowhere, Outcome::Nowhere, Some(403), "same"),
            (Outcome::Nowhere, Outcome::Nowhere, Some(404), "same"),
            (Outcome::Nowhere, Outcome::Nowhere, Some(503), "same"),
            (Outcome::Nowhere, Outcome::Nowhere, None, NO_STATUS),
            (Outcome::Nowhere, goes(), Some(404), SOMEBODY),
            (Outcome::Guarded, Outcome::Nowhere, Some(200), NOBODY),
            (Outcome::Guarded, Outcome::Nowhere, Some(403), "same"),
            (Outcome::Guarded, Outcome::Nowhere, None, GUARDED),
            (Outcome::Guarded, goes(), Some(200), GUARDED),
            (goes(), Outcome::Nowhere, Some(200), NOBODY),
            (goes(), goes(), None, "same"),
        ] {
            assert_eq!(
                told(&there, &here, status),
                expected,
                "{there:?} {here:?} {status:?}"
            );
        }
    }
}

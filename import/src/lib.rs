//! What the configuration of another proxy means here: its files in, ours out, with a report of what became of each line.
//!
//! # The rules
//!
//! 1. **Nothing is dropped.** Each directive is told of in exactly one of three classes (`report`): *same*; *differs*, and how; *not
//!    supported*, and what to do. What no rule takes is *not understood*, by file and line: `report` finds it at the end, whatever a
//!    rule forgot.
//! 2. **The nearest key, and the difference said.** Where ours has no such word, the nearest is written and its difference stands in
//!    the report. Nothing is written that would change more than it says.
//! 3. **The proxy reads what is written.** `settle` renames or takes out what it would refuse, and says so. Files of certificates alone
//!    are left for it to find.
//! 4. **Never `lookup = "httpd"`.** How httpd searches URLs for a route lets anybody steer; the report says where that decides
//!    otherwise.
//!
//! # Map
//!
//! | module | does |
//! |---|---|
//! | `source` | files as values, places in them, and how what they include is looked up |
//! | `site` | the site in our words, each item with the lines that it came from |
//! | `report` | what became of each line |
//! | `settle`, `meeting`, `write` | the last look at a site, at routes that meet, and its text |
//! | `httpd` | httpd's files, and mod_jk's |
//! | `nginx`, `haproxy` | theirs; `checking`, `paths`, `periods`, `rules` and `switch` are what readers share |
//! | `replay` | a log of the other proxy: which of its requests would go elsewhere |
//!
//! Pure: texts in, texts out. Whoever calls reads files, looks up what they include, and prints.
//!
//! Left out on purpose: what a module that is not loaded, an environment or a running proxy would add. What a file does not say is not
//! known here.

mod checking;
mod haproxy;
mod httpd;
mod meeting;
mod nginx;
mod paths;
mod periods;
mod replay;
mod report;
mod rules;
mod settle;
mod site;
mod source;
mod switch;
mod write;

pub use httpd::httpd;
pub use replay::Replayed;
pub use report::{Class, Entry, Report};
pub use site::{
    FieldRules, Headers, Health, Listener, ListenerTls, Member, Origin, Pool, PoolTls, Redirect, Route,
    RouteCookie, Setting, Site, Stickiness, Trust,
};
pub use source::{Line, Place, Source, Sources, is_like};

use replay::Foreign;

/// What came of an import.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Text for `remora-proxy --config`; none where nothing of these files could be served.
    pub config: Option<String>,
    /// What became of each line.
    pub report: Report,
    /// What was written.
    site: Site,
    /// What the other proxy decides, for a log of its.
    foreign: Foreign,
}

/// What a reader of one proxy's files has found.
struct Reading {
    site: Site,
    report: Report,
    /// Every directive, for the last look.
    lines: Vec<Line>,
    /// What that proxy decides.
    foreign: Foreign,
}

impl Imported {
    /// Settles a site, tells of the lines that no rule took, and writes it.
    fn of(reading: Reading) -> Imported {
        let Reading {
            mut site,
            mut report,
            lines,
            foreign,
        } = reading;
        settle::settle(&mut site, &mut report);
        report.confirm(&site);
        report.account(&lines);
        let config = site.serves().then(|| write::toml(&site));
        Imported {
            config,
            report,
            site,
            foreign,
        }
    }

    /// Replays an access log of the other proxy: which of its requests would go elsewhere.
    #[must_use]
    pub fn replay(&self, log: &str) -> Replayed {
        replay::replay(&self.foreign, &self.site, log)
    }
}

/// What these files of nginx mean.
#[must_use]
pub fn nginx(files: &Sources<'_>) -> Imported {
    Imported::of(nginx::read(files))
}

/// What these files of HAProxy mean.
#[must_use]
pub fn haproxy(files: &Sources<'_>) -> Imported {
    Imported::of(haproxy::read(files))
}

//! What became of each line: the same, otherwise and how, or not at all and what to do instead.
//!
//! Invariant: nothing is dropped. A directive that no rule told of is told of at the end, by [`Report::account`], as not
//! understood; so a rule that forgets a line shows up, and does not hide it.
//!
//! Left out on purpose: whether the files are right. A proxy that runs with them has said so.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::source::{Line, Place};

/// Longest part of a line that a report shows, in characters: with its place it fits on a screen.
const SHOWN_MAX: usize = 96;

/// Columns of a sentence in a report: what a terminal shows beside the margin.
const WIDTH: usize = 110;

/// What is told of a directive that no rule knows.
const NOT_UNDERSTOOD: &str = "not understood: no rule of this importer knows it, and nothing was written for it. Look up what it \
                              does, and say that by hand if the site needs it";

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// What is written means the same.
    Same,
    /// What is written, or how the proxy is, means something else.
    Differs,
    /// Nothing is written for it.
    Unsupported,
}

impl Class {
    /// All of them, in the order in which they are told.
    pub const ALL: [Class; 3] = [Class::Same, Class::Differs, Class::Unsupported];

    /// As people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Same => "same",
            Class::Differs => "differs",
            Class::Unsupported => "not supported",
        }
    }
}

/// One line and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Of which class.
    pub class: Class,
    /// Where the line stands.
    pub place: Place,
    /// The line as it stood, cut, and without what it keeps secret.
    pub what: String,
    /// In what it differs, or what to do.
    pub why: String,
}

/// What became of all lines.
#[derive(Clone, Debug, Default)]
pub struct Report {
    entries: Vec<Entry>,
    /// The same, to tell of nothing twice.
    seen: BTreeSet<Entry>,
    told: BTreeSet<Line>,
}

impl Report {
    /// A line that means the same here.
    pub fn same(&mut self, line: &Line, why: impl Into<String>) {
        self.tell(Class::Same, line, why.into());
    }

    /// A line that means something else here, and what.
    pub fn differs(&mut self, line: &Line, why: impl Into<String>) {
        self.tell(Class::Differs, line, why.into());
    }

    /// A line for which nothing is written, and what to do.
    pub fn unsupported(&mut self, line: &Line, why: impl Into<String>) {
        self.tell(Class::Unsupported, line, why.into());
    }

    /// A line that no rule knows.
    pub fn not_understood(&mut self, line: &Line) {
        self.unsupported(line, NOT_UNDERSTOOD);
    }

    fn tell(&mut self, class: Class, line: &Line, why: String) {
        self.told.insert(line.clone());
        let entry = Entry {
            class,
            place: line.place.clone(),
            what: cut(&shown(&line.text)),
            why,
        };
        if self.seen.insert(entry.clone()) {
            self.entries.push(entry);
        }
    }

    /// Whether anything is told of a directive. Several may stand on one line, and each counts for itself.
    #[must_use]
    pub fn is_told(&self, line: &Line) -> bool {
        self.told.contains(line)
    }

    /// Tells of each of these that no rule told of: it is not understood.
    pub fn account<'a>(&mut self, lines: impl IntoIterator<Item = &'a Line>) {
        for line in lines {
            if !self.is_told(line) {
                self.unsupported(line, NOT_UNDERSTOOD);
            }
        }
    }

    /// What is told of one class, in the order of files and lines.
    #[must_use]
    pub fn of(&self, class: Class) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.iter().filter(|entry| entry.class == class).collect();
        entries.sort_by(|one, other| one.place.cmp(&other.place));
        entries
    }

    /// All of it for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for class in Class::ALL {
            let entries = self.of(class);
            let _ = writeln!(text, "{}: {}", class.as_str(), entries.len());
            let mut before = None;
            for entry in entries {
                if before != Some((&entry.place, &entry.what)) {
                    let _ = writeln!(text, "  {}  {}", entry.place, entry.what);
                }
                before = Some((&entry.place, &entry.what));
                for line in wrapped(&entry.why, WIDTH) {
                    let _ = writeln!(text, "      {line}");
                }
            }
        }
        text
    }
}

/// How names end behind which a secret stands.
const SECRETS: [&str; 15] = [
    "secret",
    "password",
    "authorization",
    "pass",
    "passwd",
    "passphrase",
    "_pw",
    "token",
    "credential",
    "credentials",
    "apikey",
    "accesskey",
    "privatekey",
    "_key",
    "-key",
];

/// Names that end so, and pass requests on, name a file, or say by what a cache or a hash is asked.
const NO_SECRETS: [&str; 17] = [
    "proxypass",
    "proxy_pass",
    "fastcgi_pass",
    "uwsgi_pass",
    "scgi_pass",
    "grpc_pass",
    "memcached_pass",
    "ssl_certificate_key",
    "proxy_ssl_certificate_key",
    "grpc_ssl_certificate_key",
    "uwsgi_ssl_certificate_key",
    "ssl_session_ticket_key",
    "proxy_cache_key",
    "fastcgi_cache_key",
    "uwsgi_cache_key",
    "scgi_cache_key",
    "hash-key",
];

/// A line of a file as it may be shown: in one line, without control characters, and without the words that are secrets.
pub(crate) fn shown(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut hides = false;
    for word in text.split_whitespace() {
        let shown = match word.split_once('=').filter(|(name, _)| is_secret(name)) {
            Some((name, _)) => format!("{name}=..."),
            None if hides => "...".to_owned(),
            None => without_user(word),
        };
        // What is in quotes may have several words; all up to the end of the line is hidden then.
        hides = is_secret(word) || (hides && opens_quote(&words, word));
        words.push(shown);
    }
    words.join(" ")
}

/// Whether what stands behind a name is a secret.
fn is_secret(name: &str) -> bool {
    let name = name.trim_matches(['"', '\'', ':']).to_ascii_lowercase();
    let ends = SECRETS.iter().any(|end| name.ends_with(end));
    name == "pw" || ends && !NO_SECRETS.contains(&&*name)
}

/// Whether a hidden word begins or goes on in quotes that are not closed.
fn opens_quote(before: &[String], word: &str) -> bool {
    let begins = word.starts_with(['"', '\'']);
    let ends = word.len() > 1 && word.ends_with(['"', '\'']);
    !ends && (begins || before.last().is_some_and(|last| last == "..."))
}

/// A word without control characters, and a URL without who logs in by it.
fn without_user(word: &str) -> String {
    let plain: String = word.chars().filter(|letter| !letter.is_control()).collect();
    let Some((scheme, rest)) = plain.split_once("://") else {
        return plain;
    };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://...{}", &rest[at..]),
        None => plain,
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A sentence in lines of at most so many columns.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize, text: &str) -> Line {
        let place = Place {
            file: "a.conf".into(),
            line: number,
        };
        Line {
            place,
            text: text.into(),
        }
    }

    #[test]
    fn a_line_that_no_rule_took_is_told_of() {
        let lines = [line(1, "Known"), line(2, "Unknown word")];
        let mut report = Report::default();
        report.same(&lines[0], "as it was");
        report.account(&lines);
        report.account(&lines);
        let told = report.of(Class::Unsupported);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].place.line, &*told[0].what), (2, "Unknown word"));
        assert!(told[0].why.starts_with("not understood"), "{}", told[0].why);
    }

    #[test]
    fn a_secret_is_not_shown_and_a_long_line_is_cut() {
        assert_eq!(
            shown("BalancerMember  ajp://h:8009 secret=s3 \tx"),
            "BalancerMember ajp://h:8009 secret=... x"
        );
        assert_eq!(shown("AuthLDAPBindPassword \"s3\""), "AuthLDAPBindPassword ...");
        assert_eq!(
            shown("RequestHeader set Authorization \"Basic c2Vj\" x"),
            "RequestHeader set Authorization ... ... x"
        );
        assert_eq!(shown("SetEnv DB_PASS x"), "SetEnv DB_PASS ...");
        assert_eq!(
            shown("ProxyPass /p http://u:pw@h/p"),
            "ProxyPass /p http://...@h/p"
        );
        for name in [
            "API_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "SECRET",
            "SESSION_TOKEN",
            "DB_PASSWORD",
            "GPG_PASSPHRASE",
        ] {
            assert_eq!(shown(&format!("SetEnv {name} x")), format!("SetEnv {name} ..."));
            assert_eq!(shown(&format!("SetEnv {name}=x")), format!("SetEnv {name}=..."));
            assert_eq!(
                shown(&format!("set ${name} \"x y\"")),
                format!("set ${name} ... ...")
            );
        }
        assert_eq!(
            shown("http-request set-header X-Access-Key: x"),
            "http-request set-header X-Access-Key: ..."
        );
        for plain in [
            "ssl_certificate_key /etc/a.key",
            "proxy_cache_key $uri",
            "proxy_pass http://a",
            "server a hash-key id",
        ] {
            assert_eq!(shown(plain), plain);
        }
        let long = "x".repeat(SHOWN_MAX + 1);
        assert_eq!(cut(&long), format!("{}...", &long[1..]));
    }
}

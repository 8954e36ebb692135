//! What became of each line: the same, otherwise and how, or not at all and what to do instead.
//!
//! Invariants: nothing is dropped. A directive that no rule told of is told of at the end, by [`Report::account`], as not understood; so
//! a rule that forgets a line shows up, and does not hide it · a line is told of in one class: the worst of what is told of it ·
//! what a line is said to become is written, or the sentence is taken back ([`Report::becomes`]).
//!
//! Left out on purpose: whether the files are right. A proxy that runs with them has said so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::site::{Piece, Site};
use crate::source::{Line, Place};

/// Longest part of a line that a report shows, in characters: with its place it fits on a screen.
const SHOWN_MAX: usize = 96;

/// Columns of a sentence in a report: what a terminal shows beside the margin.
const WIDTH: usize = 110;

/// What is told of a directive that no rule knows.
const NOT_UNDERSTOOD: &str = "not understood: no rule of this importer knows it, and nothing was written for it. Look up what it \
                              does, and say that by hand if the site needs it";

/// What is told of a line whose piece is left out for what other lines say.
const LEFT_OUT: &str = "nothing is written for it: what it is a part of is left out, or other lines hold there in its place. Look up whether the site \
                        needs it";

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// What is written means the same.
    Same,
    /// What is written, or how the proxy is, means something else.
    Differs,
    /// Nothing is written for it, or for a part of it.
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

/// One line and a sentence of what became of it. A line with several parts has several, all of one class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Of which class the line is: the worst of all its sentences.
    pub class: Class,
    /// Where the line stands.
    pub place: Place,
    /// The line as it stood, cut, and without what it keeps secret.
    pub what: String,
    /// In what it differs, or what to do; behind `same:` or `differs:` what holds of another part of the line.
    pub why: String,
}

/// A sentence of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sentence {
    class: Class,
    why: String,
    /// What has to be written for this to be true.
    piece: Option<Piece>,
}

/// A line, and all that is told of it.
#[derive(Clone, Debug)]
struct ToldLine {
    line: Line,
    sentences: Vec<Sentence>,
}

impl ToldLine {
    fn class(&self) -> Class {
        let classes = self.sentences.iter().map(|sentence| sentence.class);
        classes.max().unwrap_or(Class::Same)
    }
}

/// What became of all lines.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order in which they are told of first.
    told: Vec<ToldLine>,
    /// Where each stands among those.
    positions: BTreeMap<Line, usize>,
}

impl Report {
    /// A line that means the same here.
    pub fn same(&mut self, line: &Line, why: impl Into<String>) {
        self.tell(Class::Same, line, why.into(), None);
    }

    /// A line that means the same here, if the piece that it becomes is written in the end.
    pub(crate) fn becomes(&mut self, piece: Piece, line: &Line, why: impl Into<String>) {
        self.tell(Class::Same, line, why.into(), Some(piece));
    }

    /// A line that means something else here, and what.
    pub fn differs(&mut self, line: &Line, why: impl Into<String>) {
        self.tell(Class::Differs, line, why.into(), None);
    }

    /// A line for which nothing is written, and what to do.
    pub fn unsupported(&mut self, line: &Line, why: impl Into<String>) {
        self.tell(Class::Unsupported, line, why.into(), None);
    }

    /// A line that means something else here, if the piece that it becomes is written in the end.
    pub(crate) fn becomes_but(&mut self, piece: Piece, line: &Line, why: impl Into<String>) {
        self.tell(Class::Differs, line, why.into(), Some(piece));
    }

    /// A line of a class, as a table of words says it.
    pub(crate) fn as_table(&mut self, class: Class, line: &Line, why: &str) {
        self.tell(class, line, why.to_owned(), None);
    }

    /// A line that becomes a piece, if it does: the same but for what differs, if anything does.
    pub(crate) fn parts(&mut self, piece: Option<Piece>, line: &Line, same: &str, differs: &[String]) {
        if differs.is_empty() {
            self.tell(Class::Same, line, same.to_owned(), piece);
        }
        for why in differs {
            self.tell(Class::Differs, line, why.clone(), piece);
        }
    }

    /// A line that no rule knows.
    pub fn not_understood(&mut self, line: &Line) {
        self.unsupported(line, NOT_UNDERSTOOD);
    }

    fn tell(&mut self, class: Class, line: &Line, why: String, piece: Option<Piece>) {
        let position = *self.positions.entry(line.clone()).or_insert_with(|| {
            self.told.push(ToldLine {
                line: line.clone(),
                sentences: Vec::new(),
            });
            self.told.len() - 1
        });
        let sentences = &mut self.told[position].sentences;
        let sentence = Sentence { class, why, piece };
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }

    /// Whether anything is told of a directive. Several may stand on one line, and each counts for itself.
    #[must_use]
    pub fn is_told(&self, line: &Line) -> bool {
        self.positions.contains_key(line)
    }

    /// Takes back what lines were said to become, where that is not written.
    pub(crate) fn confirm(&mut self, site: &Site) {
        let written: BTreeMap<Piece, BTreeSet<&Line>> = Piece::ALL
            .into_iter()
            .map(|piece| (piece, site.lines_of(piece)))
            .collect();
        for ToldLine { line, sentences } in &mut self.told {
            let mut once = BTreeSet::new();
            sentences.retain(|Sentence { class, why, piece }| {
                piece.is_none_or(|piece| written[&piece].contains(line)) && once.insert((*class, why.clone()))
            });
            if sentences.is_empty() {
                sentences.push(Sentence {
                    class: Class::Unsupported,
                    why: LEFT_OUT.to_owned(),
                    piece: None,
                });
            }
        }
    }

    /// Tells of each of these that no rule told of: it is not understood.
    pub fn account<'a>(&mut self, lines: impl IntoIterator<Item = &'a Line>) {
        for line in lines {
            if !self.is_told(line) {
                self.unsupported(line, NOT_UNDERSTOOD);
            }
        }
    }

    /// What is told of the lines of one class, in the order of files and lines; of each line what makes it one of that class first.
    #[must_use]
    pub fn of(&self, class: Class) -> Vec<Entry> {
        let mut lines: Vec<&ToldLine> = self.told.iter().filter(|told| told.class() == class).collect();
        lines.sort_by(|one, other| one.line.place.cmp(&other.line.place));
        lines.into_iter().flat_map(entries).collect()
    }

    /// All of it for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for class in Class::ALL {
            let lines = self.told.iter().filter(|told| told.class() == class);
            let _ = writeln!(text, "{}: {}", class.as_str(), lines.count());
            let mut before = None;
            for entry in self.of(class) {
                let Entry { place, what, why, .. } = entry;
                let line = Some((place, what));
                if let Some((place, what)) = line.as_ref().filter(|_| line != before) {
                    let _ = writeln!(text, "  {place}  {what}");
                }
                before = line;
                for line in wrapped(&why, WIDTH) {
                    let _ = writeln!(text, "      {line}");
                }
            }
        }
        text
    }
}

/// The sentences of a line, the worst first.
fn entries(told: &ToldLine) -> Vec<Entry> {
    let class = told.class();
    let mut sentences: Vec<&Sentence> = told.sentences.iter().collect();
    sentences.sort_by_key(|sentence| std::cmp::Reverse(sentence.class));
    let one = |sentence: &Sentence| Entry {
        class,
        place: told.line.place.clone(),
        what: cut(&shown(&told.line.text)),
        why: match sentence.class {
            own if own == class => sentence.why.clone(),
            own => format!("{}: {}", own.as_str(), sentence.why),
        },
    };
    sentences.into_iter().map(one).collect()
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
    use crate::site::{Origin, Route};

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
    fn a_line_is_told_of_in_the_worst_class_with_all_its_sentences() {
        let (one, other) = (line(1, "Member route=n1 color=blue"), line(2, "Member"));
        let mut report = Report::default();
        report.same(&one, "a route");
        report.unsupported(&one, "no color");
        report.differs(&one, "a member, but");
        report.same(&other, "a member");
        let whys = |class| {
            let entries = report.of(class).into_iter();
            entries.map(|entry| entry.why).collect::<Vec<_>>()
        };
        assert_eq!(
            whys(Class::Unsupported),
            ["no color", "differs: a member, but", "same: a route"]
        );
        assert_eq!(whys(Class::Differs), [""; 0]);
        assert_eq!(whys(Class::Same), ["a member"]);
        let text = report.text();
        let counts: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
        assert_eq!(counts, ["same: 1", "differs: 0", "not supported: 1"]);
    }

    #[test]
    fn what_a_line_became_is_taken_back_where_it_is_not_written() {
        let (kept, lost, bare) = (line(1, "kept"), line(2, "lost"), line(3, "bare"));
        let mut site = Site::default();
        site.routes.push(Route {
            origin: Origin::of(&kept),
            ..Route::default()
        });
        let mut report = Report::default();
        for line in [&kept, &lost, &bare] {
            report.becomes(Piece::Route, line, "a route");
        }
        report.becomes(Piece::Member, &kept, "a member");
        report.differs(&lost, "closed");
        report.confirm(&site);
        let whys = |class| {
            let entries = report.of(class).into_iter();
            entries.map(|entry| entry.why).collect::<Vec<_>>()
        };
        assert_eq!(whys(Class::Same), ["a route"]);
        assert_eq!(whys(Class::Differs), ["closed"]);
        assert_eq!(whys(Class::Unsupported), [LEFT_OUT]);
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

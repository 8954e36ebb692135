//! HAProxy's file as sections, each with the lines that it has itself and those that it has from its defaults.
//!
//! Its ways: a section ends where the next begins; a frontend, backend or listen takes from the defaults that it names (`from`), else
//! from those that stand last above it; defaults may take from others.
//!
//! Invariants: every line stands in one section, or is a stray · what a section says itself comes behind what it has from defaults, so
//! the last that says a thing holds.
//!
//! Left out on purpose: which line may stand in which section.

use std::rc::Rc;

use super::lexer::{Words, cut};

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HaproxyKind {
    Global,
    Defaults,
    Frontend,
    Backend,
    Listen,
    /// Any other that HAProxy knows: its first line says which.
    Other,
}

/// A section.
#[derive(Clone, Debug)]
pub(super) struct HaproxySection {
    pub(super) kind: HaproxyKind,
    /// Its name, if it has one.
    pub(super) name: String,
    /// The line that opens it.
    pub(super) head: Words,
    /// Its own lines.
    pub(super) lines: Vec<Words>,
    /// The lines that it has from defaults.
    pub(super) inherited: Vec<Words>,
}

impl HaproxySection {
    /// All that holds in it, what it says itself last.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Words> {
        self.inherited.iter().chain(&self.lines)
    }

    /// Whether it takes clients.
    pub(super) fn is_front(&self) -> bool {
        matches!(self.kind, HaproxyKind::Frontend | HaproxyKind::Listen)
    }

    /// Whether it has servers.
    pub(super) fn is_back(&self) -> bool {
        matches!(self.kind, HaproxyKind::Backend | HaproxyKind::Listen)
    }
}

/// Sections that HAProxy has besides.
const OTHERS: &[&str] = &[
    "resolvers",
    "peers",
    "userlist",
    "mailers",
    "cache",
    "program",
    "http-errors",
    "ring",
    "log-forward",
    "crt-store",
    "fcgi-app",
    "traces",
];

/// The sections of a text, and lines that stand above the first.
pub(super) fn parse(file: &Rc<str>, text: &str) -> (Vec<HaproxySection>, Vec<Words>) {
    let mut sections: Vec<HaproxySection> = Vec::new();
    let mut strays = Vec::new();
    for line in cut(file, text) {
        if let Some(kind) = kind(line.word(0)) {
            sections.push(opened(kind, line, &sections));
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line);
        } else {
            strays.push(line);
        }
    }
    inherit(&mut sections);
    (sections, strays)
}

fn kind(word: &str) -> Option<HaproxyKind> {
    match word {
        "global" => Some(HaproxyKind::Global),
        "defaults" => Some(HaproxyKind::Defaults),
        "frontend" => Some(HaproxyKind::Frontend),
        "backend" => Some(HaproxyKind::Backend),
        "listen" => Some(HaproxyKind::Listen),
        other => OTHERS.contains(&other).then_some(HaproxyKind::Other),
    }
}

fn opened(kind: HaproxyKind, head: Words, before: &[HaproxySection]) -> HaproxySection {
    let name = match head.word(1) {
        "from" => String::new(),
        name => name.to_owned(),
    };
    let nameless = name.is_empty() && !matches!(kind, HaproxyKind::Global | HaproxyKind::Defaults);
    let twice = before.iter().any(|other| {
        let fronts = matches!(other.kind, HaproxyKind::Frontend | HaproxyKind::Listen);
        other.kind == kind && fronts && other.name == name
    });
    let flaw = if nameless {
        Some("a section without a name")
    } else if twice {
        Some("a second section of this kind and name")
    } else {
        head.flaw
    };
    HaproxySection {
        kind,
        name,
        head: Words { flaw, ..head },
        lines: Vec::new(),
        inherited: Vec::new(),
    }
}

/// Gives each section what it has from defaults.
fn inherit(sections: &mut [HaproxySection]) {
    for at in 0..sections.len() {
        let (above, rest) = sections.split_at_mut(at);
        let section = &mut rest[0];
        let is_defaults = |other: &&HaproxySection| other.kind == HaproxyKind::Defaults;
        let wanted = section.head.behind("from");
        let source = match (section.kind, wanted) {
            (HaproxyKind::Global | HaproxyKind::Other, _) | (HaproxyKind::Defaults, None) => None,
            (_, Some(name)) => above.iter().filter(is_defaults).rfind(|other| other.name == name),
            (_, None) => above.iter().rfind(is_defaults),
        };
        if wanted.is_some() && source.is_none() {
            section.head.flaw = Some("takes from defaults that do not stand above it");
        }
        if let Some(source) = source {
            section.inherited = source.all().cloned().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> String {
        let (sections, _) = parse(&"a".into(), text);
        let one = |section: &HaproxySection| {
            let lines: Vec<String> = section.all().map(|line| line.line.text.clone()).collect();
            format!("{}({})", section.name, lines.join(", "))
        };
        sections.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_section_has_what_its_defaults_say_and_says_the_last_word() {
        assert_eq!(
            holds("defaults\n mode tcp\nbackend b\n mode http\ndefaults\nbackend c\n x"),
            "(mode tcp) b(mode tcp, mode http) () c(x)"
        );
        assert_eq!(
            holds("defaults a\n x\ndefaults b from a\n y\ndefaults\n z\nfrontend f from b\n w"),
            "a(x) b(x, y) (z) f(x, y, w)"
        );
    }

    #[test]
    fn what_no_section_can_be_is_said() {
        let flaw = |text| {
            parse(&"a".into(), text)
                .0
                .pop()
                .and_then(|section| section.head.flaw)
        };
        assert_eq!(flaw("backend"), Some("a section without a name"));
        assert_eq!(
            flaw("frontend a\nfrontend a"),
            Some("a second section of this kind and name")
        );
        assert_eq!(
            flaw("frontend a from b"),
            Some("takes from defaults that do not stand above it")
        );
        assert_eq!(flaw("defaults b\nfrontend a from b"), None);
        assert_eq!(parse(&"a".into(), "mode http\nglobal").1.len(), 1);
    }
}

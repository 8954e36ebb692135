//! HAProxy's file as sections, each with the lines that it has itself and those that it has from its defaults.
//!
//! Its ways: a section ends where the next begins; a frontend, backend or listen takes from the defaults that it names (`from`), else
//! from those that stand last above it; defaults may take from others.
//!
//! Invariants: every line stands in one section, or is a stray · what a section says itself comes behind what it has from defaults, so
//! the last that says a thing holds.
//!
//! Left out on purpose: which line may stand in which section.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::lexer::{Words, cut};

/// How many defaults may take from each other in a row: people have three.
const DEPTH_MAX: usize = 64;

/// What is told of those beyond.
pub(super) const TOO_DEEP: &str = "defaults take from each other more than 64 deep: what they have from others is not read for this section";

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
    pub(super) inherited: Rc<[Words]>,
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
        inherited: Rc::from([]),
    }
}

/// Gives each section what it has from defaults. Those that take from the same share it.
fn inherit(sections: &mut [HaproxySection]) {
    // Defaults so far: by name and the last, with what others have of them, and how many took from each other for that.
    let (mut named, mut last) = (BTreeMap::new(), None);
    let mut given: BTreeMap<usize, (Rc<[Words]>, usize)> = BTreeMap::new();
    for (at, section) in sections.iter_mut().enumerate() {
        let wanted = section.head.behind("from");
        let source = match (section.kind, wanted) {
            (HaproxyKind::Global | HaproxyKind::Other, _) | (HaproxyKind::Defaults, None) => None,
            (_, Some(name)) => named.get(name).copied(),
            (_, None) => last,
        };
        let (inherited, depth) = source
            .and_then(|source| given.get(&source).cloned())
            .unwrap_or_default();
        if wanted.is_some() && source.is_none() {
            section.head.flaw = Some("takes from defaults that do not stand above it");
        } else if depth > DEPTH_MAX {
            section.head.flaw = Some(TOO_DEEP);
        } else {
            section.inherited = inherited;
        }
        if section.kind == HaproxyKind::Defaults {
            named.insert(section.name.clone(), at);
            last = Some(at);
            let depth = if depth > DEPTH_MAX { 1 } else { depth + 1 };
            given.insert(at, (section.all().cloned().collect(), depth));
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
        let chain = |length: usize| {
            let one = |number: usize| format!("defaults d{} from d{number}\n x", number + 1);
            let rest: Vec<String> = (0..length).map(one).collect();
            format!("defaults d0\n{}", rest.join("\n"))
        };
        let lines = chain(DEPTH_MAX);
        assert_eq!(flaw(&lines), None);
        assert_eq!(holds(&lines).matches('x').count(), (1..=DEPTH_MAX).sum());
        let lines = chain(DEPTH_MAX + 1);
        assert_eq!(flaw(&lines), Some(TOO_DEEP));
        assert_eq!(parse(&"a".into(), "mode http\nglobal").1.len(), 1);
    }
}

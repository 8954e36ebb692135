//! The shape of files: how long, how they open, what is said of a bound, and that a name means one thing in a crate.

use std::collections::{BTreeMap, BTreeSet};

use crate::Fault;
use crate::tree::{Source, Tree};
use crate::words::in_name;

/// Longest file, in lines of code: comments, blank lines and test modules do not count. One sitting's reading.
const FILE_CODE_LINES_MAX: usize = 400;

/// Longest Java method, in lines; one screen. Rust functions are clippy's.
const JAVA_METHOD_LINES_MAX: usize = 70;

/// From this many lines on, one sentence does not say what a file owns, what holds in it and what it leaves out.
const LONG_FILE_LINES_MIN: usize = 101;

/// Fewest lines of the preface of such a file.
const LONG_FILE_PREFACE_LINES_MIN: usize = 3;

/// Fewest words of a sentence; fewer name a thing that the file's name has named already.
const SENTENCE_WORDS_MIN: usize = 4;

/// Fewest words of a bound's comment; fewer repeat the name.
const REASON_WORDS_MIN: usize = 3;

/// Words that make a constant's name the name of a bound: most stand at its end, `CAPACITY_FIRST` and its like elsewhere.
const BOUND_WORDS: &[&str] = &[
    "MAX", "MIN", "LIMIT", "CAPACITY", "TIMEOUT", "WAIT", "INTERVAL", "WITHIN", "EVERY", "AFTER", "TRIES",
    "PATIENCE", "DEADLINE", "PAUSE", "THREADS",
];

/// Units that do the same behind the name of what they count; alone, one may be the name of a thing.
const UNITS: &[&str] = &["BYTES", "MS", "NANOS", "MILLIS", "SECONDS"];

/// Type names that one crate gives twice: crate, name, and why both are right.
const NAMED_TWICE: &[(&str, &str, &str)] = &[(
    "tomcat-adapter",
    "Kind",
    "the kinds of one outcome or push, written CheckOutcome.Kind and so on",
)];

/// Files can be read in one sitting.
pub(crate) fn files_fit_one_sitting(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.rust().chain(tree.java()) {
        let lines = source.own_code().count();
        if lines > FILE_CODE_LINES_MAX {
            let what = format!("{lines} lines of code, more than {FILE_CODE_LINES_MAX}");
            faults.push(Fault::at(source, 1, what));
        }
    }
    faults
}

/// Java methods fit one screen. The formatter indents members by two spaces, so a member ends at such a brace.
pub(crate) fn java_methods_fit_one_screen(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.java() {
        let mut start = None;
        for line in source.lines() {
            let member = line.code.starts_with("  ") && !line.code.starts_with("   ");
            if member && line.code.trim_end().ends_with('{') && line.code.contains('(') {
                start = Some(line.number);
            } else if line.code.trim_end() == "  }"
                && let Some(first) = start.take()
                && line.number - first >= JAVA_METHOD_LINES_MAX
            {
                let what = format!(
                    "{} lines, more than {JAVA_METHOD_LINES_MAX}",
                    line.number - first + 1
                );
                faults.push(Fault::at(source, first, what));
            }
        }
    }
    faults
}

/// Files open with what they are: a sentence at least, and in long files of a program what holds and what is left out.
pub(crate) fn files_open_with_a_preface(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.rust() {
        let preface: Vec<&str> = source
            .text
            .lines()
            .map_while(|line| line.strip_prefix("//!"))
            .collect();
        let long = source.text.lines().count() >= LONG_FILE_LINES_MIN && !source.is_test_file();
        if preface.is_empty() {
            faults.push(Fault::at(source, 1, "no `//!` preface"));
        } else if !has_sentence(&preface) {
            faults.push(Fault::at(source, 1, "the preface is not a sentence"));
        } else if long && preface.len() < LONG_FILE_PREFACE_LINES_MIN {
            let what = format!("a long file with a preface of {} line(s)", preface.len());
            faults.push(Fault::at(source, 1, what));
        }
    }
    for source in tree
        .java()
        .filter(|source| !source.is_test_file() && !opens_with_javadoc(source))
    {
        faults.push(Fault::at(
            source,
            1,
            "no sentence of Javadoc before its type or package",
        ));
    }
    faults
}

/// Whether some words in a row end as a sentence does.
fn has_sentence(lines: &[&str]) -> bool {
    let mut words = 0;
    for word in lines.iter().flat_map(|line| line.split_whitespace()) {
        words += usize::from(word.contains(char::is_alphabetic));
        if word.ends_with(['.', ':', '?', '!']) {
            if words >= SENTENCE_WORDS_MIN {
                return true;
            }
            words = 0;
        }
    }
    false
}

/// An annotation may stand between the two, and may be longer than a line.
fn opens_with_javadoc(source: &Source) -> bool {
    let declares = |code: &str| {
        ["class ", "interface ", "enum ", "record ", "package "]
            .iter()
            .any(|word| code.contains(word))
    };
    let package_only = source.path.ends_with("package-info.java");
    let mut comment = Vec::new();
    for line in source.lines() {
        if line.is_comment() {
            comment.push(line.comment.trim().trim_start_matches(['/', '*', ' ']));
        } else if declares(&line.code) && (package_only || !line.code.starts_with("package ")) {
            return has_sentence(&comment);
        } else if !line.code.trim().is_empty() && !line.code.starts_with(['@', ' ']) {
            comment.clear();
        }
    }
    false
}

/// Every bound says its unit and reason right above itself; a duration is one, whatever its name.
pub(crate) fn every_bound_says_why(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.rust().chain(tree.java()) {
        for (index, line) in source.lines().iter().enumerate() {
            let constant = if source.is_rust() {
                rust_constant(&line.code)
            } else {
                java_constant(&line.code)
            };
            if let Some(name) = constant
                && (is_bound(name) || line.code.contains(": Duration ="))
                && !is_explained(source, index)
            {
                faults.push(Fault::at(
                    source,
                    line.number,
                    format!("{name} has no comment with its unit and reason"),
                ));
            }
        }
    }
    faults
}

fn is_bound(name: &str) -> bool {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default();
    BOUND_WORDS.contains(&first) || words.any(|word| BOUND_WORDS.contains(&word) || UNITS.contains(&word))
}

/// The name of the constant that a line declares, whoever may see it.
fn rust_constant(code: &str) -> Option<&str> {
    let code = after_visibility(code)?;
    let name = code
        .strip_prefix("const ")
        .or_else(|| code.strip_prefix("static "))?;
    let name = name.split(':').next()?.trim();
    name.chars().all(in_name).then_some(name)
}

/// What follows `pub`, `pub(crate)` and their like, or the whole.
fn after_visibility(code: &str) -> Option<&str> {
    let code = code.trim_start();
    let rest = match code.strip_prefix("pub") {
        Some(restricted) if restricted.starts_with('(') => restricted.split_once(')')?.1,
        Some(public) if public.starts_with(' ') => public,
        _ => code,
    };
    Some(rest.trim_start())
}

fn java_constant(code: &str) -> Option<&str> {
    let (modifiers, _) = code.split_once('=')?;
    let words: Vec<&str> = modifiers.split_whitespace().collect();
    let constant = words.contains(&"static") && words.contains(&"final");
    constant.then(|| words.last().copied()).flatten()
}

/// Whether some words stand right above; a file's preface speaks of the file.
fn is_explained(source: &Source, index: usize) -> bool {
    let above = source.lines()[..index].iter().rev();
    let above = above.skip_while(|line| line.code.trim_start().starts_with("#["));
    let comment = above.take_while(|line| line.is_comment() && !line.comment.starts_with("//!"));
    let words = comment.flat_map(|line| line.comment.split_whitespace());
    words.filter(|word| word.contains(char::is_alphabetic)).count() >= REASON_WORDS_MIN
}

/// A type's name means one thing in its crate, but for a listed few.
pub(crate) fn type_names_mean_one_thing(tree: &Tree) -> Vec<Fault> {
    let mut places: BTreeMap<(String, String), Vec<(&Source, usize)>> = BTreeMap::new();
    for source in tree.rust().chain(tree.java()) {
        for line in source.product() {
            let name = if source.is_rust() {
                rust_type(&line.code)
            } else {
                java_type(&line.code)
            };
            if let Some(name) = name {
                let key = (crate_of(&source.path), name.to_owned());
                places.entry(key).or_default().push((source, line.number));
            }
        }
    }
    let mut faults = Vec::new();
    let mut needed = BTreeSet::new();
    for ((krate, name), places) in places.iter().filter(|(_, places)| places.len() > 1) {
        if let Some(row) = NAMED_TWICE.iter().position(|row| (row.0, row.1) == (krate, name)) {
            needed.insert(row);
            continue;
        }
        for (source, line) in places {
            let others: Vec<&str> = places
                .iter()
                .map(|(other, _)| other.path.as_str())
                .filter(|path| *path != source.path)
                .collect();
            let what = format!("{krate} has a second `{name}` in {}", others.join(", "));
            faults.push(Fault::at(source, *line, what));
        }
    }
    let idle = NAMED_TWICE
        .iter()
        .enumerate()
        .filter(|(row, _)| !needed.contains(row));
    faults.extend(idle.map(|(_, row)| {
        Fault::new(
            row.0,
            1,
            format!("`{}` is no longer named twice: its row can go", row.1),
        )
    }));
    faults
}

/// The directory of a crate or of the jar's sources.
fn crate_of(path: &str) -> String {
    path.split_once("/src/")
        .map_or(path, |(before, _)| before)
        .to_owned()
}

fn rust_type(code: &str) -> Option<&str> {
    let declared = after_visibility(code)?;
    let mut words = declared
        .split(|character: char| !in_name(character))
        .filter(|word| !word.is_empty());
    let word = words.next()?;
    // Further in, an alias belongs to a trait's implementation.
    let alias = word == "type" && !code.starts_with(' ');
    (alias || ["struct", "enum", "trait", "union"].contains(&word))
        .then(|| words.next())
        .flatten()
}

fn java_type(code: &str) -> Option<&str> {
    const MODIFIERS: [&str; 9] = [
        "public",
        "protected",
        "private",
        "static",
        "final",
        "abstract",
        "sealed",
        "non-sealed",
        "strictfp",
    ];
    let mut words = code
        .split_whitespace()
        .skip_while(|word| MODIFIERS.contains(word));
    let kind = words.next()?;
    let name = words.next()?.split(['<', '(', '{']).next()?;
    ["class", "interface", "enum", "record", "@interface"]
        .contains(&kind)
        .then_some(name)
}

//! What a comment or a document points to must be here: a reader has the repository and nothing else.
//!
//! A path is a citation when it ends like a source or begins like a directory of ours; it may be short (`wire.rs`,
//! `src/raft/`), then some file or directory must end so. Code needs no such rule, it would not compile.

use std::collections::BTreeSet;

use crate::Fault;
use crate::lexer::Line;
use crate::tree::{Source, Tree};
use crate::words::names;

/// How files are called that a repository holds.
const ENDINGS: &[&str] = &[
    ".rs", ".java", ".md", ".proto", ".toml", ".script", ".sh", ".jsp", ".jspf", ".xml", ".css", ".js",
];

/// Where this project's papers lie, which no reader has.
const PAPERS: &[&str] = &["shared", "research", "cases", "design"];

/// Words for texts and programs that no reader has.
const ABSENT: &[&str] = &["design section", "prototype", "house rule"];

/// Files of others, and whose.
const FOREIGN: &[(&str, &str)] = &[
    ("catalina.sh", "Tomcat's"),
    ("conf/context.xml", "Tomcat's"),
    ("conf/tomcat-users.xml", "Tomcat's"),
    ("context.xml", "Tomcat's"),
    ("proxy.toml", "the operator's"),
    ("server.xml", "Tomcat's"),
];

/// Comments and documents cite only what the repository holds.
pub(crate) fn citations_can_be_followed(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut idle: BTreeSet<&str> = FOREIGN.iter().map(|(name, _)| *name).collect();
    for source in tree.all().filter(|source| speaks(source)) {
        for line in source.lines().iter().filter(|line| !line.comment.is_empty()) {
            let absent = ABSENT.iter().find(|word| names(&line.comment, word));
            faults
                .extend(absent.map(|word| Fault::at(source, line.number, format!("nobody has the {word}"))));
            for cited in cited(line) {
                if FOREIGN.iter().any(|(name, _)| *name == cited) {
                    idle.remove(cited);
                } else if !is_here(tree, cited) {
                    faults.push(Fault::at(
                        source,
                        line.number,
                        format!("{cited} is not in the repository"),
                    ));
                }
            }
        }
    }
    faults.extend(
        idle.into_iter()
            .map(|name| Fault::new(name, 1, "no comment cites it: its row can go")),
    );
    faults
}

fn speaks(source: &Source) -> bool {
    let others = source.path.ends_with(".lock") || source.path.contains("LICENSE");
    !others && !source.path.ends_with(".script")
}

/// The paths that a line's comment names.
fn cited(line: &Line) -> impl Iterator<Item = &str> {
    let apart = |character: char| character.is_whitespace() || "`'\"()[]{}<>,;|*=".contains(character);
    line.comment.split(apart).filter_map(|word| {
        // A document in a directory of its own cites what lies beside that.
        let word = word
            .trim_start_matches("../")
            .trim_start_matches("./")
            .trim_end_matches(['.', ':', '!', '?', '…', '\u{2019}']);
        // A line number, or a heading of a document.
        let word = word.split(['#']).next().unwrap_or_default();
        let word = match word.rsplit_once(':') {
            Some((path, line)) if line.chars().all(|digit| digit.is_ascii_digit() || digit == '-') => path,
            _ => word,
        };
        is_path(word).then_some(word)
    })
}

fn is_path(word: &str) -> bool {
    let plain = |character: char| character.is_alphanumeric() || "/._-…".contains(character);
    if word.contains("//") || word.starts_with('/') || !word.chars().all(plain) {
        return false;
    }
    let file = ENDINGS.iter().any(|end| {
        word.strip_suffix(end)
            .is_some_and(|stem| !stem.is_empty() && !stem.ends_with('/'))
    });
    file || word.contains('/')
}

/// Whether a reader finds it. Words with a slash that are no path of ours (`and/or`, `text/html`) are none of our business.
fn is_here(tree: &Tree, word: &str) -> bool {
    let parts: Vec<&str> = word.split('/').collect();
    let file = ENDINGS.iter().any(|end| word.ends_with(end));
    let ours =
        parts.len() > 1 && (tree.has_at_root(parts[0]) || parts[0] == "src" || PAPERS.contains(&parts[0]));
    let built = parts.contains(&"target");
    built || !(file || ours) || tree.holds(word)
}

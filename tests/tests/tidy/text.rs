//! Words that must not stand in any file of text: guesses of time in tests, what is left for later, the machine it was
//! written on, citations of what nobody has.

use std::collections::BTreeSet;

use crate::Fault;
use crate::tree::{Source, Tree};
use crate::words::names;

/// The steps between two looks at a condition, one place for each harness; a server that is slow on purpose; a bench,
/// which measures for a time.
const SLEEPERS: &[&str] = &[
    "admin/tests/support/mod.rs",
    "store/src/raft/simulation/turns.rs",
    "store/tests/service/common.rs",
    "tests/src/bin/bench/load.rs",
    "tests/src/bin/bench/paced.rs",
    "tests/src/wait.rs",
    "tests/webapps/rough/WEB-INF/classes/rough/Signals.java",
    "tomcat-adapter/src/test/java/remora/tomcat/Conditions.java",
    "tomcat-adapter/src/test/java/remora/tomcat/store/grpc/StoreCluster.java",
];

/// What sleeps, under any of its paths.
const SLEEPS: &[&str] = &["sleep", "sleep_until", "sleep_ms", "parkNanos"];

/// Spelled in parts, as all below that looks at whole files, so that this file does not accuse itself.
const LEFT_FOR_LATER: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("un", "implemented!"),
    concat!("@Dis", "abled"),
];

const MACHINES_AND_SECRETS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("crates", ".io"),
    concat!("repo.maven.", "apache.org"),
    concat!("deb.deb", "ian.org"),
    concat!("BEGIN PRIV", "ATE KEY"),
];

/// Files of text whose words are ours.
const OURS: &[&str] = &[
    ".rs", ".java", ".proto", ".toml", ".xml", ".sh", ".jsp", ".css", ".js", ".html", ".md", "Makefile",
];

/// Tests wait for conditions with a deadline, never for a guess.
pub(crate) fn tests_wait_for_conditions(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut needed = BTreeSet::new();
    for source in tree.rust().chain(tree.java()) {
        let sleeps = source.may_name(SLEEPS);
        for line in source
            .test_code()
            .filter(|line| sleeps.iter().any(|word| names(&line.code, word)))
        {
            if SLEEPERS.contains(&source.path.as_str()) {
                needed.insert(source.path.as_str());
            } else {
                faults.push(Fault::at(source, line.number, "a sleep is a guess"));
            }
        }
    }
    let idle = SLEEPERS.iter().filter(|path| !needed.contains(**path));
    faults.extend(idle.map(|path| Fault::new(path, 1, "may sleep and does not: its row can go")));
    faults
}

/// What is not done is an issue, not a comment.
pub(crate) fn nothing_is_left_for_later(tree: &Tree) -> Vec<Fault> {
    find(tree, LEFT_FOR_LATER)
}

/// No absolute paths, registries or secrets.
pub(crate) fn nothing_names_a_machine(tree: &Tree) -> Vec<Fault> {
    find(tree, MACHINES_AND_SECRETS)
}

fn find(tree: &Tree, words: &[&str]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let suspect = |source: &&Source| is_ours(source) && words.iter().any(|word| source.text.contains(word));
    for source in tree.all().filter(suspect) {
        for (index, line) in source.text.lines().enumerate() {
            let found = words.iter().find(|word| line.contains(**word));
            faults.extend(found.map(|word| Fault::at(source, index + 1, *word)));
        }
    }
    faults
}

/// No tabs, no trailing spaces, a newline at the end.
pub(crate) fn text_is_clean(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    let tabs_are_its_grammar = |source: &Source| source.path.ends_with("Makefile");
    for source in tree.all().filter(|source| is_ours(source)) {
        for (index, line) in source.text.lines().enumerate() {
            if (line.contains('\t') && !tabs_are_its_grammar(source)) || line.ends_with(' ') {
                faults.push(Fault::at(source, index + 1, "a tab or trailing space"));
            }
        }
        if !source.text.ends_with('\n') {
            faults.push(Fault::at(
                source,
                source.text.lines().count(),
                "no newline at the end",
            ));
        }
    }
    faults
}

fn is_ours(source: &Source) -> bool {
    OURS.iter().any(|end| source.path.ends_with(end))
}

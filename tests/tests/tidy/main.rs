//! The house rules that only text can say. Each names the file and line that breaks it.
//!
//! A rule is a function from the tree, read once, to faults. So each can be shown to see what it forbids: `plants` holds
//! the violations, each is put into the tree in memory and must be reported, and the tree itself must not be.
//!
//! What other tools check is not repeated here: function length, `allow` without a reason, unwrap, printing and sleeping
//! threads are clippy's (see `clippy.toml` and the workspace lints); formatting is rustfmt's and the Maven formatter's;
//! the jar's contents are checked by the adapter's own build.

mod citations;
mod lexer;
mod links;
mod pages;
mod plants;
mod promises;
mod pure;
mod shape;
mod tasks;
mod text;
mod tree;
mod vocabulary;
mod words;

use std::fmt;

use tree::{Source, Tree};

/// A line that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    path: String,
    line: usize,
    what: String,
}

impl Fault {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
        }
    }

    fn at(source: &Source, line: usize, what: impl Into<String>) -> Self {
        Self::new(&source.path, line, what)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}:{}: {}", self.path, self.line, self.what)
    }
}

struct Rule {
    name: &'static str,
    says: &'static str,
    faults: fn(&Tree) -> Vec<Fault>,
}

const RULES: &[Rule] = &[
    Rule {
        name: "pure",
        says: "pure means pure: take values, give values, let the caller do the rest",
        faults: pure::pure_names_nothing_impure,
    },
    Rule {
        name: "pure crates",
        says: "a pure crate depends on a listed few and bans clocks, unordered maps, threads and IO",
        faults: pure::pure_crates_stay_poor,
    },
    Rule {
        name: "vocabulary",
        says: "a foreign vocabulary is named in one place and translated there",
        faults: vocabulary::vocabularies_have_one_place,
    },
    Rule {
        name: "tasks",
        says: "threads and tasks are started by listed owners, and each of them starts one",
        faults: tasks::tasks_have_owners,
    },
    Rule {
        name: "sitting",
        says: "a file can be read in one sitting",
        faults: shape::files_fit_one_sitting,
    },
    Rule {
        name: "screen",
        says: "a Java method fits one screen",
        faults: shape::java_methods_fit_one_screen,
    },
    Rule {
        name: "preface",
        says: "files read from the top: purpose, invariants, what is left out",
        faults: shape::files_open_with_a_preface,
    },
    Rule {
        name: "pages",
        says: "the console's pages are short, say what they are, and read no text as markup",
        faults: pages::pages_are_small_and_inert,
    },
    Rule {
        name: "bounds",
        says: "every bound has a name, a unit and a reason",
        faults: shape::every_bound_says_why,
    },
    Rule {
        name: "type names",
        says: "a type's name means one thing in its crate, but for a listed few",
        faults: shape::type_names_mean_one_thing,
    },
    Rule {
        name: "citations",
        says: "comments and documents cite only what the repository holds",
        faults: citations::citations_can_be_followed,
    },
    Rule {
        name: "promises",
        says: "each promise is shown by claims that say so, and told with a link to one",
        faults: promises::promises_are_shown,
    },
    Rule {
        name: "map",
        says: "the README's map names every directory at the root",
        faults: promises::map_is_whole,
    },
    Rule {
        name: "links",
        says: "a link of a document leads somewhere",
        faults: links::links_lead_somewhere,
    },
    Rule {
        name: "index",
        says: "the index of docs/ links to every page",
        faults: links::pages_are_in_the_index,
    },
    Rule {
        name: "conditions",
        says: "tests wait for conditions with a deadline",
        faults: text::tests_wait_for_conditions,
    },
    Rule {
        name: "later",
        says: "what is not done is an issue, not a comment",
        faults: text::nothing_is_left_for_later,
    },
    Rule {
        name: "machines",
        says: "no absolute paths, registries or secrets",
        faults: text::nothing_names_a_machine,
    },
    Rule {
        name: "clean",
        says: "no tabs, no trailing spaces, a newline at the end",
        faults: text::text_is_clean,
    },
];

fn broken(rule: &Rule, tree: &Tree) -> Vec<Fault> {
    let mut faults = (rule.faults)(tree);
    faults.sort();
    faults
}

#[test]
fn the_tree_keeps_every_rule() {
    let tree = Tree::read();
    let mut report = String::new();
    for rule in RULES {
        let faults = broken(rule, &tree);
        if !faults.is_empty() {
            let lines: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
            report += &format!("\n{}: {}{}", rule.name, rule.says, lines.concat());
        }
    }
    assert!(report.is_empty(), "{report}");
}

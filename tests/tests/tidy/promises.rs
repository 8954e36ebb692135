//! The promises, their claims and what is said of both agree.
//!
//! ARCHITECTURE.md has one row for each promise; a claim is a file of `tests/tests/` whose preface begins with the
//! promises that it shows, or says that it stands beside them. Neither may know of something that the other does not. The
//! README numbers the promises alike and links each to something that its row names; its map names every directory.

use std::collections::{BTreeMap, BTreeSet};

use crate::Fault;
use crate::tree::{Source, Tree};

/// The page with the table, and the page that users read.
const TABLE: &str = "ARCHITECTURE.md";
const README: &str = "README.md";

/// The heading under which the README numbers them.
const GUARANTEES: &str = "## What it guarantees";

/// Where claims lie, each a file of its own.
const CLAIMS: &str = "tests/tests/";

/// Promises, claims, the table and the README agree.
pub(crate) fn promises_are_shown(tree: &Tree) -> Vec<Fault> {
    let (Some(table), Some(readme)) = (tree.get(TABLE), tree.get(README)) else {
        return vec![Fault::new(TABLE, 1, "the promises are nowhere")];
    };
    let rows = rows(table);
    let mut faults = Vec::new();
    for claim in tree.all().filter(|source| is_claim(&source.path)) {
        let Some(promises) = promises_of(claim) else {
            let what = "the preface begins with the promises that it shows, or with `Beside the promises:`";
            faults.push(Fault::at(claim, 1, what));
            continue;
        };
        for promise in &promises {
            if !rows
                .get(promise)
                .is_some_and(|row| row.links.contains(&claim.path))
            {
                faults.push(Fault::at(
                    claim,
                    1,
                    format!("{TABLE} does not name it for promise {promise}"),
                ));
            }
        }
        for (promise, row) in rows.iter().filter(|(promise, _)| !promises.contains(promise)) {
            if row.links.contains(&claim.path) && !promises.is_empty() {
                let what = format!("{} does not say that it shows promise {promise}", claim.path);
                faults.push(Fault::at(table, row.line, what));
            }
        }
    }
    faults.extend(guarantees(readme, &rows));
    faults
}

/// The README's map names every directory at the root.
pub(crate) fn map_is_whole(tree: &Tree) -> Vec<Fault> {
    let directories: BTreeSet<&str> = tree
        .all()
        .filter_map(|source| source.path.split_once('/'))
        .map(|(directory, _)| directory)
        .collect();
    let text = tree.get(README).map_or("", |readme| readme.text.as_str());
    // What begins with a dot is for programs, not for readers.
    let shown = directories
        .into_iter()
        .filter(|directory| !directory.starts_with('.'));
    let missing = shown.filter(|directory| !text.contains(&format!("\n| `{directory}/` | ")));
    missing
        .map(|directory| Fault::new(README, 1, format!("the map does not name {directory}/")))
        .collect()
}

/// A promise's row of the table.
struct Row {
    line: usize,
    links: BTreeSet<String>,
}

/// The rows that begin with a number, by it.
fn rows(table: &Source) -> BTreeMap<usize, Row> {
    let mut rows = BTreeMap::new();
    for (index, line) in table.text.lines().enumerate() {
        let number = line
            .strip_prefix("| ")
            .and_then(|rest| rest.split_once(" |"))
            .map(|(number, _)| number);
        if let Some(Ok(number)) = number.map(str::parse) {
            rows.insert(
                number,
                Row {
                    line: index + 1,
                    links: links(line),
                },
            );
        }
    }
    rows
}

/// What a text of Markdown links to.
fn links(text: &str) -> BTreeSet<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

fn is_claim(path: &str) -> bool {
    path.strip_prefix(CLAIMS)
        .is_some_and(|name| name.ends_with(".rs") && !name.contains('/'))
}

/// The promises that a claim's preface begins with; none for a claim beside them.
fn promises_of(claim: &Source) -> Option<BTreeSet<usize>> {
    let opening = claim
        .text
        .lines()
        .next()?
        .strip_prefix("//! ")?
        .split_once(':')?
        .0;
    if opening == "Beside the promises" {
        return Some(BTreeSet::new());
    }
    let numbers = opening
        .strip_prefix("Promises ")
        .or_else(|| opening.strip_prefix("Promise "))?;
    // "1, durable before spoken" names one promise and a part of it.
    let numbers = numbers.split(", ").next()?;
    numbers.split(" and ").map(|number| number.parse().ok()).collect()
}

/// The README's numbered guarantees: the same numbers, each with a link that its row has, too.
fn guarantees(readme: &Source, rows: &BTreeMap<usize, Row>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut items: BTreeMap<usize, (usize, String)> = BTreeMap::new();
    let lines = readme
        .text
        .lines()
        .enumerate()
        .skip_while(|(_, line)| *line != GUARANTEES);
    let mut current = None;
    for (index, line) in lines.skip(1).take_while(|(_, line)| !line.starts_with("## ")) {
        let number = line.split_once(". ").and_then(|(number, _)| number.parse().ok());
        current = number.or(current.filter(|_| line.starts_with("   ")));
        if let Some(number) = current {
            let item = items.entry(number).or_insert((index + 1, String::new()));
            item.1 += line;
        }
    }
    for (number, row) in rows.iter().filter(|(number, _)| !items.contains_key(number)) {
        faults.push(Fault::new(
            README,
            row.line.min(1),
            format!("promise {number} is missing"),
        ));
    }
    for (number, (line, text)) in &items {
        match rows.get(number) {
            None => faults.push(Fault::at(
                readme,
                *line,
                format!("{TABLE} has no promise {number}"),
            )),
            Some(row) if row.links.is_disjoint(&links(text)) => {
                let what = format!("promise {number} links to nothing that {TABLE} names for it");
                faults.push(Fault::at(readme, *line, what));
            }
            Some(_) => {}
        }
    }
    faults
}

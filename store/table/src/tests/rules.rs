//! The rule book, which is the crate's preface, and the scripts that show it stand and fall together.

use std::collections::BTreeSet;

use super::scripts;

/// Where the rule book stands: in the lines of its preface.
const CRATE: &str = include_str!("../lib.rs");

/// Fewer rules than this, and it was not the book that was read.
const RULES_MIN: usize = 30;

/// The lines of the preface.
fn preface() -> impl Iterator<Item = &'static str> {
    CRATE.lines().map_while(|line| line.strip_prefix("//!"))
}

/// Every rule with its number. A rule ends where the next begins, or with an empty line.
fn rules() -> Vec<(usize, String)> {
    let mut rules: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for line in preface().map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        let numbered = line.split_once(". ").and_then(|(number, text)| {
            let number = number.parse().ok()?;
            Some((number, text.to_owned()))
        });
        if let Some(rule) = numbered {
            rules.push(rule);
            open = true;
        } else if !line.starts_with(' ') {
            open = false;
        } else if let Some((_, text)) = rules.last_mut().filter(|_| open) {
            text.push_str(line);
        }
    }
    rules
}

/// The names of the scripts that a text names, as in `scripts/claim.script`.
fn named(text: &str) -> BTreeSet<String> {
    text.split("scripts/")
        .skip(1)
        .filter_map(|rest| rest.split_once(".script"))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[test]
fn every_rule_has_its_number_and_a_script_that_shows_it() {
    let rules = rules();
    assert!(rules.len() >= RULES_MIN, "only {} rules were read", rules.len());
    for (at, (number, text)) in (1..).zip(&rules) {
        assert_eq!(*number, at, "rules are numbered in a row: {text}");
        assert!(!named(text).is_empty(), "no script shows rule {number}: {text}");
    }
}

#[test]
fn every_script_is_named_by_a_rule_and_every_named_script_exists() {
    let written: BTreeSet<String> = rules().iter().flat_map(|(_, text)| named(text)).collect();
    let there: BTreeSet<String> = scripts()
        .iter()
        .map(|script| script.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let unnamed: Vec<_> = there.difference(&written).collect();
    assert!(unnamed.is_empty(), "scripts that no rule names: {unnamed:?}");
    let absent: Vec<_> = written.difference(&there).collect();
    assert!(
        absent.is_empty(),
        "rules name scripts that are not there: {absent:?}"
    );
}

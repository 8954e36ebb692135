//! A wish as one line of text: `NAME WORDS WHEN MARK by=WHO`. What it says, routes and pools each know for themselves; what stands
//! beside it is the same for both, and is written and read here.
//!
//! Invariants: one form, `by` last, as a name may hold anything but the end of a line · a line says something, or that what was said
//! is *lifted* and why that is worth a line, and never both.
//!
//! Left out on purpose: what a word means.

use std::fmt::Write;
use std::sync::Arc;

use super::kept::{Lifted, Mark};

/// The word for what was taken back.
const LIFTED: &str = "lifted";

/// A line that was read.
pub(crate) struct WishLine<'a> {
    /// Of what.
    pub(crate) name: &'a str,
    /// What is said of it, word by word; nothing where that was taken back.
    pub(crate) words: Vec<&'a str>,
    /// By whom, when, and how that stands with the store.
    pub(crate) beside: Lifted,
}

impl<'a> WishLine<'a> {
    /// Reads a line in which `when` stands in front of the second since 1970.
    pub(crate) fn read(line: &'a str, when: &str) -> Option<Self> {
        let (line, who) = match line.split_once(" by=") {
            Some((line, who)) => (line, Some(Arc::from(who))),
            None => (line, None),
        };
        let (name, line) = line.split_once(' ').filter(|(name, _)| !name.is_empty())?;
        let (mut words, mut is_lifted) = (Vec::new(), false);
        let (mut at, mut mark) = (None, Mark::default());
        for word in line.split(' ') {
            match word.split_once('=').unwrap_or((word, "")) {
                (key, second) if key == when => at = Some(second.parse().ok()?),
                ("version", version) => mark.version = version.parse().ok()?,
                ("untold", "") => mark.untold = true,
                ("told", prints) => {
                    let prints = prints.split(',').map(|print| u64::from_str_radix(print, 16));
                    mark.told = prints.collect::<Result<_, _>>().ok()?;
                }
                (LIFTED, "") => is_lifted = true,
                _ => words.push(word),
            }
        }
        let is_worth_it = !is_lifted || mark.is_something();
        let beside = Lifted { who, at, mark };
        (is_lifted == words.is_empty() && is_worth_it).then_some(Self { name, words, beside })
    }
}

/// Writes a line, with its end; none of `words` stands for what was taken back.
pub(crate) fn written(name: &str, words: Option<&str>, (when, beside): (&str, &Lifted)) -> String {
    let Lifted { who, at, mark } = beside;
    let mut line = format!("{name} {}", words.unwrap_or(LIFTED));
    // Writing to a String cannot fail, so the results carry nothing.
    if let Some(at) = at {
        let _ = write!(line, " {when}={at}");
    }
    if mark.version > 0 {
        let _ = write!(line, " version={}", mark.version);
    }
    if mark.untold {
        line += " untold";
    }
    for (position, print) in mark.told.iter().enumerate() {
        let before = if position == 0 { " told=" } else { "," };
        let _ = write!(line, "{before}{print:016x}");
    }
    if let Some(who) = who {
        let _ = write!(line, " by={}", who.replace(char::is_control, " "));
    }
    line.push('\n');
    line
}

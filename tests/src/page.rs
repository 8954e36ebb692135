//! Pages of the documentation as tests read them: blocks of code, to be run or taken as they stand, changes of files to be made, and
//! what a page says one sees.

use anyhow::{Context, Result, bail, ensure};

use crate::place;

/// What stands in a page for text that differs from time to time.
const ANYTHING: char = '…';

/// A block of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What its fence says: `sh`, `toml`.
    pub language: String,
    /// Its lines.
    pub text: String,
}

/// The text of a page, by its path in the repository.
///
/// # Errors
/// When it cannot be read.
pub fn text(path: &str) -> Result<String> {
    std::fs::read_to_string(place::repository().join(path)).with_context(|| path.to_owned())
}

/// The blocks of code of a page, in order; those of lists, which are indented, are left out.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                open = Some(Block {
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (None, Some(block)) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    blocks
}

/// The words of a page behind which no sentence's end hangs, and no mark of code.
pub fn words(page: &str) -> impl Iterator<Item = &str> {
    let words = page.split(|letter: char| letter.is_whitespace() || "`\"()|".contains(letter));
    words.map(|word| word.trim_end_matches(['.', ',', ';', ':', '?']))
}

/// The commands of a page: lines in blocks, and what stands in marks of code.
pub fn commands(page: &str) -> impl Iterator<Item = &str> {
    let coded = page.lines().flat_map(|line| {
        let before = usize::from(line.contains('`'));
        line.trim().split('`').skip(before).step_by(2)
    });
    coded.flat_map(|line| line.split(" && "))
}

/// A text with the change that a page shows as a block of `diff`: lines that stay, go and come, all in one place.
///
/// # Errors
/// When the lines that stay and go are not there together exactly once.
pub fn changed(text: &str, change: &Block) -> Result<String> {
    let (mut before, mut after) = (String::new(), String::new());
    for line in change.text.lines() {
        let (mark, rest) = line.split_at_checked(1).unwrap_or((" ", ""));
        match mark {
            "-" => before += &format!("{rest}\n"),
            "+" => after += &format!("{rest}\n"),
            _ => {
                before += &format!("{rest}\n");
                after += &format!("{rest}\n");
            }
        }
    }
    let places = text.matches(&before).count();
    ensure!(
        places == 1,
        "a change fits {places} places:\n{}\nof\n{text}",
        change.text
    );
    Ok(text.replace(&before, &after))
}

/// Whether what was said has each line that a page shows, in that order; others may stand between them.
///
/// # Errors
/// When one is missing, with what was said.
pub fn shows(shown: &str, said: &str) -> Result<()> {
    let mut rest = said.lines();
    for pattern in shown.lines() {
        if !rest.any(|line| fits(pattern, line)) {
            bail!("the page shows {pattern:?}, and this was said:\n{said}");
        }
    }
    Ok(())
}

/// Whether a line is as a page has it.
fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split(ANYTHING);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
        last = Some(part);
    }
    match last {
        // The last part has to end the line, wherever it was found first.
        Some(part) => line.ends_with(part),
        None => rest.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_as_they_stand() {
        let page = "a\n```sh\nls  \n\nls\n```\n\n```text\nb\n```\n  ```\n  c\n  ```\n";
        let found: Vec<(String, String)> = blocks(page)
            .into_iter()
            .map(|block| (block.language, block.text))
            .collect();
        let expected = [("sh", "ls  \n\nls\n"), ("text", "b\n")];
        assert_eq!(found, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn a_change_is_made_in_its_one_place() {
        let change = |text: &str| Block {
            language: "diff".to_owned(),
            text: text.to_owned(),
        };
        let made = changed(
            "a {\n  b\n}\nc {\n  b\n}\n",
            &change(" c {\n-  b\n+  d\n+  e\n }\n"),
        );
        assert_eq!(made.unwrap(), "a {\n  b\n}\nc {\n  d\n  e\n}\n");
        for nowhere in ["-b\n+d\n", "-  b\n+  d\n"] {
            assert!(changed("a\n  b\n  b\n", &change(nowhere)).is_err(), "{nowhere}");
        }
    }

    #[test]
    fn a_line_fits_with_anything_between_its_parts() {
        assert!(fits("a…c", "abbc") && fits("…", "") && fits("a", "a") && fits("…a…", "bab"));
        assert!(!fits("a…c", "abcb") && !fits("a", "ab") && !fits("…a…", "b") && !fits("a…", "ba"));
    }

    #[test]
    fn lines_come_in_order() {
        assert!(shows("a\nc\n", "a\nb\nc\n").is_ok());
        assert!(shows("c\na\n", "a\nb\nc\n").is_err() && shows("a\na\n", "a\n").is_err());
    }
}

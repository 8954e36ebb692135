//! HAProxy's file as lines of words, cut as HAProxy cuts them: at white space, up to `#`; a backslash keeps one character, `"..."` and
//! `'...'` keep what is between them.
//!
//! Invariant: total. What cannot be read is a flaw of its line, whose words are kept as far as they go.
//!
//! Left out on purpose: variables of the environment (`"$NAME"`), which stay as they are written: their values are not in the file.

use std::rc::Rc;

use crate::source::{Line, Place};

/// Words behind which a secret stands.
const SECRETS: &[&str] = &["auth", "password", "insecure-password", "dynamic-cookie-key"];

/// The words of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// At least one.
    pub(super) words: Vec<String>,
    /// Where it stands, and its words, without what is secret.
    pub(super) line: Line,
    /// Why HAProxy would refuse it, if its words alone say so.
    pub(super) flaw: Option<&'static str>,
}

impl Words {
    /// One of its words, or nothing.
    pub(super) fn word(&self, position: usize) -> &str {
        self.words.get(position).map_or("", String::as_str)
    }

    /// The words from a position on.
    pub(super) fn from(&self, position: usize) -> &[String] {
        self.words.get(position..).unwrap_or_default()
    }

    /// What stands behind a key word, as in `inter 2s`.
    pub(super) fn behind(&self, key: &str) -> Option<&str> {
        let at = self.words.iter().position(|word| word == key)?;
        self.words.get(at + 1).map(String::as_str)
    }

    /// Whether a word stands in it.
    pub(super) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|own| own == word)
    }
}

/// Words as somebody would write them.
fn text(words: &[String]) -> String {
    let mut shown = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let is_word = words[0] != "stats" && at > 0 && words[at - 1] == "auth";
        let secret =
            at > 0 && !is_word && SECRETS.contains(&words[at - 1].as_str()) && words[at - 1] != words[0]
                || at == 1 && words[0] == "dynamic-cookie-key";
        let plain = !word.is_empty()
            && !word.contains(|letter: char| letter.is_whitespace() || "#\"".contains(letter));
        shown.push(match (secret, plain) {
            (true, _) => "...".to_owned(),
            (false, true) => word.clone(),
            (false, false) => format!("'{word}'"),
        });
    }
    shown.join(" ")
}

/// Cuts a text; lines without words are left out.
pub(super) fn cut(file: &Rc<str>, text: &str) -> Vec<Words> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (words, flaw) = words(line);
        if !words.is_empty() {
            let place = Place {
                file: Rc::clone(file),
                line: index + 1,
            };
            let text = self::text(&words);
            lines.push(Words {
                words,
                line: Line { place, text },
                flaw,
            });
        }
    }
    lines
}

fn words(text: &str) -> (Vec<String>, Option<&'static str>) {
    let (mut words, mut flaw) = (Vec::new(), None);
    // Whether a word has begun: an empty pair of quotes is one.
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '#' => break,
            space if space.is_whitespace() => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(escaped(letters.next())),
            quote @ ('"' | '\'') => {
                let word = word.get_or_insert_default();
                if !quoted(&mut letters, quote, word) {
                    flaw = Some("a quote that is never closed");
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    (words, flaw)
}

/// What a backslash and the character behind it become. Others keep the backslash: regular expressions are full of them.
fn escaped(letter: Option<char>) -> Vec<char> {
    match letter {
        Some(kept @ (' ' | '#' | '\\' | '"' | '\'')) => vec![kept],
        Some('t') => vec!['\t'],
        Some('n') => vec!['\n'],
        Some('r') => vec!['\r'],
        Some(other) => vec!['\\', other],
        None => Vec::new(),
    }
}

/// Whether the quote is closed on this line.
fn quoted(letters: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> bool {
    while let Some(letter) = letters.next() {
        match letter {
            end if end == quote => return true,
            '\\' if quote == '"' => word.extend(escaped(letters.next())),
            other => word.push(other),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Vec<String> {
        cut(&"a".into(), text)
            .into_iter()
            .flat_map(|line| line.words)
            .collect()
    }

    #[test]
    fn words_end_where_haproxy_ends_them() {
        assert_eq!(one("  bind\t:80  # all"), ["bind", ":80"]);
        assert_eq!(
            one("reqrep ^Host:\\ a\\.b Host:\\ c"),
            ["reqrep", "^Host: a\\.b", "Host: c"]
        );
        assert_eq!(one("a \"b # c\" 'd\\' e\"f\"g"), ["a", "b # c", "d\\", "efg"]);
        assert_eq!(one("a '' b"), ["a", "", "b"]);
        assert_eq!(one("acl x path_beg \\#"), ["acl", "x", "path_beg", "#"]);
    }

    #[test]
    fn a_quote_that_is_open_is_said_of_its_line() {
        let lines = cut(&"a".into(), "a\nb \"c\nd");
        assert_eq!(lines.len(), 3);
        assert_eq!(
            (lines[1].line.place.line, lines[1].flaw),
            (2, Some("a quote that is never closed"))
        );
        assert_eq!(lines[2].flaw, None);
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = |text| cut(&"a".into(), text)[0].line.text.clone();
        assert_eq!(shown("stats auth admin:secret"), "stats auth ...");
        assert_eq!(
            shown("user ada insecure-password lovelace groups g"),
            "user ada insecure-password ... groups g"
        );
        assert_eq!(shown("dynamic-cookie-key abcd"), "dynamic-cookie-key ...");
    }
}

//! Lines and words as httpd reads them.
//!
//! Invariants: a backslash at the end of a line joins the next, in a comment too · a word in quotes is one word, and a backslash before
//! the quote makes it a letter.
//!
//! Left out on purpose: lengths. httpd has read these files.

use crate::source::{Line, Place, Source};

/// The directives of a file: joined, without comments and empty lines.
pub(super) fn lines(source: &Source) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut begun: Option<(usize, String)> = None;
    let mut take = |(line, text): (usize, String)| {
        let text = text.trim();
        if !text.is_empty() && !text.starts_with('#') {
            let place = Place {
                file: source.name.clone(),
                line,
            };
            let text = text.to_owned();
            lines.push(Line { place, text });
        }
    };
    for (index, physical) in source.text.lines().enumerate() {
        let (at, mut text) = begun.take().unwrap_or((index + 1, String::new()));
        match physical.strip_suffix('\\') {
            Some(part) => {
                text.push_str(part);
                begun = Some((at, text));
            }
            None => {
                text.push_str(physical);
                take((at, text));
            }
        }
    }
    if let Some(rest) = begun {
        take(rest);
    }
    lines
}

/// The words of a text.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut letters = text.chars().peekable();
    loop {
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        let Some(&first) = letters.peek() else {
            return words;
        };
        let quote = Some(first).filter(|letter| matches!(letter, '"' | '\''));
        if quote.is_some() {
            letters.next();
        }
        let mut word = String::new();
        while let Some(letter) = letters.next() {
            let is_escaped = |next: char| quote.is_some_and(|quote| next == quote || next == '\\');
            match (letter, quote) {
                ('\\', Some(_)) => match letters.next_if(|next| is_escaped(*next)) {
                    Some(next) => word.push(next),
                    None => word.push('\\'),
                },
                (letter, Some(quote)) if letter == quote => break,
                (letter, None) if letter.is_whitespace() => break,
                _ => word.push(letter),
            }
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_told_by_where_they_begin() {
        let source = Source::new("a", "# no \\\nnor this\nA b \\\n  c\n\n  B\nlast \\");
        let read: Vec<(usize, String)> = lines(&source)
            .into_iter()
            .map(|line| (line.place.line, line.text))
            .collect();
        let expected = [(3, "A b   c"), (6, "B"), (7, "last")];
        assert_eq!(read, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn a_word_in_quotes_is_one() {
        assert_eq!(
            words(r#"a "b c" 'd "e"' "f\"g" h\i "j\k""#),
            ["a", "b c", "d \"e\"", "f\"g", "h\\i", "j\\k"]
        );
        assert_eq!(words("  "), Vec::<String>::new());
        assert_eq!(words("\"open"), ["open"]);
    }
}

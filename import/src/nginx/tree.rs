//! nginx's file as a tree: each directive with its words, its line and, where it opens a block, what stands in that.
//!
//! Invariants: the order is the file's · every word of the file stands in one directive · a flaw costs nothing of what stands around
//! it: a block that is never closed ends with the file, and a brace too many is stepped over.
//!
//! Left out on purpose: which directive may stand where.

use std::rc::Rc;

use super::lexer::{Flaw, Mark, PlacedMark, cut};
use crate::source::{Line, Place};

/// Most blocks in each other: nginx's own go no deeper than six, and locations in locations a few more.
const DEPTH_MAX: usize = 64;

/// What is told of a block beyond that.
pub(super) const TOO_DEEP: &str =
    "blocks stand in each other more than 64 deep: not read as one, and what it guards is OPEN here";

/// One directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// Its first word; in a map, what is compared.
    pub(super) name: String,
    /// The other words.
    pub(super) arguments: Vec<String>,
    /// Where it begins, and its words.
    pub(super) line: Line,
    /// What stands in its block, if it has one.
    pub(super) block: Option<Vec<Statement>>,
}

impl Statement {
    /// One of its words behind the name, or nothing.
    pub(super) fn argument(&self, position: usize) -> &str {
        self.arguments.get(position).map_or("", String::as_str)
    }

    /// What stands in its block.
    pub(super) fn inside(&self) -> &[Statement] {
        self.block.as_deref().unwrap_or_default()
    }

    /// Whether one of its words behind the name is this.
    pub(super) fn has(&self, word: &str) -> bool {
        self.arguments.iter().any(|own| own == word)
    }

    /// The value of a word `key=value`.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        let mut values = self
            .arguments
            .iter()
            .filter_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        values.next()
    }
}

/// Words as somebody would write them, on one line.
fn text(words: &[String]) -> String {
    let shown = |word: &String| {
        let ends = |letter: char| letter.is_whitespace() || ";{\"'".contains(letter);
        if word.is_empty() || (word.contains(ends) && !word.contains("${")) {
            format!("\"{}\"", word.replace('\n', " "))
        } else {
            word.clone()
        }
    };
    words.iter().map(shown).collect::<Vec<_>>().join(" ")
}

/// Reads a text.
pub(super) fn parse(file: &Rc<str>, text: &str) -> (Vec<Statement>, Vec<Flaw>) {
    let (marks, flaws) = cut(text);
    let mut parser = Parser {
        file: Rc::clone(file),
        marks: marks.into_iter(),
        flaws,
        depth: 0,
        beyond: 0,
    };
    let mut statements = Vec::new();
    while let Some(line) = parser.block(&mut statements) {
        parser.flaw(line, "a } that closes nothing");
    }
    parser.flaws.sort_by_key(|flaw| flaw.line);
    (statements, parser.flaws)
}

struct Parser {
    file: Rc<str>,
    marks: std::vec::IntoIter<PlacedMark>,
    flaws: Vec<Flaw>,
    /// Blocks that are open.
    depth: usize,
    /// Open ones in those that are too deep: what stands in them stands in the deepest that is read.
    beyond: usize,
}

impl Parser {
    /// Reads to the end of a block; gives the line of the brace that closes it, or nothing where the file ends.
    fn block(&mut self, statements: &mut Vec<Statement>) -> Option<usize> {
        let mut words: Vec<String> = Vec::new();
        let mut first = 0;
        while let Some((mark, line)) = self.marks.next() {
            let mut block = None;
            match mark {
                Mark::Word(word) => {
                    if words.is_empty() {
                        first = line;
                    }
                    words.push(word);
                    continue;
                }
                Mark::Close if self.beyond > 0 => {
                    self.beyond -= 1;
                    self.unended(statements, std::mem::take(&mut words), first);
                    continue;
                }
                Mark::Close => {
                    self.unended(statements, words, first);
                    return Some(line);
                }
                Mark::End => {}
                Mark::Open => {
                    block = Some(self.opened(line));
                }
            }
            if words.is_empty() {
                self.flaw(line, "a ; or { without a directive in front");
                statements.extend(block.into_iter().flatten());
            } else {
                statements.push(self.statement(std::mem::take(&mut words), first, block));
            }
        }
        self.unended(statements, words, first);
        None
    }

    /// What stands in the block that a brace opens.
    fn opened(&mut self, line: usize) -> Vec<Statement> {
        let mut inside = Vec::new();
        if self.depth == DEPTH_MAX {
            self.flaw(line, TOO_DEEP);
            self.beyond += 1;
            return inside;
        }
        self.depth += 1;
        if self.block(&mut inside).is_none() {
            self.flaw(line, "a { that is never closed");
        }
        self.depth -= 1;
        inside
    }

    /// A directive whose `;` is missing.
    fn unended(&mut self, statements: &mut Vec<Statement>, words: Vec<String>, first: usize) {
        if !words.is_empty() {
            self.flaw(first, "a directive without its ;");
            statements.push(self.statement(words, first, None));
        }
    }

    fn flaw(&mut self, line: usize, what: &'static str) {
        self.flaws.push(Flaw { line, what });
    }

    fn statement(&self, words: Vec<String>, line: usize, block: Option<Vec<Statement>>) -> Statement {
        let line = Line {
            place: Place {
                file: Rc::clone(&self.file),
                line,
            },
            text: text(&words),
        };
        let mut words = words.into_iter();
        Statement {
            name: words.next().unwrap_or_default(),
            arguments: words.collect(),
            line,
            block,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(statements: &[Statement]) -> String {
        let one = |statement: &Statement| {
            let block = statement
                .block
                .as_ref()
                .map_or(String::new(), |block| format!(" {{ {} }}", shown(block)));
            format!("{}:{}{block}", statement.line.place.line, statement.line.text)
        };
        statements.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn blocks_stand_in_their_directives() {
        let (tree, flaws) = parse(
            &"a".into(),
            "http {\n server { listen 80;\n }\n}\nuser a;\nmap $a $b { \"\" x; }",
        );
        assert_eq!(
            shown(&tree),
            "1:http { 2:server { 2:listen 80 } } 5:user a 6:map $a $b { 6:\"\" x }"
        );
        assert!(flaws.is_empty());
    }

    #[test]
    fn what_is_too_deep_moves_nothing_that_stands_behind_it() {
        let (open, close) = ("a { ".repeat(DEPTH_MAX + 2), "} ".repeat(DEPTH_MAX + 1));
        let (tree, flaws) = parse(&"a".into(), &format!("{open} b; {close} c; }} d;"));
        let said: Vec<_> = flaws.iter().map(|flaw| flaw.what).collect();
        assert_eq!(said, [TOO_DEEP, TOO_DEEP]);
        assert_eq!(shown(&tree[1..]), "1:d");
        assert_eq!(shown(&tree[0].inside()[1..]), "1:c");
    }

    #[test]
    fn a_flaw_costs_nothing_of_what_stands_around_it() {
        let (tree, flaws) = parse(&"a".into(), "a b;\n}\nserver {\n listen 80\n}\nc {\nd;");
        assert_eq!(shown(&tree), "1:a b 3:server { 4:listen 80 } 6:c { 7:d }");
        let said: Vec<_> = flaws.iter().map(|flaw| (flaw.line, flaw.what)).collect();
        assert_eq!(
            said,
            [
                (2, "a } that closes nothing"),
                (4, "a directive without its ;"),
                (6, "a { that is never closed"),
            ]
        );
    }
}

//! Text cut into lines of code and of comments, just well enough to ask what a line names and what it says.
//!
//! String and character literals are emptied (their quotes stay), so a word in a message is not taken for the name of a
//! thing. Block comments are followed over lines and, in Rust, into each other. What is left out: macros and doc
//! attributes; nobody here writes comments that way.

/// One line of a file.
pub(crate) struct Line {
    /// Counted from 1, as editors do.
    pub(crate) number: usize,
    /// What is neither comment nor inside a literal.
    pub(crate) code: String,
    /// What is comment, with its marks.
    pub(crate) comment: String,
}

impl Line {
    /// Whether the line holds a comment and nothing else.
    pub(crate) fn is_comment(&self) -> bool {
        self.code.trim().is_empty() && !self.comment.trim().is_empty()
    }
}

/// How a language writes comments and literals.
struct Grammar {
    line: &'static str,
    block: Option<(&'static str, &'static str)>,
    nests: bool,
    literals: Literals,
}

#[derive(PartialEq)]
enum Literals {
    Rust,
    Java,
    Plain,
    None,
}

fn grammar(path: &str) -> Option<Grammar> {
    let grammar = |line, block, nests, literals| {
        Some(Grammar {
            line,
            block,
            nests,
            literals,
        })
    };
    let slashes = Some(("/*", "*/"));
    match path.rsplit('.').next().unwrap_or_default() {
        "rs" => grammar("//", slashes, true, Literals::Rust),
        "java" => grammar("//", slashes, false, Literals::Java),
        "proto" | "js" => grammar("//", slashes, false, Literals::Plain),
        "css" => grammar("", slashes, false, Literals::Plain),
        "xml" => grammar("", Some(("<!--", "-->")), false, Literals::None),
        "jsp" | "jspf" => grammar("", Some(("<%--", "--%>")), false, Literals::None),
        "md" => None,
        _ => grammar("#", None, false, Literals::Plain),
    }
}

/// Cuts a file; its name says the language. Prose is comment from end to end.
pub(crate) fn lines(path: &str, text: &str) -> Vec<Line> {
    let Some(grammar) = grammar(path) else {
        let prose = |(index, line): (usize, &str)| Line {
            number: index + 1,
            code: String::new(),
            comment: line.to_owned(),
        };
        return text.lines().enumerate().map(prose).collect();
    };
    let mut reading = Reading {
        grammar,
        rest: text,
        before: '\n',
        state: State::Code,
        found: Vec::new(),
    };
    reading.begin();
    while !reading.rest.is_empty() {
        reading.step();
    }
    if text.ends_with('\n') {
        reading.found.pop();
    }
    reading.found
}

enum State {
    Code,
    LineComment,
    /// How deep.
    BlockComment(usize),
    /// What ends the literal, and whether a backslash hides the next character.
    Literal(String, bool),
}

struct Reading<'a> {
    grammar: Grammar,
    rest: &'a str,
    /// The character before `rest`.
    before: char,
    state: State,
    found: Vec<Line>,
}

impl Reading<'_> {
    fn begin(&mut self) {
        let number = self.found.len() + 1;
        self.found.push(Line {
            number,
            code: String::new(),
            comment: String::new(),
        });
    }

    /// Moves over one mark or character.
    fn step(&mut self) {
        if self.rest.starts_with('\n') {
            self.pass(1, |_, _| ());
            let plain = self.grammar.literals == Literals::Plain;
            if matches!(self.state, State::LineComment) || (plain && matches!(self.state, State::Literal(..)))
            {
                self.state = State::Code;
            }
            self.begin();
            return;
        }
        match &self.state {
            State::Code => self.step_in_code(),
            State::LineComment => self.pass(1, to_comment),
            State::BlockComment(depth) => self.step_in_block(*depth),
            State::Literal(_, escapes) if *escapes && self.rest.starts_with('\\') => {
                // A backslash before the end of a line joins lines; the line still ends.
                let length = if self.rest.starts_with("\\\n") { 1 } else { 2 };
                self.pass(length, |_, _| ());
            }
            State::Literal(end, _) if self.rest.starts_with(end.as_str()) => {
                let length = end.chars().count();
                self.state = State::Code;
                self.pass(length, to_code);
            }
            State::Literal(..) => self.pass(1, |_, _| ()),
        }
    }

    fn step_in_code(&mut self) {
        let hash_in_word = self.grammar.line == "#" && !self.before.is_whitespace();
        if !self.grammar.line.is_empty() && self.rest.starts_with(self.grammar.line) && !hash_in_word {
            self.state = State::LineComment;
            self.pass(1, to_comment);
        } else if let Some((open, _)) = self.grammar.block
            && self.rest.starts_with(open)
        {
            self.state = State::BlockComment(1);
            self.pass(open.len(), to_comment);
        } else if let Some((length, end, escapes)) = self.literal() {
            self.state = State::Literal(end, escapes);
            self.pass(length, to_code);
        } else {
            self.pass(1, to_code);
        }
    }

    fn step_in_block(&mut self, depth: usize) {
        let (open, close) = self.grammar.block.expect("only who has blocks is in one");
        if self.rest.starts_with(close) {
            self.state = if depth == 1 {
                State::Code
            } else {
                State::BlockComment(depth - 1)
            };
            self.pass(close.len(), to_comment);
        } else if self.grammar.nests && self.rest.starts_with(open) {
            self.state = State::BlockComment(depth + 1);
            self.pass(open.len(), to_comment);
        } else {
            self.pass(1, to_comment);
        }
    }

    /// The literal that begins here: length of its opening, its end, whether backslashes escape.
    fn literal(&self) -> Option<(usize, String, bool)> {
        let quote = |mark: &str| {
            self.rest
                .starts_with(mark)
                .then(|| (mark.len(), mark.to_owned(), true))
        };
        match self.grammar.literals {
            Literals::None => None,
            Literals::Plain => quote("\"").or_else(|| quote("'")),
            Literals::Java => quote("\"\"\"").or_else(|| quote("\"")).or_else(|| quote("'")),
            Literals::Rust => quote("\"")
                .or_else(|| self.raw_string())
                .or_else(|| self.character()),
        }
    }

    /// `r"…"`, `br#"…"#` and their like.
    fn raw_string(&self) -> Option<(usize, String, bool)> {
        if self.before.is_alphanumeric() || self.before == '_' {
            return None;
        }
        let after = self
            .rest
            .strip_prefix(['b', 'c'])
            .unwrap_or(self.rest)
            .strip_prefix('r')?;
        let hashes = after.chars().take_while(|character| *character == '#').count();
        after[hashes..].starts_with('"').then(|| {
            let opening = self.rest.len() - after.len() + hashes + 1;
            (opening, format!("\"{}", "#".repeat(hashes)), false)
        })
    }

    /// A character in quotes, but not a lifetime.
    fn character(&self) -> Option<(usize, String, bool)> {
        let mut characters = self.rest.strip_prefix('\'')?.chars();
        let first = characters.next()?;
        (first == '\\' || characters.next() == Some('\'')).then(|| (1, "'".to_owned(), true))
    }

    /// Moves over `count` characters and gives them away.
    fn pass(&mut self, count: usize, take: fn(&mut Line, char)) {
        let mut characters = self.rest.chars();
        for character in characters.by_ref().take(count) {
            self.before = character;
            if let Some(line) = self.found.last_mut() {
                take(line, character);
            }
        }
        self.rest = characters.as_str();
    }
}

fn to_code(line: &mut Line, character: char) {
    line.code.push(character);
}

fn to_comment(line: &mut Line, character: char) {
    line.comment.push(character);
}

#[cfg(test)]
mod tests {
    use super::lines;

    fn cut(path: &str, text: &str) -> Vec<(String, String)> {
        lines(path, text)
            .into_iter()
            .map(|line| (line.code, line.comment))
            .collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(code, comment): &(&str, &str)| ((*code).to_owned(), (*comment).to_owned());
        expected.iter().map(owned).collect()
    }

    #[test]
    fn comments_are_told_from_code() {
        let rust = "*x = 1; // why\n/* a\n/* b */ still */ let y;\n";
        assert_eq!(
            cut("a.rs", rust),
            pairs(&[
                ("*x = 1; ", "// why"),
                ("", "/* a"),
                (" let y;", "/* b */ still */")
            ])
        );
        let java = "/* a /* b */ int c;\n";
        assert_eq!(cut("A.java", java), pairs(&[(" int c;", "/* a /* b */")]));
        assert_eq!(cut("a.toml", "a = 1 # why\n"), pairs(&[("a = 1 ", "# why")]));
        assert_eq!(
            cut("a.xml", "<a/><!-- b\nc -->\n"),
            pairs(&[("<a/>", "<!-- b"), ("", "c -->")])
        );
    }

    #[test]
    fn literals_are_emptied() {
        let rust = r##"f("a // b \" c", '"', 'x', r#"d " e"#, b'\'', &'static str) // g"##;
        assert_eq!(
            cut("a.rs", rust),
            pairs(&[(r##"f("", '', '', r#""#, b'', &'static str) "##, "// g")])
        );
        assert_eq!(cut("A.java", "\"\"\"\n a \" b\n\"\"\" + 'c'"), {
            pairs(&[("\"\"\"", ""), ("", ""), ("\"\"\" + ''", "")])
        });
        assert_eq!(
            cut("a.rs", "f(\"a\\\n b\"); g"),
            pairs(&[("f(\"", ""), ("\"); g", "")])
        );
    }
}

//! nginx's file as words and marks, each with its line, cut as nginx itself cuts them.
//!
//! Its ways: a word ends at white space, `;` or `{`, but for the brace of `${name}`; quotes and `#` mean something only where a word
//! begins; a backslash keeps the character behind it from ending the word, and is dropped in front of quotes and backslashes alone, so
//! that regular expressions stay what they are. The body of a `..._by_lua_block` is Lua and is one word.
//!
//! Invariant: total. What cannot be read is a [`Flaw`] with its line, and reading goes on behind it.
//!
//! Left out on purpose: what a word means.

/// A piece of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A word, without its quotes.
    Word(String),
    /// `{`
    Open,
    /// `}`
    Close,
    /// `;`
    End,
}

/// A piece and the line on which it begins, from 1.
pub(super) type PlacedMark = (Mark, usize);

/// What nginx would refuse in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    /// From 1.
    pub(super) line: usize,
    /// A sentence without its end.
    pub(super) what: &'static str,
}

/// Cuts a text.
pub(super) fn cut(text: &str) -> (Vec<PlacedMark>, Vec<Flaw>) {
    let mut cutter = Cutter {
        rest: text.chars().peekable(),
        line: 1,
        tokens: Vec::new(),
        flaws: Vec::new(),
    };
    while cutter.token() {}
    (cutter.tokens, cutter.flaws)
}

struct Cutter<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
    tokens: Vec<PlacedMark>,
    flaws: Vec<Flaw>,
}

impl Cutter<'_> {
    fn take(&mut self) -> Option<char> {
        let taken = self.rest.next();
        self.line += usize::from(taken == Some('\n'));
        taken
    }

    /// Cuts the next piece, if there is one.
    fn token(&mut self) -> bool {
        while self
            .rest
            .next_if(|next| next.is_whitespace() && *next != '\n')
            .is_some()
            || self.rest.peek() == Some(&'\n') && self.take().is_some()
        {}
        let line = self.line;
        let Some(next) = self.rest.peek().copied() else {
            return false;
        };
        let mark = match next {
            ';' => Mark::End,
            '{' => Mark::Open,
            '}' => Mark::Close,
            '#' => {
                while self.rest.next_if(|next| *next != '\n').is_some() {}
                return true;
            }
            '"' | '\'' => {
                let word = self.quoted(next);
                self.tokens.push((Mark::Word(word), line));
                return true;
            }
            _ => {
                let word = self.bare();
                self.tokens.push((Mark::Word(word), line));
                return true;
            }
        };
        self.take();
        let opens = mark == Mark::Open;
        self.tokens.push((mark, line));
        if opens && self.is_lua() {
            self.lua(line);
        }
        true
    }

    fn quoted(&mut self, quote: char) -> String {
        let first = self.line;
        self.take();
        let mut word = String::new();
        while let Some(next) = self.take() {
            match next {
                '\\' => self.escaped(&mut word),
                end if end == quote => {
                    let ends = |next: &char| next.is_whitespace() || ";{)".contains(*next);
                    if self.rest.peek().is_some_and(|next| !ends(next)) {
                        self.flaw(self.line, "no white space behind the closing quote");
                    }
                    return word;
                }
                other => word.push(other),
            }
        }
        self.flaw(first, "a quote that is never closed");
        word
    }

    fn bare(&mut self) -> String {
        let mut word = String::new();
        let mut variable = false;
        while let Some(next) = self.rest.peek().copied() {
            if next.is_whitespace() || next == ';' || (next == '{' && !variable) {
                break;
            }
            variable = next == '$';
            self.take();
            if next == '\\' {
                self.escaped(&mut word);
            } else {
                word.push(next);
            }
        }
        word
    }

    /// What a backslash and the character behind it become.
    fn escaped(&mut self, word: &mut String) {
        match self.take() {
            Some(kept @ ('"' | '\'' | '\\')) => word.push(kept),
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            Some(other) => word.extend(['\\', other]),
            None => word.push('\\'),
        }
    }

    /// Whether the block that was just opened holds Lua.
    fn is_lua(&self) -> bool {
        let words = self.tokens.iter().rev().skip(1);
        let words = words.map_while(|(piece, _)| match piece {
            Mark::Word(word) => Some(word),
            _ => None,
        });
        words.last().is_some_and(|name| name.ends_with("_by_lua_block"))
    }

    /// Lua up to the brace that closes it.
    fn lua(&mut self, first: usize) {
        let mut body = String::new();
        let mut depth = 0_usize;
        while let Some(next) = self.rest.peek().copied() {
            match next {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                _ => {}
            }
            body.extend(self.take());
        }
        self.tokens.push((Mark::Word(body), first));
        self.tokens.push((Mark::End, first));
    }

    fn flaw(&mut self, line: usize, what: &'static str) {
        self.flaws.push(Flaw { line, what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let (tokens, _) = cut(text);
        let shown = |(piece, line): &PlacedMark| match piece {
            Mark::Word(word) => format!("{line}:{word}"),
            Mark::Open => "{".to_owned(),
            Mark::Close => "}".to_owned(),
            Mark::End => ";".to_owned(),
        };
        tokens.iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_end_where_nginx_ends_them() {
        assert_eq!(words("listen 80;"), "1:listen 1:80 ;");
        assert_eq!(words("a b#c; # d\n\n e;"), "1:a 1:b#c ; 3:e ;");
        assert_eq!(words("http{server{}}"), "1:http { 1:server { } }");
        assert_eq!(words("set $x ${y}z;"), "1:set 1:$x 1:${y}z ;");
        assert_eq!(words("~ \"^/a\\.b{2}$\" {"), "1:~ 1:^/a\\.b{2}$ {");
        assert_eq!(
            words("a 'b;\nc' \"d\\\"e\" f\\ g;"),
            "1:a 1:b;\nc 2:d\"e 2:f\\ g ;"
        );
    }

    #[test]
    fn lua_is_one_word() {
        assert_eq!(
            words("content_by_lua_block { ngx.say({a = 1}) } deny all;"),
            "1:content_by_lua_block { 1: ngx.say({a = 1})  ; } 1:deny 1:all ;"
        );
    }

    #[test]
    fn what_nginx_refuses_has_its_line() {
        let flaw = |line, what| vec![Flaw { line, what }];
        assert_eq!(cut("a \"b\nc;").1, flaw(1, "a quote that is never closed"));
        assert_eq!(
            cut("\na \"b\"c;").1,
            flaw(2, "no white space behind the closing quote")
        );
        assert!(cut("a b;\nc { }").1.is_empty());
    }
}

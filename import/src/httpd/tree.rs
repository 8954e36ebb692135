//! Sections: which directives stand in which.
//!
//! Invariant: every directive of the file is in the tree, whatever closes wrongly; what does is told of.

use crate::report::Report;
use crate::source::{Line, Source};

use super::lexer;

/// How deep sections may stand in each other: real files have six, and readers go as deep as these.
const DEPTH_MAX: usize = 64;

/// A directive, or a section with those in it.
#[derive(Clone, Debug)]
pub(super) struct Directive {
    /// As it stood.
    pub(super) line: Line,
    /// Its name in small letters; of a section with `<` in front.
    pub(super) name: String,
    /// What follows the name.
    pub(super) words: Vec<String>,
    /// What stands in a section.
    pub(super) inner: Vec<Directive>,
    /// A variable in it that nothing defines.
    pub(super) undefined: Option<String>,
}

impl Directive {
    /// The word at that place, or nothing.
    pub(super) fn word(&self, position: usize) -> &str {
        self.words.get(position).map_or("", String::as_str)
    }

    /// All words as one text.
    pub(super) fn rest(&self) -> String {
        self.words.join(" ")
    }

    /// Itself and all in it.
    pub(super) fn all(&self) -> Vec<&Directive> {
        let inner = self.inner.iter().flat_map(Directive::all);
        std::iter::once(self).chain(inner).collect()
    }
}

/// The directives of a file.
pub(super) fn read(source: &Source, report: &mut Report, all: &mut Vec<Line>) -> Vec<Directive> {
    let mut open: Vec<Directive> = Vec::new();
    // Names of sections that are too deep: what stands in them stands in the deepest that is read.
    let mut beyond: Vec<String> = Vec::new();
    let mut outermost = Vec::new();
    for line in lexer::lines(source) {
        if let Some(closed) = line.text.strip_prefix("</") {
            let name = format!("<{}", closed.trim_end_matches('>').trim().to_ascii_lowercase());
            if beyond.last() == Some(&name) {
                beyond.pop();
                continue;
            }
            match open.iter().rposition(|section| section.name == name) {
                Some(position) => {
                    beyond.clear();
                    while open.len() > position {
                        let section = open.pop().expect("there are more than `position`");
                        if section.name != name {
                            unclosed(&section, report);
                        }
                        list(&mut open, &mut outermost).push(section);
                    }
                }
                None => report.unsupported(
                    &line,
                    "closes a section that is not open: httpd would not start with it",
                ),
            }
            continue;
        }
        all.push(line.clone());
        let statement = statement(line);
        if statement.name.starts_with('<') && open.len() >= DEPTH_MAX {
            let why = format!(
                "sections stand in each other more than {DEPTH_MAX} deep: not read as one, and what it guards is OPEN here"
            );
            report.unsupported(&statement.line, why);
            beyond.push(statement.name);
        } else if statement.name.starts_with('<') {
            open.push(statement);
        } else {
            list(&mut open, &mut outermost).push(statement);
        }
    }
    while let Some(section) = open.pop() {
        unclosed(&section, report);
        list(&mut open, &mut outermost).push(section);
    }
    outermost
}

fn list<'a>(open: &'a mut [Directive], outermost: &'a mut Vec<Directive>) -> &'a mut Vec<Directive> {
    match open.last_mut() {
        Some(section) => &mut section.inner,
        None => outermost,
    }
}

fn unclosed(section: &Directive, report: &mut Report) {
    let why = "this section is not closed: httpd would not start with it. It is read as if it ended with what is around it";
    report.unsupported(&section.line, why);
}

fn statement(line: Line) -> Directive {
    let text = line
        .text
        .strip_prefix('<')
        .map_or(&*line.text, |inside| inside.trim_end_matches('>'));
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let mark = if line.text.starts_with('<') { "<" } else { "" };
    Directive {
        name: format!("{mark}{}", name.to_ascii_lowercase()),
        words: lexer::words(rest),
        inner: Vec::new(),
        undefined: None,
        line,
    }
}

//! Files as values: texts with names, where something stands in them, and how files that they name are found.
//!
//! Invariants: every line that is told of carries its place, which is where it begins, whatever file it came from · no file is read
//! inside of itself, and what includes grow to is bounded, in depth and in all.
//!
//! Left out on purpose: reading. Whoever calls has the texts, and looks up what they include.

use std::fmt;
use std::rc::Rc;

/// How deep files may include each other: httpd itself gives up at 128, and people at three.
const DEPTH_MAX: usize = 16;

/// How many files may be included in all: a large site has hundreds.
const FILES_MAX: usize = 4_096;

/// Where something stands: a file by the name that it was given, and a line, from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: Rc<str>,
    /// The line at which it begins.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}:{}", self.file, self.line)
    }
}

/// A directive as it stood, its continued lines in one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Where it begins.
    pub place: Place,
    /// Its text, without spaces around it.
    pub text: String,
}

/// A file.
#[derive(Clone, Debug)]
pub struct Source {
    /// By what name it is told of.
    pub name: Rc<str>,
    /// What stands in it.
    pub text: String,
}

impl Source {
    /// A file of that name.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Source {
        Source {
            name: name.into(),
            text: text.to_owned(),
        }
    }
}

/// How a file's Include is answered: the file that names, what it names (which may be a pattern), and the files, or why there are
/// none.
type LookUp<'a> = dyn Fn(&str, &str) -> Result<Vec<Source>, String> + 'a;

/// The files that are imported, and a way to those that they name.
pub struct Sources<'a> {
    files: Vec<Source>,
    look_up: Box<LookUp<'a>>,
}

impl<'a> Sources<'a> {
    /// These files, and a look-up for what they include.
    pub fn new(
        files: Vec<Source>,
        look_up: impl Fn(&str, &str) -> Result<Vec<Source>, String> + 'a,
    ) -> Sources<'a> {
        Sources {
            files,
            look_up: Box::new(look_up),
        }
    }

    /// The files that were given, in their order.
    #[must_use]
    pub fn files(&self) -> &[Source] {
        &self.files
    }

    /// The files that `pattern` means where `from` names it.
    ///
    /// # Errors
    /// A sentence that says why there are none.
    pub fn included(&self, from: &Place, pattern: &str) -> Result<Vec<Source>, String> {
        (self.look_up)(&from.file, pattern)
    }
}

/// The files that are being read, and how many were.
#[derive(Debug, Default)]
pub(crate) struct Including {
    /// By name, each included by the one before it.
    open: Vec<Rc<str>>,
    count: usize,
}

impl Including {
    /// Begins to read a file that was given.
    pub(crate) fn given(&mut self, name: &Rc<str>) {
        self.open = vec![Rc::clone(name)];
    }

    /// Begins to read a file that another includes.
    ///
    /// # Errors
    /// A sentence that says why it is not read.
    pub(crate) fn opens(&mut self, name: &Rc<str>) -> Result<(), String> {
        if self.count == FILES_MAX {
            return Err(format!(
                "more than {FILES_MAX} files are included: neither {name} nor what this line names behind it is read. Import them by \
                 themselves"
            ));
        }
        if self.open.contains(name) {
            return Err(format!(
                "{name} includes itself: it is read once, and not by this line"
            ));
        }
        if self.open.len() > DEPTH_MAX {
            return Err(format!(
                "files include each other more than {DEPTH_MAX} deep: {name} is not read"
            ));
        }
        self.open.push(Rc::clone(name));
        self.count += 1;
        Ok(())
    }

    /// The file that was begun last is read.
    pub(crate) fn closes(&mut self) {
        self.open.pop();
    }

    /// Whether no file may be included any more.
    pub(crate) fn is_full(&self) -> bool {
        self.count == FILES_MAX
    }
}

/// Whether a name is like a pattern of Include, in which `*` stands for any letters and `?` for one. Sets in brackets are no patterns
/// here.
#[must_use]
pub fn is_like(name: &str, pattern: &str) -> bool {
    let Some(first) = pattern.chars().next() else {
        return name.is_empty();
    };
    let rest = &pattern[first.len_utf8()..];
    if first == '*' {
        let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
        return ends.into_iter().any(|at| is_like(&name[at..], rest));
    }
    name.chars()
        .next()
        .is_some_and(|letter| (first == '?' || letter == first) && is_like(&name[letter.len_utf8()..], rest))
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (name, pattern, like) in [
            ("shop.conf", "*.conf", true),
            ("shop.conf", "s?op.*", true),
            ("shop.conf", "shop.conf", true),
            ("shop.conf~", "*.conf", false),
            ("", "*", true),
            ("a", "", false),
        ] {
            assert_eq!(is_like(name, pattern), like, "{name} {pattern}");
        }
    }
}

//! What httpd decides before it reads a directive: Define and its variables, IfModule, IfDefine, IfVersion, Include.
//!
//! Invariant: what stands in a branch that is not in force is told of as such, line by line.
//!
//! Left out on purpose: what is not in the files. Modules count as loaded, since their words are known here; a name that only
//! `httpd -D` or the environment defines is not defined.

use std::collections::BTreeMap;

use crate::report::Report;
use crate::source::{Including, Line, Sources};

use super::tree::{self, Directive};

/// The state of reading.
pub(super) struct Expander<'a> {
    /// The files.
    pub(super) sources: &'a Sources<'a>,
    /// What is defined so far.
    pub(super) defined: BTreeMap<String, String>,
    /// Files that are being read.
    pub(super) including: Including,
    /// Every directive of every file that was read.
    pub(super) lines: Vec<Line>,
}

impl Expander<'_> {
    /// The directives that are in force.
    pub(super) fn in_force(&mut self, statements: Vec<Directive>, report: &mut Report) -> Vec<Directive> {
        let mut out = Vec::new();
        for mut statement in statements {
            self.fill_in(&mut statement);
            let line = statement.line.clone();
            match &*statement.name {
                "define" => {
                    let value = statement.word(1).to_owned();
                    self.defined.insert(statement.word(0).to_owned(), value);
                    report.same(&line, "put in wherever its name stands");
                }
                "undefine" => {
                    self.defined.remove(statement.word(0));
                    report.same(&line, "no longer put in from here on");
                }
                "<ifmodule" | "<ifdefine" | "<ifversion" | "<iffile" | "<ifdirective" | "<ifsection" => {
                    if self.holds(&statement, report) {
                        out.extend(self.in_force(statement.inner, report));
                    } else {
                        for inner in statement.inner.iter().flat_map(Directive::all) {
                            report.same(&inner.line, format!("not in force: it stands in {}", line.text));
                        }
                    }
                }
                "include" | "includeoptional" => out.extend(self.include(&statement, report)),
                _ => {
                    statement.inner = self.in_force(std::mem::take(&mut statement.inner), report);
                    out.push(statement);
                }
            }
        }
        out
    }

    /// Whether a condition holds; says so.
    fn holds(&self, condition: &Directive, report: &mut Report) -> bool {
        let (line, word) = (&condition.line, condition.word(0));
        let (negated, name) = match word.strip_prefix('!') {
            Some(name) => (true, name),
            None => (false, word),
        };
        match &*condition.name {
            "<ifdefine" => {
                let holds = self.defined.contains_key(name) != negated;
                let told = if holds { "in force" } else { "not in force" };
                let why = format!(
                    "{told} here, since these files alone say what is defined; where httpd is started with -D {name}, put \
                     `Define {name}` into a file in front of them"
                );
                report.differs(line, why);
                holds
            }
            "<ifmodule" if negated => {
                report.same(
                    line,
                    format!("not in force where {name} is loaded, as is assumed here"),
                );
                false
            }
            "<ifmodule" => {
                report.same(
                    line,
                    format!("in force where {name} is loaded, as is assumed here"),
                );
                true
            }
            _ => {
                report.differs(
                    line,
                    "a condition that these files do not decide; what stands in it is taken as in force",
                );
                true
            }
        }
    }

    fn include(&mut self, statement: &Directive, report: &mut Report) -> Vec<Directive> {
        let (line, pattern) = (&statement.line, statement.word(0));
        match self.sources.included(&line.place, pattern) {
            Ok(files) => {
                let names: Vec<&str> = files.iter().map(|file| &*file.name).collect();
                report.same(line, format!("read: {}", names.join(", ")));
                let mut out = Vec::new();
                for file in &files {
                    if let Err(why) = self.including.opens(&file.name) {
                        report.unsupported(line, why);
                        if self.including.is_full() {
                            break;
                        }
                        continue;
                    }
                    let read = tree::read(file, report, &mut self.lines);
                    out.extend(self.in_force(read, report));
                    self.including.closes();
                }
                out
            }
            Err(_) if statement.name == "includeoptional" => {
                report.same(line, "there is no such file, which is allowed");
                Vec::new()
            }
            Err(sentence) => {
                report.unsupported(
                    line,
                    format!("{sentence}: what stands there is not imported; name the file as well"),
                );
                Vec::new()
            }
        }
    }

    /// Puts variables in, and notes one that nothing defines.
    fn fill_in(&self, statement: &mut Directive) {
        for word in &mut statement.words {
            let mut filled = String::new();
            let mut rest = word.as_str();
            while let Some((before, behind)) = rest.split_once("${") {
                filled.push_str(before);
                let Some((name, after)) = behind.split_once('}') else {
                    filled.push_str("${");
                    rest = behind;
                    continue;
                };
                match self.defined.get(name) {
                    Some(value) => filled.push_str(value),
                    None => {
                        statement.undefined = Some(name.to_owned());
                        filled.push_str(&format!("${{{name}}}"));
                    }
                }
                rest = after;
            }
            filled.push_str(rest);
            *word = filled;
        }
    }
}

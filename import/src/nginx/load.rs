//! nginx's files as one tree: what is included stands where it is included, and every directive is counted.
//!
//! Invariant: what a file cannot be read for is told of with its line.
//!
//! Left out on purpose: how a pattern is answered. Whoever calls has the files.

use std::rc::Rc;

use super::tree::{Statement, TOO_DEEP, parse};
use crate::report::Report;
use crate::source::{Including, Line, Place, Source, Sources};

/// Files about types and parameters of other protocols, which come with nginx and say nothing of where a request goes.
const OF_NGINX: &[&str] = &[
    "mime.types",
    "fastcgi_params",
    "fastcgi.conf",
    "uwsgi_params",
    "scgi_params",
    "modules-enabled/*.conf",
];

/// All files as one tree, and the line of each directive in it.
pub(super) fn load(sources: &Sources<'_>, report: &mut Report) -> (Vec<Statement>, Vec<Line>) {
    let mut loader = Loader {
        sources,
        report,
        including: Including::default(),
        lines: Vec::new(),
    };
    let mut statements = Vec::new();
    for source in sources.files() {
        loader.including.given(&source.name);
        statements.extend(loader.read(source));
    }
    (statements, loader.lines)
}

struct Loader<'a, 's> {
    sources: &'a Sources<'s>,
    report: &'a mut Report,
    /// The files that are being read.
    including: Including,
    lines: Vec<Line>,
}

impl Loader<'_, '_> {
    fn read(&mut self, source: &Source) -> Vec<Statement> {
        let (statements, flaws) = parse(&source.name, &source.text);
        let texts: Vec<&str> = if flaws.is_empty() {
            Vec::new()
        } else {
            source.text.lines().collect()
        };
        for flaw in flaws {
            let text = texts
                .get(flaw.line.saturating_sub(1))
                .copied()
                .unwrap_or_default();
            let place = Place {
                file: Rc::clone(&source.name),
                line: flaw.line,
            };
            let line = Line {
                place,
                text: text.trim().to_owned(),
            };
            let why = match flaw.what {
                TOO_DEEP => TOO_DEEP.to_owned(),
                what => format!(
                    "{what}: nginx refuses this file. What stands around it was read as well as it can be; repair it, and import it anew"
                ),
            };
            self.report.unsupported(&line, why);
        }
        self.expand(statements)
    }

    fn expand(&mut self, statements: Vec<Statement>) -> Vec<Statement> {
        let mut expanded = Vec::new();
        for mut statement in statements {
            self.lines.push(statement.line.clone());
            if statement.name == "include" && statement.block.is_none() {
                expanded.extend(self.include(&statement));
                continue;
            }
            statement.block = statement.block.map(|block| self.expand(block));
            expanded.push(statement);
        }
        expanded
    }

    fn include(&mut self, statement: &Statement) -> Vec<Statement> {
        let pattern = statement.argument(0);
        if OF_NGINX.iter().any(|own| pattern.ends_with(own)) {
            let why = "comes with nginx, and says nothing of where a request goes: not read";
            self.report.differs(&statement.line, why);
            return Vec::new();
        }
        let found = match self.sources.included(&statement.line.place, pattern) {
            Ok(found) => found,
            Err(error) => {
                let why = format!(
                    "{error}: what it says is missing here. Import again where nginx's files are, or name it beside them"
                );
                self.report.unsupported(&statement.line, why);
                return Vec::new();
            }
        };
        let mut statements = Vec::new();
        for source in &found {
            if let Err(why) = self.including.opens(&source.name) {
                self.report.unsupported(&statement.line, why);
                if self.including.is_full() {
                    break;
                }
                continue;
            }
            statements.extend(self.read(source));
            self.including.closes();
        }
        let why = match found.len() {
            0 => "no file is there that it means, as nginx takes it, too".to_owned(),
            count => format!(
                "read where it stands ({count} file{})",
                if count == 1 { "" } else { "s" }
            ),
        };
        self.report.same(&statement.line, why);
        statements
    }
}

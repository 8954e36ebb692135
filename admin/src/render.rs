//! A report as columns for people or as a document for programs. Pure.
//!
//! Verbs build a [`Report`]; how it looks is decided here alone: columns in `text`, JSON, YAML and CSV in `documents`, one
//! value in `cell`. What goes on for as long as somebody looks is written a line at a time instead ([`Stream`]).
//!
//! Invariant: nothing that a user of a site chose reaches a terminal as more than letters: a mark stands for the rest in columns,
//! sentences and sheets (`cell::printable`), and in JSON and YAML their own escapes do (`cell::escaped`), so that nothing is lost.

mod cell;
mod documents;
mod text;

pub(crate) use cell::{Cell, printable, shown_bytes};

use remora_overview::judge;

use crate::args::{Format, Output};
use crate::failure::Failure;

/// What a command found, in the order in which people read it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    words: String,
    sections: Vec<(&'static str, Section)>,
    hint: Option<String>,
    troubles: Vec<Trouble>,
    remarks: Vec<String>,
}

#[derive(Debug)]
enum Section {
    Record(Vec<(&'static str, Cell)>),
    Figures(Vec<(&'static str, Cell)>),
    Told(Vec<(&'static str, Cell)>),
    Table(TableSection),
}

#[derive(Debug)]
struct TableSection {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    /// Columns that people see with `-o wide` only.
    wide: Vec<&'static str>,
    /// Who sees it.
    readers: Readers,
    /// Whether this is what a sheet shows.
    main: bool,
}

/// Who sees a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readers {
    /// Everybody.
    All,
    /// Programs, and people with `-o wide`.
    Wide,
    /// Programs.
    Programs,
}

/// What needs a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What is wrong, in a sentence.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) advice: Option<String>,
}

impl From<String> for Trouble {
    fn from(what: String) -> Trouble {
        Trouble { what, advice: None }
    }
}

impl From<judge::Trouble> for Trouble {
    fn from(trouble: judge::Trouble) -> Trouble {
        Trouble {
            what: trouble.what,
            advice: Some(trouble.advice),
        }
    }
}

impl Report {
    /// What is printed as it stands, for another program.
    pub(crate) fn words(words: String) -> Report {
        Report {
            words,
            ..Report::default()
        }
    }

    /// Adds named values.
    pub(crate) fn record(mut self, name: &'static str, fields: Vec<(&'static str, Cell)>) -> Report {
        self.sections.push((name, Section::Record(fields)));
        self
    }

    /// Adds named values that programs need, and people are told otherwise.
    pub(crate) fn figures(mut self, name: &'static str, fields: Vec<(&'static str, Cell)>) -> Report {
        self.sections.push((name, Section::Figures(fields)));
        self
    }

    /// Adds what people are told in words, and programs otherwise.
    pub(crate) fn told(mut self, fields: Vec<(&'static str, Cell)>) -> Report {
        self.sections.push(("", Section::Told(fields)));
        self
    }

    /// Adds what people are told at the end.
    pub(crate) fn hint(mut self, hint: Option<String>) -> Report {
        self.hint = hint;
        self
    }

    /// Adds a table; every row has as many cells as there are columns.
    pub(crate) fn table(
        mut self,
        name: &'static str,
        columns: Vec<&'static str>,
        rows: Vec<Vec<Cell>>,
    ) -> Report {
        let table = TableSection {
            columns,
            rows,
            wide: Vec::new(),
            readers: Readers::All,
            main: false,
        };
        self.sections.push((name, Section::Table(table)));
        self
    }

    /// Columns of the table that was added last which people see with `-o wide` only; programs see them always.
    pub(crate) fn wide(mut self, columns: &[&'static str]) -> Report {
        if let Some((_, Section::Table(table))) = self.sections.last_mut() {
            debug_assert!(columns.iter().all(|column| table.columns.contains(column)));
            table.wide = columns.to_vec();
        }
        self
    }

    /// People see the table that was added last with `-o wide` only.
    pub(crate) fn only_wide(self) -> Report {
        self.only_for(Readers::Wide)
    }

    /// Programs alone see the table that was added last: people would misread it.
    pub(crate) fn only_for_programs(self) -> Report {
        self.only_for(Readers::Programs)
    }

    fn only_for(mut self, readers: Readers) -> Report {
        if let Some((_, Section::Table(table))) = self.sections.last_mut() {
            table.readers = readers;
        }
        self
    }

    /// The table that was added last is what a sheet shows of this report, whatever stands beside it.
    pub(crate) fn main(mut self) -> Report {
        if let Some((_, Section::Table(table))) = self.sections.last_mut() {
            table.main = true;
        }
        self
    }

    /// Adds what needs a person; a report with troubles ends in exit code 1.
    pub(crate) fn troubles<T: Into<Trouble>>(mut self, troubles: impl IntoIterator<Item = T>) -> Report {
        self.troubles.extend(troubles.into_iter().map(Into::into));
        self
    }

    /// Adds what people should know, though nothing is wrong.
    pub(crate) fn remarks(mut self, remarks: Vec<String>) -> Report {
        self.remarks.extend(remarks);
        self
    }

    /// Whether nothing needs a person.
    pub(crate) fn is_well(&self) -> bool {
        self.troubles.is_empty()
    }
}

/// The report as it was asked for, ending in a newline; nothing of a report that has nothing to say.
pub(crate) fn render(report: &Report, output: Output) -> Result<String, Failure> {
    if !report.words.is_empty() {
        return Ok(report.words.clone());
    }
    let says_nothing = report.sections.is_empty() && report.is_well() && report.remarks.is_empty();
    match output.format {
        Format::Table | Format::Wide => Ok(text::page(report, output)),
        _ if says_nothing => Ok(String::new()),
        Format::Json => Ok(documents::json(report)),
        Format::Yaml => documents::yaml(report),
        Format::Csv => documents::csv(report, !output.no_headers),
    }
}

/// What a format has no place for, and whoever reads it should know all the same: lines for standard error.
pub(crate) fn beside(report: &Report, output: Output) -> Vec<String> {
    if output.format != Format::Csv {
        return Vec::new();
    }
    let troubles = report.troubles.iter().map(|trouble| &trouble.what);
    let said = report.hint.iter().chain(troubles).chain(&report.remarks);
    said.map(|sentence| printable(sentence)).collect()
}

/// What comes a line at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    /// As what.
    pub(crate) output: Output,
    /// The columns for people, and how wide each is at least.
    pub(crate) columns: &'static [(&'static str, u16)],
    /// The names of all that programs may be told.
    pub(crate) fields: &'static [&'static str],
}

impl Stream {
    /// What stands before all lines.
    pub(crate) fn heading(&self) -> Result<String, Failure> {
        let names = self
            .columns
            .iter()
            .map(|(name, _)| Cell::text(name.to_uppercase()));
        match self.output.format {
            _ if self.output.no_headers => Ok(String::new()),
            Format::Table | Format::Wide => Ok(text::line(self.columns, &names.collect::<Vec<_>>())),
            Format::Json | Format::Yaml => Ok(String::new()),
            Format::Csv => documents::csv_line(self.fields.iter().map(|name| documents::key(name))),
        }
    }

    /// One line: its cells for people, and its fields, or some of them, for programs.
    pub(crate) fn line(&self, cells: &[Cell], fields: &[(&'static str, Cell)]) -> Result<String, Failure> {
        match self.output.format {
            Format::Table | Format::Wide => Ok(text::line(self.columns, cells)),
            Format::Json => Ok(documents::json_line(fields)),
            Format::Yaml => documents::yaml_document(fields),
            Format::Csv => documents::csv_line(self.fields.iter().map(|name| {
                let field = fields.iter().find(|(field, _)| field == name);
                field.map_or_else(String::new, |(_, cell)| cell.in_sheet())
            })),
        }
    }
}

#[cfg(test)]
mod tests;

//! JSON, YAML and CSV for programs.
//!
//! In JSON a report is one object with a member per section; a record is an object, a table an array of objects whose
//! keys are the column names with underscores. Numbers stay numbers, and what is unknown is null. YAML is the same
//! document in other letters. In neither does a text move a terminal: escapes stand for what would. CSV is one table for a sheet: the only one that a report has, or the one that its verb calls
//! its main one; a report that is all records is a table of one row.

use csv::{Terminator, WriterBuilder};
use serde_json::{Map, Value};

use super::cell::{Cell, escaped, moves};
use super::{Report, Section, TableSection};
use crate::failure::Failure;

/// The report as one JSON object over several lines.
pub(super) fn json(report: &Report) -> String {
    escaped(&format!("{:#}\n", document(report)))
}

/// The report as one YAML document.
pub(super) fn yaml(report: &Report) -> Result<String, Failure> {
    in_yaml(&document(report))
}

/// One JSON object on a line.
pub(super) fn json_line(fields: &[(&'static str, Cell)]) -> String {
    let object = object(fields.iter().map(|(name, cell)| (*name, cell)));
    escaped(&format!("{object}\n"))
}

/// One YAML document after others.
pub(super) fn yaml_document(fields: &[(&'static str, Cell)]) -> Result<String, Failure> {
    let document = object(fields.iter().map(|(name, cell)| (*name, cell)));
    Ok(format!("---\n{}", in_yaml(&document)?))
}

/// One line of a sheet.
pub(super) fn csv_line(cells: impl IntoIterator<Item = String>) -> Result<String, Failure> {
    let cannot = |error: &dyn std::error::Error| Failure::Refused(format!("cannot write CSV: {error}"));
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::Any(b'\n'))
        .from_writer(Vec::new());
    writer.write_record(cells).map_err(|error| cannot(&error))?;
    let line = writer.into_inner().map_err(|error| cannot(&error))?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// The main table of the report.
pub(super) fn csv(report: &Report, headers: bool) -> Result<String, Failure> {
    let mut text = String::new();
    let Some((columns, rows)) = main_table(report)? else {
        return Ok(text);
    };
    if headers {
        text += &csv_line(columns.into_iter().map(key))?;
    }
    for row in rows {
        text += &csv_line(row.into_iter().map(Cell::in_sheet))?;
    }
    Ok(text)
}

/// Names and rows.
type Sheet<'a> = (Vec<&'static str>, Vec<Vec<&'a Cell>>);

fn main_table(report: &Report) -> Result<Option<Sheet<'_>>, Failure> {
    let tables = report.sections.iter().filter_map(|(_, section)| match section {
        Section::Table(table) => Some(table),
        Section::Record(_) | Section::Figures(_) | Section::Told(_) => None,
    });
    let tables: Vec<&TableSection> = tables.collect();
    let main = tables.iter().find(|table| table.main);
    let table = match (main, &tables[..]) {
        (Some(main), _) => main,
        (None, [only]) => only,
        (None, []) => return Ok(records(report)),
        (None, _) => {
            return Err(Failure::Usage(
                "this answer is more than one table, which CSV cannot hold: take -o json or -o yaml".into(),
            ));
        }
    };
    let rows = table.rows.iter().map(|row| row.iter().collect());
    Ok(Some((table.columns.clone(), rows.collect())))
}

/// All records of a report, side by side.
fn records(report: &Report) -> Option<Sheet<'_>> {
    let fields = report.sections.iter().flat_map(|(_, section)| match section {
        Section::Record(fields) => &fields[..],
        Section::Figures(_) | Section::Told(_) | Section::Table(_) => &[],
    });
    let (names, row): (Vec<&'static str>, Vec<&Cell>) = fields.map(|(name, cell)| (*name, cell)).unzip();
    (!names.is_empty()).then(|| (names, vec![row]))
}

fn document(report: &Report) -> Value {
    let mut document = Map::new();
    for (name, section) in &report.sections {
        let value = match section {
            Section::Told(_) => continue,
            Section::Record(fields) | Section::Figures(fields) => {
                object(fields.iter().map(|(name, cell)| (*name, cell)))
            }
            Section::Table(TableSection { columns, rows, .. }) => rows
                .iter()
                .map(|row| object(columns.iter().copied().zip(row)))
                .collect::<Vec<_>>()
                .into(),
        };
        document.insert(key(name), value);
    }
    if !report.is_well() {
        let all = |of: fn(&super::Trouble) -> Value| report.troubles.iter().map(of).collect::<Vec<_>>();
        document.insert(
            "troubles".into(),
            all(|trouble| trouble.what.as_str().into()).into(),
        );
        // One to each trouble, in the same order.
        document.insert(
            "advice".into(),
            all(|trouble| trouble.advice.clone().into()).into(),
        );
    }
    if !report.remarks.is_empty() {
        document.insert("remarks".into(), report.remarks.clone().into());
    }
    Value::Object(document)
}

fn object<'a>(cells: impl Iterator<Item = (&'static str, &'a Cell)>) -> Value {
    Value::Object(cells.map(|(name, cell)| (key(name), cell.value())).collect())
}

/// A name as programs write it.
pub(super) fn key(name: &str) -> String {
    name.replace(' ', "_")
}

fn in_yaml(document: &Value) -> Result<String, Failure> {
    // Strings stay on their lines, for whoever greps.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let written = serde_saphyr::to_string_with_options(document, options);
    let written = written.map_err(|error| Failure::Refused(format!("cannot write YAML: {error}")))?;
    if written.contains(|letter| moves(letter) && letter != '\n') {
        // Its writer escapes control characters alone. JSON is YAML too, and there all of them can be escaped.
        return Ok(escaped(&format!("{document:#}\n")));
    }
    Ok(written)
}

//! A report as a table for people or as JSON for programs. Pure.
//!
//! What goes on for as long as somebody looks is written a line at a time instead ([`columns`], [`document`]).
//!
//! In JSON a report is one object with a member per section; a record is an object, a table an array of objects whose
//! keys are the column names with underscores. Numbers stay numbers, and what is unknown is null.

use std::fmt::Write;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, Table, Width};
use serde_json::{Map, Value};

use crate::args::Format;

/// Spaces between columns.
const GAP: u16 = 2;

/// What a command found, in the order in which people read it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    words: String,
    sections: Vec<(&'static str, Section)>,
    hint: Option<String>,
    troubles: Vec<String>,
}

#[derive(Debug)]
enum Section {
    Record(Vec<(&'static str, Cell)>),
    Figures(Vec<(&'static str, Cell)>),
    Table {
        columns: Vec<&'static str>,
        rows: Vec<Vec<Cell>>,
    },
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Words.
    Text(String),
    /// A count.
    Count(u64),
    /// A size in bytes.
    Bytes(u64),
    /// A time span in seconds.
    Seconds(u64),
    /// Names with their values.
    Labels(Vec<(String, String)>),
    /// Yes or no.
    Flag(bool),
    /// Not known, or not so.
    Nothing,
}

impl Cell {
    /// Words, or nothing when there are none.
    pub(crate) fn text(words: impl Into<String>) -> Cell {
        let words = words.into();
        if words.is_empty() {
            Cell::Nothing
        } else {
            Cell::Text(words)
        }
    }

    fn shown(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Count(count) => count.to_string(),
            Cell::Bytes(bytes) => shown_bytes(*bytes),
            Cell::Seconds(seconds) => shown_seconds(*seconds),
            Cell::Labels(labels) => {
                let labels = labels.iter().map(|(name, value)| format!("{name}={value}"));
                labels.collect::<Vec<_>>().join(" ")
            }
            Cell::Flag(true) => "yes".into(),
            Cell::Flag(false) => "no".into(),
            Cell::Nothing => "-".into(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Cell::Text(text) => Value::from(text.as_str()),
            Cell::Count(number) | Cell::Bytes(number) | Cell::Seconds(number) => Value::from(*number),
            Cell::Labels(labels) => {
                let labels = labels.iter();
                Value::Object(
                    labels
                        .map(|(name, value)| (name.clone(), value.as_str().into()))
                        .collect(),
                )
            }
            Cell::Flag(flag) => Value::from(*flag),
            Cell::Nothing => Value::Null,
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Cell::Count(_) | Cell::Bytes(_) | Cell::Seconds(_))
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown())
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
        self.sections.push((name, Section::Table { columns, rows }));
        self
    }

    /// Adds what needs a person; a report with troubles ends in exit code 1.
    pub(crate) fn troubles(mut self, troubles: Vec<String>) -> Report {
        self.troubles.extend(troubles);
        self
    }

    /// Whether nothing needs a person.
    pub(crate) fn is_well(&self) -> bool {
        self.troubles.is_empty()
    }
}

/// The report in the given format, ending in a newline; nothing of a report that has nothing to say.
pub(crate) fn render(report: &Report, format: Format) -> String {
    match format {
        _ if !report.words.is_empty() => report.words.clone(),
        Format::Table => as_text(report),
        Format::Json if report.sections.is_empty() && report.is_well() => String::new(),
        Format::Json => as_json(report),
    }
}

/// One line of columns that are at least so wide, for what comes a line at a time.
pub(crate) fn columns(columns: &[(&str, u16)], cells: &[Cell]) -> String {
    let mut table = Table::new();
    // A control character could end the line, and make a second one up.
    table.add_row(
        cells
            .iter()
            .map(|cell| cell.shown().replace(char::is_control, "\u{fffd}")),
    );
    for (column, (_, width)) in table.column_iter_mut().zip(columns) {
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width + GAP)));
    }
    let mut text = String::new();
    write_aligned(&mut text, table, &[]);
    text
}

/// One line that is a JSON document.
pub(crate) fn document(fields: &[(&'static str, Cell)]) -> String {
    let fields = object(fields.iter().map(|(name, cell)| (*name, cell)));
    format!("{}\n", Value::Object(fields))
}

fn as_json(report: &Report) -> String {
    let mut document = Map::new();
    for (name, section) in &report.sections {
        let value = match section {
            Section::Record(fields) | Section::Figures(fields) => {
                Value::Object(object(fields.iter().map(|(name, cell)| (*name, cell))))
            }
            Section::Table { columns, rows } => rows
                .iter()
                .map(|row| Value::Object(object(columns.iter().copied().zip(row))))
                .collect::<Vec<_>>()
                .into(),
        };
        document.insert(name.replace(' ', "_"), value);
    }
    if !report.is_well() {
        document.insert("troubles".into(), report.troubles.clone().into());
    }
    format!("{:#}\n", Value::Object(document))
}

fn object<'a>(cells: impl Iterator<Item = (&'static str, &'a Cell)>) -> Map<String, Value> {
    cells
        .map(|(name, cell)| (name.replace(' ', "_"), cell.json()))
        .collect()
}

fn as_text(report: &Report) -> String {
    let mut text = String::new();
    let shown = report.sections.iter();
    let shown = shown.filter(|(_, section)| !matches!(section, Section::Figures(_)));
    for (index, (name, section)) in shown.enumerate() {
        if index > 0 {
            text.push('\n');
        }
        match section {
            Section::Record(fields) => write_record(&mut text, fields),
            Section::Table { rows, .. } if rows.is_empty() => {
                let _ = writeln!(text, "no {name}");
            }
            Section::Table { columns, rows } => write_table(&mut text, columns, rows),
            Section::Figures(_) => {}
        }
    }
    if let Some(hint) = &report.hint {
        let _ = writeln!(text, "\n{hint}");
    }
    for trouble in &report.troubles {
        let _ = writeln!(text, "\n! {trouble}");
    }
    text
}

fn write_record(text: &mut String, fields: &[(&'static str, Cell)]) {
    let mut table = Table::new();
    table.add_rows(
        fields
            .iter()
            .map(|(name, cell)| [(*name).to_owned(), cell.shown()]),
    );
    write_aligned(text, table, &[]);
}

fn write_table(text: &mut String, columns: &[&'static str], rows: &[Vec<Cell>]) {
    let mut table = Table::new();
    table.set_header(columns.iter().map(|name| name.to_uppercase()));
    table.add_rows(rows.iter().map(|row| row.iter().map(Cell::shown)));
    let is_number = |column: &usize| rows.iter().any(|row| row[*column].is_number());
    let numbers: Vec<usize> = (0..columns.len()).filter(is_number).collect();
    write_aligned(text, table, &numbers);
}

/// Two spaces between columns and nothing else, for eyes and for `cut`; numbers to the right.
fn write_aligned(text: &mut String, mut table: Table, numbers: &[usize]) {
    table.load_preset(NOTHING);
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
        if numbers.contains(&column.index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let _ = writeln!(text, "{}", table.trim_fmt());
}

pub(crate) fn shown_bytes(bytes: u64) -> String {
    const KIBIBYTE: u64 = 1 << 10;
    const MEBIBYTE: u64 = 1 << 20;
    const GIBIBYTE: u64 = 1 << 30;
    let (unit, name) = match bytes {
        0..KIBIBYTE => return format!("{bytes} B"),
        KIBIBYTE..MEBIBYTE => (KIBIBYTE, "KiB"),
        MEBIBYTE..GIBIBYTE => (MEBIBYTE, "MiB"),
        GIBIBYTE.. => (GIBIBYTE, "GiB"),
    };
    // Tenths in whole numbers: a table needs no more, and no rounding surprises.
    let tenths = bytes / (unit / 10).max(1);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

fn shown_seconds(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        86_400.. => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report::default()
            .record(
                "cluster",
                vec![("name", Cell::text("c1")), ("leader", Cell::Nothing)],
            )
            .table(
                "nodes",
                vec!["node", "log size"],
                vec![
                    vec![Cell::text("n1"), Cell::Bytes(2_048)],
                    vec![Cell::text("n22"), Cell::Bytes(5)],
                ],
            )
    }

    #[test]
    fn people_get_aligned_columns() {
        let expected = "name    c1\nleader  -\n\nNODE  LOG SIZE\nn1     2.0 KiB\nn22        5 B\n";
        assert_eq!(render(&report(), Format::Table), expected);
    }

    #[test]
    fn names_in_any_script_keep_the_columns() {
        let rows = ["ada", "王小明", "Zoe\u{308}"].map(|user| vec![Cell::text(user), Cell::text("n1")]);
        let report = Report::default().table("sessions", vec!["user", "owner"], rows.to_vec());
        let expected = "USER    OWNER\nada     n1\n王小明  n1\nZoe\u{308}     n1\n";
        assert_eq!(render(&report, Format::Table), expected);
    }

    #[test]
    fn programs_get_numbers_and_nulls() {
        let document: Value = serde_json::from_str(&render(&report(), Format::Json)).unwrap();
        assert_eq!(document["cluster"]["leader"], Value::Null);
        assert_eq!(document["nodes"][0]["log_size"], 2_048);
    }

    #[test]
    fn an_empty_table_says_so() {
        let report = Report::default().table("sessions", vec!["key"], Vec::new());
        assert_eq!(render(&report, Format::Table), "no sessions\n");
        assert_eq!(render(&report, Format::Json), "{\n  \"sessions\": []\n}\n");
    }

    #[test]
    fn a_line_is_one_line_whatever_its_values_are() {
        let widths = [("WHAT", 6), ("USER", 5), ("DETAIL", 6)];
        let cells = [Cell::text("ended"), Cell::text("王\nada"), Cell::Nothing];
        assert_eq!(columns(&widths, &cells), "ended   王\u{fffd}ada  -\n");
        let cells = [Cell::text("moved"), Cell::text("Zoe"), Cell::text("from n1")];
        assert_eq!(columns(&widths, &cells), "moved   Zoe    from n1\n");
        assert_eq!(
            document(&[("a b", Cell::Count(1)), ("c", Cell::Nothing)]),
            "{\"a_b\":1,\"c\":null}\n"
        );
    }

    #[test]
    fn troubles_are_shown_after_what_is_known() {
        let report = report().troubles(vec!["n22 is down".into()]);
        assert!(render(&report, Format::Table).ends_with("\n! n22 is down\n"));
        let document: Value = serde_json::from_str(&render(&report, Format::Json)).unwrap();
        assert_eq!(document["troubles"][0], "n22 is down");
    }

    #[test]
    fn spans_and_sizes_read_well_at_every_scale() {
        let spans: Vec<String> = [59, 60, 3_599, 3_600, 86_400].map(shown_seconds).to_vec();
        assert_eq!(spans, ["59s", "1m00s", "59m59s", "1h00m", "1d00h"]);
        let sizes: Vec<String> = [1_023, 1_024, 1_536, 1 << 20, 3 << 30].map(shown_bytes).to_vec();
        assert_eq!(sizes, ["1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "3.0 GiB"]);
    }
}

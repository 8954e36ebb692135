//! Columns for people.
//!
//! Two spaces stand between columns and nothing else, for eyes and for `cut`; numbers stand to the right.

use std::fmt::Write;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, Table, Width};

use super::cell::{Cell, printable};
use super::{Readers, Report, Section, TableSection};
use crate::args::{Format, Output};

/// Spaces between columns.
const GAP: u16 = 2;

/// The whole report; nothing where it has nothing to say.
pub(super) fn page(report: &Report, output: Output) -> String {
    let mut text = String::new();
    let shown = report.sections.iter();
    let shown = shown.filter(|(_, section)| match section {
        Section::Figures(_) => false,
        Section::Table(table) => match table.readers {
            Readers::All => true,
            Readers::Wide => output.format == Format::Wide,
            Readers::Programs => false,
        },
        Section::Record(_) | Section::Told(_) => true,
    });
    for (index, (name, section)) in shown.enumerate() {
        if index > 0 {
            text.push('\n');
        }
        match section {
            Section::Record(fields) | Section::Told(fields) => write_record(&mut text, fields),
            Section::Table(table) if table.rows.is_empty() => {
                let _ = writeln!(text, "no {name}");
            }
            Section::Table(table) => write_table(&mut text, table, output),
            Section::Figures(_) => {}
        }
    }
    if let Some(hint) = &report.hint {
        part(&mut text);
        write_sentence(&mut text, "", hint);
    }
    if !report.troubles.is_empty() || !report.remarks.is_empty() {
        part(&mut text);
    }
    for trouble in &report.troubles {
        write_sentence(&mut text, "! ", &trouble.what);
        if let Some(advice) = &trouble.advice {
            write_sentence(&mut text, "  ", advice);
        }
    }
    for remark in &report.remarks {
        write_sentence(&mut text, "* ", remark);
    }
    text
}

/// An empty line between what stands there and what comes.
fn part(text: &mut String) {
    if !text.is_empty() {
        text.push('\n');
    }
}

/// One line of columns that are at least so wide, for what comes a line at a time.
pub(super) fn line(columns: &[(&str, u16)], cells: &[Cell]) -> String {
    let mut table = Table::new();
    table.add_row(cells.iter().map(Cell::shown));
    for (column, (_, width)) in table.column_iter_mut().zip(columns) {
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width + GAP)));
    }
    let mut text = String::new();
    write_aligned(&mut text, table, &[]);
    text
}

/// What is said in words, which may take more than a line.
fn write_sentence(text: &mut String, begin: &str, sentence: &str) {
    for (index, line) in sentence.lines().enumerate() {
        let begin = if index == 0 { begin } else { &"  "[..begin.len()] };
        let _ = writeln!(text, "{begin}{}", printable(line));
    }
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

fn write_table(text: &mut String, section: &TableSection, output: Output) {
    let TableSection {
        columns, rows, wide, ..
    } = section;
    let is_shown = |column: &usize| output.format == Format::Wide || !wide.contains(&columns[*column]);
    let shown: Vec<usize> = (0..columns.len()).filter(is_shown).collect();
    let mut table = Table::new();
    if !output.no_headers {
        table.set_header(shown.iter().map(|column| columns[*column].to_uppercase()));
    }
    table.add_rows(
        rows.iter()
            .map(|row| shown.iter().map(|column| row[*column].shown())),
    );
    let is_number = |column: usize| rows.iter().any(|row| row[column].is_number());
    let numbers = shown.iter().enumerate().filter(|(_, column)| is_number(**column));
    let numbers: Vec<usize> = numbers.map(|(position, _)| position).collect();
    write_aligned(text, table, &numbers);
}

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

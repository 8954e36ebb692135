//! The one table that the bench prints.

use std::io::Write;

/// Columns: what is measured, who, rate, processor time each, sleeps each, remarks.
const COLUMNS: [&str; 6] = ["what", "who", "rate", "CPU each", "sleeps each", "remarks"];

/// Rows in the order in which they were measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<[String; 6]>,
}

impl Table {
    /// Adds a row.
    pub(crate) fn row(&mut self, row: [String; 6]) {
        self.rows.push(row);
    }

    /// Prints the table as Markdown, which reads well in a terminal too.
    pub(crate) fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let header = COLUMNS.map(String::from);
        let width = |column: usize| {
            let cells = self
                .rows
                .iter()
                .chain([&header])
                .map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
        write_row(out, &header, &widths)?;
        write_row(
            out,
            &std::array::from_fn(|column| "-".repeat(widths[column])),
            &widths,
        )?;
        for row in &self.rows {
            write_row(out, row, &widths)?;
        }
        Ok(())
    }
}

fn write_row(out: &mut impl Write, row: &[String; 6], widths: &[usize]) -> std::io::Result<()> {
    let cells = row
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:<width$}"));
    writeln!(out, "| {} |", cells.collect::<Vec<_>>().join(" | "))
}

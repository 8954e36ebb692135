//! The tables that the bench prints: one for most of it, and one for each form of `make bench-proxy`.

use std::io::Write;

use comfy_table::presets::ASCII_MARKDOWN;

/// Columns: what is measured, who, rate, processor time each, sleeps each, remarks.
const COLUMNS: [&str; 6] = ["what", "who", "rate", "CPU each", "sleeps each", "remarks"];

/// Rows in the order in which they were measured.
#[derive(Debug)]
pub(crate) struct Table<const WIDTH: usize = 6> {
    columns: [&'static str; WIDTH],
    rows: Vec<[String; WIDTH]>,
}

impl Default for Table {
    fn default() -> Self {
        Self::of(COLUMNS)
    }
}

impl<const WIDTH: usize> Table<WIDTH> {
    /// An empty one.
    pub(crate) fn of(columns: [&'static str; WIDTH]) -> Self {
        let rows = Vec::new();
        Self { columns, rows }
    }

    /// Whether nothing was measured.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, row: [String; WIDTH]) {
        self.rows.push(row);
    }

    /// Prints the table as Markdown, which reads well in a terminal too.
    pub(crate) fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let mut table = comfy_table::Table::new();
        table
            .load_preset(ASCII_MARKDOWN)
            .set_header(self.columns)
            .add_rows(&self.rows);
        writeln!(out, "{table}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_markdown_whose_columns_line_up() {
        let mut table = Table::default();
        table.row(["GET", "remora-proxy", "9", "25 µs", "-", ""].map(String::from));
        let mut printed = Vec::new();
        table.print(&mut printed).unwrap();
        let expected = "\
| what | who          | rate | CPU each | sleeps each | remarks |
|------|--------------|------|----------|-------------|---------|
| GET  | remora-proxy | 9    | 25 µs    | -           |         |
";
        assert_eq!(String::from_utf8(printed).unwrap(), expected);
    }
}

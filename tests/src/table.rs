//! The tables that the bench and the comparison print.

use std::fmt;

use comfy_table::presets::ASCII_MARKDOWN;

/// Rows in the order in which they were measured; shown as Markdown, which reads well in a terminal too.
#[derive(Debug)]
pub struct Table<const WIDTH: usize = 6> {
    columns: [&'static str; WIDTH],
    rows: Vec<[String; WIDTH]>,
}

impl<const WIDTH: usize> Table<WIDTH> {
    /// An empty one.
    pub fn of(columns: [&'static str; WIDTH]) -> Self {
        let rows = Vec::new();
        Self { columns, rows }
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row.
    pub fn row(&mut self, row: [String; WIDTH]) {
        self.rows.push(row);
    }
}

impl<const WIDTH: usize> fmt::Display for Table<WIDTH> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = comfy_table::Table::new();
        table
            .load_preset(ASCII_MARKDOWN)
            .set_header(self.columns)
            .add_rows(&self.rows);
        write!(out, "{table}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_markdown_whose_columns_line_up() {
        let mut table = Table::of(["what", "who", "rate", "CPU each", "remarks"]);
        table.row(["GET", "remora-proxy", "9", "25 µs", ""].map(String::from));
        let expected = "\
| what | who          | rate | CPU each | remarks |
|------|--------------|------|----------|---------|
| GET  | remora-proxy | 9    | 25 µs    |         |";
        assert_eq!(table.to_string(), expected);
    }
}

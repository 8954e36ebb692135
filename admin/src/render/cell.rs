//! One value, as people read it, as programs do, and as a spreadsheet takes it.
//!
//! Invariants: what people read is letters and nothing that moves a terminal; what a sheet takes is never a formula; what programs
//! read is the value as it is.

use serde_json::Value;

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
    /// What is a document of its own, whole.
    Document(Value),
    /// Not known, where a dash would be taken for none.
    Unknown,
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

    /// For a terminal.
    pub(super) fn shown(&self) -> String {
        match self {
            Cell::Text(text) => printable(text),
            Cell::Count(count) => count.to_string(),
            Cell::Bytes(bytes) => shown_bytes(*bytes),
            Cell::Seconds(seconds) => shown_seconds(*seconds),
            Cell::Labels(labels) => printable(&joined(labels)),
            Cell::Document(document) => escaped(&document.to_string()),
            Cell::Flag(true) => "yes".into(),
            Cell::Flag(false) => "no".into(),
            Cell::Unknown => "not known".into(),
            Cell::Nothing => "-".into(),
        }
    }

    /// For programs.
    pub(super) fn value(&self) -> Value {
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
            Cell::Document(document) => document.clone(),
            Cell::Unknown | Cell::Nothing => Value::Null,
        }
    }

    /// For a sheet. What a user chose, such as a name, must not become a formula there: a mark that sheets take for "this is
    /// text" stands before what would begin one.
    pub(super) fn in_sheet(&self) -> String {
        let text = match self {
            Cell::Text(text) => printable(text),
            Cell::Labels(labels) => printable(&joined(labels)),
            Cell::Document(document) => escaped(&document.to_string()),
            Cell::Count(number) | Cell::Bytes(number) | Cell::Seconds(number) => return number.to_string(),
            Cell::Flag(flag) => return flag.to_string(),
            Cell::Unknown | Cell::Nothing => return String::new(),
        };
        if text.starts_with(['=', '+', '-', '@']) {
            return format!("'{text}");
        }
        text
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Cell::Count(_) | Cell::Bytes(_) | Cell::Seconds(_))
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown())
    }
}

fn joined(labels: &[(String, String)]) -> String {
    let labels = labels.iter().map(|(name, value)| format!("{name}={value}"));
    labels.collect::<Vec<_>>().join(" ")
}

/// A text that moves no terminal: what would end a line, begin an escape sequence or turn the direction of what follows is
/// shown as a mark.
pub(crate) fn printable(text: &str) -> String {
    text.replace(moves, "\u{fffd}")
}

/// JSON in which its own escapes stand for what would move a terminal: nothing of it is lost. Its writer escapes the ends of lines
/// in texts, so that one that stands in it is its layout.
pub(super) fn escaped(document: &str) -> String {
    let mut text = String::new();
    for letter in document.chars() {
        if moves(letter) && letter != '\n' {
            // All of them have four digits at most.
            text.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            text.push(letter);
        }
    }
    text
}

/// Whether a letter moves a terminal, or turns the direction of what follows.
pub(super) fn moves(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
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

pub(crate) fn shown_seconds(seconds: u64) -> String {
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

    #[test]
    fn spans_and_sizes_read_well_at_every_scale() {
        let spans: Vec<String> = [59, 60, 3_599, 3_600, 86_400].map(shown_seconds).to_vec();
        assert_eq!(spans, ["59s", "1m00s", "59m59s", "1h00m", "1d00h"]);
        let sizes: Vec<String> = [1_023, 1_024, 1_536, 1 << 20, 3 << 30].map(shown_bytes).to_vec();
        assert_eq!(sizes, ["1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "3.0 GiB"]);
    }

    #[test]
    fn no_name_moves_a_terminal() {
        let name = "ada\u{1b}[2J\r\n\u{9b}31m\u{202e}moc\u{2028}";
        let shown = "ada\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}31m\u{fffd}moc\u{fffd}";
        assert_eq!(Cell::text(name).shown(), shown);
        let labels = Cell::Labels(vec![("tenant".into(), name.into())]);
        assert_eq!(labels.shown(), format!("tenant={shown}"));
        assert_eq!(Cell::text("王 👩‍🚀 Zoe\u{308}").shown(), "王 👩‍🚀 Zoe\u{308}");
    }

    #[test]
    fn no_document_moves_a_terminal_and_nothing_of_it_is_lost() {
        let name = "a\u{1b}[2J\u{9b}31m\u{202e}b";
        let document = Cell::Document(serde_json::json!({ name: [name] }));
        let shown = document.shown();
        assert!(
            !shown.contains(char::is_control) && !shown.contains('\u{202e}'),
            "{shown}"
        );
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), document.value());
    }

    #[test]
    fn no_name_becomes_a_formula() {
        for name in ["=1+1", "+1", "-1", "@SUM(A1)"] {
            assert_eq!(Cell::text(name).in_sheet(), format!("'{name}"));
        }
        assert_eq!(Cell::text("\t=1").in_sheet(), "\u{fffd}=1");
        assert_eq!(Cell::text("ada=1").in_sheet(), "ada=1");
        assert_eq!(Cell::Count(1).in_sheet(), "1");
    }
}

//! What a server publishes on `/metrics`: one row for each figure.
//!
//! A row says what a figure is called, what kind it is, which labels its series have and what it means. From the rows come the
//! HELP and TYPE lines of the page and its order (`arranged`), and the server's part of docs/metrics.md ([`is_told`]). So a
//! figure is described in one place, and one without a row stands out: at the end of the page, without a word on it
//! ([`compare`] names it to a test).
//!
//! Rules for names: units are base units (`_seconds`, `_bytes`), what only rises ends in `_total`, what says a thing in its
//! label is 1 and ends in `_info` · labels have values of this program or of its configuration: never a path, a user, an
//! address of a client or a session.
//!
//! Left out on purpose: how figures are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

/// Figures that are read together.
#[derive(Debug)]
pub struct Section {
    /// The heading, for people.
    pub title: &'static str,
    /// In the order in which they are shown.
    pub figures: &'static [Figure],
}

/// One figure: a family of series that differ in their labels' values.
#[derive(Debug)]
pub struct Figure {
    /// As it stands on the page; a histogram without the endings of its series.
    pub name: &'static str,
    /// What may be done with it.
    pub kind: FigureKind,
    /// Names of the labels that every series has.
    pub labels: &'static [&'static str],
    /// What it means, in a sentence.
    pub about: &'static str,
}

/// What may be done with a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureKind {
    /// It only rises while the process lives: look at its rate.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many were at most so large, for some sizes; how many there were; all sizes together.
    Histogram,
}

impl FigureKind {
    /// The word of the format.
    fn as_str(self) -> &'static str {
        match self {
            FigureKind::Counter => "counter",
            FigureKind::Gauge => "gauge",
            FigureKind::Histogram => "histogram",
        }
    }
}

/// Endings of the series of a histogram.
const HISTOGRAM_ENDINGS: [&str; 3] = ["_bucket", "_sum", "_count"];

impl Figure {
    /// What it means, without the space that a comment begins with.
    fn about(&self) -> &'static str {
        self.about.trim()
    }

    /// What is counted or measured, as its name says; empty for numbers of things.
    fn unit(&self) -> &'static str {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        match name.rsplit('_').next() {
            Some("seconds") => "seconds",
            Some("bytes") => "bytes",
            _ => "",
        }
    }

    fn line(&self) -> String {
        let of = match self.unit() {
            "" => String::new(),
            unit => format!(" of {unit}"),
        };
        let by = match self.labels {
            [] => String::new(),
            labels => format!(" by `{}`", labels.join("`, `")),
        };
        format!(
            "- `{}` ({}{of}{by}): {}\n",
            self.name,
            self.kind.as_str(),
            self.about()
        )
    }
}

/// Makes rows of a server's figures, in sections, and for each a constant with its name. The comment is what it means.
///
/// ```
/// remora_process::figures! {
///     "Doors" {
///         /// Doors that were opened, by who did.
///         OPENED = Counter "example_doors_opened_total" (by);
///     }
/// }
/// assert_eq!((OPENED, FIGURES[0].figures[0].labels), ("example_doors_opened_total", &["by"][..]));
/// ```
#[macro_export]
macro_rules! figures {
    ( $( $title:literal {
        $( $(#[doc = $about:literal])+ $constant:ident = $kind:ident $name:literal ($($label:ident),*); )+
    } )+ ) => {
        $($(
            $(#[doc = $about])+
            pub(crate) const $constant: &str = $name;
        )+)+

        /// Every figure that is published here, in the order of the page.
        pub static FIGURES: &[$crate::catalogue::Section] = &[ $(
            $crate::catalogue::Section {
                title: $title,
                figures: &[ $(
                    $crate::catalogue::Figure {
                        name: $name,
                        kind: $crate::catalogue::FigureKind::$kind,
                        labels: &[$(stringify!($label)),*],
                        about: concat!($($about),+),
                    },
                )+ ],
            },
        )+ ];
    };
}

/// The figures of all sections, in their order, and then those that all servers share.
fn all(sections: &'static [Section]) -> impl Iterator<Item = &'static Figure> {
    let sections = sections.iter().chain(crate::figures::SHARED);
    sections.flat_map(|section| section.figures)
}

/// The rows by the names of their series.
struct Families(BTreeMap<&'static str, (usize, &'static Figure)>);

impl Families {
    fn of(sections: &'static [Section]) -> Self {
        Self(
            all(sections)
                .enumerate()
                .map(|(at, row)| (row.name, (at, row)))
                .collect(),
        )
    }

    /// The row of a series, and its place among all.
    fn find(&self, series: &str) -> Option<(usize, &'static Figure)> {
        let name = series.split(['{', ' ']).next().unwrap_or_default();
        let whole = HISTOGRAM_ENDINGS
            .iter()
            .find_map(|ending| self.0.get(name.strip_suffix(ending)?))
            .filter(|(_, figure)| figure.kind == FigureKind::Histogram);
        whole
            .or_else(|| {
                let found = self.0.get(name);
                found.filter(|(_, figure)| figure.kind != FigureKind::Histogram)
            })
            .copied()
    }
}

/// The lines of a page that are not comments.
fn series_of(page: &str) -> impl Iterator<Item = &str> {
    page.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// How the label begins that a bucket alone has.
const LIMIT: &str = "le=\"";

/// What tells the series of a family apart: their labels, without the limit of a bucket.
fn labels_of(series: &str) -> &str {
    let labels = series.split_once('{').map_or("", |(_, labels)| labels);
    let end = labels.rfind('}').unwrap_or_default();
    let labels = &labels[..end];
    // It stands last; another label's name may end like its own.
    match labels.rsplit_once(',') {
        Some((before, last)) if last.starts_with(LIMIT) => before,
        None if labels.starts_with(LIMIT) => "",
        _ => labels,
    }
}

/// A page as the rows of a server and those of all servers describe it: each family with its HELP and TYPE line, in the order of the rows, its series in that of their
/// labels. Comments of `text` are dropped; series that no row is for come last.
pub(crate) fn arranged(text: &str, sections: &'static [Section]) -> String {
    let families = Families::of(sections);
    let mut found: BTreeMap<usize, (&Figure, Vec<&str>)> = BTreeMap::new();
    let mut strangers = Vec::new();
    for line in series_of(text) {
        match families.find(line) {
            Some((at, figure)) => found.entry(at).or_insert((figure, Vec::new())).1.push(line),
            None => strangers.push(line),
        }
    }
    let mut arranged = String::with_capacity(2 * text.len());
    for (figure, mut lines) in found.into_values() {
        // Stable: buckets stay in their order, before the sum and the count.
        lines.sort_by_key(|line| labels_of(line));
        let (name, about, kind) = (figure.name, figure.about(), figure.kind.as_str());
        // Writing to a String cannot fail.
        let _ = writeln!(arranged, "# HELP {name} {about}\n# TYPE {name} {kind}");
        for line in lines {
            arranged.push_str(line);
            arranged.push('\n');
        }
        arranged.push('\n');
    }
    for line in strangers {
        arranged.push_str(line);
        arranged.push('\n');
    }
    arranged
}

/// What differs between a page and the rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Series that no row is for, or that have other labels than their row says.
    pub strangers: BTreeSet<String>,
    /// Rows of which the page shows nothing.
    pub absent: BTreeSet<&'static str>,
}

/// Compares a page with the rows of a server and with those that all servers share.
#[must_use]
pub fn compare(page: &str, sections: &'static [Section]) -> Differences {
    let mut differences = Differences {
        absent: all(sections).map(|row| row.name).collect(),
        ..Differences::default()
    };
    let families = Families::of(sections);
    for line in series_of(page) {
        match families.find(line) {
            Some((_, row)) if label_names(line) == row.labels.iter().copied().collect() => {
                differences.absent.remove(row.name);
            }
            _ => {
                let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
                differences.strangers.insert(series.to_owned());
            }
        }
    }
    differences
}

/// Names of a series' labels, but for the limit of a bucket. Values hold no quotes here.
fn label_names(series: &str) -> BTreeSet<&str> {
    let labels = series.split_once('{').map_or("", |(_, labels)| labels);
    let before_values = labels.split('"').step_by(2);
    let names = before_values.filter_map(|part| part.trim_start_matches(',').strip_suffix('='));
    names.filter(|name| *name != "le").collect()
}

/// Whether a document says of the rows, in its part of that name, what they say; a test asks. Where `UPDATE_GOLDENFILES` is set that
/// part is written anew before.
///
/// # Errors
/// The document cannot be read or written, or has no such part.
pub fn is_told(document: &Path, part: &str, sections: &[Section]) -> io::Result<bool> {
    holds(document, part, &page(sections))
}

/// Whether a document holds this text in its part of that name, as [`is_told`] asks of rows.
///
/// # Errors
/// The document cannot be read or written, or has no such part.
pub fn holds(document: &Path, part: &str, text: &str) -> io::Result<bool> {
    let written = fs::read_to_string(document)?;
    let told = with_part(&written, part, text).ok_or(io::ErrorKind::InvalidData)?;
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(document, &told)?;
    }
    Ok(fs::read_to_string(document)? == told)
}

/// A server's part of docs/metrics.md.
fn page(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        let _ = writeln!(text, "### {}\n", section.title);
        text.extend(section.figures.iter().map(Figure::line));
        text.push('\n');
    }
    text
}

/// `document` with another text between the marks of its part; none if it has no such part.
fn with_part(document: &str, part: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {part} -->\n"), format!("<!-- end of {part} -->\n"));
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{text}{end}{after}"))
}

#[cfg(test)]
mod tests;

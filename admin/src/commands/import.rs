//! `remora import`: the files of another proxy in, ours out, and what became of each line. Asks no store and no proxy.
//!
//! What is decided is `remora_import`'s; here files are read, those that they include are looked up (`included`), and what came of it
//! is put where it belongs.
//!
//! Invariant: no file that is there is written over.

mod included;

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use remora_import::{Class, Imported, Source, Sources};

use crate::args::{Format, Import, Output, Product};
use crate::failure::Failure;
use crate::render::{Cell, Report, printable};

/// Largest file that is read, in bytes: a configuration by hand is a hundredth of it, and a device or a log is more.
const FILE_MAX: u64 = 4 * 1024 * 1024;

/// Imports what the command line names.
pub(super) fn run(asked: &Import, output: Output) -> Result<Report, Failure> {
    let files = asked.files.iter().map(|file| source(file));
    let sources = Sources::new(files.collect::<Result<_, _>>()?, included::files);
    let imported = match asked.product {
        Product::Httpd => remora_import::httpd(&sources),
    };
    if let (Some(file), Some(config)) = (&asked.write, &imported.config) {
        write_new(file, config)?;
    }
    match output.format {
        Format::Table | Format::Wide => for_people(&imported, asked.write.as_deref()),
        Format::Json | Format::Yaml | Format::Csv => Ok(for_programs(&imported, asked.write.as_deref())),
    }
}

/// A file of text; bytes that are none are shown as such.
pub(super) fn source(file: &Path) -> Result<Source, Failure> {
    let cannot = |error: io::Error| Failure::Refused(format!("cannot read {}: {error}", file.display()));
    let mut bytes = Vec::new();
    let mut opened = fs::File::open(file).map_err(cannot)?.take(FILE_MAX + 1);
    opened.read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > FILE_MAX {
        let sentence = format!(
            "{} is larger than {FILE_MAX} bytes: that is no configuration",
            file.display()
        );
        return Err(Failure::Refused(sentence));
    }
    Ok(Source::new(
        &file.display().to_string(),
        &String::from_utf8_lossy(&bytes),
    ))
}

fn write_new(file: &Path, text: &str) -> Result<(), Failure> {
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::Refused(format!(
            "{} is there already and stays: name another file",
            file.display()
        )),
        _ => Failure::Refused(format!("cannot write {}: {error}", file.display())),
    };
    let mut opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(file)
        .map_err(cannot)?;
    opened.write_all(text.as_bytes()).map_err(cannot)?;
    opened.sync_all().map_err(cannot)
}

/// What is told where no configuration came of the files.
const NOTHING: &str =
    "nothing of these files can be served: no path leads to a member. Name the files that have them as well";

fn for_people(imported: &Imported, written: Option<&Path>) -> Result<Report, Failure> {
    let told = imported.report.text();
    let told: String = told
        .lines()
        .map(|line| format!("{}\n", printable(line)))
        .collect();
    match (&imported.config, written) {
        (Some(_), Some(file)) => Ok(Report::words(format!("{told}\nwritten: {}\n", file.display()))),
        (config, _) => {
            // Whoever closed standard error does not want to know.
            let _ = io::stderr().write_all(told.as_bytes());
            let config = config.clone().ok_or_else(|| Failure::Refused(NOTHING.into()))?;
            Ok(Report::words(config))
        }
    }
}

fn for_programs(imported: &Imported, written: Option<&Path>) -> Report {
    let text = |text: Option<String>| text.map_or(Cell::Nothing, Cell::text);
    let config = vec![
        ("text", text(imported.config.clone())),
        (
            "file",
            text(
                written
                    .filter(|_| imported.config.is_some())
                    .map(|file| file.display().to_string()),
            ),
        ),
    ];
    let entries = Class::ALL.into_iter().flat_map(|class| imported.report.of(class));
    let rows = entries.map(|entry| {
        vec![
            Cell::text(entry.class.as_str()),
            Cell::text(&*entry.place.file),
            Cell::Count(entry.place.line as u64),
            Cell::text(entry.what.clone()),
            Cell::text(entry.why.clone()),
        ]
    });
    Report::default()
        .record("config", config)
        .table(
            "report",
            vec!["class", "file", "line", "what", "why"],
            rows.collect(),
        )
        .main()
        .troubles(imported.config.is_none().then(|| NOTHING.to_owned()))
}

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

use remora_import::{Class, Imported, Replayed, Source, Sources};

use crate::args::{Format, Import, Output, Product};
use crate::failure::Failure;
use crate::render::{Cell, Report, printable};

/// Largest file that is read, in bytes: a configuration by hand is a hundredth of it, and a device or a log is more.
const FILE_MAX: u64 = 4 * 1024 * 1024;

/// Largest log that is replayed, in bytes: a day of a large site, and it stands in memory as a whole.
const LOG_MAX: u64 = 512 * 1024 * 1024;

/// Imports what the command line names.
pub(super) fn run(asked: &Import, output: Output) -> Result<Report, Failure> {
    let files = asked.files.iter().map(|file| source(file));
    let sources = Sources::new(files.collect::<Result<_, _>>()?, included::files);
    let imported = match asked.product {
        Product::Httpd => remora_import::httpd(&sources),
        Product::Nginx => remora_import::nginx(&sources),
        Product::Haproxy => remora_import::haproxy(&sources),
    };
    let replayed = asked.replay.as_deref().map(text_of_log).transpose()?;
    let replayed = replayed.map(|log| imported.replay(&log));
    if let (Some(file), Some(config)) = (&asked.write, &imported.config) {
        write_new(file, config)?;
    }
    match output.format {
        Format::Table | Format::Wide => for_people(&imported, replayed.as_ref(), asked.write.as_deref()),
        Format::Json | Format::Yaml | Format::Csv => {
            Ok(for_programs(&imported, replayed.as_ref(), asked.write.as_deref()))
        }
    }
}

/// A file of text; bytes that are none are shown as such.
pub(super) fn source(file: &Path) -> Result<Source, Failure> {
    let text = text(file, FILE_MAX, "that is no configuration")?;
    Ok(Source::new(&file.display().to_string(), &text))
}

fn text_of_log(file: &Path) -> Result<String, Failure> {
    text(file, LOG_MAX, "replay a part of it, as `tail -n 1000000` gives")
}

/// The text of a file of so many bytes at most.
fn text(file: &Path, most: u64, else_do: &str) -> Result<String, Failure> {
    let cannot = |error: io::Error| Failure::Refused(format!("cannot read {}: {error}", file.display()));
    let mut bytes = Vec::new();
    let mut opened = fs::File::open(file).map_err(cannot)?.take(most + 1);
    opened.read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > most {
        let sentence = format!("{} is larger than {most} bytes: {else_do}", file.display());
        return Err(Failure::Refused(sentence));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
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

fn for_people(
    imported: &Imported,
    replayed: Option<&Replayed>,
    written: Option<&Path>,
) -> Result<Report, Failure> {
    let mut told = imported.report.text();
    if let Some(replayed) = replayed {
        told.push_str("\nrequests of the log\n");
        told.push_str(&replayed.text());
    }
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

fn for_programs(imported: &Imported, replayed: Option<&Replayed>, written: Option<&Path>) -> Report {
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
    let mut report = Report::default().record("config", config);
    if let Some(replayed) = replayed {
        let count = |count: usize| Cell::Count(count as u64);
        let counts = vec![
            ("same", count(replayed.same)),
            ("same_pool", count(replayed.partly)),
            ("elsewhere", count(replayed.elsewhere())),
            ("untold", count(replayed.untold())),
            ("unread", count(replayed.unread)),
            ("text", Cell::text(replayed.text())),
        ];
        report = report.record("replay", counts);
    }
    report
        .table(
            "report",
            vec!["class", "file", "line", "what", "why"],
            rows.collect(),
        )
        .main()
        .troubles(imported.config.is_none().then(|| NOTHING.to_owned()))
}

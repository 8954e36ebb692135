//! Claim: files of the kinds that are published for other proxies, written anew for this, become files that our proxy itself reads, and no
//! line of them is dropped. What comes of each stands beside it, the configuration and the report.
//! `UPDATE_GOLDENFILES=1 cargo test --workspace --test files` writes both anew.
//!
//! What they include lies in `included/`. A file of which nothing can be served has a report alone. Broken once to see it fail: without
//! `Report::account` a planted word was dropped from every file, and so were the unknown words that three of them have.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test reads files, and makes certificates that hold now"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use remora_import::{Class, Imported, Place, Source, Sources, haproxy, httpd, is_like, nginx};
use remora_process::tls::{Authority, Wanted, now};
use remora_proxy::Config;

/// Who reads files of a kind.
type Importer = fn(&Sources<'_>) -> Imported;

/// Each kind of files: its directory, how the names of its files end, and who reads them.
const KINDS: &[(&str, &[&str], Importer)] = &[
    ("httpd", &["conf", "properties"], httpd),
    ("nginx", &["conf"], nginx),
    ("haproxy", &["cfg"], haproxy),
];

fn directory(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/files")
        .join(kind)
}

/// Files of a directory whose names end so, by name.
fn files(directory: &Path, ends: &[&str]) -> Vec<PathBuf> {
    let all = fs::read_dir(directory).into_iter().flatten();
    let mut files: Vec<PathBuf> = all.map(|entry| entry.expect("it is listed").path()).collect();
    files.retain(|file| {
        file.extension()
            .is_some_and(|end| ends.iter().any(|known| end == *known))
    });
    files.sort();
    files
}

fn source(file: &Path) -> Source {
    Source::new(
        &file.file_name().expect("it is there").to_string_lossy(),
        &fs::read_to_string(file).expect("it is there"),
    )
}

/// What a pattern means: files of `included/` whose names are like its last part.
fn included(directory: &Path, pattern: &str) -> Result<Vec<Source>, String> {
    let last = pattern.rsplit('/').next().unwrap_or(pattern);
    let mut found = files(&directory.join("included"), &["conf", "properties"]);
    found.retain(|file| is_like(&file.file_name().expect("it is there").to_string_lossy(), last));
    if found.is_empty() {
        return Err(format!("there is no file {pattern}"));
    }
    Ok(found.iter().map(|file| source(file)).collect())
}

fn import(kind: &str, read: Importer, file: &Path) -> Imported {
    let own = directory(kind);
    let sources = Sources::new(vec![source(file)], |_: &str, pattern: &str| {
        included(&own, pattern)
    });
    read(&sources)
}

/// A certificate with its key in one file, which stands for all that a file names.
fn certificate() -> &'static (tempfile::TempDir, String) {
    static MADE: OnceLock<(tempfile::TempDir, String)> = OnceLock::new();
    MADE.get_or_init(|| {
        let (lifetime, now) = (
            Duration::from_secs(3_600),
            UNIX_EPOCH + Duration::from_secs(now()),
        );
        let (authority, _) = Authority::create("Test authority", now, lifetime).expect("it is there");
        let wanted = Wanted {
            name: "site".into(),
            roles: Vec::new(),
            hosts: vec!["site.test".into()],
            lifetime,
        };
        let issued = authority.issue(&wanted, now).expect("it is there");
        let home = tempfile::tempdir().expect("it is there");
        let file = home.path().join("both.pem");
        fs::write(
            &file,
            format!("{}{}{}", issued.cert, authority.certificate(), issued.key),
        )
        .expect("it is there");
        let file = file.display().to_string();
        (home, file)
    })
}

/// What the proxy says of a text, whose certificates are there.
fn read_by_the_proxy(text: &str) -> Result<String, String> {
    let (home, pem) = certificate();
    let mut there = String::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        for key in ["cert = \"", "key = \"", "authority = \""] {
            let mut from = 0;
            while let Some(at) = line[from..].find(key).filter(|_| !line.starts_with('#')) {
                let begin = from + at + key.len();
                let end = begin + line[begin..].find('"').expect("it is there");
                line.replace_range(begin..end, pem);
                from = begin;
            }
        }
        there += &line;
        there.push('\n');
    }
    let file = tempfile::NamedTempFile::new_in(home).expect("it is there");
    fs::write(&file, there).expect("it is there");
    let config = Config::load(file.path()).map_err(|faults| faults.to_string())?;
    let summary = config.summary();
    Ok(summary
        .lines()
        .filter(|line| !line.starts_with("file "))
        .collect::<Vec<_>>()
        .join("\n"))
}

/// What differs from what is written down, if anything; written anew where that is asked for.
fn compared(file: &Path, text: &str) -> Option<String> {
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        if text.is_empty() {
            let _ = fs::remove_file(file);
        } else {
            fs::write(file, text).expect("it is there");
        }
    }
    let written = fs::read_to_string(file).unwrap_or_default();
    let (one, other) = (written.lines(), text.lines());
    let first = one.zip(other).position(|(one, other)| one != other);
    (written != text).then(|| {
        format!(
            "{} differs, first at line {}",
            file.display(),
            first.map_or(0, |at| at + 1)
        )
    })
}

#[test]
fn what_comes_of_each_file_is_as_written_down_and_the_proxy_reads_it() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (kind, ends, read) in KINDS {
        for file in files(&directory(kind), ends) {
            count += 1;
            let Imported { config, report, .. } = import(kind, *read, &file);
            wrong.extend(compared(&file.with_extension("report"), &report.text()));
            wrong.extend(compared(
                &file.with_extension("toml"),
                config.as_deref().unwrap_or_default(),
            ));
            if let Some(Err(faults)) = config.as_deref().map(read_by_the_proxy) {
                wrong.push(format!("{}: the proxy refuses it\n{faults}", file.display()));
            }
        }
    }
    assert!(count >= 40, "only {count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Of which class a line is, and with which sentences.
type ToldLines = BTreeMap<(Place, String), (Class, Vec<String>)>;

/// Each line of each file stands in one class; what is the same of one that is not says so.
#[test]
fn each_line_is_told_of_in_one_class() {
    let mut count = 0;
    for (kind, ends, read) in KINDS {
        for file in files(&directory(kind), ends) {
            let report = import(kind, *read, &file).report;
            let mut told = ToldLines::new();
            for class in Class::ALL {
                for entry in report.of(class) {
                    let line = (entry.place.clone(), entry.what.clone());
                    let (of, sentences) = told.entry(line).or_insert((class, Vec::new()));
                    assert_eq!(
                        (*of, entry.class),
                        (class, class),
                        "{}: {entry:?}",
                        file.display()
                    );
                    assert!(
                        !sentences.contains(&entry.why),
                        "{}: twice: {entry:?}",
                        file.display()
                    );
                    sentences.push(entry.why);
                    count += 1;
                }
            }
            let text = report.text();
            for line in text.lines().filter(|line| !line.starts_with(' ')) {
                let (class, lines) = line.split_once(": ").unwrap();
                let of = told.values().filter(|(of, _)| of.as_str() == class);
                assert_eq!(lines, of.count().to_string(), "{}: {class}", file.display());
            }
        }
    }
    assert!(count >= 1_500, "only {count}");
}

#[test]
fn a_word_that_nobody_knows_is_told_of_in_whatever_file_it_stands() {
    for (kind, ends, read) in KINDS {
        for file in files(&directory(kind), ends)
            .into_iter()
            .filter(|file| file.extension().is_some_and(|end| end != "properties"))
        {
            let text = fs::read_to_string(&file).unwrap();
            let own = directory(kind);
            let planted = text.lines().count() + 1;
            let source = Source::new(
                "planted",
                &format!("{}\nPlantedWord here\n", text.trim_end_matches('\n')),
            );
            let sources = Sources::new(vec![source], |_: &str, pattern: &str| included(&own, pattern));
            let report = read(&sources).report;
            let told = report
                .of(Class::Unsupported)
                .into_iter()
                .any(|entry| entry.place.line == planted && entry.what.starts_with("PlantedWord"));
            assert!(told, "{}: line {planted} is dropped", file.display());
        }
    }
}

#[test]
fn the_examples_of_httpd_mean_what_is_written_beside_them() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/httpd");
    for name in ["route-cookie", "session-cookie"] {
        let file = examples.join(name).with_extension("conf");
        let Imported { config, report, .. } = import("httpd", httpd, &file);
        let ours = fs::read_to_string(file.with_extension("toml")).unwrap();
        let imported = read_by_the_proxy(&config.unwrap()).unwrap();
        assert_eq!(imported, read_by_the_proxy(&ours).unwrap(), "{name}");
        assert!(report.of(Class::Unsupported).is_empty(), "{}", report.text());
    }
}

#[test]
fn no_file_is_told_to_look_as_httpd_does() {
    for (kind, ends, read) in KINDS {
        for file in files(&directory(kind), ends) {
            let config = import(kind, *read, &file).config.unwrap_or_default();
            let keys = config.lines().filter(|line| !line.starts_with('#'));
            assert!(
                !keys.clone().any(|line| line.contains("lookup")),
                "{}",
                file.display()
            );
        }
    }
}

/// A log beside a file is replayed: what would go elsewhere stands in `.replay`, without any session's id.
#[test]
fn each_log_tells_what_would_go_elsewhere() {
    let (mut logs, mut wrong) = (0, Vec::new());
    for (kind, ends, read) in KINDS {
        for file in files(&directory(kind), ends) {
            let Ok(log) = fs::read_to_string(file.with_extension("log")) else {
                continue;
            };
            let text = import(kind, *read, &file).replay(&log).text();
            assert!(!text.contains("0A1B2C3D4E5F"), "{}: {text}", file.display());
            wrong.extend(compared(&file.with_extension("replay"), &text));
            logs += 1;
        }
    }
    assert!(logs >= 9, "only {logs}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Words in the middle of lines, of blocks and of sections, in `unknown-words`: each is not understood, by its line.
#[test]
fn a_planted_word_is_not_understood_wherever_it_stands() {
    const PLANTED: &[&str] = &[
        "flubber",
        "wobble",
        "glimmer",
        "zigzag",
        "quux",
        "frobnicate",
        "corge",
        "grault",
        "garply",
        "waldo",
    ];
    for (kind, ends, read) in KINDS.iter().filter(|(kind, _, _)| *kind != "httpd") {
        let file = directory(kind).join("unknown-words").with_extension(ends[0]);
        let report = import(kind, *read, &file).report;
        let told = |class| {
            report
                .of(class)
                .into_iter()
                .map(|entry| (entry.place.line, entry.why))
        };
        let told: Vec<(usize, String)> = [Class::Differs, Class::Unsupported]
            .into_iter()
            .flat_map(told)
            .collect();
        let text = fs::read_to_string(&file).unwrap();
        let mut planted = 0;
        for (index, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.starts_with("# "))
        {
            for word in PLANTED.iter().filter(|word| line.contains(**word)) {
                let said = told
                    .iter()
                    .any(|(number, why)| *number == index + 1 && why.contains("not understood"));
                assert!(said, "{kind}: {word} on line {}: {told:#?}", index + 1);
                planted += 1;
            }
        }
        assert!(planted >= 8, "{kind}: only {planted}");
    }
}

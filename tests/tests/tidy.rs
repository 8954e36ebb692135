//! The house rules that a machine can check. Each test names the file and line that breaks its rule.
//!
//! What other tools check is not repeated here: function length, `allow` without a reason, unwrap, printing and sleeping
//! threads are clippy's (see `clippy.toml` and the workspace lints); formatting is rustfmt's and the Maven formatter's;
//! the jar's contents are checked by the adapter's own build.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest file, in lines of code: comments, blank lines and test modules do not count. One sitting's reading.
const FILE_CODE_LINES_MAX: usize = 400;

/// Longest Java method, in lines; one screen. Rust functions are clippy's.
const JAVA_METHOD_LINES_MAX: usize = 70;

/// Directories whose code is a function from values to values.
const PURE: [&str; 4] = [
    "store/table/src",
    "proxy/src/route",
    "proxy/src/upstream",
    "proxy/src/failover",
];

/// What pure code must not name, and why.
const IMPURE_WORDS: [(&str, &str); 12] = [
    ("tokio", "an async runtime"),
    ("async fn", "an async runtime"),
    ("futures::", "an async runtime"),
    ("SystemTime", "a clock"),
    ("Instant::now", "a clock"),
    ("std::fs", "IO"),
    ("std::net::Tcp", "IO"),
    ("std::io::", "IO"),
    ("tracing::", "log lines"),
    ("rand::", "randomness"),
    ("remora_proto", "wire types"),
    ("std::env", "the environment"),
];

/// One directory per foreign vocabulary: the word, and where alone it may stand.
const VOCABULARIES: [(&str, &[&str]); 6] = [
    ("openraft", &["store/src/raft", "store/Cargo.toml"]),
    ("raft_log::", &["store/src/log"]),
    (
        "tonic::",
        &[
            "proto",
            "store/src/rpc",
            "store/tests",
            "proxy/tests",
            "proxy/src/control.rs",
            "admin/src/client.rs",
            "admin/tests",
            "tests",
            "process/src",
        ],
    ),
    ("hyper::", &["proxy/src/http"]),
    ("http_body_util::", &["proxy/src/http"]),
    (
        "io.grpc",
        &[
            "tomcat-adapter/src/main/java/remora/tomcat/store",
            "tomcat-adapter/pom.xml",
            "tomcat-adapter/src/test",
        ],
    ),
];

/// Where tasks and threads may be started: composition roots, accept loops, and owners of one thread of their own.
const SPAWNERS: [&str; 14] = [
    "store/src/node.rs",
    "store/src/raft",
    "store/src/rpc",
    "store/src/main.rs",
    "proxy/src/main.rs",
    "proxy/src/server.rs",
    "proxy/src/http",
    "proxy/src/directory.rs",
    "proxy/src/prober.rs",
    "proxy/src/access_log.rs",
    "proxy/src/control.rs",
    "process/src",
    "proxy/tests",
    "tests",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests crate lies in the workspace")
        .to_path_buf()
}

struct Source {
    path: String,
    text: String,
}

impl Source {
    fn is_test_code(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.contains("/src/test/")
            || self.path.ends_with("/tests.rs")
    }

    /// Lines with their numbers, up to the file's test module.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
            .map(|(number, line)| (number + 1, line))
            .filter(|(_, line)| !is_comment(line))
    }
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("//") || line.starts_with('*') || line.starts_with("/*")
}

fn sources(extensions: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root(), &root(), extensions, &mut found);
    assert!(
        !found.is_empty(),
        "no sources with {extensions:?} below {}",
        root().display()
    );
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(base: &Path, directory: &Path, extensions: &[&str], found: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).expect("the checkout can be listed") {
        let path = entry.expect("the checkout can be listed").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
            .to_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with(".git") && name != ".demo" {
                collect(base, &path, extensions, found);
            }
        } else if extensions.iter().any(|extension| name.ends_with(extension)) {
            let text = fs::read_to_string(&path).expect("sources are readable text");
            let path = path
                .strip_prefix(base)
                .expect("found below the base")
                .to_string_lossy()
                .into_owned();
            found.push(Source { path, text });
        }
    }
}

fn report(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}

#[test]
fn pure_directories_import_nothing_impure() {
    let mut faults = Vec::new();
    for source in sources(&[".rs"]) {
        let pure = PURE.iter().any(|directory| source.path.starts_with(directory));
        if !pure || source.is_test_code() {
            continue;
        }
        for (number, line) in source.code() {
            for (word, what) in IMPURE_WORDS {
                if line.contains(word) {
                    faults.push(format!("{}:{number}: `{word}` is {what}", source.path));
                }
            }
        }
    }
    report(
        "pure means pure: take values, give values, let the caller do the rest",
        &faults,
    );
}

#[test]
fn each_foreign_vocabulary_has_one_place() {
    let mut faults = Vec::new();
    for source in sources(&[".rs", ".java"]) {
        if source.path == "tests/tests/tidy.rs" {
            continue;
        }
        for (number, line) in source.code() {
            for (word, places) in VOCABULARIES {
                if line.contains(word) && !places.iter().any(|place| source.path.starts_with(place)) {
                    faults.push(format!(
                        "{}:{number}: `{word}` belongs in {}",
                        source.path, places[0]
                    ));
                }
            }
        }
    }
    report(
        "a foreign vocabulary is named in one place and translated there",
        &faults,
    );
}

#[test]
fn files_fit_one_sitting() {
    let mut faults = Vec::new();
    for source in sources(&[".rs", ".java"]) {
        let lines = source.code().filter(|(_, line)| !line.trim().is_empty()).count();
        if lines > FILE_CODE_LINES_MAX {
            faults.push(format!("{}: {lines} lines of code", source.path));
        }
    }
    report(
        &format!("no file over {FILE_CODE_LINES_MAX} lines of code"),
        &faults,
    );
}

#[test]
fn java_methods_fit_one_screen() {
    let mut faults = Vec::new();
    for source in sources(&[".java"]) {
        let mut start = None;
        for (number, line) in source.text.lines().enumerate() {
            let member = line.starts_with("  ") && !line.starts_with("   ") && !is_comment(line);
            if member && line.ends_with('{') && line.contains('(') {
                start = Some(number);
            } else if line == "  }"
                && let Some(first) = start.take()
                && number - first >= JAVA_METHOD_LINES_MAX
            {
                faults.push(format!(
                    "{}:{}: {} lines",
                    source.path,
                    first + 1,
                    number - first + 1
                ));
            }
        }
    }
    report(
        &format!("no Java method of {JAVA_METHOD_LINES_MAX} lines or more"),
        &faults,
    );
}

#[test]
fn rust_files_open_with_a_preface() {
    let faults: Vec<String> = sources(&[".rs"])
        .iter()
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| format!("{}:1: no `//!` preface", source.path))
        .collect();
    report(
        "files read from the top: purpose, invariants, what is left out",
        &faults,
    );
}

#[test]
fn every_bound_says_why() {
    const BOUND_WORDS: [&str; 6] = ["_MAX", "_LIMIT", "_CAPACITY", "_TIMEOUT", "_WAIT", "_INTERVAL"];
    let mut faults = Vec::new();
    for source in sources(&[".rs"]) {
        let lines: Vec<&str> = source.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let Some(rest) = line
                .trim_start()
                .strip_prefix("pub ")
                .unwrap_or(line.trim_start())
                .strip_prefix("const ")
            else {
                continue;
            };
            let name = rest.split(':').next().unwrap_or_default();
            let commented = index > 0 && is_comment(lines[index - 1]);
            if BOUND_WORDS.iter().any(|word| name.ends_with(word)) && !commented {
                faults.push(format!(
                    "{}:{}: {name} has no comment with its unit and reason",
                    source.path,
                    index + 1
                ));
            }
        }
    }
    report("every bound has a name, a unit and a reason", &faults);
}

#[test]
fn tasks_are_started_by_their_owners_only() {
    const STARTS: [&str; 4] = [
        "tokio::spawn(",
        "spawn_local(",
        "thread::spawn(",
        "thread::Builder",
    ];
    let mut faults = Vec::new();
    for source in sources(&[".rs"]) {
        if source.is_test_code() || SPAWNERS.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        for (number, line) in source.code() {
            if STARTS.iter().any(|start| line.contains(start)) {
                faults.push(format!(
                    "{}:{number}: starts a task outside the composition roots",
                    source.path
                ));
            }
        }
    }
    report("only composition roots and accept loops start tasks", &faults);
}

#[test]
fn tests_wait_for_conditions() {
    const SLEEPS: [&str; 3] = ["thread::sleep(", "time::sleep(", "Thread.sleep("];
    // The steps between two looks at a condition, one place each for the harness and the store's own tests; and a server
    // that is slow on purpose.
    let waits = [
        "tests/src/wait.rs",
        "store/tests/service/common.rs",
        "admin/tests/exit_codes.rs",
    ];
    let mut faults = Vec::new();
    for source in sources(&[".rs", ".java"]) {
        if !source.is_test_code()
            || waits.contains(&source.path.as_str())
            || source.path == "tests/tests/tidy.rs"
        {
            continue;
        }
        for (number, line) in source.text.lines().enumerate() {
            if !is_comment(line) && SLEEPS.iter().any(|sleep| line.contains(sleep)) {
                faults.push(format!("{}:{}: a sleep is a guess", source.path, number + 1));
            }
        }
    }
    report("tests wait for conditions with a deadline", &faults);
}

#[test]
fn nothing_is_left_for_later() {
    // Spelled in parts so that this file does not accuse itself.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("un", "implemented!"),
        concat!("@Dis", "abled"),
    ];
    let mut faults = Vec::new();
    for source in sources(&[
        ".rs", ".java", ".proto", ".toml", ".xml", ".sh", ".jsp", ".css", ".md", "Makefile",
    ]) {
        for (number, line) in source.text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(*mark)) {
                faults.push(format!("{}:{}: {mark}", source.path, number + 1));
            }
        }
    }
    report("what is not done is an issue, not a comment", &faults);
}

#[test]
fn nothing_names_this_machine_or_a_registry() {
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("crates", ".io"),
        concat!("repo.maven.", "apache.org"),
        concat!("deb.deb", "ian.org"),
        concat!("BEGIN PRIV", "ATE KEY"),
    ];
    let mut faults = Vec::new();
    for source in sources(&[
        ".rs", ".java", ".proto", ".toml", ".xml", ".sh", ".jsp", ".md", "Makefile",
    ]) {
        for (number, line) in source.text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(*word)) {
                faults.push(format!("{}:{}: {word}", source.path, number + 1));
            }
        }
    }
    report("no absolute paths, registries or secrets", &faults);
}

#[test]
fn text_is_clean() {
    let mut faults = Vec::new();
    for source in sources(&[".rs", ".java", ".proto", ".toml", ".sh", ".jsp", ".css", ".md"]) {
        for (number, line) in source.text.lines().enumerate() {
            if line.contains('\t') || line.ends_with(' ') {
                faults.push(format!("{}:{}: a tab or trailing space", source.path, number + 1));
            }
        }
        if !source.text.ends_with('\n') {
            faults.push(format!("{}: no newline at the end", source.path));
        }
    }
    report("no tabs, no trailing spaces, a newline at the end", &faults);
}

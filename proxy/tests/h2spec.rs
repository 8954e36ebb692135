//! Claim: what h2spec asks of a server of HTTP/2, strictly, the proxy does, but for what is argued here.
//!
//! h2spec is a program in Go, pinned with its modules in `tests/h2spec`. Where there is no Go this says so, past what the test
//! harness captures, and nothing is shown.

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::http2::Site;
use support::process::Config;
use support::upstream::{Act, Upstream};

/// What the proxy does otherwise: section and test, and why.
const ARGUED: &[(&str, &str)] = &[];

/// Tests that there are at least: what runs fewer has run nothing.
const TESTS_MIN: usize = 140;

/// Where Go is, beside where the shell looks.
const USUAL: &str = "/usr/local/go/bin/go";

/// Go, if it is here.
fn go() -> Option<&'static str> {
    let runs = |program: &&str| Command::new(program).arg("version").output().is_ok();
    ["go", USUAL].into_iter().find(runs)
}

/// Builds h2spec; the modules come from Go's cache, or its proxy where they are not there yet.
fn build(go: &str, into: &Path) -> PathBuf {
    let program = into.join("h2spec");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/h2spec");
    let mut command = Command::new(go);
    command
        .args(["build", "-mod=readonly", "-o"])
        .arg(&program)
        .arg(".");
    succeeded(&command.current_dir(source).output().expect("Go was here"));
    program
}

fn succeeded(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// All tests of a report as (section, name), and those that failed.
fn read(report: &str) -> (usize, BTreeSet<(String, String)>) {
    let mut all = 0;
    let mut failed = BTreeSet::new();
    for case in report.split("<testcase ").skip(1) {
        all += 1;
        let (attributes, rest) = case.split_once('>').expect("a tag ends");
        let body = rest.split("</testcase>").next().unwrap_or_default();
        if body.contains("<failure>") || body.contains("<error>") {
            failed.insert((value(attributes, "package"), value(attributes, "classname")));
        }
    }
    (all, failed)
}

fn value(attributes: &str, name: &str) -> String {
    let (_, rest) = attributes
        .split_once(&format!("{name}=\""))
        .expect("an attribute");
    rest.split('"').next().unwrap_or_default().to_owned()
}

#[test]
fn the_proxy_keeps_to_the_letter_of_http_2() {
    let Some(go) = go() else {
        let told = writeln!(std::io::stderr(), "NOT RUN: h2spec, because there is no Go here");
        return told.expect("somebody listens");
    };
    let directory = tempfile::tempdir().unwrap();
    let program = build(go, directory.path());
    // h2spec fills windows of its own with answers, and sends content with all kinds of heads.
    let upstream = Upstream::start(|_| Act::text(&"x".repeat(64)));
    let site = Site::start(&Config::new(&[&upstream]));
    let report = directory.path().join("report.xml");
    let mut command = Command::new(program);
    command.arg(site.proxy.address.port().to_string()).arg(&report);
    succeeded(&command.output().expect("it was built"));
    let (all, failed) = read(&std::fs::read_to_string(&report).unwrap());
    assert!(all >= TESTS_MIN, "{all} tests");
    let argued: BTreeSet<_> = ARGUED
        .iter()
        .map(|(section, name)| ((*section).to_owned(), (*name).to_owned()))
        .collect();
    assert_eq!(failed, argued, "of {all} tests");
}

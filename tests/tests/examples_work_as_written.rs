//! Beside the promises: what an operator copies from `examples/` or the README works, and the defaults that it names are
//! those that hold.
//!
//! Shown: the proxy accepts its example with `--check`; the store takes its own up to the address, which is one that no
//! machine has; a shell that follows docs/security.md has a cluster with TLS. Both once more with every commented key in force, which must mean the same. The README shows the same
//! files, shorter. `context.xml` is loaded by a Tomcat in the adapter's own tests.
//! Broken once to see it fail: an unknown key and a wrong default in either file, in force or commented; a route in the
//! README. Each failed the test of that name.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use remora_tests::Outcome;
use remora_tests::certificates::Certificates;
use remora_tests::place::{program, repository};

fn text(path: &str) -> Result<String> {
    std::fs::read_to_string(repository().join(path)).with_context(|| path.to_owned())
}

/// The file with its commented keys and tables in force.
fn all_said(text: &str) -> String {
    let line = |line: &str| {
        let behind = line.strip_prefix("# ").unwrap_or(line);
        let word = behind.split(' ').next().unwrap_or_default();
        let key = behind[word.len()..].starts_with(" = ") || word.starts_with('[');
        format!("{}\n", if key { behind } else { line })
    };
    text.lines().map(line).collect()
}

/// What the lines of a TOML file say: without comments, blank lines and spaces at the end.
fn said(text: &str) -> Vec<&str> {
    let lines = text.lines().map(|line| match line.split_once('#') {
        Some((before, _)) => before.trim_end(),
        None => line.trim_end(),
    });
    lines.filter(|line| !line.is_empty()).collect()
}

/// The part of the README between two words.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Result<&'a str> {
    let rest = text.split_once(begin).with_context(|| format!("no {begin:?}"))?.1;
    Ok(rest.split_once(end).with_context(|| format!("no {end:?}"))?.0)
}

fn run(name: &str, arguments: &[&str]) -> Result<Output> {
    Command::new(program(name)?)
        .args(arguments)
        .output()
        .with_context(|| format!("run {name}"))
}

/// What the proxy says of a file.
fn checked(file: &Path) -> Result<String> {
    let output = run(
        "remora-proxy",
        &["--config", &file.display().to_string(), "--check"],
    )?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "refused: {errors}");
    Ok(String::from_utf8(output.stdout)?)
}

/// What holds for the store, from its log, once it has taken everything but the address.
fn started(file: &Path, data: &Path) -> Result<String> {
    let (file, data) = (file.display().to_string(), data.display().to_string());
    let output = run("remora-store", &["--config", &file, "--data-dir", &data])?;
    let log = String::from_utf8(output.stderr)?;
    ensure!(
        output.status.code() == Some(1) && log.contains("192.0.2.1:7400 is not an address of this machine"),
        "it does not end at its address: {log}"
    );
    Ok(between(&log, "\"configuration\":\"", "\"")?.to_owned())
}

#[test]
fn the_proxys_example_and_its_defaults() -> Outcome {
    let directory = tempfile::tempdir()?;
    let whole = directory.path().join("proxy.toml");
    std::fs::write(&whole, all_said(&text("examples/proxy.toml")?))?;
    let example = checked(&repository().join("examples/proxy.toml"))?;
    ensure!(
        example.contains("route    /shop -> tomcat/shop"),
        "it says little: {example}"
    );
    let whole = checked(&whole)?;
    ensure!(
        meaning(&example) == meaning(&whole),
        "the defaults are others:\n{example}\nas written out:\n{whole}"
    );
    Ok(())
}

/// What a file means, without the digits by which the file is known.
fn meaning(checked: &str) -> Vec<&str> {
    checked
        .lines()
        .filter(|line| !line.starts_with("file "))
        .collect()
}

#[test]
fn the_stores_example_and_its_defaults() -> Outcome {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("data");
    let whole = directory.path().join("store.toml");
    // The files lie where the reader may write.
    let certificates = Certificates::make(&directory.path().join("remora"))?;
    let files = certificates.files("peer-1");
    let own = files.cert.parent().context("a file lies in a directory")?;
    let written = text("examples/store.toml")?.replace("/etc/remora", &own.display().to_string());
    let short = directory.path().join("short.toml");
    std::fs::write(&short, &written)?;
    std::fs::write(&whole, all_said(&written))?;
    // The address that clients are told is the bound one unless something else is written: that alone may differ.
    let advertised = "advertise-client-addr=";
    let example = started(&short, &data)?.replace("advertise-client-addr=(client-addr)", advertised);
    let whole = started(&whole, &data)?.replace("advertise-client-addr=192.0.2.1:7400", advertised);
    ensure!(
        example == whole,
        "the defaults are others:\n{example}\nas written out:\n{whole}"
    );
    ensure!(!data.exists(), "a node that has no address writes nothing");
    Ok(())
}

#[test]
fn whoever_follows_the_security_page_has_a_cluster_with_tls() -> Outcome {
    let directory = tempfile::tempdir()?;
    let page = text("docs/security.md")?;
    // An address of this machine that nobody else uses.
    let own = format!(
        "127.77.{}.{}",
        std::process::id() / 250 % 250,
        std::process::id() % 250 + 1
    );
    let shell = between(&page, "```sh\n", "```")?.replace("127.0.0.1", &own);
    let ended = "; code=$?; kill $(jobs -p); wait; exit $code";
    let programs = program("remora")?;
    let programs = programs.parent().context("a program lies in a directory")?;
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-c", &format!("{}{ended}", shell.trim_end())])
        .current_dir(directory.path())
        .env("PATH", format!("{}:{path}", programs.display()))
        .output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success() && said.contains("follower"), "{said}");
    Ok(())
}

#[test]
fn the_readme_shows_the_same_proxy() -> Outcome {
    let readme = text("README.md")?;
    let shown = between(&readme, "```toml\n", "```")?;
    let example = text("examples/proxy.toml")?;
    ensure!(
        said(shown) == said(&example),
        "{:#?}\n{:#?}",
        said(shown),
        said(&example)
    );
    Ok(())
}

#[test]
fn the_readme_shows_the_same_store() -> Outcome {
    let readme = text("README.md")?;
    let shown = between(&readme, "```\nremora-store ", "```")?.replace(['\\', '\n'], " ");
    let keys: Vec<&str> = shown
        .split("--")
        .map(str::trim)
        .filter(|key| !key.is_empty())
        .collect();
    let example = text("examples/store.toml")?;
    let written = said(&example);
    let flag = |line: &&str| line.replace(" = true", "").replace(" = ", " ").replace('"', "");
    let flags: Vec<String> = written.iter().map(flag).collect();
    ensure!(keys == flags, "{keys:#?}\n{flags:#?}");
    Ok(())
}

#[test]
fn the_readme_shows_the_same_manager() -> Outcome {
    let readme = text("README.md")?;
    let shown = between(&readme, "```xml\n", "\n```")?;
    ensure!(
        text("examples/context.xml")?.contains(shown),
        "examples/context.xml does not have {shown}"
    );
    Ok(())
}

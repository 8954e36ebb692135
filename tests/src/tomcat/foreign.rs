//! WARs of applications that others wrote, or that are built with what others wrote: Tomcat's own examples as they come,
//! and those of `tests/applications/`, built by Maven when their sources changed.
//!
//! They are made for Tomcat 10.1. Left out: downloads of applications; Maven brings the frameworks alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::distribution::{Version, files_below, mark, prepare, run};
use crate::place;

/// Tomcat's examples, packed as they come.
///
/// # Errors
/// When Tomcat cannot be fetched or `jar` fails.
pub(super) fn examples(version: Version) -> Result<PathBuf> {
    let source = prepare(version)?.join("webapps/examples");
    let war = place::cache()?.join(format!("examples-{}.war", version.release()));
    if !war.is_file() {
        pack(&source, &war)?;
    }
    Ok(war)
}

/// A WAR of `tests/applications/`.
///
/// # Errors
/// When its files cannot be read or Maven fails, with what it said.
pub(super) fn built(name: &str) -> Result<PathBuf> {
    let repository = place::repository();
    let sources = repository.join("tests/applications");
    let mut files = files_below(&sources.join(name))?;
    files.push(sources.join("pom.xml"));
    let mark = mark(&files)?;
    let war = place::cache()?.join(format!("{name}-{mark}.war"));
    if !war.is_file() {
        run(Command::new("mvn")
            .args(["-q", "-B", "package", "-pl", name, "-f"])
            .arg(sources.join("pom.xml")))?;
        std::fs::copy(
            repository.join(format!("target/applications/{name}/{name}.war")),
            &war,
        )?;
    }
    Ok(war)
}

fn pack(directory: &Path, war: &Path) -> Result<()> {
    let aside = war.with_extension(format!("{}.packing", std::process::id()));
    run(Command::new("jar")
        .arg("cfM")
        .arg(&aside)
        .arg("-C")
        .arg(directory)
        .arg("."))?;
    std::fs::rename(&aside, war)?;
    Ok(())
}

//! What operators watch a site by: alerts and dashboards of `packaging/monitoring/`, read as Prometheus and Grafana read them;
//! and the figures of a site as a scrape finds them.
//!
//! - [`rules`]: the alerts, what they say, and the tests that they have.
//! - [`query`]: which series a query of theirs asks for.
//! - [`series`]: series as they are written on a page of figures and in those tests.
//! - [`dashboard`]: panels and their queries.
//!
//! Left out on purpose: what a query means. That is asked of promtool, Prometheus' own tool, which `tools/prerequisites` unpacks.

pub mod dashboard;
pub mod query;
pub mod rules;
pub mod series;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::place;

/// Where the files are that operators take.
pub fn directory() -> PathBuf {
    place::repository().join("packaging/monitoring")
}

/// Runs promtool among those files; gives what it says.
///
/// # Errors
/// When it is not there, or finds a fault, with what it said.
pub fn promtool(arguments: &[&str]) -> Result<String> {
    let (program, _) = place::debian_program("promtool")?;
    let output = Command::new(&program)
        .args(arguments)
        .current_dir(directory())
        .output()
        .with_context(|| format!("run {}", program.display()))?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(
        output.status.success(),
        "promtool {}: {said}",
        arguments.join(" ")
    );
    Ok(said)
}

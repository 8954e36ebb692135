//! Prometheus' exporter of JMX, as Maven serves it: what operators put into a Tomcat so that a scrape finds its figures.

use std::path::PathBuf;

use anyhow::Result;

use super::distribution::fetch;
use crate::monitoring;
use crate::place;

/// The release; docs/monitoring.md names it, too.
pub const EXPORTER: &str = "1.0.1";

/// The option of a JVM that shows its figures at this port of the loopback, as the file for operators says.
///
/// # Errors
/// When Maven is missing or fails, with what it said.
pub fn exporter_option(port: u16) -> Result<String> {
    let config = monitoring::directory().join("jmx-exporter.yml");
    Ok(format!(
        "-javaagent:{}=127.0.0.1:{port}:{}",
        jar()?.display(),
        config.display()
    ))
}

fn jar() -> Result<PathBuf> {
    let _alone = place::making("exporter")?;
    fetch(
        &format!("jmx_prometheus_javaagent-{EXPORTER}.jar"),
        &format!("io.prometheus.jmx:jmx_prometheus_javaagent:{EXPORTER}"),
    )
}

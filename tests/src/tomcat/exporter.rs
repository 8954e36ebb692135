//! Prometheus' exporter of JMX, as Maven serves it: what operators put into a Tomcat so that a scrape finds its figures.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::distribution::run;
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
    let cache = place::cache()?;
    let jar = cache.join(format!("jmx_prometheus_javaagent-{EXPORTER}.jar"));
    if !jar.is_file() {
        let artifact = format!("-Dartifact=io.prometheus.jmx:jmx_prometheus_javaagent:{EXPORTER}");
        let output = format!("-DoutputDirectory={}", cache.display());
        run(Command::new("mvn")
            .args(["-q", "-B", "dependency:copy", &artifact, &output])
            .current_dir(&cache))?;
    }
    Ok(jar)
}

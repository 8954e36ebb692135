//! The load generator `wrk`, and the peers' presence.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Connections that are kept open: many for two cores, so that no proxy under test waits for work.
pub(crate) const CONNECTIONS: usize = 64;

/// What one run of `wrk` saw.
#[derive(Debug)]
pub(crate) struct Load {
    /// Answers in all.
    pub(crate) answers: u64,
    /// Answers each second.
    pub(crate) rate: f64,
    /// Longest time of the quicker half and of all but the slowest hundredth, as wrk prints them.
    pub(crate) latency: String,
}

/// A program on the path, or nothing when it is not installed.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    places
        .map(|place| place.join(name))
        .find(|program| program.is_file())
}

/// Loads `url` from the last core for some seconds, with an optional script.
///
/// # Errors
/// When wrk is missing, fails, or any answer was not a success: a rate of errors is no rate.
pub(crate) fn load(url: &str, seconds: u64, connections: usize, script: Option<&Path>) -> Result<Load> {
    let mut command = Command::new("taskset");
    command
        .args(["-c", "1", "wrk", "--latency", "-t1", "-c"])
        .arg(connections.to_string());
    command.arg(format!("-d{seconds}s"));
    if let Some(script) = script {
        command.arg("-s").arg(script);
    }
    let output = command.arg(url).output().context("run wrk")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let bad = text
        .lines()
        .find(|line| line.contains("Non-2xx") || line.contains("Socket errors"));
    if !output.status.success() || bad.is_some() {
        bail!(
            "wrk against {url}: {} {}",
            bad.unwrap_or_default(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    parse(&text).with_context(|| format!("wrk printed something else:\n{text}"))
}

fn parse(text: &str) -> Option<Load> {
    let after = |mark: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(mark))?;
        Some(line.trim_start().strip_prefix(mark)?.trim().to_owned())
    };
    let answers = text.lines().find(|line| line.contains(" requests in "))?;
    Some(Load {
        answers: answers.split_whitespace().next()?.parse().ok()?,
        rate: after("Requests/sec:")?.parse().ok()?,
        latency: format!("p50 {}, p99 {}", after("50%")?, after("99%")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_prints_is_read() {
        let text = "Running 1s test\n  Latency Distribution\n     50%    1.20ms\n     99%    3.00ms\n  \
                    2000 requests in 1.00s, 2.00MB read\nRequests/sec:   1999.50\n";
        let load = parse(text).unwrap();
        assert_eq!(
            (load.answers, load.latency.as_str()),
            (2_000, "p50 1.20ms, p99 3.00ms")
        );
    }
}

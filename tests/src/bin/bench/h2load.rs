//! The load generator `h2load`, of nghttp2: as `wrk` loads over HTTP/1.1, over HTTP/2.
//!
//! Left out on purpose: reconnecting, which it does not do. A server that ends its connections after so many requests fails here.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cpu::ratio;
use crate::wrk::Load;

/// How it loads: a GET, again and again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct H2load {
    /// How long.
    pub(crate) seconds: u64,
    /// Connections that are open at the same time.
    pub(crate) connections: usize,
    /// Requests that each has at a time.
    pub(crate) at_a_time: usize,
    /// Where it runs, as `taskset` is told.
    pub(crate) cores: &'static str,
}

impl H2load {
    /// Loads `url`.
    ///
    /// # Errors
    /// When h2load is missing, fails, or any answer was not a success: a rate of errors is no rate.
    pub(crate) fn load(self, url: &str) -> Result<Load> {
        let directory = tempfile::tempdir()?;
        let log = directory.path().join("requests");
        let output = Command::new("taskset")
            .args(["-c", self.cores, "h2load", "--warm-up-time=0"])
            .arg(format!("-D{}", self.seconds))
            .arg(format!("-c{}", self.connections))
            .arg(format!("-m{}", self.at_a_time))
            .arg(format!("--log-file={}", log.display()))
            .arg(url)
            .output()
            .context("start h2load")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() || !text.contains(" 0 failed, 0 errored, 0 timeout") {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("h2load against {url}: {text}{said}");
        }
        let times = times(&log)?;
        let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
        let answers = times.len() as u64;
        Ok(Load {
            answers,
            rate: ratio(answers, self.seconds),
            half: at(50),
            most: at(99),
        })
    }
}

/// How long each request took, in microseconds, in rising order. A line has when it began, its status, and that.
fn times(log: &Path) -> Result<Vec<f64>> {
    let text = std::fs::read_to_string(log).context("h2load wrote no log of its requests")?;
    let mut times = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace().skip(1);
        let (status, time) = (words.next(), words.next());
        let time = time.and_then(|time| time.parse().ok());
        match (status, time) {
            (Some("200"), Some(time)) => times.push(time),
            _ => bail!("h2load noted `{line}`"),
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

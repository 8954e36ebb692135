//! The load generator `wrk`, and the peers' presence.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// What one run of `wrk` saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Answers in all.
    pub(crate) answers: u64,
    /// Answers each second.
    pub(crate) rate: f64,
    /// Longest time of the quicker half, microseconds.
    pub(crate) half: f64,
    /// Longest time of all but the slowest hundredth, microseconds.
    pub(crate) most: f64,
}

impl Load {
    /// How long answers took, in words.
    pub(crate) fn latency(&self) -> String {
        format!("p50 {:.2}ms, p99 {:.2}ms", self.half / 1e3, self.most / 1e3)
    }
}

/// How `wrk` loads: a GET on connections that are kept, from the last core, if nothing else is said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wrk<'a> {
    /// How long.
    pub(crate) seconds: u64,
    /// Connections that ask at the same time.
    pub(crate) connections: usize,
    /// Its threads, and
    pub(crate) threads: usize,
    /// where they run, as `taskset` is told.
    pub(crate) cores: &'static str,
    /// A field that each request has besides.
    pub(crate) field: Option<&'static str>,
    /// A script in Lua that says what is asked.
    pub(crate) script: Option<&'a Path>,
}

impl Wrk<'_> {
    /// From the last core, by one thread.
    pub(crate) fn new(seconds: u64, connections: usize) -> Self {
        Self {
            seconds,
            connections,
            threads: 1,
            cores: "1",
            field: None,
            script: None,
        }
    }
}

/// A program on the path, or nothing when it is not installed.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    places
        .map(|place| place.join(name))
        .find(|program| program.is_file())
}

impl Wrk<'_> {
    /// Loads `url`.
    ///
    /// # Errors
    /// When wrk is missing, fails, or any answer was not a success: a rate of errors is no rate.
    pub(crate) fn load(&self, url: &str) -> Result<Load> {
        let mut command = Command::new("taskset");
        command.args(["-c", self.cores, "wrk", "--latency", "-t"]);
        command.arg(self.threads.to_string());
        command.arg("-c").arg(self.connections.to_string());
        command.arg(format!("-d{}s", self.seconds));
        if let Some(field) = self.field {
            command.args(["-H", field]);
        }
        if let Some(script) = self.script {
            command.arg("-s").arg(script);
        }
        run(command.arg(url)).with_context(|| format!("wrk against {url}"))
    }
}

fn run(command: &mut Command) -> Result<Load> {
    let output = command.output().context("start it")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let bad = text
        .lines()
        .find(|line| line.contains("Non-2xx") || line.contains("Socket errors"));
    if !output.status.success() || bad.is_some() {
        bail!(
            "{} {}",
            bad.unwrap_or_default(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    parse(&text).with_context(|| format!("it printed something else:\n{text}"))
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
        half: microseconds(&after("50%")?)?,
        most: microseconds(&after("99%")?)?,
    })
}

/// A time as wrk prints it.
fn microseconds(text: &str) -> Option<f64> {
    let units = [("us", 1.0), ("ms", 1e3), ("s", 1e6), ("m", 60e6)];
    let (number, unit) = units
        .into_iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    Some(number.parse::<f64>().ok()? * unit)
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
            (load.answers, load.latency().as_str()),
            (2_000, "p50 1.20ms, p99 3.00ms")
        );
    }

    #[test]
    fn times_are_read_in_every_unit() {
        let read = ["850.00us", "1.02ms", "2.50s", "1.00m"].map(|text| microseconds(text).unwrap());
        assert_eq!(read, [850.0, 1_020.0, 2_500_000.0, 60_000_000.0]);
    }
}

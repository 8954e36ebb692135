//! What the proxy is told: one TOML file, strict, every fault with its line in one report.
//!
//! `file` is what may be written, `check` turns it into [`Config`], which is what holds: defaults filled in, names
//! resolved, nothing left to doubt. Nothing else reads a file, a flag or the environment.
//!
//! Reloading (SIGHUP) takes over pools, members, routes, limits and trust. Listeners, threads, the control address and
//! the access log stay as they were started; [`Config::fixed_differences`] says which of them a new file would change.

mod check;
mod file;
mod limits;
mod report;
mod show;
mod trust;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use remora_policy::{PathRoute, Sticky};
use remora_process::config::{Faults, Source};

pub(crate) use limits::Limits;
pub(crate) use trust::{Network, Trust};

/// Where operators reach the proxy unless it is told otherwise.
pub(crate) const CONTROL_ADDRESS: &str = "127.0.0.1:7410";

/// What holds: checked and complete.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients are accepted; at least one.
    pub listen: Vec<SocketAddr>,
    /// Where operators are answered: gRPC, `/healthz`, `/readyz`, `/metrics`.
    pub control: SocketAddr,
    /// Threads that serve clients; at least 1.
    pub threads: usize,
    /// Peers whose forwarding fields are believed.
    pub(crate) trust: Trust,
    /// Where each exchange is noted.
    pub access_log: LogTarget,
    /// Every bound that an owner may set.
    pub(crate) limits: Limits,
    /// The pools, in the order of their names.
    pub(crate) pools: Vec<PoolConfig>,
    /// The path routes; [`PathRoute::pool`] counts in `pools`.
    pub(crate) routes: Vec<PathRoute>,
}

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// Standard error, between the proxy's own log lines.
    Stderr,
    /// A file, appended to, opened anew at SIGHUP (so that it can be rotated).
    File(PathBuf),
    /// Nowhere.
    Off,
}

/// One pool as configured.
#[derive(Clone, Debug)]
pub(crate) struct PoolConfig {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// How users stick.
    pub(crate) sticky: Sticky,
    /// How its members are checked.
    pub(crate) health: HealthConfig,
    /// Its members; at least one, routes unique.
    pub(crate) members: Vec<MemberConfig>,
}

/// How the members of a pool are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HealthConfig {
    /// Time between two checks of one member.
    pub(crate) every: Duration,
    /// How long a check may stay unanswered.
    pub(crate) timeout: Duration,
    /// Path that is asked with GET; `OPTIONS *` when absent.
    pub(crate) path: Option<Arc<str>>,
}

/// One member of a pool as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemberConfig {
    /// `host:port`.
    pub(crate) authority: Arc<str>,
    /// Its name in session cookies.
    pub(crate) route: Arc<str>,
    /// Share of the new users, 1 to 1,000.
    pub(crate) weight: u32,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Every fault that was found, each with its line and a sentence.
    pub fn load(path: &Path) -> Result<Config, Faults> {
        Config::read(&Source::read(path)?)
    }

    /// Checks text that was read already.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub(crate) fn read(source: &Source) -> Result<Config, Faults> {
        check::check(source, source.parse()?)
    }

    /// What `--check` prints: the configuration that holds, defaults included.
    #[must_use]
    pub fn summary(&self) -> String {
        show::summary(self)
    }

    /// Keys in which `new` differs and which only a restart takes over.
    #[must_use]
    pub fn fixed_differences(&self, new: &Config) -> Vec<&'static str> {
        let differences = [
            ("listen", self.listen != new.listen),
            ("control", self.control != new.control),
            ("threads", self.threads != new.threads),
            ("access_log", self.access_log != new.access_log),
        ];
        differences
            .iter()
            .filter(|(_, differs)| *differs)
            .map(|(key, _)| *key)
            .collect()
    }
}

#[cfg(test)]
mod tests;

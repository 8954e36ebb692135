//! What the proxy is told: one TOML file, strict, every fault with its line in one report.
//!
//! `file` is what may be written, `check` turns it into [`Config`], which is what holds (`values`), `show` tells
//! people. A key is one row of `file` or, if it is a limit, of `limits`; docs/proxy.md is made of the rows (`keys`). Nothing
//! else reads a file, a flag or the environment. Pages that the file names are read with it.
//!
//! Reloading (SIGHUP) takes over pools, members, routes with all that holds on them, pages, limits, trust, rules for fields, and
//! the certificates of listeners. Listeners besides, threads, the control address and the access log stay as they were started; [`Config::fixed_differences`] says which of them a new file would change.
//! A new process takes all of it over (SIGUSR2).

mod check;
mod file;
mod keys;
mod limits;
mod report;
mod show;
mod trust;
mod values;

use std::path::Path;

use remora_process::config::{Faults, Source};

pub(crate) use check::pages::RETRY_AFTER;
pub(crate) use check::pools::{WEIGHT, WEIGHT_DEFAULT};
pub(crate) use limits::Limits;
pub use trust::Networks;
pub(crate) use trust::Trust;
pub use values::{Config, ListenConfig, LogConfig, LogFormat, LogTarget};
pub(crate) use values::{
    HealthConfig, MaintenanceConfig, MemberConfig, Pages, PoolConfig, Rules, StoreConfig, Terms, TlsConfig,
    ToldCertificate,
};

/// Every key of the file, with default, range, example and what it is for: what `--help` says, and docs/proxy.md.
#[must_use]
pub fn keys_page() -> String {
    show::keys_page()
}

impl Config {
    /// Reads and checks a file, and the certificates that it names.
    ///
    /// # Errors
    /// Every fault that was found, each with its line and a sentence.
    pub fn load(path: &Path) -> Result<Config, Faults> {
        let source = Source::read(path)?;
        check::check(&source, source.parse()?, true)
    }

    /// Checks text, and looks at no file.
    ///
    /// # Errors
    /// As [`Config::load`].
    #[cfg(test)]
    pub(crate) fn read(source: &Source) -> Result<Config, Faults> {
        check::check(source, source.parse()?, false)
    }

    /// What `--check` prints: the configuration that holds, defaults included.
    #[must_use]
    pub fn summary(&self) -> String {
        show::summary(self)
    }
}

#[cfg(test)]
mod tests;

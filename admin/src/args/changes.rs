//! `remora changes`: what happened at the proxies lately.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

/// For whoever asks what happened.
pub(super) const EXAMPLES: &str = "Examples:
  remora changes                       the last 50 at all proxies, latest last
  remora changes --of n1               what became of a Tomcat, and why
  remora changes --kind wish -o json   who wished what

Each proxy remembers its last 1,000 changes since it was started, by its own clock.";

/// Which changes.
#[derive(Debug, Args)]
pub(crate) struct Changes {
    /// Of this route, pool or store node
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) of: Option<String>,
    /// Of this kind: belief, wish, maintenance, reload, replacement, discovery, leader, node, session or login
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) kind: Option<String>,
    /// The latest so many
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    pub(crate) limit: usize,
}

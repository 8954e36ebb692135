//! `remora applications`: who serves what, and who is taken out of the registry.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

const LIST_EXAMPLES: &str = "Examples:
  remora applications
  remora applications list -o wide     with what would be lost with each Tomcat

\"present\" is whether the store's leader has a connection to the Tomcat now, and \"silent\" since
when it has heard nothing; what it does not know it does not say.";

const RETIRE_EXAMPLES: &str = "Examples:
  remora applications retire n3                     its machine is gone for good
  remora applications retire --silent-for 1d        all that the leader heard, and not for a day
  remora applications retire --silent-for 1d --dry-run

A Tomcat that stops in order takes itself out, and one that lives announces itself again. Users of
one that is gone were moved when the proxies saw it die; this takes it out of their lists. Of whom
the leader has not heard since it leads it cannot tell how long that is: name these.";

/// What `remora applications` was asked.
#[derive(Debug, Args)]
pub(crate) struct Applications {
    /// What to do; to list if nothing is said
    #[command(subcommand)]
    pub(crate) verb: Option<ApplicationsVerb>,
}

/// Look at who serves what.
#[derive(Debug, Subcommand)]
pub(crate) enum ApplicationsVerb {
    /// List the applications and the Tomcats that serve them
    #[command(after_help = LIST_EXAMPLES)]
    List,
    /// Take Tomcats out of the registry that will not do it themselves
    #[command(after_help = RETIRE_EXAMPLES)]
    Retire(Retire),
}

/// Who is taken out.
#[derive(Debug, Args)]
pub(crate) struct Retire {
    #[command(flatten)]
    pub(crate) whom: Retired,
    /// Tell who it would be, and take out nobody
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

/// One Tomcat, or all that have been silent for long.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Retired {
    /// Its name, which is its route
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) node: Option<String>,
    /// All that are not there, and that the leader last heard so long ago
    #[arg(long, value_name = "DURATION")]
    pub(crate) silent_for: Option<humantime::Duration>,
}

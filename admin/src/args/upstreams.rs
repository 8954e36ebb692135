//! `remora upstreams`: what is wished of Tomcats and pools.
//!
//! A state stays a word: the proxies know which there are.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Subcommand, ValueEnum};

/// For whoever drains.
const DRAIN_EXAMPLES: &str = "Examples:
  remora upstreams drain n1                          its users move with their next request
  remora upstreams drain n1 --finish --within 30m    they stay for half an hour at most
  remora upstreams drain --group blue                all Tomcats of a version

Where this takes the last that is up from a pool, the proxies say so first, and --yes or a yes at a terminal is needed.

With --store, `drained` tells how many sessions each still holds. They are counted by the name that a Tomcat says of itself, its jvmRoute or
the node of its <Manager>: `not known` stands where no Tomcat has said the route's name, and what to do about it. Such a drain may
be far from done.";

/// For whoever sets.
const SET_EXAMPLES: &str = "Examples:
  remora upstreams set n2 --weight 3        three times the new users of a weight of 1
  remora upstreams set n2 --state standby   for when nobody else can serve
  remora upstreams set n2 --reset           as the proxy's file says

What is wished last holds, at all proxies that follow one store. A weight alone gives way to whatever else is wished of the same route while
the store is told it: it is refused, with who wished what, and --state with the same weight says the whole.";

/// For whoever works on a site.
const MAINTENANCE_EXAMPLES: &str = "Examples:
  remora upstreams maintenance tomcat on
  remora upstreams maintenance tomcat on --page soon.html --retry-after 10m
  remora upstreams maintenance tomcat off

WebSockets of the pool leave as for a drain, members are checked on, and who is in the file's `except` sees the site.";

/// Look at the Tomcats behind the proxies, and drain them.
#[derive(Debug, Subcommand)]
pub(crate) enum Upstreams {
    /// List the upstreams of every proxy
    List,
    /// Move the users of a route elsewhere, nobody logged out
    #[command(after_help = DRAIN_EXAMPLES)]
    Drain {
        #[command(flatten)]
        whom: Whom,
        /// Let its own users stay until their sessions end or the deadline comes; nobody new is sent there
        #[arg(long)]
        finish: bool,
        /// When --finish becomes a move
        #[arg(long, value_name = "DURATION", requires = "finish", default_value = "1h")]
        within: humantime::Duration,
        /// Also where it takes the last that is up from a pool
        #[arg(long)]
        yes: bool,
    },
    /// End a drain
    Undrain {
        #[command(flatten)]
        whom: Whom,
    },
    /// Wish a state or a weight in place of what the proxy's file says
    #[command(after_help = SET_EXAMPLES)]
    Set {
        #[command(flatten)]
        whom: Whom,
        /// active, standby, finishing, draining, disabled or stopped
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        state: Option<String>,
        /// Share of new users, 1 to 1000
        #[arg(long)]
        weight: Option<u32>,
        /// Let hold again what the file says
        #[arg(long)]
        reset: bool,
        /// Also where it takes the last that is up from a pool
        #[arg(long)]
        yes: bool,
    },
    /// Answer all requests of a pool with a page while somebody works on it, or end that
    #[command(after_help = MAINTENANCE_EXAMPLES)]
    Maintenance {
        /// Its name in the proxy's file
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        pool: String,
        #[arg(value_enum)]
        wish: MaintenanceWord,
        /// The page, in place of the file's: .html, .txt or .json, at most 64 KiB
        #[arg(long, value_name = "FILE")]
        page: Option<PathBuf>,
        /// When clients may ask again, in place of what the file says
        #[arg(long, value_name = "DURATION")]
        retry_after: Option<humantime::Duration>,
    },
}

/// What is wished of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MaintenanceWord {
    /// It is under maintenance
    On,
    /// It is not, whatever the proxy's file says
    Off,
    /// Let hold again what the file says
    Reset,
}

/// Whom a wish is about.
#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Whom {
    /// The route, as behind the dot of the session cookie
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) route: Option<String>,
    /// All upstreams of a group: a version, a zone
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) group: Option<String>,
}

//! What each verb asks and how its answer is arranged; one file per verb.

mod nodes;
mod sessions;
mod status;
mod upstreams;

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::args::{Arguments, Verb};
use crate::render::Report;

/// Why a command was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Refused, unreachable or not found.
    Refused(String),
    /// The command line does not say what is needed.
    Usage(String),
}

impl Failure {
    /// 1 for what was refused, 2 for usage.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Refused(_) => 1,
            Failure::Usage(_) => 2,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Failure::Refused(sentence) | Failure::Usage(sentence)) = self;
        formatter.write_str(sentence)
    }
}

/// Does what the command line says.
pub(crate) async fn run(arguments: Arguments) -> Result<Report, Failure> {
    let Arguments {
        store, proxy, verb, ..
    } = arguments;
    match verb {
        Verb::Status => status::show(&store, &proxy).await,
        Verb::Sessions(verb) => sessions::run(&store, verb).await,
        Verb::Nodes(crate::args::Nodes::List) => nodes::list(&store).await,
        Verb::Upstreams(verb) => upstreams::run(&proxy, verb).await,
    }
}

/// The wall clock in milliseconds since 1970, against which people read the ages of sessions.
#[expect(
    clippy::disallowed_methods,
    reason = "the operator's own clock, used for display only"
)]
fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

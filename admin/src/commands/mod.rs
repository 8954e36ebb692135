//! What each verb asks and how its answer is arranged; one file per verb, which knows nothing of this one.

mod applications;
mod backup;
mod listing;
mod members;
mod nodes;
mod recover;
mod restore;
mod sessions;
mod status;
mod upstreams;

use crate::args::{Arguments, Verb};
use crate::failure::Failure;
use crate::render::Report;

/// Does what the command line says.
pub(crate) async fn run(arguments: Arguments) -> Result<Report, Failure> {
    let Arguments {
        store, proxy, verb, ..
    } = arguments;
    match verb {
        Verb::Status => status::show(&store, &proxy).await,
        Verb::Sessions(verb) => sessions::run(&store, verb).await,
        Verb::Nodes(verb) => nodes::run(&store, verb).await,
        Verb::Applications => applications::run(&store).await,
        Verb::Upstreams(verb) => upstreams::run(&proxy, verb).await,
        Verb::Backup { file } => backup::run(&store, &file).await,
        Verb::Recover { yes, .. } => recover::run(&store, yes).await,
        Verb::Restore { file } => restore::run(&store, &file).await,
    }
}

//! What each verb asks and how its answer is arranged; one file per verb, which knows nothing of this one.

mod applications;
mod audit;
mod backup;
mod certs;
mod changes;
mod completions;
mod console;
mod explain;
mod import;
mod killing;
mod listing;
mod maintenance;
mod meant;
mod members;
mod nodes;
mod recover;
mod restore;
mod sessions;
mod stats;
mod status;
mod top;
mod upstreams;
mod watching;

use remora_process::tls::{Dial, Door, Files, Tls};

use crate::args::{Arguments, TlsFiles, Verb};
use crate::failure::Failure;
use crate::render::Report;
use remora_overview::client::Reach;

/// Does what the command line says.
pub(crate) async fn run(arguments: Arguments) -> Result<Report, Failure> {
    let Arguments {
        store,
        proxy,
        tls,
        output,
        verb,
    } = arguments;
    // Certificates are made before there are any, and a shell begins, whatever the environment names already.
    let dial = match verb {
        Verb::Certs(_) | Verb::Completions { .. } | Verb::Import(_) => Dial::default(),
        _ => dial(tls)?,
    };
    let reach = |addresses| Reach {
        addresses,
        dial: dial.clone(),
    };
    let (store, proxy) = (reach(store), reach(proxy));
    match verb {
        Verb::Certs(verb) => certs::run(verb),
        Verb::Import(asked) => import::run(&asked, output),
        Verb::Completions { shell } => Ok(completions::script(shell)),
        Verb::Status => status::show(&store, &proxy).await,
        Verb::Top => top::run(&store, &proxy).await,
        Verb::Sessions(verb) => sessions::run(&store, verb, output).await,
        Verb::Nodes(verb) => nodes::run(&store, verb).await,
        Verb::Applications(asked) => applications::run(&store, asked.verb).await,
        Verb::Audit => audit::run(&store).await,
        Verb::Upstreams(verb) => upstreams::run(&store, &proxy, verb).await,
        Verb::Changes(ask) => changes::run(&proxy, &ask).await,
        Verb::Console(verb) => console::run(&proxy, &verb).await,
        Verb::Explain(ask) => explain::run(&proxy, ask).await,
        Verb::Backup { file } => backup::run(&store, &file).await,
        Verb::Recover { yes, .. } => recover::run(&store, yes).await,
        Verb::Restore { file } => restore::run(&store, &file).await,
    }
}

/// How servers are reached: with all three files of TLS, or with none.
fn dial(files: TlsFiles) -> Result<Dial, Failure> {
    let files = Files::all_or_none([files.tls_authority, files.tls_cert, files.tls_key]).map_err(|_| {
        Failure::Usage(
            "TLS takes all three of --tls-authority, --tls-cert and --tls-key, or REMORA_TLS_AUTHORITY, REMORA_TLS_CERT and \
             REMORA_TLS_KEY"
                .into(),
        )
    })?;
    let tls = files.map(|files| Tls::load(files, Door::Certified)).transpose();
    let tls = tls.map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(Dial::new(tls))
}

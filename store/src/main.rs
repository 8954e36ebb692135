//! `remora-store`: one node of the session store. Flags, log, signals; everything else is `node.rs`.

use std::process::ExitCode;

use clap::Parser;
use remora_process::exit::{Failure, finish, on_panic};
use remora_process::{logging, signals::Signals};
use remora_store::{Clock, Config, Flags, LOG_FILTER, Node};

const PROGRAM: &str = "remora-store";

fn main() -> ExitCode {
    finish(PROGRAM, run(Flags::parse()))
}

fn run(flags: Flags) -> Result<(), Failure> {
    logging::init(LOG_FILTER)?;
    on_panic(PROGRAM);
    let config = flags.config()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::while_doing("cannot start the runtime", &error))?;
    let ended = runtime.block_on(serve(config));
    // A disk that is still being read must not hold up the end; a reader leaves nothing half-done.
    runtime.shutdown_background();
    ended
}

async fn serve(config: Config) -> Result<(), Failure> {
    let mut signals = Signals::install()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), configuration = %config, "starting");
    for remark in config.remarks() {
        tracing::warn!("{remark}");
    }
    let node = tokio::select! {
        node = Node::start(config, Clock::system()) => node?,
        () = signals.stop() => {
            tracing::info!("stopped before the sessions were restored");
            return Ok(());
        }
    };
    tracing::info!(
        clients = %node.client_addr(),
        peers = %node.peer_addr(),
        operators = %node.ops_addr(),
        "listening"
    );
    node.run(signals.stop()).await
}

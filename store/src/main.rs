//! `remora-store`: one node of the session store. Flags, log, signals, words to a service manager; everything else is `node.rs`.
//!
//! Invariant: whoever supervises the process sees one from its start to its end, also where the node begins anew in between.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use clap::{CommandFactory, Parser};
use remora_process::exit::{Failure, finish, on_panic};
use remora_process::signals::{Signal, Signals};
use remora_process::{logging, manual, reload, service};
use remora_store::{Changes, Clock, Config, Ended, Flags, LOG_FILTER, Node};
use tokio::task::JoinSet;

const PROGRAM: &str = "remora-store";

fn main() -> ExitCode {
    if let Some(written) = manual::asked(Flags::command(), "8") {
        return finish(PROGRAM, written);
    }
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
    let ended = runtime.block_on(serve(Arc::new(flags), config));
    // A disk that is still being read must not hold up the end; a reader leaves nothing half-done.
    runtime.shutdown_background();
    match ended? {
        Ended::Stopped => Ok(()),
        Ended::Anew => Err(start_again()),
    }
}

/// Puts this program in its own place, with the same flags: whoever supervises it sees the same process. Comes back only if
/// that fails.
fn start_again() -> Failure {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            return Failure::while_doing("start this node again: it does not find its program", &error);
        }
    };
    let error = Command::new(program).args(std::env::args_os().skip(1)).exec();
    Failure::while_doing("start this node again: it cannot do so itself", &error)
}

async fn serve(flags: Arc<Flags>, config: Config) -> Result<Ended, Failure> {
    let mut signals = Signals::install()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), configuration = %config, "starting");
    for remark in config.remarks() {
        tracing::warn!("{remark}");
    }
    let node = tokio::select! {
        biased;
        () = signals.stop() => {
            tracing::info!("stopped before the sessions were restored");
            return Ok(Ended::Stopped);
        }
        node = Node::start(config.clone(), Clock::system()) => node?,
    };
    tracing::info!(
        clients = %node.client_addr(),
        peers = %node.peer_addr(),
        operators = %node.ops_addr(),
        "listening"
    );
    // Not when a leader is known: the first of three nodes would keep whoever starts them one after the other waiting for the rest.
    service::ready();
    let changes = node.changes();
    node.run(until_stop(&mut signals, &flags, &config, &changes))
        .await
}

/// Waits until a stop is asked, and takes a new configuration over whenever that is asked. The file is read on a thread
/// that nothing waits for.
async fn until_stop(signals: &mut Signals, flags: &Arc<Flags>, running: &Config, changes: &Changes) {
    let mut readings = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            signal = signals.next() => match signal {
                Signal::Stop => {
                    service::stopping();
                    return;
                }
                Signal::Reload => {
                    let (flags, changes) = (Arc::clone(flags), changes.clone());
                    readings.spawn_blocking(move || {
                        changes.look_again();
                        flags.config()
                    });
                }
            },
            Some(Ok(read)) = readings.join_next() => {
                if let Some(new) = reload::taken(read, |new| running.fixed_differences(new)) {
                    changes.take(&new);
                }
            }
        }
    }
}

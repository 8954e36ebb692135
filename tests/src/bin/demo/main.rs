//! See a failover: `make demo`. `make demo KEEP=1` leaves everything running, `make demo TLS=1` lets everything but the user speak
//! TLS.
//!
//! Starts three stores, the proxy and two Tomcats with the shop, then acts as a user while Tomcats and stores die.
//! Every line says what was done, what was seen and how long it took; a step that is not as promised ends the demo
//! with exit code 1 and the last words of every process. Ctrl-C stops and removes everything.

mod setting;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use remora_tests::place;
use remora_tests::process::end_all;
use remora_tests::story;
use remora_tests::telling::Telling;
use tokio::signal::unix::{SignalKind, signal};

use crate::setting::Setting;

/// What a shell reports for a program ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    let telling = Telling::to_stdout();
    match run(&telling) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telling.failed(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(telling: &Telling) -> Result<()> {
    let keep = std::env::var("KEEP").is_ok_and(|value| !value.is_empty() && value != "0");
    let parent = place::repository().join(".demo");
    std::fs::create_dir_all(&parent).with_context(|| format!("make {}", parent.display()))?;
    let directory = tempfile::Builder::new().prefix("run-").tempdir_in(&parent)?;
    clean_up_when_interrupted(directory.path())?;

    telling.title("Remora: three stores, one proxy, two Tomcats, one shop");
    let mut setting = Setting::start(directory.path(), telling)?;
    if let Err(error) = story::tell(&mut setting.site, telling) {
        telling.words(&setting.site.tails());
        return Err(error);
    }
    if keep {
        telling.words(&setting.invitation());
        loop {
            // Only Ctrl-C or SIGTERM ends this, in the thread that waits for them.
            std::thread::park();
        }
    }
    telling.words("\nTry it with your own browser: make demo KEEP=1");
    Ok(())
}

/// On Ctrl-C, SIGTERM or hang-up: kill the children, remove the directory, end.
fn clean_up_when_interrupted(directory: &Path) -> Result<()> {
    let directory: PathBuf = directory.to_path_buf();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("wait for signals")?;
    let (mut interrupt, mut terminate, mut hang_up) = {
        let _entered = runtime.enter();
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let [interrupt, terminate, hang_up] = kinds.map(signal);
        (interrupt?, terminate?, hang_up?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
        });
        end_all();
        // A file that a dying child still held is left to the next `make demo`; the exit code matters more.
        let _ = std::fs::remove_dir_all(&directory);
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

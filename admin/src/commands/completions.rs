//! `remora completions bash|zsh|fish`: what a shell reads to complete command lines. Asks nobody.

use clap::CommandFactory;
use remora_process::manual::{self, Shell};

use crate::args::Arguments;
use crate::render::Report;

/// The script of a shell.
pub(super) fn script(shell: Shell) -> Report {
    let script = manual::completions(Arguments::command(), shell);
    Report::words(String::from_utf8_lossy(&script).into_owned())
}

//! `remora`, the operator's command line: asks store nodes and proxies, shows what they say.
//!
//! Life of a command: `args` (typed flags) → `commands` (one file per verb: what to ask) → `remora_overview` (how to ask, and what
//! is wrong with a site) → `render` (pure: a report in the format that was asked for) → standard output; a watch writes its lines
//! there itself, as they come, and `top` draws there for as long as somebody looks. Faults are one sentence
//! on standard error (`failure`), where what takes long also says how far it is (`progress`). Exit codes: 0 done, 1
//! refused, unreachable or not found, 2 usage. What costs others something asks for a yes first (`confirm`).
//!
//! `--write-manual`, which comes before all that, writes man pages and completions (`process/src/manual.rs`).
//!
//! A session is known by its key, a hash of its id. An id that is given to find one is read from standard input and hashed here
//! (`ids`); values of attributes, which an operator may ask for, are read by `values`. Both are pure.
//!
//! Left out on purpose: session ids in any answer. The store has none.

mod args;
mod commands;
mod confirm;
mod failure;
mod ids;
mod progress;
mod render;
mod values;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use remora_process::{exit, manual};

use crate::args::Output;
use crate::failure::Failure;
use crate::render::Report;

fn main() -> ExitCode {
    if let Some(written) = manual::asked(args::Arguments::command(), "1") {
        return exit::finish("remora", written);
    }
    let arguments = args::Arguments::parse();
    let output = arguments.output;
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::Refused(format!("cannot start: {error}"))),
    };
    let done = runtime.block_on(commands::run(arguments));
    // Whoever was told to end waits for no reader.
    runtime.shutdown_background();
    match done {
        Ok(report) => match show(&report, output) {
            Ok(()) if report.is_well() => ExitCode::SUCCESS,
            Ok(()) => ExitCode::FAILURE,
            Err(failure) => fail(&failure),
        },
        Err(failure) => fail(&failure),
    }
}

fn show(report: &Report, output: Output) -> Result<(), Failure> {
    print(&render::render(report, output)?)?;
    for sentence in render::beside(report, output) {
        say(&sentence);
    }
    Ok(())
}

/// A closed pipe (`remora sessions list | head`) is the reader's wish, not a fault.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Refused(format!("cannot write the answer: {error}")))
        }
        _ => Ok(()),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    say(&failure.to_string());
    ExitCode::from(failure::exit_code(failure))
}

fn say(sentence: &str) {
    // Nobody is left to tell when standard error is closed too. What a server said is not for the terminal to obey.
    let sentence: Vec<String> = sentence.lines().map(render::printable).collect();
    let _ = writeln!(std::io::stderr(), "remora: {}", sentence.join("\n"));
}

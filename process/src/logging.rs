//! Log lines on stderr: human at a terminal, one JSON object a line otherwise.
//!
//! `RUST_LOG` filters as everywhere in Rust (`info`, `remora_store=debug`, ...); without it each server gives its own
//! default. Session ids and keys never reach a log line beyond the first 8 hexadecimal digits of the hash.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::exit::Failure;

/// Environment variable that filters log lines.
const FILTER_VARIABLE: &str = "RUST_LOG";

/// Starts the log of this process. `default_filter` holds while `RUST_LOG` is absent, for example `"info"`.
///
/// Fails with a usage failure when the filter cannot be read. A second call in one process changes nothing.
pub fn init(default_filter: &str) -> Result<(), Failure> {
    let wanted = std::env::var(FILTER_VARIABLE).unwrap_or_else(|_| default_filter.to_owned());
    let filter = EnvFilter::try_new(&wanted).map_err(|error| {
        Failure::Usage(format!(
            "{FILTER_VARIABLE}={wanted:?} is not a log filter ({error}); write for example {FILTER_VARIABLE}=info"
        ))
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let _already_started = if std::io::stderr().is_terminal() {
        lines.with_target(false).compact().try_init()
    } else {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init()
    };
    Ok(())
}

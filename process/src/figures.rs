//! What the operating system knows of this process, and which release it is, under the names that the client libraries of
//! Prometheus use everywhere.

use metrics::{describe_gauge, gauge};
use metrics_process::Collector;

/// Says once what the figures are, and which release this is.
pub(crate) fn describe() {
    Collector::default().describe();
    describe_gauge!("remora_build_info", "1, of the release that its label names");
    gauge!("remora_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// Reads the figures; some files in `/proc`.
pub(crate) fn sample() {
    Collector::default().collect();
}

//! What every server publishes: what the operating system knows of its process, under the names that the client libraries of
//! Prometheus use everywhere, which release it is, how its configuration was read, and its TLS.
//!
//! Left out on purpose: what one server counts ([`catalogue`](crate::catalogue) says how its rows are made).

use std::time::{SystemTime, UNIX_EPOCH};

use metrics::{counter, gauge};
use metrics_process::Collector;

use crate::catalogue::{Figure, FigureKind, Section};

/// Which release this is.
const BUILD: &str = "remora_build_info";
/// How often the configuration was read anew.
const RELOADS: &str = "remora_reloads_total";
/// When it was read that holds.
const LOADED: &str = "remora_configuration_loaded_seconds";
/// Handshakes that failed.
pub(crate) const TLS_REFUSED: &str = "remora_tls_refused_total";
/// When the certificate expires.
pub(crate) const TLS_EXPIRES: &str = "remora_tls_certificate_expires_seconds";

/// Every figure that all servers publish.
pub(crate) static SHARED: &[Section] = &[
    Section {
        title: "Configuration",
        figures: &[
            row(
                BUILD,
                FigureKind::Gauge,
                &["version"],
                "1, of the release that its label names.",
            ),
            row(
                RELOADS,
                FigureKind::Counter,
                &["result"],
                "Times that the configuration was read anew, by this process or by one that was to replace it, by what came of it: \
                 taken; partly (the rest waits for a restart); or faulty (nothing changed: the log says why).",
            ),
            row(
                LOADED,
                FigureKind::Gauge,
                &[],
                "When the configuration that holds was read, in seconds since 1970.",
            ),
        ],
    },
    Section {
        title: "TLS between servers, and of operators",
        figures: &[
            row(
                TLS_EXPIRES,
                FigureKind::Gauge,
                &[],
                "When this process's own certificate expires, in seconds since 1970; absent without TLS.",
            ),
            row(
                TLS_REFUSED,
                FigureKind::Counter,
                &["reason"],
                "Connections that ended in the handshake, by reason; absent while there were none.",
            ),
        ],
    },
    Section {
        title: "Process",
        figures: &[
            row(
                "process_start_time_seconds",
                FigureKind::Gauge,
                &[],
                "When the process began, in seconds since 1970.",
            ),
            row(
                "process_cpu_seconds_total",
                FigureKind::Counter,
                &[],
                "Time of processors that it used, its own and the system's for it.",
            ),
            row(
                "process_resident_memory_bytes",
                FigureKind::Gauge,
                &[],
                "Memory that it occupies.",
            ),
            row(
                "process_virtual_memory_bytes",
                FigureKind::Gauge,
                &[],
                "Memory that it has reserved.",
            ),
            row(
                "process_virtual_memory_max_bytes",
                FigureKind::Gauge,
                &[],
                "Memory that it may reserve at most; 0 for any amount.",
            ),
            row(
                "process_open_fds",
                FigureKind::Gauge,
                &[],
                "Descriptors that are open: files and sockets.",
            ),
            row(
                "process_max_fds",
                FigureKind::Gauge,
                &[],
                "Descriptors that it may have open at most.",
            ),
            row("process_threads", FigureKind::Gauge, &[], "Its threads."),
        ],
    },
];

/// A row in one line.
const fn row(
    name: &'static str,
    kind: FigureKind,
    labels: &'static [&'static str],
    about: &'static str,
) -> Figure {
    Figure {
        name,
        kind,
        labels,
        about,
    }
}

/// What came of reading the configuration anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reload {
    /// All of it holds.
    Taken,
    /// Some of it waits for a restart.
    Partly,
    /// Nothing of it holds.
    Faulty,
}

impl Reload {
    /// All of them.
    const ALL: [Reload; 3] = [Reload::Taken, Reload::Partly, Reload::Faulty];

    fn as_str(self) -> &'static str {
        match self {
            Reload::Taken => "taken",
            Reload::Partly => "partly",
            Reload::Faulty => "faulty",
        }
    }
}

/// Says once which release this is, and that its configuration was read a moment ago.
pub(crate) fn begin() {
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    for result in Reload::ALL {
        counter!(RELOADS, "result" => result.as_str()).increment(0);
    }
    loaded_now();
}

/// The configuration was read anew.
pub(crate) fn reloaded(result: Reload) {
    counter!(RELOADS, "result" => result.as_str()).increment(1);
    if result != Reload::Faulty {
        loaded_now();
    }
}

#[expect(clippy::disallowed_methods, reason = "people and alerts read it")]
fn loaded_now() {
    // A clock before 1970 is shown as 1970.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    gauge!(LOADED).set(since.as_secs_f64().round());
}

/// Reads what the operating system knows; some files in `/proc`.
pub(crate) fn sample() {
    Collector::default().collect();
}

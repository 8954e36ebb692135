//! From what was written to what holds. Every fault is collected, so that one edit can cure all that one start reports.

mod pools;
mod routes;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use remora_policy::RetryLimits;
use remora_process::config::{Faults, Source, Spanned};

use super::file::{ControlTable, File, LimitsTable, ListenTable, RetryTable};
use super::report::Report;
use super::{CONTROL_ADDRESS, Config, Limits, LogTarget, Network, PoolConfig, Trust};

/// Shortest and longest period that makes sense anywhere: below a millisecond nothing is measured, a day is for ever.
const PERIOD: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(86_400);
/// Most threads: beyond the cores of any machine it is a slip of the pen.
const THREADS: RangeInclusive<usize> = 1..=256;
/// Bytes of buffers and heads: from what a browser needs to what a connection may cost.
const BYTES: RangeInclusive<usize> = 1_024..=16 * 1_024 * 1_024;
/// Counts of fields and connections.
const COUNT: RangeInclusive<usize> = 1..=1_000_000;

/// Turns a file into what holds.
pub(super) fn check(source: &Source, file: File) -> Result<Config, Faults> {
    let mut report = Report::on(source);
    let listen = report.listeners(&file.listen);
    let control = report.control(file.control.as_ref());
    let threads = file.threads.map_or_else(default_threads, |threads| {
        report.within("threads", &threads, THREADS)
    });
    let trust = report.trust(&file.trust);
    let limits = report.limits(file.limits, file.retry);
    let pools: Vec<PoolConfig> = file
        .pool
        .iter()
        .map(|(name, pool)| report.pool(name, pool))
        .collect();
    if pools.is_empty() {
        report.fault_of_file("no pool is configured: add [pool.NAME] with at least one [[pool.NAME.member]]");
    }
    let routes = report.routes(&file.route, &pools);
    let access_log = match file.access_log {
        None => LogTarget::Stdout,
        Some(path) => match path.to_str() {
            Some("stdout") => LogTarget::Stdout,
            Some("stderr") => LogTarget::Stderr,
            Some("off") => LogTarget::Off,
            _ => LogTarget::File(path),
        },
    };
    report.or(Config {
        listen,
        control,
        threads,
        trust,
        access_log,
        limits,
        pools,
        routes,
    })
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Report<'_> {
    fn listeners(&mut self, listeners: &[ListenTable]) -> Vec<SocketAddr> {
        if listeners.is_empty() {
            self.fault_of_file("no listener is configured: add [[listen]] with bind = \"IP:PORT\"");
        }
        let mut addresses = Vec::new();
        for listener in listeners {
            let address = *listener.bind.get_ref();
            if address.port() != 0 && addresses.contains(&address) {
                self.fault(
                    listener.bind.span(),
                    format!("{address} is bound twice: remove one [[listen]]"),
                );
            }
            if let Some(tls) = &listener.tls {
                self.fault(
                    tls.span(),
                    "tls is not served yet: remove it, and end TLS in front of the proxy",
                );
            }
            addresses.push(address);
        }
        addresses
    }

    fn control(&mut self, control: Option<&ControlTable>) -> SocketAddr {
        let Some(control) = control else {
            return CONTROL_ADDRESS.parse().expect("the constant is an address");
        };
        let address = *control.bind.get_ref();
        if !address.ip().is_loopback() && !control.allow_plaintext {
            let sentence = format!(
                "control on {address} lets everybody who reaches it drain upstreams: bind it to the loopback, or add allow_plaintext = true"
            );
            self.fault(control.bind.span(), sentence);
        }
        address
    }

    fn trust(&mut self, trust: &[Spanned<String>]) -> Trust {
        let mut networks = Vec::new();
        for network in trust {
            match network.get_ref().parse::<Network>() {
                Ok(parsed) => networks.push(parsed),
                Err(sentence) => self.fault(network.span(), sentence),
            }
        }
        Trust { networks }
    }

    fn limits(&mut self, table: LimitsTable, retry: RetryTable) -> Limits {
        let mut limits = Limits::default();
        let periods = [
            ("connect", table.connect, &mut limits.connect),
            ("response", table.response, &mut limits.response),
            ("idle", table.idle, &mut limits.idle),
            ("request_head", table.request_head, &mut limits.request_head),
            ("client_idle", table.client_idle, &mut limits.client_idle),
            ("upstream_idle", table.upstream_idle, &mut limits.upstream_idle),
            ("stop", table.stop, &mut limits.stop),
        ];
        for (key, given, limit) in periods {
            if let Some(given) = given {
                *limit = self.period(key, &given, PERIOD);
            }
        }
        let sizes = [
            (
                "request_head_bytes",
                table.request_head_bytes,
                &mut limits.request_head_bytes,
                BYTES,
            ),
            (
                "target_bytes",
                table.target_bytes,
                &mut limits.target_bytes,
                BYTES,
            ),
            (
                "replay_bytes",
                table.replay_bytes,
                &mut limits.replay_bytes,
                0..=*BYTES.end(),
            ),
            (
                "request_fields",
                table.request_fields,
                &mut limits.request_fields,
                COUNT,
            ),
            ("connections", table.connections, &mut limits.connections, COUNT),
            (
                "upstream_connections_idle",
                table.upstream_connections_idle,
                &mut limits.upstream_connections_idle,
                0..=*COUNT.end(),
            ),
        ];
        for (key, given, limit, range) in sizes {
            if let Some(given) = given {
                *limit = self.within(key, &given, range);
            }
        }
        limits.retry = self.retry(retry);
        limits
    }

    fn retry(&mut self, table: RetryTable) -> RetryLimits {
        let mut limits = RetryLimits::default();
        let counts = [
            ("attempts", table.attempts, &mut limits.attempts, 1..=16),
            ("percent", table.percent, &mut limits.percent, 0..=100),
            (
                "per_second",
                table.per_second,
                &mut limits.per_second,
                0..=100_000,
            ),
            ("burst", table.burst, &mut limits.burst, 1..=1_000_000),
        ];
        for (key, given, limit, range) in counts {
            if let Some(given) = given {
                *limit = self.within(key, &given, range);
            }
        }
        limits
    }
}

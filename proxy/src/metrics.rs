//! The figures that the proxy publishes on `/metrics`: every name and what it means, which docs/metrics.md says too, and how it
//! is counted.
//!
//! What each exchange counts is in `pools`, in cells of each thread's own. The rest is rarer, and counted by the recorder of
//! this process; a handle is looked up once, never per request. Written by the shell, never read by logic.
//!
//! Left out on purpose: per-user or per-path figures; they belong into the access log. Session ids appear nowhere.

mod pools;

use std::cell::RefCell;

use metrics::{Counter, Gauge, counter, gauge};
use remora_policy::Belief;
use remora_process::figures;

pub(crate) use pools::{PoolCells, PoolFigures, render};

figures! {
    "Exchanges" {
        /// Exchanges by the class of the status that the client got; a 101 counts as 1xx.
        EXCHANGES = Counter "remora_proxy_exchanges_total" (pool, class);
        /// Time from the head of a request to the head of its answer, all attempts together.
        HEAD_SECONDS = Histogram "remora_proxy_response_head_seconds" (pool);
        /// Choices of an upstream: sticky, by the route of the request; moved, to its stand-in; fresh, for a new user; or none,
        /// when nobody was left.
        PICKS = Counter "remora_proxy_picks_total" (pool, pick);
        /// Attempts that failed and were followed by another.
        REPEATS = Counter "remora_proxy_repeats_total" (pool);
        /// Answers that named an upstream's own address under a path that no route publishes: their clients cannot follow.
        UNPUBLISHED = Counter "remora_proxy_unpublished_locations_total" (pool);
        /// 1 while the pool is under maintenance, 0 otherwise.
        MAINTENANCE = Gauge "remora_proxy_pool_maintenance" (pool);
        /// Requests that were refused before a pool was known, by the status that the client got and the reason.
        REFUSED = Counter "remora_proxy_refused_requests_total" (status, reason);
    }
    "Upstreams" {
        /// What is believed of an upstream: 1 up, 0.5 unknown or leaving, 0 down.
        HEALTH = Gauge "remora_proxy_upstream_health" (pool, route, url);
        /// 1 while an operator drains the upstream, or lets its users finish.
        DRAINING = Gauge "remora_proxy_upstream_draining" (pool, route, url);
        /// Attempts that failed.
        FAILURES = Counter "remora_proxy_attempt_failures_total" (pool, route);
        /// Answers that were refused because they are framed wrongly or too large, by reason. Absent while there were none.
        REFUSED_ANSWERS = Counter "remora_proxy_refused_answers_total" (pool, route, reason);
    }
    "Clients" {
        /// Clients that are connected.
        CLIENTS = Gauge "remora_proxy_client_connections" ();
        /// Connections that were refused before a request was read, by reason: too many from one address, or something about
        /// their PROXY header or their TLS. Absent while there were none.
        REFUSED_CONNECTIONS = Counter "remora_proxy_refused_connections_total" (reason);
        /// Connections that rested and were closed in favour of new clients.
        GAVE_WAY = Counter "remora_proxy_connections_gave_way_total" ();
        /// Clients that had to wait because all that were connected were at work.
        WAITED = Counter "remora_proxy_clients_waited_total" ();
        /// Clients that were too slow, at sending a request or at taking an answer.
        SLOW = Counter "remora_proxy_slow_clients_total" (at);
    }
    "This process" {
        /// When a certificate that clients are shown expires, in seconds since 1970. Absent without TLS.
        CERTIFICATE_EXPIRES = Gauge "remora_proxy_certificate_expires_seconds" (listen, name);
        /// Number of the current snapshot of upstreams and configuration; it rises with every change.
        GENERATION = Gauge "remora_proxy_snapshot_generation" ();
        /// Connections of operators, scrapers and load balancers.
        CONTROL_CONNECTIONS = Gauge "remora_proxy_control_connections" ();
        /// Lines of the access log that were dropped because the disk was behind.
        LOG_LINES_DROPPED = Counter "remora_proxy_access_log_lines_dropped_total" ();
    }
}

/// Requests that were refused before a pool was known, as one thread counts them: a handle for each status and reason that
/// it has met.
///
/// Left out on purpose: a bound. Reasons are words of this program, a few dozen.
#[derive(Default)]
pub(crate) struct Refusals {
    met: RefCell<Vec<(u16, &'static str, Counter)>>,
}

impl Refusals {
    /// One more for this reason, a word; its client got this status.
    pub(crate) fn count(&self, reason: &'static str, status: u16) {
        let mut met = self.met.borrow_mut();
        let known = met
            .iter()
            .position(|known| (known.0, known.1) == (status, reason));
        let known = known.unwrap_or_else(|| {
            let counter = counter!(REFUSED, "status" => status.to_string(), "reason" => reason);
            met.push((status, reason, counter));
            met.len() - 1
        });
        met[known].2.increment(1);
    }
}

/// Whether a pool is under maintenance.
pub(crate) fn maintenance_gauge(pool: &str) -> Gauge {
    gauge!(MAINTENANCE, "pool" => pool.to_owned())
}

/// Handles of one upstream, owned by the directory.
pub(crate) struct UpstreamMetrics {
    health: Gauge,
    draining: Gauge,
}

impl UpstreamMetrics {
    pub(crate) fn new(pool: &str, route: &str, authority: &str) -> UpstreamMetrics {
        let gauge = |name: &'static str| {
            let url = format!("http://{authority}");
            gauge!(name, "pool" => pool.to_owned(), "route" => route.to_owned(), "url" => url)
        };
        UpstreamMetrics {
            health: gauge(HEALTH),
            draining: gauge(DRAINING),
        }
    }

    /// The upstream is no more. Figures cannot be taken back; 0 is what an alert on `== 1` and a sum expect.
    pub(crate) fn clear(&self) {
        self.health.set(0.0);
        self.draining.set(0.0);
    }

    pub(crate) fn set(&self, belief: Belief, draining: bool) {
        self.health.set(match belief {
            Belief::Up => 1.0,
            Belief::Unknown | Belief::Leaving => 0.5,
            Belief::Down => 0.0,
        });
        self.draining.set(if draining { 1.0 } else { 0.0 });
    }
}

#[cfg(test)]
mod tests {
    use remora_process::catalogue::{page, with_part};

    use super::*;

    /// `UPDATE_GOLDENFILES=1 cargo test -p remora-proxy the_page` writes the part anew.
    #[test]
    fn the_page_says_what_the_rows_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        let written = std::fs::read_to_string(path).unwrap();
        let page = with_part(&written, "proxy", &page(FIGURES)).unwrap();
        if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert!(written == page, "docs/metrics.md differs: write it anew");
    }
}

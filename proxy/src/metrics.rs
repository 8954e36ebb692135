//! The figures that the proxy publishes on `/metrics`: every name, and how it is counted.
//!
//! What each exchange counts is in `pools`, in cells of each thread's own. The rest is rarer, and counted by the recorder of
//! this process; a handle is looked up once, never per request. Written by the shell, never read by logic.
//!
//! Left out on purpose: per-user or per-path figures; they belong into the access log. Session ids appear nowhere.

mod pools;

use std::cell::RefCell;

use metrics::{Counter, Gauge, counter, gauge};
use remora_policy::Belief;

pub(crate) use pools::{PoolCells, PoolFigures, render};

/// Exchanges by pool and class of the status that the client got (`2xx` ...).
pub(crate) const EXCHANGES: &str = "remora_proxy_exchanges_total";
/// Seconds from the request head to the response head, by pool.
pub(crate) const HEAD_SECONDS: &str = "remora_proxy_response_head_seconds";
/// Picks by pool and kind: sticky, moved, fresh, none.
pub(crate) const PICKS: &str = "remora_proxy_picks_total";
/// Attempts that were followed by another, by pool.
pub(crate) const REPEATS: &str = "remora_proxy_repeats_total";
/// Attempts that failed, by pool and route.
pub(crate) const FAILURES: &str = "remora_proxy_attempt_failures_total";
/// Answers that were refused because they are framed wrongly or too large, by pool, route and reason.
pub(crate) const REFUSED_ANSWERS: &str = "remora_proxy_refused_answers_total";
/// What is believed of an upstream: 1 up, 0.5 unknown or leaving, 0 down or no longer configured; by pool and route.
pub(crate) const HEALTH: &str = "remora_proxy_upstream_health";
/// Whether an operator drains an upstream: 1 or 0; by pool and route.
pub(crate) const DRAINING: &str = "remora_proxy_upstream_draining";
/// Answers that named an upstream's own address under a path that no route publishes, by pool.
pub(crate) const UNPUBLISHED: &str = "remora_proxy_unpublished_locations_total";
/// Number of the current snapshot.
pub(crate) const GENERATION: &str = "remora_proxy_snapshot_generation";
/// Clients connected now.
pub(crate) const CLIENTS: &str = "remora_proxy_client_connections";
/// Connections that rested and were closed in favour of new clients.
pub(crate) const GAVE_WAY: &str = "remora_proxy_connections_gave_way_total";
/// Clients that had to wait because all that were connected were at work.
pub(crate) const WAITED: &str = "remora_proxy_clients_waited_total";
/// Clients that were too slow, at sending a request or at taking an answer.
pub(crate) const SLOW: &str = "remora_proxy_slow_clients_total";
/// Requests refused before a pool was known, by status and reason.
pub(crate) const REFUSED: &str = "remora_proxy_refused_requests_total";
/// Connections that were refused before a request was read, by reason: too many from one address, or something about their
/// PROXY header or their TLS.
pub(crate) const REFUSED_CONNECTIONS: &str = "remora_proxy_refused_connections_total";
/// When a certificate that clients are shown expires, in seconds since 1970; by listener and name.
pub(crate) const CERTIFICATE_EXPIRES: &str = "remora_proxy_certificate_expires_seconds";
/// Access log lines that were dropped because the writer was behind.
pub(crate) const LOG_LINES_DROPPED: &str = "remora_proxy_access_log_lines_dropped_total";

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

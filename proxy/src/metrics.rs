//! The figures that the proxy publishes on `/metrics`: every name and what it means, which docs/metrics.md says too, and how it
//! is counted.
//!
//! What each exchange counts is in `pools` and `upstreams`, in cells of each thread's own, and `page` adds them up when somebody
//! asks. The rest is rarer, and counted by the recorder of this process; a handle is looked up once, never per request. Written
//! by the shell, never read by logic.
//!
//! Left out on purpose: per-user or per-path figures; they belong into the access log. Session ids appear nowhere.

mod gone;
mod histogram;
mod page;
mod pools;
mod upstreams;

use std::cell::RefCell;

use metrics::{Counter, Gauge, counter, gauge};
use remora_process::figures;

pub(crate) use gone::Gone;
pub(crate) use page::{FollowedFigures, render, render_followed};
pub(crate) use pools::{PoolCells, PoolFigures};
pub(crate) use upstreams::UpstreamCells;

/// Where clients are too slow.
const SLOW_AT: [&str; 2] = ["request", "answer"];

figures! {
    "Exchanges, by pool" {
        /// Exchanges by the class of the status that the client got; a 101 counts as 1xx.
        EXCHANGES = Counter "remora_proxy_exchanges_total" (pool, class);
        /// How exchanges ended: complete; client-gone, before its answer was whole; upstream-cut, in the middle of an answer;
        /// too-slow, the client; or tunnel, whoever ended it.
        ENDS = Counter "remora_proxy_exchange_ends_total" (pool, end);
        /// Time from the head of a request to the head of its answer, all attempts together.
        HEAD_SECONDS = Histogram "remora_proxy_response_head_seconds" (pool);
        /// Choices of an upstream: sticky, by the route of the request; moved, to its stand-in; fresh, for a new user; or none,
        /// when nobody was left.
        PICKS = Counter "remora_proxy_picks_total" (pool, pick);
        /// Attempts by the tier in which their upstream stood. In panic and frozen nobody was believed to answer, and beliefs
        /// were ignored.
        TIER_ATTEMPTS = Counter "remora_proxy_tier_attempts_total" (pool, tier);
        /// 1 for the tier in which the pool's members are asked now, 0 for the others: open, unknown, standby, leaving,
        /// drained, panic, frozen. All are 0 where nobody is to be asked.
        TIER = Gauge "remora_proxy_pool_tier" (pool, tier);
        /// Attempts that failed and were followed by another.
        REPEATS = Counter "remora_proxy_repeats_total" (pool);
        /// Answers that named an upstream's own address under a path that no route publishes: their clients cannot follow.
        UNPUBLISHED = Counter "remora_proxy_unpublished_locations_total" (pool);
        /// Answers of this proxy's own, by the status that the client got and the reason: requests that were refused, clients
        /// that were sent to https, and what stands in an upstream's place. The pool is empty where none was known. Absent
        /// while there were none.
        OWN_ANSWERS = Counter "remora_proxy_own_answers_total" (pool, status, reason);
        /// 1 while the pool is under maintenance, 0 otherwise.
        MAINTENANCE = Gauge "remora_proxy_pool_maintenance" (pool);
    }
    "Upstreams" {
        /// What is believed of an upstream: 1 up, 0.5 unknown or leaving, 0 down. Absent once no pool has it.
        HEALTH = Gauge "remora_proxy_upstream_health" (pool, route, url);
        /// 1 for what is believed of an upstream now, 0 for the others: unknown, up, leaving, down.
        BELIEF = Gauge "remora_proxy_upstream_belief" (pool, route, url, belief);
        /// Upstreams of the pool that announced themselves to the store. Absent where the pool discovers none.
        DISCOVERED = Gauge "remora_proxy_discovered_upstreams" (pool);
        /// Tomcats that announced themselves for the pool and are no upstreams of it: outside discovery.allow, or what else the log
        /// says. Absent as above.
        REFUSED_ANNOUNCEMENTS = Gauge "remora_proxy_refused_announcements" (pool);
        /// 1 while an operator drains the upstream, or lets its users finish.
        DRAINING = Gauge "remora_proxy_upstream_draining" (pool, route, url);
        /// Its share of new users, relative to the others of its pool.
        WEIGHT = Gauge "remora_proxy_upstream_weight" (pool, route, url);
        /// Attempts that have begun and not ended, tunnels not among them.
        IN_FLIGHT = Gauge "remora_proxy_upstream_attempts_in_flight" (pool, route, url);
        /// WebSockets that are open.
        TUNNELS = Gauge "remora_proxy_upstream_tunnels" (pool, route, url);
        /// Answers by the class of the status that the upstream gave; a 101 counts as 1xx. Those of upstreams that declined are
        /// failures of their attempts and not among these, also where clients got them.
        ANSWERS = Counter "remora_proxy_upstream_answers_total" (pool, route, class);
        /// Time from the moment at which a request may go out to the head of the upstream's answer.
        ANSWER_SECONDS = Histogram "remora_proxy_upstream_response_head_seconds" (pool, route);
        /// Time to a new connection, TLS's handshake included where the upstream speaks it; those that were not made are failures.
        CONNECT_SECONDS = Histogram "remora_proxy_upstream_connect_seconds" (pool, route);
        /// Attempts that failed, by cause, and by whether a byte of the request was sent: what was sent may have had an effect.
        /// Answers that were cut are among them.
        FAILURES = Counter "remora_proxy_attempt_failures_total" (pool, route, cause, sent);
        /// Attempts that followed a failed one, by where they went.
        UPSTREAM_REPEATS = Counter "remora_proxy_upstream_repeats_total" (pool, route);
        /// Answers that were refused because they are framed wrongly or too large, by reason. Absent while there were none.
        REFUSED_ANSWERS = Counter "remora_proxy_refused_answers_total" (pool, route, reason);
        /// Bytes of requests' content, and of WebSockets, that went to the upstream.
        SENT_BYTES = Counter "remora_proxy_upstream_sent_bytes_total" (pool, route);
        /// Bytes of answers' content, and of WebSockets, that came from the upstream and went to clients.
        RECEIVED_BYTES = Counter "remora_proxy_upstream_received_bytes_total" (pool, route);
        /// Connections that attempts were given: kept, which had served before, or new.
        CONNECTIONS = Counter "remora_proxy_upstream_connections_total" (pool, route, from);
        /// Connections that are kept and rest.
        RESTING = Gauge "remora_proxy_upstream_connections_idle" (pool, route);
        /// Kept connections that the upstream closed while they rested: many of them mean that its keep-alive timeout is below
        /// limits.upstream_idle.
        CLOSED = Counter "remora_proxy_upstream_connections_closed_total" (pool, route);
    }
    "Clients" {
        /// Connections that were accepted, refused ones included.
        ACCEPTED = Counter "remora_proxy_connections_accepted_total" ();
        /// Clients that are connected.
        CLIENTS = Gauge "remora_proxy_client_connections" ();
        /// Clients that may be connected at a time (limits.connections).
        CLIENTS_LIMIT = Gauge "remora_proxy_client_connections_limit" ();
        /// Clients that were accepted and wait for a place, because all that are connected are at work. More may wait in the
        /// kernel.
        CLIENTS_WAITING = Gauge "remora_proxy_clients_waiting" ();
        /// Clients that had to wait so.
        WAITED = Counter "remora_proxy_clients_waited_total" ();
        /// Connections that rested and were closed in favour of new clients.
        GAVE_WAY = Counter "remora_proxy_connections_gave_way_total" ();
        /// Connections that were refused before a request was read, by reason: too many from one address, or something about
        /// their PROXY header or their TLS. Absent while there were none.
        REFUSED_CONNECTIONS = Counter "remora_proxy_refused_connections_total" (reason);
        /// Clients that were too slow, at sending a request or at taking an answer.
        SLOW = Counter "remora_proxy_slow_clients_total" (at);
        /// HTTP/2 connections that were ended because they brought too many frames that bring nothing, by the kind of frame. Absent
        /// while there were none.
        FLOODS = Counter "remora_proxy_http2_floods_total" (reason);
    }
    "Discovery" {
        /// 1 while the store tells that the view of its registry stands, 0 while the last one has to do. This and the figures below are
        /// absent where the file asks for no discovery.
        STORE_FOLLOWED = Gauge "remora_proxy_store_followed" ();
        /// Version of the view of the store's registry by which this proxy serves. Two proxies of one cluster that differ for long do not
        /// agree on who serves.
        VIEW_VERSION = Gauge "remora_proxy_view_version" ();
        /// Seconds since the store last said something. Absent while it has not since this process began.
        STORE_SILENT = Gauge "remora_proxy_store_silent_seconds" ();
        /// What operators wished here while the store was away, and other proxies do not know.
        UNTOLD = Gauge "remora_proxy_wishes_untold" ();
    }
    "This proxy" {
        /// When a certificate that clients are shown expires, in seconds since 1970; of several with one name the first that does.
        /// Absent without TLS.
        CERTIFICATE_EXPIRES = Gauge "remora_proxy_certificate_expires_seconds" (listen, name);
        /// When the certificate expires that a pool's members are shown, in seconds since 1970. Absent where they are shown none.
        OWN_CERTIFICATE_EXPIRES = Gauge "remora_proxy_pool_certificate_expires_seconds" (pool, name);
        /// 1; the label has the first twelve digits of the SHA-256 of the file that was read last, as sha256sum and --check
        /// tell them.
        CONFIGURATION = Gauge "remora_proxy_configuration_info" (hash);
        /// Number of the current snapshot of upstreams and configuration; it rises with every change.
        GENERATION = Gauge "remora_proxy_snapshot_generation" ();
        /// Repeats that the threads may still make of requests that may have had an effect, over all of them. At 0 such failures
        /// reach the clients.
        RETRY_TOKENS = Gauge "remora_proxy_retry_tokens" ();
        /// Connections of operators, scrapers and load balancers.
        CONTROL_CONNECTIONS = Gauge "remora_proxy_control_connections" ();
        /// Lines of the access log that were dropped because the disk was behind.
        LOG_LINES_DROPPED = Counter "remora_proxy_access_log_lines_dropped_total" ();
    }
}

/// Answers of our own, as one thread counts them: a handle for each pool, status and reason that it has met.
///
/// Left out on purpose: a bound. Pools are those of the configuration, and reasons words of this program, a few dozen.
#[derive(Default)]
pub(crate) struct OwnAnswers {
    met: RefCell<Vec<MetAnswer>>,
}

struct MetAnswer {
    pool: Box<str>,
    status: u16,
    reason: &'static str,
    counter: Counter,
}

impl OwnAnswers {
    /// One more for this reason, a word; its client got this status. The pool is empty where none is known.
    pub(crate) fn count(&self, pool: &str, reason: &'static str, status: u16) {
        let mut met = self.met.borrow_mut();
        let known = met
            .iter()
            .position(|known| (known.status, known.reason, &*known.pool) == (status, reason, pool));
        let known = known.unwrap_or_else(|| {
            let labels = (pool.to_owned(), status.to_string());
            met.push(MetAnswer {
                pool: pool.into(),
                status,
                reason,
                counter: counter!(OWN_ANSWERS, "pool" => labels.0, "status" => labels.1, "reason" => reason),
            });
            met.len() - 1
        });
        met[known].counter.increment(1);
    }
}

/// Shows what is counted seldom, from its beginning: an alert cannot tell what never happened from what is not counted.
pub(crate) fn begin() {
    for name in [GAVE_WAY, WAITED, LOG_LINES_DROPPED] {
        counter!(name).increment(0);
    }
    for at in SLOW_AT {
        counter!(SLOW, "at" => at).increment(0);
    }
    for name in [CLIENTS, CLIENTS_WAITING] {
        gauge!(name).increment(0.0);
    }
}

/// A client that waits for a place, until this is dropped.
pub(crate) struct WaitingClient(Gauge);

impl WaitingClient {
    /// It begins to wait.
    pub(crate) fn begins() -> Self {
        counter!(WAITED).increment(1);
        let waiting = gauge!(CLIENTS_WAITING);
        waiting.increment(1.0);
        Self(waiting)
    }
}

impl Drop for WaitingClient {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use remora_process::catalogue::is_told;

    use super::*;

    /// `UPDATE_GOLDENFILES=1 cargo test -p remora-proxy the_page` writes the part anew.
    #[test]
    fn the_page_says_what_the_rows_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        let told = is_told(path.as_ref(), "proxy", FIGURES).unwrap();
        assert!(told, "docs/metrics.md differs: write it anew");
    }
}

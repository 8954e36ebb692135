//! The figures that the proxy publishes on `/metrics`: every name, and handles that cost one atomic to use.
//!
//! A handle is looked up once, when a snapshot is made, never per request. Written by the shell, never read by logic.
//!
//! Left out on purpose: per-user or per-path figures; they belong into the access log. Session ids appear nowhere.

use std::sync::{Arc, Once};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use remora_policy::Belief;

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
/// Requests refused before a pool was known, by status.
pub(crate) const REFUSED: &str = "remora_proxy_refused_requests_total";
/// Connections that were refused for their PROXY header, or for the lack of one, by reason.
pub(crate) const REFUSED_CONNECTIONS: &str = "remora_proxy_refused_connections_total";
/// Access log lines that were dropped because the writer was behind.
pub(crate) const LOG_LINES_DROPPED: &str = "remora_proxy_access_log_lines_dropped_total";

/// Handles of one pool.
#[derive(Clone)]
pub(crate) struct PoolMetrics {
    classes: [Counter; 5],
    picks: [(&'static str, Counter); 4],
    /// Seconds from the request head to the response head.
    pub(crate) head_seconds: Histogram,
    /// Attempts that were followed by another.
    pub(crate) repeats: Counter,
    unpublished: Counter,
    /// Whether somebody was told of the first.
    told: Arc<Once>,
}

impl PoolMetrics {
    /// The handles of the pool with this name.
    #[must_use]
    pub(crate) fn new(pool: &str) -> PoolMetrics {
        let class = |class: &'static str| counter!(EXCHANGES, "pool" => pool.to_owned(), "class" => class);
        let pick = |kind: &'static str| (kind, counter!(PICKS, "pool" => pool.to_owned(), "pick" => kind));
        PoolMetrics {
            classes: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(class),
            picks: ["sticky", "moved", "fresh", "none"].map(pick),
            head_seconds: histogram!(HEAD_SECONDS, "pool" => pool.to_owned()),
            repeats: counter!(REPEATS, "pool" => pool.to_owned()),
            unpublished: counter!(UNPUBLISHED, "pool" => pool.to_owned()),
            told: Arc::new(Once::new()),
        }
    }

    /// An answer sent its client to an upstream's own address. Told once: the figure says how often.
    pub(crate) fn unpublished(&self, pool: &str) {
        self.unpublished.increment(1);
        self.told.call_once(|| {
            tracing::warn!(
                pool,
                "an answer names an upstream's own address under a path that no route publishes: its client cannot follow; \
                 add a route for the path, or mend the link"
            );
        });
    }

    /// The client got this status; 101 counts as 1xx.
    pub(crate) fn answered(&self, status: u16) {
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(counter) = self.classes.get(class) {
            counter.increment(1);
        }
    }

    /// An upstream was picked in this way ([`Pick::as_str`](remora_policy::Pick::as_str)).
    pub(crate) fn picked(&self, kind: &str) {
        if let Some((_, counter)) = self.picks.iter().find(|(known, _)| *known == kind) {
            counter.increment(1);
        }
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

//! Every bound that an owner may set, with its default and the reason for it.

use std::time::Duration;

use remora_policy::RetryLimits;

/// Bounds on clients, upstreams and requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long a connect to an upstream may take. 1 s: a local network answers within milliseconds, and one lost SYN
    /// is sent again after a second.
    pub(crate) connect: Duration,
    /// Deadline for the response head, over all attempts. 60 s, as in other proxies.
    pub(crate) response: Duration,
    /// How long a body or a tunnel may rest, in either direction. 60 s, as in other proxies.
    pub(crate) idle: Duration,
    /// How long a new client may take to send its first request head. 30 s: slow links pass, held connections do not.
    pub(crate) request_head: Duration,
    /// How long a client's connection may rest between requests, the time for the next head included. 75 s, above the
    /// 60 s of common load balancers. Where `request_head` is longer it counts here too.
    pub(crate) client_idle: Duration,
    /// How long a connection to an upstream may rest. 15 s, below the 20 s after which Tomcat closes it.
    pub(crate) upstream_idle: Duration,
    /// How long requests may go on after SIGTERM. 30 s: the grace period of common supervisors.
    pub(crate) stop: Duration,
    /// Bytes of a request head. 16 KiB: twice what Tomcat takes by default.
    pub(crate) request_head_bytes: usize,
    /// Fields of a request head. 100, as in other servers.
    pub(crate) request_fields: usize,
    /// Bytes of a request target. 8 KiB.
    pub(crate) target_bytes: usize,
    /// Bytes of a request body that are kept so that it can be sent again. 64 KiB: forms fit, uploads do not.
    pub(crate) replay_bytes: usize,
    /// Clients connected at a time, over all threads. 10,000. One that rests costs some KiB; one in the middle of large
    /// bodies both ways 320 KiB at worst (64 KiB for reading and for writing on either side, and `replay_bytes`), so if
    /// all of them are, 3.2 GB.
    pub(crate) connections: usize,
    /// Resting connections to one upstream, per thread. 64: more are only needed by bursts.
    pub(crate) upstream_connections_idle: usize,
    /// Bounds on repeating.
    pub(crate) retry: RetryLimits,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(1),
            response: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            request_head: Duration::from_secs(30),
            client_idle: Duration::from_secs(75),
            upstream_idle: Duration::from_secs(15),
            stop: Duration::from_secs(30),
            request_head_bytes: 16 * 1024,
            request_fields: 100,
            target_bytes: 8 * 1024,
            replay_bytes: 64 * 1024,
            connections: 10_000,
            upstream_connections_idle: 64,
            retry: RetryLimits::default(),
        }
    }
}

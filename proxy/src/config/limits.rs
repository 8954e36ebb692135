//! Every bound that an owner may set, one row for each: what it is for, its key, its kind, its default and its range.
//!
//! The macro makes of a row the field of [`Limits`], the key that may be written ([`LimitsTable`], [`RetryTable`]), its
//! check, its line of `--check` and its words in the page of keys. So no limit is known in one of these places and unknown
//! in another.
//!
//! Invariants: a default lies within its own range · a value out of range is a fault with its line, never cut to fit.
//!
//! Left out on purpose: bounds that nobody may set. They are constants beside what they bound.

use std::ops::RangeInclusive;
use std::time::Duration;

use remora_policy::{PaceLimits, RetryLimits};
use remora_process::config::{Period, Spanned};
use serde::Deserialize;

use super::keys::{Key, Kind, Section, Table, words};
use super::report::{Bound, Report};

/// Shortest and longest period that makes sense anywhere: below a millisecond nothing is measured.
pub(super) const PERIOD: RangeInclusive<Duration> = Duration::from_millis(1)..=DAY;
/// The longest of any period. 24 h: longer is for ever.
const DAY: Duration = Duration::from_secs(86_400);
/// Bytes of buffers and heads: from what a browser needs to what a connection may cost.
const BYTES: RangeInclusive<usize> = 1_024..=BYTES_MAX;
/// Most bytes of anything that is kept for one connection. 16 MiB.
const BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Counts of fields and connections.
const COUNT: RangeInclusive<usize> = 1..=COUNT_MAX;
/// Most of anything that is counted: beyond what one machine holds it is a slip of the pen.
const COUNT_MAX: usize = 1_000_000;

/// Fastest pace that may be asked of a client, in bytes per second. 16 MiB: more is asked of nobody's line.
const RATE_MAX: u32 = 16 * 1_024 * 1_024;

/// One limit as people see it.
pub(super) struct Row {
    /// The table of the file in which it is written.
    pub(super) table: &'static str,
    pub(super) key: &'static str,
    /// As it holds.
    pub(super) value: String,
    /// The least and the most that may be written.
    pub(super) range: (String, String),
    /// What it bounds, and why its default is what it is.
    pub(super) why: String,
    /// What is written behind the key.
    kind: String,
}

impl Row {
    fn key(self) -> Key {
        let (least, most) = self.range;
        let example = match self.kind == Period::kind() {
            true => format!("{:?}", self.value),
            false => self.value.clone(),
        };
        Key {
            name: self.key,
            kind: self.kind,
            default: Some(self.value),
            range: format!("{least} to {most}"),
            example,
            why: self.why,
        }
    }
}

/// The section of a table whose keys are all limits.
fn section(header: &'static str, why: &str) -> Vec<Section> {
    let rows = Limits::default().rows().into_iter();
    let own = rows.filter(|row| header.trim_matches(['[', ']']) == row.table);
    vec![Section {
        header,
        why: why.to_owned(),
        keys: own.map(Row::key).collect(),
    }]
}

impl Table for LimitsTable {
    fn sections(header: &'static str) -> Vec<Section> {
        section(header, "Bounds on clients, upstreams and requests.")
    }
}

impl Table for RetryTable {
    fn sections(header: &'static str) -> Vec<Section> {
        section(
            header,
            "How much may be repeated when Tomcats fail, so that repeats never become a load of their own.",
        )
    }
}

macro_rules! limits {
    (
        [limits] $( $(#[doc = $why:literal])+ $key:ident: $kind:ty = $default:expr, $range:expr; )+
        [retry] $( $(#[doc = $retry_why:literal])+ $retry_key:ident: $retry_kind:ty = $retry_default:expr, $retry_range:expr; )+
    ) => {
        /// Bounds on clients, upstreams and requests.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct Limits {
            $( $(#[doc = $why])+ pub(crate) $key: $kind, )+
            /// Bounds on repeating, per thread.
            pub(crate) retry: RetryLimits,
        }

        impl Default for Limits {
            fn default() -> Self {
                let retry = RetryLimits { $( $retry_key: $retry_default, )+ };
                Self { $( $key: $default, )+ retry }
            }
        }

        /// `[limits]`, as it may be written.
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct LimitsTable {
            $( $key: Option<Spanned<<$kind as Bound>::Written>>, )+
        }

        /// `[retry]`, as it may be written.
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct RetryTable {
            $( $retry_key: Option<Spanned<<$retry_kind as Bound>::Written>>, )+
        }

        impl Limits {
            /// What was written, and the defaults of what was not.
            pub(super) fn checked(limits: &LimitsTable, retry: &RetryTable, report: &mut Report<'_>) -> Self {
                let mut checked = Self::default();
                $( if let Some(written) = &limits.$key {
                    checked.$key = report.within(stringify!($key), written, $range);
                } )+
                $( if let Some(written) = &retry.$retry_key {
                    checked.retry.$retry_key = report.within(stringify!($retry_key), written, $retry_range);
                } )+
                checked
            }

            /// All limits, in the order of the table.
            pub(super) fn rows(&self) -> Vec<Row> {
                vec![
                    $( row("limits", stringify!($key), self.$key, &$range, &[$( $why ),+]), )+
                    $( row("retry", stringify!($retry_key), self.retry.$retry_key, &$retry_range, &[$( $retry_why ),+]), )+
                ]
            }
        }
    };
}

limits! {
    [limits]
    /// How long a connect to an upstream may take. 1 s: a local network answers within milliseconds, and one lost SYN
    /// is sent again after a second.
    connect: Duration = Duration::from_secs(1), PERIOD;
    /// Deadline for the response head, over all attempts. 60 s, as in other proxies.
    response: Duration = Duration::from_secs(60), PERIOD;
    /// How long a body or a tunnel may rest, in either direction. 60 s, as in other proxies.
    idle: Duration = Duration::from_secs(60), PERIOD;
    /// How long a new client may take to send its first request head, and any client for one that it has begun. 30 s: slow
    /// links pass, held connections do not.
    request_head: Duration = Duration::from_secs(30), PERIOD;
    /// How long a new client may take for the handshake of TLS. 10 s: three round trips, each lost once and sent again.
    handshake: Duration = Duration::from_secs(10), PERIOD;
    /// How long a client's connection may rest between requests. 75 s, above the 60 s of common load balancers.
    client_idle: Duration = Duration::from_secs(75), PERIOD;
    /// How long a connection to an upstream may rest. 15 s, below the 20 s after which Tomcat closes it.
    upstream_idle: Duration = Duration::from_secs(15), PERIOD;
    /// How long clients are still accepted after SIGTERM, while `/readyz` says no already and answers say `Connection: close`. 0 s:
    /// where a balancer asks `/readyz`, as long as it takes to notice, for example 5 s.
    announce: Duration = Duration::ZERO, Duration::ZERO..=DAY;
    /// How long requests may go on once nobody is accepted any more, after SIGTERM or because a successor serves. 30 s: the
    /// grace period of common supervisors. A second SIGTERM cuts them at once.
    stop: Duration = Duration::from_secs(30), PERIOD;
    /// How long WebSockets may go on once nobody is accepted any more; in its third quarter each is told to leave, with 1012, at a time
    /// of its own. 20 s: with 5 s of announce it is over before the 30 s of common supervisors.
    tunnel_stop: Duration = Duration::from_secs(20), PERIOD;
    /// How long WebSockets go on once an operator has drained their Tomcat or it was taken out. 10 s, and for each up to as much
    /// again: then it is closed with 1012, and a client that comes back finds another.
    tunnel_grace: Duration = Duration::from_secs(10), Duration::ZERO..=DAY;
    /// Bytes of a request head. 16 KiB: twice what Tomcat takes by default.
    request_head_bytes: usize = 16 * 1_024, BYTES;
    /// Fields of a request head. 100, as in other servers.
    request_fields: usize = 100, COUNT;
    /// Bytes of the head of an answer. 64 KiB: Tomcat's own default is 8 KiB, and applications raise it.
    answer_head_bytes: usize = 64 * 1_024, BYTES;
    /// Fields of the head of an answer. 1,000: nobody sends so many on purpose, and an answer that is refused was made for
    /// nothing.
    answer_fields: usize = 1_000, COUNT;
    /// Bytes of a request target. 8 KiB, as in other servers.
    target_bytes: usize = 8 * 1_024, BYTES;
    /// Bytes of a request body that are kept so that it can be sent again. 64 KiB: forms fit, uploads do not.
    replay_bytes: usize = 64 * 1_024, 0..=BYTES_MAX;
    /// Clients connected at a time, over all threads; beyond it those that have rested longest give way to new ones, and where
    /// all are at work new ones wait. 10,000. One that rests costs some KiB; one in the middle of large
    /// bodies both ways 320 KiB at worst (64 KiB for reading and for writing on either side, and replay_bytes), so if
    /// all of them are, 3.2 GB.
    connections: usize = 10_000, COUNT;
    /// Clients connected at a time from one address, or from one /64 of IPv6, over all threads; 0: as many as there is room
    /// for. Whoever is in `trust` is not counted, because it brings others; behind a balancer with PROXY headers the address
    /// counts that it names. 5,000, half of the room: one address never takes it all, and a company of 800 people with
    /// six connections each comes in.
    connections_per_address: usize = 5_000, 0..=COUNT_MAX;
    /// Requests that a client may have open at a time on one HTTP/2 connection. 100, as in other servers: a page with its images, and
    /// no more of a Tomcat's threads than a hundred connections would have.
    streams_per_connection: u32 = 100, 1..=10_000;
    /// Bytes in a second that a client must send of a request's body, while it is its turn; 0: any pace will do. 500, as in httpd:
    /// the worst phone line is faster. One that stays below gets 408.
    request_bytes_per_second: u32 = 500, 0..=RATE_MAX;
    /// Bytes in a second that a client must take of an answer, while it is its turn; 0: any pace will do. 500, as for
    /// requests. One that stays below is cut.
    answer_bytes_per_second: u32 = 500, 0..=RATE_MAX;
    /// How long a client may fall behind these before it is too slow. 60 s, as long as a body may rest: a phone in a tunnel
    /// comes back.
    client_grace: Duration = Duration::from_secs(60), PERIOD;
    /// How long a client may take for a request's body in all, while it is its turn (the head has request_head); 0: for ever. 6 h:
    /// 2 GiB at 100 KB/s, over the uplink of a slow line.
    request: Duration = Duration::from_secs(21_600), Duration::ZERO..=DAY;
    /// Resting connections to one upstream, per thread. 256: all that the threads of a Tomcat, 200 unless it is told otherwise, can answer at a time.
    upstream_connections_idle: usize = 256, 0..=COUNT_MAX;

    [retry]
    /// Attempts per request that may have had an effect, the first included. 4: a kept-alive connection found closed, and
    /// three upstreams. Where nothing can have happened every member is tried.
    attempts: u32 = 4, 1..=16;
    /// Repeats that each request earns, in hundredths. 20: one repeat for five requests is what other proxies have
    /// found harmless.
    percent: u32 = 20, 0..=100;
    /// Repeats that each second earns, per thread. 10: a quiet site can always repeat something.
    per_second: u32 = 10, 0..=100_000;
    /// Repeats that may be saved up, per thread; as many are there at the start. 1,000: the requests in flight on an
    /// upstream that dies.
    burst: u32 = 1_000, 1..=1_000_000;
}

impl Limits {
    /// How slow a client may be at sending a request's body.
    pub(crate) fn request_pace(&self) -> PaceLimits {
        PaceLimits {
            bytes_per_second: self.request_bytes_per_second,
            grace: self.client_grace,
            whole: self.request,
        }
    }

    /// How slow a client may be at taking an answer.
    pub(crate) fn answer_pace(&self) -> PaceLimits {
        PaceLimits {
            bytes_per_second: self.answer_bytes_per_second,
            grace: self.client_grace,
            whole: Duration::ZERO,
        }
    }

    /// Bounds on the heads of requests.
    pub(crate) fn requests(&self) -> remora_h1::Limits {
        remora_h1::Limits {
            head_bytes: self.request_head_bytes,
            fields: self.request_fields,
            target_bytes: self.target_bytes,
        }
    }

    /// Bounds on the heads of answers.
    pub(crate) fn answers(&self) -> remora_h1::Limits {
        remora_h1::Limits {
            head_bytes: self.answer_head_bytes,
            fields: self.answer_fields,
            target_bytes: 0,
        }
    }
}

fn row<T: Bound>(
    table: &'static str,
    key: &'static str,
    value: T,
    range: &RangeInclusive<T>,
    why: &[&str],
) -> Row
where
    T::Written: Kind,
{
    Row {
        table,
        key,
        value: value.shown(),
        range: (range.start().shown(), range.end().shown()),
        why: words(why),
        kind: T::Written::kind(),
    }
}

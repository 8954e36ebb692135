//! What a line tells of an exchange, whatever its format: plain values that borrow from the exchange.
//!
//! Left out on purpose: how it is written (`combined`, `json`), and who knows it (the exchange's story).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use remora_policy::Failure;

use crate::answer::OwnAnswer;

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The answer was sent whole.
    Complete,
    /// The upstream failed while its answer was passed on; the client was cut.
    UpstreamCut,
    /// The client went away.
    ClientGone,
    /// The client was cut because it was too slow.
    TooSlow,
    /// Bytes were exchanged after a 101 until one side closed.
    Tunnel,
}

impl End {
    /// All there are.
    pub(crate) const ALL: [End; 5] = [
        End::Complete,
        End::UpstreamCut,
        End::ClientGone,
        End::TooSlow,
        End::Tunnel,
    ];

    /// The word in the log and in figures.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            End::Complete => "complete",
            End::UpstreamCut => "upstream-cut",
            End::ClientGone => "client-gone",
            End::TooSlow => "too-slow",
            End::Tunnel => "tunnel",
        }
    }
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing yet; at the end of an exchange: its client did not wait, or was too slow.
    Unfinished,
    /// The head of an answer came. What became of the rest is in the exchange's end.
    Answered,
    /// It failed.
    Failed(Failure),
}

/// One attempt at one upstream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tried<'a> {
    /// The upstream's route.
    pub(crate) route: &'a str,
    /// Its `host:port`.
    pub(crate) upstream: &'a str,
    /// Why it was this one.
    pub(crate) pick: &'static str,
    /// How long the connect took; none where a kept connection was used, or none came.
    pub(crate) connect: Option<Duration>,
    /// From the connection to the head of the answer, with the time in which the request was sent.
    pub(crate) wait: Option<Duration>,
    /// Until its outcome.
    pub(crate) total: Duration,
    pub(crate) fate: Fate,
}

/// All attempts of an exchange, in their order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempts<'a> {
    /// All but the last, as far as they are kept.
    pub(crate) earlier: &'a [Tried<'a>],
    /// How many of those are not.
    pub(crate) left_out: u32,
    pub(crate) last: Option<&'a Tried<'a>>,
}

impl Attempts<'_> {
    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        let kept = self.earlier.len() + usize::from(self.last.is_some());
        crate::replay::count(kept) + u64::from(self.left_out)
    }

    /// Whether one failed; a kept connection that was found closed says nothing.
    fn have_failed(&self) -> bool {
        let failed =
            |tried: &Tried<'_>| matches!(tried.fate, Fate::Failed(failure) if !failure.is_stale_connection());
        self.left_out > 0 || self.earlier.iter().chain(self.last).any(failed)
    }
}

/// What a line says of an exchange, or of bytes that were no request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// The client, as the view has it.
    pub(crate) client: IpAddr,
    /// The far end of the connection, if that is another: a proxy in front.
    pub(crate) peer: Option<IpAddr>,
    /// Version of the TLS in which it speaks to us; empty in clear.
    pub(crate) tls: &'static str,
    /// How the client speaks to the site: http or https.
    pub(crate) scheme: &'static str,
    /// The host that it asked, without a port; session ids in it are hidden, as in all that a client sends.
    pub(crate) host: &'a [u8],
    /// Request method; empty where no request could be read.
    pub(crate) method: &'a [u8],
    /// Request target as it came.
    pub(crate) target: &'a [u8],
    /// Protocol of the request, as in `HTTP/1.1`.
    pub(crate) version: &'a str,
    /// Names of the session parameters of all pools: a request that was refused, or a Referer, may carry any of them.
    pub(crate) parameters: &'a [Arc<str>],
    /// Status that the client got; 0 when it got none.
    pub(crate) status: u16,
    /// Bytes of the answer's content, or of a tunnel, that went to the client.
    pub(crate) sent: u64,
    /// Bytes of the request's content, or of a tunnel, that came from the client.
    pub(crate) received: u64,
    /// Referer field.
    pub(crate) referer: Option<&'a [u8]>,
    /// User-Agent field.
    pub(crate) agent: Option<&'a [u8]>,
    /// Name of the pool; empty when none was found.
    pub(crate) pool: &'a str,
    /// Why it was the last upstream: sticky, moved, fresh; or none, when nobody was left to be tried.
    pub(crate) pick: &'a str,
    /// Attempts made.
    pub(crate) attempts: Attempts<'a>,
    /// Time from the request head to the last byte of the request's content; none while that is not there, and where there is no
    /// content.
    pub(crate) read: Option<Duration>,
    /// Time from the request head to the response head.
    pub(crate) head: Option<Duration>,
    /// Time from the request head to the end.
    pub(crate) total: Duration,
    /// How it ended.
    pub(crate) end: End,
    /// Why it was refused, in a word; empty when it was not.
    pub(crate) reason: &'static str,
    /// The request's name in all logs.
    pub(crate) request_id: &'a str,
    /// The trace that it belongs to, as in `traceparent`.
    pub(crate) trace: Option<&'a str>,
}

impl Entry<'_> {
    /// Route of the upstream that was tried last, whether it answered or not; empty when none was.
    pub(super) fn route(&self) -> &str {
        self.attempts.last.map_or("", |last| last.route)
    }

    /// Whether an operator looks for it among what went wrong: an upstream failed, whoever answered then; the answer is cut, or
    /// one of ours that says so. A client who leaves has his reasons.
    pub(super) fn is_fault(&self) -> bool {
        let is_error = !self.reason.is_empty() && self.status >= 400;
        let ours = is_error && !OwnAnswer::is_in_order(self.reason);
        ours || matches!(self.end, End::UpstreamCut | End::TooSlow) || self.attempts.have_failed()
    }
}

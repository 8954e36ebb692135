//! The text of one line. Pure, but for [`now`].
//!
//! Invariants: a line is one line of visible ASCII, whatever a client sent · the value of a session parameter is never
//! in it, in path, query or referer, whatever the case of its name · what is not known is a dash, and times are seconds
//! with six digits, so that the fields can be told apart by machines.
//!
//! Left out on purpose: other formats. Whoever needs one can make it of this.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// What stands in for a session id.
const HIDDEN: &[u8] = b"...";

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The answer was sent whole.
    Complete,
    /// The upstream failed while its answer was passed on; the client was cut.
    UpstreamCut,
    /// The client went away.
    ClientGone,
    /// Bytes were exchanged after a 101 until one side closed.
    Tunnel,
}

impl End {
    fn as_str(self) -> &'static str {
        match self {
            End::Complete => "complete",
            End::UpstreamCut => "upstream-cut",
            End::ClientGone => "client-gone",
            End::Tunnel => "tunnel",
        }
    }
}

/// What a line says of an exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// The client, as the view has it.
    pub(crate) client: IpAddr,
    /// Request method.
    pub(crate) method: &'a [u8],
    /// Request target as it came; session ids in it are hidden.
    pub(crate) target: &'a [u8],
    /// Protocol of the request, as in `HTTP/1.1`.
    pub(crate) version: &'a str,
    /// Names of the session parameters of all pools: a request that was refused, or a Referer, may carry any of them.
    pub(crate) parameters: &'a [Arc<str>],
    /// Status that the client got; 0 when it got none.
    pub(crate) status: u16,
    /// Bytes of the response body that were sent.
    pub(crate) bytes: u64,
    /// Referer field; session ids in it are hidden.
    pub(crate) referer: Option<&'a [u8]>,
    /// User-Agent field.
    pub(crate) agent: Option<&'a [u8]>,
    /// Name of the pool; empty when none was found.
    pub(crate) pool: &'a str,
    /// Route of the upstream that was tried last, whether it answered or not; empty when none was tried.
    pub(crate) route: &'a str,
    /// Why it was this one: sticky, moved, fresh; or none, when nobody was left to be tried.
    pub(crate) pick: &'a str,
    /// Attempts made.
    pub(crate) attempts: u32,
    /// Time from the request head to the response head.
    pub(crate) head: Option<Duration>,
    /// Time from the request head to the end.
    pub(crate) total: Duration,
    /// How it ended.
    pub(crate) end: End,
    /// The request's name in all logs.
    pub(crate) request_id: &'a str,
    /// The trace that it belongs to, as in `traceparent`.
    pub(crate) trace: Option<&'a str>,
}

/// Time since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "a log line tells people when; nothing is decided by it"
)]
pub(super) fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// The line, with its newline.
pub(super) fn format(entry: &Entry<'_>, now: Duration) -> Vec<u8> {
    let mut line = Line(String::with_capacity(256));
    // Writing to a String cannot fail, so the results carry nothing.
    let _ = line.write(entry, now);
    line.0.into_bytes()
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

struct Line(String);

impl Line {
    fn write(&mut self, entry: &Entry<'_>, now: Duration) -> std::fmt::Result {
        write!(self.0, "{} - - [", entry.client.to_canonical())?;
        self.time(now)?;
        self.0.push_str("] \"");
        self.escaped(entry.method);
        self.0.push(' ');
        self.escaped(&hide_sessions(entry.target, entry.parameters));
        write!(self.0, " {}\" {} {} \"", entry.version, entry.status, entry.bytes)?;
        self.escaped(&hide_sessions(entry.referer.unwrap_or(b"-"), entry.parameters));
        self.0.push_str("\" \"");
        self.escaped(entry.agent.unwrap_or(b"-"));
        let (pool, route, pick) = (or_dash(entry.pool), or_dash(entry.route), or_dash(entry.pick));
        write!(
            self.0,
            "\" pool={pool} route={route} pick={pick} attempts={} head=",
            entry.attempts
        )?;
        match entry.head {
            Some(head) => write!(self.0, "{:.6}", head.as_secs_f64())?,
            None => self.0.push('-'),
        }
        writeln!(
            self.0,
            " total={:.6} end={} id={} trace={}",
            entry.total.as_secs_f64(),
            entry.end.as_str(),
            entry.request_id,
            entry.trace.unwrap_or("-")
        )
    }

    /// As httpd writes it: `24/Nov/2026:04:30:00 +0000`.
    fn time(&mut self, now: Duration) -> std::fmt::Result {
        let second = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let time = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
        write!(self.0, "{}", time.strftime("%d/%b/%Y:%H:%M:%S +0000"))
    }

    /// Visible ASCII as it is; quotes, backslashes and everything else as `\xHH`.
    fn escaped(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if (byte.is_ascii_graphic() || *byte == b' ') && !matches!(byte, b'"' | b'\\') {
                self.0.push(char::from(*byte));
            } else {
                let _ = write!(self.0, "\\x{byte:02x}");
            }
        }
    }
}

/// The bytes with the values of session parameters replaced, in path and query, whatever the case of the name.
fn hide_sessions(bytes: &[u8], parameters: &[Arc<str>]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(bytes.len());
    for piece in bytes.split_inclusive(|byte| matches!(byte, b';' | b'?' | b'&' | b'/' | b'#')) {
        let equals = piece.iter().position(|byte| *byte == b'=');
        match equals.map(|equals| piece.split_at(equals + 1)) {
            Some((name, value)) if is_session_name(&name[..name.len() - 1], parameters) => {
                shown.extend_from_slice(name);
                shown.extend_from_slice(HIDDEN);
                shown.extend(
                    value
                        .last()
                        .filter(|last| matches!(last, b';' | b'?' | b'&' | b'/' | b'#')),
                );
            }
            _ => shown.extend_from_slice(piece),
        }
    }
    shown
}

fn is_session_name(name: &[u8], parameters: &[Arc<str>]) -> bool {
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    is(b"jsessionid") || parameters.iter().any(|parameter| is(parameter.as_bytes()))
}

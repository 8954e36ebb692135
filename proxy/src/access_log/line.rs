//! The text of one line, written behind those that are there. Pure, and without a copy or an allocation of its own.
//!
//! Invariants: a line is one line of visible ASCII, whatever a client sent · the value of a session parameter is never
//! in it, in path, query or referer, whatever the case of its name · what is not known is a dash, and times are seconds
//! with six digits, so that the fields can be told apart by machines.
//!
//! Left out on purpose: other formats. Whoever needs one can make it of this.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use remora_policy::ShortText;

use super::clock::TimeText;

/// What stands in for a session id.
const HIDDEN: &[u8] = b"...";

/// Digits of an escaped byte.
const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

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
    fn as_str(self) -> &'static str {
        match self {
            End::Complete => "complete",
            End::UpstreamCut => "upstream-cut",
            End::ClientGone => "client-gone",
            End::TooSlow => "too-slow",
            End::Tunnel => "tunnel",
        }
    }
}

/// What a line says of an exchange, or of bytes that were no request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// The client, as the view has it.
    pub(crate) client: IpAddr,
    /// Request method; empty where no request could be read. Then a dash stands for the whole request.
    pub(crate) method: &'a [u8],
    /// Request target as it came; session ids in it are hidden.
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
    /// Why it was refused, in a word; empty when it was not.
    pub(crate) reason: &'static str,
    /// The request's name in all logs.
    pub(crate) request_id: &'a str,
    /// The trace that it belongs to, as in `traceparent`.
    pub(crate) trace: Option<&'a str>,
}

/// Writes the line, with its newline.
pub(super) fn write(line: &mut Vec<u8>, entry: &Entry<'_>, time: &TimeText) {
    let mut line = Line(line);
    line.address(entry.client.to_canonical());
    line.put(b" - - [");
    line.put(time);
    line.put(b"] \"");
    line.request(entry);
    line.put(b"\" ");
    line.number(entry.status.into());
    line.put(b" ");
    line.number(entry.sent);
    line.put(b" \"");
    line.without_sessions(entry.referer.unwrap_or(b"-"), entry.parameters);
    line.put(b"\" \"");
    line.escaped(entry.agent.unwrap_or(b"-"));
    line.put(b"\"");
    line.put(b" received=");
    line.number(entry.received);
    line.field(b" pool=", entry.pool);
    line.field(b" route=", entry.route);
    line.field(b" pick=", entry.pick);
    line.put(b" attempts=");
    line.number(entry.attempts.into());
    line.put(b" head=");
    match entry.head {
        Some(head) => line.seconds(head),
        None => line.put(b"-"),
    }
    line.put(b" total=");
    line.seconds(entry.total);
    line.field(b" end=", entry.end.as_str());
    line.field(b" reason=", entry.reason);
    line.field(b" id=", entry.request_id);
    line.field(b" trace=", entry.trace.unwrap_or_default());
    line.put(b"\n");
}

struct Line<'a>(&'a mut Vec<u8>);

impl Line<'_> {
    /// Bytes of ours.
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, number: u64) {
        self.put(itoa::Buffer::new().format(number).as_bytes());
    }

    fn address(&mut self, address: IpAddr) {
        self.put(ShortText::of_address(address).as_bytes());
    }

    /// With six digits behind the point.
    fn seconds(&mut self, time: Duration) {
        self.number(time.as_secs());
        // The one in front keeps the zeros; the point takes its place.
        let point = self.0.len();
        self.number(u64::from(time.subsec_micros()) + 1_000_000);
        self.0[point] = b'.';
    }

    /// A value of our own words; a dash if there is none.
    fn field(&mut self, name: &[u8], value: &str) {
        self.put(name);
        self.put(if value.is_empty() { b"-" } else { value.as_bytes() });
    }

    fn request(&mut self, entry: &Entry<'_>) {
        if entry.method.is_empty() {
            return self.put(b"-");
        }
        self.escaped(entry.method);
        self.put(b" ");
        self.without_sessions(entry.target, entry.parameters);
        self.put(b" ");
        self.put(entry.version.as_bytes());
    }

    /// The bytes, but for the values of session parameters, in path and query, whatever the case of the name.
    fn without_sessions(&mut self, bytes: &[u8], parameters: &[Arc<str>]) {
        if !bytes.contains(&b'=') {
            return self.escaped(bytes);
        }
        for piece in bytes.split_inclusive(|byte| is_separator(*byte)) {
            let equals = piece.iter().position(|byte| *byte == b'=');
            match equals.map(|equals| piece.split_at(equals + 1)) {
                Some((name, value)) if is_session_name(&name[..name.len() - 1], parameters) => {
                    self.escaped(name);
                    self.put(HIDDEN);
                    let last = value.last_chunk::<1>();
                    self.put(last.filter(|last| is_separator(last[0])).map_or(b"", |last| last));
                }
                _ => self.escaped(piece),
            }
        }
    }

    /// Visible ASCII as it is; quotes, backslashes and everything else as `\xHH`.
    fn escaped(&mut self, mut bytes: &[u8]) {
        // Nearly always all are; a look that does not end early takes many bytes at a time.
        if bytes.iter().fold(true, |all, byte| all & is_plain(*byte)) {
            return self.put(bytes);
        }
        while let Some(at) = bytes.iter().position(|byte| !is_plain(*byte)) {
            let byte = bytes[at];
            self.put(&bytes[..at]);
            let digits = [byte >> 4, byte & 0x0f].map(|digit| HEXADECIMAL[usize::from(digit)]);
            self.put(b"\\x");
            self.put(&digits);
            bytes = &bytes[at + 1..];
        }
        self.put(bytes);
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// Whether a byte ends a name or a value in a target.
fn is_separator(byte: u8) -> bool {
    matches!(byte, b';' | b'?' | b'&' | b'/' | b'#')
}

fn is_session_name(name: &[u8], parameters: &[Arc<str>]) -> bool {
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    is(b"jsessionid") || parameters.iter().any(|parameter| is(parameter.as_bytes()))
}

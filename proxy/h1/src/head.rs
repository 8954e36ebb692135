//! The head of a message: a start line and fields, in one buffer.
//!
//! Invariants: the target is kept byte for byte as the client wrote it, the words of a status as the upstream did · a head that
//! is written anew is HTTP/1.1, whatever its sender spoke; [`Head::version`] says what that was.

use crate::fields::{Fields, Span};
use crate::refusal::Refusal;
use crate::start::{self, Request, Response};

/// The protocol version of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: connections close unless asked otherwise, no chunked bodies.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
    /// HTTP/2, whose heads are written in the form of HTTP/1.1 before they come here.
    Http2,
}

impl Version {
    /// As it is written in a start line; of HTTP/2, which has none, as servers write it in their logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
        }
    }
}

/// The head of a request or of a response. Made to be used again: [`Head::clear`] keeps its room.
#[derive(Clone, Debug, Default)]
pub struct Head {
    version: Version,
    /// Of a request: method and target.
    method: Span,
    target: Span,
    /// Of a response: status, 100 to 999, and the words behind it.
    status: u16,
    reason: Span,
    /// The fields in order.
    pub fields: Fields,
}

impl Head {
    /// The head of a request without fields.
    #[must_use]
    pub fn request(method: &str, target: &[u8]) -> Self {
        let mut head = Self::default();
        head.set_request(method, [target]);
        head
    }

    /// The head of a response without fields, with the words that its status has everywhere.
    #[must_use]
    pub fn response(status: u16) -> Self {
        let mut head = Self::default();
        head.set_response(status, start::words(status).as_bytes());
        head
    }

    /// Begins a request anew: no fields. The target may come in parts.
    pub fn set_request<'t>(&mut self, method: &str, target: impl IntoIterator<Item = &'t [u8]>) {
        self.clear();
        self.method = self.fields.start(method.as_bytes());
        self.fields.start(b" ");
        self.target = self.fields.start(b"");
        for part in target {
            self.target.end = self.fields.start(part).end;
        }
        self.fields.start(b" HTTP/1.1\r\n");
    }

    /// Begins a response anew: no fields.
    pub fn set_response(&mut self, status: u16, reason: &[u8]) {
        self.clear();
        self.status = status;
        self.fields.start(b"HTTP/1.1 ");
        self.fields.start(&start::digits(status));
        self.fields.start(b" ");
        self.reason = self.fields.start(reason);
        self.fields.start(b"\r\n");
    }

    /// Forgets everything, and keeps the room.
    pub fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = Self {
            fields,
            ..Self::default()
        };
    }

    /// The version that the sender spoke.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The sender spoke this one.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// The method, in the sender's case; methods are case-sensitive. Empty for a response.
    #[must_use]
    pub fn method(&self) -> &str {
        std::str::from_utf8(self.fields.at(self.method)).unwrap_or_default()
    }

    /// The target as the client wrote it: a path with query, an absolute address, or `*`.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.fields.at(self.target)
    }

    /// The status, 100 to 999; 0 for a request.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The words behind the status, as they came.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        self.fields.at(self.reason)
    }

    /// Path and query: the target without scheme and authority. `/` when an absolute address has no path; that it has no query
    /// then, [`crate::check_request`] sees to.
    #[must_use]
    pub fn path_and_query(&self) -> &[u8] {
        let target = self.target();
        match authority_end(target) {
            None => target,
            Some(end) if target.get(end) == Some(&b'/') => &target[end..],
            Some(_) => b"/",
        }
    }

    /// The authority of an absolute address; none for a plain path.
    #[must_use]
    pub fn authority(&self) -> Option<&[u8]> {
        let target = self.target();
        let end = authority_end(target)?;
        let start = scheme_end(target)?;
        Some(&target[start..end])
    }

    /// Whether an absolute address has a query and no path: some put a slash between, some lose the query.
    pub(crate) fn has_bare_query(&self) -> bool {
        let target = self.target();
        authority_end(target).is_some_and(|end| target.get(end) == Some(&b'?'))
    }

    /// Reads a request's first line.
    pub(crate) fn read_request(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let Request {
            method,
            target,
            version,
        } = start::request(line)?;
        self.set_request(method, [target]);
        self.version = version;
        Ok(())
    }

    /// Reads a response's first line.
    pub(crate) fn read_response(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let Response {
            version,
            status,
            reason,
        } = start::response(line)?;
        self.set_response(status, reason);
        self.version = version;
        Ok(())
    }
}

/// Where the authority of an absolute address begins. The schemes are those that are served: of others nobody behind us could
/// say what they mean.
fn scheme_end(target: &[u8]) -> Option<usize> {
    let begins = |scheme: &&[u8]| {
        let begin = target.get(..scheme.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
    };
    [&b"http://"[..], b"https://"]
        .iter()
        .find(|scheme| begins(scheme))
        .map(|scheme| scheme.len())
}

/// Where the authority of an absolute address ends.
fn authority_end(target: &[u8]) -> Option<usize> {
    let start = scheme_end(target)?;
    let length = target[start..]
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    Some(length.map_or(target.len(), |length| start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_kept_byte_for_byte() {
        let head = Head::request("GET", b"/a;jsessionid=X.n1?q=%2F");
        assert_eq!(head.target(), b"/a;jsessionid=X.n1?q=%2F");
        assert_eq!(head.path_and_query(), head.target());
        assert_eq!(head.authority(), None);
        assert_eq!(head.method(), "GET");
        assert_eq!(head.fields.wire(), b"GET /a;jsessionid=X.n1?q=%2F HTTP/1.1\r\n");
    }

    #[test]
    fn an_absolute_address_splits_into_authority_and_path() {
        for (target, authority, path) in [
            ("http://h:80/a?b", "h:80", "/a?b"),
            ("http://h", "h", "/"),
            ("http://h?x", "h", "/"),
            ("https://[::1]:8/", "[::1]:8", "/"),
        ] {
            let head = Head::request("GET", target.as_bytes());
            assert_eq!(head.authority(), Some(authority.as_bytes()), "{target}");
            assert_eq!(head.path_and_query(), path.as_bytes(), "{target}");
        }
        assert_eq!(Head::request("GET", b"/a?u=http://x/").authority(), None);
        assert_eq!(Head::request("OPTIONS", b"*").path_and_query(), b"*");
    }

    #[test]
    fn a_response_keeps_its_words() {
        let mut head = Head::default();
        head.read_response(b"HTTP/1.0 419 Authentication Timeout")
            .unwrap();
        head.fields.push(b"A", b"b");
        assert_eq!(head.version(), Version::Http10);
        assert_eq!(
            head.fields.wire(),
            b"HTTP/1.1 419 Authentication Timeout\r\nA: b\r\n"
        );
        assert_eq!(Head::response(404).reason(), b"Not Found");
    }
}

//! The head of a request and of a response, in our own words.
//!
//! Invariants: the target is kept byte for byte as the client wrote it; method, target and fields share one buffer.
//!
//! Left out on purpose: what an HTTP library calls a header map. Nothing outside `src/http/` sees one.

use std::ops::Range;

use super::fields::{Fields, Span};

/// The protocol version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.0: connections close unless asked otherwise, no chunked bodies.
    Http10,
    /// HTTP/1.1.
    Http11,
}

impl Version {
    /// As it is written in a log line.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }
}

/// The head of a request.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    method: Span,
    target: Span,
    /// The version the sender spoke.
    pub(crate) version: Version,
    /// The fields in order.
    pub(crate) fields: Fields,
}

impl RequestHead {
    /// A head without fields.
    #[must_use]
    pub(crate) fn new(method: &str, target: &[u8], version: Version) -> Self {
        Self::with_fields(method, target, version, Fields::default())
    }

    /// A head with these fields.
    #[must_use]
    pub(crate) fn with_fields(method: &str, target: &[u8], version: Version, mut fields: Fields) -> Self {
        let method = fields.store(method.as_bytes());
        let target = fields.store(target);
        Self {
            method,
            target,
            version,
            fields,
        }
    }

    /// The method, in the sender's case; methods are case-sensitive.
    #[must_use]
    pub(crate) fn method(&self) -> &str {
        std::str::from_utf8(self.fields.at(self.method)).unwrap_or_default()
    }

    /// The target as the client wrote it: a path with query, an absolute address, or `*`.
    #[must_use]
    pub(crate) fn target(&self) -> &[u8] {
        self.fields.at(self.target)
    }

    /// Path and query: the target without scheme and authority. `/` when an absolute address has no path.
    #[must_use]
    pub(crate) fn path_and_query(&self) -> &[u8] {
        let target = self.target();
        match authority_end(target) {
            None => target,
            Some(end) if target.get(end) == Some(&b'/') => &target[end..],
            Some(_) => b"/",
        }
    }

    /// The authority of an absolute address, without user and password; none for a plain path.
    #[must_use]
    pub(crate) fn authority(&self) -> Option<&[u8]> {
        let target = self.target();
        let end = authority_end(target)?;
        let start = scheme_end(target)?;
        Some(&target[start..end])
    }
}

impl RequestHead {
    /// Where method and target are in the fields' buffer.
    pub(super) fn line(&self) -> (Range<usize>, Range<usize>) {
        (self.method.range(), self.target.range())
    }
}

/// Where the authority of an absolute address begins.
fn scheme_end(target: &[u8]) -> Option<usize> {
    if target.starts_with(b"/") {
        return None;
    }
    target
        .windows(3)
        .position(|window| window == b"://")
        .map(|at| at + 3)
}

/// Where the authority of an absolute address ends.
fn authority_end(target: &[u8]) -> Option<usize> {
    let start = scheme_end(target)?;
    let length = target[start..]
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    Some(length.map_or(target.len(), |length| start + length))
}

/// The head of a response.
#[derive(Clone, Debug)]
pub(crate) struct ResponseHead {
    /// The status code, 100 to 999.
    pub(crate) status: u16,
    /// The fields in order.
    pub(crate) fields: Fields,
}

impl ResponseHead {
    /// A head without fields.
    #[must_use]
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            fields: Fields::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(target: &str) -> RequestHead {
        RequestHead::new("GET", target.as_bytes(), Version::Http11)
    }

    #[test]
    fn a_target_is_kept_byte_for_byte() {
        let head = head("/a;jsessionid=X.n1?q=%2F#");
        assert_eq!(head.target(), b"/a;jsessionid=X.n1?q=%2F#");
        assert_eq!(head.path_and_query(), head.target());
        assert_eq!(head.authority(), None);
        assert_eq!(head.method(), "GET");
    }

    #[test]
    fn an_absolute_address_splits_into_authority_and_path() {
        for (target, authority, path) in [
            ("http://h:80/a?b", "h:80", "/a?b"),
            ("http://h", "h", "/"),
            ("http://h?x", "h", "/"),
            ("https://[::1]:8/", "[::1]:8", "/"),
        ] {
            let head = head(target);
            assert_eq!(head.authority(), Some(authority.as_bytes()), "{target}");
            assert_eq!(head.path_and_query(), path.as_bytes(), "{target}");
        }
        assert_eq!(head("/a?u=http://x/").authority(), None);
        assert_eq!(head("*").path_and_query(), b"*");
    }
}

//! Requests that are refused before anything is decided about them.
//!
//! Invariant: what passes has one meaning for us and for every Tomcat: one Host, one framing, one target. The rows
//! are what httpd, HAProxy and nginx have let through at one time or another; rows that hyper hides are named in
//! `inbound.rs`, rows about paths are the policy's.

use super::head::{RequestHead, Version};

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The status of the answer.
    pub(crate) status: u16,
    /// One sentence for whoever sent the request.
    pub(crate) reason: &'static str,
}

/// Checks what concerns the head alone; a target may have `target_bytes`.
///
/// # Errors
/// The first [`Refusal`] that applies. The connection must be closed after it: what follows may be framed otherwise
/// than we believe.
pub(crate) fn check(head: &RequestHead, target_bytes: usize) -> Result<(), Refusal> {
    check_method(head.method())?;
    check_target(head, target_bytes)?;
    check_host(head)?;
    check_framing(head)
}

fn check_method(method: &str) -> Result<(), Refusal> {
    match method {
        "TRACE" | "CONNECT" => refuse(405, "This method is not served."),
        _ => Ok(()),
    }
}

fn check_target(head: &RequestHead, most: usize) -> Result<(), Refusal> {
    let target = head.target();
    if target.len() > most {
        return refuse(414, "The address is too long.");
    }
    if target.contains(&b'#') {
        return refuse(400, "The address must not contain a fragment (#).");
    }
    if target.starts_with(b"/") || (target == b"*" && head.method() == "OPTIONS") {
        return Ok(());
    }
    match head.authority() {
        Some(authority) if !authority.is_empty() => Ok(()),
        _ => refuse(400, "The address must be a path or a complete address."),
    }
}

fn check_host(head: &RequestHead) -> Result<(), Refusal> {
    let mut hosts = head.fields.all("host");
    let host = hosts.next();
    if hosts.next().is_some() {
        return refuse(400, "A request has exactly one Host.");
    }
    let Some(host) = host else {
        return if head.version == Version::Http11 {
            refuse(400, "An HTTP/1.1 request needs a Host.")
        } else {
            Ok(())
        };
    };
    if host.is_empty() {
        // RFC 9110 allows it, but a Tomcat would be told of no host, or of two when we put in one.
        return refuse(400, "The Host must not be empty.");
    }
    if !host
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]%".contains(byte))
    {
        return refuse(400, "The Host is not a name or address with an optional port.");
    }
    match head.authority() {
        Some(authority) if !authority.eq_ignore_ascii_case(host) => {
            refuse(400, "The address names another host than Host does.")
        }
        _ => Ok(()),
    }
}

fn check_framing(head: &RequestHead) -> Result<(), Refusal> {
    let fields = &head.fields;
    let mut encodings = fields.all("transfer-encoding");
    if let Some(encoding) = encodings.next() {
        if fields.contains("content-length") {
            return refuse(400, "Content-Length and Transfer-Encoding exclude each other.");
        }
        if encodings.next().is_some() || !encoding.eq_ignore_ascii_case(b"chunked") {
            return refuse(501, "The only transfer encoding served is chunked.");
        }
    }
    let mut lengths = fields.all("content-length");
    if let Some(length) = lengths.next()
        && (lengths.next().is_some() || length.is_empty() || !length.iter().all(u8::is_ascii_digit))
    {
        return refuse(400, "Content-Length must be one number.");
    }
    match fields.get("expect") {
        Some(expected) if !expected.eq_ignore_ascii_case(b"100-continue") => {
            refuse(417, "The only expectation served is 100-continue.")
        }
        _ => Ok(()),
    }
}

fn refuse(status: u16, reason: &'static str) -> Result<(), Refusal> {
    Err(Refusal { status, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Short, so that a test can exceed it.
    const TARGET_BYTES: usize = 64;

    fn status(method: &str, target: &str, version: Version, fields: &[(&str, &str)]) -> u16 {
        let mut head = RequestHead::new(method, target.as_bytes(), version);
        for (name, value) in fields {
            head.fields.push(name.as_bytes(), value.as_bytes());
        }
        check(&head, TARGET_BYTES).map_or_else(|refusal| refusal.status, |()| 200)
    }

    #[test]
    fn every_row_is_answered_as_listed() {
        let host = ("host", "h");
        let long = format!("/{}", "a".repeat(TARGET_BYTES));
        for (expected, method, target, fields) in [
            (200, "GET", "/", &[host][..]),
            (200, "OPTIONS", "*", &[host]),
            (200, "GET", "http://H/", &[host]),
            (200, "POST", "/", &[host, ("transfer-encoding", "Chunked")]),
            (200, "POST", "/", &[host, ("expect", "100-Continue")]),
            (400, "GET", "*", &[host]),
            (400, "GET", "a", &[host]),
            (400, "GET", "/", &[]),
            (400, "GET", "/", &[host, host]),
            (400, "GET", "/", &[("host", "")]),
            (400, "GET", "/", &[("host", "a b")]),
            (400, "GET", "/", &[("host", "u@h")]),
            (400, "GET", "http://other/", &[host]),
            (400, "GET", "/a#b", &[host]),
            (
                400,
                "POST",
                "/",
                &[host, ("content-length", "1"), ("transfer-encoding", "chunked")],
            ),
            (
                400,
                "POST",
                "/",
                &[host, ("content-length", "1"), ("content-length", "1")],
            ),
            (400, "POST", "/", &[host, ("content-length", "+1")]),
            (405, "TRACE", "/", &[host]),
            (405, "CONNECT", "h:1", &[host]),
            (414, "GET", &long, &[host]),
            (417, "POST", "/", &[host, ("expect", "cake")]),
            (501, "POST", "/", &[host, ("transfer-encoding", "gzip, chunked")]),
        ] {
            assert_eq!(
                status(method, target, Version::Http11, fields),
                expected,
                "{method} {target} {fields:?}"
            );
        }
        assert_eq!(
            status("GET", "/", Version::Http10, &[]),
            200,
            "HTTP/1.0 knows no Host"
        );
    }
}

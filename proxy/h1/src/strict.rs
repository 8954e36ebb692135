//! What a request's head must say, beyond being one: one Host, one target, no method that a proxy must not serve.
//!
//! Rows are what httpd, HAProxy and nginx have let through at one time or another. A head that was built from HTTP/2 is
//! checked by the same rules. Rows about framing are in `framing`, rows about paths are the policy's.

use crate::framing::{self, Length};
use crate::head::{Head, Version};
use crate::known::Known;
use crate::reader::Limits;
use crate::refusal::{
    AUTHORITY, EXPECTATION, FIELDS_TOO_MANY, FRAGMENT, HEAD_TOO_LARGE, HOST, HOST_EMPTY, HOST_MISSING,
    HOST_TWICE, METHOD, Refusal, TARGET, TARGET_TOO_LONG,
};

/// Checks a request's head; a target may have `target_bytes`.
///
/// # Errors
/// The first [`Refusal`] that applies. The connection must be closed after it: what follows may be framed otherwise than
/// we believe.
pub fn check(head: &Head, target_bytes: usize) -> Result<(), Refusal> {
    if matches!(head.method(), "TRACE" | "CONNECT") {
        return Err(METHOD);
    }
    check_target(head, target_bytes)?;
    check_host(head)?;
    let mut expectations = head.fields.all(Known::Expect);
    match expectations.all(|expected| expected.eq_ignore_ascii_case(b"100-continue")) {
        true => Ok(()),
        false => Err(EXPECTATION),
    }
}

/// Checks a request's head that was written from another form of HTTP, within the limits of one that is read here. Answers how
/// long its fields say that it is.
///
/// # Errors
/// As [`check`], and where the head is too large or its length can be read in two ways.
pub fn check_written(head: &Head, limits: &Limits) -> Result<Length, Refusal> {
    if head.fields.len() > limits.fields {
        return Err(FIELDS_TOO_MANY);
    }
    if head.fields.wire().len() > limits.head_bytes {
        return Err(HEAD_TOO_LARGE);
    }
    check(head, limits.target_bytes)?;
    framing::of_request(head)
}

fn check_target(head: &Head, most: usize) -> Result<(), Refusal> {
    let target = head.target();
    if target.len() > most {
        return Err(TARGET_TOO_LONG);
    }
    if target.contains(&b'#') {
        return Err(FRAGMENT);
    }
    if target.starts_with(b"/") || (target == b"*" && head.method() == "OPTIONS") {
        return Ok(());
    }
    match head.authority() {
        Some(authority) if is_host(authority) && !head.has_bare_query() => Ok(()),
        _ => Err(TARGET),
    }
}

fn check_host(head: &Head) -> Result<(), Refusal> {
    let mut hosts = head.fields.all(Known::Host);
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(HOST_TWICE);
    }
    let Some(host) = host else {
        return match head.version() {
            Version::Http11 | Version::Http2 => Err(HOST_MISSING),
            Version::Http10 => Ok(()),
        };
    };
    if host.is_empty() {
        // RFC 9110 allows it, but a Tomcat would be told of no host, or of two when we put in one.
        return Err(HOST_EMPTY);
    }
    if !is_host(host) {
        return Err(HOST);
    }
    match head.authority() {
        Some(authority) if !authority.eq_ignore_ascii_case(host) => Err(AUTHORITY),
        _ => Ok(()),
    }
}

/// A name or an address, and perhaps a port (RFC 3986 section 3.2, without user information).
fn is_host(host: &[u8]) -> bool {
    let (name, port) = match host {
        [b'[', rest @ ..] => match rest.iter().position(|byte| *byte == b']') {
            Some(end) if is_address(&rest[..end]) => (&host[..end], &rest[end + 1..]),
            _ => return false,
        },
        _ => host.split_at(host.iter().position(|byte| *byte == b':').unwrap_or(host.len())),
    };
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(byte);
    let is_name = !name.is_empty() && (host[0] == b'[' || name.iter().all(is_of_name));
    is_name && (port.is_empty() || is_port(port))
}

/// An IPv6 address, perhaps with a zone; whether it exists is not our question.
fn is_address(inside: &[u8]) -> bool {
    let is_of_address = |byte: &u8| byte.is_ascii_alphanumeric() || b":.%-_~".contains(byte);
    inside.contains(&b':') && inside.iter().all(is_of_address)
}

/// A colon and a number up to 65535, which may be absent.
fn is_port(port: &[u8]) -> bool {
    match port {
        [b':', digits @ ..] if digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit) => {
            let number = digits
                .iter()
                .fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
            u16::try_from(number).is_ok()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::LENGTH;

    #[test]
    fn a_host_is_a_name_or_an_address_with_a_port() {
        for host in [
            "a",
            "shop.test:80",
            "a:",
            "127.0.0.1:65535",
            "[::1]",
            "[fe80::1%25eth0]:8",
            "x_y",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "a:b:c", "[::1", "::1", "[::1]x", "[]", "[a]", ":80", "a:65536", "a:1x", "a/b", "u@h", "a b", "]",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn what_was_written_from_another_form_has_the_same_limits() {
        let limits = Limits {
            head_bytes: 60,
            fields: 2,
            target_bytes: 8,
        };
        let written = |target: &str, fields: &[(&str, &str)]| {
            let mut head = Head::request("POST", target.as_bytes());
            for (name, value) in fields {
                head.fields.push(name.as_bytes(), value.as_bytes());
            }
            check_written(&head, &limits)
        };
        let host = ("host", "h");
        assert_eq!(written("/", &[host]), Ok(Length::None));
        assert_eq!(
            written("/", &[host, ("content-length", "7")]),
            Ok(Length::Known(7))
        );
        assert_eq!(written("/", &[host, ("content-length", "7,7")]), Err(LENGTH));
        assert_eq!(
            written("/", &[host, ("a", "b"), ("c", "d")]),
            Err(FIELDS_TOO_MANY)
        );
        let long = "x".repeat(40);
        assert_eq!(written("/", &[host, ("a", &long)]), Err(HEAD_TOO_LARGE));
        assert_eq!(written("/12345678", &[host]), Err(TARGET_TOO_LONG));
    }

    #[test]
    fn heads_that_were_not_read_are_checked_as_well() {
        let mut head = Head::request("GET", b"/a#b");
        head.fields.push(b"host", b"h");
        assert_eq!(check(&head, 64), Err(FRAGMENT));
        let mut head = Head::request("GET", b"/a");
        head.fields.push(b"host", b"h");
        assert_eq!(check(&head, 64), Ok(()));
        assert_eq!(check(&head, 1), Err(TARGET_TOO_LONG));
    }
}

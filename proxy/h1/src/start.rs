//! The first line of a message.
//!
//! Invariants: its words are separated by one space each · a target is kept as it was written, and so are the words of a status.
//!
//! Left out on purpose: whether a request may be served (see `strict`).

use crate::head::Version;
use crate::line::{has_control, is_token};
use crate::refusal::{FRAGMENT, REQUEST_LINE, Refusal, STATUS_LINE, VERSION};

/// What a request's first line says.
pub(crate) struct Request<'l> {
    pub(crate) method: &'l str,
    pub(crate) target: &'l [u8],
    pub(crate) version: Version,
}

/// What a response's first line says.
pub(crate) struct Response<'l> {
    pub(crate) version: Version,
    pub(crate) status: u16,
    pub(crate) reason: &'l [u8],
}

/// Method, target and version, with one space between each.
pub(crate) fn request(line: &[u8]) -> Result<Request<'_>, Refusal> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(REQUEST_LINE);
    };
    let version = read_version(version).map_err(|known| if known { VERSION } else { REQUEST_LINE })?;
    if target.is_empty() || has_control(target) || target.contains(&b'\t') {
        return Err(REQUEST_LINE);
    }
    if target.contains(&b'#') {
        return Err(FRAGMENT);
    }
    let method = std::str::from_utf8(method).unwrap_or_default();
    if method.is_empty() || !method.bytes().all(is_token) {
        return Err(REQUEST_LINE);
    }
    Ok(Request {
        method,
        target,
        version,
    })
}

/// Version, three digits, and any words; the space before absent words may be absent too.
pub(crate) fn response(line: &[u8]) -> Result<Response<'_>, Refusal> {
    let (version, rest) = line.split_at_checked(8).ok_or(STATUS_LINE)?;
    let version = read_version(version).map_err(|known| if known { VERSION } else { STATUS_LINE })?;
    let (digits, reason) = match rest {
        [b' ', a, b, c] => ([*a, *b, *c], &[][..]),
        [b' ', a, b, c, b' ', reason @ ..] => ([*a, *b, *c], reason),
        _ => return Err(STATUS_LINE),
    };
    if !digits.iter().all(u8::is_ascii_digit) || digits[0] == b'0' || has_control(reason) {
        return Err(STATUS_LINE);
    }
    let status = digits
        .iter()
        .fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
    Ok(Response {
        version,
        status,
        reason,
    })
}

/// Otherwise whether it is a version that somebody speaks.
fn read_version(word: &[u8]) -> Result<Version, bool> {
    match word {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] => {
            Err(major.is_ascii_digit() && minor.is_ascii_digit())
        }
        _ => Err(false),
    }
}

/// The three digits of a status.
pub(crate) fn digits(status: u16) -> [u8; 3] {
    let digit = |value: u16| b'0' + u8::try_from(value % 10).unwrap_or_default();
    [digit(status / 100), digit(status / 10), digit(status)]
}

/// The words of the statuses that a proxy answers with itself (RFC 9110 section 15); none for others, which need none.
pub(crate) fn words(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        _ => "",
    }
}

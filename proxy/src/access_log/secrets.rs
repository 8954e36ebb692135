//! Where secrets stand in what a client sent: values of session parameters, and who a URL says that its user is. Pure.
//!
//! Links are carried in links: a value may be that of a path, of a query, or of an encoded link in a parameter of another, however
//! many times over. So names are looked for everywhere, and not by what a target means.
//!
//! Invariants: a name counts whatever its case, and at the end of a longer one too (better one value too many hidden) · the look
//! takes one pass, and of what has no `=` and no `%` nearly nothing.

use std::ops::Range;
use std::sync::Arc;

/// What stands behind `%` where a `%` was encoded.
const ENCODED_PERCENT: &[u8; 2] = b"25";

/// What stands behind a URL's scheme, and before its authority.
const SCHEME_END: &[u8; 3] = b"://";

/// Where the first value of a session parameter stands.
pub(super) fn first_value(bytes: &[u8], parameters: &[Arc<str>]) -> Option<Range<usize>> {
    if !bytes.contains(&b'=') && !bytes.contains(&b'%') {
        return None;
    }
    let mut from = 0;
    loop {
        let next = bytes[from..]
            .iter()
            .position(|byte| matches!(byte, b'=' | b'%'))?;
        let at = from + next;
        let equals = mark(&bytes[at..], |byte| byte == b'=');
        if equals > 0 && ends_with_name(&bytes[..at], parameters) {
            let value = at + equals..bytes.len();
            let end = value.clone().find(|at| mark(&bytes[*at..], is_separator) > 0);
            return Some(value.start..end.unwrap_or(value.end));
        }
        from = at + 1;
    }
}

/// Where a URL has the user information (`ada:password@`), without its end.
pub(super) fn user_information(url: &[u8]) -> Option<Range<usize>> {
    if url.starts_with(b"/") {
        return None;
    }
    let scheme = url
        .windows(SCHEME_END.len())
        .position(|bytes| bytes == SCHEME_END);
    let start = scheme.map_or(0, |at| at + SCHEME_END.len());
    let authority = url[start..]
        .split(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .next()?;
    let end = authority.iter().rposition(|byte| *byte == b'@')?;
    (end > 0).then_some(start..start + end)
}

/// How many bytes in front are such a mark, as it is or percent-encoded, also more than once; 0 if none is there.
fn mark(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    let Some(mut code) = bytes.strip_prefix(b"%") else {
        return bytes.first().is_some_and(|byte| is(*byte)).into();
    };
    while let Some(rest) = code.strip_prefix(ENCODED_PERCENT) {
        code = rest;
    }
    let byte = code.first_chunk::<2>().and_then(|digits| {
        let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
        u8::try_from(high? << 4 | low?).ok()
    });
    match byte {
        Some(byte) if is(byte) => bytes.len() - code.len() + 2,
        _ => 0,
    }
}

/// Whether a byte ends a value.
fn is_separator(byte: u8) -> bool {
    matches!(byte, b';' | b'?' | b'&' | b'/' | b'#')
}

fn ends_with_name(bytes: &[u8], parameters: &[Arc<str>]) -> bool {
    let ends_with = |name: &[u8]| {
        let start = bytes.len().checked_sub(name.len());
        start.is_some_and(|start| bytes[start..].eq_ignore_ascii_case(name))
    };
    ends_with(b"jsessionid") || parameters.iter().any(|name| ends_with(name.as_bytes()))
}

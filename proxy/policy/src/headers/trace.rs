//! How one request is recognised in many logs, and by ourselves when it comes back to us.
//!
//! A request id is a trusted peer's, or made; the upstream is told, and so is whoever gets an answer of our own. `Via`
//! carries the name of this process: a request that already has it has been here, and would come round for ever.
//!
//! Left out on purpose: spans of our own. What a client or front sends as `traceparent` passes, and is logged.

use super::client::ClientView;
use super::names::{REQUEST_ID, same_name};

/// Longest request id that is taken from a peer, in bytes: four times what is usual, and too short to fill a log.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Bytes of a `traceparent`: version, trace, parent and flags in hexadecimal, with three hyphens (W3C Trace Context).
const TRACEPARENT_BYTES: usize = 55;

/// The request id that a trusted peer gave; none when it gave none, or one that a log line could not hold.
pub fn given_request_id<'a>(
    client: &ClientView<'_>,
    mut fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> Option<&'a str> {
    if !client.trusted {
        return None;
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
    let (_, id) = fields.find(|(name, _)| same_name(name, REQUEST_ID))?;
    let fits = !id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX && id.iter().all(plain);
    std::str::from_utf8(id).ok().filter(|_| fits)
}

/// The `traceparent` of a request, if it is one.
pub fn traceparent<'a>(mut fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Option<&'a str> {
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case(b"traceparent"))?;
    let fits = |(at, byte): (usize, &u8)| match at {
        2 | 35 | 52 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    let whole = value.len() == TRACEPARENT_BYTES && value.iter().enumerate().all(fits);
    std::str::from_utf8(value).ok().filter(|_| whole)
}

/// Whether a request has been through the proxy that calls itself `own` in `Via`.
pub fn has_been_here<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>, own: &[u8]) -> bool {
    fields
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"via"))
        .flat_map(|(_, value)| value.split(|byte| *byte == b','))
        .any(|hop| hop.trim_ascii().split(|byte| *byte == b' ').nth(1) == Some(own))
}

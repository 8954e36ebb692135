//! What trusted proxies wrote of their client: `X-Forwarded-*`, or `Forwarded` (RFC 7239).
//!
//! Each proxy adds to the right: a line, or an element of the last one. So everything is read from the right, lines and
//! elements alike, and a quote that the client left open on the left changes nothing of what was added behind it.
//!
//! Invariants: lines of one name are one list, as if joined by commas · an element that is empty is none · a word that is
//! no scheme, host or port is as good as absent.
//!
//! Left out on purpose: who is trusted, and what follows from the words. That is the view's.

use std::net::{IpAddr, SocketAddr};

use super::super::names::{FOR, FORWARDED, HOST, PORT, PROTO, same_name};
use super::{ForwardingHeader, Scheme};

/// What the nearest proxy wrote beside the address.
#[derive(Default)]
pub(super) struct Said<'a> {
    pub(super) scheme: Option<Scheme>,
    pub(super) host: Option<&'a [u8]>,
    pub(super) port: Option<u16>,
}

impl<'a> Said<'a> {
    /// The last elements of these fields.
    pub(super) fn by_nearest(
        header: ForwardingHeader,
        fields: &(impl DoubleEndedIterator<Item = (&'a [u8], &'a [u8])> + Clone),
    ) -> Said<'a> {
        let last = |name| elements(fields.clone(), name).next();
        match header {
            ForwardingHeader::XForwardedFor => Said {
                scheme: last(PROTO).and_then(scheme),
                host: last(HOST).filter(|host| is_host(host)),
                port: last(PORT).and_then(port),
            },
            ForwardingHeader::Forwarded => {
                let parameter = |name| last(FORWARDED).and_then(|element| parameter(element, name));
                Said {
                    scheme: parameter(b"proto").and_then(scheme),
                    host: parameter(b"host").filter(|host| is_host(host)),
                    port: None,
                }
            }
        }
    }
}

/// The addresses of the chain, the nearest first; none for one that cannot be read.
pub(super) fn addresses<'a>(
    header: ForwardingHeader,
    fields: impl DoubleEndedIterator<Item = (&'a [u8], &'a [u8])>,
) -> impl Iterator<Item = Option<IpAddr>> {
    let name = match header {
        ForwardingHeader::XForwardedFor => FOR,
        ForwardingHeader::Forwarded => FORWARDED,
    };
    elements(fields, name).map(move |element| match header {
        ForwardingHeader::XForwardedFor => address(element),
        ForwardingHeader::Forwarded => parameter(element, b"for").and_then(address),
    })
}

/// The elements of all fields with this name, the last first.
fn elements<'a, 'n: 'a>(
    fields: impl DoubleEndedIterator<Item = (&'a [u8], &'a [u8])>,
    name: &'n [u8],
) -> impl Iterator<Item = &'a [u8]> {
    fields
        .rev()
        .filter(move |(sent, _)| same_name(sent, name))
        .flat_map(|(_, value)| {
            let mut quoted = false;
            value.rsplit(move |byte| {
                quoted ^= *byte == b'"';
                *byte == b',' && !quoted
            })
        })
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

/// The value of a parameter of one element of `Forwarded`, without its quotes; none when it is there twice.
fn parameter<'a>(element: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut quoted = false;
    let pairs = element.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b';' && !quoted
    });
    let mut values = pairs.filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let own = pair[..equals].trim_ascii();
        own.eq_ignore_ascii_case(name)
            .then(|| pair[equals + 1..].trim_ascii())
    });
    let value = values.next().filter(|_| values.next().is_none())?;
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(value);
    // Nothing that is looked for needs an escape.
    (!inner.iter().any(|byte| matches!(byte, b'"' | b'\\'))).then_some(inner)
}

/// An address, alone or with a port; the bracketed form of the new ones too.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare
        .parse()
        .or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// Both schemes, and what some proxies write when the client asks for a WebSocket.
fn scheme(word: &[u8]) -> Option<Scheme> {
    let is = |known: &[u8]| word.eq_ignore_ascii_case(known);
    if is(b"https") || is(b"wss") {
        Some(Scheme::Https)
    } else if is(b"http") || is(b"ws") {
        Some(Scheme::Http)
    } else {
        None
    }
}

/// A port as digits; 0 is none.
pub(super) fn port(digits: &[u8]) -> Option<u16> {
    let digits = digits.iter().all(u8::is_ascii_digit).then_some(digits)?;
    let port = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (port != 0).then_some(port)
}

/// Whether this can stand in a URL as host and port.
fn is_host(host: &[u8]) -> bool {
    !host.is_empty()
        && host
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]%".contains(byte))
}

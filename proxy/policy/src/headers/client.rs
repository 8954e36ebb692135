//! Who a request comes from: the peer of its connection, and the client as the site is to see it.
//!
//! A [`ClientView`] is made once for each request; the access log, the forwarding fields, cookies and redirects are all
//! written from it, so they cannot disagree. Today the peer's address and port are the client's; only the scheme may be
//! another one, if a trusted peer says so.
//!
//! Invariants: what a peer that is not trusted says of its client is never believed · of a chain of proxies the first
//! has seen the client.
//!
//! Left out on purpose: which peers are trusted. That is the configuration's.

use std::net::IpAddr;

use super::names::{PROTO, same_name};

/// How somebody speaks HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In clear text.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As in a URL.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// The far end of a client's connection: what the socket says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// The port on which the connection was accepted.
    pub port: u16,
    /// How it speaks to the proxy.
    pub scheme: Scheme,
}

/// The client of one request, as log lines, forwarding fields, cookies and redirects see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientView<'a> {
    /// Its address: the peer's.
    pub address: IpAddr,
    /// Whether the peer is a proxy whose forwarding fields are believed.
    pub(super) trusted: bool,
    /// How it speaks to the site: to the proxy, or to the trusted proxy in front of it that says so.
    pub(super) scheme: Scheme,
    /// The request's Host; empty when an HTTP/1.0 request has none.
    pub host: &'a [u8],
    /// The port that it asked: the one on which the connection was accepted.
    pub(super) port: u16,
}

impl<'a> ClientView<'a> {
    /// The client behind this peer, from the fields of its request; `trusted` says whether the peer is believed.
    pub fn of(
        peer: &Peer,
        trusted: bool,
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    ) -> ClientView<'a> {
        let host = fields
            .clone()
            .find(|(name, _)| name.eq_ignore_ascii_case(b"host"));
        ClientView {
            address: peer.address,
            trusted,
            scheme: scheme(fields, trusted, peer.scheme),
            host: host.map_or(b"", |(_, value)| value),
            port: peer.port,
        }
    }
}

fn scheme<'a>(
    mut fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    trusted: bool,
    scheme: Scheme,
) -> Scheme {
    let said = fields.find(|(name, _)| trusted && same_name(name, PROTO));
    let first = said.and_then(|(_, value)| value.split(|byte| *byte == b',').next());
    match first {
        Some(first) if first.trim_ascii().eq_ignore_ascii_case(b"https") => Scheme::Https,
        _ => scheme,
    }
}

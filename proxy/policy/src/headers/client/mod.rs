//! Who a request comes from: the peer of its connection, and the client as the site is to see it.
//!
//! A [`ClientView`] is made once for each request; the access log, the forwarding fields, cookies and redirects are all
//! written from it, so they cannot disagree. If the peer is trusted, its chain of addresses is walked from the right,
//! from who is nearest to who is farthest: the first that nobody vouches for is the client, and whatever stands left of
//! it is the client's own word. Scheme, host and port are what the nearest trusted hop wrote.
//!
//! Invariants: what a peer that is not trusted says of its client is never believed · an entry that cannot be read ends
//! the walk, as does one that is not trusted · a port that nobody names is that of the host, else the scheme's; never
//! that of our own socket, which a port map may hide.
//!
//! Left out on purpose: which peers are trusted. That is the configuration's.

mod said;

use std::net::IpAddr;

use crate::parts::ShortText;
use said::{Said, addresses};

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
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port of a URL that names none.
    pub(super) fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// The far end of a client's connection: what the socket says, or the PROXY header in front of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// How it speaks to the proxy.
    pub scheme: Scheme,
}

/// The fields in which proxies say who their client is. A site has one kind: whoever writes one of them passes the other
/// on as the client sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardingHeader {
    /// `X-Forwarded-For`, and beside it `-Proto`, `-Host` and `-Port`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The client of one request, as log lines, forwarding fields, cookies and redirects see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientView<'a> {
    /// Its address: the peer's, or the first from the right of a trusted peer's chain that is not trusted itself.
    pub address: IpAddr,
    /// Whether the peer is a proxy whose words about its client are believed.
    pub(super) trusted: bool,
    /// The trusted proxies between the client and us, the nearest last. Empty when the peer is the client.
    pub(super) hops: Vec<IpAddr>,
    /// How it speaks to the site.
    pub scheme: Scheme,
    /// The host that it asked, with a port if it named one; empty when an HTTP/1.0 request has none.
    pub(super) host: &'a [u8],
    /// The Host of the request as it came, which upstreams get; empty when an HTTP/1.0 request has none.
    pub sent_host: &'a [u8],
    /// The port that it asked.
    pub(super) port: u16,
}

impl<'a> ClientView<'a> {
    /// The client behind this peer, from the fields of its request. `trusts` says whose words are believed, `header`
    /// where they stand.
    pub fn of(
        peer: &Peer,
        header: ForwardingHeader,
        trusts: impl Fn(IpAddr) -> bool,
        fields: &(impl DoubleEndedIterator<Item = (&'a [u8], &'a [u8])> + Clone),
    ) -> ClientView<'a> {
        let sent_host = fields
            .clone()
            .find(|(name, _)| name.eq_ignore_ascii_case(b"host"))
            .map_or(&b""[..], |(_, value)| value);
        let (mut address, mut hops) = (peer.address.to_canonical(), Vec::new());
        let trusted = trusts(address);
        let said = if trusted {
            for farther in addresses(header, fields.clone()).map_while(|address| address) {
                hops.push(std::mem::replace(&mut address, farther));
                if !trusts(farther) {
                    break;
                }
            }
            hops.reverse();
            Said::by_nearest(header, fields)
        } else {
            Said::default()
        };
        let scheme = said.scheme.unwrap_or(peer.scheme);
        let host = said.host.unwrap_or(sent_host);
        let port = said.port.or_else(|| split_port(host).1);
        ClientView {
            address,
            trusted,
            hops,
            scheme,
            host,
            sent_host,
            port: port.unwrap_or(scheme.default_port()),
        }
    }

    /// Whether an authority is the site's own, as the client names it.
    pub(super) fn is_asked(&self, authority: &[u8]) -> bool {
        !authority.is_empty() && (authority.eq_ignore_ascii_case(self.host) || self.is_authority(authority))
    }

    /// Whether it is host and port as they stand in the site's URLs.
    fn is_authority(&self, authority: &[u8]) -> bool {
        let (name, port) = self.authority();
        let same = authority.split_at_checked(name.len());
        same.is_some_and(|(own, rest)| {
            own.eq_ignore_ascii_case(name)
                && match port {
                    Some(port) => rest.strip_prefix(b":") == Some(port.as_bytes()),
                    None => rest.is_empty(),
                }
        })
    }

    /// The name of the host that it asked, without a port.
    #[must_use]
    pub fn host_name(&self) -> &'a [u8] {
        split_port(self.host).0
    }

    /// Writes host and port as they stand in the site's URLs; nothing when nothing names a host.
    pub(super) fn write_authority(&self, to: &mut Vec<u8>) {
        let (name, port) = self.authority();
        to.extend_from_slice(name);
        if let Some(port) = port {
            to.push(b':');
            to.extend_from_slice(port.as_bytes());
        }
    }

    /// Host and port as they stand in the site's URLs, the scheme's own port left out; empty when nothing names a host.
    fn authority(&self) -> (&'a [u8], Option<ShortText>) {
        let (name, _) = split_port(self.host);
        let is_said = !name.is_empty() && self.port != self.scheme.default_port();
        (name, is_said.then(|| ShortText::of_port(self.port)))
    }
}

/// The name or address of an authority, and its port if it names a usable one.
pub(super) fn split_port(authority: &[u8]) -> (&[u8], Option<u16>) {
    let colon = authority.iter().rposition(|byte| *byte == b':');
    let bracket = authority.iter().rposition(|byte| *byte == b']');
    match colon {
        Some(colon) if bracket.is_none_or(|bracket| bracket < colon) => {
            (&authority[..colon], said::port(&authority[colon + 1..]))
        }
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests;

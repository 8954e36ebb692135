//! Request fields: what the upstream is told of the client.

use std::borrow::Cow;
use std::net::IpAddr;

use super::edit::{AddedField, FieldEdit};
use super::hops::Listed;
use super::names::{OWN_PREFIX, has_prefix, same_name};

const FOR: &[u8] = b"x-forwarded-for";
const PROTO: &[u8] = b"x-forwarded-proto";
const HOST: &[u8] = b"x-forwarded-host";
const PORT: &[u8] = b"x-forwarded-port";

/// How the client speaks to the proxy.
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
}

/// How the client of a request speaks to the site: to the proxy, or to a trusted proxy in front of it that says so.
pub fn client_scheme<'a>(
    mut fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    trusted: bool,
    scheme: Scheme,
) -> Scheme {
    let said = fields.find(|(name, _)| trusted && same_name(name, PROTO));
    // Of a chain of proxies the first has seen the client.
    let first = said.and_then(|(_, value)| value.split(|byte| *byte == b',').next());
    match first {
        Some(first) if first.trim_ascii().eq_ignore_ascii_case(b"https") => Scheme::Https,
        _ => scheme,
    }
}

/// The client of one request, as the proxy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// The peer of the connection.
    pub address: IpAddr,
    /// Whether the peer is a proxy whose forwarding fields are believed.
    pub trusted: bool,
    /// How it speaks.
    pub scheme: Scheme,
    /// The request's Host; empty when an HTTP/1.0 request has none.
    pub host: &'a [u8],
    /// The port on which the request was accepted.
    pub port: u16,
}

/// What becomes of a request field. An `Upgrade` that `Connection` lists passes; see [`added_to_request`].
#[must_use]
pub fn edit_request(name: &[u8], listed: &Listed, trusted: bool) -> FieldEdit {
    if name.eq_ignore_ascii_case(b"upgrade") && listed.has_upgrade() {
        return FieldEdit::Keep;
    }
    let replaced = same_name(name, FOR) || (!trusted && tells_of_client(name));
    let smuggled = has_prefix(name, OWN_PREFIX) || name.eq_ignore_ascii_case(b"proxy");
    if replaced || smuggled || listed.ends_here(name) {
        FieldEdit::Drop
    } else {
        FieldEdit::Keep
    }
}

/// Fields by which servers learn of the client; worth nothing from a client that is not trusted.
fn tells_of_client(name: &[u8]) -> bool {
    has_prefix(name, b"x-forwarded-") || same_name(name, b"forwarded") || same_name(name, b"x-real-ip")
}

/// The fields that the proxy adds to a request, from the fields that the client sent.
pub fn added_to_request<'a>(
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    listed: &Listed,
    client: &Client<'a>,
) -> Vec<AddedField<'a>> {
    let believed = |name: &[u8]| client.trusted && fields.clone().any(|(sent, _)| same_name(sent, name));
    let (proto, host, port) = (believed(PROTO), believed(HOST), believed(PORT));
    let mut added: Vec<AddedField<'a>> = vec![(FOR, forwarded_for(fields, client).into())];
    if !proto {
        added.push((PROTO, client.scheme.as_str().as_bytes().into()));
    }
    if !host && !client.host.is_empty() {
        added.push((HOST, client.host.into()));
    }
    if !port {
        added.push((PORT, client.port.to_string().into_bytes().into()));
    }
    if listed.has_upgrade() {
        added.push((b"connection", Cow::Borrowed(b"upgrade")));
    }
    added
}

/// The chain of addresses: what a trusted peer said, then the peer.
fn forwarded_for<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>, client: &Client<'_>) -> Vec<u8> {
    let address = client.address.to_canonical().to_string().into_bytes();
    if !client.trusted {
        return address;
    }
    let mut chain: Vec<u8> = Vec::new();
    for (_, value) in fields.filter(|(name, _)| same_name(name, FOR)) {
        chain.extend_from_slice(value.trim_ascii());
        chain.extend_from_slice(b", ");
    }
    chain.extend_from_slice(&address);
    chain
}

//! Request fields: what the upstream is told of the client.
//!
//! Invariants: an upstream always learns the whole chain of addresses, ending with the peer · what a client says of
//! itself passes only when its peer is trusted, and is added to, never replaced, then.

use std::borrow::Cow;

use super::client::ClientView;
use super::edit::{AddedField, FieldEdit};
use super::hops::Listed;
use super::names::{FOR, HOST, OWN_PREFIX, PORT, PROTO, has_prefix, same_name};
use super::upgrade::Upgrade;

/// What becomes of a request field. `Upgrade` passes when a tunnel is asked for; see [`added_to_request`].
#[must_use]
pub fn edit_request(name: &[u8], listed: &Listed, client: &ClientView<'_>, upgrade: Upgrade) -> FieldEdit {
    if name.eq_ignore_ascii_case(b"upgrade") && upgrade == Upgrade::WebSocket {
        return FieldEdit::Keep;
    }
    let replaced = same_name(name, FOR) || (!client.trusted && tells_of_client(name));
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
    client: &ClientView<'a>,
    upgrade: Upgrade,
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
    if upgrade == Upgrade::WebSocket {
        added.push((b"connection", Cow::Borrowed(b"upgrade")));
    }
    added
}

/// The chain of addresses: what a trusted peer said, then the peer.
fn forwarded_for<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>, client: &ClientView<'_>) -> Vec<u8> {
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

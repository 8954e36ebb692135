//! Request fields: what the upstream is told of the client.
//!
//! `X-Forwarded-For`, `-Proto`, `-Host` and `-Port` are written from the view, whatever came in: that is what Tomcat's
//! RemoteIpValve reads. The chain begins with the client and ends with the peer; what stood left of the client was its
//! own word, and a server that trusts more addresses than we do would walk on into it.
//!
//! Invariants: the four fields say what the view says · `Forwarded` ends here: one vocabulary, so that nothing which our
//! front did not write is read behind us · what else vouches for the client passes from a trusted peer only, and what tells of
//! TLS that ends here not even from one (see `identity`).

use super::client::ClientView;
use super::edit::FieldEdit;
use super::hops::Listed;
use super::identity::{tells_of_certificate, tells_of_client};
use super::names::{
    FOR, FORWARDED, HOST, OWN_PREFIX, PORT, PROTO, REQUEST_ID, has_prefix, initial, is_same_as_any, same_name,
};
use super::upgrade::Upgrade;
use crate::parts::ShortText;

/// What an upstream is told beside what the client sent.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Who asks.
    pub client: &'a ClientView<'a>,
    /// Whether the exchange may leave HTTP.
    pub upgrade: Upgrade,
    /// Where the TLS of the client's connection ends here: fields that tell of it, names in lower case.
    pub secured: Option<&'a [(&'static str, String)]>,
    /// The name of the request in all logs.
    pub request_id: &'a str,
    /// The protocol's version and the name of this process, as in `Via`.
    pub via: &'a str,
}

/// What becomes of a request field. `Upgrade` passes when a tunnel is asked for; see [`added_to_request`].
#[must_use]
pub fn edit_request(name: &[u8], listed: &Listed, told: &Told<'_>) -> FieldEdit {
    if told.upgrade == Upgrade::WebSocket && name.eq_ignore_ascii_case(b"upgrade") {
        return FieldEdit::Keep;
    }
    let rewritten = match initial(name) {
        b'x' => is_same_as_any(name, &[FOR, PROTO, HOST, PORT, REQUEST_ID]),
        b'f' => same_name(name, FORWARDED),
        _ => false,
    };
    let claimed = match told.client.trusted {
        false => tells_of_client(name),
        true => told.secured.is_some() && tells_of_certificate(name),
    };
    let smuggled = has_prefix(name, OWN_PREFIX) || name.eq_ignore_ascii_case(b"proxy");
    if rewritten || claimed || smuggled || listed.ends_here(name) {
        FieldEdit::Drop
    } else {
        FieldEdit::Keep
    }
}

/// Hands over the fields that the proxy adds to a request: name in lower case, and value.
pub fn added_to_request(told: &Told<'_>, mut add: impl FnMut(&'static [u8], &[u8])) {
    let client = told.client;
    let address = ShortText::of_address(client.address);
    if client.hops.is_empty() {
        add(FOR, address.as_bytes());
    } else {
        add(FOR, &chain(client));
    }
    add(PROTO, client.scheme.as_str().as_bytes());
    if !client.host.is_empty() {
        add(HOST, client.host);
    }
    add(PORT, ShortText::of_port(client.port).as_bytes());
    for (name, value) in told.secured.into_iter().flatten() {
        add(name.as_bytes(), value.as_bytes());
    }
    add(REQUEST_ID, told.request_id.as_bytes());
    add(b"via", told.via.as_bytes());
    if told.upgrade == Upgrade::WebSocket {
        add(b"connection", b"upgrade");
    }
}

/// The client and the trusted hops behind it.
fn chain(client: &ClientView<'_>) -> Vec<u8> {
    let mut chain = ShortText::of_address(client.address).as_bytes().to_vec();
    for hop in &client.hops {
        chain.extend_from_slice(b", ");
        chain.extend_from_slice(ShortText::of_address(*hop).as_bytes());
    }
    chain
}

//! Request fields: what the upstream is told of the client.
//!
//! `X-Forwarded-For`, `-Proto`, `-Host` and `-Port` are written from the view, whatever came in: that is what Tomcat's
//! RemoteIpValve reads. The chain begins with the client and ends with the peer; what stood left of the client was its
//! own word, and a server that trusts more addresses than we do would walk on into it.
//!
//! Invariants: the four fields say what the view says · `Forwarded` ends here: one vocabulary, so that nothing which our
//! front did not write is read behind us · what else vouches for the client passes from a trusted peer only (see
//! `identity`).

use std::borrow::Cow;

use super::client::ClientView;
use super::edit::{AddedField, FieldEdit};
use super::hops::Listed;
use super::identity::tells_of_client;
use super::names::{FOR, FORWARDED, HOST, OWN_PREFIX, PORT, PROTO, REQUEST_ID, has_prefix, same_name};
use super::upgrade::Upgrade;

/// What an upstream is told beside what the client sent.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Who asks.
    pub client: &'a ClientView<'a>,
    /// Whether the exchange may leave HTTP.
    pub upgrade: Upgrade,
    /// The name of the request in all logs.
    pub request_id: &'a str,
    /// The protocol's version and the name of this process, as in `Via`.
    pub via: &'a str,
}

/// What becomes of a request field. `Upgrade` passes when a tunnel is asked for; see [`added_to_request`].
#[must_use]
pub fn edit_request(name: &[u8], listed: &Listed, told: &Told<'_>) -> FieldEdit {
    if name.eq_ignore_ascii_case(b"upgrade") && told.upgrade == Upgrade::WebSocket {
        return FieldEdit::Keep;
    }
    let rewritten = [FOR, PROTO, HOST, PORT, FORWARDED, REQUEST_ID]
        .iter()
        .any(|written| same_name(name, written));
    let claimed = !told.client.trusted && tells_of_client(name);
    let smuggled = has_prefix(name, OWN_PREFIX) || name.eq_ignore_ascii_case(b"proxy");
    if rewritten || claimed || smuggled || listed.ends_here(name) {
        FieldEdit::Drop
    } else {
        FieldEdit::Keep
    }
}

/// The fields that the proxy adds to a request.
#[must_use]
pub fn added_to_request<'a>(told: &Told<'a>) -> Vec<AddedField<'a>> {
    let client = told.client;
    let mut added: Vec<AddedField<'a>> = vec![
        (FOR, chain(client).into()),
        (PROTO, client.scheme.as_str().as_bytes().into()),
    ];
    if !client.host.is_empty() {
        added.push((HOST, client.host.into()));
    }
    added.push((PORT, client.port.to_string().into_bytes().into()));
    added.push((REQUEST_ID, told.request_id.as_bytes().into()));
    added.push((b"via", told.via.as_bytes().into()));
    if told.upgrade == Upgrade::WebSocket {
        added.push((b"connection", Cow::Borrowed(b"upgrade")));
    }
    added
}

/// The client and the trusted hops behind it.
fn chain(client: &ClientView<'_>) -> Vec<u8> {
    let mut chain = client.address.to_string();
    for hop in &client.hops {
        chain += ", ";
        chain += &hop.to_string();
    }
    chain.into_bytes()
}

//! Whether an exchange leaves HTTP. Decided once, from the request's head; every rule about `Upgrade` asks the answer.
//!
//! The only tunnel that is given is WebSocket, asked for alone and without a body. Others (h2c above all) would carry
//! requests past every rule of ours, and so would one that the upstream may choose from several.

use super::hops::Listed;

/// What becomes of a request to leave HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// Nothing: `Upgrade` ends here like any field of one connection, and a 101 is no answer.
    No,
    /// A tunnel, if the upstream grants it.
    WebSocket,
}

impl Upgrade {
    /// What the head of a request asks for. `http11` says that it speaks HTTP/1.1.
    pub fn asked<'a>(
        method: &str,
        http11: bool,
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    ) -> Upgrade {
        if method == "GET" && http11 && is_websocket(fields.clone()) && !has_body(fields) {
            Upgrade::WebSocket
        } else {
            Upgrade::No
        }
    }

    /// Whether a 101 with these fields gives what was asked for.
    pub fn is_granted<'a>(self, fields: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> bool {
        self == Upgrade::WebSocket && is_websocket(fields)
    }
}

fn has_body<'a>(mut fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> bool {
    fields.any(|(name, value)| {
        name.eq_ignore_ascii_case(b"transfer-encoding")
            || (name.eq_ignore_ascii_case(b"content-length") && value != b"0")
    })
}

/// Whether a head names WebSocket as the one other protocol, and says so in `Connection`.
fn is_websocket<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> bool {
    let mut protocols = fields
        .clone()
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"upgrade"));
    let first = protocols.next();
    first.is_some_and(|(_, protocol)| protocol.eq_ignore_ascii_case(b"websocket"))
        && protocols.next().is_none()
        && Listed::read(fields).has_upgrade()
}

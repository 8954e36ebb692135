//! The two heads of an exchange on their way through: what the upstream is sent, what the client is sent.
//!
//! The rules for each field are in `remora_policy`; here they are applied to whole heads, and the few fields that only the
//! two connections together decide are added: `Upgrade` (WebSocket alone), `TE` and `Trailer`, and `Host` where an
//! HTTP/1.0 client sent none.

use remora_policy::{Client, FieldEdit, Listed, Origin, added_to_request, edit_request, edit_response};

use crate::http::{Fields, RequestHead, ResponseHead, Version};

/// Room for the fields that are added, in bytes.
const ADDED_BYTES: usize = 256;
/// Room for the fields that are added, in fields.
const ADDED_FIELDS: usize = 8;

/// Whether a request asks for a tunnel that we give: WebSocket, alone and without a body. Others (h2c above all) would
/// carry requests past every rule of ours, and so would one that the upstream may choose from several.
pub(super) fn wants_tunnel(head: &RequestHead) -> bool {
    let has_body = head.fields.contains("transfer-encoding")
        || head
            .fields
            .get("content-length")
            .is_some_and(|length| length != b"0");
    head.method() == "GET" && head.version == Version::Http11 && !has_body && is_websocket(&head.fields)
}

/// Whether an upstream gives the tunnel that was asked for.
pub(super) fn gives_tunnel(head: &ResponseHead) -> bool {
    is_websocket(&head.fields)
}

fn is_websocket(fields: &Fields) -> bool {
    let mut protocols = fields.all("upgrade");
    protocols
        .next()
        .is_some_and(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
        && protocols.next().is_none()
        && Listed::read(fields.iter()).has_upgrade()
}

/// The head for the upstream. `streamed` says that the body has no known length.
pub(super) fn to_upstream(
    head: &RequestHead,
    target: &[u8],
    client: &Client<'_>,
    authority: &str,
    streamed: bool,
) -> RequestHead {
    let listed = Listed::read(head.fields.iter());
    let tunnel = wants_tunnel(head);
    let mut fields = Fields::with_capacity(
        head.fields.size() + target.len() + ADDED_BYTES,
        head.fields.len() + ADDED_FIELDS,
    );
    if client.host.is_empty() {
        fields.push(b"host", authority.as_bytes());
    }
    for (name, value) in head.fields.iter() {
        if name.eq_ignore_ascii_case(b"expect") || (!tunnel && name.eq_ignore_ascii_case(b"upgrade")) {
            continue;
        }
        match edit_request(name, &listed, client.trusted) {
            FieldEdit::Keep => fields.push(name, value),
            FieldEdit::Replace(value) => fields.push(name, &value),
            FieldEdit::Drop => {}
        }
    }
    for (name, value) in added_to_request(head.fields.iter(), &listed, client) {
        if tunnel || name != b"connection" {
            fields.push(name, &value);
        }
    }
    if !tunnel && accepts_trailers(head) {
        fields.push(b"te", b"trailers");
        fields.push(b"connection", b"te");
    }
    if streamed {
        keep_trailer_names(&head.fields, &mut fields);
    }
    RequestHead::with_fields(head.method(), target, Version::Http11, fields)
}

/// The head for the client. `streamed` says that the body has no known length; `route_cookie` is added.
pub(super) fn to_client(
    head: &ResponseHead,
    origin: &Origin<'_>,
    streamed: bool,
    route_cookie: Option<&str>,
) -> ResponseHead {
    let listed = Listed::read(head.fields.iter());
    let switching = head.status == 101;
    let mut fields =
        Fields::with_capacity(head.fields.size() + ADDED_BYTES, head.fields.len() + ADDED_FIELDS);
    for (name, value) in head.fields.iter() {
        if !switching && name.eq_ignore_ascii_case(b"upgrade") {
            continue;
        }
        match edit_response(name, value, &listed, origin) {
            FieldEdit::Keep => fields.push(name, value),
            FieldEdit::Replace(value) => fields.push(name, &value),
            FieldEdit::Drop => {}
        }
    }
    if switching {
        fields.push(b"connection", b"upgrade");
    }
    if streamed {
        keep_trailer_names(&head.fields, &mut fields);
    }
    if let Some(cookie) = route_cookie {
        fields.push(b"set-cookie", cookie.as_bytes());
    }
    ResponseHead {
        status: head.status,
        fields,
    }
}

fn accepts_trailers(head: &RequestHead) -> bool {
    head.fields
        .all("te")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// The sender must announce the names of its trailers anew on each connection.
fn keep_trailer_names(from: &Fields, to: &mut Fields) {
    for names in from.all("trailer") {
        to.push(b"trailer", names);
    }
}

//! The two heads of an exchange on their way through: what the upstream is sent, what the client is sent.
//!
//! The rules for each field are in `remora_policy`; here they are applied to whole heads, and the few fields that only
//! the two connections together decide are added: `TE` and `Trailer`, and `Host` where an HTTP/1.0 client sent none.

use remora_policy::{
    FieldEdit, FieldRules, Listed, Origin, Told, Upgrade, added_to_request, edit_request, edit_response,
};

use crate::http::{Fields, RequestHead, ResponseHead, Version};

/// Room for the fields that are added, in bytes.
const ADDED_BYTES: usize = 256;
/// Room for the fields that are added, in fields.
const ADDED_FIELDS: usize = 8;

/// The head for the upstream. `streamed` says that the body has no known length.
pub(super) fn to_upstream(
    head: &RequestHead,
    target: &[u8],
    told: &Told<'_>,
    authority: &str,
    rules: &FieldRules,
    streamed: bool,
) -> RequestHead {
    let listed = Listed::read(head.fields.iter());
    let mut fields = Fields::with_capacity(
        head.fields.size() + target.len() + ADDED_BYTES,
        head.fields.len() + ADDED_FIELDS,
    );
    if told.client.sent_host.is_empty() {
        fields.push(b"host", authority.as_bytes());
    }
    for (name, value) in head.fields.iter() {
        if name.eq_ignore_ascii_case(b"expect") || rules.cover(name) {
            continue;
        }
        match edit_request(name, &listed, told) {
            FieldEdit::Keep | FieldEdit::Unpublished => fields.push(name, value),
            FieldEdit::Replace(value) => fields.push(name, &value),
            FieldEdit::Drop => {}
        }
    }
    for (name, value) in added_to_request(told) {
        fields.push(name, &value);
    }
    push_set(rules, &mut fields);
    if told.upgrade == Upgrade::No && accepts_trailers(head) {
        fields.push(b"te", b"trailers");
        fields.push(b"connection", b"te");
    }
    if streamed {
        keep_trailer_names(&head.fields, &mut fields);
    }
    RequestHead::with_fields(head.method(), target, Version::Http11, fields)
}

/// The head for the client. `upgrade` says whether it grants a tunnel, `streamed` that the body has no known length;
/// `route_cookie` is added. Says too whether it sends the client to an address that no route publishes.
pub(super) fn to_client(
    head: &ResponseHead,
    origin: &Origin<'_>,
    upgrade: Upgrade,
    streamed: bool,
    route_cookie: Option<&str>,
) -> (ResponseHead, bool) {
    let listed = Listed::read(head.fields.iter());
    let mut fields =
        Fields::with_capacity(head.fields.size() + ADDED_BYTES, head.fields.len() + ADDED_FIELDS);
    let mut unpublished = false;
    for (name, value) in head.fields.iter() {
        match edit_response(name, value, &listed, origin, upgrade) {
            FieldEdit::Keep => fields.push(name, value),
            FieldEdit::Unpublished => {
                unpublished = true;
                fields.push(name, value);
            }
            FieldEdit::Replace(value) => fields.push(name, &value),
            FieldEdit::Drop => {}
        }
    }
    if upgrade == Upgrade::WebSocket {
        fields.push(b"connection", b"upgrade");
    }
    if streamed {
        keep_trailer_names(&head.fields, &mut fields);
    }
    if let Some(cookie) = route_cookie {
        fields.push(b"set-cookie", cookie.as_bytes());
    }
    let status = head.status;
    (ResponseHead { status, fields }, unpublished)
}

/// Puts an owner's rules for answers into effect.
pub(super) fn apply(rules: &FieldRules, fields: &mut Fields) {
    fields.retain(|name, _| !rules.cover(name));
    push_set(rules, fields);
}

fn push_set(rules: &FieldRules, fields: &mut Fields) {
    for (name, value) in &rules.set {
        fields.push(name.as_bytes(), value.as_bytes());
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

//! The two heads of an exchange on their way through: what the upstream is sent, what the client is sent.
//!
//! The rules for each field are in `remora_policy`; here they are applied to whole heads, and the few fields that only
//! the two connections together decide are added: `TE` and `Trailer`, and `Host` where an HTTP/1.0 client sent none.

use remora_h1::{Fields, Head, Known};
use remora_policy::{
    FieldEdit, FieldRules, InParts, Listed, Origin, Told, Upgrade, added_to_request, edit_request,
    edit_response,
};

/// What a request to an upstream is made of.
pub(super) struct Request<'a> {
    /// As the client sent it.
    pub(super) head: &'a Head,
    /// Path and query there.
    pub(super) target: InParts<'a>,
    /// Whose Host it is where the client named none.
    pub(super) authority: &'a str,
    /// Whether the client still holds its content back.
    pub(super) expects: bool,
    /// Whether the content has no known length.
    pub(super) streamed: bool,
}

impl Request<'_> {
    /// Writes the head for the upstream.
    pub(super) fn write(&self, told: &Told<'_>, rules: &FieldRules, to: &mut Head) {
        let from = &self.head.fields;
        let listed = Listed::read(from.iter());
        to.set_request(self.head.method(), self.target.parts());
        let fields = &mut to.fields;
        if told.client.sent_host.is_empty() {
            fields.push(b"host", self.authority.as_bytes());
        }
        let mut run = 0;
        for (position, (name, _)) in from.iter().enumerate() {
            let edit = match Known::of(name) {
                Some(Known::Expect) if !self.expects => FieldEdit::Drop,
                _ if rules.cover(name) => FieldEdit::Drop,
                _ => edit_request(name, &listed, told),
            };
            edited(edit, (name, b""), (from, position, &mut run), fields);
        }
        fields.copy(from, run..from.len());
        added_to_request(told, |name, value| fields.push(name, value));
        push_set(rules, fields);
        if told.upgrade == Upgrade::No && accepts_trailers(self.head) {
            fields.push(b"te", b"trailers");
            fields.push(b"connection", b"te");
        }
        if self.streamed {
            keep_trailer_names(from, fields);
        }
    }
}

/// What an answer to a client is made of.
pub(super) struct Answer<'a> {
    /// As the upstream answered.
    pub(super) head: &'a Head,
    /// Where it comes from and where its client is.
    pub(super) origin: Origin<'a>,
    /// Whether it grants a tunnel.
    pub(super) upgrade: Upgrade,
    /// Whether the content has no known length.
    pub(super) streamed: bool,
    /// The cookie that is added.
    pub(super) route_cookie: Option<&'a str>,
}

impl Answer<'_> {
    /// Writes the head for the client, with the help of a buffer. Says whether it sends the client to an address that no route
    /// publishes.
    pub(super) fn write(&self, to: &mut Head, instead: &mut Vec<u8>) -> bool {
        let from = &self.head.fields;
        let listed = Listed::read(from.iter());
        to.set_response(self.head.status(), self.head.reason());
        let fields = &mut to.fields;
        let (mut unpublished, mut run) = (false, 0);
        for (position, (name, value)) in from.iter().enumerate() {
            let edit = edit_response(name, value, &listed, &self.origin, self.upgrade, instead);
            unpublished |= edit == FieldEdit::Unpublished;
            edited(edit, (name, instead), (from, position, &mut run), fields);
        }
        fields.copy(from, run..from.len());
        if self.upgrade == Upgrade::WebSocket {
            fields.push(b"connection", b"upgrade");
        }
        if self.streamed {
            keep_trailer_names(from, fields);
        }
        if let Some(cookie) = self.route_cookie {
            fields.push(b"set-cookie", cookie.as_bytes());
        }
        unpublished
    }
}

/// Puts one edit into effect. Fields that pass as they are wait, from `run` on, until they can be copied in one piece.
fn edited(
    edit: FieldEdit,
    (name, instead): (&[u8], &[u8]),
    (from, position, run): (&Fields, usize, &mut usize),
    to: &mut Fields,
) {
    if matches!(edit, FieldEdit::Keep | FieldEdit::Unpublished) {
        return;
    }
    to.copy(from, *run..position);
    *run = position + 1;
    if edit == FieldEdit::Replace {
        to.push(name, instead);
    }
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

fn accepts_trailers(head: &Head) -> bool {
    head.fields
        .all(Known::Te)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// The sender must announce the names of its trailers anew on each connection.
fn keep_trailer_names(from: &Fields, to: &mut Fields) {
    for names in from.all(Known::Trailer) {
        to.push(b"trailer", names);
    }
}

//! What happens to header fields on their way through: hop-by-hop fields, forwarding fields, redirects and cookie
//! paths mapped back. Pure.
//!
//! The functions see one field at a time as two byte slices and answer with an edit, so they know no head type.
//!
//! Invariants: `Remora-*` never crosses the proxy in either direction, in a head or behind a body ([`may_trail`]) · `Connection` cannot remove a protected field
//! ([`is_protected`]) · forwarding fields of a client that is not trusted are replaced, never extended · Host passes as
//! the client sent it (redirects and cookie domains then fit without repair).

pub mod forwarding;
pub mod hops;
pub mod reverse;

pub use forwarding::{Client, Scheme, added_to_request, client_scheme, edit_request};
pub use hops::{Listed, is_protected, may_trail};
pub use reverse::{Origin, edit_response, route_cookie};

use bytes::Bytes;

/// What becomes of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldEdit {
    /// It passes as it is.
    Keep,
    /// It does not pass.
    Drop,
    /// Its value is replaced.
    Replace(Bytes),
}

/// A field to add: name in lower case, value.
pub type AddedField = (&'static [u8], Bytes);

/// The fields that the proxy and the adapter speak among themselves begin with this.
pub const OWN_PREFIX: &[u8] = b"remora-";

/// In a response: what happened to the request, `none` or `certain`.
pub const EFFECT_FIELD: &[u8] = b"remora-effect";

/// Whether a response field is the adapter's word that the application did not run.
#[must_use]
pub fn declines(name: &[u8], value: &[u8]) -> bool {
    name.eq_ignore_ascii_case(EFFECT_FIELD) && value.trim_ascii().eq_ignore_ascii_case(b"none")
}

/// Whether a name begins with a prefix, whatever its case; an underscore counts as the hyphen that many servers make
/// of it.
fn has_prefix(name: &[u8], prefix: &[u8]) -> bool {
    name.len() >= prefix.len() && same_name(&name[..prefix.len()], prefix)
}

/// Whether two names are the same to a server that takes underscores for hyphens.
fn same_name(name: &[u8], other: &[u8]) -> bool {
    let plain = |byte: &u8| {
        if *byte == b'_' {
            b'-'
        } else {
            byte.to_ascii_lowercase()
        }
    };
    name.len() == other.len() && name.iter().map(plain).eq(other.iter().map(plain))
}

#[cfg(test)]
mod tests;

//! How fields are named: by what prefix or word a server would know them, and which are the proxy's and the adapter's
//! own.

/// The fields that the proxy and the adapter speak among themselves begin with this.
pub(super) const OWN_PREFIX: &[u8] = b"remora-";

/// In a response: what happened to the request, `none` or `certain`.
const EFFECT_FIELD: &[u8] = b"remora-effect";

/// The addresses of the client and of the proxies behind it.
pub(super) const FOR: &[u8] = b"x-forwarded-for";
/// How the client speaks.
pub(super) const PROTO: &[u8] = b"x-forwarded-proto";
/// The Host that the client asked.
pub(super) const HOST: &[u8] = b"x-forwarded-host";
/// The port that the client asked.
pub(super) const PORT: &[u8] = b"x-forwarded-port";

/// The same in one field (RFC 7239).
pub(super) const FORWARDED: &[u8] = b"forwarded";

/// The name of one request in all logs.
pub(super) const REQUEST_ID: &[u8] = b"x-request-id";

/// Whether a response field is the adapter's word that the application did not run.
#[must_use]
pub fn declines(name: &[u8], value: &[u8]) -> bool {
    name.eq_ignore_ascii_case(EFFECT_FIELD) && value.trim_ascii().eq_ignore_ascii_case(b"none")
}

/// The first letter of a name, small; by it most names are told from those of a list at once.
pub(super) fn initial(name: &[u8]) -> u8 {
    name.first().map_or(0, u8::to_ascii_lowercase)
}

/// Whether a name is one of these, whatever its case.
pub(super) fn is_any(name: &[u8], known: &[&[u8]]) -> bool {
    known.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether a name is the same as one of these to a server that takes underscores for hyphens.
pub(super) fn is_same_as_any(name: &[u8], known: &[&[u8]]) -> bool {
    known.iter().any(|known| same_name(name, known))
}

/// Whether a name begins with a prefix, whatever its case; an underscore counts as the hyphen that many servers make
/// of it.
pub(super) fn has_prefix(name: &[u8], prefix: &[u8]) -> bool {
    name.len() >= prefix.len() && same_name(&name[..prefix.len()], prefix)
}

/// Whether two names are the same to a server that takes underscores for hyphens.
pub(super) fn same_name(name: &[u8], other: &[u8]) -> bool {
    let plain = |byte: &u8| {
        if *byte == b'_' {
            b'-'
        } else {
            byte.to_ascii_lowercase()
        }
    };
    name.len() == other.len() && name.iter().map(plain).eq(other.iter().map(plain))
}

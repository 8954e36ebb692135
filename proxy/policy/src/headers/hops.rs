//! Fields that belong to one connection (RFC 9110 section 7.6.1) and end at each proxy.
//!
//! Invariants: a field ends here by its name or because `Connection` lists it, whichever comes first · `Connection`
//! cannot take away what a request means: host, framing, cookies, credentials, what is told of the client, and our own
//! fields · nothing that a rule for heads is about may stand behind a body.
//!
//! Left out on purpose: `Upgrade`, which passes when a tunnel is asked for; that is decided in `upgrade`.

use super::identity::tells_of_client;
use super::names::{OWN_PREFIX, has_prefix, is_any, is_same_as_any, same_name};

/// Whether `Connection` cannot remove this field: without it a request would mean something else behind the proxy.
fn is_protected(name: &[u8]) -> bool {
    let meant = match name.len() {
        3 => same_name(name, b"via"),
        4 => same_name(name, b"host"),
        6 => same_name(name, b"cookie"),
        10 => name.eq_ignore_ascii_case(b"set-cookie"),
        12 => same_name(name, b"x-request-id"),
        13 => same_name(name, b"authorization"),
        14 => same_name(name, b"content-length"),
        _ => false,
    };
    meant || tells_of_client(name) || has_prefix(name, OWN_PREFIX)
}

/// Whether this field ends here by its name alone, listed or not. `Transfer-Encoding` and `Trailer` are made anew by the
/// side that sends. Asked of every field.
fn is_hop_by_hop(name: &[u8]) -> bool {
    match name.len() {
        2 => name.eq_ignore_ascii_case(b"te"),
        7 => is_any(name, &[b"trailer", b"upgrade"]),
        10 => is_any(name, &[b"connection", b"keep-alive"]),
        16 => name.eq_ignore_ascii_case(b"proxy-connection"),
        17 => name.eq_ignore_ascii_case(b"transfer-encoding"),
        18 => name.eq_ignore_ascii_case(b"proxy-authenticate"),
        19 => name.eq_ignore_ascii_case(b"proxy-authorization"),
        _ => false,
    }
}

/// Whether a field frames its message, names whom it is for, or carries the session.
pub(super) fn is_of_a_message(name: &[u8]) -> bool {
    is_hop_by_hop(name) || is_same_as_any(name, &[b"host", b"content-length", b"cookie", b"set-cookie"])
}

/// Whether a field may stand behind a body. There it has passed every rule for heads, so nothing may that one of them
/// is about, or that says how the message is framed, addressed or read (RFC 9110 section 6.5.1).
#[must_use]
pub fn may_trail(name: &[u8]) -> bool {
    let ends = is_protected(name) || is_hop_by_hop(name);
    let reads: [&[u8]; 8] = [
        b"content-encoding",
        b"content-type",
        b"content-range",
        b"expect",
        b"location",
        b"proxy",
        b"range",
        b"www-authenticate",
    ];
    !ends && !is_any(name, &reads)
}

/// The names that the Connection fields of one head list, without those that mean nothing or are protected. Nearly
/// always empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    names: Vec<Box<[u8]>>,
    upgrade: bool,
}

impl Listed {
    /// Reads the Connection fields among these.
    pub fn read<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Listed {
        let mut listed = Listed::default();
        for (_, value) in fields.filter(|(name, _)| name.eq_ignore_ascii_case(b"connection")) {
            for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                listed.add(option);
            }
        }
        listed
    }

    fn add(&mut self, option: &[u8]) {
        if option.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        } else if !(option.is_empty()
            || option.eq_ignore_ascii_case(b"close")
            || is_hop_by_hop(option)
            || is_protected(option))
        {
            self.names.push(option.into());
        }
    }

    /// Whether the head asks for, or grants, another protocol on this connection.
    pub(super) fn has_upgrade(&self) -> bool {
        self.upgrade
    }

    /// Whether this field ends here: by its name, or because it is listed.
    pub(super) fn ends_here(&self, name: &[u8]) -> bool {
        is_hop_by_hop(name) || self.names.iter().any(|listed| name.eq_ignore_ascii_case(listed))
    }
}

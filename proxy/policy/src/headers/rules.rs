//! An owner's own rules for fields: what is set, what is unset.
//!
//! They come last: what is set stands there once, whatever came in and whatever we would have passed; what is unset is
//! gone. A name in a rule means its twin with underscores too, because servers take one for the other.
//!
//! Left out on purpose: conditions, and values made of others. An application's filter does that better.

use super::hops::is_of_a_message;
use super::names::{FOR, FORWARDED, HOST, OWN_PREFIX, PORT, PROTO, REQUEST_ID, has_prefix, same_name};

/// The rules for one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldRules {
    /// Name and value of what is set.
    pub set: Vec<(Box<str>, Box<str>)>,
    /// Names of what is unset.
    pub unset: Vec<Box<str>>,
}

impl FieldRules {
    /// Whether no field of that name passes: it is unset, or set to something else.
    #[must_use]
    pub fn cover(&self, name: &[u8]) -> bool {
        let set = self.set.iter().map(|(name, _)| name);
        set.chain(&self.unset).any(|own| same_name(name, own.as_bytes()))
    }

    /// These rules, and then `later` ones, as one: a name that both are about is the later ones' alone.
    #[must_use]
    pub fn followed_by(&self, later: &FieldRules) -> FieldRules {
        let stays = |name: &str| !later.cover(name.as_bytes());
        let set = self.set.iter().filter(|(name, _)| stays(name));
        let unset = self.unset.iter().filter(|name| stays(name));
        FieldRules {
            set: set.chain(&later.set).cloned().collect(),
            unset: unset.chain(&later.unset).cloned().collect(),
        }
    }

    /// Whether a rule may be about that field: not if it frames the message, names whom it is for, carries the session, or
    /// is written by the proxy in every request.
    #[must_use]
    pub fn may_name(name: &[u8]) -> bool {
        let written = [FOR, PROTO, HOST, PORT, FORWARDED, REQUEST_ID, b"via", b"expect"];
        !(is_of_a_message(name)
            || has_prefix(name, OWN_PREFIX)
            || written.iter().any(|own| same_name(name, own)))
    }
}

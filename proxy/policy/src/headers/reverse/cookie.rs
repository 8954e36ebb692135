//! Set-Cookie: Path and Domain as the client's browser must see them.
//!
//! Left out on purpose: a Domain above a member's own name. Whether it suits the public name only its owner knows.

use super::super::client::split_port;
use super::{FieldEdit, Origin};
use crate::parts::InParts;

impl Origin<'_> {
    /// The cookie with path and domain mapped back, written to `to`; it counts if it is another.
    pub(super) fn cookie(&self, value: &[u8], to: &mut Vec<u8>) -> FieldEdit {
        let mut parts = value.split(|byte| *byte == b';');
        let pair = parts.next().unwrap_or_default();
        let bound = pair
            .trim_ascii_start()
            .get(..7)
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"__host-"));
        let mut edit = FieldEdit::Keep;
        to.extend_from_slice(pair);
        for part in parts {
            to.push(b';');
            match self.attribute(part).filter(|_| !bound) {
                Some((kept, public)) => {
                    to.extend_from_slice(kept);
                    public.write(to);
                    edit = FieldEdit::Replace;
                }
                None => to.extend_from_slice(part),
            }
        }
        edit
    }

    /// An attribute that changes: its name with the equals sign, and its public value.
    fn attribute<'b>(&'b self, part: &'b [u8]) -> Option<(&'b [u8], InParts<'b>)> {
        let equals = part.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (part[..equals].trim_ascii(), part[equals + 1..].trim_ascii());
        let public = if name.eq_ignore_ascii_case(b"path") {
            self.cookie_path(value)?
        } else if name.eq_ignore_ascii_case(b"domain") {
            InParts::whole(self.cookie_domain(value)?)
        } else {
            return None;
        };
        (!public.are(value)).then_some((&part[..=equals], public))
    }

    fn cookie_path<'b>(&'b self, path: &'b [u8]) -> Option<InParts<'b>> {
        let serving = self.route.to_public(path);
        let public = match serving {
            Some(public) => public,
            // Mapped to another route it would not come back to this one, which it is for as well.
            None if is_above(path, self.route.internal.as_bytes()) => return None,
            None => self.public_path(path)?,
        };
        if path == b"/" && !public.are(path) {
            // The root of an upstream has no other name than a slash; its public form is a whole segment, and a
            // cookie of `/shop/` would not be sent to `/shop`.
            return Some(public.without_last());
        }
        Some(public)
    }

    /// The client's name of the site for a name that only its inside has.
    fn cookie_domain(&self, domain: &[u8]) -> Option<&[u8]> {
        let (public, _) = split_port(self.client.host);
        let domain = domain.strip_prefix(b".").unwrap_or(domain);
        let is = |authority: &[u8]| split_port(authority).0.eq_ignore_ascii_case(domain);
        let members = self.pool.members.iter().map(|member| member.authority.as_bytes());
        let inside = members.chain([self.client.sent_host]).any(is);
        (inside && !public.is_empty() && !public.eq_ignore_ascii_case(domain)).then_some(public)
    }
}

/// Whether a cookie of this path is for all that is under `internal`.
fn is_above(path: &[u8], internal: &[u8]) -> bool {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    internal
        .strip_prefix(path)
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
}

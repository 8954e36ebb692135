//! Response fields: redirects and cookie paths mapped back to what the client asked for.
//!
//! A location or cookie path is mapped when it lies under the upstream path of the route that served the request, and,
//! if it names a host, when that is the upstream's own or the one that the client asked. What names another host,
//! another scheme than http, or another path passes unchanged: it is not ours to mend.
//!
//! Invariants: mapping back undoes exactly what mapping there did · a location on the client's own host keeps the
//! scheme that the application wrote.
//!
//! Left out on purpose: cookie domains (Host passes unchanged, so they fit), and links inside a body.

use super::client::ClientView;
use super::edit::FieldEdit;
use super::hops::Listed;
use super::names::{OWN_PREFIX, has_prefix};
use super::upgrade::Upgrade;
use crate::route::PathRoute;

/// Where a response comes from and where its client is.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The path route that served the request.
    pub route: &'a PathRoute,
    /// `host:port` of the upstream.
    pub upstream: &'a str,
    /// Who asked.
    pub client: &'a ClientView<'a>,
}

/// What becomes of a response field. `Upgrade` passes in the 101 that grants a tunnel.
#[must_use]
pub fn edit_response(
    name: &[u8],
    value: &[u8],
    listed: &Listed,
    origin: &Origin<'_>,
    upgrade: Upgrade,
) -> FieldEdit {
    if name.eq_ignore_ascii_case(b"upgrade") && upgrade == Upgrade::WebSocket {
        return FieldEdit::Keep;
    }
    if listed.ends_here(name) || has_prefix(name, OWN_PREFIX) {
        return FieldEdit::Drop;
    }
    let mapped = if is_location(name) {
        origin.public_location(value)
    } else if name.eq_ignore_ascii_case(b"set-cookie") {
        origin.public_cookie(value)
    } else {
        None
    };
    mapped.map_or(FieldEdit::Keep, FieldEdit::Replace)
}

fn is_location(name: &[u8]) -> bool {
    [&b"location"[..], b"content-location", b"uri"]
        .iter()
        .any(|field| name.eq_ignore_ascii_case(field))
}

impl Origin<'_> {
    /// The location as the client must see it; `None` when it is right as it is.
    fn public_location(&self, value: &[u8]) -> Option<Vec<u8>> {
        let value = value.trim_ascii();
        if value.first() == Some(&b'/') && value.get(1) != Some(&b'/') {
            return self.route.to_public(value).filter(|public| public != value);
        }
        let (scheme, rest) = split_scheme(value)?;
        let authority_end = rest
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
            .unwrap_or(rest.len());
        let (authority, path) = rest.split_at(authority_end);
        let by_client = self.client.is_asked(authority);
        if !by_client && !self.is_upstream(authority) {
            return None;
        }
        let public = if path.first() == Some(&b'/') {
            self.route.to_public(path)?
        } else {
            self.route.to_public(&[b"/", path].concat())?
        };
        let mapped = if by_client {
            // The application means the client's own address: whether http or https is its decision.
            [&value[..value.len() - path.len()], &public].concat()
        } else {
            self.absolute(!scheme.is_empty(), authority, &public)
        };
        (mapped != value).then_some(mapped)
    }

    /// What the upstream said of itself, as an address that the client can reach.
    fn absolute(&self, with_scheme: bool, authority: &[u8], path: &[u8]) -> Vec<u8> {
        let own = self.client.authority();
        let host = if own.is_empty() { authority } else { &own };
        let (scheme, colon) = if with_scheme {
            (self.client.scheme.as_str(), ":")
        } else {
            ("", "")
        };
        [scheme.as_bytes(), colon.as_bytes(), b"//", host, path].concat()
    }

    /// Whether an authority names the upstream.
    fn is_upstream(&self, authority: &[u8]) -> bool {
        let upstream = self.upstream.as_bytes();
        authority.eq_ignore_ascii_case(upstream)
            || upstream
                .strip_suffix(b":80")
                .is_some_and(|host| authority.eq_ignore_ascii_case(host))
    }

    /// The cookie with its path as the client must see it; `None` when it is right as it is.
    fn public_cookie(&self, value: &[u8]) -> Option<Vec<u8>> {
        let mut start = 0;
        for part in value.split(|byte| *byte == b';') {
            let attribute = part.iter().position(|byte| *byte == b'=').filter(|_| start > 0);
            if let Some(equals) = attribute
                && part[..equals].trim_ascii().eq_ignore_ascii_case(b"path")
            {
                let path = part[equals + 1..].trim_ascii();
                let mut public = self.route.to_public(path)?;
                if path == b"/" && public.len() > 1 {
                    // The root of an upstream has no other name than a slash; its public form is a whole segment, and a
                    // cookie of `/shop/` would not be sent to `/shop`.
                    public.pop();
                }
                let public = Some(public).filter(|public| public != path)?;
                let head = &value[..start + equals + 1];
                return Some([head, &public, &value[start + part.len()..]].concat());
            }
            start += part.len() + 1;
        }
        None
    }
}

/// The scheme (http, https or none) of an absolute location, and what follows `//`.
fn split_scheme(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = if value.starts_with(b"//") {
        0
    } else {
        value.iter().position(|byte| *byte == b':')?
    };
    let scheme = &value[..colon];
    let known =
        scheme.is_empty() || scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    let rest = value[colon..]
        .strip_prefix(b":")
        .unwrap_or(&value[colon..])
        .strip_prefix(b"//")?;
    known.then_some((scheme, rest))
}

#[cfg(test)]
mod tests;

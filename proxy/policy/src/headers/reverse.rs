//! Response fields: redirects and cookies mapped back to what the client asked for.
//!
//! Whatever names a member of the pool, the Host that was sent or only a path is looked up among all routes of the pool:
//! the one that served the request if the path is under its upstream path, else the longest upstream path, the first in
//! the file of two; routes for other hosts are none. What names another host, another scheme than http, or a path that no route publishes passes
//! unchanged: it is not ours to mend. If it names a member all the same, the client is sent where it cannot go, and that
//! is said ([`FieldEdit::Unpublished`]).
//!
//! Invariants: mapping back undoes exactly what mapping there did · a location on the client's own host keeps the
//! scheme and the host that the application wrote · a cookie goes on covering all that it covered, and one whose name
//! forbids another path or a domain (`__Host-`) is left alone.
//!
//! Left out on purpose: links inside a body.

mod cookie;

use super::client::ClientView;
use super::edit::FieldEdit;
use super::hops::Listed;
use super::names::{OWN_PREFIX, has_prefix, is_any};
use super::upgrade::Upgrade;
use crate::parts::InParts;
use crate::route::{PathMap, PathRoute};
use crate::upstream::Pool;

/// Where a response comes from and where its client is.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The path route that served the request.
    pub route: &'a PathRoute,
    /// All path routes.
    pub paths: &'a PathMap,
    /// The pool that served the request.
    pub pool: &'a Pool,
    /// Who asked.
    pub client: &'a ClientView<'a>,
}

/// What becomes of a response field. `Upgrade` passes in the 101 that grants a tunnel. A value that replaces the field's is
/// written into `value_instead`; what that held is lost, whatever becomes of the field.
#[must_use]
pub fn edit_response(
    name: &[u8],
    value: &[u8],
    listed: &Listed,
    origin: &Origin<'_>,
    upgrade: Upgrade,
    value_instead: &mut Vec<u8>,
) -> FieldEdit {
    if upgrade == Upgrade::WebSocket && name.eq_ignore_ascii_case(b"upgrade") {
        return FieldEdit::Keep;
    }
    if listed.ends_here(name) || has_prefix(name, OWN_PREFIX) {
        return FieldEdit::Drop;
    }
    value_instead.clear();
    if is_any(name, &[b"location", b"content-location", b"uri"]) {
        origin.location(value.trim_ascii(), value_instead)
    } else if name.eq_ignore_ascii_case(b"refresh") {
        origin.refresh(value, value_instead)
    } else if name.eq_ignore_ascii_case(b"set-cookie") {
        origin.cookie(value, value_instead)
    } else {
        FieldEdit::Keep
    }
}

impl Origin<'_> {
    /// A location as the client must see it, written to `to` if it is another.
    fn location(&self, value: &[u8], to: &mut Vec<u8>) -> FieldEdit {
        let start = to.len();
        match self.write_location(value, to) {
            FieldEdit::Replace if to[start..] == *value => FieldEdit::Keep,
            edit => edit,
        }
    }

    fn write_location(&self, value: &[u8], to: &mut Vec<u8>) -> FieldEdit {
        if value.first() == Some(&b'/') && value.get(1) != Some(&b'/') {
            return match self.public_path(value) {
                Some(public) => written(public, to),
                None => FieldEdit::Keep,
            };
        }
        let Some((scheme, rest)) = split_scheme(value) else {
            return FieldEdit::Keep;
        };
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
            .unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let with_slash;
        let whole_path = if path.first() == Some(&b'/') {
            path
        } else {
            with_slash = [b"/", path].concat();
            &with_slash
        };
        let public = self.public_path(whole_path);
        let is_asked = self.client.is_asked(authority);
        match public {
            Some(public) if is_asked => {
                // The application means the client's own address: whether http or https is its decision.
                to.extend_from_slice(&value[..value.len() - path.len()]);
                written(public, to)
            }
            Some(public) if self.is_inside(authority) => {
                self.write_origin(!scheme.is_empty(), authority, to);
                written(public, to)
            }
            None if !is_asked && self.is_inside(authority) => FieldEdit::Unpublished,
            _ => FieldEdit::Keep,
        }
    }

    /// `SECONDS; url=LOCATION`, the location in quotes or not.
    fn refresh(&self, value: &[u8], to: &mut Vec<u8>) -> FieldEdit {
        let Some((before, location, after)) = split_refresh(value) else {
            return FieldEdit::Keep;
        };
        to.extend_from_slice(before);
        let edit = self.location(location, to);
        to.extend_from_slice(after);
        edit
    }

    /// The public form of a path on an upstream of the pool; none when no route publishes it.
    fn public_path<'p>(&'p self, path: &'p [u8]) -> Option<InParts<'p>> {
        let serving = self.route.to_public(path);
        serving.or_else(|| {
            self.paths
                .to_public(self.route.pool, self.client.host_name(), path)
        })
    }

    /// What the site's inside calls itself, as the client can reach it.
    fn write_origin(&self, with_scheme: bool, authority: &[u8], to: &mut Vec<u8>) {
        if with_scheme {
            to.extend_from_slice(self.client.scheme.as_str().as_bytes());
            to.push(b':');
        }
        to.extend_from_slice(b"//");
        let start = to.len();
        self.client.write_authority(to);
        if to.len() == start {
            to.extend_from_slice(authority);
        }
    }

    /// Whether an authority is a name that only the inside has: a member's, or the Host that a front made of the client's.
    fn is_inside(&self, authority: &[u8]) -> bool {
        let sent = self.client.sent_host;
        let is = |own: &[u8]| authority.eq_ignore_ascii_case(own);
        (!sent.is_empty() && is(sent))
            || self.pool.members.iter().any(|member| {
                let own = member.authority.as_bytes();
                let usual: &[u8] = if member.secured { b":443" } else { b":80" };
                is(own) || own.strip_suffix(usual).is_some_and(is)
            })
    }
}

fn written(value: InParts<'_>, to: &mut Vec<u8>) -> FieldEdit {
    value.write(to);
    FieldEdit::Replace
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

/// What stands before the location of a Refresh field, the location, what stands behind it.
fn split_refresh(value: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let separator = value.iter().position(|byte| matches!(byte, b';' | b','))?;
    let rest = value[separator + 1..].trim_ascii_start();
    let word = rest.get(..3).filter(|word| word.eq_ignore_ascii_case(b"url"))?;
    let location = rest[word.len()..]
        .trim_ascii_start()
        .strip_prefix(b"=")?
        .trim_ascii_start();
    let (location, end) = match location.first() {
        Some(quote @ (b'"' | b'\'')) => {
            let inner = &location[1..];
            let closing = inner.iter().position(|byte| byte == quote);
            (inner, closing.unwrap_or(inner.len()))
        }
        _ => (location, location.trim_ascii_end().len()),
    };
    let begin = value.len() - location.len();
    Some((&value[..begin], &location[..end], &location[end..]))
}

#[cfg(test)]
mod tests;

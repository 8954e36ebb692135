//! Session id and route of a request, from cookie, path and query.
//!
//! What Tomcat will take for the session id is what counts here, so the order is Tomcat's: the first usable cookie of
//! the name (browsers send the one with the longest path first), then the last `;name=value` of a path segment, then
//! the first `name=value` pair of the query, which Tomcat does not read but httpd's users rely on. Of route cookies the
//! last usable one counts: ours is for the whole site, and browsers send cookies of longer paths, which an httpd without
//! `path=` has left behind, in front of it.
//!
//! A value is usable if it is 1 to [`VALUE_MAX`] cookie octets (RFC 6265: visible ASCII without quotes, comma,
//! semicolon and backslash) with a bare id in front of the first dot; a session cookie's may stand in quotes, as Tomcat reads
//! it. Any other value is no value, never an error: it may be forged, and its sender is a new user.
//!
//! Unlike httpd, whose look-up is a substring search over the whole URL: names match whole, in a cookie between separators,
//! in a path behind a real `;`, in a query behind `?` or `&`; and the cookie comes before the URL. Where a pool asks for
//! httpd's ways, its route is found by `httpd`.

use super::httpd;
use crate::upstream::{Lookup, Sticky};

/// Longest session value, in bytes. Tomcat's ids are 32 hexadecimal digits and a route of at most 64 bytes; the rest
/// is room for other id generators.
pub(super) const VALUE_MAX: usize = 256;

/// Longest route, in bytes; as in httpd.
pub const ROUTE_MAX: usize = 64;

/// Whether an upstream can have this route: then it can stand in a cookie, and in a session id behind a dot.
#[must_use]
pub fn can_be_route(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name.len() <= ROUTE_MAX && name.bytes().all(letter) && !name.starts_with('.')
}

/// What ties a request to an upstream. Either part may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteKey<'a> {
    /// The bare session id: up to the first dot. A credential: never logged.
    pub session: Option<&'a [u8]>,
    /// The name of an upstream, not checked against any pool.
    pub route: Option<&'a [u8]>,
}

/// Where in a request something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a cookie.
    Cookie,
    /// In a parameter of the path.
    Path,
    /// In the query.
    Query,
    /// Somewhere in the URL, or in a cookie: as httpd looks.
    AsHttpd,
}

/// A key, and where it was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FoundKey<'a> {
    /// The key.
    pub key: RouteKey<'a>,
    /// Where the session was.
    pub session_in: Option<Place>,
    /// Where the route was.
    pub route_in: Option<Place>,
}

impl<'a> RouteKey<'a> {
    /// Reads the key of a request: `target` is the request target as it came, `cookies` the values of all its Cookie
    /// fields in their order.
    pub fn read<C>(sticky: &Sticky, target: &'a [u8], cookies: C) -> RouteKey<'a>
    where
        C: Iterator<Item = &'a [u8]> + Clone,
    {
        FoundKey::read(sticky, target, cookies).key
    }
}

impl<'a> FoundKey<'a> {
    /// How many cookies have the session's name, be they usable or not.
    pub fn session_cookies(sticky: &Sticky, cookies: impl Iterator<Item = &'a [u8]>) -> usize {
        cookie_values(cookies, sticky.session.as_bytes()).count()
    }

    /// As [`RouteKey::read`].
    pub fn read<C>(sticky: &Sticky, target: &'a [u8], cookies: C) -> FoundKey<'a>
    where
        C: Iterator<Item = &'a [u8]> + Clone,
    {
        if sticky.lookup == Lookup::Off {
            return FoundKey::default();
        }
        let (path, query) =
            split_once(target, b'?').map_or((target, None), |(path, query)| (path, Some(query)));
        let parameter = sticky.parameter.as_bytes();
        let value = cookie_values(cookies.clone(), sticky.session.as_bytes())
            .find_map(|value| Some((Value::read(unquoted(value))?, Place::Cookie)))
            .or_else(|| {
                let last = path_parameters(path, parameter).filter_map(Value::read).last();
                Some((last?, Place::Path))
            })
            .or_else(|| {
                Some((
                    query_values(query?, parameter).find_map(Value::read)?,
                    Place::Query,
                ))
            });
        let session = value.map(|(value, _)| value.session);
        let session_in = value.map(|(_, place)| place);
        let found = |route: Option<&'a [u8]>, place| FoundKey {
            key: RouteKey { session, route },
            session_in,
            route_in: route.and(place),
        };
        if sticky.lookup == Lookup::Httpd {
            let own = sticky.route_cookie.as_ref().map(|cookie| cookie.name.as_bytes());
            let (in_url, in_cookie) = (own.unwrap_or(parameter), own.unwrap_or(sticky.session.as_bytes()));
            return found(
                httpd::route(target, in_url, cookies, in_cookie),
                Some(Place::AsHttpd),
            );
        }
        match &sticky.route_cookie {
            None => found(value.and_then(|(value, _)| value.route), session_in),
            Some(cookie) => {
                let values = cookie_values(cookies, cookie.name.as_bytes());
                found(values.filter_map(route_value).last(), Some(Place::Cookie))
            }
        }
    }
}

/// A session value: bare id, and the route behind the first dot.
#[derive(Clone, Copy)]
struct Value<'a> {
    session: &'a [u8],
    route: Option<&'a [u8]>,
}

impl<'a> Value<'a> {
    fn read(value: &'a [u8]) -> Option<Value<'a>> {
        if value.len() > VALUE_MAX || !value.iter().all(|byte| is_cookie_octet(*byte)) {
            return None;
        }
        let (session, route) = split_once(value, b'.').map_or((value, None), |(id, route)| (id, Some(route)));
        let route = route.filter(|route| is_route(route));
        (!session.is_empty()).then_some(Value { session, route })
    }
}

/// A value without the quotes around it.
fn unquoted(value: &[u8]) -> &[u8] {
    value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(value)
}

/// The route in the proxy's own cookie: `.route` as httpd's recipe writes it, or the plain route.
fn route_value(value: &[u8]) -> Option<&[u8]> {
    let route = value.strip_prefix(b".").unwrap_or(value);
    is_route(route).then_some(route)
}

fn is_route(route: &[u8]) -> bool {
    !route.is_empty() && route.len() <= ROUTE_MAX && route.iter().all(|byte| is_cookie_octet(*byte))
}

fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

/// The values of all cookies with this name, case-sensitive as in Tomcat, in their order.
fn cookie_values<'a: 'b, 'b>(
    fields: impl Iterator<Item = &'a [u8]> + 'b,
    name: &'b [u8],
) -> impl Iterator<Item = &'a [u8]> + 'b {
    fields
        .flat_map(|field| field.split(|byte| *byte == b';'))
        .filter_map(move |pair| {
            let (pair_name, value) = split_once(pair, b'=')?;
            (pair_name.trim_ascii() == name).then(|| value.trim_ascii())
        })
}

/// The values of all path parameters with this name, in the order of the path.
fn path_parameters<'a: 'b, 'b>(path: &'a [u8], name: &'b [u8]) -> impl Iterator<Item = &'a [u8]> + 'b {
    path.split(|byte| *byte == b'/')
        .flat_map(|segment| segment.split(|byte| *byte == b';').skip(1))
        .filter_map(move |pair| named(pair, name))
}

/// The values of all query pairs with this name, in their order.
fn query_values<'a: 'b, 'b>(query: &'a [u8], name: &'b [u8]) -> impl Iterator<Item = &'a [u8]> + 'b {
    query
        .split(|byte| *byte == b'&')
        .filter_map(move |pair| named(pair, name))
}

fn named<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (pair_name, value) = split_once(pair, b'=')?;
    (pair_name == name).then_some(value)
}

fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == separator)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

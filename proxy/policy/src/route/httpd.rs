//! The route of a request as httpd's mod_proxy_balancer finds it, for sites that rest on its ways (`lookup = "httpd"`).
//!
//! Its ways, each of them seen beside httpd 2.4 in `httpd.txt`: the URL comes before the cookie; in the URL the name may stand
//! anywhere, path or query, inside another word too, and the value ends at `?` or `&` alone; a value without a route hides
//! the cookie; in a cookie the name stands at the start or behind `;`, `,` or white space and the value ends at `;` or `,`;
//! the route is all that follows the first dot of the value, quotes included.
//!
//! Invariant: total, as everything here; what is found is a part of what came.
//!
//! Left out on purpose: what httpd does behind a name without a value at the end of the text (it reads on in its memory);
//! escapes, which httpd undoes in the path before it searches. Neither Tomcat nor a browser writes a
//! session id with one, and whoever does is a new user; and all that httpd does once it has a route.

/// The route: `target` is the request target, `cookies` the values of all Cookie fields in their order, `parameter` and
/// `cookie` are the names in the one and in the other.
pub(super) fn route<'a>(
    target: &'a [u8],
    parameter: &[u8],
    cookies: impl Iterator<Item = &'a [u8]>,
    cookie: &[u8],
) -> Option<&'a [u8]> {
    let value = in_url(target, parameter).or_else(|| in_cookies(cookies, cookie))?;
    let dot = value.iter().position(|byte| *byte == b'.')?;
    Some(&value[dot + 1..]).filter(|route| !route.is_empty())
}

/// The first value that is not empty. Delimiters in front of it are skipped, so that `id=&a=b` has the value `a=b`.
fn in_url<'a>(target: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut at = 0;
    while let Some(found) = find(target, name, at) {
        let end = found + name.len();
        if let Some(value) = target[end..].strip_prefix(b"=").filter(|value| !value.is_empty()) {
            return value
                .split(|byte| matches!(byte, b'?' | b'&'))
                .find(|piece| !piece.is_empty());
        }
        // As httpd goes on: behind the name, and behind the `=` at the end.
        at = end + 1;
    }
    None
}

/// The value of the first cookie of that name in the first field that has one with a value; httpd reads all fields as one.
fn in_cookies<'a>(cookies: impl Iterator<Item = &'a [u8]>, name: &[u8]) -> Option<&'a [u8]> {
    let mut fields = cookies.peekable();
    while let Some(field) = fields.next() {
        let found = in_cookie(field.trim_ascii(), name, fields.peek().is_none());
        if found.is_some() {
            return found;
        }
    }
    None
}

/// In one field. An empty value is one where something follows, a delimiter or the next field.
fn in_cookie<'a>(field: &'a [u8], name: &[u8], is_last: bool) -> Option<&'a [u8]> {
    let mut at = 0;
    while let Some(found) = find(field, name, at) {
        let begins = found == 0 || is_boundary(field[found - 1]);
        at = found + 1;
        if !begins {
            continue;
        }
        let behind = field[found + name.len()..].trim_ascii_start();
        let value = behind.strip_prefix(b"=");
        if let Some(value) = value.filter(|value| !(is_last && value.is_empty())) {
            return value.split(|byte| matches!(byte, b';' | b',')).next();
        }
        // As httpd goes on: two bytes behind what should have been a value.
        at = field.len() - behind.len() + 2;
    }
    None
}

fn is_boundary(byte: u8) -> bool {
    matches!(
        byte,
        b';' | b',' | b' ' | b'\t' | b'\x0b' | b'\x0c' | b'\r' | b'\n'
    )
}

/// Where `name` stands in `bytes`, from `at` on.
fn find(bytes: &[u8], name: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let found = rest
        .windows(name.len().max(1))
        .position(|window| window == name)?;
    Some(at + found)
}

#[cfg(test)]
mod tests {
    use super::super::RouteKey;
    use crate::upstream::{Lookup, Sticky};

    /// What httpd itself said; its first lines say how.
    const RECORDED: &str = include_str!("httpd.txt");

    #[test]
    fn the_route_is_found_as_httpd_found_it() {
        let mut requests = 0;
        let mut differing = Vec::new();
        for line in RECORDED.lines().filter(|line| !line.starts_with('#')) {
            let [mode, target, cookies, route] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
            let sticky = Sticky {
                lookup: Lookup::Httpd,
                ..Sticky::new("JSESSIONID", (mode == "1").then_some("ROUTEID"))
            };
            let fields = cookies
                .split(" || ")
                .filter(|field| *field != "-")
                .map(str::as_bytes);
            let found = RouteKey::read(&sticky, target.as_bytes(), fields).route;
            let found = found.map_or("-", |route| std::str::from_utf8(route).unwrap());
            requests += 1;
            if found != route {
                differing.push(format!("{line} but {found}"));
            }
        }
        assert!(requests >= 200, "only {requests}");
        assert!(differing.is_empty(), "{}", differing.join("\n"));
    }
}

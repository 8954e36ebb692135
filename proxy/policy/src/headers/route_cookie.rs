//! The one cookie that the proxy writes: it marks a user's upstream (mode 1).
//!
//! Invariant: it has one form, held by `formats/proxy/route-cookie.txt`, which no release may change, because users
//! bring it back to later ones. Its attributes only say to whom they bring it, and are the owner's.
//!
//! Left out on purpose: when it is written (when the route changes, which the exchange knows) and how it is read (`key`
//! of the routes, which takes httpd's form and the plain one).

use super::client::{ClientView, Scheme};
use crate::upstream::Sticky;

/// The Set-Cookie value that marks a route in the proxy's own cookie (mode 1), as httpd's recipe writes it. `None` in
/// mode 2.
#[must_use]
pub fn route_cookie(sticky: &Sticky, route: &str, client: &ClientView<'_>) -> Option<String> {
    let cookie = sticky.route_cookie.as_ref()?;
    let (name, path, same_site) = (&cookie.name, &cookie.path, cookie.same_site.as_str());
    let domain = cookie.domain.as_ref().map(|domain| format!("; Domain={domain}"));
    let secure = client.scheme == Scheme::Https || cookie.needs_tls();
    Some(format!(
        "{name}=.{route}; Path={path}{}; HttpOnly; SameSite={same_site}{}{}",
        domain.unwrap_or_default(),
        if secure { "; Secure" } else { "" },
        if cookie.partitioned { "; Partitioned" } else { "" },
    ))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::super::client::{ForwardingHeader, Peer};
    use super::*;
    use crate::route::RouteKey;
    use crate::upstream::{RouteCookie, SameSite};

    fn client(scheme: Scheme) -> ClientView<'static> {
        let peer = Peer {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            scheme,
        };
        ClientView::of(&peer, ForwardingHeader::default(), |_| false, &std::iter::empty())
    }

    /// The cookie's lines, which hold for ever.
    const ROUTE_COOKIE: &str = include_str!("../../../../formats/proxy/route-cookie.txt");

    /// Route and scheme of the client, or the route that is read; then the field's value.
    fn cookie_lines<const WORDS: usize>(kind: &str) -> Vec<([&str; WORDS], &str)> {
        let lines = ROUTE_COOKIE.lines().filter_map(|line| line.strip_prefix(kind));
        let lines: Vec<_> = lines
            .map(|line| {
                let mut parts = line.trim_start().splitn(WORDS + 1, ' ');
                let words = std::array::from_fn(|_| parts.next().unwrap());
                (words, parts.next().unwrap())
            })
            .collect();
        assert!(lines.len() >= 4, "{kind}: {}", lines.len());
        lines
    }

    /// The route that a Cookie field gives.
    fn route_read(name: &str, cookie: &str) -> String {
        let sticky = Sticky::new("JSESSIONID", Some(name));
        let key = RouteKey::read(&sticky, b"/", std::iter::once(cookie.as_bytes()));
        key.route.map_or("-".to_owned(), |route| {
            String::from_utf8_lossy(route).into_owned()
        })
    }

    #[test]
    fn attributes_are_the_owner_s_and_secure_is_said_where_browsers_ask_for_it() {
        let usual = RouteCookie::named("R");
        let named = |name| RouteCookie::named(name);
        for (cookie, expected) in [
            (usual.clone(), "R=.n1; Path=/; HttpOnly; SameSite=Lax"),
            (
                RouteCookie {
                    path: "/shop".into(),
                    domain: Some("shop.test".into()),
                    same_site: SameSite::Strict,
                    ..usual.clone()
                },
                "R=.n1; Path=/shop; Domain=shop.test; HttpOnly; SameSite=Strict",
            ),
            (
                RouteCookie {
                    same_site: SameSite::None,
                    ..usual.clone()
                },
                "R=.n1; Path=/; HttpOnly; SameSite=None; Secure",
            ),
            (
                RouteCookie {
                    partitioned: true,
                    ..usual
                },
                "R=.n1; Path=/; HttpOnly; SameSite=Lax; Secure; Partitioned",
            ),
            (
                named("__Host-R"),
                "__Host-R=.n1; Path=/; HttpOnly; SameSite=Lax; Secure",
            ),
            (
                named("__Secure-R"),
                "__Secure-R=.n1; Path=/; HttpOnly; SameSite=Lax; Secure",
            ),
        ] {
            let sticky = Sticky {
                route_cookie: Some(cookie),
                ..Sticky::new("JSESSIONID", None)
            };
            let written = route_cookie(&sticky, "n1", &client(Scheme::Http)).unwrap();
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn the_route_cookie_is_written_and_read_as_the_fixture_says() {
        for ([name, route, scheme], value) in cookie_lines("write ") {
            let scheme = [Scheme::Http, Scheme::Https]
                .into_iter()
                .find(|known| known.as_str() == scheme)
                .unwrap();
            let client = client(scheme);
            let sticky = Sticky::new("JSESSIONID", Some(name));
            assert_eq!(route_cookie(&sticky, route, &client).unwrap(), value);
            let pair = value.split(';').next().unwrap();
            assert_eq!(
                route_read(name, pair),
                route,
                "a browser brings back the first part"
            );
        }
        for ([name, route], value) in cookie_lines("read ") {
            assert_eq!(route_read(name, value), route, "{value}");
        }
        let mode_2 = Sticky::new("JSESSIONID", None);
        assert_eq!(route_cookie(&mode_2, "n1", &client(Scheme::Http)), None);
    }
}

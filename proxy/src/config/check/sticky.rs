//! How the users of a pool stick: names of cookies, and to whom browsers bring the proxy's own.
//!
//! Invariants: a cookie has a name and attributes that browsers accept · no pool's route cookie has the name of another
//! pool's cookie where browsers bring both: they come in one field, nobody could tell whose is whose, and each answer would
//! overwrite the other's.

use std::collections::BTreeMap;

use remora_policy::{Lookup, PathRoute, RouteCookie, SameSite, Sticky};
use remora_process::config::Spanned;

use super::super::file::{OrOff, PoolTable, StickyTable};
use super::super::report::Report;
use super::super::values::PoolConfig;

/// The session cookie unless configured: the Servlet specification's own.
pub(in crate::config) const SESSION: &str = "JSESSIONID";

impl Report<'_> {
    pub(super) fn sticky(&mut self, written: &OrOff<StickyTable>) -> Sticky {
        let OrOff::On(table) = written else {
            return Sticky::off();
        };
        self.cookie_name(table.session.as_ref(), 2);
        self.cookie_name(table.route_cookie.as_ref(), 1);
        let session = table.session.as_ref().map_or(SESSION, |name| name.get_ref());
        let mut sticky = Sticky::new(session, None);
        sticky.lookup = match table.lookup.as_ref().map(|word| (word, word.get_ref().as_str())) {
            None | Some((_, "tomcat")) => Lookup::Tomcat,
            Some((_, "httpd")) => Lookup::Httpd,
            Some((word, _)) => {
                self.fault(word.span(), "lookup is \"tomcat\" or \"httpd\"");
                Lookup::Tomcat
            }
        };
        sticky.route_cookie = self.route_cookie(table, &sticky);
        sticky
    }

    /// A name, or as many as `most` with a bar between them.
    fn cookie_name(&mut self, name: Option<&Spanned<String>>, most: usize) {
        let Some(name) = name else { return };
        let names = name.get_ref().split('|');
        if names.clone().count() > most || !names.clone().all(is_token) {
            let sentence = format!("`{}` cannot be the name of a cookie", name.get_ref());
            self.fault(name.span(), sentence);
        }
    }

    fn route_cookie(&mut self, table: &StickyTable, sticky: &Sticky) -> Option<RouteCookie> {
        let Some(name) = &table.route_cookie else {
            let attributes = [&table.path, &table.domain, &table.same_site];
            let spans = attributes.into_iter().flatten().map(Spanned::span);
            for span in spans.chain(table.partitioned.as_ref().map(Spanned::span)) {
                self.fault(
                    span,
                    "is about the route cookie, and there is none: add route_cookie, or remove it",
                );
            }
            return None;
        };
        if *name.get_ref() == *sticky.session {
            let sentence = "route_cookie and session are the same cookie: leave route_cookie out (mode 2)";
            self.fault(name.span(), sentence);
        }
        let mut cookie = RouteCookie::named(name.get_ref());
        if let Some(path) = &table.path {
            let plain = |byte: u8| byte.is_ascii_graphic() && !b";,\"\\".contains(&byte);
            if !path.get_ref().starts_with('/') || !path.get_ref().bytes().all(plain) {
                let sentence = format!("sticky.path `{}` is not the path of a cookie", path.get_ref());
                self.fault(path.span(), sentence);
            }
            cookie.path = path.get_ref().as_str().into();
        }
        if let Some(domain) = &table.domain {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
            if domain.get_ref().is_empty() || !domain.get_ref().bytes().all(plain) {
                let sentence = format!("sticky.domain `{}` is not the name of a host", domain.get_ref());
                self.fault(domain.span(), sentence);
            }
            cookie.domain = Some(domain.get_ref().as_str().into());
        }
        if let Some(word) = &table.same_site {
            let known = [SameSite::Strict, SameSite::Lax, SameSite::None];
            match known
                .iter()
                .find(|known| known.as_str().eq_ignore_ascii_case(word.get_ref()))
            {
                Some(known) => cookie.same_site = *known,
                None => self.fault(word.span(), "same_site is \"Strict\", \"Lax\" or \"None\""),
            }
        }
        cookie.partitioned = table
            .partitioned
            .as_ref()
            .is_some_and(|partitioned| *partitioned.get_ref());
        if cookie.name.starts_with("__Host-") && (cookie.domain.is_some() || &*cookie.path != "/") {
            let sentence = "browsers refuse a __Host- cookie that has a domain, or another path than /";
            self.fault(name.span(), sentence);
        }
        Some(cookie)
    }

    /// Names that cookies of two pools share, where one browser would send both in one request.
    pub(super) fn cookie_names(
        &mut self,
        tables: &BTreeMap<String, PoolTable>,
        pools: &[PoolConfig],
        routes: &[PathRoute],
    ) {
        let reaches: Vec<Reach<'_>> = pools
            .iter()
            .enumerate()
            .map(|(position, pool)| Reach::of(position, &pool.sticky, routes))
            .collect();
        for (position, (pool, table)) in pools.iter().zip(tables.values()).enumerate() {
            let (Some(cookie), OrOff::On(written)) = (&pool.sticky.route_cookie, &table.sticky) else {
                continue;
            };
            let shares = |other: usize| {
                let sticky = &pools[other].sticky;
                if other == position
                    || sticky.lookup == Lookup::Off
                    || !reaches[position].meets(&reaches[other])
                {
                    return false;
                }
                let theirs = sticky.route_cookie.as_ref();
                let marks = theirs.is_some_and(|theirs| {
                    other < position && theirs.name == cookie.name && paths_meet(&theirs.path, &cookie.path)
                });
                *sticky.session == *cookie.name || marks
            };
            if let (Some(other), Some(name)) = (
                (0..pools.len()).find(|other| shares(*other)),
                &written.route_cookie,
            ) {
                let sentence = format!(
                    "pools `{}` and `{}` have a cookie `{}` on hosts that they share: each would overwrite the other's, and \
                     users would move with every click; rename this one",
                    pool.name, pools[other].name, cookie.name
                );
                self.fault(name.span(), sentence);
            }
        }
    }
}

/// The hosts to which browsers bring a pool's cookies: names, with `*.` in front for all below.
struct Reach<'a> {
    hosts: Vec<&'a str>,
    /// The domain of its route cookie: that host and all below.
    domain: Option<&'a str>,
    /// Whether one of its routes is for all hosts.
    everywhere: bool,
}

impl<'a> Reach<'a> {
    fn of(pool: usize, sticky: &'a Sticky, routes: &'a [PathRoute]) -> Self {
        let routes = || routes.iter().filter(|route| route.pool == pool);
        let cookie = sticky.route_cookie.as_ref();
        let domain = cookie.and_then(|cookie| cookie.domain.as_deref());
        Self {
            hosts: routes()
                .flat_map(|route| &route.hosts)
                .map(|host| &**host)
                .collect(),
            domain: domain.map(|domain| domain.strip_prefix('.').unwrap_or(domain)),
            everywhere: routes().any(|route| route.hosts.is_empty()),
        }
    }

    /// Whether there is a host to which the cookies of both are brought.
    fn meets(&self, other: &Reach<'_>) -> bool {
        let is_somewhere = |reach: &Reach<'_>| reach.everywhere || !reach.hosts.is_empty();
        if self.everywhere || other.everywhere {
            return is_somewhere(self) && is_somewhere(other);
        }
        let any = |one: &Reach<'_>, two: &Reach<'_>| one.hosts.iter().any(|host| two.covers(host));
        any(self, other) || any(other, self)
    }

    /// Whether cookies of this pool are brought to that host, or to one below it.
    fn covers(&self, host: &str) -> bool {
        let in_domain =
            |domain: &str| is_below(bare(host), domain) || (is_wild(host) && is_below(domain, bare(host)));
        self.domain.is_some_and(in_domain) || self.hosts.iter().any(|own| hosts_meet(own, host))
    }
}

/// Whether one host can be meant by both.
fn hosts_meet(one: &str, two: &str) -> bool {
    let within = |wild: &str, name: &str| {
        is_wild(wild)
            && is_below(bare(name), bare(wild))
            && (is_wild(name) || !bare(name).eq_ignore_ascii_case(bare(wild)))
    };
    one.eq_ignore_ascii_case(two) || within(one, two) || within(two, one)
}

fn is_wild(host: &str) -> bool {
    host.starts_with("*.")
}

fn bare(host: &str) -> &str {
    host.strip_prefix("*.").unwrap_or(host)
}

/// Whether a host is that domain or below it.
fn is_below(host: &str, domain: &str) -> bool {
    let Some(at) = host.len().checked_sub(domain.len()) else {
        return false;
    };
    let (front, end) = host.as_bytes().split_at(at);
    end.eq_ignore_ascii_case(domain.as_bytes()) && front.last().is_none_or(|last| *last == b'.')
}

/// Whether browsers bring cookies of both paths to one page.
fn paths_meet(one: &str, two: &str) -> bool {
    let under = |path: &str, prefix: &str| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'))
    };
    under(one, two) || under(two, one)
}

fn is_token(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`~".contains(&byte);
    !name.is_empty() && name.bytes().all(token)
}

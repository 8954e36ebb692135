//! The last look at a site before it is written: what our file cannot hold is renamed or taken out, and said.
//!
//! Invariants: what comes out of here the proxy reads, but for files of certificates that it has to find · nothing is changed
//! without an entry in the report.
//!
//! Left out on purpose: what a single importer knows better. It says that itself, before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use remora_policy::{Endpoint, ROUTE_MAX, can_be_route};

use crate::meeting;
use crate::report::Report;
use crate::site::{FieldRules, Headers, Member, Origin, Pool, PoolTls, Route, Site, Stickiness};
use crate::source::Line;

/// Where the authority of members' certificates is expected where the files name none.
const AUTHORITY: &str = "/etc/remora/tomcats.pem";

/// Longest time that a key takes, a day: nobody waits longer for an answer.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(86_400);

/// All addresses of IPv4.
const EVERYWHERE: &str = "0.0.0.0:";

/// Makes a site that the proxy reads.
pub(crate) fn settle(site: &mut Site, report: &mut Report) {
    listeners(site, report);
    for pool in &mut site.pools {
        cookie_names(pool, report);
        members(pool, report);
        member_tls(pool, report);
    }
    meeting::routes(site, report);
    cookies(site, report);
    headers(&mut site.headers, report);
    for route in &mut site.routes {
        times(route, report);
        headers(&mut route.headers, report);
    }
    let used: BTreeSet<String> = site.routes.iter().map(|route| route.pool.clone()).collect();
    site.pools.retain(|pool| {
        if !used.contains(&pool.name) {
            tell(
                report,
                &pool.origin,
                "no path leads to this pool, so that it is not written",
            );
        }
        used.contains(&pool.name)
    });
}

/// A name for a pool or a route: what may not stand in one becomes a hyphen.
#[must_use]
pub(crate) fn name_of(text: &str) -> String {
    let letter = |letter: char| {
        if letter.is_ascii_alphanumeric() || letter == '_' {
            letter
        } else {
            '-'
        }
    };
    let name: String = text.chars().map(letter).take(ROUTE_MAX).collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        "site".to_owned()
    } else {
        name.to_owned()
    }
}

/// Tells of what differs, at the last line of where a thing comes from.
pub(crate) fn tell(report: &mut Report, origin: &Origin, why: &str) {
    if let Some(line) = origin.lines.last() {
        report.differs(line, why);
    }
}

/// An address is bound once: one of IPv4 is bound with all of them.
fn listeners(site: &mut Site, report: &mut Report) {
    let all: BTreeSet<String> = site
        .listeners
        .iter()
        .map(|listener| listener.bind.clone())
        .collect();
    site.listeners.retain(|listener| {
        let port = listener.bind.rsplit(':').next().unwrap_or_default();
        let is_own = listener.bind.starts_with(EVERYWHERE) || listener.bind.starts_with('[');
        let stays = is_own || !all.contains(&format!("{EVERYWHERE}{port}"));
        if !stays {
            tell(
                report,
                &listener.origin,
                "another [[listen]] is at this address, too, and serves it: none of its own is written",
            );
        }
        stays
    });
}

/// Cookies have names that browsers take.
fn cookie_names(pool: &mut Pool, report: &mut Report) {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`~".contains(&byte);
    let is_token = |name: &str| !name.is_empty() && name.bytes().all(token);
    let fits = match &pool.sticky {
        Stickiness::Off => true,
        Stickiness::Session(names) => names.split('|').count() <= 2 && names.split('|').all(is_token),
        Stickiness::RouteCookie(cookie) => {
            let names = cookie.session.as_deref().unwrap_or("JSESSIONID");
            is_token(&cookie.name) && names.split('|').count() <= 2 && names.split('|').all(is_token)
        }
    };
    if !fits {
        pool.sticky = Stickiness::Off;
        tell(
            report,
            &pool.origin,
            "no cookie can have that name: nobody sticks, and `sticky` is off",
        );
    }
    let Stickiness::RouteCookie(cookie) = &mut pool.sticky else {
        return;
    };
    let plain = |byte: u8| byte.is_ascii_graphic() && !b";,\"\\".contains(&byte);
    let is_path = |path: &String| path.starts_with('/') && path.bytes().all(plain);
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    let is_host = |host: &String| !host.is_empty() && host.bytes().all(named);
    let fits = cookie.path.as_ref().is_none_or(is_path) && cookie.domain.as_ref().is_none_or(is_host);
    if !fits {
        (cookie.path, cookie.domain) = (None, None);
        tell(
            report,
            &pool.origin,
            "no browser takes a cookie of that path or domain: it is for / and the host that was asked for",
        );
    }
}

/// Times are within what the proxy takes.
fn times(route: &mut Route, report: &mut Report) {
    for time in [&mut route.connect, &mut route.response, &mut route.idle]
        .into_iter()
        .flatten()
    {
        if *time > TIME_MAX || time.is_zero() {
            *time = TIME_MAX;
            tell(
                report,
                &route.origin,
                "a time of a route is a day at most, and no time means a day",
            );
        }
    }
}

/// Addresses are unique, and whoever redirects names a route of the pool.
fn members(pool: &mut Pool, report: &mut Report) {
    let mut kept: Vec<Member> = Vec::new();
    let mut taken = BTreeSet::new();
    for mut member in std::mem::take(&mut pool.members) {
        let own = address(&member.url);
        if taken.contains(&own) {
            tell(
                report,
                &member.origin,
                "the pool has a member at that address already, and one is enough: left out",
            );
            continue;
        }
        if Endpoint::read(&member.url).is_err() {
            let why = format!(
                "`{}` is no address of a host and a port: the member is left out",
                member.url
            );
            tell(report, &member.origin, &why);
            continue;
        }
        if !can_be_route(&member.route) {
            let why = format!(
                "`{}` cannot be a route: give that Tomcat a jvmRoute of letters, digits, _ and -, and write it here",
                member.route
            );
            tell(report, &member.origin, &why);
            member.route = name_of(&member.route);
        }
        taken.insert(own);
        kept.push(member);
    }
    let known: BTreeSet<String> = kept.iter().map(|member| member.route.clone()).collect();
    for member in &mut kept {
        if member.redirect.as_ref().is_some_and(|to| !known.contains(to)) {
            member.redirect = None;
            tell(
                report,
                &member.origin,
                "its redirect names no route of the pool, and is left out",
            );
        }
    }
    pool.members = kept;
}

/// Host and port of a URL, or the whole of what is none.
fn address(url: &str) -> String {
    Endpoint::read(url).map_or_else(
        |_| url.to_owned(),
        |Endpoint { host, port, .. }| format!("{host}:{port}"),
    )
}

/// Members by https take an authority.
fn member_tls(pool: &mut Pool, report: &mut Report) {
    let secured = pool
        .members
        .iter()
        .find(|member| member.url.starts_with("https://"));
    let Some(member) = secured.filter(|_| pool.tls.is_none()) else {
        return;
    };
    let why = format!(
        "certificates of members are always verified: put that of whoever issued them at {AUTHORITY} (for one that a Tomcat \
         signed itself, that one), or name another file in [pool.{}.tls]",
        pool.name
    );
    tell(report, &member.origin, &why);
    pool.origin.note(format!(
        "The file {AUTHORITY} has to be put there: the authority of the members' certificates."
    ));
    pool.tls = Some(PoolTls {
        authority: AUTHORITY.to_owned(),
        ..PoolTls::default()
    });
}

/// No two pools whose hosts meet mark users by a cookie of one name.
fn cookies(site: &mut Site, report: &mut Report) {
    let reaches: Vec<Reach> = site
        .pools
        .iter()
        .map(|pool| Reach::of(pool, &site.routes))
        .collect();
    for position in 0..site.pools.len() {
        let Stickiness::RouteCookie(cookie) = &site.pools[position].sticky else {
            continue;
        };
        let clashes = |other: usize| {
            let (theirs, name) = (&site.pools[other], Some(&*cookie.name));
            let marks = other < position && marking_cookie(theirs) == name;
            (marks || session_cookie(theirs) == name) && reaches[other].meets(&reaches[position])
        };
        if !(0..site.pools.len()).any(clashes) {
            continue;
        }
        let name = cookie.name.clone();
        let pool = &mut site.pools[position];
        let renamed = format!("{name}-{}", pool.name);
        let why = format!(
            "another pool has a cookie `{name}` as well, and each would overwrite the other's: this pool's is called `{renamed}`, and its \
             users are shared out anew, once"
        );
        tell(report, &pool.origin, &why);
        if let Stickiness::RouteCookie(cookie) = &mut pool.sticky {
            cookie.name = renamed;
        }
    }
}

/// The hosts of a pool's routes, to which browsers bring its cookies; none: everywhere.
struct Reach(Option<BTreeSet<String>>);

impl Reach {
    fn of(pool: &Pool, routes: &[Route]) -> Reach {
        let own: Vec<&Route> = routes.iter().filter(|route| route.pool == pool.name).collect();
        let has_domain = matches!(&pool.sticky, Stickiness::RouteCookie(cookie) if cookie.domain.is_some());
        let is_wide = |host: &String| host.starts_with('*');
        let everywhere = has_domain
            || own
                .iter()
                .any(|route| route.hosts.is_empty() || route.hosts.iter().any(is_wide));
        let hosts = || own.iter().flat_map(|route| route.hosts.iter().cloned()).collect();
        Reach((!everywhere).then(hosts))
    }

    fn meets(&self, other: &Reach) -> bool {
        match (&self.0, &other.0) {
            (Some(own), Some(others)) => !own.is_disjoint(others),
            _ => true,
        }
    }
}

fn marking_cookie(pool: &Pool) -> Option<&str> {
    match &pool.sticky {
        Stickiness::RouteCookie(cookie) => Some(&cookie.name),
        Stickiness::Off | Stickiness::Session(_) => None,
    }
}

fn session_cookie(pool: &Pool) -> Option<&str> {
    let names = match &pool.sticky {
        Stickiness::Off => return None,
        Stickiness::Session(names) => names,
        Stickiness::RouteCookie(cookie) => cookie.session.as_deref().unwrap_or("JSESSIONID"),
    };
    names.split('|').next()
}

/// No rule is about a field that is the proxy's own, and no field has two.
fn headers(headers: &mut Headers, report: &mut Report) {
    for rules in [&mut headers.request, &mut headers.response] {
        let FieldRules { set, unset } = rules;
        let mut seen: BTreeMap<String, Line> = BTreeMap::new();
        let mut is_first = |name: &str, line: &Line, report: &mut Report| {
            let Some(first) = seen.get(&twin(name)) else {
                seen.insert(twin(name), line.clone());
                return true;
            };
            if first != line {
                let why = format!(
                    "one rule for a field is written, that of {}: not this one",
                    first.place
                );
                report.differs(line, why);
            }
            false
        };
        // Of two rules the later holds.
        set.reverse();
        set.retain(|(name, value, line)| {
            let plain = value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
            if !plain {
                report.unsupported(
                    line,
                    "the value of a field must be visible ASCII on one line: left out",
                );
            }
            plain && may_stand(name, line, report) && is_first(name, line, report)
        });
        set.reverse();
        unset.retain(|(name, line)| may_stand(name, line, report) && is_first(name, line, report));
    }
}

/// A field's name as servers take it for the same.
fn twin(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

fn may_stand(name: &str, line: &Line, report: &mut Report) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        report.unsupported(line, format!("`{name}` cannot be the name of a field: left out"));
        return false;
    }
    let own = !remora_policy::FieldRules::may_name(name.as_bytes());
    if own {
        let why = format!(
            "the proxy takes no rule about `{name}`: it writes that field itself, or the message rests on it"
        );
        report.differs(line, why);
    }
    !own
}

//! From ProxyPass to routes: httpd takes the first that matches, ours the longest.
//!
//! Invariants: a line that httpd never reaches becomes no route · what `!` leaves to httpd is left by every route above it · a route that
//! several servers have alike is written once.

use std::collections::BTreeMap;

use crate::paths::is_plain;
use crate::report::Report;
use crate::site::{Headers, Origin, Piece, Route, Site};
use crate::source::Line;

use super::balancers::{Split, split};
use super::draft::{Draft, Pass, Reverse, Scope, Target};
use super::guards::{Guarded, UNCERTIFIED, certified};
use super::params::Terms;

/// Makes routes of all servers, and puts rules for fields where they hold.
pub(super) fn routes(draft: &Draft, terms: &BTreeMap<String, Terms>, site: &mut Site, report: &mut Report) {
    let names = draft.pool_names();
    let serving = draft.scopes.iter().filter(|scope| has_routes(scope)).count();
    let mut told = Vec::new();
    for scope in &draft.scopes {
        let is_first = !told.iter().any(|address| scope.addresses.contains(address));
        told.extend(scope.addresses.iter().cloned());
        let hosts = hosts(scope, (serving <= 1 && is_alone(scope, draft), is_first), report);
        elsewhere(scope, draft, report);
        let guarded = Guarded::of(scope, draft);
        let mut own = of_scope(scope, (&hosts, &guarded), &names, report);
        if let Some(line) = certified(scope, draft) {
            let lines = own.drain(..).flat_map(|route| route.origin.lines);
            for line in lines.chain([line.clone()]) {
                report.unsupported(&line, UNCERTIFIED);
            }
        }
        guarded.except(&mut own);
        guarded.grants(scope, report);
        for route in &mut own {
            let held = terms.get(&route.pool).copied().unwrap_or_default();
            (route.connect, route.response, route.idle) = (held.connect, held.response, held.response);
            route.encoded_slash = scope.encoded_slash;
        }
        mapped_back(scope, &mut own, draft, report);
        if !scope.preserve_host {
            unpreserved(&own, report);
        }
        fields(scope, serving <= 1, &mut own, site, report);
        site.routes.extend(own);
    }
}

/// Tells, at each route of a server, which Host its members are told.
fn unpreserved(routes: &[Route], report: &mut Report) {
    let mut first: Option<&Line> = None;
    for line in routes.iter().filter_map(|route| route.origin.lines.first()) {
        let why = match first {
            Some(first) if first != line => format!("the Host is another, as at {}", first.place),
            _ => "without ProxyPreserveHost httpd tells a member the member's own address as Host; ours tells the Host that was asked for, and by \
                  X-Forwarded-* who asked"
                .to_owned(),
        };
        first = first.or(Some(line));
        report.becomes_but(Piece::Route, line, why);
    }
}

/// Whether a server has routes that its clients reach.
pub(super) fn has_routes(scope: &Scope) -> bool {
    let leads = |pass: &Pass| pass.target != Target::Nowhere;
    scope.passes.iter().any(leads)
        && scope
            .to_https
            .as_ref()
            .is_none_or(|to| to.by_balancer || !to.except.is_empty())
}

/// Whether every other virtual host sends all to https, or has the same names.
fn is_alone(scope: &Scope, draft: &Draft) -> bool {
    let is_other = |other: &&Scope| other.line.is_some() && other.line != scope.line;
    let redirects = |other: &Scope| other.to_https.is_some() && !has_routes(other);
    let mut others = draft.scopes.iter().filter(is_other);
    others.all(|other| redirects(other) || (!other.names.is_empty() && other.names == scope.names))
}

/// The hosts of a server's routes: none where it is the only one, since httpd answers there whatever is asked for.
fn hosts(scope: &Scope, (is_alone, is_first): (bool, bool), report: &mut Report) -> Vec<String> {
    let narrows = !is_alone && has_routes(scope) && !scope.names.is_empty();
    for line in &scope.name_lines {
        let why = if narrows {
            "`host` of its routes, as far as some are written"
        } else if has_routes(scope) {
            "its routes are for all hosts: no other server in these files has routes, and httpd answers here whatever host is asked for"
        } else {
            "no routes are written for it, so that nobody needs the name"
        };
        report.same(line, why);
    }
    if narrows
        && is_first
        && let Some(line) = &scope.line
    {
        let why = "httpd has the first host of an address answer for names that no host has; ours answers 404 there. A route without `host` is for all";
        report.differs(line, why);
    }
    if narrows { scope.names.clone() } else { Vec::new() }
}

/// Routes are served at every address, and httpd's hosts at their own.
fn elsewhere(scope: &Scope, draft: &Draft, report: &mut Report) {
    let is_other = |other: &&Scope| {
        has_routes(other) && !other.addresses.is_empty() && other.addresses != scope.addresses
    };
    let (Some(line), true) = (
        &scope.line,
        has_routes(scope) && draft.scopes.iter().any(|other| is_other(&other)),
    ) else {
        return;
    };
    if certified(scope, draft).is_none() {
        let why = "routes are served at every [[listen]], and not at the addresses of this host alone; where that must not be, run a proxy of its own \
                   for it";
        report.differs(line, why);
    }
}

/// What is told of a path that httpd has with a slash at its end alone.
pub(super) fn bare(path: &str) -> String {
    format!("{path} without the slash at its end is served as well")
}

/// A path without the slash at its end.
pub(super) fn trimmed(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        "/".to_owned()
    } else {
        trimmed.to_owned()
    }
}

/// Whether `path` is `above` or below it.
pub(super) fn is_under(path: &str, above: &str) -> bool {
    above == "/"
        || path
            .strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Which paths are taken, by whom, and in which order.
#[derive(Default)]
struct Taken<'a> {
    of_path: BTreeMap<String, Vec<(usize, &'a Pass)>>,
    count: usize,
}

impl<'a> Taken<'a> {
    fn add(&mut self, path: String, pass: &'a Pass) {
        let of_path = self.of_path.entry(path).or_default();
        of_path.push((self.count, pass));
        self.count += 1;
    }

    /// The first that takes what this pass would: of its path or, outside of Locations, of one above.
    fn before(&self, path: &str, pass: &Pass) -> Option<&'a Pass> {
        let ends = path.match_indices('/').map(|(at, _)| at.max(1));
        let above = ends.map(|end| &path[..end]).chain([path]);
        let of_each = above.filter_map(|above| {
            let mut own = self.of_path.get(above)?.iter();
            own.find(|(_, earlier)| above == path || !(pass.in_location || earlier.in_location))
        });
        of_each
            .min_by_key(|(order, _)| *order)
            .map(|(_, earlier)| *earlier)
    }
}

fn of_scope(
    scope: &Scope,
    (hosts, guarded): (&[String], &Guarded<'_>),
    names: &BTreeMap<String, String>,
    report: &mut Report,
) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    let mut taken = Taken::default();
    let mut left: Vec<(String, &Line)> = Vec::new();
    for pass in &scope.passes {
        let (line, path) = (&pass.line, trimmed(&pass.path));
        if !has_routes(scope) && pass.target != Target::Nowhere {
            report.differs(
                line,
                "never reached: all clients of this host are sent to https before. No route is written",
            );
            continue;
        }
        if let Some(earlier) = taken.before(&path, pass) {
            let why = format!(
                "never reached: httpd takes the first that matches, which is {}. No route is written",
                earlier.line.place
            );
            report.differs(line, why);
            continue;
        }
        if !is_plain(&path) {
            report.unsupported(
                line,
                "a route's path is plain: no escapes, parameters or empty segments. Left out",
            );
            continue;
        }
        if let Some(guard) = guarded.guard(&path, &pass.target) {
            report.unsupported(line, format!("guarded by {}: no route is written", guard.place));
            taken.add(path, pass);
            continue;
        }
        match &pass.target {
            Target::Nowhere => left.push((path.clone(), line)),
            Target::Balancer(name, there) => match names.get(name) {
                Some(pool) => routes.extend(route(pass, &path, (pool, there), hosts, report)),
                None => report.unsupported(line, "it leads to no member: no route is written"),
            },
        }
        taken.add(path, pass);
    }
    for pass in &scope.upgrades {
        if let Some(guard) = guarded.guard(&trimmed(&pass.path), &pass.target) {
            report.unsupported(
                &pass.line,
                format!("guarded by {}: no route is written", guard.place),
            );
            continue;
        }
        upgrade(pass, names, hosts, &mut routes, report);
    }
    leave_out(left, &mut routes, report);
    routes
}

/// Takes what `!` leaves to httpd out of the routes above it.
fn leave_out(left: Vec<(String, &Line)>, routes: &mut [Route], report: &mut Report) {
    for (path, line) in left {
        let above = routes.iter_mut().filter(|route| is_under(&path, &route.path));
        let mut paths = Vec::new();
        for route in above {
            route.except.push(path.clone());
            route.origin.add(line);
            paths.push(route.path.clone());
        }
        if paths.is_empty() {
            report.same(line, "no route leads there");
            continue;
        }
        paths.sort_unstable();
        paths.dedup();
        let why = format!(
            "`except` of the route for {}: httpd serves it from its own files or answers 404, ours answers 404. Leave a server for such files in \
             front, or put them into the application",
            paths.join(" and for ")
        );
        report.differs(line, why);
    }
}

/// A rule for WebSockets alone: its path has a route already, or gets one.
fn upgrade(
    pass: &Pass,
    names: &BTreeMap<String, String>,
    hosts: &[String],
    routes: &mut Vec<Route>,
    report: &mut Report,
) {
    let (line, path) = (&pass.line, trimmed(&pass.path));
    let Target::Balancer(name, there) = &pass.target else {
        return;
    };
    let Some(pool) = names.get(name).filter(|_| is_plain(&path)) else {
        report.unsupported(line, "it leads to no member by a plain path: no route is written");
        return;
    };
    let covering = routes
        .iter()
        .filter(|route| is_under(&path, &route.path))
        .max_by_key(|route| route.path.len());
    match covering {
        Some(route) if route.pool == *pool => {}
        Some(_) => report.differs(
            line,
            "WebSockets go where the route of their path leads, and nowhere else",
        ),
        None => routes.extend(route(pass, &path, (pool, there), hosts, report)),
    }
}

fn route(
    pass: &Pass,
    path: &str,
    (name, there): (&str, &str),
    hosts: &[String],
    report: &mut Report,
) -> Option<Route> {
    let line = &pass.line;
    let to = trimmed(there);
    if !is_plain(&to) {
        report.unsupported(
            line,
            format!("{to} is no plain path: a route replaces one path by another. Left out"),
        );
        return None;
    }
    let ends = [&*pass.path, there].map(|path| path.ends_with('/'));
    report.becomes(Piece::Route, line, format!("a route for {path}"));
    if ends[0] != ends[1] {
        let why = "one of the two paths ends in a slash, and httpd puts the rest directly behind; ours maps whole segments";
        report.becomes_but(Piece::Route, line, why);
    } else if ends[0] && path != "/" {
        report.becomes_but(Piece::Route, line, bare(path));
    }
    let mut origin = Origin::of(line);
    origin.note("What leads to a Tomcat is mapped back by itself, and cookies' paths with it.");
    Some(Route {
        path: path.to_owned(),
        pool: name.to_owned(),
        to: Some(to).filter(|to| !(to == "/" && path == "/")),
        hosts: hosts.to_vec(),
        origin,
        ..Route::default()
    })
}

/// ProxyPassReverse and its like: by itself, if it undoes what a route does.
fn mapped_back(scope: &Scope, routes: &mut [Route], draft: &Draft, report: &mut Report) {
    for Reverse { path, url, line } in &scope.reverses {
        let (Split::Balancer(name, there) | Split::Server(name, there)) = split(url);
        let is_member = draft.balancers.iter().any(|balancer| {
            balancer.name == name
                || balancer
                    .workers
                    .iter()
                    .any(|worker| worker.url.trim_end_matches('/') == name)
        });
        let own = routes.iter_mut().find(|route| {
            trimmed(path) == route.path && route.to.as_deref().unwrap_or("/") == trimmed(&there)
        });
        match own {
            Some(route) if is_member => {
                route.origin.add(line);
                report.becomes(Piece::Route, line, "what leads to a member is mapped back by itself");
            }
            _ if is_member => report.differs(line, "what leads to a member is mapped back by the route that served the request, and by no other line"),
            _ => report.differs(line, "what names an address of no member passes as the application wrote it: let it write the address that users see, which it is told as Host"),
        }
    }
    for Reverse { path, url, line } in &scope.cookie_paths {
        let undoes = |route: &&mut Route| {
            trimmed(path) == route.path && route.to.as_deref().unwrap_or("/") == trimmed(url)
        };
        match routes.iter_mut().find(undoes) {
            Some(route) => {
                route.origin.add(line);
                report.becomes(Piece::Route, line, "cookies' paths are mapped back by the route");
            }
            None => report.differs(
                line,
                "a cookie's path is mapped back by the route that served the request, and by no other line",
            ),
        }
    }
}

/// Rules for fields: on the site where one server has routes, else on that server's; those of a Location on what is below it.
fn fields(scope: &Scope, is_only: bool, routes: &mut [Route], site: &mut Site, report: &mut Report) {
    for (location, headers) in &scope.headers {
        if location.is_none() && (scope.line.is_none() || is_only) {
            merge(&mut site.headers, headers);
            continue;
        }
        let below = |route: &&mut Route| {
            location
                .as_ref()
                .is_none_or(|path| is_under(&route.path, &trimmed(path)))
        };
        let mut found = false;
        for route in routes.iter_mut().filter(below) {
            merge(&mut route.headers, headers);
            found = true;
        }
        if !found {
            for line in headers.lines() {
                report.unsupported(
                    line,
                    "no route is for this path alone: write a [[route]] for it, with these `headers`",
                );
            }
        }
    }
}

fn merge(into: &mut Headers, from: &Headers) {
    into.request.set.extend(from.request.set.iter().cloned());
    into.request.unset.extend(from.request.unset.iter().cloned());
    into.response.set.extend(from.response.set.iter().cloned());
    into.response.unset.extend(from.response.unset.iter().cloned());
}

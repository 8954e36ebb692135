//! From balancers to pools: members, how users stick, and what holds on the way to them.
//!
//! Invariant: a member has a route, its own or one made of its address, so that it can be named.

use std::collections::BTreeMap;

use crate::report::Report;
use crate::settle::name_of;
use crate::site::{Member, Origin, Piece, Pool, PoolTls, RouteCookie, Site, Stickiness};
use crate::source::Line;
use crate::switch::MARKED;

use super::balancers::{Split, split};
use super::draft::{Balancer, Draft, Param, RouteMark, Worker};
use super::params::Terms;
use super::{health, params};

/// The port of AJP that Tomcat has unless told otherwise, and that of HTTP beside it.
const AJP: (u16, u16) = (8009, 8080);

/// Makes pools; what holds on the routes to each, by its name.
pub(super) fn pools(draft: &Draft, site: &mut Site, report: &mut Report) -> BTreeMap<String, Terms> {
    let mut all = BTreeMap::new();
    let names = draft.pool_names();
    for balancer in &draft.balancers {
        let Some(name) = names.get(&balancer.name) else {
            if let Some(line) = balancer.origin.lines.first() {
                let why = format!(
                    "no member of {} is in these files: name the file that has them as well",
                    balancer.name
                );
                report.unsupported(line, why);
            }
            continue;
        };
        let mut pool = Pool {
            name: name.clone(),
            origin: balancer.origin.clone(),
            ..Pool::default()
        };
        if balancer.is_single {
            // They stand at the member.
            let own = |line: &Line| balancer.workers.iter().any(|worker| worker.line == *line);
            pool.origin.lines.retain(|line| !own(line));
        }
        sticky(balancer, draft, &mut pool, report);
        let mut terms = Terms::default();
        let mut checks = Vec::new();
        for worker in &balancer.workers {
            let member = member(worker, &pool.sticky, &mut terms, report);
            pool.members.push(member);
            checks.push((worker.line.clone(), health::checks(&worker.params, draft, report)));
        }
        for param in balancer
            .params
            .iter()
            .filter(|param| param.key != "stickysession")
        {
            params::balancer(param, &mut pool, report);
        }
        for param in &balancer.params {
            pool.origin.add(&param.line);
        }
        health::apply(&checks, has_tomcats(balancer), &mut pool, draft, report);
        pool.tls = outward(draft).filter(|_| {
            pool.members
                .iter()
                .any(|member| member.url.starts_with("https://"))
        });
        all.insert(pool.name.clone(), terms);
        site.pools.push(pool);
    }
    for mark in &draft.marks {
        if !report.is_told(&mark.line) {
            report.unsupported(
                &mark.line,
                format!(
                    "no balancer sticks by `{}`: write `route_cookie` into the pool that this is for",
                    mark.name
                ),
            );
        }
    }
    all
}

/// Whether anything says that the members of a balancer are Tomcats.
fn has_tomcats(balancer: &Balancer) -> bool {
    let is_said = |param: &Param, key: &str| param.key == key && !param.value.is_empty();
    let is_tomcat = |worker: &Worker| {
        worker.url.starts_with("ajp://") || worker.params.iter().any(|param| is_said(param, "route"))
    };
    let sticks = |param: &Param| is_said(param, "stickysession");
    balancer.is_jk || balancer.params.iter().any(sticks) || balancer.workers.iter().any(is_tomcat)
}

fn member(worker: &Worker, sticky: &Stickiness, terms: &mut Terms, report: &mut Report) -> Member {
    let Worker { url, params, line } = worker;
    let (Split::Balancer(server, path) | Split::Server(server, path)) = split(url);
    let mut member = Member {
        url: server.clone(),
        origin: Origin::of(line),
        ..Member::default()
    };
    if !path.trim_end_matches('/').is_empty() {
        report.differs(
            line,
            format!(
                "{path} of its URL is left out: a member is an address, and the route's `to` has the path"
            ),
        );
    }
    if let Some(address) = server.strip_prefix("ajp://") {
        ajp(address, line, &mut member, report);
    } else {
        report.becomes(Piece::Member, line, "a member");
    }
    for param in params {
        member.origin.add(&param.line);
        params::worker(param, (&mut member, sticky), terms, report);
    }
    if member.route.is_empty() {
        let host = member
            .url
            .split_once("://")
            .map_or(&*member.url, |(_, host)| host);
        member.route = name_of(host);
        let route = &member.route;
        match sticky {
            Stickiness::Off => {
                let why = format!("a name of this importer's, `{route}`, by which nobody sticks");
                report.becomes(Piece::Member, line, why);
            }
            Stickiness::Session(_) => {
                let why = format!(
                    "no route is said: `{route}` is written, and that Tomcat's jvmRoute belongs in its place"
                );
                report.becomes_but(Piece::Member, line, why);
            }
            Stickiness::RouteCookie(cookie) => {
                let why = format!(
                    "no route is said, and httpd lets nobody stick to it then: `{route}` is written, and `{}` names it",
                    cookie.name
                );
                report.becomes_but(Piece::Member, line, why);
            }
        }
    }
    member
}

/// A member that httpd speaks AJP with.
fn ajp(address: &str, line: &Line, member: &mut Member, report: &mut Report) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let port: u16 = port.parse().unwrap_or(AJP.0);
    let http = port
        .checked_sub(AJP.0)
        .and_then(|apart| AJP.1.checked_add(apart))
        .unwrap_or(AJP.1);
    member.url = format!("http://{host}:{http}");
    let why = format!(
        "AJP is not spoken. Open an HTTP connector in that Tomcat's server.xml: <Connector port=\"{http}\" protocol=\"HTTP/1.1\"/>, which is what \
         is written here, and close {port}. What AJP told of the client comes in X-Forwarded-For and -Proto: add <Valve \
         className=\"org.apache.catalina.valves.RemoteIpValve\" protocolHeader=\"X-Forwarded-Proto\"/>, with this proxy among its \
         internalProxies. Clients' certificates come in fields of [listen.tls.clients], for Tomcat's SSLValve"
    );
    report.unsupported(line, why);
    member.origin.note(format!(
        "In place of AJP at port {port}: an HTTP connector at port {http} of that Tomcat's server.xml."
    ));
}

/// TLS to members, as any server says it.
fn outward(draft: &Draft) -> Option<PoolTls> {
    let authority = draft
        .scopes
        .iter()
        .find_map(|scope| scope.proxy_authority.clone())?;
    let own = draft.scopes.iter().find_map(|scope| scope.proxy_own.clone());
    Some(PoolTls {
        authority,
        name: None,
        own: own.map(|file| (file.clone(), file)),
    })
}

/// How users stick, and where httpd would look for more.
fn sticky(balancer: &Balancer, draft: &Draft, pool: &mut Pool, report: &mut Report) {
    if balancer.is_jk {
        pool.sticky = Stickiness::Session("JSESSIONID".to_owned());
        return;
    }
    let said = balancer
        .params
        .iter()
        .rfind(|param| param.key == "stickysession" && !param.value.is_empty());
    let Some(Param { value, line, .. }) = said else {
        if !balancer.is_single
            && let Some(line) = balancer.origin.lines.first()
        {
            report.becomes(
                Piece::Pool,
                line,
                "no stickysession: nobody sticks, `sticky` is off",
            );
        }
        return;
    };
    pool.origin.add(line);
    let name = value.split('|').next().unwrap_or_default();
    match draft.marks.iter().find(|mark| mark.name == name) {
        Some(mark) => {
            pool.origin.add(&mark.line);
            pool.origin.note("Cookies that httpd has set go on counting. Ours say HttpOnly and SameSite=Lax as well, and Secure to whoever came by https.");
            report.becomes(
                Piece::Pool,
                line,
                format!("stickysession={value}: `route_cookie`"),
            );
            let why = "httpd looks for the name in the URL first, anywhere in it, and believes it: ?NAME=.ROUTE in a link moves whoever follows it. Ours \
                       looks in the cookie alone; `lookup = \"httpd\"` would search as httpd does";
            report.differs(line, why);
            pool.sticky = Stickiness::RouteCookie(route_cookie(mark, report));
        }
        None => {
            report.becomes(
                Piece::Pool,
                line,
                format!("stickysession={value}: by the route behind the first dot of the session's id"),
            );
            let why = "httpd takes the URL before the cookie, finds the name anywhere in it, and lets a value without a route hide the cookie; quotes are \
                       a part of a route there. Ours reads as Tomcat does: the cookie, then the parameter of the path, then the query. `lookup = \
                       \"httpd\"` would decide as httpd does";
            report.differs(line, why);
            pool.sticky = Stickiness::Session(value.clone());
        }
    }
}

/// The cookie with what the recipe says of it.
fn route_cookie(mark: &RouteMark, report: &mut Report) -> RouteCookie {
    let mut cookie = RouteCookie {
        name: mark.name.clone(),
        ..RouteCookie::default()
    };
    report.becomes(
        Piece::Pool,
        &mark.line,
        "`route_cookie`: it is sent when the route changes",
    );
    let says = |name: &str| mark.attributes.iter().any(|(said, _)| said == name);
    if !(says("httponly") && says("samesite")) {
        report.becomes_but(Piece::Pool, &mark.line, MARKED);
    }
    let mut has_path = false;
    for (name, value) in &mark.attributes {
        match &**name {
            "path" => {
                has_path = true;
                cookie.path = Some(value.clone()).filter(|path| path != "/");
            }
            "domain" => cookie.domain = Some(value.clone()),
            "samesite" => {
                cookie.same_site = match &*value.to_ascii_lowercase() {
                    "strict" => Some("Strict"),
                    "none" => Some("None"),
                    _ => None,
                };
            }
            "secure" => report.same(&mark.line, "Secure: to whoever came by https"),
            "httponly" => report.same(&mark.line, "HttpOnly: always"),
            _ => report.differs(
                &mark.line,
                format!("{name}: the cookie ends with the browser's session"),
            ),
        }
    }
    if !has_path {
        report.differs(&mark.line, "without a path browsers bring httpd's cookie for the directory of one page alone; ours is for the path /");
    }
    cookie
}

//! nginx's locations as routes.
//!
//! Its ways: an exact location, else the longest prefix, counts before regular expressions if it is `^~`, and behind the first that
//! matches else; a prefix ends anywhere in a segment. Ours: the longest path of whole segments. So a prefix becomes a route, an
//! expression that means a few paths becomes those, and others cannot be held.
//!
//! Left out on purpose: files. A location that serves them is told of, and its path goes where the longest route leads.

use super::guards::is_guarded;
use super::matched::{Matched, asked_by, trimmed};
use super::servers::{Chosen, Led, NginxServer};
use super::tree::Statement;
use super::{NginxReader, NginxScope, fields};
use crate::paths::is_plain;
use crate::replay::{ForeignPath, ForeignRule, Going};
use crate::site::{Origin, Piece, PoolTls, Route};

impl<'t> NginxReader<'t> {
    pub(super) fn location(
        &mut self,
        location: &'t Statement,
        outer: &NginxScope<'t>,
        server: &mut NginxServer,
    ) {
        let scope = outer.with(location.inside());
        let matched = Matched::of(location);
        let rule = (matched != Matched::Named).then_some(server.rules.len());
        server.rules.extend(rule.map(|_| ForeignRule {
            hosts: Vec::new(),
            path: asked_by(location, &matched),
            going: Going::Nowhere,
        }));
        let (mut pass, mut answer, mut tries, mut checks) = (None, None, None, Vec::new());
        for own in location.inside() {
            match own.name.as_str() {
                "location" => self.location(own, &scope, server),
                "proxy_pass" if pass.is_some() => {
                    self.report
                        .unsupported(&own.line, "a second proxy_pass in one location: nginx refuses it");
                }
                "proxy_pass" => pass = Some(own),
                "return" if answer.is_none() => answer = Some(own),
                "rewrite" if https_rewrite(own) => answer = Some(own),
                "try_files" => tries = Some(own),
                "health_check" => checks.push(own),
                "if" => self.condition(own, server),
                _ => self.setting(own, &scope),
            }
        }
        let named = tries.and_then(|tries| self.named(tries, outer, location));
        let is_shut = is_guarded(&scope) || named.as_ref().is_some_and(|(_, inner)| is_guarded(inner));
        if is_shut && (pass.is_some() || answer.is_none()) {
            if let Some(rule) = rule.filter(|_| pass.is_some() || named.is_some()) {
                server.rules[rule].going = Going::Guarded;
            }
            self.guarded(
                location,
                [pass, answer, tries].into_iter().flatten(),
                &matched,
                server,
            );
            checks.iter().for_each(|check| self.by_name(check));
            return;
        }
        if let Some(answer) = answer {
            self.answering(location, answer, &matched, server);
            return;
        }
        server.paths.extend(matched.paths());
        let led = match (pass, &named) {
            (Some(pass), _) => self.pass(location, pass, (&matched, &scope), server),
            (None, Some((pass, inner))) => self.pass(location, pass, (&matched, inner), server),
            (None, None) => {
                self.leads_nowhere(location, &matched);
                None
            }
        };
        if let (Some(rule), Some((pool, uri))) = (rule, &led) {
            leads(&mut server.rules[rule], pool, uri.as_deref());
        }
        for check in checks {
            self.check(check, led.as_ref().map(|(pool, _)| pool.as_str()));
        }
    }

    /// Tells of a location that nginx answers itself.
    fn answering(
        &mut self,
        location: &Statement,
        answer: &Statement,
        matched: &Matched,
        server: &mut NginxServer,
    ) {
        let is_root = *matched == Matched::Prefix("/".to_owned());
        if is_root && self.sends_to_https(answer, server) {
            self.report
                .becomes(Piece::Redirect, &location.line, "all of the listener in clear");
            server
                .redirect
                .iter_mut()
                .for_each(|redirect| redirect.origin.add(&location.line));
            return;
        }
        let refuses = answer.argument(0).starts_with(['4', '5']);
        if refuses && !is_root {
            let why = "no route leads there: 404";
            if self.shut(location, matched, why, server) {
                self.report.differs(&answer.line, why);
            } else {
                self.answered(answer);
            }
            return;
        }
        server.paths.extend(matched.paths());
        let why =
            "no route is written for what nginx answers itself: the path goes where the longest route leads";
        self.report.unsupported(&location.line, why);
        self.answered(answer);
    }

    fn leads_nowhere(&mut self, location: &Statement, matched: &Matched) {
        let why = match matched {
            Matched::Named => "reached from within alone: told of where it is named",
            Matched::Expression => {
                "nothing in it leads to a Tomcat, and no route is chosen by an expression: these paths go where the longest route leads"
            }
            _ => {
                "nothing in it leads to a Tomcat: the path goes where the longest route leads, which has to serve it"
            }
        };
        self.report.unsupported(&location.line, why);
    }

    /// The location that a `try_files` ends with, if that leads anywhere; tells of the `try_files`.
    fn named(
        &mut self,
        tries: &Statement,
        outer: &NginxScope<'t>,
        location: &Statement,
    ) -> Option<(&'t Statement, NginxScope<'t>)> {
        let name = tries.arguments.last().filter(|name| name.starts_with('@'));
        let all = outer.0.iter().flat_map(|level| level.iter());
        let mut named =
            all.filter(|own| own.name == "location" && name.is_some_and(|name| own.argument(0) == name));
        let found = named.next().and_then(|named| {
            let pass = named.inside().iter().find(|own| own.name == "proxy_pass")?;
            Some((pass, outer.with(named.inside())))
        });
        let leads = location.inside().iter().any(|own| own.name == "proxy_pass");
        if found.is_some() && !leads {
            let why = "no file is looked for first: all of it goes where the named location leads";
            self.report.differs(&tries.line, why);
        } else {
            self.report.unsupported(
                &tries.line,
                "the proxy serves no files: the path goes where the longest route leads",
            );
        }
        found
    }

    /// Makes the routes of a location that leads to a Tomcat, and gives the name of their pool and the path there.
    fn pass(
        &mut self,
        location: &Statement,
        pass: &'t Statement,
        (matched, scope): (&Matched, &NginxScope<'t>),
        server: &mut NginxServer,
    ) -> Option<(String, Option<String>)> {
        let Some((pool, to)) = self.target(pass, scope) else {
            let why = "no route: see what is told of its proxy_pass";
            self.report.unsupported(&location.line, why);
            return None;
        };
        let paths = matched.paths();
        if paths.is_empty() {
            let why = "no route is chosen by an expression: these paths go where the longest route leads. Where that is another pool, name \
                       the paths in [[route]]";
            match matched {
                Matched::Named => self.report.unsupported(
                    &location.line,
                    "reached from within alone: told of where it is named",
                ),
                _ => self.report.unsupported(&location.line, why),
            }
            self.report
                .unsupported(&pass.line, "no route: see what is told of its location");
            return Some((pool, to));
        }
        let mut differs = Vec::new();
        for path in paths {
            if !is_plain(&path) {
                differs.push(format!("`{path}` is no path that a route can have: no route"));
                continue;
            }
            let to = to.as_deref().map(trimmed).filter(|to| *to != path);
            let mut route = Route {
                path,
                pool: pool.clone(),
                to,
                headers: fields::rules(scope),
                origin: Origin::of(&location.line),
                ..Route::default()
            };
            route.origin.add(&pass.line);
            fields::times(scope, &mut route);
            server.routes.push(Led {
                route,
                chosen: chosen(location, matched),
            });
        }
        differs.extend(otherwise(matched, to.as_deref()).map(str::to_owned));
        self.report
            .parts(Some(Piece::Route), &location.line, "a route", &differs);
        self.report
            .becomes(Piece::Route, &pass.line, format!("to pool `{pool}`"));
        if !fields::preserves_host(scope) {
            let why = "without a proxy_set_header for Host nginx tells a Tomcat the name that stands here as Host; ours tells the Host that was asked \
                       for, and by X-Forwarded-* who asked";
            self.report.becomes_but(Piece::Route, &pass.line, why);
        }
        Some((pool, to))
    }

    /// The pool and the path there of a `proxy_pass`; tells of one that has none.
    fn target(&mut self, pass: &'t Statement, scope: &NginxScope<'t>) -> Option<(String, Option<String>)> {
        let text = scope.substituted(pass.argument(0));
        let whole = ["$request_uri", "$uri$is_args$args", "$uri"]
            .iter()
            .find_map(|end| text.strip_suffix(end));
        let text = whole.map_or(text.as_str(), |text| text.trim_end_matches('/'));
        let (secured, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://").unwrap_or_default()),
        };
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let owners = self.owners.iter().find(|owners| owners.variable == authority);
        let authority = owners.map_or(authority, |owners| owners.default).to_owned();
        let path = path.split('?').next().filter(|path| !path.is_empty());
        if path.is_some_and(|path| !is_plain(path)) {
            let why = "a path that is made of variables or escapes cannot be a route's: write [[route]] with the path that is meant";
            self.report.unsupported(&pass.line, why);
            return None;
        }
        let pool = Some(authority).filter(|text| !text.is_empty() && !text.contains('$'));
        let Some(pool) = pool.and_then(|authority| self.pool_of(&authority, secured, pass)) else {
            let why = "not the name of an upstream, nor a host and a port (sockets of files and variables cannot be): no route";
            self.report.unsupported(&pass.line, why);
            return None;
        };
        if secured {
            self.members_tls(&pool, scope);
        }
        Some((pool, path.map(str::to_owned)))
    }

    /// TLS towards members, as the first location says that leads to them.
    fn members_tls(&mut self, pool: &str, scope: &NginxScope<'_>) {
        let argument = |name: &str| scope.find(name).map(|own| own.argument(0).to_owned());
        let Some(authority) = argument("proxy_ssl_trusted_certificate") else {
            return;
        };
        if let Some(pool) = self.site.pool(pool) {
            pool.tls.get_or_insert(PoolTls {
                authority,
                name: argument("proxy_ssl_name"),
                own: argument("proxy_ssl_certificate").zip(argument("proxy_ssl_certificate_key")),
            });
        }
    }
}

/// How nginx chooses a location.
fn chosen(location: &Statement, matched: &Matched) -> Chosen {
    match matched {
        Matched::Exact(_) => Chosen::Exactly,
        Matched::Prefix(_) if location.argument(0).starts_with("^~") => Chosen::Foremost,
        Matched::Prefix(_) | Matched::Named => Chosen::ByPrefix,
        Matched::Paths(_) | Matched::Expression => Chosen::ByExpression,
    }
}

/// Notes where nginx leads what a location is for.
fn leads(rule: &mut ForeignRule, pool: &str, uri: Option<&str>) {
    let prefix = match &rule.path {
        ForeignPath::Begins(text) | ForeignPath::BeginsForGood(text) | ForeignPath::Is(text) => text.clone(),
        _ => String::new(),
    };
    rule.going = Going::Pool(pool.to_owned(), uri.map(|uri| (prefix, uri.to_owned())));
}

/// In what whole segments differ from nginx's prefixes.
fn otherwise(matched: &Matched, to: Option<&str>) -> Option<&'static str> {
    match matched {
        Matched::Exact(_) => {
            Some("what is below the path goes there as well, and not to the location of the longest prefix")
        }
        Matched::Prefix(path) if path != "/" && !path.ends_with('/') => Some(
            "whole segments count: nginx takes what merely begins with these letters as well, as /shopping for /shop",
        ),
        Matched::Prefix(path) if to.is_some_and(|to| to.ends_with('/') != path.ends_with('/')) => Some(
            "nginx puts one text in place of the other, here whole segments are: a slash is neither lost nor doubled",
        ),
        Matched::Prefix(path) if path != "/" => Some(
            "the path without the slash at its end is served as well, where nginx sends to the one with it",
        ),
        Matched::Paths(_) => Some(
            "each of its paths is a route with all below it, in whole segments: what else the expression matches goes where the longest other \
             route leads",
        ),
        _ => None,
    }
}

fn https_rewrite(statement: &Statement) -> bool {
    statement.argument(1).starts_with("https://")
}

//! HAProxy's frontends, and listen sections as far as they are such: listeners, and routes to the pools that their rules choose.
//!
//! Its ways: rules are asked in their order, the first that holds chooses. Ours: the longest path of whole segments. A rule that means
//! paths and hosts becomes routes; where the order would decide otherwise, that is told.
//!
//! Left out on purpose: rules by anything else. A route that no condition guards would serve more than the rule did.

use std::collections::BTreeMap;

use super::HaproxyReader;
use super::MILLISECOND;
use super::backs::{is_back_word, pool_name};
use super::conditions::{Acls, Conjunction, Factor, Where};
use super::lexer::Words;
use super::requests::{Guard, RequestEffect, is_guard, rules};
use super::sections::{HaproxyKind, HaproxySection};
use crate::meeting::may_meet;
use crate::periods::{as_limit, period};
use crate::replay::{ForeignPath, ForeignRule, ForeignSite, Going};
use crate::settle::name_of;
use crate::site::{FieldRules, Headers, Origin, Piece, Redirect, Route};

/// A frontend while it is read.
#[derive(Default)]
struct Front {
    routes: Vec<Route>,
    /// What nobody may reach.
    guard: Guard,
    redirect: Option<Redirect>,
    /// What HAProxy decides by its rules, in their order.
    rules: Vec<ForeignRule>,
}

impl<'t> HaproxyReader<'t> {
    pub(super) fn front(&mut self, section: &'t HaproxySection) {
        let acls = Acls::of(section.all());
        let mut front = Front::default();
        for line in section.inherited.iter().filter(|line| is_guard(line)) {
            self.ruled(line, &acls, &mut front);
        }
        for line in &section.lines {
            self.front_line(line, section, &acls, &mut front);
        }
        self.report
            .same(&section.head.line, "read; what stands in it is told of by itself");
        for line in section.lines.iter().filter(|line| line.word(0) == "bind") {
            self.bind(line, 1, front.redirect.as_ref());
        }
        // As HAProxy 1.x had it: listen NAME ADDRESS.
        if section.head.word(2).contains(':') {
            self.bind(&section.head, 2, front.redirect.as_ref());
        }
        self.defaults_of(section, &mut front);
        self.decided_by_haproxy(section, &mut front);
        if !front.guard.shut {
            self.guarded(section, front);
        }
    }

    /// Writes the routes of a frontend, but for what is closed in it or where they lead.
    fn guarded(&mut self, section: &HaproxySection, front: Front) {
        let own = rules(section.all());
        let headers = |section: &HaproxySection| match section.kind {
            HaproxyKind::Listen => Headers::default(),
            _ => rules(section.all()),
        };
        let is_shut = |guards: &BTreeMap<String, Guard>, route: &Route| {
            guards
                .get(&route.pool)
                .is_some_and(|guard| guard.closes(&route.path))
        };
        let (shut, routes): (Vec<Route>, Vec<Route>) = front
            .routes
            .into_iter()
            .partition(|route| is_shut(&self.guards, route));
        for route in &shut {
            let line = &route.origin.lines[0];
            self.report.unsupported(
                line,
                "rules where this leads turn some away: no route is written, for anybody",
            );
            if route.path == "/" && routes.iter().any(|other| may_meet(&other.hosts, &route.hosts)) {
                let why = "OPEN here: other routes of this file take the hosts that this was for. Give these routes `host`, or protect the \
                           applications";
                self.report.unsupported(line, why);
            }
        }
        for mut route in routes {
            if front.guard.closes(&route.path) {
                let why = "a rule turns some away there before: no route is written, for anybody";
                self.report.unsupported(&route.origin.lines[0], why);
                continue;
            }
            let target = self
                .sections
                .iter()
                .find(|back| back.is_back() && pool_name(back) == route.pool);
            let theirs = self
                .guards
                .get(&route.pool)
                .into_iter()
                .flat_map(|guard| &guard.closed);
            let closed = front.guard.closed.iter().chain(theirs).map(|path| &path.is);
            let left = shut
                .iter()
                .filter(|other| may_meet(&other.hosts, &route.hosts))
                .map(|other| &other.path);
            for path in closed.chain(left).filter(|path| is_below(path, &route.path)) {
                if !route.except.contains(path) {
                    route.except.push(path.clone());
                }
            }
            if let Some(target) = target {
                times(target, &mut route);
                let back = headers(target);
                route.headers = Headers {
                    request: merged(&own.request, &back.request),
                    response: merged(&own.response, &back.response),
                };
            }
            self.site.routes.push(route);
        }
    }

    /// A rule for requests or answers, and what it does to the frontend.
    fn ruled(&mut self, line: &Words, acls: &Acls<'_>, front: &mut Front) {
        match self.request_line(line, acls) {
            RequestEffect::Nothing => {}
            RequestEffect::Refused(guard) => front.guard.add(guard),
            RequestEffect::ToHttps(except) => {
                let why = "redirect = \"https\" of the listeners in clear, with 301 where a client reads and 308 otherwise";
                self.report.becomes(Piece::Redirect, &line.line, why);
                front.redirect = Some(Redirect {
                    port: None,
                    except,
                    origin: Origin::of(&line.line),
                });
            }
        }
    }

    fn front_line(&mut self, line: &'t Words, section: &HaproxySection, acls: &Acls<'_>, front: &mut Front) {
        match line.word(0) {
            "bind" | "default_backend" => {}
            "acl" => self.acl(line),
            "use_backend" => self.use_backend(line, acls, front),
            "maxconn" => {
                let why = "[limits] connections bounds clients over all listeners; nothing was written for this one";
                self.report.differs(&line.line, why);
            }
            "http-request" | "http-response" | "redirect" | "reqadd" | "rspadd" | "reqdel" | "reqidel"
            | "rspdel" | "rspidel" => self.ruled(line, acls, front),
            _ if is_guard(line) => self.ruled(line, acls, front),
            _ if section.kind == HaproxyKind::Listen && is_back_word(line) => {}
            _ => self.general(line),
        }
    }

    /// The pool of those that no rule chose: the default backend, or the section's own.
    fn defaults_of(&mut self, section: &HaproxySection, front: &mut Front) {
        for line in section
            .lines
            .iter()
            .filter(|line| line.word(0) == "default_backend")
        {
            if self.is_backend(line.word(1)) {
                self.report
                    .becomes(Piece::Route, &line.line, "the route of all other paths");
            } else {
                let why = "no backend of this name that speaks HTTP is in these files: no route";
                self.report.unsupported(&line.line, why);
            }
        }
        let named = section
            .all()
            .rfind(|line| line.word(0) == "default_backend" && self.is_backend(line.word(1)));
        let is_own = section.lines.iter().any(|line| line.word(0) == "server");
        let (pool, origin) = match named {
            Some(line) => (name_of(line.word(1)), Origin::of(&line.line)),
            None if is_own => (pool_name(section), Origin::of(&section.head.line)),
            None => return,
        };
        front.routes.push(Route {
            path: "/".to_owned(),
            pool,
            origin,
            ..Route::default()
        });
    }

    /// Completes what HAProxy decides: whom it turns away, its rules, and what its log has.
    fn decided_by_haproxy(&mut self, section: &HaproxySection, front: &mut Front) {
        let mut rules = std::mem::take(&mut front.guard.rules);
        rules.append(&mut front.rules);
        let default = front
            .routes
            .last()
            .filter(|route| route.path == "/" && route.hosts.is_empty());
        rules.extend(default.map(|route| ForeignRule {
            hosts: Vec::new(),
            path: ForeignPath::Begins("/".to_owned()),
            going: Going::Pool(route.pool.clone(), None),
        }));
        let mut asked = Vec::new();
        for mut rule in rules {
            let guard = match &rule.going {
                Going::Pool(pool, _) => self.guards.get(pool).filter(|guard| !guard.rules.is_empty()),
                Going::Nowhere | Going::Guarded => None,
            };
            if let Some(guard) = guard {
                if rule.hosts.is_empty() && rule.path == ForeignPath::Begins("/".to_owned()) {
                    asked.extend(guard.rules.iter().cloned());
                } else {
                    rule.going = Going::Guarded;
                }
            }
            asked.push(rule);
        }
        self.foreign.sites.push(ForeignSite {
            entry: Some(section.name.clone()),
            hosts: Vec::new(),
            rules: asked,
            first: true,
        });
        for line in &section.lines {
            let name = match (line.word(0), line.word(1), line.word(2)) {
                ("capture", "request", "header") => Some(line.word(3)),
                ("http-request", "capture", fetch) => {
                    let inside = fetch
                        .split_once('(')
                        .and_then(|(_, rest)| rest.split([')', ',']).next());
                    Some(inside.unwrap_or(fetch))
                }
                _ => None,
            };
            self.foreign.formats.extend(name.map(str::to_owned));
        }
    }

    fn is_backend(&self, name: &str) -> bool {
        self.sections
            .iter()
            .any(|section| section.is_back() && section.name == name && super::is_http(section))
    }

    fn use_backend(&mut self, line: &Words, acls: &Acls<'_>, front: &mut Front) {
        if line.word(1).starts_with('%') {
            let why = "the name of a backend is not made of others: write a route for each that it means";
            self.report.unsupported(&line.line, why);
            return;
        }
        if !self.is_backend(line.word(1)) {
            self.report.unsupported(
                &line.line,
                "no backend of this name that speaks HTTP is in these files: no route",
            );
            return;
        }
        let Some(alternatives) = acls.condition(line.from(2)) else {
            self.report
                .unsupported(&line.line, "not a condition: HAProxy refuses this file. No route");
            return;
        };
        let (mut differs, mut made, mut is_lost) = (Vec::new(), Vec::new(), false);
        for conjunction in &alternatives {
            let understood = places(conjunction);
            front.rules.extend(asked_by(understood.as_deref(), line.word(1)));
            match understood {
                Some(places) => made.extend(places),
                None => is_lost = true,
            }
        }
        let makes_routes = !made.is_empty();
        for Spot { path, hosts, but, .. } in made {
            differs.extend(but.into_iter().map(str::to_owned));
            if front.routes.iter().any(|before| {
                is_below(&path, &before.path) && (before.hosts.is_empty() || before.hosts == hosts)
            }) {
                differs
                    .push("a rule above takes these first in HAProxy; here the longest path wins".to_owned());
            }
            if path != "/"
                && hosts.is_empty()
                && front
                    .routes
                    .iter()
                    .any(|before| before.path == "/" && !before.hosts.is_empty())
            {
                differs.push(format!("a rule above takes its hosts first in HAProxy; here `{path}` wins on these, too, as the longest path"));
            }
            front.routes.push(Route {
                path,
                pool: name_of(line.word(1)),
                hosts,
                origin: Origin::of(&line.line),
                ..Route::default()
            });
        }
        differs.dedup();
        if makes_routes {
            self.report
                .parts(Some(Piece::Route), &line.line, "a route", &differs);
        }
        if is_lost {
            let what = if makes_routes {
                "one of its alternatives"
            } else {
                "this"
            };
            let why = format!(
                "a route is for paths and hosts, and {what} asks for something else as well: no route is written for it. What it means goes where \
                 the longest other route leads"
            );
            self.report.unsupported(&line.line, why);
        }
    }
}

/// Whether a path lies below another, which is none of its own.
fn is_below(path: &str, above: &str) -> bool {
    let above = above.trim_end_matches('/');
    path.strip_prefix(above)
        .is_some_and(|rest| rest.starts_with('/') && rest.len() > 1)
}

/// What HAProxy asks for a rule that was understood so, or not.
fn asked_by(places: Option<&[Spot]>, backend: &str) -> Vec<ForeignRule> {
    let Some(places) = places else {
        return vec![ForeignRule {
            hosts: Vec::new(),
            path: ForeignPath::Unknown,
            going: Going::Pool(name_of(backend), None),
        }];
    };
    let one = |place: &Spot| ForeignRule {
        hosts: place.hosts.clone(),
        path: place.asked.clone(),
        going: Going::Pool(name_of(backend), None),
    };
    places.iter().map(one).collect()
}

/// A path with its hosts, and what ours means otherwise.
struct Spot {
    path: String,
    hosts: Vec<String>,
    but: Vec<&'static str>,
    /// The path that HAProxy looks for.
    asked: ForeignPath,
}

/// Paths and hosts that a conjunction means, each with what ours means otherwise; none where it asks for more.
fn places(conjunction: &Conjunction) -> Option<Vec<Spot>> {
    let (mut paths, mut hosts): (Option<Vec<Where>>, Vec<Where>) = (None, Vec::new());
    for (not, factors) in conjunction {
        let factors = factors.as_ref().filter(|_| !not)?;
        for factor in factors {
            match factor {
                Factor::Always => {}
                Factor::Paths(own) if factors.iter().all(|other| matches!(other, Factor::Paths(_))) => {
                    paths.get_or_insert_default().extend(own.iter().cloned());
                }
                Factor::Hosts(own) if factors.iter().all(|other| matches!(other, Factor::Hosts(_))) => {
                    hosts.extend(own.iter().cloned());
                }
                _ => return None,
            }
        }
    }
    let root = Where {
        is: "/".to_owned(),
        but: Vec::new(),
    };
    let plain = |path: &Where| crate::paths::is_plain(&path.is);
    let paths = paths.unwrap_or_else(|| vec![root]);
    paths.iter().all(plain).then(|| {
        let names: Vec<String> = hosts.iter().map(|host| host.is.clone()).collect();
        let of_hosts: Vec<&'static str> = hosts.iter().flat_map(|host| host.but.clone()).collect();
        let one = |path: Where| {
            let asked = path.asked();
            let buts = path.but.into_iter().chain(of_hosts.iter().copied()).collect();
            Spot {
                path: path.is,
                hosts: names.clone(),
                but: buts,
                asked,
            }
        };
        paths.into_iter().map(one).collect()
    })
}

/// Gives a route the times of its pool's section.
fn times(section: &HaproxySection, route: &mut Route) {
    for line in section.all() {
        let (name, value) = match (line.word(0), line.word(1)) {
            ("contimeout", value) => ("connect", value),
            ("srvtimeout", value) => ("server", value),
            ("timeout", name) => (name, line.word(2)),
            _ => continue,
        };
        let Some(time) = period(value, MILLISECOND).map(as_limit) else {
            continue;
        };
        match name {
            "connect" => route.connect = Some(time),
            "server" => {
                route.response = Some(time);
                route.idle = Some(time);
            }
            _ => {}
        }
    }
}

/// The rules of a frontend, and behind them those of its backend.
fn merged(front: &FieldRules, back: &FieldRules) -> FieldRules {
    FieldRules {
        set: front.set.iter().chain(&back.set).cloned().collect(),
        unset: front.unset.iter().chain(&back.unset).cloned().collect(),
    }
}

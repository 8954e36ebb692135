//! HAProxy's backends, and listen sections as far as they are such, as pools: how users stick, who is in them, how they are checked.
//!
//! What users see at the switch is told with each kind of stickiness.
//!
//! Invariant: a line that a section has from its defaults has its effect here, and is told of there.
//!
//! Left out on purpose: tables that HAProxies share. Users stick by what their cookies say, or by the session's id.

use std::collections::BTreeMap;

use super::HaproxyReader;
use super::conditions::{Acls, Conjunction, Factor};
use super::lexer::Words;
use super::requests::{Guard, RequestEffect, is_guard};
use super::sections::{HaproxyKind, HaproxySection};
use crate::replay::{ForeignPool, Sticks, address_of};
use crate::settle::name_of;
use crate::site::{Origin, Piece, Pool, RouteCookie, Stickiness};
use crate::switch::{BY_ROUTE, MARKED, NEW_ONCE, PREFIXED, SESSION, session_name};

/// Words of `balance` that take no user to where he was.
const BY_TURN: [&str; 5] = ["roundrobin", "static-rr", "leastconn", "first", "random"];

/// Whether a line is about servers and how users stick to them.
pub(super) fn is_back_word(line: &Words) -> bool {
    match line.word(0) {
        "server" | "server-template" | "default-server" | "balance" | "cookie" | "appsession" | "stick"
        | "stick-table" | "use-server" | "http-check" | "dynamic-cookie-key" => true,
        "option" => line.word(1) == "httpchk",
        _ => false,
    }
}

/// The name of a section's pool.
pub(super) fn pool_name(section: &HaproxySection) -> String {
    name_of(&section.name)
}

impl<'t> HaproxyReader<'t> {
    pub(super) fn back(&mut self, section: &'t HaproxySection) {
        let mut pool = Pool {
            name: pool_name(section),
            origin: Origin::of(&section.head.line),
            ..Pool::default()
        };
        let acls = Acls::of(section.all());
        let named = self.use_server(section, &acls, &mut pool.origin);
        let sticky = self.stickiness(section, &mut pool.origin);
        let by_rules = (!named.is_empty()).then(|| Stickiness::Session(SESSION.to_owned()));
        if section.kind == HaproxyKind::Backend {
            let why = format!("pool `{}`", pool.name);
            self.report.becomes(Piece::Pool, &section.head.line, why);
        }
        let sticks = sticky.is_some() || by_rules.is_some();
        let is_tomcats = by_rules.is_some() || section.all().any(is_of_tomcats);
        pool.sticky = sticky
            .or(by_rules)
            .unwrap_or_else(|| Stickiness::Session(SESSION.to_owned()));
        let has_servers = section.lines.iter().any(|line| line.word(0) == "server");
        let balance = section.all().rfind(|line| line.word(0) == "balance");
        let is_hashed = balance.is_some_and(|line| !BY_TURN.contains(&line.word(1)));
        if !sticks && has_servers && !is_hashed {
            let why = format!(
                "HAProxy gives each request to the next server, here {BY_ROUTE}. `sticky = \"off\"` shares out each request anew"
            );
            self.report.differs(&section.head.line, why);
        }
        self.balance(section, &mut pool);
        let checked = self.members(section, &named, &mut pool);
        self.checks(section, (&checked, is_tomcats), &mut pool);
        if section.kind == HaproxyKind::Backend {
            for line in section
                .lines
                .iter()
                .filter(|line| !is_back_word(line) && !is_guard(line))
            {
                self.back_line(line, &acls);
            }
        }
        self.guard_of(section, &acls);
        let members = pool
            .members
            .iter()
            .map(|member| (member.route.clone(), address_of(&member.url)));
        self.foreign.pools.push(ForeignPool {
            name: pool.name.clone(),
            sticks: sticks_there(section, &pool, !named.is_empty()),
            members: members.collect(),
        });
        self.site.pools.push(pool);
    }

    /// What the rules of a section close for all that leads to it.
    fn guard_of(&mut self, section: &HaproxySection, acls: &Acls<'_>) {
        let mut guard = Guard::default();
        for line in section.all().filter(|line| is_guard(line)) {
            match self.request_line(line, acls) {
                RequestEffect::Nothing => {}
                RequestEffect::Refused(own) => guard.add(own),
                RequestEffect::ToHttps(_) if section.kind == HaproxyKind::Listen => {}
                RequestEffect::ToHttps(_) => {
                    let why = "a listener sends clients to https, and no pool does: write `redirect` of the listeners in clear, if that is meant \
                               for all they serve";
                    self.report.unsupported(&line.line, why);
                }
            }
        }
        self.guards.insert(pool_name(section), guard);
    }

    /// A line of a backend that makes nothing of its own.
    fn back_line(&mut self, line: &Words, acls: &Acls<'_>) {
        match line.word(0) {
            "acl" => self.acl(line),
            "http-request" | "http-response" | "reqadd" | "rspadd" | "reqdel" | "reqidel" | "rspdel"
            | "rspidel" => {
                // What is no guard has no effect but on fields, which the routes look up.
                let _ = self.request_line(line, acls);
            }
            _ => self.general(line),
        }
    }

    /// How users stick by a cookie or a table; tells of the lines.
    fn stickiness(&mut self, section: &HaproxySection, origin: &mut Origin) -> Option<Stickiness> {
        let mut found: Option<Stickiness> = None;
        let own = |line: &Words| section.lines.contains(line);
        for line in section.all() {
            let (sticky, same, differs) = match line.word(0) {
                "cookie" => cookie(line),
                "appsession" => {
                    let why = format!("the table that HAProxy has learnt ends with it: {BY_ROUTE}");
                    (
                        Some(Stickiness::Session(session_name(line.word(1)))),
                        "",
                        vec![why],
                    )
                }
                "stick-table" | "stick" => {
                    let why = format!("the table that HAProxy has learnt ends with it: {BY_ROUTE}");
                    (Some(Stickiness::Session(learnt_cookie(section))), "", vec![why])
                }
                "dynamic-cookie-key" => (
                    None,
                    "",
                    vec!["no values of cookies are made from keys".to_owned()],
                ),
                _ => continue,
            };
            if own(line) {
                self.report.parts(Some(Piece::Pool), &line.line, same, &differs);
            }
            origin.add(&line.line);
            // A cookie counts before a table, wherever both stand.
            if found.is_none() || line.word(0) == "cookie" {
                found = sticky.or(found);
            }
        }
        found
    }

    /// Servers that rules choose by the route in the session's id, and their routes.
    fn use_server(
        &mut self,
        section: &HaproxySection,
        acls: &Acls<'_>,
        origin: &mut Origin,
    ) -> BTreeMap<String, String> {
        let mut named = BTreeMap::new();
        for line in section.lines.iter().filter(|line| line.word(0) == "use-server") {
            let route = acls
                .condition(line.from(2))
                .and_then(|alternatives| route_of(&alternatives));
            let Some(route) = route else {
                let why = "a server is chosen by the route behind the dot of the session's id, and by no other rule";
                self.report.unsupported(&line.line, why);
                continue;
            };
            let why = "the route behind the dot of the session's id chooses the member, without a rule: users stay where they are at the switch";
            self.report.same(&line.line, why);
            origin.add(&line.line);
            named.insert(line.word(1).to_owned(), route);
        }
        named
    }

    fn balance(&mut self, section: &HaproxySection, pool: &mut Pool) {
        let Some(line) = section.all().rfind(|line| line.word(0) == "balance") else {
            return;
        };
        if line.word(1) == "leastconn" {
            pool.balance = Some("busyness");
            pool.origin.add(&line.line);
        }
        for line in section.lines.iter().filter(|line| line.word(0) == "balance") {
            match line.word(1) {
                "roundrobin" | "static-rr" => self.report.same(&line.line, "new users in turn, by weight"),
                "leastconn" => {
                    self.report
                        .becomes(Piece::Pool, &line.line, "balance = \"busyness\"");
                }
                "first" => {
                    let why = "new users are shared out in turn, by weight, and do not fill one Tomcat after the other (`set` of a member does)";
                    self.report.differs(&line.line, why);
                }
                _ => {
                    let stick = match pool.sticky {
                        Stickiness::RouteCookie(_) => "",
                        _ => BY_ROUTE,
                    };
                    let why = [
                        "new users are shared out in turn, by weight, and not by this",
                        stick,
                    ];
                    self.report
                        .differs(&line.line, why.join("; ").trim_end_matches("; "));
                }
            }
        }
    }
}

/// Whether a line says that the members of its section are Tomcats: users stick by a cookie.
fn is_of_tomcats(line: &Words) -> bool {
    let by_session = |word: &String| {
        word.contains("cook(") || word.contains("cookie(") || word.to_ascii_lowercase().contains("jsessionid")
    };
    match line.word(0) {
        "cookie" | "appsession" => true,
        "stick" => line.words.iter().any(by_session),
        _ => false,
    }
}

/// How users stick in HAProxy, as far as a log says it.
fn sticks_there(section: &HaproxySection, pool: &Pool, by_rules: bool) -> Sticks {
    let cookie = section.all().rfind(|line| line.word(0) == "cookie");
    match (cookie, &pool.sticky) {
        (Some(line), Stickiness::Session(name)) if line.has("prefix") => Sticks::InFront(name.clone()),
        (Some(line), Stickiness::RouteCookie(cookie)) => {
            let other = ["dynamic", "maxidle", "maxlife"]
                .into_iter()
                .any(|word| line.has(word));
            if other {
                Sticks::Untold
            } else {
                Sticks::Cookie(cookie.name.clone())
            }
        }
        (None, Stickiness::Session(name)) if by_rules => Sticks::Behind(name.clone(), None),
        _ => Sticks::Untold,
    }
}

/// The route that a condition asks for at the end of a session cookie.
fn route_of(alternatives: &[Conjunction]) -> Option<String> {
    match alternatives {
        [one] => match one.as_slice() {
            [(false, Some(factors))] => match factors.as_slice() {
                [Factor::Route(route)] => Some(route.clone()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The cookie by which a table sticks.
fn learnt_cookie(section: &HaproxySection) -> String {
    let words = section
        .all()
        .filter(|line| line.word(0) == "stick")
        .flat_map(|line| line.words.iter());
    let mut cookies = words.filter_map(|word| {
        let inside = ["res.cook(", "req.cook(", "cookie(", "cook("]
            .iter()
            .find_map(|fetch| word.strip_prefix(fetch))?;
        inside.split([')', ',']).next()
    });
    cookies.next().map_or_else(|| SESSION.to_owned(), session_name)
}

/// What a `cookie` line becomes: the stickiness, what is the same, and what is not.
fn cookie(line: &Words) -> (Option<Stickiness>, &'static str, Vec<String>) {
    let name = line.word(1).to_owned();
    let mut differs = Vec::new();
    if line.has("prefix") {
        differs.push(PREFIXED.to_owned());
        return (Some(Stickiness::Session(name)), "", differs);
    }
    if name == SESSION {
        let why =
            format!("`{SESSION}` is the session's own cookie, which the proxy never writes: {BY_ROUTE}");
        return (Some(Stickiness::Session(name)), "", vec![why]);
    }
    if line.has("rewrite") {
        differs.push(
            "the application sends this cookie and HAProxy fills it in; here the proxy writes it whenever the member changes, and one of the \
             application's passes as it is: have it send none"
                .to_owned(),
        );
    }
    if line.has("dynamic") {
        differs.push(format!(
            "HAProxy makes the value from a key, and it is no route here: {NEW_ONCE}"
        ));
    }
    if line.has("maxidle") || line.has("maxlife") {
        differs.push(format!("HAProxy writes a date into the value, with which it is no route here: {NEW_ONCE}; the cookie has no time of its own"));
    }
    for (word, why) in [
        (
            "preserve",
            "a cookie of this name that the application sends does not count",
        ),
        (
            "postonly",
            "the cookie is written with any answer that changes the member, not after a POST alone",
        ),
    ] {
        if line.has(word) {
            differs.push(why.to_owned());
        }
    }
    let attribute = line
        .behind("attr")
        .and_then(|attribute| attribute.split_once('='));
    let same_site = attribute
        .filter(|(name, _)| name.eq_ignore_ascii_case("samesite"))
        .map(|(_, value)| value);
    if !line.has("httponly") || same_site.is_none() {
        differs.push(MARKED.to_owned());
    }
    let cookie = RouteCookie {
        name,
        domain: line.behind("domain").map(str::to_owned),
        same_site: match same_site.map(str::to_ascii_lowercase).as_deref() {
            Some("strict") => Some("Strict"),
            Some("none") => Some("None"),
            _ => None,
        },
        ..RouteCookie::default()
    };
    let same = "the cookie holds the member's route as HAProxy writes its server's: users stay where they are at the switch";
    (Some(Stickiness::RouteCookie(cookie)), same, differs)
}

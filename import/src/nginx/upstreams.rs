//! nginx's upstreams as pools: who is in them, how new users are shared out, how users stick.
//!
//! What users see at the switch is told with each kind of stickiness: whether the cookie that they have names a member here, and what
//! becomes of them if it does not.
//!
//! Invariants: a Tomcat has the same route in all pools · an upstream is one pool for each scheme that it is asked by.
//!
//! Left out on purpose: nginx's counts of failures. Members are checked, and requests that fail wake a check.

use remora_policy::can_be_route;

use super::NginxReader;
use super::maps::MapSource;
use super::tree::Statement;
use crate::replay::Sticks;
use crate::settle::name_of;
use crate::site::{Member, Origin, Piece, Pool, RouteCookie, Stickiness};
use crate::switch::{BY_ROUTE, MARKED, NEW_ONCE, SESSION, named_here, session_name};

impl<'t> NginxReader<'t> {
    pub(super) fn upstream(&self, name: &str) -> Option<&'t Statement> {
        self.upstreams
            .iter()
            .find(|upstream| upstream.argument(0) == name)
            .copied()
    }

    /// The pool of an upstream, or of a single address.
    pub(super) fn pool_of(&mut self, target: &str, secured: bool, origin: &Statement) -> Option<String> {
        let key = (target.to_owned(), secured);
        if let Some(pool) = self.pools.get(&key) {
            return Some(pool.clone());
        }
        let mut name = name_of(target);
        while self.site.pools.iter().any(|pool| pool.name == name) {
            name.push_str(if secured { "-https" } else { "-http" });
        }
        let pool = match self.upstream(target) {
            Some(upstream) => self.read_upstream(upstream, &name, secured),
            None => self.single(target, &name, secured, origin)?,
        };
        self.site.pools.push(pool);
        self.pools.insert(key, name.clone());
        Some(name)
    }

    /// Upstreams that no path leads to are read as well, so that what they say is told of.
    pub(super) fn read_unused_upstreams(&mut self) {
        for upstream in self.upstreams.clone() {
            let name = upstream.argument(0);
            let owners = self
                .owners
                .iter()
                .find(|owners| owners.single.contains(&name) && owners.default != name);
            if let Some(pool) = owners.map(|owners| owners.default) {
                for statement in std::iter::once(upstream).chain(upstream.inside()) {
                    let why =
                        format!("stands in pool `{pool}`: its member by its route, all others as stand-ins");
                    self.report.same(&statement.line, why);
                }
            } else if !self.pools.keys().any(|(used, _)| used == name) {
                self.pool_of(name, false, upstream);
            }
        }
    }

    /// A pool of one address that a `proxy_pass` names itself.
    fn single(&mut self, target: &str, name: &str, secured: bool, origin: &Statement) -> Option<Pool> {
        let url = url_of(target, secured)?;
        let route = self.route_of(target);
        let member = Member {
            url,
            route,
            origin: Origin::of(&origin.line),
            ..Member::default()
        };
        Some(Pool {
            name: name.to_owned(),
            sticky: Stickiness::Session(SESSION.to_owned()),
            members: vec![member],
            origin: Origin::of(&origin.line),
            ..Pool::default()
        })
    }

    fn read_upstream(&mut self, upstream: &'t Statement, name: &str, secured: bool) -> Pool {
        let mut pool = Pool {
            name: name.to_owned(),
            origin: Origin::of(&upstream.line),
            ..Pool::default()
        };
        let owned = self
            .owners
            .iter()
            .find(|owners| owners.default == upstream.argument(0));
        if owned.is_some() || upstream.inside().iter().any(|own| self.is_of_tomcats(own)) {
            self.tomcats.insert(name.to_owned());
        }
        let mut sticky = owned.map(|owners| Stickiness::Session(session_name(&owners.cookie)));
        if let Some(owners) = owned {
            self.sticks
                .insert(name.to_owned(), Sticks::Behind(owners.cookie.clone(), None));
        }
        for statement in upstream.inside() {
            match statement.name.as_str() {
                "server" => pool.members.extend(self.member(statement, secured)),
                "sticky" => sticky = self.sticky(statement, &mut pool).or(sticky),
                "ip_hash" | "hash" => {
                    sticky = sticky.or(Some(self.hashed(statement)));
                    pool.origin.add(&statement.line);
                }
                "least_conn" | "least_time" => {
                    let differs = (statement.name == "least_time").then(|| {
                        "by who has the fewest requests in flight; how fast somebody answers is not counted".to_owned()
                    });
                    let differs: Vec<String> = differs.into_iter().collect();
                    self.report.parts(
                        Some(Piece::Pool),
                        &statement.line,
                        "balance = \"busyness\"",
                        &differs,
                    );
                    pool.balance = Some("busyness");
                    pool.origin.add(&statement.line);
                }
                "random" => {
                    let why = "new users are shared out in turn, by weight, and not by chance";
                    self.report.differs(&statement.line, why);
                }
                _ => self.by_name(statement),
            }
        }
        if sticky.is_some() {
            self.report
                .becomes(Piece::Pool, &upstream.line, format!("pool `{name}`"));
        } else {
            let why = format!(
                "pool `{name}`: nginx gives each request to the next Tomcat, here {BY_ROUTE}. `sticky = \"off\"` shares out each request anew"
            );
            self.report.differs(&upstream.line, why);
        }
        pool.sticky = sticky.unwrap_or_else(|| Stickiness::Session(SESSION.to_owned()));
        pool
    }

    /// Whether a line of an upstream says that its members are Tomcats: users stick by a cookie, or servers have routes.
    fn is_of_tomcats(&self, statement: &Statement) -> bool {
        match statement.name.as_str() {
            "sticky" => true,
            "server" => statement.value("route").is_some(),
            "hash" => matches!(self.source_of(statement.argument(0)), MapSource::Cookie(_)),
            _ => false,
        }
    }

    /// A member of an upstream.
    fn member(&mut self, server: &Statement, secured: bool) -> Option<Member> {
        let address = server.argument(0);
        let Some(url) = url_of(address, secured) else {
            let why = "a member is a host and a port: sockets of files and variables cannot be one. Name the Tomcat's HTTP connector";
            self.report.unsupported(&server.line, why);
            return None;
        };
        let (own, mut differs) = (server.value("route"), Vec::new());
        if let Some(route) = own.filter(|route| can_be_route(route)) {
            self.routes
                .entry(with_port(address))
                .or_insert_with(|| route.to_owned());
        }
        let known = own.is_some() || self.routes.contains_key(&with_port(address));
        let route = self.route_of(address);
        if !known {
            differs.push(named_here(&route));
        }
        let mut member = Member {
            url,
            route,
            origin: Origin::of(&server.line),
            ..Member::default()
        };
        for word in server.arguments.iter().skip(1) {
            self.member_word(word, &mut member, &mut differs);
        }
        self.report.parts(
            Some(Piece::Member),
            &server.line,
            "a member, by that name",
            &differs,
        );
        Some(member)
    }

    fn member_word(&mut self, word: &str, member: &mut Member, differs: &mut Vec<String>) {
        match word.split_once('=').unwrap_or((word, "")) {
            ("route", _) => {}
            ("weight", weight) => match weight.parse() {
                Ok(weight @ 1..=1000) => member.weight = Some(weight),
                _ => differs.push(format!("weight {weight} is none that a member can have: 1 to 1000")),
            },
            ("backup", _) => member.state = Some("standby"),
            ("down", _) => member.state = Some("disabled"),
            ("drain", _) => member.state = Some("finishing"),
            ("max_fails" | "fail_timeout", _) => differs.push(
                "two failures in a row take a member out, of checks where it is checked and else of requests ([pool.NAME.health])"
                    .to_owned(),
            ),
            ("max_conns", count) => differs.push(format!(
                "requests to a member have no bound: with `threads = {count}`, its maxThreads, silence is not taken for a frozen Tomcat \
                 while all are at work"
            )),
            ("slow_start", _) => {
                differs.push("whoever comes up beside others gets its share of new users little by little, within 30 s".to_owned());
            }
            ("resolve" | "service", _) => differs.push(
                "a name is one member: Tomcats that come and go announce themselves to the store ([pool.NAME.discovery])".to_owned(),
            ),
            (name, _) => {
                differs.push(format!("not understood: `{name}`: nothing was written for it; look up what it does"));
            }
        }
        differs.dedup();
    }

    /// The route of the Tomcat at an address: one that is known, or a new one.
    fn route_of(&mut self, address: &str) -> String {
        let address = with_port(address);
        if let Some(route) = self.routes.get(&address) {
            return route.clone();
        }
        let taken = |name: &String| self.routes.values().any(|route| route == name);
        let mut names = (1..).map(|number: usize| format!("n{number}"));
        let route = names.find(|name| !taken(name)).unwrap_or_default();
        self.routes.insert(address, route.clone());
        route
    }

    fn hashed(&mut self, statement: &Statement) -> Stickiness {
        let by = match (statement.name.as_str(), self.source_of(statement.argument(0))) {
            ("hash", MapSource::Cookie(cookie)) => {
                let why = format!(
                    "nginx takes users to the Tomcat that the whole cookie is hashed to; here {BY_ROUTE}"
                );
                self.report.differs(&statement.line, why);
                return Stickiness::Session(session_name(&cookie));
            }
            ("hash", _) => statement.argument(0),
            _ => "the client's address",
        };
        let why = format!("users do not stick by {by}, which many may share and one may change: {BY_ROUTE}");
        self.report.differs(&statement.line, why);
        Stickiness::Session(SESSION.to_owned())
    }

    fn sticky(&mut self, statement: &Statement, pool: &mut Pool) -> Option<Stickiness> {
        pool.origin.add(&statement.line);
        match statement.argument(0) {
            "route" => self.sticky_route(statement, &pool.name),
            "learn" => {
                let looked_up = statement.value("lookup").map(|variable| self.source_of(variable));
                let cookie = match looked_up {
                    Some(MapSource::Cookie(name)) => session_name(&name),
                    _ => SESSION.to_owned(),
                };
                let why = format!("the table that nginx has learnt ends with it: {BY_ROUTE}");
                self.report.differs(&statement.line, why);
                Some(Stickiness::Session(cookie))
            }
            "cookie" => Some(self.sticky_cookie(statement, statement.argument(1), &pool.name)),
            _ => {
                let name = statement.value("name").unwrap_or("route").to_owned();
                Some(self.sticky_cookie(statement, &name, &pool.name))
            }
        }
    }

    fn sticky_route(&mut self, statement: &Statement, pool: &str) -> Option<Stickiness> {
        let sources: Vec<MapSource> = statement
            .arguments
            .iter()
            .skip(1)
            .map(|variable| self.source_of(variable))
            .collect();
        let cookie = sources.iter().find_map(|source| match source {
            MapSource::Cookie(name) => Some(session_name(name)),
            _ => None,
        });
        let parameter = sources.iter().find_map(|source| match source {
            MapSource::Uri(name) => Some(name.clone()),
            _ => None,
        });
        let Some(cookie) = cookie else {
            let why =
                format!("none of its variables is the route of a cookie that is understood here: {BY_ROUTE}");
            self.report.differs(&statement.line, why);
            return None;
        };
        self.sticks
            .insert(pool.to_owned(), Sticks::Behind(cookie.clone(), parameter.clone()));
        let mut differs = Vec::new();
        if matches!(sources.first(), Some(MapSource::Uri(_))) {
            differs.push("here the cookie counts before the URL".to_owned());
        }
        if sources.contains(&MapSource::Other) {
            differs.push("a variable that reads neither a cookie nor the URL is not looked at".to_owned());
        }
        let same = "the route stands behind the dot of the session's id, in the cookie, else in the URL: users stay where they are at the \
                    switch";
        self.report
            .parts(Some(Piece::Pool), &statement.line, same, &differs);
        let usual = if cookie == SESSION { "jsessionid" } else { &cookie };
        let names = match parameter.filter(|parameter| parameter != usual) {
            Some(parameter) => format!("{cookie}|{parameter}"),
            None => cookie,
        };
        Some(Stickiness::Session(names))
    }

    fn sticky_cookie(&mut self, statement: &Statement, name: &str, pool: &str) -> Stickiness {
        let mut differs = Vec::new();
        let upstream = self
            .upstreams
            .iter()
            .find(|upstream| upstream.inside().contains(statement));
        let servers = upstream.map_or(&[][..], |upstream| upstream.inside());
        let has_routes = servers
            .iter()
            .filter(|own| own.name == "server")
            .all(|own| own.value("route").is_some());
        if has_routes {
            self.sticks
                .insert(pool.to_owned(), Sticks::Cookie(name.to_owned()));
        } else {
            differs.push(format!(
                "nginx writes a digest of the Tomcat's address into `{name}`, which is no route here: {NEW_ONCE}"
            ));
        }
        if statement.value("expires").is_some() {
            differs.push(
                "the cookie ends with the browser, as a session does: it has no time of its own".to_owned(),
            );
        }
        if !statement.has("httponly") || statement.value("samesite").is_none() {
            differs.push(MARKED.to_owned());
        }
        let same = format!(
            "`{name}` holds the route of the member in both: users stay where they are at the switch"
        );
        self.report
            .parts(Some(Piece::Pool), &statement.line, &same, &differs);
        let same_site = statement.value("samesite").map(str::to_ascii_lowercase);
        Stickiness::RouteCookie(RouteCookie {
            name: name.to_owned(),
            path: statement
                .value("path")
                .filter(|path| *path != "/")
                .map(str::to_owned),
            domain: statement.value("domain").map(str::to_owned),
            same_site: match same_site.as_deref() {
                Some("strict") => Some("Strict"),
                Some("none") => Some("None"),
                _ => None,
            },
            ..RouteCookie::default()
        })
    }
}

/// An address with its port, which is 80 unless it says so.
fn with_port(address: &str) -> String {
    let has_port = address
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.ends_with(']'));
    if has_port {
        address.to_owned()
    } else {
        format!("{address}:80")
    }
}

/// The URL of a member, if the address can be one's.
fn url_of(address: &str, secured: bool) -> Option<String> {
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (address, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_host = match bare {
        Some(bare) => bare.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(plain),
    };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let (scheme, usual) = if secured { ("https", "443") } else { ("http", "80") };
    (is_host && is_port).then(|| format!("{scheme}://{host}:{}", port.unwrap_or(usual)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        assert_eq!(url_of("tomcat", false).as_deref(), Some("http://tomcat:80"));
        assert_eq!(
            url_of("192.0.2.1:8443", true).as_deref(),
            Some("https://192.0.2.1:8443")
        );
        assert_eq!(url_of("[::1]:8080", false).as_deref(), Some("http://[::1]:8080"));
        assert_eq!(url_of("[::1]", false).as_deref(), Some("http://[::1]:80"));
        for none in ["unix:/run/x.sock", "$host:80", "a:0", "a:b", ""] {
            assert_eq!(url_of(none, false), None, "{none}");
        }
    }
}

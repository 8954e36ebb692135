//! nginx's servers: whose hosts they are for, and what they say before any location does.
//!
//! Invariants: a server's routes carry its names where another server is for other names, whatever that does, and none where it is alone:
//! nginx's only server serves every host · what a server guards or refuses is excepted from its routes above that path, so that nothing is opened that was
//! closed.
//!
//! Left out on purpose: which server nginx takes for a host that none has. Such a host gets 404 where all routes have names.

use super::guards::{ClosedPath, is_at_or_above};
use super::tree::Statement;
use super::{NginxReader, NginxScope, fields};
use crate::replay::{ForeignRule, ForeignSite, Going};
use crate::site::{Origin, Piece, Redirect, Route};
use crate::source::Line;

/// A server while it is read.
#[derive(Default)]
pub(super) struct NginxServer {
    /// Its names that our file can hold.
    pub(super) hosts: Vec<String>,
    pub(super) routes: Vec<Led>,
    /// Paths that nobody may reach through it.
    pub(super) closed: Vec<ClosedPath>,
    /// Locations of which something cannot be closed.
    pub(super) open: Vec<Line>,
    /// How it sends clients in clear to https, if it does.
    pub(super) redirect: Option<Redirect>,
    /// Paths of locations that say what is done with them.
    pub(super) paths: Vec<String>,
    /// Whether some of its listeners are in clear.
    pub(super) in_clear: bool,
    /// Whether a balancer in front is trusted, who may say by which scheme clients came.
    pub(super) is_behind: bool,
    /// What nginx decides by its locations.
    pub(super) rules: Vec<ForeignRule>,
}

/// A route, and how nginx chooses its location.
pub(super) struct Led {
    pub(super) route: Route,
    pub(super) chosen: Chosen,
}

/// How nginx chooses a location.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Chosen {
    /// By the whole path, before all others.
    Exactly,
    /// By the longest prefix, and no expression is asked.
    Foremost,
    /// By the longest prefix, where no expression matches.
    ByPrefix,
    /// By an expression.
    ByExpression,
}

impl<'t> NginxReader<'t> {
    pub(super) fn read_servers(&mut self) {
        let servers = self.servers.clone();
        for (server, scope) in &servers {
            let own = names_of(server);
            let is_other = |other: &Statement| names_of(other) != own && !merely_redirects(other);
            let alone = !servers.iter().any(|(other, _)| is_other(other));
            self.read_server(server, scope, alone);
        }
    }

    fn read_server(&mut self, server: &'t Statement, outer: &NginxScope<'t>, alone: bool) {
        let scope = outer.with(server.inside());
        self.by_name(server);
        let mut listens = server
            .inside()
            .iter()
            .filter(|own| own.name == "listen")
            .peekable();
        let secured = scope.find("ssl").is_some_and(|own| own.has("on"));
        let mut own = NginxServer {
            hosts: self.hosts(server, alone),
            in_clear: !secured && (listens.peek().is_none() || listens.any(|listen| !listen.has("ssl"))),
            is_behind: scope.all("set_real_ip_from").into_iter().any(fields::is_trusted),
            ..NginxServer::default()
        };
        for statement in server.inside() {
            match statement.name.as_str() {
                "listen" | "server_name" => {}
                "location" => self.location(statement, &scope, &mut own),
                "return" | "rewrite" => {
                    if !self.sends_to_https(statement, &mut own) {
                        self.answered(statement);
                    }
                }
                "if" => self.condition(statement, &mut own),
                _ => self.setting(statement, &scope),
            }
        }
        if let Some(redirect) = &mut own.redirect {
            let spared = own.paths.iter().filter(|path| *path != "/");
            redirect.except.extend(spared.cloned());
        }
        self.told_apart(&mut own);
        self.close(&mut own);
        self.listens(server, &scope, own.redirect.as_ref(), !own.routes.is_empty());
        let certified = scope
            .find("ssl_verify_client")
            .filter(|verify| verify.argument(0) == "on" && !own.in_clear)
            .map(|verify| &verify.line);
        for Led { mut route, .. } in std::mem::take(&mut own.routes) {
            if !alone {
                route.hosts.clone_from(&own.hosts);
            }
            if certified.is_some() {
                self.withheld.push(route);
            } else {
                self.site.routes.push(route);
            }
        }
        if let Some(line) = certified {
            self.certified.push(line.clone());
        }
        let leads = own.rules.iter().any(|rule| rule.going != Going::Nowhere);
        let names = names_of(server);
        let served_by_another = || {
            let mut others = self.servers.iter().map(|(other, _)| *other);
            others.any(|other| passes(other) && names_of(other) == names)
        };
        // By its host alone a log does not say which of two listeners took a request: the one that leads somewhere counts.
        if leads || !(merely_redirects(server) || served_by_another()) {
            self.foreign.sites.push(ForeignSite {
                hosts: if alone { Vec::new() } else { own.hosts },
                rules: own.rules,
                ..ForeignSite::default()
            });
        }
    }

    /// Routes know no exact paths, and no order of expressions: tells of locations between which that decides in nginx.
    fn told_apart(&mut self, server: &mut NginxServer) {
        let goes = |led: &Led| (led.route.pool.clone(), led.route.to.clone());
        let others: Vec<_> = server
            .routes
            .iter()
            .map(|led| (led.chosen, led.route.path.clone(), goes(led)))
            .collect();
        server.routes.retain(|led| {
            let elsewhere = |chosen: Chosen, path: &str, going: &(String, Option<String>)| {
                chosen != Chosen::Exactly && path == led.route.path && *going != goes(led)
            };
            let is_lost = led.chosen == Chosen::Exactly
                && others.iter().any(|(chosen, path, going)| elsewhere(*chosen, path, going));
            if is_lost {
                let why = "no route: it would take what is below this path as well, which another location leads elsewhere; this one path \
                           goes there, too";
                let lines = &led.route.origin.lines;
                lines.iter().for_each(|line| self.report.unsupported(line, why));
            }
            !is_lost
        });
        for led in server.routes.iter().filter(|led| led.chosen == Chosen::ByPrefix) {
            let before = others.iter().find(|(chosen, path, (pool, _))| {
                *chosen == Chosen::ByExpression
                    && is_at_or_above(path, &led.route.path)
                    && *pool != led.route.pool
            });
            if let (Some((_, path, (pool, _))), Some(line)) = (before, led.route.origin.lines.first()) {
                let why = format!(
                    "nginx asks expressions first, and one takes all below {path} to `{pool}`: it never gets here, and with the longest path \
                     it does. Take this route out to have it as before"
                );
                self.report.differs(line, why);
            }
        }
    }

    /// The names of a server that our file can hold.
    fn hosts(&mut self, server: &Statement, alone: bool) -> Vec<String> {
        let mut hosts = Vec::new();
        for names in server.inside().iter().filter(|own| own.name == "server_name") {
            let mut differs = Vec::new();
            for name in &names.arguments {
                match hosts_of(name) {
                    Some(own) => hosts.extend(own),
                    None => differs.push(format!(
                        "`{name}` is no host that a route can have: write the names that it means"
                    )),
                }
            }
            let same = if !passes(server) {
                differs.clear();
                "no routes are written for it, so that nobody needs the names"
            } else if alone {
                "no other server is for other names: its routes are for all hosts, as nginx's only server is"
            } else if hosts.is_empty() {
                differs.push("its routes are for all hosts: they are OPEN also for those of other servers where these have no longer path".to_owned());
                ""
            } else {
                "the hosts of its routes, as far as some are written"
            };
            self.report.parts(None, &names.line, same, &differs);
        }
        hosts
    }

    /// Whether a `return` or `rewrite` sends clients in clear to the same page by https; notes it, then.
    pub(super) fn sends_to_https(&mut self, statement: &Statement, server: &mut NginxServer) -> bool {
        let Some(port) = https_port(target_of(statement), &server.hosts).filter(|_| server.in_clear) else {
            return false;
        };
        server.redirect = Some(Redirect {
            port: (port != 443).then_some(port),
            except: Vec::new(),
            origin: Origin::of(&statement.line),
        });
        true
    }

    /// Tells of a `return` that answers or sends elsewhere.
    pub(super) fn answered(&mut self, statement: &Statement) {
        let why = match statement.argument(0).as_bytes().first() {
            _ if statement.name == "rewrite" => {
                "paths are not rewritten but for a route's `to`: Tomcat's RewriteValve takes such rules"
            }
            Some(b'4' | b'5') => "nobody is turned away by a rule: a path that no route has gets 404",
            Some(b'2') => {
                "the proxy answers nothing itself: /healthz and /readyz of [control] say that it is there"
            }
            _ => {
                "clients are sent to https alone, by a listener: let the application send them on, Tomcat's RewriteValve, or a server at \
                 that name"
            }
        };
        self.report.unsupported(&statement.line, why);
    }

    /// A block `if`: by the scheme it is a redirect of the listeners in clear, and else nothing.
    pub(super) fn condition(&mut self, statement: &Statement, server: &mut NginxServer) {
        let condition = statement.arguments.join(" ");
        let words: Vec<&str> = condition
            .trim_matches(['(', ')', ' '])
            .split_whitespace()
            .collect();
        let by_scheme = matches!(
            words.as_slice(),
            ["$scheme", "!=", "https"]
                | ["$scheme", "=", "http"]
                | ["$https", "="]
                | ["$https", "!=", "on"]
                | ["$http_x_forwarded_proto", "!=", "https"]
                | ["$http_x_forwarded_proto", "=", "http"]
                | ["$server_port", "=", "80"]
        );
        if by_scheme && words.contains(&"$http_x_forwarded_proto") && !server.is_behind {
            let why = "by what a balancer in front says of the scheme, and no line says who that is: name it in `trust`, and write redirect = \
                       \"https\" at the listener then. Nothing is written now: without `trust` it would send clients round and round";
            self.whole(statement, why);
            return;
        }
        let sends = statement.inside().iter().any(|own| self.sends(own, server));
        if by_scheme && sends && statement.inside().len() == 1 {
            let why = "the listeners in clear send to https";
            self.report.becomes(Piece::Redirect, &statement.line, why);
            if let Some(redirect) = &mut server.redirect {
                redirect.origin.add(&statement.line);
                // All of the server, whatever its locations are.
                redirect.except.clear();
                server.paths.clear();
            }
            return;
        }
        let why = "the proxy has no conditions: what this does for some requests is done for none. Let the application do it";
        let refuses = |own: &Statement| {
            own.name == "deny" || (own.name == "return" && own.argument(0).starts_with(['4', '5']))
        };
        if statement.inside().iter().any(refuses) {
            self.whole(
                statement,
                "the proxy has no conditions: what this turns away in nginx is OPEN here where a route leads to it. Let the application \
                 turn it away",
            );
            server.open.push(statement.line.clone());
            return;
        }
        self.whole(statement, why);
    }

    fn sends(&mut self, statement: &Statement, server: &mut NginxServer) -> bool {
        matches!(statement.name.as_str(), "return" | "rewrite") && self.sends_to_https(statement, server)
    }
}

/// The names of a server, in order.
fn names_of(server: &Statement) -> Vec<&str> {
    let names = server.inside().iter().filter(|own| own.name == "server_name");
    let mut names: Vec<&str> = names
        .flat_map(|own| own.arguments.iter().map(String::as_str))
        .collect();
    names.sort_unstable();
    names
}

/// Whether all that a server does is to send clients to the same page by https.
fn merely_redirects(server: &Statement) -> bool {
    let hosts: Vec<String> = names_of(server).into_iter().map(str::to_owned).collect();
    !passes(server) && sends(server.inside(), &hosts)
}

fn sends(level: &[Statement], hosts: &[String]) -> bool {
    level.iter().any(|own| match own.name.as_str() {
        "return" | "rewrite" => https_port(target_of(own), hosts).is_some(),
        "location" | "if" => sends(own.inside(), hosts),
        _ => false,
    })
}

/// Where a `return` or `rewrite` sends clients.
fn target_of(statement: &Statement) -> &str {
    match statement.name.as_str() {
        "return" if statement.argument(1).is_empty() => statement.argument(0),
        _ => statement.argument(1),
    }
}

/// Whether a server leads anywhere.
fn passes(statement: &Statement) -> bool {
    statement
        .inside()
        .iter()
        .any(|own| own.name == "proxy_pass" || passes(own))
}

/// The hosts that a name means; none where it is a pattern of another kind. Names for all hosts are no host.
fn hosts_of(name: &str) -> Option<Vec<String>> {
    let plain = |name: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        !name.is_empty() && !name.starts_with('.') && name.bytes().all(letter)
    };
    match name {
        "_" | "" | "*" => Some(Vec::new()),
        _ if plain(name) || name.strip_prefix("*.").is_some_and(plain) => Some(vec![name.to_owned()]),
        _ => {
            let domain = name.strip_prefix('.').filter(|domain| plain(domain))?;
            Some(vec![domain.to_owned(), format!("*.{domain}")])
        }
    }
}

/// The port of https to which a target sends for the same page of the same host.
fn https_port(target: &str, hosts: &[String]) -> Option<u16> {
    let rest = target.strip_prefix("https://")?;
    let end = rest
        .find(['/', ':'])
        .or_else(|| rest.match_indices('$').map(|(at, _)| at).find(|at| *at > 0));
    let (host, behind) = rest.split_at(end.unwrap_or(rest.len()));
    let is_own =
        matches!(host, "$host" | "$http_host" | "$server_name") || hosts.iter().any(|own| own == host);
    let (port, path) = match behind.strip_prefix(':') {
        Some(behind) => {
            let digits = behind.len()
                - behind
                    .trim_start_matches(|letter: char| letter.is_ascii_digit())
                    .len();
            (behind[..digits].parse().ok()?, &behind[digits..])
        }
        None => (443, behind),
    };
    let same_page = matches!(
        path.trim_start_matches('/'),
        "$request_uri" | "$request_uri?" | "$uri" | "$1" | "$uri$is_args$args"
    );
    (is_own && same_page).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_to_the_same_page_is_one_of_a_listener() {
        let hosts = ["shop.example".to_owned()];
        for (target, port) in [
            ("https://$host$request_uri", Some(443)),
            ("https://$server_name$request_uri?", Some(443)),
            ("https://shop.example$request_uri", Some(443)),
            ("https://$host:8443$request_uri", Some(8443)),
            ("https://$host/$1", Some(443)),
            ("https://other.example$request_uri", None),
            ("https://$host/login", None),
            ("http://$host$request_uri", None),
        ] {
            assert_eq!(https_port(target, &hosts), port, "{target}");
        }
    }

    #[test]
    fn names_are_hosts_or_none() {
        assert_eq!(hosts_of("_"), Some(Vec::new()));
        assert_eq!(
            hosts_of(".shop.example"),
            Some(vec!["shop.example".to_owned(), "*.shop.example".to_owned()])
        );
        assert_eq!(hosts_of("www.*"), None);
        assert_eq!(hosts_of("~^shop"), None);
    }
}

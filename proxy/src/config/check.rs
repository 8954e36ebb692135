//! From what was written to what holds. Every fault is collected, so that one edit can cure all that one start reports.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use remora_process::config::{Fault, Faults, Period, Source, Spanned, nearest};

use super::file::{
    Control, File, HealthTable, LimitsTable, Listen, Member, Pool, RetryTable, Route, StickyTable,
};
use super::{
    CONTROL_ADDRESS, Config, HealthConfig, Limits, LogTarget, MemberConfig, Network, PoolConfig, Trust,
};
use crate::failover::budget::RetryLimits;
use crate::route::PathRoute;
use crate::route::key::ROUTE_MAX;
use crate::upstream::Sticky;

/// Shortest and longest period that makes sense anywhere: below a millisecond nothing is measured, a day is for ever.
const PERIOD: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(86_400);
/// Checks of one member: not so often that they are load, not so seldom that they are none.
const HEALTH_EVERY: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
/// Time between two checks unless configured.
const HEALTH_EVERY_DEFAULT: Duration = Duration::from_secs(1);
/// Patience of a check unless configured. With the prober's suspicion of 250 ms a frozen process is found within a
/// second, while pauses of a garbage collector (rarely above half a second) pass unnoticed.
const HEALTH_TIMEOUT_DEFAULT: Duration = Duration::from_millis(700);
/// Most threads: beyond the cores of any machine it is a slip of the pen.
const THREADS: RangeInclusive<usize> = 1..=256;
/// Bytes of buffers and heads: from what a browser needs to what a connection may cost.
const BYTES: RangeInclusive<usize> = 1_024..=16 * 1_024 * 1_024;
/// Counts of fields and connections.
const COUNT: RangeInclusive<usize> = 1..=1_000_000;
/// Shares of new users.
const WEIGHT: RangeInclusive<u32> = 1..=1_000;

/// Turns a file into what holds.
pub(super) fn check(source: &Source, file: File) -> Result<Config, Faults> {
    let mut checker = Checker {
        source,
        faults: Vec::new(),
    };
    let listen = checker.listeners(&file.listen);
    let control = checker.control(file.control.as_ref());
    let threads = file.threads.map_or_else(default_threads, |threads| {
        checker.within("threads", &threads, THREADS)
    });
    let trust = checker.trust(&file.trust);
    let limits = checker.limits(file.limits, file.retry);
    let pools: Vec<PoolConfig> = file
        .pool
        .into_iter()
        .map(|(name, pool)| checker.pool(&name, pool))
        .collect();
    if pools.is_empty() {
        checker.report(
            None,
            "no pool is configured: add [pool.NAME] with at least one [[pool.NAME.member]]",
        );
    }
    let routes = checker.routes(&file.route, &pools);
    let access_log = match file.access_log {
        None => LogTarget::Stdout,
        Some(path) => match path.to_str() {
            Some("stdout") => LogTarget::Stdout,
            Some("stderr") => LogTarget::Stderr,
            Some("off") => LogTarget::Off,
            _ => LogTarget::File(path),
        },
    };
    Faults(checker.faults).or(Config {
        listen,
        control,
        threads,
        trust,
        access_log,
        limits,
        pools,
        routes,
    })
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

struct Checker<'a> {
    source: &'a Source,
    faults: Vec<Fault>,
}

impl Checker<'_> {
    fn report(&mut self, span: Option<std::ops::Range<usize>>, message: impl Into<String>) {
        // Every file has a first byte to point at; a fault without a place of its own names the file alone.
        let fault = self.source.fault(span.clone().unwrap_or(0..0), message);
        let place = if span.is_some() {
            fault.place
        } else {
            fault
                .place
                .rsplit_once(':')
                .map_or(fault.place.clone(), |(file, _)| file.to_owned())
        };
        self.faults.push(Fault {
            place,
            message: fault.message,
        });
    }

    fn within<T: PartialOrd + Copy + std::fmt::Display>(
        &mut self,
        key: &str,
        value: &Spanned<T>,
        range: RangeInclusive<T>,
    ) -> T {
        let given = *value.get_ref();
        if !range.contains(&given) {
            let (least, most) = range.into_inner();
            self.report(
                Some(value.span()),
                format!("{key} is {given}: choose {least} to {most}"),
            );
        }
        given
    }

    fn period(&mut self, key: &str, value: &Spanned<Period>, range: RangeInclusive<Duration>) -> Duration {
        let given = value.get_ref().duration();
        if !range.contains(&given) {
            let sentence = format!(
                "{key} is {}: choose {:?} to {:?}",
                value.get_ref(),
                range.start(),
                range.end()
            );
            self.report(Some(value.span()), sentence);
        }
        given
    }

    fn listeners(&mut self, listeners: &[Listen]) -> Vec<SocketAddr> {
        if listeners.is_empty() {
            self.report(
                None,
                "no listener is configured: add [[listen]] with bind = \"IP:PORT\"",
            );
        }
        let mut addresses = Vec::new();
        for listener in listeners {
            let address = *listener.bind.get_ref();
            if address.port() != 0 && addresses.contains(&address) {
                self.report(
                    Some(listener.bind.span()),
                    format!("{address} is bound twice: remove one [[listen]]"),
                );
            }
            if let Some(tls) = &listener.tls {
                self.report(
                    Some(tls.span()),
                    "tls is not served yet: remove it, and end TLS in front of the proxy",
                );
            }
            addresses.push(address);
        }
        addresses
    }

    fn control(&mut self, control: Option<&Control>) -> SocketAddr {
        let Some(control) = control else {
            return CONTROL_ADDRESS.parse().expect("the constant is an address");
        };
        let address = *control.bind.get_ref();
        if !address.ip().is_loopback() && !control.allow_plaintext {
            let sentence = format!(
                "control on {address} lets everybody who reaches it drain upstreams: bind it to the loopback, or add allow_plaintext = true"
            );
            self.report(Some(control.bind.span()), sentence);
        }
        address
    }

    fn trust(&mut self, trust: &[Spanned<String>]) -> Trust {
        let mut networks = Vec::new();
        for network in trust {
            match network.get_ref().parse::<Network>() {
                Ok(parsed) => networks.push(parsed),
                Err(sentence) => self.report(Some(network.span()), sentence),
            }
        }
        Trust { networks }
    }

    fn limits(&mut self, table: LimitsTable, retry: RetryTable) -> Limits {
        let mut limits = Limits::default();
        let periods = [
            ("connect", table.connect, &mut limits.connect),
            ("response", table.response, &mut limits.response),
            ("idle", table.idle, &mut limits.idle),
            ("request_head", table.request_head, &mut limits.request_head),
            ("client_idle", table.client_idle, &mut limits.client_idle),
            ("upstream_idle", table.upstream_idle, &mut limits.upstream_idle),
            ("stop", table.stop, &mut limits.stop),
        ];
        for (key, given, limit) in periods {
            if let Some(given) = given {
                *limit = self.period(key, &given, PERIOD);
            }
        }
        let sizes = [
            (
                "request_head_bytes",
                table.request_head_bytes,
                &mut limits.request_head_bytes,
                BYTES,
            ),
            (
                "target_bytes",
                table.target_bytes,
                &mut limits.target_bytes,
                BYTES,
            ),
            (
                "replay_bytes",
                table.replay_bytes,
                &mut limits.replay_bytes,
                0..=*BYTES.end(),
            ),
            (
                "request_fields",
                table.request_fields,
                &mut limits.request_fields,
                COUNT,
            ),
            ("connections", table.connections, &mut limits.connections, COUNT),
            (
                "upstream_connections_idle",
                table.upstream_connections_idle,
                &mut limits.upstream_connections_idle,
                0..=*COUNT.end(),
            ),
        ];
        for (key, given, limit, range) in sizes {
            if let Some(given) = given {
                *limit = self.within(key, &given, range);
            }
        }
        limits.retry = self.retry(retry);
        limits
    }

    fn retry(&mut self, table: RetryTable) -> RetryLimits {
        let mut limits = RetryLimits::default();
        let counts = [
            ("attempts", table.attempts, &mut limits.attempts, 1..=16),
            ("percent", table.percent, &mut limits.percent, 0..=100),
            (
                "per_second",
                table.per_second,
                &mut limits.per_second,
                0..=100_000,
            ),
            ("burst", table.burst, &mut limits.burst, 1..=1_000_000),
        ];
        for (key, given, limit, range) in counts {
            if let Some(given) = given {
                *limit = self.within(key, &given, range);
            }
        }
        limits
    }

    fn pool(&mut self, name: &str, pool: Pool) -> PoolConfig {
        if name.is_empty()
            || !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        {
            self.report(
                None,
                format!("pool `{name}`: a name has letters, digits, _ and - only"),
            );
        }
        if pool.member.is_empty() {
            self.report(
                None,
                format!("pool `{name}` has no member: add [[pool.{name}.member]] with url and route"),
            );
        }
        let mut members: Vec<MemberConfig> = Vec::new();
        for member in &pool.member {
            let checked = self.member(member);
            if members.iter().any(|other| other.route == checked.route) {
                let sentence = format!(
                    "pool `{name}` has two members with route `{}`: rename one",
                    checked.route
                );
                self.report(Some(member.route.span()), sentence);
            }
            if members.iter().any(|other| other.authority == checked.authority) {
                let sentence = format!(
                    "pool `{name}` has two members at {}: remove one",
                    checked.authority
                );
                self.report(Some(member.url.span()), sentence);
            }
            members.push(checked);
        }
        PoolConfig {
            name: name.into(),
            sticky: self.sticky(&pool.sticky),
            health: self.health(&pool.health),
            members,
        }
    }

    fn member(&mut self, member: &Member) -> MemberConfig {
        let authority = authority_of(member.url.get_ref()).unwrap_or_else(|sentence| {
            self.report(Some(member.url.span()), sentence);
            member.url.get_ref().clone()
        });
        let route = member.route.get_ref();
        let letters = route
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if route.is_empty() || route.len() > ROUTE_MAX || !letters || route.starts_with('.') {
            let sentence = format!(
                "route `{route}` cannot stand in a cookie: use 1 to {ROUTE_MAX} letters, digits, _, - and dots (not first), as in Tomcat's jvmRoute"
            );
            self.report(Some(member.route.span()), sentence);
        }
        let weight = member
            .weight
            .as_ref()
            .map_or(1, |weight| self.within("weight", weight, WEIGHT));
        MemberConfig {
            authority: authority.into(),
            route: route.as_str().into(),
            weight,
        }
    }

    fn sticky(&mut self, table: &StickyTable) -> Sticky {
        for name in [&table.session, &table.route_cookie].into_iter().flatten() {
            let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.get_ref().is_empty() || !name.get_ref().bytes().all(token) {
                self.report(
                    Some(name.span()),
                    format!("`{}` cannot be the name of a cookie", name.get_ref()),
                );
            }
        }
        let session = table.session.as_ref().map_or("JSESSIONID", |name| name.get_ref());
        let route_cookie = table.route_cookie.as_ref().map(|name| name.get_ref().as_str());
        if route_cookie == Some(session) {
            let span = table.route_cookie.as_ref().map(Spanned::span);
            self.report(
                span,
                "route_cookie and session are the same cookie: leave route_cookie out (mode 2)",
            );
        }
        Sticky::new(session, route_cookie)
    }

    fn health(&mut self, table: &HealthTable) -> HealthConfig {
        let every = table.every.as_ref().map_or(HEALTH_EVERY_DEFAULT, |every| {
            self.period("health.every", every, HEALTH_EVERY)
        });
        let timeout = table.timeout.as_ref().map_or(HEALTH_TIMEOUT_DEFAULT, |timeout| {
            self.period("health.timeout", timeout, HEALTH_EVERY)
        });
        if let Some(path) = &table.path
            && (!path.get_ref().starts_with('/')
                || !path.get_ref().bytes().all(|byte| byte.is_ascii_graphic()))
        {
            self.report(
                Some(path.span()),
                format!("health.path `{}` is not a path", path.get_ref()),
            );
        }
        HealthConfig {
            every,
            timeout,
            path: table.path.as_ref().map(|path| path.get_ref().as_str().into()),
        }
    }

    fn routes(&mut self, routes: &[Route], pools: &[PoolConfig]) -> Vec<PathRoute> {
        if routes.is_empty() {
            self.report(
                None,
                "no route is configured: add [[route]] with path and to, as in path = \"/\", to = \"POOL\"",
            );
        }
        let positions: BTreeMap<&str, usize> = pools
            .iter()
            .enumerate()
            .map(|(position, pool)| (&*pool.name, position))
            .collect();
        let mut checked: Vec<PathRoute> = Vec::new();
        for route in routes {
            let Some(public) = self.path("path", &route.path, route.path.get_ref()) else {
                continue;
            };
            if checked.iter().any(|other| *other.public == *public) {
                let sentence = format!(
                    "path `{}` is routed twice: the second is never reached",
                    route.path.get_ref()
                );
                self.report(Some(route.path.span()), sentence);
            }
            let (name, rest) = split_target(route.to.get_ref());
            let Some(pool) = positions.get(name) else {
                let known = match nearest(name, positions.keys().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "it begins with the name of a [pool.NAME]".to_owned(),
                };
                self.report(Some(route.to.span()), format!("unknown pool `{name}`; {known}"));
                continue;
            };
            let internal = match rest {
                None => Some(public.clone()),
                Some(rest) => self.path("to", &route.to, rest),
            };
            checked.extend(internal.map(|internal| PathRoute {
                public,
                internal,
                pool: *pool,
            }));
        }
        checked
    }

    /// A path of whole segments without its last slash; the root is empty.
    fn path(&mut self, key: &str, written: &Spanned<String>, path: &str) -> Option<Box<str>> {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,=:@".contains(&byte);
        let trimmed = path.strip_suffix('/').unwrap_or(path);
        let dots = trimmed.split('/').any(|segment| matches!(segment, "." | ".."));
        let sentence = if !path.starts_with('/') {
            "must begin with a slash"
        } else if dots || trimmed.contains("//") {
            "must not have empty or dot segments"
        } else if !path.bytes().all(unreserved) {
            "must be a plain path: no escapes, parameters, query or spaces"
        } else {
            return Some(trimmed.into());
        };
        self.report(Some(written.span()), format!("{key} `{path}` {sentence}"));
        None
    }
}

/// A route's target: the pool's name, and the path on the upstream if one is given.
fn split_target(to: &str) -> (&str, Option<&str>) {
    to.find('/')
        .map_or((to, None), |slash| (&to[..slash], Some(&to[slash..])))
}

/// `host:port` of a member's URL.
fn authority_of(url: &str) -> Result<String, String> {
    let example = "write http://HOST:PORT";
    let Some(rest) = url.strip_prefix("http://") else {
        let reason = if url.starts_with("https://") {
            "TLS to upstreams is not served yet"
        } else {
            "not an http URL"
        };
        return Err(format!("member url `{url}`: {reason}; {example}"));
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, "80"),
    };
    let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_fits = bracketed.map_or_else(
        || !host.is_empty() && host.bytes().all(name),
        |address| address.parse::<std::net::Ipv6Addr>().is_ok(),
    );
    match port.parse::<u16>() {
        _ if !host_fits => Err(format!(
            "member url `{url}` must have a host, a port and no path (a route's `to` carries the path); {example}"
        )),
        Ok(port) if port > 0 => Ok(format!("{host}:{port}")),
        _ => Err(format!("member url `{url}` has no usable port; {example}")),
    }
}

//! Path routes: which path goes to which pool, and under which path there.
//!
//! Invariants: a path is routed once on each host, and is plain (whole segments, no escapes, parameters or dots), so that it reads
//! the same to the proxy and to a Tomcat · a pool that is named exists.
//!
//! Left out on purpose: the order of routes. The longest path wins, wherever it stands.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use remora_policy::PathRoute;
use remora_process::config::{Spanned, nearest};

use super::super::file::RouteTable;
use super::super::limits::{Limits, PERIOD};
use super::super::report::Report;
use super::super::values::{PoolConfig, Rules, Terms};

impl Report<'_> {
    pub(super) fn routes(&mut self, routes: &[RouteTable], pools: &[PoolConfig]) -> Vec<PathRoute> {
        if routes.is_empty() {
            self.fault_of_file(
                "no route is configured: add [[route]] with path and to, as in path = \"/\", to = \"POOL\"",
            );
        }
        let positions: BTreeMap<&str, usize> = pools
            .iter()
            .enumerate()
            .map(|(position, pool)| (&*pool.name, position))
            .collect();
        let mut checked: Vec<PathRoute> = Vec::new();
        for (position, route) in routes.iter().enumerate() {
            let Some(public) = self.path("path", &route.path, route.path.get_ref()) else {
                continue;
            };
            let hosts = self.hosts(&route.host);
            let meets = |other: &PathRoute| {
                let shared = other.hosts.iter().any(|host| hosts.contains(host));
                *other.public == *public && (shared || (hosts.is_empty() && other.hosts.is_empty()))
            };
            if checked.iter().any(meets) {
                let sentence = format!(
                    "path `{}` is routed twice: the second is never reached",
                    route.path.get_ref()
                );
                self.fault(route.path.span(), sentence);
            }
            let (name, rest) = split_target(route.to.get_ref());
            let Some(pool) = positions.get(name) else {
                let known = match nearest(name, positions.keys().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "it begins with the name of a [pool.NAME]".to_owned(),
                };
                self.fault(route.to.span(), format!("unknown pool `{name}`; {known}"));
                continue;
            };
            let internal = match rest {
                None => Some(public.clone()),
                Some(rest) => self.path("to", &route.to, rest),
            };
            let except = self.exceptions(route, &public);
            checked.extend(internal.map(|internal| PathRoute {
                public,
                internal,
                position,
                pool: *pool,
                hosts,
                except,
                encoded_slash: route.encoded_slash,
            }));
        }
        checked
    }

    /// What holds on each route: what it says itself, and the site's for the rest.
    pub(super) fn terms(&mut self, routes: &[RouteTable], limits: Limits, rules: &Rules) -> Vec<Terms> {
        let on = |route: &RouteTable| {
            let mut limits = limits;
            for (key, written, limit) in [
                ("connect", &route.connect, &mut limits.connect),
                ("response", &route.response, &mut limits.response),
                ("idle", &route.idle, &mut limits.idle),
            ] {
                if let Some(written) = written {
                    *limit = self.within(key, written, PERIOD);
                }
            }
            let own = self.rules(&route.headers);
            let rules = Rules {
                request: rules.request.followed_by(&own.request),
                response: rules.response.followed_by(&own.response),
            };
            Terms { limits, rules }
        };
        routes.iter().map(on).collect()
    }

    /// Names of hosts, in lower case.
    fn hosts(&mut self, written: &[Spanned<String>]) -> Vec<Box<str>> {
        let mut hosts = Vec::new();
        for host in written {
            let name = host.get_ref().strip_prefix("*.").unwrap_or(host.get_ref());
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let fits = address.map_or_else(
                || !name.is_empty() && !name.starts_with('.') && name.bytes().all(plain),
                |address| address.parse::<Ipv6Addr>().is_ok(),
            );
            if !fits {
                let sentence = format!(
                    "host `{}` is not the name of a host: write it without scheme and port, *. in front for all below it",
                    host.get_ref()
                );
                self.fault(host.span(), sentence);
            }
            hosts.push(host.get_ref().to_ascii_lowercase().into());
        }
        hosts
    }

    /// Paths under the route's own that it does not serve.
    fn exceptions(&mut self, route: &RouteTable, public: &str) -> Vec<Box<str>> {
        let mut exceptions = Vec::new();
        for written in &route.except {
            let Some(path) = self.path("except", written, written.get_ref()) else {
                continue;
            };
            if !path
                .strip_prefix(public)
                .is_some_and(|rest| rest.starts_with('/'))
            {
                let sentence =
                    format!("except `{path}` is not under the route's path: it would except nothing");
                self.fault(written.span(), sentence);
            }
            exceptions.push(path);
        }
        exceptions
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
        self.fault(written.span(), format!("{key} `{path}` {sentence}"));
        None
    }
}

/// A route's target: the pool's name, and the path on the upstream if one is given.
fn split_target(to: &str) -> (&str, Option<&str>) {
    to.find('/')
        .map_or((to, None), |slash| (&to[..slash], Some(&to[slash..])))
}

//! Pools and their members.
//!
//! Invariants: the addresses of a pool are unique, whoever redirects names a route of the pool, a route can stand in a
//! cookie, a member's URL has no path and its authority a port.
//!
//! Left out on purpose: what TLS to members takes (`outward`).

use std::ops::RangeInclusive;

use remora_policy::{AdminState, BalanceBy, Endpoint, NoEndpoint, ROUTE_MAX, Settings, can_be_route};
use remora_process::config::Spanned;

use super::super::file::{MemberTable, PoolTable};
use super::super::report::Report;
use super::super::values::{MemberConfig, Pages, PoolConfig, PoolTls};

pub(crate) use remora_policy::WEIGHT;

/// The share unless configured: all alike.
pub(crate) const WEIGHT_DEFAULT: u32 = 1;
/// Sets of members, as many as httpd has.
pub(in super::super) const SET: RangeInclusive<u32> = 0..=99;
/// Request threads of a Tomcat (its maxThreads): beyond what one machine runs it is a slip of the pen.
pub(in crate::config) const THREADS: RangeInclusive<u32> = 1..=100_000;

impl Report<'_> {
    pub(super) fn pool(&mut self, name: &str, pool: &PoolTable, site: &Pages) -> PoolConfig {
        if name.is_empty()
            || !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        {
            self.fault_of_file(format!("pool `{name}`: a name has letters, digits, _ and - only"));
        }
        if pool.member.is_empty() && pool.discovery.is_none() {
            self.fault_of_file(format!(
                "pool `{name}` has no member: add [[pool.{name}.member]] with url and route, or [pool.{name}.discovery]"
            ));
        }
        let outward = self.outward(pool.tls.as_ref());
        let mut members: Vec<MemberConfig> = Vec::new();
        for member in &pool.member {
            let checked = self.member(member, (name, outward.as_ref()));
            if members.iter().any(|other| other.authority == checked.authority) {
                let sentence = format!(
                    "pool `{name}` has two members at {}: remove one",
                    checked.authority
                );
                self.fault(member.url.span(), sentence);
            }
            members.push(checked);
        }
        if pool.discovery.is_none() {
            self.redirects(&pool.member);
        }
        PoolConfig {
            name: name.into(),
            sticky: self.sticky(&pool.sticky),
            balance: self.balance(pool.balance.as_ref()),
            health: self.health(&pool.health),
            pages: self.pages(&pool.pages, site).into(),
            maintenance: self.maintenance(&pool.maintenance).into(),
            tls: outward,
            discovery: pool.discovery.as_ref().map(|table| self.discovery(table)),
            members,
        }
    }

    /// Whoever redirects names a route of its pool. Not asked where members come and go.
    fn redirects(&mut self, members: &[MemberTable]) {
        for member in members {
            let Some(redirect) = &member.redirect else {
                continue;
            };
            let to = redirect.get_ref();
            if !members.iter().any(|other| other.route.get_ref() == to) {
                let sentence = format!("redirect `{to}` is no route of the pool: write that of a member");
                self.fault(redirect.span(), sentence);
            }
        }
    }

    /// What is wanted of a member.
    fn state(&mut self, written: Option<&Spanned<String>>) -> AdminState {
        let Some(written) = written else {
            return AdminState::default();
        };
        AdminState::named(written.get_ref()).unwrap_or_else(|| {
            let sentence = format!(
                "state `{}` is not known: write one of {}",
                written.get_ref(),
                AdminState::words()
            );
            self.fault(written.span(), sentence);
            AdminState::default()
        })
    }

    fn balance(&mut self, written: Option<&Spanned<String>>) -> BalanceBy {
        let Some(word) = written else {
            return BalanceBy::default();
        };
        let known = BalanceBy::ALL
            .into_iter()
            .find(|by| by.as_str() == word.get_ref());
        if known.is_none() {
            let words = BalanceBy::ALL.map(BalanceBy::as_str).join(", ");
            let sentence = format!("balance `{}` is not served: choose of {words}", word.get_ref());
            self.fault(word.span(), sentence);
        }
        known.unwrap_or_default()
    }

    fn member(&mut self, member: &MemberTable, (pool, outward): (&str, Option<&PoolTls>)) -> MemberConfig {
        let (secured, authority) = authority_of(member.url.get_ref()).unwrap_or_else(|sentence| {
            self.fault(member.url.span(), sentence);
            (false, member.url.get_ref().clone())
        });
        let outward = secured
            .then(|| self.way_to((&member.url, &authority), pool, outward))
            .flatten();
        let route = member.route.get_ref();
        if !can_be_route(route) {
            let sentence = format!(
                "route `{route}` cannot stand in a cookie: use 1 to {ROUTE_MAX} letters, digits, _, - and dots (not first), as in Tomcat's jvmRoute"
            );
            self.fault(member.route.span(), sentence);
        }
        let weight = member
            .weight
            .as_ref()
            .map_or(WEIGHT_DEFAULT, |weight| self.within("weight", weight, WEIGHT));
        let threads = member.threads.as_ref();
        let set = member.set.as_ref().map_or(0, |set| self.within("set", set, SET));
        let name = |written: Option<&Spanned<String>>| written.map(|name| name.get_ref().as_str().into());
        MemberConfig {
            authority: authority.into(),
            outward,
            route: route.as_str().into(),
            configured: Settings {
                state: self.state(member.state.as_ref()),
                weight,
            },
            set: u8::try_from(set).unwrap_or(u8::MAX),
            group: name(member.group.as_ref()),
            redirect: name(member.redirect.as_ref()),
            threads: threads.map(|threads| self.within("threads", threads, THREADS)),
            instance: None,
        }
    }
}

/// Whether a member's URL is https, and its `host:port`.
fn authority_of(url: &str) -> Result<(bool, String), String> {
    let example = "write http://HOST:PORT or https://HOST:PORT";
    match Endpoint::read(url) {
        Ok(Endpoint { secured, host, port }) => Ok((secured, format!("{host}:{port}"))),
        Err(NoEndpoint::Scheme) => Err(format!("member url `{url}`: not an http URL; {example}")),
        Err(NoEndpoint::Host) => Err(format!(
            "member url `{url}` must have a host, a port and no path (a route's `to` carries the path); {example}"
        )),
        Err(NoEndpoint::Port) => Err(format!("member url `{url}` has no usable port; {example}")),
    }
}

//! `<Proxy balancer://...>` with BalancerMember and ProxySet, and the servers that ProxyPass names itself.
//!
//! Invariant: a balancer is known by its name in small letters, wherever it is named first.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::Report;
use crate::settle::name_of;
use crate::site::Piece;
use crate::source::Line;

use super::draft::{Draft, Param, Worker};
use super::known;
use super::tree::Directive;

/// What stands in front of a balancer's name.
const SCHEME: &str = "balancer://";

/// A `<Proxy>` section.
pub(super) fn section(statement: &Directive, draft: &mut Draft, report: &mut Report) {
    let url = statement.word(0).to_owned();
    if !url.contains("://") {
        report.same(&statement.line, "rules for all that is proxied");
        for inner in &statement.inner {
            match &*inner.name {
                "proxyset" => {
                    let why = "keys for all members at once are not said here: write them at each";
                    report.unsupported(&inner.line, why);
                }
                _ => {
                    known::tell(inner, report);
                }
            }
        }
        return;
    }
    let name = draft.name_of_target(&url, &statement.line);
    draft.balancer(&name).origin.add(&statement.line);
    for piece in [Piece::Pool, Piece::Member] {
        report.becomes(piece, &statement.line, "a pool");
    }
    for inner in &statement.inner {
        match &*inner.name {
            "balancermember" => member(inner, 0, &name, draft, report),
            "proxyset" => set(inner, 0, &name, draft, report),
            _ => {
                known::tell(inner, report);
            }
        }
    }
}

/// `BalancerMember` and `ProxySet` outside of a section, which name their balancer.
pub(super) fn outside(statement: &Directive, draft: &mut Draft, report: &mut Report) {
    let url = statement.word(0);
    if !url.contains("://") || (statement.name == "balancermember" && !url.starts_with(SCHEME)) {
        report.unsupported(&statement.line, "names no balancer, and stands in none: left out");
        return;
    }
    let name = draft.name_of_target(url, &statement.line);
    if statement.name == "balancermember" {
        member(statement, 1, &name, draft, report);
    } else {
        report.same(&statement.line, "said of its pool");
        set(statement, 1, &name, draft, report);
    }
}

fn member(statement: &Directive, at: usize, name: &str, draft: &mut Draft, report: &mut Report) {
    let params = params(statement, at + 1, report);
    draft.balancer(name).workers.push(Worker {
        url: statement.word(at).to_owned(),
        params,
        line: statement.line.clone(),
    });
}

fn set(statement: &Directive, at: usize, name: &str, draft: &mut Draft, report: &mut Report) {
    let params = params(statement, at, report);
    let balancer = draft.balancer(name);
    match balancer.workers.first_mut().filter(|_| balancer.is_single) {
        Some(worker) => worker.params.extend(params),
        None => balancer.params.extend(params),
    }
}

fn params(statement: &Directive, from: usize, report: &mut Report) -> Vec<Param> {
    let line = &statement.line;
    let mut params = Vec::new();
    for word in statement.words.iter().skip(from) {
        match Param::read(word, line) {
            Some(param) => params.push(param),
            None => report.unsupported(line, format!("`{word}` is not understood: no key with a value")),
        }
    }
    params
}

impl Draft {
    /// The name by which a target's balancer is kept, made where it is not known yet.
    pub(super) fn name_of_target(&mut self, url: &str, line: &Line) -> String {
        let (name, is_single) = match split(url) {
            Split::Balancer(name, _) => (name, false),
            Split::Server(server, _) => (server, true),
        };
        let balancer = self.balancer(&name);
        balancer.is_single |= is_single;
        if balancer.origin.lines.is_empty() {
            balancer.origin.add(line);
        }
        if is_single && balancer.workers.is_empty() {
            balancer.workers.push(Worker {
                url: name.clone(),
                params: Vec::new(),
                line: line.clone(),
            });
        }
        name
    }
}

/// A target cut into whom it names and the path there.
pub(super) enum Split {
    /// A balancer's name, and a path.
    Balancer(String, String),
    /// Scheme, host and port of a server, and a path.
    Server(String, String),
}

/// Cuts a URL of ProxyPass.
pub(super) fn split(url: &str) -> Split {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if scheme.eq_ignore_ascii_case("balancer") {
        return Split::Balancer(authority.to_ascii_lowercase(), path.to_owned());
    }
    let scheme = match &*scheme.to_ascii_lowercase() {
        "ws" => "http".to_owned(),
        "wss" => "https".to_owned(),
        other => other.to_owned(),
    };
    Split::Server(format!("{scheme}://{authority}"), path.to_owned())
}

impl Draft {
    /// What the pool of each balancer with members is called, by the balancer's name; no two alike.
    pub(super) fn pool_names(&self) -> BTreeMap<String, String> {
        let mut taken = BTreeSet::new();
        let mut names = BTreeMap::new();
        for balancer in self
            .balancers
            .iter()
            .filter(|balancer| !balancer.workers.is_empty())
        {
            let host = balancer
                .name
                .split_once("://")
                .map_or(&*balancer.name, |(_, host)| host);
            let (first, mut name, mut count) = (name_of(host), name_of(host), 1);
            while !taken.insert(name.clone()) {
                count += 1;
                name = format!("{first}-{count}");
            }
            names.insert(balancer.name.clone(), name);
        }
        names
    }
}

//! mod_jk: workers.properties and JkMount, as members and routes.
//!
//! A worker's keys are told in mod_proxy's words, which say the same of a member. mod_jk takes the longest pattern that matches, as ours
//! does.
//!
//! Invariant: each line of a file of workers is told of, those of workers that nothing mounts as well.

use std::collections::BTreeSet;

use crate::report::Report;
use crate::source::{Line, Place, Source, Sources};

use super::draft::{Draft, Param, Pass, Target, Worker};
use super::passes::Form;
use super::tree::Directive;

/// How far a template may refer to another: two is usual.
const REFERENCES_MAX: usize = 8;

/// `worker.NAME.KEY=VALUE`.
#[derive(Clone, Debug)]
struct Property {
    worker: String,
    key: String,
    value: String,
    line: Line,
}

/// What is gathered of mod_jk.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Files of workers, and of mounts.
    files: Vec<(String, Line)>,
    /// `JkWorkerProperty`.
    properties: Vec<Property>,
}

/// Whether a file has workers, and not directives.
pub(super) fn has_workers(file: &Source) -> bool {
    let mut lines = file
        .text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .next()
        .is_some_and(|line| line.starts_with("worker.") || line.starts_with("ps="))
}

/// One directive of mod_jk.
pub(super) fn read(statement: &Directive, scope: usize, draft: &mut Draft, report: &mut Report) {
    let line = &statement.line;
    match &*statement.name {
        "jkworkersfile" => draft.jk.files.push((statement.word(0).to_owned(), line.clone())),
        "jkworkerproperty" => {
            let property = property(&statement.rest(), line);
            if property.is_none() {
                report.unsupported(line, "not understood: no property of a worker");
            }
            draft.jk.properties.extend(property);
        }
        "jkmount" | "jkunmount" => {
            draft.scopes[scope].preserve_host = true;
            mount(statement, scope, draft, report);
        }
        "jkmountfile" => report.unsupported(line, "write its lines as JkMount, and import again"),
        "jkoptions" => {
            let why = "a path passes as the client wrote it, and what a client's certificate says passes by `fields` of [listen.tls.clients]";
            report.differs(line, why);
        }
        "jkenvvar"
        | "jkautoalias"
        | "jkextractssl"
        | "jkhttpsindicator"
        | "jkcertsindicator"
        | "jkstripsession"
        | "jkremoteaddrindicator" => {
            report.unsupported(
                line,
                "variables and indicators of AJP have no place: X-Forwarded-* says who asked, and how",
            );
        }
        _ => {}
    }
}

/// `JkMount /app/* worker`.
fn mount(statement: &Directive, scope: usize, draft: &mut Draft, report: &mut Report) {
    let (line, pattern) = (&statement.line, statement.word(0));
    let bare = pattern.replace("|/*", "/*");
    let path = bare.strip_suffix("/*");
    let path = match path {
        Some("") => "/",
        Some(path) => path,
        None => bare.as_str(),
    };
    if path.contains('*') || !path.starts_with('/') {
        report.unsupported(line, "a pattern that is no path with all below it: a route is for whole segments. Write a [[route]] for the path above it");
        return;
    }
    if path == bare && path != "/" {
        report.differs(line, "all below this path goes there as well");
    }
    let target = if statement.name == "jkunmount" {
        Target::Nowhere
    } else {
        let name = statement.word(1).to_owned();
        let balancer = draft.balancer(&name);
        balancer.is_jk = true;
        balancer.origin.add(line);
        Target::Balancer(name, path.to_owned())
    };
    draft.scopes[scope].passes.push(Pass {
        path: path.to_owned(),
        form: if path == bare { Form::Exact } else { Form::Segments },
        target,
        in_location: true,
        line: line.clone(),
    });
}

fn property(text: &str, line: &Line) -> Option<Property> {
    let (name, value) = text.split_once('=')?;
    let (worker, key) = name
        .trim()
        .strip_prefix("worker.")?
        .rsplit_once('.')
        .unwrap_or(("", "list"));
    Some(Property {
        worker: worker.to_owned(),
        key: key.to_ascii_lowercase(),
        value: value.trim().to_owned(),
        line: line.clone(),
    })
}

/// Reads files of workers, and makes members of those that are mounted.
pub(super) fn gather(
    given: &[&Source],
    sources: &Sources<'_>,
    draft: &mut Draft,
    lines: &mut Vec<Line>,
    report: &mut Report,
) {
    let mut properties = std::mem::take(&mut draft.jk.properties);
    let mut files: Vec<Source> = given.iter().map(|file| (*file).clone()).collect();
    for (name, line) in std::mem::take(&mut draft.jk.files) {
        let is_given = files
            .iter()
            .any(|file| file.name.rsplit('/').next() == name.rsplit('/').next());
        match sources.included(&line.place, &name) {
            _ if is_given => report.same(&line, "read"),
            Ok(found) => {
                report.same(&line, "read");
                files.extend(found);
            }
            Err(sentence) => {
                report.unsupported(&line, format!("{sentence}: name the file of workers as well"));
            }
        }
    }
    for file in &files {
        for (index, text) in file.text.lines().enumerate() {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let place = Place {
                file: file.name.clone(),
                line: index + 1,
            };
            let line = Line {
                place,
                text: text.to_owned(),
            };
            properties.extend(property(text, &line));
            lines.push(line);
        }
    }
    let mounted: Vec<String> = draft
        .balancers
        .iter()
        .filter(|one| one.is_jk)
        .map(|one| one.name.clone())
        .collect();
    let mut used = BTreeSet::new();
    for name in mounted {
        workers_of(&name, &properties, &mut used, draft, report);
    }
    for property in &properties {
        if property.worker.is_empty() {
            report.same(
                &property.line,
                "which workers there are: those that are mounted count",
            );
        } else if !used.contains(&property.worker) {
            report.same(&property.line, "of a worker that nothing mounts here");
        }
    }
}

/// The properties of a worker, its templates' behind its own.
fn of<'a>(name: &str, properties: &'a [Property], used: &mut BTreeSet<String>) -> Vec<&'a Property> {
    let mut found: Vec<&Property> = Vec::new();
    let mut name = name.to_owned();
    for _ in 0..REFERENCES_MAX {
        used.insert(name.clone());
        for property in properties.iter().filter(|property| property.worker == name) {
            if !found.iter().any(|own| own.key == property.key) {
                found.push(property);
            }
        }
        let next = properties
            .iter()
            .find(|property| property.worker == name && property.key == "reference");
        match next.and_then(|next| next.value.strip_prefix("worker.")) {
            Some(next) => name = next.to_owned(),
            None => break,
        }
    }
    found
}

fn workers_of(
    name: &str,
    properties: &[Property],
    used: &mut BTreeSet<String>,
    draft: &mut Draft,
    report: &mut Report,
) {
    let own = of(name, properties, used);
    let value = |key: &str| {
        own.iter()
            .find(|property| property.key == key)
            .map(|property| &*property.value)
    };
    if value("type") != Some("lb") {
        let members = member(name, &own, report);
        draft.balancer(name).workers.extend(members);
        return;
    }
    let mut members = Vec::new();
    for property in &own {
        let Property { key, value, line, .. } = property;
        match &**key {
            "balance_workers" | "balanced_workers" => {
                report.same(line, "members");
                members.extend(
                    value
                        .split([',', ' '])
                        .map(str::trim)
                        .filter(|name| !name.is_empty())
                        .map(str::to_owned),
                );
            }
            "type" | "reference" => report.same(line, "a pool"),
            "sticky_session" if matches!(&*value.to_ascii_lowercase(), "1" | "true" | "t" | "on" | "yes") => {
                report.same(line, "users stick by the route behind their session's id");
            }
            "sticky_session" => report.differs(
                line,
                "users stick all the same: write `sticky = \"off\"` where none should",
            ),
            "method" => method(value, line, name, draft, report),
            "sticky_session_force" => {
                report.differs(line, "users go on elsewhere when their Tomcat cannot serve them: their sessions are in the store");
            }
            _ => report.differs(line, "has no key of its own: what is usual holds (docs/proxy.md)"),
        }
    }
    for name_of_member in members {
        let own = of(&name_of_member, properties, used);
        let found = member(&name_of_member, &own, report);
        draft.balancer(name).workers.extend(found);
    }
}

fn method(value: &str, line: &Line, name: &str, draft: &mut Draft, report: &mut Report) {
    let first = value.chars().next().unwrap_or('R').to_ascii_uppercase();
    let word = match first {
        'B' => "bybusyness",
        'T' => "bytraffic",
        'S' | 'N' => {
            report.differs(
                line,
                "`balance = \"sessions\"` counts new users; requests are counted here",
            );
            return;
        }
        _ => "byrequests",
    };
    draft.balancer(name).params.push(Param {
        key: "lbmethod".to_owned(),
        value: word.to_owned(),
        line: line.clone(),
    });
}

/// A worker as mod_proxy would name it.
fn member(name: &str, own: &[&Property], report: &mut Report) -> Option<Worker> {
    let value = |key: &str, usual: &str| {
        let found = own.iter().find(|property| property.key == key);
        found.map_or_else(|| usual.to_owned(), |property| property.value.clone())
    };
    let line = own
        .iter()
        .find(|property| property.key == "host")
        .or(own.first())?
        .line
        .clone();
    let mut params = vec![("route", value("route", name), line.clone())];
    for Property { key, value, line, .. } in own {
        match &**key {
            "host" | "port" | "type" | "reference" => report.same(line, "a member's address"),
            "route" => {}
            "lbfactor" => params.push(("loadfactor", value.clone(), line.clone())),
            "distance" => params.push(("lbset", value.clone(), line.clone())),
            "redirect" => params.push(("redirect", value.clone(), line.clone())),
            "domain" => params.push(("jk:domain", value.clone(), line.clone())),
            "reply_timeout" if value != "0" => params.push(("timeout", format!("{value}ms"), line.clone())),
            "socket_connect_timeout" if value != "0" => {
                params.push(("connectiontimeout", format!("{value}ms"), line.clone()));
            }
            "activation" => params.push(("status", activation(value), line.clone())),
            "secret" => params.push(("secret", value.clone(), line.clone())),
            _ => report.differs(
                line,
                "has no key of its own: connections, probes and repeats are as docs/proxy.md tells",
            ),
        }
    }
    Some(Worker {
        url: format!("ajp://{}:{}", value("host", "localhost"), value("port", "8009")),
        params: params
            .into_iter()
            .map(|(key, value, line)| Param {
                key: key.to_owned(),
                value,
                line,
            })
            .collect(),
        line,
    })
}

/// mod_jk's disabled serves those who are there; its stopped serves nobody.
fn activation(value: &str) -> String {
    match value.chars().next().unwrap_or('A').to_ascii_uppercase() {
        'D' => "+N".to_owned(),
        'S' => "+D".to_owned(),
        _ => "-D".to_owned(),
    }
}

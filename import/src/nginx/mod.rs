//! nginx's files in our words.
//!
//! `load` makes one tree of all files; `words` knows what is told of by its name alone; `maps` and `upstreams` make pools, `servers` and
//! `listeners` what clients reach, `locations` routes, `guards` what stays shut, `fields` rules for fields and limits.
//!
//! Invariants: each directive is told of where it is visited, and each is visited: a level's directives are walked one by one, and
//! whoever leaves one out leaves it to the last look, which says so · what a directive of an outer level means further in is looked up
//! there (a [`NginxScope`]), as nginx inherits it: the innermost level that says it says all of it.
//!
//! Left out on purpose: modules that do not come with nginx or nginx Plus, but for the sticky cookies that people built in for ten years.

mod checks;
mod fields;
mod guards;
mod lexer;
mod listeners;
mod load;
mod locations;
mod maps;
mod matched;
mod servers;
mod tree;
mod upstreams;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use self::listeners::Heard;
use self::maps::Owners;
use self::tree::Statement;
use crate::Reading;
use crate::replay::{Dialect, Foreign, ForeignPool, Sticks, address_of};
use crate::report::Report;
use crate::site::{Route, Site};
use crate::source::{Line, Sources};

/// Reads nginx's files.
pub(crate) fn read(sources: &Sources<'_>) -> Reading {
    let mut report = Report::default();
    let (tree, lines) = load::load(sources, &mut report);
    let mut reader = NginxReader {
        report,
        site: Site::default(),
        upstreams: Vec::new(),
        maps: Vec::new(),
        matches: Vec::new(),
        servers: Vec::new(),
        owners: Vec::new(),
        routes: BTreeMap::new(),
        pools: BTreeMap::new(),
        heard: Vec::new(),
        withheld: Vec::new(),
        certified: Vec::new(),
        foreign: Foreign {
            dialect: Dialect::Nginx,
            ..Foreign::default()
        },
        tomcats: BTreeSet::new(),
        sticks: BTreeMap::new(),
    };
    reader.level(&tree, &NginxScope::default());
    reader.read_maps();
    reader.read_servers();
    reader.read_unused_upstreams();
    reader.unchecked();
    reader.tell_of_unused_matches();
    reader.write_listeners();
    reader.write_withheld();
    reader.tell_of_shared_ports();
    reader.decided_by_nginx(&tree);
    Reading {
        site: reader.site,
        report: reader.report,
        lines,
        foreign: reader.foreign,
    }
}

/// The levels around a directive, the outermost first.
#[derive(Clone, Default)]
struct NginxScope<'t>(Vec<&'t [Statement]>);

impl<'t> NginxScope<'t> {
    fn with(&self, level: &'t [Statement]) -> NginxScope<'t> {
        let mut levels = self.0.clone();
        levels.push(level);
        NginxScope(levels)
    }

    /// All directives of a name on the innermost level that has any.
    fn all(&self, name: &str) -> Vec<&'t Statement> {
        let on = |level: &&'t [Statement]| {
            let own = level.iter().filter(|own| own.name == name);
            own.collect::<Vec<_>>()
        };
        let mut levels = self.0.iter().rev().map(on);
        levels.find(|own| !own.is_empty()).unwrap_or_default()
    }

    /// The first of those.
    fn find(&self, name: &str) -> Option<&'t Statement> {
        self.all(name).first().copied()
    }

    /// A text with the variables that `set` gives a text of their own.
    fn substituted(&self, text: &str) -> String {
        let sets = self.0.iter().flat_map(|level| level.iter());
        let mut text = text.to_owned();
        for set in sets.filter(|own| own.name == "set" && !own.argument(1).contains('$')) {
            text = text.replace(set.argument(0), set.argument(1));
        }
        text
    }
}

/// What is known while the tree is read.
struct NginxReader<'t> {
    report: Report,
    site: Site,
    upstreams: Vec<&'t Statement>,
    maps: Vec<&'t Statement>,
    /// Blocks `match`, by which answers of checks pass.
    matches: Vec<&'t Statement>,
    servers: Vec<(&'t Statement, NginxScope<'t>)>,
    /// Maps that choose an upstream by the route in a cookie.
    owners: Vec<Owners<'t>>,
    /// The route of each address of a Tomcat: one Tomcat has one jvmRoute, in whatever upstreams it stands.
    routes: BTreeMap<String, String>,
    /// The pool that was made of an upstream for a scheme.
    pools: BTreeMap<(String, bool), String>,
    heard: Vec<Heard>,
    /// Routes of servers that require a certificate of clients, until it is known whether all listeners do.
    withheld: Vec<Route>,
    /// The lines that require it.
    certified: Vec<Line>,
    /// What nginx decides, for a log of its.
    foreign: Foreign,
    /// Pools whose members are Tomcats, as far as anything says it.
    tomcats: BTreeSet<String>,
    /// How users stick to an upstream in nginx, by the name of its pool.
    sticks: BTreeMap<String, Sticks>,
}

impl<'t> NginxReader<'t> {
    /// Reads the file's own level, `http` and `events`.
    fn level(&mut self, level: &'t [Statement], scope: &NginxScope<'t>) {
        let scope = scope.with(level);
        for statement in level {
            match statement.name.as_str() {
                "http" | "events" => {
                    self.by_name(statement);
                    self.level(statement.inside(), &scope);
                }
                "upstream" => self.upstreams.push(statement),
                "map" => self.maps.push(statement),
                "match" => self.matches.push(statement),
                "server" if statement.block.is_some() => self.servers.push((statement, scope.clone())),
                _ => self.setting(statement, &scope),
            }
        }
    }

    /// Tells of a directive that makes nothing of its own: by its words, by its name, or as not understood.
    fn setting(&mut self, statement: &'t Statement, scope: &NginxScope<'t>) {
        if let Some(why) = words::told_as_a_whole(&statement.name) {
            self.whole(statement, why);
        } else if guards::grants(statement) {
            self.granted(statement, scope);
        } else if !self.field(statement)
            && !self.mapped_back(statement)
            && !self.limit(statement, scope)
            && !self.tls_setting(statement)
        {
            self.by_name(statement);
        }
    }

    fn by_name(&mut self, statement: &Statement) {
        if let Some((class, why)) = words::told(&statement.name) {
            self.report.as_table(class, &statement.line, why);
            return;
        }
        self.report.not_understood(&statement.line);
        for inside in statement.inside() {
            self.by_name(inside);
        }
    }

    /// Tells of a block and all that stands in it.
    fn whole(&mut self, statement: &Statement, why: &str) {
        self.report.unsupported(&statement.line, why);
        for inside in statement.inside() {
            self.whole(inside, why);
        }
    }

    /// Completes what nginx decides: its pools, and how its logs are written.
    fn decided_by_nginx(&mut self, tree: &[Statement]) {
        for pool in &self.site.pools {
            let members = pool
                .members
                .iter()
                .map(|member| (member.route.clone(), address_of(&member.url)));
            self.foreign.pools.push(ForeignPool {
                name: pool.name.clone(),
                sticks: self.sticks.get(&pool.name).cloned().unwrap_or_default(),
                members: members.collect(),
            });
        }
        formats(tree, &mut self.foreign.formats);
    }
}

/// The texts of all `log_format`.
fn formats(level: &[Statement], found: &mut Vec<String>) {
    for statement in level {
        if statement.name == "log_format" {
            let parts = statement
                .arguments
                .iter()
                .skip(1)
                .filter(|part| !part.starts_with("escape="));
            found.push(parts.map(String::as_str).collect());
        }
        formats(statement.inside(), found);
    }
}

//! What guards: who may, from where, and with what certificate. Nobody is asked here, so that what is guarded gets no route.
//!
//! Invariant: what was closed is closed here, or the report says OPEN.
//!
//! Left out on purpose: a grant inside of what is closed. It stays closed until somebody writes its route, and is told of.

use crate::paths::is_plain;
use crate::report::Report;
use crate::site::Route;
use crate::source::Line;

use super::draft::{Draft, Scope, Target};
use super::passes::{Form, form, plain};
use super::routes::{has_routes, is_under, trimmed};
use super::tree::Directive;

/// What is told of a guard for which there is no path.
pub(super) const OPEN: &str = "what this guards is OPEN here: it is no path of whole segments. Let the application protect it before the proxy serves it";

/// Whether it lets everybody in.
pub(super) fn grants(statement: &Directive) -> bool {
    let rest = statement.rest().to_ascii_lowercase();
    matches!(
        (&*statement.name, &*rest),
        ("require", "all granted") | ("allow", "from all")
    )
}

/// Whether it keeps anybody out.
pub(super) fn closes(statement: &Directive) -> bool {
    let rest = statement.rest().to_ascii_lowercase();
    match &*statement.name {
        "require" | "allow" => !grants(statement),
        "order" => rest.replace(' ', "") == "allow,deny" || rest == "mutual-failure",
        "deny" => rest != "from none",
        "authtype" => rest != "none",
        "sslverifyclient" => rest == "require",
        "sslrequire" | "sslrequiressl" => true,
        "<location" | "<locationmatch" | "<proxy" | "<proxymatch" => false,
        name if name.starts_with('<') => statement.inner.iter().any(closes),
        _ => false,
    }
}

/// What keeps somebody out of a section. `Order allow,deny` does so unless all are allowed behind it.
pub(super) fn closing(section: &Directive) -> Vec<&Directive> {
    let allows = |inner: &Directive| inner.name == "allow" && !closes(inner);
    let all = section.inner.iter().any(allows);
    let mut closing: Vec<&Directive> = section.inner.iter().filter(|inner| closes(inner)).collect();
    closing.retain(|inner| inner.name != "order" || !all);
    closing
}

/// Closes a path, with all below it.
pub(super) fn close(path: &str, line: &Line, scope: &mut Scope, report: &mut Report) {
    if !is_plain(path) || path.contains(['*', '?', '[']) {
        report.unsupported(line, OPEN);
        return;
    }
    let why = format!(
        "guards {path}: nobody is asked here who he is or whence he comes, so that no route leads there or below it: 404, until the \
         application protects it and you write one"
    );
    report.unsupported(line, why);
    scope.closed.push((path.to_owned(), line.clone()));
}

/// Closes what an expression means, if that is paths: `^/manager`, `^/(WEB-INF|META-INF)`.
pub(super) fn close_expression(expression: &str, line: &Line, scope: &mut Scope, report: &mut Report) {
    let paths = alternatives(expression);
    let paths: Vec<(String, Form)> = paths
        .iter()
        .filter_map(|one| Some((plain(one)?, form(one))))
        .collect();
    if paths.is_empty() {
        report.unsupported(line, OPEN);
    }
    for (path, form) in paths {
        close(&path, line, scope, report);
        if form == Form::Begins {
            let why = format!("paths that begin with {path} within a segment, as {path}x, are OPEN here");
            report.unsupported(line, why);
        }
    }
}

/// An expression once for each way of its one group; itself where it has none.
fn alternatives(expression: &str) -> Vec<String> {
    let parts = expression
        .split_once('(')
        .and_then(|(before, rest)| Some((before, rest.split_once(')')?)));
    match parts {
        Some((before, (group, after)))
            if group.contains('|') && !group.contains('(') && before.ends_with('/') =>
        {
            let group = group.strip_prefix("?:").unwrap_or(group);
            let ways = group.split('|');
            ways.map(|way| format!("{before}{way}{after}")).collect()
        }
        _ => vec![expression.to_owned()],
    }
}

/// Shuts what a `<Proxy>` is about: the pool of that name, or all.
pub(super) fn shut(section: &Directive, name: Option<&str>, scope: &mut Scope, report: &mut Report) {
    for inner in closing(section) {
        let why = "guards what is proxied there: nobody is asked here who he is or whence he comes, so that no route leads there: 404, until \
                   the application protects it and you write one";
        report.unsupported(&inner.line, why);
        scope.shut.push((name.map(str::to_owned), inner.line.clone()));
    }
}

/// What is guarded in a server, by itself and by the main one.
pub(super) struct Guarded<'a> {
    closed: Vec<&'a (String, Line)>,
    shut: Vec<&'a (Option<String>, Line)>,
}

impl<'a> Guarded<'a> {
    pub(super) fn of(scope: &'a Scope, draft: &'a Draft) -> Guarded<'a> {
        let own = scope.line.is_some().then_some(scope);
        let both = || draft.scopes.first().into_iter().chain(own);
        Guarded {
            closed: both().flat_map(|scope| &scope.closed).collect(),
            shut: both().flat_map(|scope| &scope.shut).collect(),
        }
    }

    /// What keeps a path closed, or that to which it leads.
    pub(super) fn guard(&self, path: &str, target: &Target) -> Option<&'a Line> {
        let Target::Balancer(name, _) = target else {
            return None;
        };
        let closed = self
            .closed
            .iter()
            .find(|(above, _)| is_under(path, &trimmed(above)));
        let shut = || {
            let shut = self.shut.iter();
            let mut shut = shut.filter(|(shut, _)| shut.as_ref().is_none_or(|shut| shut == name));
            shut.next().map(|(_, line)| line)
        };
        closed.map(|(_, line)| line).or_else(shut)
    }

    /// Tells of what lets everybody in: in what is closed for another reason it does not.
    pub(super) fn grants(&self, scope: &Scope, report: &mut Report) {
        for (path, line) in &scope.grants {
            let closed = path.as_ref().and_then(|path| {
                let mut closed = self.closed.iter();
                closed.find(|(above, _)| is_under(&trimmed(path), &trimmed(above)))
            });
            match closed {
                Some((above, by)) => {
                    let why = format!(
                        "httpd serves everybody here although it guards {above}; that is closed with all below it, so that this is, too, for what {} \
                         says. Write a [[route]] for it",
                        by.place
                    );
                    report.differs(line, why);
                }
                None => report.same(line, "everybody is served"),
            }
        }
    }

    /// Takes what is closed out of the routes above it.
    pub(super) fn except(&self, routes: &mut [Route]) {
        for (path, line) in &self.closed {
            let path = trimmed(path);
            for route in routes.iter_mut().filter(|route| is_under(&path, &route.path)) {
                if !route.except.contains(&path) {
                    route.except.push(path.clone());
                }
                route.origin.add(line);
            }
        }
    }
}

/// What is told of a host whose clients need a certificate, where others do not.
pub(super) const UNCERTIFIED: &str = "clients need a certificate for this in httpd, and those of another host of these files need none: a route holds on all \
                           listeners, so that none is written. Serve this host by a proxy of its own, with a file of its own";

/// The line of a host that requires certificates of clients, where not every host with routes does.
pub(super) fn certified<'a>(scope: &'a Scope, draft: &Draft) -> Option<&'a Line> {
    let requires = |scope: &Scope| scope.secured.on && scope.secured.verify == Some(true);
    let main = &draft.scopes[0].secured;
    let is_asked = |scope: &Scope| {
        let named = scope.secured.authority.is_some() || main.authority.is_some();
        requires(scope) && named
    };
    let mut others = draft.scopes.iter().filter(|other| has_routes(other));
    let is_alone = others.all(is_asked);
    scope
        .line
        .as_ref()
        .filter(|_| requires(scope) && has_routes(scope) && !is_alone)
}

#[cfg(test)]
mod tests {
    use super::alternatives;

    #[test]
    fn a_group_of_ways_is_several_paths() {
        assert_eq!(alternatives("^/(a|b)/x"), ["^/a/x", "^/b/x"]);
        assert_eq!(alternatives("^/a(/.*)?$"), ["^/a(/.*)?$"]);
    }
}

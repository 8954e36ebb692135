//! What guards: who may, from where, and with what certificate. Nobody is asked here, so that what is guarded gets no route.
//!
//! Invariant: what was closed is closed here, or the report says OPEN.
//!
//! Left out on purpose: a grant inside of what is closed. It stays closed until somebody writes its route.

use crate::paths::is_plain;
use crate::report::Report;
use crate::source::Line;

use super::draft::Scope;
use super::passes::{Form, form, plain};
use super::tree::Directive;

/// What is told of a guard for which there is no path.
pub(super) const OPEN: &str = "what this guards is OPEN here: it is no path of whole segments. Let the application protect it before the proxy serves it";

/// Whether it keeps anybody out.
pub(super) fn closes(statement: &Directive) -> bool {
    let rest = statement.rest().to_ascii_lowercase();
    match &*statement.name {
        "require" => rest != "all granted",
        "allow" => rest != "from all",
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

#[cfg(test)]
mod tests {
    use super::alternatives;

    #[test]
    fn a_group_of_ways_is_several_paths() {
        assert_eq!(alternatives("^/(a|b)/x"), ["^/a/x", "^/b/x"]);
        assert_eq!(alternatives("^/a(/.*)?$"), ["^/a(/.*)?$"]);
    }
}

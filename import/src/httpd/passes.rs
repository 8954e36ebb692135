//! ProxyPass and its family: which path leads where, what is left out, and what is mapped back.
//!
//! Invariant: order is kept, because httpd takes the first that matches; what that means for ours is decided when all are known.
//!
//! Left out on purpose: expressions in general. A few forms of ProxyPassMatch are a path and no more, and those are read.

use crate::report::Report;
use crate::site::Piece;

use super::balancers::{Split, split};
use super::draft::{Draft, Param, Pass, Reverse, Target};
use super::routes::bare;
use super::tree::Directive;

/// Schemes that the proxy does not speak, and what to do.
const FOREIGN: &[(&str, &str)] = &[
    (
        "fcgi",
        "FastCGI is not spoken: leave that path to the server in front, or to one behind that speaks HTTP",
    ),
    (
        "scgi",
        "SCGI is not spoken: leave that path to the server in front, or to one behind that speaks HTTP",
    ),
    (
        "uwsgi",
        "uwsgi is not spoken: leave that path to the server in front, or to one behind that speaks HTTP",
    ),
    ("ftp", "FTP is not spoken: leave that path out"),
    (
        "h2",
        "HTTP/2 is not spoken with members: name its connector of HTTP/1.1, as https://HOST:PORT",
    ),
    (
        "h2c",
        "HTTP/2 is not spoken with members: name its connector of HTTP/1.1, as http://HOST:PORT",
    ),
    (
        "unix",
        "members have an address: let the server listen at a port of the loopback, and name that",
    ),
];

/// Where a ProxyPass stands: the scope, how many words of it are its own, and how far it reaches.
#[derive(Clone, Copy)]
struct Stands {
    scope: usize,
    words: usize,
    in_location: bool,
    form: Form,
}

/// `ProxyPass`, `ProxyPassMatch` and `ProxyPassReverse`, in a scope and under the path of a Location, if in one.
pub(super) fn read(
    statement: &Directive,
    scope: usize,
    location: Option<&str>,
    draft: &mut Draft,
    report: &mut Report,
) {
    let at = usize::from(location.is_none());
    let path = location.unwrap_or(statement.word(0)).to_owned();
    let target = statement.word(at).to_owned();
    let stands = Stands {
        scope,
        words: at + 1,
        in_location: location.is_some(),
        form: Form::Segments,
    };
    match &*statement.name {
        "proxypass" if path.starts_with('/') => {
            pass(statement, stands, (path.as_str(), target.as_str()), draft, report);
        }
        "proxypass" => report.unsupported(&statement.line, "its path does not begin with a slash: left out"),
        "proxypassmatch" => matching(statement, stands, (path.as_str(), target.as_str()), draft, report),
        _ => draft.scopes[scope].reverses.push(Reverse {
            path,
            url: target,
            line: statement.line.clone(),
        }),
    }
}

/// Takes a path to a target; what follows in the line is said of the target.
fn pass(
    statement: &Directive,
    stands: Stands,
    (path, target): (&str, &str),
    draft: &mut Draft,
    report: &mut Report,
) {
    let line = &statement.line;
    let target = if target == "!" {
        Target::Nowhere
    } else {
        let scheme = target
            .split_once(':')
            .map_or("", |(scheme, _)| scheme)
            .to_ascii_lowercase();
        if let Some((_, why)) = FOREIGN.iter().find(|(foreign, _)| *foreign == scheme) {
            report.unsupported(line, *why);
            return;
        }
        if !target.contains("://") {
            report.unsupported(line, format!("`{target}` is no URL: left out"));
            return;
        }
        let name = draft.name_of_target(target, line);
        params(statement, stands.words, &name, draft, report);
        let (Split::Balancer(_, there) | Split::Server(_, there)) = split(target);
        Target::Balancer(name, there)
    };
    draft.scopes[stands.scope].passes.push(Pass {
        path: path.to_owned(),
        form: stands.form,
        target,
        in_location: stands.in_location,
        line: line.clone(),
    });
}

/// Words behind a target.
fn params(statement: &Directive, from: usize, name: &str, draft: &mut Draft, report: &mut Report) {
    let line = &statement.line;
    for word in statement.words.iter().skip(from) {
        match (&*word.to_ascii_lowercase(), Param::read(word, line)) {
            ("nocanon", _) => report.same(line, "nocanon: the bytes of a path pass as the client wrote them"),
            ("noquery", _) => report.differs(line, "noquery: the query goes to the Tomcat, always"),
            ("interpolate", _) => {
                report.unsupported(
                    line,
                    "interpolate: variables of a request do not choose where it goes",
                );
            }
            (_, None) => report.unsupported(line, format!("`{word}` is not understood: no key with a value")),
            (_, Some(param)) => {
                let balancer = draft.balancer(name);
                match balancer.workers.first_mut().filter(|_| balancer.is_single) {
                    Some(worker) => worker.params.push(param),
                    None => balancer.params.push(param),
                }
            }
        }
    }
}

/// ProxyPassMatch, where its expression is a path: `^/shop(/.*)?$`, `^/shop/(.*)$`, `^(/shop/.*)$`.
fn matching(
    statement: &Directive,
    stands: Stands,
    (expression, target): (&str, &str),
    draft: &mut Draft,
    report: &mut Report,
) {
    let line = &statement.line;
    let Some(path) = plain(expression) else {
        let why = if target == "!" {
            "an expression that is no path: what it leaves to httpd goes to the Tomcat, and is OPEN here. Put such files into the application, or name \
             their directory in a route's `except`"
        } else {
            "an expression that is no path: routes are paths of whole segments. Write a [[route]] for the path above all that it matches"
        };
        report.unsupported(line, why);
        draft.scopes[stands.scope].has_unread = true;
        return;
    };
    let (before, group) = target.split_at(target.find('$').unwrap_or(target.len()));
    if !matches!(group, "" | "$1" | "$0") {
        let why = "puts parts of a path together anew: a route replaces what is in front and leaves the rest. Write a [[route]]";
        report.unsupported(line, why);
        draft.scopes[stands.scope].has_unread = true;
        return;
    }
    let before = before.trim_end_matches('/');
    let is_whole = expression.trim_start_matches('^').starts_with("(/") || group == "$0";
    let there = match (group, is_whole) {
        ("", _) if target == "!" => target.to_owned(),
        // Without a group the whole path is put behind the URL.
        ("", _) | (_, true) if path != "/" => format!("{before}{path}"),
        _ => before.to_owned(),
    };
    let stands = Stands {
        form: form(expression),
        ..stands
    };
    let why = match stands.form {
        Form::Segments if takes_bare(expression) || path == "/" => String::new(),
        Form::Segments => bare(&path),
        Form::Exact => format!("the path {path} and all below it; httpd means that path alone"),
        Form::Begins if target == "!" => format!(
            "the path {path} and all below it; paths that begin so within a segment, as {path}x, are OPEN here"
        ),
        Form::Begins => format!(
            "the path {path} and all below it; httpd means those that begin so within a segment, as {path}x, as well"
        ),
    };
    if why.is_empty() {
        report.becomes(Piece::Route, line, format!("the path {path}, and all below it"));
    } else {
        report.becomes_but(Piece::Route, line, why);
    }
    pass(statement, stands, (path.as_str(), there.as_str()), draft, report);
}

/// How far an expression reaches from its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// It alone.
    Exact,
    /// It and what is below it.
    Segments,
    /// Whatever begins with it, within a segment too.
    Begins,
}

/// How far an expression reaches that means a path.
pub(super) fn form(expression: &str) -> Form {
    let open = expression.trim_end_matches('$');
    let bare = open
        .strip_prefix("^(")
        .map_or(open, |rest| rest.trim_end_matches(')'));
    let below = [
        "(/.*)?", "(/.*)", "/(.*)", "(?:/.*)?", "/(.+)", "(|/.*)", "/.*", "/?(.*)", "(/|$)",
    ];
    if below.iter().any(|end| open.ends_with(end) || bare.ends_with(end)) {
        Form::Segments
    } else if ["(.*)", ".*"]
        .iter()
        .any(|end| open.ends_with(end) || bare.ends_with(end))
    {
        Form::Begins
    } else if expression.ends_with('$') {
        Form::Exact
    } else if expression.ends_with('/') {
        Form::Segments
    } else {
        Form::Begins
    }
}

/// Whether an expression that means whole segments takes its path without a slash at the end as well.
fn takes_bare(expression: &str) -> bool {
    let open = expression.trim_end_matches('$');
    let ends = ["(/.*)?", "(?:/.*)?", "(|/.*)", "/?(.*)"];
    ends.iter().any(|end| open.ends_with(end)) || expression.ends_with("(/|$)")
}

/// The path that an expression means, if it is one with all below it.
pub(super) fn plain(expression: &str) -> Option<String> {
    let inside = expression.strip_prefix('^')?.trim_end_matches('$');
    let inside = inside
        .strip_prefix("/?")
        .map_or(inside.to_owned(), |rest| format!("/{rest}"));
    let grouped = inside.strip_prefix('(').filter(|rest| rest.starts_with('/'));
    let inside = grouped.map_or(&*inside, |rest| rest.trim_end_matches(')'));
    let path = [
        "(/.*)?", "(/.*)", "/(.*)", "(?:/.*)?", "/(.+)", "(|/.*)", "/.*", "(.*)", ".*",
    ]
    .iter()
    .find_map(|end| inside.strip_suffix(end))
    .unwrap_or(inside);
    let path = path.replace("\\.", ".").replace("\\-", "-").replace("\\/", "/");
    let is_plain = path
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte));
    let path = if path.is_empty() { "/".to_owned() } else { path };
    (is_plain && path.starts_with('/')).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_expressions_are_paths() {
        for (expression, path) in [
            ("^/shop(/.*)?$", Some("/shop")),
            ("^/shop/(.*)$", Some("/shop")),
            ("^(/shop/.*)$", Some("/shop")),
            ("^/(.*)$", Some("/")),
            ("^/?(.*)", Some("/")),
            ("^/v1\\.2/.*", Some("/v1.2")),
            ("^/(a|b)/(.*)$", None),
            ("\\.gif$", None),
        ] {
            assert_eq!(plain(expression).as_deref(), path, "{expression}");
        }
    }

    #[test]
    fn an_expression_reaches_as_far_as_its_end_says() {
        for (expression, reaches) in [
            ("^/z(.*)$", Form::Begins),
            ("^/z", Form::Begins),
            ("^/z/(.*)$", Form::Segments),
            ("^(/z/.*)$", Form::Segments),
            ("^/z(/.*)?$", Form::Segments),
            ("^/z/", Form::Segments),
            ("^/z$", Form::Exact),
        ] {
            assert_eq!(form(expression), reaches, "{expression}");
        }
    }
}

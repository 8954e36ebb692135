//! mod_rewrite and mod_alias, as far as they send clients to https or WebSockets to a member.
//!
//! Invariant: a rule of any other purpose is told of as not supported, with its conditions.

use crate::report::Report;
use crate::site::{Origin, Piece};
use crate::source::Line;

use super::balancers::{Split, split};
use super::draft::{Draft, Pass, Scope, Target, ToHttps};
use super::guards;
use super::passes::{form, plain};
use super::tree::Directive;

/// How a balancer in front says by which scheme the client came.
const FORWARDED: &str = "%{HTTP:X-Forwarded-Proto}";

/// What is told of a rule for which there is no word.
const NO_REWRITING: &str = "requests are not rewritten: let the application do that (Tomcat has a RewriteValve, which takes these rules nearly as they stand)";

/// What is told of paths that are served in clear.
const IN_CLEAR: &str = "what it spares is served in clear (`except`) and goes where the longest route leads, to a Tomcat; httpd answers it from its files \
                        where no ProxyPass of this host leads there. The files of ACME's challenge have to be in an application then, or \
                        another challenge be used";

/// A RewriteCond that waits for its rule.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// What is looked at.
    tested: String,
    /// With what it is compared.
    pattern: String,
    /// Whether it or the next has to hold.
    is_or: bool,
    line: Line,
}

impl Condition {
    /// Whether it looks at the path that is asked for.
    fn is_about_paths(&self) -> bool {
        self.tested.eq_ignore_ascii_case("%{REQUEST_URI}")
    }
}

/// The lines of some conditions.
pub(super) fn lines(conditions: &[Condition]) -> impl Iterator<Item = &Line> {
    conditions.iter().map(|condition| &condition.line)
}

/// One directive of these modules.
pub(super) fn read(statement: &Directive, scope: usize, draft: &mut Draft, report: &mut Report) {
    let line = &statement.line;
    match &*statement.name {
        "rewriteengine" => {
            draft.scopes[scope].rewrites = statement.word(0).eq_ignore_ascii_case("on");
            report.same(line, "whether the rules below are in force");
        }
        "rewritecond" => draft.scopes[scope].conditions.push(Condition {
            tested: statement.word(0).to_owned(),
            pattern: statement.word(1).to_owned(),
            is_or: statement.word(2).to_ascii_uppercase().contains("OR"),
            line: line.clone(),
        }),
        "rewriterule" => {
            let conditions = std::mem::take(&mut draft.scopes[scope].conditions);
            if !draft.scopes[scope].rewrites {
                for line in lines(&conditions).chain([line]) {
                    report.same(line, "not in force: there is no RewriteEngine on in front of it");
                }
                return;
            }
            rule(statement, &conditions, scope, draft, report);
        }
        "redirect" | "redirectpermanent" | "redirecttemp" => redirect(statement, scope, draft, report),
        _ => {
            let (expression, url) = match statement.words.as_slice() {
                [expression, url] | [_, expression, url] => (expression.clone(), url.clone()),
                _ => (String::new(), String::new()),
            };
            if plain(&expression).as_deref() == Some("/") && url.starts_with("https://") {
                to_https(&url, std::slice::from_ref(line), Vec::new(), scope, draft, report);
            } else {
                report.unsupported(
                    line,
                    "the proxy sends nobody elsewhere but to https: let the application do that",
                );
            }
        }
    }
}

fn rule(
    statement: &Directive,
    conditions: &[Condition],
    scope: usize,
    draft: &mut Draft,
    report: &mut Report,
) {
    let lines: Vec<Line> = lines(conditions).chain([&statement.line]).cloned().collect();
    let (expression, target) = (statement.word(0), statement.word(1));
    let flags = statement.word(2).trim_matches(['[', ']']).to_ascii_uppercase();
    let flags: Vec<&str> = flags.split(',').map(str::trim).collect();
    let is_all = matches!(expression, "^" | ".*" | "^.*$" | "(.*)" | "^.*")
        || plain(expression).as_deref() == Some("/");
    if target.starts_with("https://") && is_all && !flags.contains(&"P") {
        match exceptions(conditions, &draft.scopes[scope].names) {
            Some(except) => {
                for condition in conditions.iter().filter(|one| one.is_about_paths()) {
                    report.becomes_but(Piece::Redirect, &condition.line, IN_CLEAR);
                }
                to_https(target, &lines, except, scope, draft, report);
                let by_balancer = conditions
                    .iter()
                    .any(|condition| condition.tested.eq_ignore_ascii_case(FORWARDED));
                if let Some(to) = draft.scopes[scope].to_https.as_mut().filter(|_| by_balancer) {
                    to.by_balancer = true;
                }
            }
            None => refuse(
                &lines,
                "a redirect to https under a condition that is not known here: `redirect` of a listener is for all of its clients",
                report,
            ),
        }
    } else if flags.contains(&"P") {
        proxied(&lines, conditions, (expression, target), scope, draft, report);
    } else if flags
        .iter()
        .any(|flag| matches!(*flag, "F" | "FORBIDDEN" | "G" | "GONE") || flag.starts_with("R=4"))
    {
        refused(&lines, conditions, expression, &mut draft.scopes[scope], report);
    } else {
        refuse(&lines, NO_REWRITING, report);
    }
}

/// A rule that refuses closes its path, whatever its conditions, or that of a condition.
fn refused(
    lines: &[Line],
    conditions: &[Condition],
    expression: &str,
    scope: &mut Scope,
    report: &mut Report,
) {
    refuse(
        lines,
        "nobody is refused by what he asks for: let the application refuse, or a filter in front (Tomcat's RewriteValve takes such rules)",
        report,
    );
    let is_all = matches!(expression, "^" | ".*" | "^.*$" | "(.*)" | "^.*" | "." | "")
        || plain(expression).as_deref() == Some("/");
    let asked = conditions.iter().find(|condition| condition.is_about_paths());
    let last = lines.last().expect("a rule has a line");
    match asked {
        _ if !is_all => guards::close_expression(expression, last, scope, report),
        Some(condition) => guards::close_expression(&condition.pattern, last, scope, report),
        None if conditions.is_empty() => guards::close("/", last, scope, report),
        None => report.unsupported(last, guards::OPEN),
    }
}

fn refuse(lines: &[Line], why: &str, report: &mut Report) {
    for line in lines {
        report.unsupported(line, why);
    }
}

/// Whether a condition on the host holds for a name.
fn is_for(pattern: &str, name: &str) -> bool {
    if let Some(text) = pattern.strip_prefix('=') {
        return name == text;
    }
    let begins = pattern.strip_prefix('^').unwrap_or(pattern);
    let text = begins.strip_suffix('$').unwrap_or(begins).replace("\\.", ".");
    let is_text = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    is_text
        && match (pattern.starts_with('^'), begins.ends_with('$')) {
            (true, true) => name == text,
            (true, false) => name.starts_with(&text),
            (false, true) => name.ends_with(&text),
            (false, false) => name.contains(&text),
        }
}

/// Whether a condition on the host, or one that it is joined with by OR, holds for each name of a server.
fn is_for_all(condition: &Condition, all: &[Condition], names: &[String]) -> bool {
    let pattern = condition.pattern.to_ascii_lowercase();
    if matches!(
        &*pattern,
        "." | ".*" | ".+" | "^.*$" | "^(.*)$" | "(.*)" | "^(.+)$"
    ) {
        return true;
    }
    let on_host = |other: &&Condition| {
        let tested = other.tested.to_ascii_uppercase();
        matches!(&*tested, "%{SERVER_NAME}" | "%{HTTP_HOST}")
    };
    let hosts: Vec<&Condition> = all.iter().filter(on_host).collect();
    let joined = hosts
        .split_last()
        .is_some_and(|(_, before)| before.iter().all(|one| one.is_or));
    let holds = |name: &String| match joined {
        true => hosts
            .iter()
            .any(|one| is_for(&one.pattern.to_ascii_lowercase(), name)),
        false => is_for(&pattern, name),
    };
    !names.is_empty() && names.iter().all(holds)
}

/// Paths that stay in clear, if all conditions are of those that a redirect to https has.
fn exceptions(conditions: &[Condition], names: &[String]) -> Option<Vec<String>> {
    let mut except = Vec::new();
    for condition in conditions {
        let Condition { tested, pattern, .. } = condition;
        let pattern = pattern.to_ascii_lowercase();
        match &*tested.to_ascii_uppercase() {
            "%{HTTPS}" if matches!(&*pattern, "off" | "=off" | "!=on" | "!on" | "^off$" | "!^on$") => {}
            "%{SERVER_PORT}" if matches!(&*pattern, "80" | "=80" | "^80$" | "!443" | "!=443" | "!^443$") => {}
            "%{SERVER_NAME}" | "%{HTTP_HOST}" if is_for_all(condition, conditions, names) => {}
            "%{HTTP:X-FORWARDED-PROTO}"
                if matches!(&*pattern, "!https" | "http" | "=http" | "!=https" | "^http$") => {}
            "%{REQUEST_URI}" => {
                let path = pattern.strip_prefix('!')?;
                except.push(plain(path)?.trim_end_matches('/').to_owned());
            }
            _ => return None,
        }
    }
    Some(except)
}

/// A redirect to https for all that comes to a server.
fn to_https(
    url: &str,
    lines: &[Line],
    except: Vec<String>,
    scope: usize,
    draft: &mut Draft,
    report: &mut Report,
) {
    let rest = url.strip_prefix("https://").unwrap_or_default();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.find('$').unwrap_or(rest.len())));
    // A variable ends with a brace; `%{HTTP_HOST}%{REQUEST_URI}` has no slash between the two.
    let host = host.split("%{REQUEST_URI}").next().unwrap_or_default();
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port.parse().ok()),
        _ => (host, None),
    };
    if !matches!(path, "" | "/" | "/$1" | "$1" | "$0" | "/%{REQUEST_URI}") {
        refuse(
            lines,
            "sends everybody to one page: the proxy sends to the same path by https",
            report,
        );
        return;
    }
    let names = &draft.scopes[scope].names;
    let is_own = name.starts_with("%{")
        || names.is_empty()
        || names.first().is_some_and(|own| own.eq_ignore_ascii_case(name));
    for line in lines {
        report.becomes(
            Piece::Redirect,
            line,
            "`redirect` of the listener: 301 where clients read, 308 otherwise, to the same host",
        );
    }
    if !is_own || draft.scopes[scope].names.len() > 1 && !name.starts_with("%{") {
        let why = format!(
            "httpd sends all to the host {name}; ours keeps the one that was asked for, whose certificate has to be there as well"
        );
        report.differs(lines.last().expect("a rule has a line"), why);
    }
    draft.scopes[scope].to_https = Some(ToHttps {
        port: port.filter(|port| *port != 443),
        except,
        by_balancer: false,
        origin: Origin {
            lines: lines.to_vec(),
            notes: Vec::new(),
        },
    });
}

/// `[P]`: WebSockets of old recipes, or a ProxyPass by another name.
fn proxied(
    lines: &[Line],
    conditions: &[Condition],
    (expression, target): (&str, &str),
    scope: usize,
    draft: &mut Draft,
    report: &mut Report,
) {
    let upgrades = !conditions.is_empty()
        && conditions.iter().all(|condition| {
            let tested = condition.tested.to_ascii_lowercase();
            tested.contains("http:upgrade") || tested.contains("http:connection")
        });
    let Some(path) = plain(expression).filter(|_| upgrades || conditions.is_empty()) else {
        draft.scopes[scope].has_unread = true;
        refuse(
            lines,
            "proxies by an expression or a condition: a route is a path of whole segments. Write a [[route]] for it",
            report,
        );
        return;
    };
    let last = lines.last().expect("a rule has a line");
    let cut = target
        .split(['$', '%'])
        .next()
        .unwrap_or_default()
        .trim_end_matches('/');
    let name = draft.name_of_target(cut, last);
    let (Split::Balancer(_, there) | Split::Server(_, there)) = split(cut);
    for line in lines {
        if upgrades {
            let why = "WebSockets pass on every route, to the Tomcat that has the session: no rule is needed";
            report.same(line, why);
        } else {
            report.becomes(Piece::Route, line, "a route");
        }
    }
    let there = if expression.trim_start_matches('^').starts_with('(') && path != "/" {
        format!("{there}{path}")
    } else {
        there
    };
    let pass = Pass {
        path,
        form: form(expression),
        target: Target::Balancer(name, there),
        in_location: false,
        line: last.clone(),
    };
    let scope = &mut draft.scopes[scope];
    let passes = if upgrades {
        &mut scope.upgrades
    } else {
        &mut scope.passes
    };
    passes.push(pass);
}

/// `Redirect [status] path url`.
fn redirect(statement: &Directive, scope: usize, draft: &mut Draft, report: &mut Report) {
    let line = &statement.line;
    let (path, url) = match statement.words.as_slice() {
        [path, url] | [_, path, url] => (&**path, url.clone()),
        _ => ("", String::new()),
    };
    if path == "/" && url.starts_with("https://") {
        to_https(&url, std::slice::from_ref(line), Vec::new(), scope, draft, report);
    } else {
        report.unsupported(
            line,
            "the proxy sends nobody elsewhere but to https: let the application do that",
        );
    }
}

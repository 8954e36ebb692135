//! What nginx lets some alone reach, or nobody: which locations are guarded, and what stays shut here for that.
//!
//! Invariants: what is closed in nginx is closed here, or the report says OPEN in so many words, and the file beside a route of that
//! server · each family of directives is inherited by itself, as each module of nginx does: a word of one switches no other off.
//!
//! Left out on purpose: who is let in. The proxy asks nobody.

use super::matched::{Matched, endings_in, expression_of, trimmed};
use super::servers::{Chosen, NginxServer};
use super::tree::Statement;
use super::{NginxReader, NginxScope};
use crate::paths::is_plain;
use crate::source::Line;

/// Directives that are inherited together: where a level has one of a family, the levels around it have no say in that family.
const FAMILIES: &[&[&str]] = &[
    &["allow", "deny"],
    &["auth_basic"],
    &["auth_request"],
    &["auth_jwt"],
    &["auth_oidc"],
    &["auth_digest"],
    &["auth_gss"],
    &["auth_ldap"],
    &["auth_pam"],
    &["secure_link"],
    &["limit_except"],
    &["access_by_lua", "access_by_lua_block", "access_by_lua_file"],
];

/// A path that nobody may reach, and the line that closes it.
pub(super) struct ClosedPath {
    pub(super) path: String,
    pub(super) line: Line,
    /// Whether it counts before longer paths, as an expression does.
    pub(super) before_longer: bool,
}

/// What of a guard our file can hold.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shut {
    /// Paths that are closed, with all below them.
    paths: Vec<String>,
    /// What is OPEN here for all that, if anything.
    open: Option<&'static str>,
}

/// Whether some alone are let in, on whatever level that is said.
pub(super) fn is_guarded(scope: &NginxScope<'_>) -> bool {
    let has = |level: &&[Statement], family: &[&str]| level.iter().any(|own| family.contains(&&*own.name));
    let closes = |family: &&[&str]| {
        let level = scope.0.iter().rev().find(|level| has(level, family));
        let closes =
            |own: &Statement| family.contains(&&*own.name) && own.name != "allow" && own.argument(0) != "off";
        level.is_some_and(|level| level.iter().any(closes))
    };
    // It is not inherited.
    let is_internal = scope.0.last().is_some_and(|level| has(level, &["internal"]));
    is_internal || FAMILIES.iter().any(closes)
}

/// Whether a directive lets everybody in, as far as its family goes.
pub(super) fn grants(statement: &Statement) -> bool {
    let of_family = |family: &&[&str]| family.contains(&&*statement.name);
    let is_off = statement.name != "allow" && statement.argument(0) == "off";
    FAMILIES.iter().any(of_family) && (is_off || statement.name == "allow" && statement.argument(0) == "all")
}

impl<'t> NginxReader<'t> {
    /// Tells of a directive that lets everybody in.
    pub(super) fn granted(&mut self, statement: &Statement, scope: &NginxScope<'t>) {
        if is_guarded(scope) {
            let why = "lets everybody in as far as it goes; something else closes this, here for everybody";
            self.report.differs(&statement.line, why);
        } else {
            self.report.same(&statement.line, "everybody is served");
        }
    }

    /// Tells of a location that is for some alone: it is closed to all, as far as paths go.
    pub(super) fn guarded(
        &mut self,
        location: &Statement,
        inside: impl Iterator<Item = &'t Statement>,
        matched: &Matched,
        server: &mut NginxServer,
    ) {
        const CLOSED: &str = "nginx asks here who it is, or lets some in alone, and the proxy does neither: no route leads there. Write one \
                              when the application protects it (security-constraint, RemoteAddrValve)";
        if !self.shut(location, matched, CLOSED, server) {
            inside.for_each(|own| {
                self.report
                    .unsupported(&own.line, "see what is told of its location");
            });
            return;
        }
        inside.for_each(|own| self.report.unsupported(&own.line, CLOSED));
    }

    /// Closes what a location is for, and tells of it; gives whether any path is closed.
    pub(super) fn shut(
        &mut self,
        location: &Statement,
        matched: &Matched,
        why: &str,
        server: &mut NginxServer,
    ) -> bool {
        let line = &location.line;
        let shut = shut_by(location, matched);
        if !shut.paths.is_empty() || shut.open.is_none() {
            self.report.unsupported(line, why);
        }
        if let Some(open) = shut.open {
            self.report.unsupported(line, open);
            server.open.push(line.clone());
        }
        if *matched == Matched::Expression && !shut.paths.is_empty() {
            let closed = format!(
                "no expression chooses a route: closed is {}, with all below",
                shut.paths.join(", ")
            );
            self.report.differs(line, closed);
        }
        server.paths.extend(shut.paths.iter().cloned());
        let is_any = !shut.paths.is_empty();
        server
            .closed
            .extend(shut.paths.into_iter().map(|path| ClosedPath {
                path,
                line: line.clone(),
                before_longer: matches!(matched, Matched::Paths(_) | Matched::Expression),
            }));
        is_any
    }

    /// Takes what is closed out of a server's routes.
    pub(super) fn close(&mut self, server: &mut NginxServer) {
        let closed = std::mem::take(&mut server.closed);
        server.routes.retain(|led| {
            let over = |own: &&ClosedPath| own.before_longer && is_at_or_above(&own.path, &led.route.path);
            let Some(own) = closed.iter().find(over).filter(|_| is_after(led.chosen)) else {
                return true;
            };
            for line in &led.route.origin.lines {
                let why = format!(
                    "no route: `{}` closes in nginx what may be asked for here",
                    own.line.text
                );
                self.report.unsupported(line, why);
            }
            false
        });
        for led in &mut server.routes {
            for own in &closed {
                if own.path == led.route.path {
                    let why = format!(
                        "{} itself is OPEN here: another location leads to what is below it, and a route has both",
                        own.path
                    );
                    self.report.unsupported(&own.line, why);
                    led.route.origin.note(in_the_file(&own.line));
                } else if is_at_or_above(&led.route.path, &own.path) && !led.route.except.contains(&own.path)
                {
                    led.route.except.push(own.path.clone());
                }
            }
        }
        if let Some(led) = server.routes.first_mut() {
            for line in &server.open {
                led.route.origin.note(in_the_file(line));
            }
        }
    }
}

/// Whether expressions are asked before a location.
fn is_after(chosen: Chosen) -> bool {
    matches!(chosen, Chosen::ByPrefix | Chosen::ByExpression)
}

fn in_the_file(line: &Line) -> String {
    format!(
        "Some of what `{}` closes in nginx is OPEN here: the report of the import says what.",
        line.text
    )
}

/// Whether a path is another, or lies above it.
pub(super) fn is_at_or_above(above: &str, path: &str) -> bool {
    let rest = path.strip_prefix(above.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What of a guarded location can be closed.
fn shut_by(location: &Statement, matched: &Matched) -> Shut {
    const SEGMENTS: &str = "whole segments are closed: what merely begins with these letters, as /admin.jsp does for /admin, is OPEN here \
                            where a route leads to it";
    const CASE: &str = "whole segments are closed, and in this case of letters: what merely begins so, or is written with other capitals, \
                        is OPEN here where a route leads to it";
    const ANYWHERE: &str = "closed is what begins so: where the same stands further on in a path, or with other capitals, it is OPEN here";
    const EXPRESSION: &str = "no route is chosen by an expression: what this one guards is OPEN here where a route leads to it. Protect it \
                              in the application (security-constraint), or keep such files out of it";
    const ESCAPED: &str =
        "this is no path that a route can leave out: what it guards is OPEN here where a route leads to it";
    let any_case = location.argument(0).starts_with("~*");
    match matched {
        Matched::Prefix(path) | Matched::Exact(path) if !is_plain(&trimmed(path)) => Shut {
            open: Some(ESCAPED),
            ..Shut::default()
        },
        Matched::Prefix(path) => Shut {
            paths: vec![trimmed(path)],
            open: (!path.ends_with('/')).then_some(SEGMENTS),
        },
        Matched::Exact(path) => Shut {
            paths: vec![trimmed(path)],
            open: None,
        },
        Matched::Paths(paths) => Shut {
            paths: paths.clone(),
            open: Some(if any_case { CASE } else { SEGMENTS }),
        },
        Matched::Named => Shut::default(),
        Matched::Expression => {
            let text = expression_of(location);
            let is_plain_text = !text.contains(['\\', '.', '(', '[', '*', '+', '?', '$', '|', '{']);
            if text.starts_with('/') && text.len() > 1 && is_plain_text && is_plain(&trimmed(text)) {
                return Shut {
                    paths: vec![trimmed(text)],
                    open: Some(ANYWHERE),
                };
            }
            if is_about_files(text) || text.starts_with("/\\.") || text.starts_with("(^|/)\\.") {
                return Shut {
                    open: Some(EXPRESSION),
                    ..Shut::default()
                };
            }
            Shut {
                paths: vec![directory_of(text)],
                open: (any_case && directory_of(text) != "/").then_some(CASE),
            }
        }
    }
}

/// Whether an expression is about the ends of files' names.
fn is_about_files(expression: &str) -> bool {
    let ending = expression
        .rfind("\\.")
        .and_then(|at| endings_in(&expression[at..]));
    ending.is_some() || expression == "~$"
}

/// The longest path below which all lies that an expression may match.
fn directory_of(expression: &str) -> String {
    let Some(text) = expression.strip_prefix('^').filter(|text| !text.contains('|')) else {
        return "/".to_owned();
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_".contains(&byte);
    let end = text.bytes().position(|byte| !plain(byte)).unwrap_or(text.len());
    let (literal, rest) = text.split_at(end);
    if rest == "$" && is_plain(&trimmed(literal)) {
        return trimmed(literal);
    }
    // A sign behind may make the last letter one that need not be there.
    let literal = if rest.starts_with(['?', '*', '{']) {
        &literal[..literal.len().saturating_sub(1)]
    } else {
        literal
    };
    let directory = trimmed(&literal[..literal.rfind('/').unwrap_or(0)]);
    if is_plain(&directory) {
        directory
    } else {
        "/".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::parse;
    use super::*;

    fn shut(words: &str) -> (String, bool) {
        let (tree, _) = parse(&"a".into(), &format!("location {words} {{}}"));
        let shut = shut_by(&tree[0], &Matched::of(&tree[0]));
        (shut.paths.join(" "), shut.open.is_some())
    }

    #[test]
    fn what_a_guard_closes_is_closed_or_told_to_be_open() {
        for (words, paths, open) in [
            ("/admin/", "/admin", false),
            ("/admin", "/admin", true),
            ("= /admin", "/admin", false),
            ("~ ^/(a|b)/", "/a /b", true),
            ("~* /manager/", "/manager", true),
            ("~ /\\.ht", "", true),
            ("~ \\.(bak|sql)$", "", true),
            ("~ ^/adm(in)?/", "/adm /admin", true),
            ("~ ^/api/v[0-9]+/", "/api", false),
            ("~ ^/apis?/", "/", false),
            ("~ ^/status$", "/status", false),
            ("~ ^/a/b|^/c", "/", false),
            ("~ secret", "/", false),
        ] {
            assert_eq!(shut(words), (paths.to_owned(), open), "{words}");
        }
    }

    #[test]
    fn each_family_is_inherited_by_itself() {
        for (text, guarded) in [
            ("deny all; location / { auth_basic off; }", true),
            ("deny all; location / { allow all; }", false),
            ("auth_basic x; location / { auth_basic off; }", false),
            (
                "auth_basic x; location / { limit_except GET { deny all; } auth_basic off; }",
                true,
            ),
            ("internal; location / { }", false),
            ("allow all; location / { }", false),
            ("location / { internal; }", true),
        ] {
            let (tree, _) = parse(&"a".into(), text);
            let location = tree.last().unwrap();
            let scope = NginxScope(vec![&tree, location.inside()]);
            assert_eq!(is_guarded(&scope), guarded, "{text}");
        }
    }

    #[test]
    fn no_family_switches_another_off() {
        let words = [
            "deny all",
            "auth_basic staff",
            "auth_request /asked",
            "auth_jwt staff",
            "auth_oidc staff",
            "auth_digest staff",
            "auth_gss on",
            "auth_ldap staff",
            "auth_pam staff",
            "secure_link $arg_md5",
            "limit_except GET",
            "access_by_lua_block x",
        ];
        let guarded = |outer: &str, inner: &str| {
            let (tree, _) = parse(&"a".into(), &format!("{outer}; location / {{ {inner}; }}"));
            let scope = NginxScope(vec![&tree, tree.last().unwrap().inside()]);
            is_guarded(&scope)
        };
        let name = |words: &str| words.split(' ').next().unwrap_or_default().to_owned();
        let off = |words: &str| match name(words).as_str() {
            "deny" => "allow all".to_owned(),
            name => format!("{name} off"),
        };
        let mut wrong = Vec::new();
        for own in words {
            let mut others = words.iter().filter(|other| name(other) != name(own));
            let is_held = others.all(|other| guarded(own, &off(other)));
            let is_asked = guarded(own, "x") && guarded("x", own) && !guarded(own, &off(own));
            if !(is_held && is_asked) {
                wrong.push(own);
            }
        }
        assert_eq!(wrong, Vec::<&str>::new());
    }
}

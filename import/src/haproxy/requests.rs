//! HAProxy's rules for requests and answers: fields, redirects to https, and whom a section turns away.
//!
//! Invariant: a rule that turns some away, by a path or by who they are, closes that path, or all, for everybody: nothing is opened
//! that was closed. A rule that turns a few known addresses away closes nothing, and is told of.
//!
//! Left out on purpose: other paths and bodies. Nothing of a head is rewritten but by rules for fields.

use super::HaproxyReader;
use super::conditions::{Acls, Conjunction, Factor};
use super::lexer::Words;
use crate::rules::{FieldRule, request_rule};
use crate::site::Headers;

/// What a line does to the routes and listeners of its section.
pub(super) enum RequestEffect {
    Nothing,
    /// Nobody reaches these paths.
    Closed(Vec<String>),
    /// Nobody reaches anything.
    Shut,
    /// Clients in clear are sent to https, but for these paths.
    ToHttps(Vec<String>),
}

const CLOSED: &str = "nobody is turned away by a rule of the proxy's: no route leads to what this guards, for anybody. Write one when the \
                      application protects it (security-constraint, RemoteAddrValve)";

/// The rule for a field that a line is: towards Tomcats, its name and what it becomes.
fn field_rule(line: &Words) -> Option<(bool, String, FieldRule<'_>)> {
    let conditional = |at: usize| !line.from(at).is_empty();
    let made = |value: &str, at: usize| value.contains('%') || conditional(at);
    match (line.word(0), line.word(1)) {
        ("http-request", "set-header" | "add-header") => {
            let rule = request_rule(line.word(2), line.word(3), made(line.word(3), 4));
            Some((true, line.word(2).to_owned(), rule))
        }
        ("http-response", "set-header" | "add-header") => {
            let rule = if made(line.word(3), 4) {
                FieldRule::Made
            } else {
                FieldRule::Set(line.word(3))
            };
            Some((false, line.word(2).to_owned(), rule))
        }
        ("http-request" | "http-response", "del-header") => {
            let rule = if conditional(3) {
                FieldRule::Made
            } else {
                FieldRule::Unset
            };
            Some((line.word(0) == "http-request", line.word(2).to_owned(), rule))
        }
        ("reqadd" | "rspadd", text) => {
            let (name, value) = text.split_once(':')?;
            let (to_tomcats, value) = (line.word(0) == "reqadd", value.trim());
            let rule = match to_tomcats {
                true => request_rule(name, value, conditional(2)),
                false if conditional(2) => FieldRule::Made,
                false => FieldRule::Set(value),
            };
            Some((to_tomcats, name.to_owned(), rule))
        }
        ("reqdel" | "reqidel" | "rspdel" | "rspidel", expression) => {
            let name = expression
                .trim_start_matches('^')
                .split(':')
                .next()
                .unwrap_or_default();
            let plain = !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let rule = if plain && !conditional(2) {
                FieldRule::Unset
            } else {
                FieldRule::Made
            };
            Some((line.word(0).starts_with("req"), name.to_owned(), rule))
        }
        _ => None,
    }
}

/// The rules for fields of some lines.
pub(super) fn rules<'t>(lines: impl Iterator<Item = &'t Words>) -> Headers {
    let mut headers = Headers::default();
    for line in lines {
        if let Some((to_tomcats, name, rule)) = field_rule(line) {
            let rules = if to_tomcats {
                &mut headers.request
            } else {
                &mut headers.response
            };
            rule.note(rules, &name, &line.line);
        }
    }
    headers
}

impl<'t> HaproxyReader<'t> {
    /// Tells of a rule for requests or answers, and gives what it does.
    pub(super) fn request_line(&mut self, line: &Words, acls: &Acls<'_>) -> RequestEffect {
        if let Some((_, _, rule)) = field_rule(line) {
            rule.tell(&mut self.report, &line.line);
            return RequestEffect::Nothing;
        }
        let (action, at) = match line.word(0) {
            "redirect" => ("redirect", 1),
            "reqdeny" | "reqideny" | "reqtarpit" | "reqitarpit" => ("deny", 2),
            _ => (line.word(1), 2),
        };
        match action {
            "redirect" => self.redirect(line, at, acls),
            "deny" | "tarpit" | "reject" | "silent-drop" | "auth" | "return" => {
                self.refuse(line, action, at, acls)
            }
            "capture"
            | "set-log-level"
            | "track-sc0"
            | "track-sc1"
            | "track-sc2"
            | "set-var"
            | "set-var-fmt"
            | "unset-var"
            | "set-priority-class"
            | "set-priority-offset"
            | "sc-inc-gpc0"
            | "sc-inc-gpc1"
            | "sc-set-gpt0"
            | "normalize-uri"
            | "disable-l7-retry"
            | "set-mark"
            | "set-tos"
            | "set-nice"
            | "wait-for-handshake"
            | "wait-for-body"
            | "cache-use"
            | "cache-store"
            | "strict-mode"
            | "do-resolve" => {
                let why = "nothing here depends on it: the proxy counts and logs by itself, and repeats by what may have happened";
                self.report.differs(&line.line, why);
                RequestEffect::Nothing
            }
            "set-path" | "set-pathq" | "replace-path" | "replace-pathq" | "set-uri" | "replace-uri"
            | "set-query" | "set-method" | "replace-header" | "replace-value" | "set-status" | "set-src"
            | "set-dst" | "set-src-port" | "set-dst-port" | "set-map" | "del-map" | "add-acl" | "del-acl"
            | "use-service" => {
                let why = "a path there is a route's `to`, and nothing else of a head is rewritten: Tomcat's RewriteValve takes such rules, or the \
                           application";
                self.report.unsupported(&line.line, why);
                RequestEffect::Nothing
            }
            action if action.starts_with("lua.") => {
                self.report.unsupported(
                    &line.line,
                    "no programs run in the proxy: let the application do it",
                );
                RequestEffect::Nothing
            }
            _ => {
                self.report.not_understood(&line.line);
                RequestEffect::Nothing
            }
        }
    }

    fn redirect(&mut self, line: &Words, at: usize, acls: &Acls<'_>) -> RequestEffect {
        let words = line.from(at);
        let condition = words
            .iter()
            .position(|word| matches!(word.as_str(), "if" | "unless"))
            .unwrap_or(words.len());
        let to_https = words.first().is_some_and(|word| word == "scheme")
            && words
                .get(1)
                .is_some_and(|word| word.eq_ignore_ascii_case("https"));
        let except = acls
            .condition(&words[condition..])
            .and_then(|alternatives| in_clear(&alternatives));
        match except.filter(|_| to_https) {
            Some(except) => {
                self.report.same(&line.line, "redirect = \"https\" of the listeners in clear, with 301 where a client reads and 308 otherwise");
                RequestEffect::ToHttps(except)
            }
            None => {
                let why = "clients are sent to https alone, by a listener and but for paths: let the application send them on, or Tomcat's \
                           RewriteValve";
                self.report.unsupported(&line.line, why);
                RequestEffect::Nothing
            }
        }
    }

    fn refuse(&mut self, line: &Words, action: &str, at: usize, acls: &Acls<'_>) -> RequestEffect {
        let words = line.from(at);
        let condition = words
            .iter()
            .position(|word| matches!(word.as_str(), "if" | "unless"));
        let words = condition.map_or(&[][..], |at| &words[at..]);
        let alternatives = acls.condition(words).unwrap_or_default();
        let closed: Option<Vec<String>> = alternatives
            .iter()
            .map(path_of)
            .collect::<Option<Vec<_>>>()
            .map(|all| all.concat());
        let closed = closed.filter(|closed| !closed.is_empty() && !closed.iter().any(|path| path == "/"));
        if let Some(closed) = closed {
            self.report.unsupported(&line.line, CLOSED);
            return RequestEffect::Closed(closed);
        }
        // A known few are turned away, or whoever is not known.
        let is_few = |(not, factors): &(bool, Option<Vec<Factor>>)| {
            !not && !matches!(factors.as_deref(), Some([Factor::Always]))
        };
        let few = !alternatives.is_empty()
            && alternatives
                .iter()
                .all(|one| !one.is_empty() && one.iter().all(is_few));
        if action != "auth" && few {
            let why = "nobody is turned away by a rule of the proxy's: whom this meets comes in. Let the application do it, or what stands in front";
            self.report.unsupported(&line.line, why);
            return RequestEffect::Nothing;
        }
        self.report
            .unsupported(&line.line, format!("{CLOSED}; that is all of this section"));
        RequestEffect::Shut
    }
}

/// The paths that stay in clear, of a condition that holds for clients in clear.
fn in_clear(alternatives: &[Conjunction]) -> Option<Vec<String>> {
    let [one] = alternatives else { return None };
    let mut except = Vec::new();
    for (not, factors) in one {
        match (not, factors.as_deref()?) {
            (true, [Factor::Secured]) | (false, [Factor::Always]) => {}
            (true, factors) => {
                for factor in factors {
                    let Factor::Paths(paths) = factor else { return None };
                    except.extend(paths.iter().map(|path| path.is.clone()));
                }
            }
            _ => return None,
        }
    }
    Some(except)
}

/// The paths that a conjunction is about, whatever else it asks.
fn path_of(conjunction: &Conjunction) -> Option<Vec<String>> {
    conjunction
        .iter()
        .find_map(|(not, factors)| match (not, factors.as_deref()?) {
            (false, factors) => {
                let mut paths = Vec::new();
                for factor in factors {
                    let Factor::Paths(own) = factor else { return None };
                    paths.extend(own.iter().map(|path| path.is.clone()));
                }
                Some(paths)
            }
            _ => None,
        })
}

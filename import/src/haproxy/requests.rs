//! HAProxy's rules for requests and answers: fields, redirects to https, and whom a section turns away.
//!
//! Invariant: a rule that turns some away, by a path or by who they are, closes that path, or all, for everybody: nothing is opened
//! that was closed. A rule that turns a few known addresses away closes nothing, and is told of.
//!
//! Left out on purpose: other paths and bodies. Nothing of a head is rewritten but by rules for fields.

use super::HaproxyReader;
use super::conditions::{Acls, BELOW, CASE, Conjunction, Factor, WHOLE, Where};
use super::lexer::Words;
use crate::meeting::is_at_or_below;
use crate::replay::{ForeignPath, ForeignRule, Going};
use crate::rules::{FieldRule, request_rule};
use crate::site::Headers;

/// What a line does to the routes and listeners of its section.
#[must_use]
pub(super) enum RequestEffect {
    Nothing,
    /// Nobody reaches some paths, or anything.
    Refused(Guard),
    /// Clients in clear are sent to https, but for these paths.
    ToHttps(Vec<String>),
}

/// What rules that turn some away close, for everybody.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    /// Paths, with what is below.
    pub(super) closed: Vec<Where>,
    /// Whether that is everything.
    pub(super) shut: bool,
    /// What HAProxy decides by it.
    pub(super) rules: Vec<ForeignRule>,
}

impl Guard {
    pub(super) fn add(&mut self, other: Guard) {
        self.closed.extend(other.closed);
        self.shut |= other.shut;
        self.rules.extend(other.rules);
    }

    /// Whether a path is among what is closed.
    pub(super) fn closes(&self, path: &str) -> bool {
        let one = |closed: &Where| {
            closed.is == path || (!closed.but.contains(&BELOW) && is_at_or_below(path, &closed.is))
        };
        self.shut || self.closed.iter().any(one)
    }

    fn rule(&mut self, path: ForeignPath, going: Going) {
        self.rules.push(ForeignRule {
            hosts: Vec::new(),
            path,
            going,
        });
    }
}

const OPEN: &str = "nobody is turned away by a rule of the proxy's: what this guards is OPEN here, and whom it meets comes in. Let the \
                    application do it, or what stands in front";
const OPEN_BESIDE: &str = "OPEN here: what merely begins with these letters and is no segment of its own, as /manager.jsp beside /manager";
const OPEN_CASES: &str = "OPEN here: these paths in any other spelling. Case counts here, and closed are the path as it is written and that \
                          of small letters";

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

/// Actions that turn whom they meet away.
const REFUSALS: &[&str] = &["deny", "tarpit", "reject", "silent-drop", "auth", "return"];

/// What a rule does, and at which word its condition may begin.
fn action(line: &Words) -> (&str, usize) {
    match line.word(0) {
        "redirect" => ("redirect", 1),
        "block" => ("deny", 1),
        "reqdeny" | "reqideny" | "reqtarpit" | "reqitarpit" => ("deny", 2),
        "tcp-request" => (line.word(2), 3),
        _ => (line.word(1), 2),
    }
}

/// Whether a line turns some away or sends them on: what a section has of these from its defaults holds in it.
pub(super) fn is_guard(line: &Words) -> bool {
    let is_rule = matches!(
        line.word(0),
        "http-request"
            | "http-response"
            | "redirect"
            | "block"
            | "reqdeny"
            | "reqideny"
            | "reqtarpit"
            | "reqitarpit"
            | "tcp-request"
    );
    let (action, _) = action(line);
    is_rule && (action == "redirect" || REFUSALS.contains(&action))
}

impl<'t> HaproxyReader<'t> {
    /// Tells of a rule for requests or answers, and gives what it does.
    pub(super) fn request_line(&mut self, line: &Words, acls: &Acls<'_>) -> RequestEffect {
        if let Some((_, _, rule)) = field_rule(line) {
            rule.tell(&mut self.report, &line.line);
            return RequestEffect::Nothing;
        }
        let (action, at) = action(line);
        match action {
            "redirect" => self.redirect(line, at, acls),
            _ if REFUSALS.contains(&action) => self.refuse(line, action, at, acls),
            "allow" => {
                let why = "nobody is let past the rules behind it: what these close is closed for those as well whom this lets in";
                self.report.differs(&line.line, why);
                RequestEffect::Nothing
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
            Some(except) => RequestEffect::ToHttps(except),
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
        let mut guard = Guard::default();
        // What is no condition turns everybody away.
        let alternatives = acls.condition(words).unwrap_or_else(|| vec![Vec::new()]);
        let about_paths = is_about_paths(line, acls);
        let mut open = false;
        for one in &alternatives {
            match path_of(one) {
                Some(paths) if can_be_closed(&paths) => {
                    let going = || {
                        if one.len() == 1 {
                            Going::Nowhere
                        } else {
                            Going::Guarded
                        }
                    };
                    paths.iter().for_each(|path| guard.rule(path.asked(), going()));
                    guard.closed.extend(paths);
                }
                _ if action != "auth" && is_few(one) => {
                    open = true;
                    if about_paths {
                        guard.rule(ForeignPath::Unknown, Going::Nowhere);
                    }
                }
                _ => {
                    guard.shut = true;
                    guard.rule(ForeignPath::Begins("/".to_owned()), Going::Guarded);
                }
            }
        }
        self.tell_of_guard(line, &guard, open);
        RequestEffect::Refused(guard)
    }

    fn tell_of_guard(&mut self, line: &Words, guard: &Guard, open: bool) {
        let has = |but| guard.closed.iter().any(|path| path.but.contains(&but));
        let closes = !guard.closed.is_empty() && !guard.shut;
        let all = format!("{CLOSED}; that is all of this section");
        for (is_so, why) in [
            (guard.shut, &*all),
            (closes, CLOSED),
            (closes && has(WHOLE), OPEN_BESIDE),
            (closes && has(CASE), OPEN_CASES),
            (open && !guard.shut, OPEN),
        ] {
            if is_so {
                self.report.unsupported(&line.line, why);
            }
        }
    }
}

/// Whether paths can be excepted from routes: all but the root.
fn can_be_closed(paths: &[Where]) -> bool {
    let one = |path: &Where| path.is != "/" && crate::paths::is_plain(&path.is);
    !paths.is_empty() && paths.iter().all(one)
}

/// Whether a conjunction turns a few away, and not whoever is not known: it asks for something, and turns nothing round but beside
/// what is not understood.
fn is_few(conjunction: &Conjunction) -> bool {
    let is_root = |factors: &Option<Vec<Factor>>| {
        let root = |factor: &Factor| match factor {
            Factor::Always => true,
            Factor::Paths(paths) => paths.iter().any(|path| path.is == "/" && path.but.is_empty()),
            _ => false,
        };
        factors.iter().flatten().any(root)
    };
    let asks = |(not, factors): &(bool, Option<Vec<Factor>>)| !not && !is_root(factors);
    let is_unknown = |(not, factors): &(bool, Option<Vec<Factor>>)| !not && factors.is_none();
    let all = !conjunction.is_empty() && conjunction.iter().all(asks);
    all || conjunction.iter().any(is_unknown)
}

/// Whether a rule's words, or those of an acl that it names, are about paths.
fn is_about_paths(line: &Words, acls: &Acls<'_>) -> bool {
    let is = |word: &String| {
        ["path", "url", "base", "capture.req.uri", "query"]
            .iter()
            .any(|fetch| word.starts_with(fetch))
    };
    let named = |word: &String| {
        acls.tests(word.trim_start_matches('!'))
            .any(|test| test.iter().any(is))
    };
    let old = line.word(0).starts_with("req");
    old || line.words.iter().any(|word| is(word) || named(word))
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
fn path_of(conjunction: &Conjunction) -> Option<Vec<Where>> {
    conjunction
        .iter()
        .find_map(|(not, factors)| match (not, factors.as_deref()?) {
            (false, factors) => {
                let mut paths = Vec::new();
                for factor in factors {
                    let Factor::Paths(own) = factor else { return None };
                    paths.extend(own.iter().cloned());
                }
                Some(paths)
            }
            _ => None,
        })
}

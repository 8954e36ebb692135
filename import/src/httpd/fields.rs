//! mod_headers: rules for fields, and the cookie by which httpd's recipe marks the route.
//!
//! Invariant: a rule with a condition, or with a value that is made anew for each request, is not taken, because ours would hold for all.

use remora_policy::FieldRules;

use crate::report::Report;
use crate::site::{Headers, Piece};
use crate::source::Line;

use super::draft::{Draft, RouteMark};
use super::tree::Directive;

/// What the marking cookie's condition is called.
const CHANGED: &str = "env=BALANCER_ROUTE_CHANGED";

/// What stands for the route in the marking cookie.
const ROUTE: &str = "%{BALANCER_WORKER_ROUTE}e";

/// Fields by which Tomcat's SSLValve is told of a client's certificate.
const SSL_VALVE: [&str; 3] = ["ssl_client_cert", "ssl_cipher", "ssl_cipher_usekeysize"];

/// `Header` or `RequestHeader`.
pub(super) fn read(
    statement: &Directive,
    scope: usize,
    location: Option<&str>,
    draft: &mut Draft,
    report: &mut Report,
) {
    let mut words: Vec<&str> = statement.words.iter().map(String::as_str).collect();
    let is_request = statement.name == "requestheader";
    if words
        .first()
        .is_some_and(|word| matches!(&*word.to_ascii_lowercase(), "always" | "onsuccess"))
    {
        words.remove(0);
    }
    let [action, name, rest @ ..] = words.as_slice() else {
        report.unsupported(&statement.line, "not understood: no field is named");
        return;
    };
    let (action, name) = (action.to_ascii_lowercase(), name.trim_end_matches(':').to_owned());
    let line = &statement.line;
    if !is_request && name.eq_ignore_ascii_case("set-cookie") {
        cookie(statement, &action, rest, draft, report);
        return;
    }
    let (value, conditions) = match action.as_str() {
        "unset" => ("", rest),
        _ => value_of(rest),
    };
    if let Some(condition) = conditions.iter().find(|word| !word.eq_ignore_ascii_case("early")) {
        report.unsupported(line, format!("rules for fields hold always here, without `{condition}`: let a filter of the application do that"));
        return;
    }
    if is_request && action == "set" && own(&name, value, scope, draft, line, report) {
        return;
    }
    if let Some(headers) = rule(&action, name, value, is_request, line, report) {
        draft.scopes[scope]
            .headers
            .push((location.map(str::to_owned), headers));
    }
}

/// A field's value, and the conditions behind it.
fn value_of<'a, 's>(rest: &'s [&'a str]) -> (&'a str, &'s [&'a str]) {
    rest.split_first()
        .map_or(("", rest), |(value, conditions)| (*value, conditions))
}

/// A rule for a field, if ours can say it.
fn rule(
    action: &str,
    name: String,
    value: &str,
    is_request: bool,
    line: &Line,
    report: &mut Report,
) -> Option<Headers> {
    if action == "set" && value.contains('%') {
        let why = "a value is a text here, and nothing of a request is put into it: let a filter of the application write it";
        report.unsupported(line, why);
        return None;
    }
    if !FieldRules::may_name(name.as_bytes()) {
        let why = format!(
            "the proxy takes no rule about `{name}`: it writes that field itself, or the message rests on it"
        );
        report.differs(line, why);
        return None;
    }
    let mut headers = Headers::default();
    let rules = if is_request {
        &mut headers.request
    } else {
        &mut headers.response
    };
    match action {
        "set" => {
            rules.set.push((name, value.to_owned(), line.clone()));
            report.becomes(Piece::Rule, line, "a rule for a field");
        }
        "unset" => {
            rules.unset.push((name, line.clone()));
            report.becomes(Piece::Rule, line, "a rule for a field");
        }
        "setifempty" => {
            rules.set.push((name, value.to_owned(), line.clone()));
            report.differs(
                line,
                "`set` replaces what the other side wrote; httpd writes it only where nothing is",
            );
        }
        _ => {
            let why = format!(
                "`{action}` changes or adds to what is there: rules set a field or take it out. Let a filter of the application do that"
            );
            report.unsupported(line, why);
            return None;
        }
    }
    Some(headers)
}

/// Fields of requests that the proxy writes itself; whether it is one.
fn own(name: &str, value: &str, scope: usize, draft: &mut Draft, line: &Line, report: &mut Report) -> bool {
    let secured = &mut draft.scopes[scope].secured;
    let name = name.to_ascii_lowercase();
    if SSL_VALVE.contains(&&*name) {
        secured.told = vec!["sslvalve"];
        report.same(
            line,
            "`fields` of [listen.tls.clients] tells Tomcat's SSLValve of a client's certificate",
        );
        return true;
    }
    if !name.starts_with("x-forwarded-") || FieldRules::may_name(name.as_bytes()) {
        return false;
    }
    if name == "x-forwarded-proto" && value == "https" && secured.on {
        report.same(line, "the proxy writes that field itself, by how the client came");
    } else {
        let why = "the proxy writes that field itself, by how the client came; behind a balancer that ends TLS, `trust` believes what that says";
        report.differs(line, why);
    }
    true
}

/// `Header add Set-Cookie "NAME=.%{BALANCER_WORKER_ROUTE}e; path=/" env=BALANCER_ROUTE_CHANGED`.
fn cookie(statement: &Directive, action: &str, rest: &[&str], draft: &mut Draft, report: &mut Report) {
    let line = &statement.line;
    let (value, conditions) = value_of(rest);
    let is_mark = matches!(action, "add" | "set") && value.contains(ROUTE);
    if !is_mark {
        report.unsupported(line, "cookies pass as the application wrote them, but for paths and domains that are mapped back: let it set what this line sets");
        return;
    }
    if !conditions
        .iter()
        .any(|condition| condition.eq_ignore_ascii_case(CHANGED))
    {
        report.differs(
            line,
            "the route cookie is sent when the route changes, not with each answer",
        );
    }
    let mut parts = value.split(';').map(str::trim);
    let name = parts
        .next()
        .and_then(|pair| pair.split_once('='))
        .map_or("", |(name, _)| name);
    let attributes = parts.filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.trim().to_ascii_lowercase(), value.trim().to_owned())
    });
    draft.marks.push(RouteMark {
        name: name.to_owned(),
        attributes: attributes.collect(),
        line: line.clone(),
    });
}

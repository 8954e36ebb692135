//! What a rule of nginx or HAProxy for a field becomes: nothing, because the proxy does it by itself; a rule of ours; or nothing that
//! can be held.
//!
//! Left out on purpose: who the rule is for. That is the reader's to know.

use crate::report::Report;
use crate::site::{FieldRules, Piece};
use crate::source::Line;

/// What a rule for a field is.
pub(crate) enum FieldRule<'a> {
    /// The proxy does it by itself; a sentence.
    Own(&'static str),
    /// The proxy does it otherwise; how.
    Otherwise(&'static str),
    /// The field gets this text.
    Set(&'a str),
    /// The field is taken out.
    Unset,
    /// The value is made of others, or there is a condition.
    Made,
}

/// What a field for Tomcats becomes; `made` says whether the value is made of others.
pub(crate) fn request_rule<'a>(name: &str, value: &'a str, made: bool) -> FieldRule<'a> {
    match name.to_ascii_lowercase().as_str() {
        "host" => FieldRule::Otherwise("Tomcat gets the Host that was asked for, and no other"),
        "upgrade" | "connection" => {
            FieldRule::Own("WebSockets pass by themselves, and connections to Tomcats are kept")
        }
        "x-forwarded-for" if value.contains("$proxy_add_") => FieldRule::Otherwise(
            "the proxy says who asked in X-Forwarded-*, in each request; a chain that a client brings goes on from `trust` alone, and is dropped \
             of all others",
        ),
        "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-server" | "forwarded" => FieldRule::Own(
            "the proxy says who asked in X-Forwarded-*, in each request; what a client says there counts from `trust` alone",
        ),
        "x-forwarded-proto" | "x-forwarded-port" => FieldRule::Own(
            "the proxy says by which scheme and port the client came to it; where TLS ends in front of it, whoever ends it says so, and is in \
             `trust`",
        ),
        "x-real-ip" | "x-client-ip" => FieldRule::Otherwise(
            "this field is not written: Tomcat's RemoteIpValve, and most frameworks, read X-Forwarded-For, which is",
        ),
        _ if made => FieldRule::Made,
        _ if value.is_empty() => FieldRule::Unset,
        _ => FieldRule::Set(value),
    }
}

impl FieldRule<'_> {
    /// Writes it down, if it is one of ours.
    pub(crate) fn note(&self, rules: &mut FieldRules, name: &str, line: &Line) {
        match self {
            FieldRule::Set(value) => rules
                .set
                .push((name.to_owned(), (*value).to_owned(), line.clone())),
            FieldRule::Unset => rules.unset.push((name.to_owned(), line.clone())),
            _ => {}
        }
    }

    /// Tells of it.
    pub(crate) fn tell(&self, report: &mut Report, line: &Line) {
        match self {
            FieldRule::Own(why) => report.same(line, *why),
            FieldRule::Otherwise(why) => report.differs(line, *why),
            FieldRule::Set(_) => {
                let why = "a rule for this field on the routes that it holds for";
                report.becomes(Piece::Rule, line, why);
            }
            FieldRule::Unset => report.becomes(Piece::Rule, line, "a rule that takes this field out"),
            FieldRule::Made => {
                let why = "a field's value is a text, without conditions: one that is made of others has to be written by the application (a \
                           filter)";
                report.unsupported(line, why);
            }
        }
    }
}

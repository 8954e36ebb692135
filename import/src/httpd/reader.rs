//! From directives to what they say: each word to the module of its family.
//!
//! Invariant: a word that no family takes is told of by nobody here, so that the report finds it.

use crate::report::Report;
use crate::settle::TIME_MAX;
use crate::write::period;

use super::draft::{Draft, Param, Reverse, Scope};
use super::params::time;
use super::tree::Directive;
use super::{balancers, fields, guards, hosts, jk, known, passes, rewrite, tls};

/// Reads directives of a server, under the path of a Location if they stand in one.
pub(super) fn read(
    statements: &[Directive],
    scope: usize,
    location: Option<&str>,
    draft: &mut Draft,
    report: &mut Report,
) {
    for statement in statements {
        if location.is_none()
            && statement.name.starts_with("<if") | statement.name.starts_with("<else")
            && guards::closes(statement)
        {
            report.unsupported(&statement.line, guards::OPEN);
        }
        if guards::grants(statement) {
            let path = location.map(str::to_owned);
            draft.scopes[scope].grants.push((path, statement.line.clone()));
            continue;
        }
        if operators(statement, report) || known::tell(statement, report) {
            continue;
        }
        match &statement.undefined {
            None => one(statement, scope, location, draft, report),
            Some(variable) => {
                let why = format!(
                    "{variable} is defined nowhere in these files, so that the line means nothing here: put `Define {variable} VALUE` into a \
                     file in front of them"
                );
                report.unsupported(&statement.line, why);
                for inner in guards::closing(statement) {
                    report.unsupported(&inner.line, guards::OPEN);
                }
                for inner in statement.inner.iter().flat_map(Directive::all) {
                    report.unsupported(&inner.line, format!("in {}: not read", statement.line.text));
                }
            }
        }
    }
    let unused = std::mem::take(&mut draft.scopes[scope].conditions);
    for line in rewrite::lines(&unused) {
        report.unsupported(line, "a condition without a rule behind it");
    }
}

/// Pages for operators; whether it is one.
fn operators(statement: &Directive, report: &mut Report) -> bool {
    let word = statement.word(0).to_ascii_lowercase();
    let pages = ["balancer-manager", "server-status", "server-info", "jk-status"];
    let is_page = statement.name == "sethandler" && pages.contains(&&*word);
    if is_page {
        let why = "operators are answered at [control]: `remora upstreams`, `remora status`, /metrics, and the console in a browser";
        report.differs(&statement.line, why);
    }
    is_page
}

fn one(statement: &Directive, scope: usize, location: Option<&str>, draft: &mut Draft, report: &mut Report) {
    match &*statement.name {
        "<virtualhost" => {
            let inherited = Scope {
                preserve_host: draft.scopes[0].preserve_host,
                encoded_slash: draft.scopes[0].encoded_slash,
                ..Scope::default()
            };
            draft.scopes.push(hosts::open(statement, inherited, report));
            let inside = draft.scopes.len() - 1;
            read(&statement.inner, inside, None, draft, report);
        }
        "listen" => hosts::listen(statement, draft, report),
        "servername" | "serveralias" => hosts::name(statement, &mut draft.scopes[scope], report),
        "<proxy" => {
            let url = statement.word(0);
            let named = url.contains("://") && !url.starts_with("balancer://*");
            let name = named.then(|| draft.name_of_target(url, &statement.line));
            guards::shut(statement, name.as_deref(), &mut draft.scopes[scope], report);
            balancers::section(statement, draft, report);
        }
        "balancermember" | "proxyset" => balancers::outside(statement, draft, report),
        "<location" | "<locationmatch" => in_location(statement, scope, draft, report),
        "proxypass" | "proxypassmatch" | "proxypassreverse" => {
            passes::read(statement, scope, location, draft, report);
        }
        "proxypassreversecookiepath" => draft.scopes[scope].cookie_paths.push(Reverse {
            path: statement.word(1).to_owned(),
            url: statement.word(0).to_owned(),
            line: statement.line.clone(),
        }),
        "header" | "requestheader" => fields::read(statement, scope, location, draft, report),
        "rewriteengine" | "rewritecond" | "rewriterule" | "redirect" | "redirectpermanent"
        | "redirecttemp" | "redirectmatch" => {
            rewrite::read(statement, scope, draft, report);
        }
        name if name.starts_with("jk") => jk::read(statement, scope, draft, report),
        name if location.is_some() && name.starts_with("sslverify") => report.unsupported(
            &statement.line,
            "clients are asked for certificates at a [[listen]], and not by path: those of the server hold here as well",
        ),
        _ if tls::read(statement, scope, draft, report) => {}
        _ => setting(statement, scope, draft, report),
    }
}

fn in_location(statement: &Directive, scope: usize, draft: &mut Draft, report: &mut Report) {
    let is_expression = statement.name == "<locationmatch" || statement.word(0) == "~";
    let path = match (is_expression, statement.words.as_slice()) {
        (false, [path, ..]) if path.starts_with('/') => Some(path.clone()),
        (true, [.., expression]) => passes::plain(expression),
        _ => None,
    };
    for inner in guards::closing(statement) {
        let scope = &mut draft.scopes[scope];
        match (is_expression, statement.words.as_slice()) {
            (true, [.., expression]) => guards::close_expression(expression, &inner.line, scope, report),
            (_, [path, ..]) => guards::close(path, &inner.line, scope, report),
            _ => report.unsupported(&inner.line, guards::OPEN),
        }
    }
    let Some(path) = path else {
        let why = "an expression that is no path: routes and their rules are for paths of whole segments";
        for inner in statement.all() {
            report.unsupported(&inner.line, why);
        }
        return;
    };
    report.same(
        &statement.line,
        format!("what stands in it is read for the path {path}"),
    );
    read(&statement.inner, scope, Some(&path), draft, report);
}

/// Single values.
fn setting(statement: &Directive, scope: usize, draft: &mut Draft, report: &mut Report) {
    let (line, word) = (&statement.line, statement.word(0));
    let is_on = word.eq_ignore_ascii_case("on");
    match &*statement.name {
        "proxypreservehost" => {
            draft.scopes[scope].preserve_host = is_on;
            if is_on {
                report.same(line, "the Host that was asked for goes to the Tomcat, always");
            } else {
                report.differs(line, "the Host that was asked for goes to the Tomcat, always");
            }
        }
        "allowencodedslashes" => {
            draft.scopes[scope].encoded_slash = !word.eq_ignore_ascii_case("off");
            report.same(line, "`encoded_slash` of the routes");
            if is_on {
                report.differs(line, "%2F passes as it is, as with NoDecode");
            }
        }
        "proxytimeout" | "timeout" | "keepalivetimeout" => times(statement, draft, report),
        "limitrequestline" | "limitrequestfields" => {
            let (key, range) = match &*statement.name {
                "limitrequestline" => ("target_bytes", 1_024..=16_777_216),
                _ => ("request_fields", 1..=1_000_000),
            };
            match word.parse::<u32>() {
                Ok(count) if range.contains(&count) => {
                    draft.limit(key, count.to_string(), line);
                    report.same(line, format!("`limits.{key}`"));
                }
                _ => report.differs(
                    line,
                    format!(
                        "`limits.{key}` keeps its default: it takes {} to {}",
                        range.start(),
                        range.end()
                    ),
                ),
            }
        }
        "requestreadtimeout" => slow_clients(statement, draft, report),
        "remoteipheader" | "remoteipinternalproxy" | "remoteiptrustedproxy" | "remoteipproxyprotocol" => {
            trust(statement, draft, report);
        }
        "proxyhctemplate" => {
            let params = statement
                .words
                .iter()
                .skip(1)
                .filter_map(|word| Param::read(word, line))
                .collect();
            draft.templates.push((word.to_owned(), params));
            report.same(line, "said of the members that name it");
        }
        "proxyhcexpr" => {
            let expression = statement.words[1.min(statement.words.len())..].join(" ");
            draft
                .expressions
                .push((word.to_owned(), expression, line.clone()));
        }
        _ => {}
    }
}

fn times(statement: &Directive, draft: &mut Draft, report: &mut Report) {
    let line = &statement.line;
    let Some(time) = time(statement.word(0)).filter(|time| !time.is_zero()) else {
        report.unsupported(line, "no time: left out");
        return;
    };
    if time > TIME_MAX {
        report.differs(line, "a time is a day at most");
    }
    let value = period(time.min(TIME_MAX));
    match &*statement.name {
        "proxytimeout" => {
            draft.limit("response", value.clone(), line);
            draft.limit("idle", value, line);
            report.differs(line, "`limits.response`, a deadline for the head of an answer, and `limits.idle`, for rests in a body; httpd has one for each wait");
        }
        "keepalivetimeout" => {
            draft.limit("client_idle", value, line);
            report.same(line, "`limits.client_idle`");
        }
        _ => {
            if !draft.settings.iter().any(|setting| setting.key == "idle") {
                draft.limit("idle", value, line);
            }
            report.differs(line, "`limits.idle`, for rests in a body; `limits.response` is for answers, and clients have `limits.request_head`");
        }
    }
}

/// `RequestReadTimeout header=20-40,MinRate=500 body=20,MinRate=500`.
fn slow_clients(statement: &Directive, draft: &mut Draft, report: &mut Report) {
    let line = &statement.line;
    for word in &statement.words {
        let (part, rule) = word.split_once('=').unwrap_or((word, ""));
        let (times, rate) = rule.split_once(',').unwrap_or((rule, ""));
        let longest = times
            .rsplit('-')
            .next()
            .and_then(time)
            .filter(|time| !time.is_zero());
        let rate = rate
            .split_once('=')
            .and_then(|(_, rate)| rate.parse::<u32>().ok());
        match (&*part.to_ascii_lowercase(), longest, rate) {
            ("header", Some(longest), _) => {
                draft.limit("request_head", period(longest), line);
                report.differs(line, "header: `limits.request_head` bounds a head in all");
            }
            ("body", _, Some(rate)) => {
                draft.limit("request_bytes_per_second", rate.to_string(), line);
                report.differs(
                    line,
                    "body: `limits.request_bytes_per_second`, with `limits.client_grace` to fall behind",
                );
            }
            ("handshake", Some(longest), _) => {
                draft.limit("handshake", period(longest), line);
                report.same(line, "handshake: `limits.handshake`");
            }
            _ => report.differs(
                line,
                format!("{word}: what is usual holds (`limits` in docs/proxy.md)"),
            ),
        }
    }
}

/// mod_remoteip: whom to believe about the client.
fn trust(statement: &Directive, draft: &mut Draft, report: &mut Report) {
    let (line, word) = (&statement.line, statement.word(0));
    match &*statement.name {
        "remoteipheader" if word.eq_ignore_ascii_case("x-forwarded-for") => {
            report.same(line, "`trust`, of X-Forwarded-For");
        }
        "remoteipheader" => report.unsupported(
            line,
            format!("`{word}` is not read: let the balancer in front write X-Forwarded-For or Forwarded"),
        ),
        "remoteipproxyprotocol" => {
            report.unsupported(line, "write `proxy_protocol` into the [[listen]], with the networks of the balancers: from others a PROXY header is refused");
        }
        _ => {
            for network in &statement.words {
                if is_network(network) {
                    draft.trust.networks.push(network.clone());
                    draft.trust.origin.add(line);
                    report.same(line, format!("`trust`: {network}"));
                } else {
                    report.unsupported(
                        line,
                        format!("`{network}` is no network: an address, and the length of its prefix behind a slash"),
                    );
                }
            }
        }
    }
}

/// An address, or a network with the length of its prefix.
fn is_network(text: &str) -> bool {
    let (address, prefix) = text.split_once('/').unwrap_or((text, "0"));
    let most = match address.parse() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    prefix.parse::<u8>().is_ok_and(|prefix| prefix <= most)
}

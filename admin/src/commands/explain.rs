//! `remora explain`: why a request goes where, as every proxy named says itself.
//!
//! Invariants: a session id is written nowhere, and whoever puts one into the command line is warned (why it is taken there at all,
//! `ids` says) · proxies that send the same request to different places are a trouble of the report.
//!
//! Left out on purpose: what decides. Each proxy tells it in its own words.

use std::collections::BTreeMap;
use std::io::Write;

use remora_proto::v1::{ExplainReply, ExplainRequest, UpstreamStatus};

use crate::args::Explain;
use crate::failure::Failure;
use crate::ids::{self, Pasted};
use crate::render::{Cell, Report};
use remora_overview::client::{Reach, check_addresses, explain};

use super::meant::pasted;

/// Asks every proxy.
pub(super) async fn run(proxies: &Reach, ask: Explain) -> Result<Report, Failure> {
    super::upstreams::need_proxies(proxies)?;
    check_addresses(&proxies.addresses)?;
    let request = request(ask)?;
    let (mut answers, mut troubles) = (Vec::new(), Vec::new());
    for address in &proxies.addresses {
        match explain(&proxies.dial, address, &request).await {
            Ok(reply) => answers.push((address.as_str(), reply)),
            Err(failure) => troubles.push(failure.to_string()),
        }
    }
    troubles.extend(difference(&answers));
    Ok(report(&answers).troubles(troubles))
}

/// What is asked.
fn request(ask: Explain) -> Result<ExplainRequest, Failure> {
    let (url, bare) = match ask.what {
        Some(what) if is_url(&what) => {
            if has_parameter(&what) {
                warn();
            }
            (Some(what), None)
        }
        what => (None, what),
    };
    let cookie = match (bare, ask.cookie) {
        (Some(_), Some(_)) => {
            return Err(Failure::Usage(
                "say the cookie once: as the only word, or with --cookie beside a URL".into(),
            ));
        }
        (bare, cookie) => bare.or(cookie),
    };
    let (https, host, target) = url.as_deref().map_or(Ok((false, "", "/".to_owned())), parts)?;
    let mut request = ExplainRequest {
        host: host.to_owned(),
        target,
        https,
        method: ask.method,
        client: ask.client.map_or_else(String::new, |client| client.to_string()),
        listen: ask.listen.map_or_else(String::new, |listen| listen.to_string()),
        ..ExplainRequest::default()
    };
    let Some(cookie) = cookie else { return Ok(request) };
    let cookie = match cookie.as_str() {
        "-" => pasted("--cookie", "-")?,
        written => {
            warn();
            written.to_owned()
        }
    };
    match ids::pasted(&cookie) {
        Pasted::Cookies(cookies) => request.cookies.push(cookies.to_owned()),
        Pasted::Value(value) => value.clone_into(&mut request.session),
    }
    Ok(request)
}

/// Whether a URL speaks TLS, its host with a port, and its path and query.
fn parts(url: &str) -> Result<(bool, &str, String), Failure> {
    let url = url.split('#').next().unwrap_or(url);
    let (https, rest) = match url.split_once("://") {
        None => return Ok((false, "", url.to_owned())),
        Some(("http", rest)) => (false, rest),
        Some(("https", rest)) => (true, rest),
        // The sentence must not repeat what may be a credential.
        Some(_) => {
            return Err(Failure::Usage(
                "that is not asked of a proxy: write http:// or https://".into(),
            ));
        }
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(end);
    let host = host.rsplit('@').next().unwrap_or(host);
    if host.is_empty() {
        return Err(Failure::Usage("the URL names no host".into()));
    }
    let slash = if target.starts_with('/') { "" } else { "/" };
    Ok((https, host, format!("{slash}{target}")))
}

/// Whether a word is a URL or a path, and no cookie: one may hold `://` behind its name.
fn is_url(what: &str) -> bool {
    let scheme = what.split_once("://").map(|(scheme, _)| scheme);
    what.starts_with('/')
        || scheme.is_some_and(|scheme| scheme.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

/// Whether a URL has a parameter in its path, where Tomcat looks for a session id.
fn has_parameter(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.split_once(';')
        .is_some_and(|(_, parameters)| parameters.contains('='))
}

fn warn() {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(
        std::io::stderr(),
        "remora: a session id on a command line stays in the shell's history and is seen in the list of processes: --cookie - reads \
         it from standard input"
    );
}

/// Where a request goes, in a word.
fn place(reply: &ExplainReply) -> String {
    match reply.pick.as_str() {
        "answered" => format!("answered by the proxy with {}", reply.status),
        "none" => format!("nobody, {}", reply.status),
        "fresh" => format!("one of {}", reply.candidates.join(", ")),
        _ => reply.route.clone(),
    }
}

/// That proxies do not agree, and who says what.
fn difference(answers: &[(&str, ExplainReply)]) -> Option<String> {
    let mut places: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (address, reply) in answers {
        places.entry(place(reply)).or_default().push(address);
    }
    let told = places
        .iter()
        .map(|(place, proxies)| format!("{} says {place}", proxies.join(", ")));
    (places.len() > 1).then(|| {
        format!(
            "the proxies do not agree: {}",
            told.collect::<Vec<_>>().join("; ")
        )
    })
}

fn report(answers: &[(&str, ExplainReply)]) -> Report {
    let decided = answers.iter().map(|(proxy, reply)| {
        let turns = reply.turns.get(1..).unwrap_or_default();
        vec![
            Cell::text(*proxy),
            Cell::text(place(reply)),
            Cell::text(&reply.pick),
            Cell::text(turns.join(", ")),
            Cell::text(&reply.matched),
            Cell::text(&reply.pool),
            Cell::text(&reply.target),
            Cell::text(&reply.session_in),
            Cell::text(&reply.asked_route),
        ]
    });
    let reasons = answers.iter().flat_map(|(proxy, reply)| {
        let steps = (1u64..).zip(&reply.because);
        steps.map(|(step, reason)| vec![Cell::text(*proxy), Cell::Count(step), Cell::text(reason)])
    });
    let members = answers.iter().flat_map(|(proxy, reply)| {
        let members = reply.members.iter();
        members.filter_map(|member| Some(row(proxy, member.upstream.as_ref()?, &member.tier, member.turn)))
    });
    let columns = vec![
        "proxy",
        "goes to",
        "why",
        "then to",
        "route",
        "pool",
        "path there",
        "session in",
        "asks for",
    ];
    let member_columns = vec![
        "proxy", "member", "turn", "tier", "health", "state", "weight", "reason",
    ];
    Report::default()
        .table("decisions", columns, decided.collect())
        .table("reasons", vec!["proxy", "step", "because"], reasons.collect())
        .table("members", member_columns, members.collect())
}

fn row(proxy: &str, upstream: &UpstreamStatus, tier: &str, turn: u32) -> Vec<Cell> {
    vec![
        Cell::text(proxy),
        Cell::text(&upstream.route),
        match turn {
            0 => Cell::Nothing,
            turn => Cell::Count(turn.into()),
        },
        Cell::text(tier),
        Cell::text(&upstream.health),
        Cell::text(&upstream.state),
        Cell::Count(upstream.weight.into()),
        Cell::text(&upstream.reason),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_as_a_browser_does() {
        let cases = [
            ("https://shop.test/cart?x#y", (true, "shop.test", "/cart?x")),
            ("http://ada@shop.test:8080", (false, "shop.test:8080", "/")),
            ("http://shop.test?x", (false, "shop.test", "/?x")),
            ("/cart;jsessionid=A.n1", (false, "", "/cart;jsessionid=A.n1")),
        ];
        for (url, (https, host, target)) in cases {
            let read = parts(url).expect("a URL");
            assert_eq!(read, (https, host, target.to_owned()), "{url}");
        }
        assert!(parts("ftp://shop.test/").is_err() && parts("http:///x").is_err());
    }

    #[test]
    fn a_cookie_is_read_however_it_was_copied_and_is_no_url() {
        let asked = |cookie: &str| {
            let what = Some(cookie.to_owned());
            let ask = Explain {
                what,
                cookie: None,
                method: "GET".into(),
                client: None,
                listen: None,
            };
            let request = request(ask).expect("a cookie");
            assert_eq!(request.target, "/", "{cookie}");
            (request.cookies.join("|"), request.session)
        };
        for field in ["Cookie: ", "cookie:", "COOKIE: ", ""] {
            let (cookies, session) = asked(&format!("{field}JSESSIONID=A.n1"));
            assert_eq!((cookies.as_str(), session.as_str()), ("JSESSIONID=A.n1", ""));
        }
        assert_eq!(asked("cookie: A.n1").1, "A.n1");
        assert_eq!(asked("\"A.n1\"").1, "A.n1");
        let (cookies, _) = asked("JSESSIONID=A.n1; ref=https://x");
        assert_eq!(cookies, "JSESSIONID=A.n1; ref=https://x");
        let refused = parts("SECRET://x").unwrap_err().to_string();
        assert!(!refused.contains("SECRET"), "{refused}");
        for (url, warned) in [
            ("/x;jsessionid=A.n1", true),
            ("https://x/y;SID=A?z", true),
            ("/x?a;b=c", false),
            ("/x;y", false),
        ] {
            assert_eq!(has_parameter(url), warned, "{url}");
        }
    }

    #[test]
    fn proxies_that_differ_are_named() {
        let to = |route: &str| ExplainReply {
            pick: "moved".into(),
            route: route.into(),
            ..ExplainReply::default()
        };
        assert_eq!(difference(&[("a", to("n1")), ("b", to("n1"))]), None);
        let told = difference(&[("a", to("n1")), ("b", to("n2")), ("c", to("n1"))]);
        assert_eq!(
            told.as_deref(),
            Some("the proxies do not agree: a, c says n1; b says n2")
        );
    }
}

//! What is said of balancers and of their members: each key of BalancerMember, ProxySet and ProxyPass, and what it becomes.
//!
//! Invariant: each key is told of, those that nobody knows as not understood.
//!
//! Left out on purpose: checks of health (`health`), which are said of members there and of a pool here.

use std::time::Duration;

use crate::report::{Report, shown};
use crate::site::{Member, Piece, Pool, Stickiness};

use super::draft::Param;

/// Times that hold on the routes to a pool.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    /// For a connection.
    pub(super) connect: Option<Duration>,
    /// For an answer, and for a body to rest.
    pub(super) response: Option<Duration>,
}

/// A time as httpd writes it: a number, of seconds unless a unit follows.
pub(super) fn time(value: &str) -> Option<Duration> {
    let end = value
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(value.len());
    let count: u64 = value[..end].parse().ok()?;
    match &*value[end..].to_ascii_lowercase() {
        "" | "s" | "sec" => Some(Duration::from_secs(count)),
        "ms" => Some(Duration::from_millis(count)),
        "mi" | "min" => Some(Duration::from_secs(count * 60)),
        "h" => Some(Duration::from_secs(count * 3_600)),
        _ => None,
    }
}

/// What of a member's keys is the same and said with a word.
pub(super) fn worker(
    param: &Param,
    (member, sticky): (&mut Member, &Stickiness),
    terms: &mut Terms,
    report: &mut Report,
) {
    let Param { key, value, line } = param;
    let said = shown(&format!("{key}={value}"));
    match &**key {
        "route" => {
            member.route.clone_from(value);
            let why = match sticky {
                Stickiness::Off => "`route`; nobody sticks by it".to_owned(),
                Stickiness::Session(_) => "`route`, which is that Tomcat's jvmRoute".to_owned(),
                Stickiness::RouteCookie(cookie) => format!("`route`, as `{}` names it", cookie.name),
            };
            report.becomes(Piece::Member, line, format!("{said}: {why}"));
        }
        "redirect" => {
            member.redirect = Some(value.clone());
            report.becomes(Piece::Member, line, format!("{said}: `redirect`"));
        }
        // As `jk` says the domain of a worker.
        "jk:domain" => {
            member.group = Some(value.clone());
            report.becomes(
                Piece::Member,
                line,
                "`group`: its members stand in for each other first",
            );
        }
        "loadfactor" => weight(param, member, report),
        "lbset" => match value.parse::<u32>() {
            Ok(set) if set <= 99 => {
                member.set = Some(set).filter(|set| *set > 0);
                report.becomes(
                    Piece::Member,
                    line,
                    format!("{said}: `set`, and the lowest that can serve has its turn"),
                );
            }
            _ => report.unsupported(line, format!("{said}: a set is a number from 0 to 99; left out")),
        },
        "status" => status(param, member, report),
        "timeout" => match time(value) {
            Some(time) => {
                terms.response = Some(time);
                let why = "`response` and `idle` of the routes to its pool: the first is a deadline for the head of an answer, the other \
                           for rests in a body; httpd has one for each wait";
                report.differs(line, format!("{said}: {why}"));
            }
            None => report.unsupported(line, format!("{said}: no time; left out")),
        },
        "connectiontimeout" => match time(value) {
            Some(time) => {
                terms.connect = Some(time);
                report.becomes(
                    Piece::Member,
                    line,
                    format!("{said}: `connect` of the routes to its pool"),
                );
            }
            None => report.unsupported(line, format!("{said}: no time; left out")),
        },
        key if key.starts_with("hc") => {}
        key => match WORKER.iter().find(|(name, _)| *name == key) {
            Some((_, why)) => report.differs(line, format!("{said}: {why}")),
            None => report.unsupported(
                line,
                format!("{said}: not understood; no member of httpd has such a key here"),
            ),
        },
    }
}

/// Keys of members that ours does not need, and why.
const WORKER: &[(&str, &str)] = &[
    (
        "retry",
        "a member that is away comes back when its checks pass and not after a time, or after 10 s where there are no checks",
    ),
    (
        "ping",
        "no request waits for a probe: what had no effect is repeated at another member",
    ),
    (
        "acquire",
        "no request waits for a connection of a pool: one more is opened",
    ),
    ("min", "connections are opened as they are needed"),
    (
        "max",
        "there is no bound on connections to a member; `threads` tells the proxy the Tomcat's maxThreads",
    ),
    (
        "smax",
        "connections that rest are kept by `limits.upstream_connections_idle`",
    ),
    (
        "ttl",
        "connections rest for `limits.upstream_idle`, 15 s unless told otherwise; keep it below Tomcat's keepAliveTimeout",
    ),
    (
        "keepalive",
        "the proxy notices a connection that is gone, and repeats what had no effect",
    ),
    (
        "disablereuse",
        "connections are used again; a firewall that cuts those that rest takes a shorter `limits.upstream_idle`",
    ),
    ("enablereuse", "connections are used again anyway"),
    (
        "addressttl",
        "names are looked up for each connection, so that a change of address is followed",
    ),
    ("flushpackets", "what a Tomcat sends is passed on at once"),
    ("flushwait", "what a Tomcat sends is passed on at once"),
    ("iobuffersize", "buffers have their own sizes"),
    ("receivebuffersize", "buffers have their own sizes"),
    (
        "responsefieldsize",
        "`limits.answer_head_bytes`, 64 KiB unless told otherwise, bounds the head of an answer",
    ),
    ("upgrade", "WebSockets pass on every route"),
    (
        "mapping",
        "paths are read as a servlet container reads them, always",
    ),
    (
        "secret",
        "a secret of AJP, which is not spoken: an HTTP connector needs none, and a firewall or TLS with clientAuth guards it",
    ),
    ("secretfile", "a secret of AJP, which is not spoken"),
    (
        "nofailover",
        "users go on elsewhere when their Tomcat cannot serve them: their sessions are in the store",
    ),
    ("disablereusewait", "connections are used again"),
];

/// A share of new users: httpd's has two decimals.
fn weight(param: &Param, member: &mut Member, report: &mut Report) {
    let Param { value, line, .. } = param;
    match value.parse::<f64>() {
        Ok(factor) if factor.fract() == 0.0 && (1.0..=1000.0).contains(&factor) => {
            let whole = value.split('.').next().and_then(|whole| whole.parse().ok());
            member.weight = whole.filter(|weight| *weight > 1);
            report.becomes(Piece::Member, line, format!("loadfactor={value}: `weight`"));
        }
        Ok(factor) if (0.01..=1000.0).contains(&factor) => {
            let whole = value
                .split('.')
                .next()
                .and_then(|whole| whole.parse::<u32>().ok())
                .unwrap_or(1)
                .max(1);
            member.weight = Some(whole).filter(|weight| *weight > 1);
            let why = format!(
                "loadfactor={value}: a `weight` is a whole number, so that {whole} is written; multiply all weights of the pool for finer shares"
            );
            report.differs(line, why);
        }
        _ => report.unsupported(
            line,
            format!("loadfactor={value}: no share from 1 to 1000; left out"),
        ),
    }
}

/// Letters with signs, as `+H`.
fn status(param: &Param, member: &mut Member, report: &mut Report) {
    let Param { value, line, .. } = param;
    let mut set = true;
    for letter in value.chars() {
        let told = match letter.to_ascii_uppercase() {
            '+' | '-' => {
                set = letter == '+';
                continue;
            }
            _ if !set => continue,
            'H' => Some("standby"),
            'D' => Some("disabled"),
            'S' => Some("stopped"),
            'N' => Some("finishing"),
            'R' => {
                member.state = Some("standby");
                let why = "R, a hot spare: `standby` is the nearest; httpd puts one in for each member that is away, ours uses standbys when no \
                           active member is left";
                report.differs(line, format!("status={value}: {why}"));
                continue;
            }
            'I' | 'E' | 'C' => {
                let why = format!(
                    "status={value}: {letter} is not said here; what is believed of a member comes of checks and requests"
                );
                report.differs(line, why);
                continue;
            }
            _ => None,
        };
        match told {
            Some(state) => {
                member.state = Some(state);
                report.becomes(Piece::Member, line, format!("status={value}: `state` is {state}"));
            }
            None => report.unsupported(line, format!("status={value}: `{letter}` is not understood")),
        }
    }
}

/// What is said of a balancer; `stickysession` is taken before.
pub(super) fn balancer(param: &Param, pool: &mut Pool, report: &mut Report) {
    let Param { key, value, line } = param;
    let said = shown(&format!("{key}={value}"));
    match (&**key, &*value.to_ascii_lowercase()) {
        ("lbmethod", "byrequests") => {
            report.becomes(
                Piece::Pool,
                line,
                format!("{said}: as `balance` is unless told otherwise"),
            );
        }
        ("lbmethod", "bytraffic") => {
            pool.balance = Some("traffic");
            report.becomes(Piece::Pool, line, format!("{said}: `balance` is traffic"));
        }
        ("lbmethod", "bybusyness") => {
            pool.balance = Some("busyness");
            report.becomes(Piece::Pool, line, format!("{said}: `balance` is busyness"));
        }
        ("lbmethod", _) => {
            pool.balance = Some("busyness");
            report.differs(
                line,
                format!("{said}: no member tells its load here; `balance` is busyness, the nearest"),
            );
        }
        ("nofailover" | "scolonpathdelim" | "failontimeout", "off")
        | ("forcerecovery", "on")
        | ("growth", "0") => {
            report.becomes(Piece::Pool, line, format!("{said}: so it is"));
        }
        (key, _) => match BALANCER.iter().find(|(name, _)| *name == key) {
            Some((_, why)) => report.differs(line, format!("{said}: {why}")),
            None => report.unsupported(
                line,
                format!("{said}: not understood; no balancer of httpd has such a key here"),
            ),
        },
    }
}

/// Keys of balancers that are otherwise here.
const BALANCER: &[(&str, &str)] = &[
    (
        "nofailover",
        "users go on elsewhere when their Tomcat cannot serve them: their sessions are in the store. Without the store's session manager they \
                    would be logged out there",
    ),
    (
        "timeout",
        "no request waits for a member to come back: 503 at once, with `Retry-After`",
    ),
    (
        "maxattempts",
        "`retry.attempts` counts tries of one request, 4 unless told otherwise; a request that may have run is repeated only if it is idempotent",
    ),
    (
        "failonstatus",
        "no answer of an application takes a member out; a page of `health.path` that answers so does",
    ),
    (
        "failontimeout",
        "a request that is not answered in time asks for a check, whose verdict counts, where there are checks",
    ),
    (
        "forcerecovery",
        "members are believed by their checks, or by requests where there are none, all of them, too",
    ),
    (
        "nonce",
        "operators are answered at the control address, which needs none",
    ),
    (
        "growth",
        "members that announce themselves to the store need no free places: [pool.NAME.discovery]",
    ),
    (
        "scolonpathdelim",
        "the session's parameter ends at a `;` always, as Tomcat reads it",
    ),
    (
        "stickysessionsep",
        "the route stands behind the first dot, as Tomcat's jvmRoute does, and behind no other sign: users of another are new ones",
    ),
];

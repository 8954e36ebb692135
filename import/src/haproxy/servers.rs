//! HAProxy's servers as members.
//!
//! Invariants: a word that takes a value takes it with it, so that no value is read as a word · a word that nobody knows is told of
//! with its line · a Tomcat whose users stick by the session's id has one route, in whatever sections it stands.
//!
//! Left out on purpose: what HAProxy does when a check fails or a server comes up. Beliefs are the proxy's own.

use std::collections::BTreeMap;
use std::time::Duration;

use super::lexer::Words;
use super::sections::HaproxySection;
use super::{HaproxyReader, MILLISECOND};
use crate::periods::period;
use crate::site::{Member, Origin, Piece, Pool, PoolTls, Stickiness};
use crate::source::Line;

/// Between which times members are checked here.
const EVERY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));

/// Words of a server that take a value and say nothing here.
const WITH_VALUE: &[&str] = &[
    "addr",
    "fastinter",
    "downinter",
    "error-limit",
    "on-error",
    "on-marked-down",
    "on-marked-up",
    "agent-addr",
    "agent-inter",
    "agent-port",
    "agent-send",
    "alpn",
    "check-alpn",
    "check-proto",
    "check-sni",
    "check-via-socks4",
    "ciphers",
    "ciphersuites",
    "crl-file",
    "curves",
    "hash-key",
    "id",
    "guid",
    "init-addr",
    "init-state",
    "log-proto",
    "max-reuse",
    "minconn",
    "maxqueue",
    "namespace",
    "npn",
    "observe",
    "pool-low-conn",
    "pool-max-conn",
    "pool-purge-delay",
    "proto",
    "proxy-v2-options",
    "redir",
    "resolve-net",
    "resolve-opts",
    "resolve-prefer",
    "resolvers",
    "shard",
    "sigalgs",
    "socks4",
    "source",
    "ssl-max-ver",
    "ssl-min-ver",
    "tcp-ut",
    "track",
    "verifyhost",
    "ws",
    "client-sigalgs",
    "set-proxy-v2-tlv-fmt",
    "usesrc",
    "interface",
];

/// Words of a server, with a value, that all of a pool have here.
const FOR_THE_POOL: &[&str] = &["inter", "rise", "fall", "port", "ca-file", "crt", "sni"];

/// Words of a server that stand alone and say nothing here.
const ALONE: &[&str] = &[
    "agent-check",
    "allow-0rtt",
    "check-send-proxy",
    "check-ssl",
    "force-sslv3",
    "force-tlsv10",
    "force-tlsv11",
    "force-tlsv12",
    "force-tlsv13",
    "no-agent-check",
    "no-backup",
    "no-check",
    "no-check-ssl",
    "no-send-proxy",
    "no-send-proxy-v2",
    "no-ssl",
    "no-ssl-reuse",
    "no-sslv3",
    "no-tls-tickets",
    "no-tlsv10",
    "no-tlsv11",
    "no-tlsv12",
    "no-tlsv13",
    "no-tfo",
    "no-verifyhost",
    "non-stick",
    "ssl-reuse",
    "tfo",
    "tls-tickets",
    "transparent",
];

/// What one server's words say that a whole pool has.
#[derive(Default)]
struct ForThePool {
    every: Option<Duration>,
    rise: Option<u32>,
    fall: Option<u32>,
    port: Option<u16>,
    tls: Option<PoolTls>,
}

impl<'t> HaproxyReader<'t> {
    /// Makes the members of a pool, and gives which of their lines HAProxy checks.
    pub(super) fn members(
        &mut self,
        section: &HaproxySection,
        named: &BTreeMap<String, String>,
        pool: &mut Pool,
    ) -> Vec<(Line, bool)> {
        let defaults: Vec<&Words> = section
            .all()
            .filter(|line| line.word(0) == "default-server")
            .collect();
        for line in section
            .lines
            .iter()
            .filter(|line| line.word(0) == "default-server")
        {
            self.report.same(&line.line, "told of with each server");
        }
        for line in section
            .lines
            .iter()
            .filter(|line| line.word(0) == "server-template")
        {
            let why = "members that DNS names are none here: Tomcats announce themselves to the store, and [pool.NAME.discovery] finds them; or \
                       list each as a member";
            self.report.unsupported(&line.line, why);
        }
        let (mut said, mut checked) = (ForThePool::default(), Vec::new());
        for line in section.lines.iter().filter(|line| line.word(0) == "server") {
            let words: Vec<&str> = defaults
                .iter()
                .flat_map(|line| line.from(1))
                .chain(line.from(3))
                .map(String::as_str)
                .collect();
            self.member(line, &words, named, (pool, &mut said));
            let check = words
                .iter()
                .rfind(|word| matches!(**word, "check" | "no-check" | "track"));
            checked.push((line.line.clone(), check.is_some_and(|word| *word != "no-check")));
        }
        pool.health.every = said.every;
        pool.health.rise = said.rise;
        pool.health.fall = said.fall;
        pool.health.port = said.port;
        // Without an authority there is none to believe; the last look says what to do, then.
        let secured = pool
            .members
            .iter()
            .any(|member| member.url.starts_with("https://"));
        pool.tls = said.tls.filter(|tls| secured && !tls.authority.is_empty());
        checked
    }

    fn member(
        &mut self,
        line: &Words,
        words: &[&str],
        named: &BTreeMap<String, String>,
        (pool, said): (&mut Pool, &mut ForThePool),
    ) {
        let secured = words.iter().rfind(|word| matches!(**word, "ssl" | "no-ssl")) == Some(&"ssl");
        let Some(url) = url_of(line.word(2), secured) else {
            let why = "a member is a host and a port: sockets of files, ports of clients and variables cannot be one. Name the Tomcat's HTTP connector";
            self.report.unsupported(&line.line, why);
            return;
        };
        let mut differs = Vec::new();
        let mut member = Member {
            url,
            origin: Origin::of(&line.line),
            ..Member::default()
        };
        let cookie = value_of(words, "cookie");
        member.route = match &pool.sticky {
            Stickiness::RouteCookie(_) => cookie.unwrap_or(line.word(1)).to_owned(),
            _ => {
                let own = named
                    .get(line.word(1))
                    .map_or(cookie.unwrap_or(line.word(1)), String::as_str);
                let route = self
                    .routes
                    .entry(line.word(2).to_owned())
                    .or_insert_with(|| own.to_owned())
                    .clone();
                if !named.contains_key(line.word(1)) {
                    differs.push(format!(
                        "its name is its route: write jvmRoute=\"{route}\" at the Engine of that Tomcat's server.xml, or the name that stands there \
                         into this file"
                    ));
                }
                route
            }
        };
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            member_word(word, &mut rest, (&mut member, said), &mut differs);
        }
        differs.dedup();
        self.report.parts(
            Some(Piece::Member),
            &line.line,
            "a member, by that name",
            &differs,
        );
        pool.members.push(member);
    }
}

/// One word of a server, and its value, if it takes one.
fn member_word<'a>(
    word: &str,
    rest: &mut impl Iterator<Item = &'a &'a str>,
    (member, said): (&mut Member, &mut ForThePool),
    differs: &mut Vec<String>,
) {
    let takes = matches!(word, "cookie" | "weight" | "maxconn" | "slowstart" | "verify")
        || FOR_THE_POOL.contains(&word)
        || WITH_VALUE.contains(&word);
    let value = if takes {
        rest.next().copied().unwrap_or_default()
    } else {
        ""
    };
    if FOR_THE_POOL.contains(&word) {
        differs.extend(said.word(word, value).map(str::to_owned));
        return;
    }
    let differ = match word {
        "cookie" | "ssl" | "no-ssl" | "check" | "enabled" | "stick" => return,
        "weight" => match value.parse::<u32>() {
            Ok(0) => {
                member.state = Some("finishing");
                "weight 0: own users stay, and nobody new comes".to_owned()
            }
            Ok(weight @ 1..=1000) => {
                member.weight = Some(weight);
                return;
            }
            _ => "a weight is 1 to 1000 here".to_owned(),
        },
        "backup" => return member.state = Some("standby"),
        "disabled" => return member.state = Some("disabled"),
        "maxconn" => format!(
            "requests to a member have no bound: with `threads = {value}`, its maxThreads, silence is not taken for a frozen Tomcat while all are \
             at work"
        ),
        "slowstart" => {
            "whoever comes up beside others gets its share of new users little by little, within 30 s"
                .to_owned()
        }
        "verify" if value != "none" => return,
        "verify" => {
            "certificates of members are always verified: name whoever issued them in [pool.NAME.tls]"
                .to_owned()
        }
        word if word.starts_with("send-proxy") => {
            "no PROXY header is sent to members: Tomcat's RemoteIpValve reads the client from X-Forwarded-For"
                .to_owned()
        }
        word if WITH_VALUE.contains(&word) || ALONE.contains(&word) => {
            format!("`{word}` has no key here: checks, names and connections of members are the proxy's own")
        }
        other => format!("not understood: `{other}`: nothing was written for it; look up what it does"),
    };
    differs.push(differ);
}

impl ForThePool {
    /// A word of a server that all of its pool have here; what differs.
    fn word(&mut self, word: &str, value: &str) -> Option<&'static str> {
        let count = || value.parse::<u32>().ok().map(|count| count.clamp(1, 10));
        match word {
            "inter" => {
                let time = period(value, MILLISECOND).map(|time| time.clamp(EVERY.0, EVERY.1));
                self.every = time.or(self.every);
            }
            "rise" => self.rise = count().or(self.rise),
            "fall" => self.fall = count().or(self.fall),
            "port" => {
                self.port = value.parse().ok().filter(|port| *port > 0);
                return Some("checks of all members of the pool go to this port");
            }
            "ca-file" => self.tls.get_or_insert_default().authority = value.to_owned(),
            "crt" => self.tls.get_or_insert_default().own = Some((value.to_owned(), value.to_owned())),
            _ => match value.strip_prefix("str(").and_then(|name| name.strip_suffix(')')) {
                Some(name) => self.tls.get_or_insert_default().name = Some(name.to_owned()),
                None => {
                    return Some(
                        "members are asked for under one name: `name` of [pool.NAME.tls], or the host of their url",
                    );
                }
            },
        }
        None
    }
}

/// The value behind the last of a word.
fn value_of<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    let at = words.iter().rposition(|word| *word == key)?;
    words.get(at + 1).copied()
}

/// The URL of a member, if the address can be one's.
fn url_of(address: &str, secured: bool) -> Option<String> {
    let address = address
        .strip_prefix("ipv4@")
        .or(address.strip_prefix("ipv6@"))
        .unwrap_or(address);
    let (host, port) = address.rsplit_once(':')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let bare = host.trim_matches(['[', ']']);
    let host = match bare.parse::<std::net::Ipv6Addr>() {
        Ok(_) => format!("[{bare}]"),
        Err(_) if !host.is_empty() && host.bytes().all(plain) => host.to_owned(),
        Err(_) => return None,
    };
    let port = port
        .parse::<u16>()
        .ok()
        .filter(|port| *port > 0 && address.as_bytes()[address.len() - 1].is_ascii_digit())?;
    let scheme = if secured { "https" } else { "http" };
    Some(format!("{scheme}://{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        assert_eq!(
            url_of("192.0.2.1:8080", false).as_deref(),
            Some("http://192.0.2.1:8080")
        );
        assert_eq!(
            url_of("tomcat:8443", true).as_deref(),
            Some("https://tomcat:8443")
        );
        assert_eq!(url_of("[::1]:80", false).as_deref(), Some("http://[::1]:80"));
        assert_eq!(url_of("::1:80", false).as_deref(), Some("http://[::1]:80"));
        for none in [
            "192.0.2.1",
            "unix@/run/x",
            "/run/x:1",
            "*:+100",
            "$HOST:80",
            ":80",
        ] {
            assert_eq!(url_of(none, false), None, "{none}");
        }
    }
}

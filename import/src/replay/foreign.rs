//! What another proxy does with a request, as far as its files and a log say: which pool, which path there, which member.
//!
//! Invariant: what cannot be told is told as that, never guessed: a rule that is not understood and might take a request ends the
//! search.
//!
//! Left out on purpose: what was up or down when the log was written, and whom a balancer gave a new user.

use remora_policy::{Lookup, RouteKey, Sticky};

use super::Dialect;

/// Another proxy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Foreign {
    /// Its hosts, each with rules of its own; the first serves hosts that none names.
    pub(crate) sites: Vec<ForeignSite>,
    pub(crate) pools: Vec<ForeignPool>,
    /// What its files say of its own logs: texts of formats, or the names of fields that are captured.
    pub(crate) formats: Vec<String>,
    pub(crate) dialect: Dialect,
}

/// Rules for some hosts.
#[derive(Clone, Debug, Default)]
pub(crate) struct ForeignSite {
    /// The frontend, where a log names those.
    pub(crate) entry: Option<String>,
    /// Names of hosts, `*.` in front for all below; empty: for all.
    pub(crate) hosts: Vec<String>,
    pub(crate) rules: Vec<ForeignRule>,
    /// Whether the first rule that holds counts; else nginx's order does.
    pub(crate) first: bool,
}

/// A rule: what it is for, and where that goes.
#[derive(Clone, Debug)]
pub(crate) struct ForeignRule {
    /// Hosts, besides the site's; empty: for all.
    pub(crate) hosts: Vec<String>,
    pub(crate) path: ForeignPath,
    pub(crate) going: Going,
}

/// What a rule looks for in a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ForeignPath {
    /// A text at its beginning, wherever that ends.
    Begins(String),
    /// The same, and no expression is asked behind it.
    BeginsForGood(String),
    /// Whole segments at its beginning.
    Whole(String),
    /// The same, one of several.
    Under(Vec<String>),
    /// All of it.
    Is(String),
    /// One of these at its end.
    Ends(Vec<String>),
    /// One of these, whose small letters any letters are.
    AnyCase(Box<ForeignPath>),
    /// Something that is not understood.
    Unknown,
}

/// Where a rule leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Going {
    /// To a pool, with one text at the beginning of the path put in place of another.
    Pool(String, Option<(String, String)>),
    /// To no Tomcat: what comes of it, the other proxy answers itself.
    Nowhere,
    /// To a Tomcat for some, by what no log says.
    Guarded,
}

/// Members, and how users stick to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ForeignPool {
    pub(crate) name: String,
    pub(crate) sticks: Sticks,
    /// What names a member in cookies, and its address.
    pub(crate) members: Vec<(String, String)>,
}

/// How users stick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sticks {
    /// As httpd searches cookies and URLs: the session's name in cookies, in URLs, and a cookie of its own.
    Httpd(String, String),
    /// A cookie of its own holds the member's name.
    Cookie(String),
    /// What stands behind the last dot of the session's id: names in cookies and, behind them, in URLs.
    Behind(String, Option<String>),
    /// What stands in front of the `~` of a cookie.
    InFront(String),
    /// By something that no log has: an address that is hashed, a table.
    #[default]
    Untold,
}

/// Which member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The one at this address.
    Member(String),
    /// Whoever is next: nothing in the request names anybody.
    Anybody,
    /// What would say it is not in the log.
    NotInTheLog,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// To a pool, which is told by the addresses of its members; the path there; and the member.
    Goes {
        pool: Vec<String>,
        path: String,
        who: Who,
    },
    /// To no Tomcat. Another proxy may have pages of its own then, ours has none.
    Nowhere,
    /// To a Tomcat for some.
    Guarded,
    /// Why it cannot be told.
    Untold(&'static str),
}

/// A request of a log, as decisions take it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The host, if the log has it.
    pub(crate) host: Option<&'a str>,
    /// Path and query.
    pub(crate) target: &'a str,
    /// All cookies, if the log has them.
    pub(crate) cookies: Option<&'a str>,
    /// The frontend, if the log names it.
    pub(crate) entry: Option<&'a str>,
}

impl Asked<'_> {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The values of a cookie; its name's case counts or not.
    fn cookie(&self, name: &str, any_case: bool) -> Option<&str> {
        let mut pairs = self
            .cookies?
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='));
        let is = |own: &str| {
            if any_case {
                own.eq_ignore_ascii_case(name)
            } else {
                own == name
            }
        };
        pairs.find(|(own, _)| is(own)).map(|(_, value)| value)
    }
}

const NO_HOST: &str = "the log does not name the host, and hosts decide";
const NOT_UNDERSTOOD: &str =
    "a rule of the other proxy is asked before, which is not understood here (an expression, or a condition)";

/// Whether a host is one of these; nothing where the log does not say it and it matters.
fn fits(hosts: &[String], host: Option<&str>) -> Option<bool> {
    if hosts.is_empty() {
        return Some(true);
    }
    let host = host?;
    let is = |own: &String| match own.strip_prefix('*') {
        Some(domain) => {
            host.len() > domain.len() && host.to_ascii_lowercase().ends_with(&domain.to_ascii_lowercase())
        }
        None => host.eq_ignore_ascii_case(own),
    };
    Some(hosts.iter().any(is))
}

impl ForeignPath {
    /// Whether a path is one that is looked for; nothing where that is not understood.
    fn holds(&self, path: &str) -> Option<bool> {
        Some(match self {
            ForeignPath::Begins(text) | ForeignPath::BeginsForGood(text) => path.starts_with(text.as_str()),
            ForeignPath::Under(texts) => texts.iter().any(|text| is_under(path, text)),
            ForeignPath::Whole(text) if text.ends_with('/') => path.starts_with(text.as_str()),
            ForeignPath::Whole(text) => is_under(path, text),
            ForeignPath::Is(text) => path == text,
            ForeignPath::Ends(texts) => texts.iter().any(|text| path.ends_with(text.as_str())),
            ForeignPath::AnyCase(inner) => return inner.holds(&path.to_ascii_lowercase()),
            ForeignPath::Unknown => return None,
        })
    }

    /// How long the text is that it looks for.
    fn length(&self) -> usize {
        match self {
            ForeignPath::Begins(text) | ForeignPath::BeginsForGood(text) | ForeignPath::Whole(text) => {
                text.len()
            }
            _ => 0,
        }
    }
}

/// Whether a path is another, or below it.
fn is_under(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Foreign {
    pub(crate) fn decide(&self, asked: &Asked<'_>) -> Outcome {
        let site = match self.site(asked) {
            Ok(Some(site)) => site,
            Ok(None) => return Outcome::Nowhere,
            Err(why) => return Outcome::Untold(why),
        };
        match site.rule(asked) {
            Ok(Some(rule)) => self.going(rule, asked),
            Ok(None) => Outcome::Nowhere,
            Err(why) => Outcome::Untold(why),
        }
    }

    /// The site that takes a request: by its frontend, else by its host, else the first.
    fn site(&self, asked: &Asked<'_>) -> Result<Option<&ForeignSite>, &'static str> {
        let entry = |site: &&ForeignSite| site.entry.is_some() && site.entry.as_deref() == asked.entry;
        if let Some(own) = self.sites.iter().find(entry) {
            return Ok(Some(own));
        }
        for site in self.sites.iter().filter(|site| !site.hosts.is_empty()) {
            if fits(&site.hosts, asked.host).ok_or(NO_HOST)? {
                return Ok(Some(site));
            }
        }
        let nameless = self.sites.iter().find(|site| site.hosts.is_empty());
        Ok(nameless.or(self.sites.first()))
    }

    fn going(&self, rule: &ForeignRule, asked: &Asked<'_>) -> Outcome {
        let (name, put) = match &rule.going {
            Going::Pool(name, put) => (name, put),
            Going::Nowhere => return Outcome::Nowhere,
            Going::Guarded => return Outcome::Guarded,
        };
        let Some(pool) = self.pools.iter().find(|pool| pool.name == *name) else {
            return Outcome::Nowhere;
        };
        let path = match put {
            Some((from, to)) => match asked.target.strip_prefix(from.as_str()) {
                Some(rest) => format!("{to}{rest}"),
                None => asked.target.to_owned(),
            },
            None => asked.target.to_owned(),
        };
        Outcome::Goes {
            pool: pool.members.iter().map(|(_, address)| address.clone()).collect(),
            path,
            who: pool.who(asked),
        }
    }
}

impl ForeignSite {
    /// The rule that takes a request.
    fn rule(&self, asked: &Asked<'_>) -> Result<Option<&ForeignRule>, &'static str> {
        if self.first {
            return first(self.rules.iter(), asked);
        }
        let path = asked.path();
        let is = |rule: &&ForeignRule| matches!(&rule.path, ForeignPath::Is(text) if text == path);
        if let Some(exact) = self.rules.iter().find(is) {
            return Ok(Some(exact));
        }
        let prefixes = self
            .rules
            .iter()
            .filter(|rule| rule.path.length() > 0 && rule.path.holds(path) == Some(true));
        let longest = prefixes.max_by_key(|rule| rule.path.length());
        if longest.is_some_and(|rule| matches!(rule.path, ForeignPath::BeginsForGood(_))) {
            return Ok(longest);
        }
        let is_expression = |rule: &&ForeignRule| {
            matches!(
                rule.path,
                ForeignPath::Ends(_) | ForeignPath::Under(_) | ForeignPath::Unknown
            )
        };
        let matched = first(self.rules.iter().filter(is_expression), asked)?;
        Ok(matched.or(longest))
    }
}

fn first<'r>(
    rules: impl Iterator<Item = &'r ForeignRule>,
    asked: &Asked<'_>,
) -> Result<Option<&'r ForeignRule>, &'static str> {
    for rule in rules {
        match (fits(&rule.hosts, asked.host), rule.path.holds(asked.path())) {
            (Some(true), Some(true)) => return Ok(Some(rule)),
            (Some(false), _) | (_, Some(false)) => {}
            (None, _) => return Err(NO_HOST),
            (_, None) => return Err(NOT_UNDERSTOOD),
        }
    }
    Ok(None)
}

impl ForeignPool {
    /// The member that a request's user sticks to.
    fn who(&self, asked: &Asked<'_>) -> Who {
        let named = |name: &str| {
            let member = self.members.iter().find(|(own, _)| own == name);
            member.map_or(Who::Anybody, |(_, address)| Who::Member(address.clone()))
        };
        let in_url = |name: &str| {
            let at = asked.target.find(&format!("{name}="))? + name.len() + 1;
            asked.target[at..].split([';', '?', '&', '/']).next()
        };
        let found = match &self.sticks {
            Sticks::Untold => return Who::NotInTheLog,
            Sticks::Httpd(cookie, parameter) => {
                let sticky = Sticky {
                    lookup: Lookup::Httpd,
                    ..Sticky::new(&format!("{cookie}|{parameter}"), None)
                };
                let cookies = asked.cookies.map(str::as_bytes);
                let key = RouteKey::read(&sticky, asked.target.as_bytes(), cookies.into_iter());
                key.route.and_then(|route| std::str::from_utf8(route).ok())
            }
            Sticks::Cookie(name) => asked.cookie(name, false),
            Sticks::Behind(cookie, parameter) => {
                let value = asked
                    .cookie(cookie, true)
                    .or_else(|| in_url(parameter.as_deref()?));
                value
                    .and_then(|value| value.rsplit_once('.'))
                    .map(|(_, route)| route)
            }
            Sticks::InFront(cookie) => asked
                .cookie(cookie, false)
                .and_then(|value| value.split_once('~'))
                .map(|(name, _)| name),
        };
        match found {
            Some(name) => named(name),
            None if asked.cookies.is_none() => Who::NotInTheLog,
            None => Who::Anybody,
        }
    }
}

//! The site in our words, before it is written: what all three importers make, and the writer takes.
//!
//! Invariants: each item carries the lines that it came from, and sentences that stand beside it in the file · what is absent stays
//! absent, so that the proxy's defaults hold and are not copied.
//!
//! Left out on purpose: keys of docs/proxy.md for which no other proxy has a word (discovery, pages, the console). Whoever wants
//! them adds them.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::source::Line;

/// Where an item came from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Lines that are quoted above it, in their order.
    pub lines: Vec<Line>,
    /// Sentences that stand below those.
    pub notes: Vec<String>,
}

impl Origin {
    /// From one line.
    #[must_use]
    pub fn of(line: &Line) -> Origin {
        Origin {
            lines: vec![line.clone()],
            notes: Vec::new(),
        }
    }

    /// From that line, too.
    pub fn add(&mut self, line: &Line) {
        // Of thousands of lines hardly any has this number.
        let is_it = |own: &Line| own.place.line == line.place.line && own == line;
        if !self.lines.iter().any(is_it) {
            self.lines.push(line.clone());
        }
    }

    /// With a sentence for whoever reads the file; once.
    pub fn note(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        if !self.notes.contains(&sentence) {
            self.notes.push(sentence);
        }
    }
}

/// What a line of the other files can become, for whoever asks whether it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Piece {
    /// A `[[listen]]`, with its TLS.
    Listener,
    /// `redirect` of one.
    Redirect,
    /// A `[pool.NAME]`.
    Pool,
    /// A member of one.
    Member,
    /// A `[[route]]`.
    Route,
    /// A rule for a field, of the site or of a route.
    Rule,
}

impl Piece {
    /// All of them.
    pub(crate) const ALL: [Piece; 6] = [
        Piece::Listener,
        Piece::Redirect,
        Piece::Pool,
        Piece::Member,
        Piece::Route,
        Piece::Rule,
    ];
}

/// A whole site.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// `[[listen]]`.
    pub listeners: Vec<Listener>,
    /// `[pool.NAME]`.
    pub pools: Vec<Pool>,
    /// `[[route]]`.
    pub routes: Vec<Route>,
    /// `[headers]`.
    pub headers: Headers,
    /// `[trust]`.
    pub trust: Trust,
    /// Single keys of other tables.
    pub settings: Vec<Setting>,
}

impl Site {
    /// The pool of that name.
    pub fn pool(&mut self, name: &str) -> Option<&mut Pool> {
        self.pools.iter_mut().find(|pool| pool.name == name)
    }

    /// The lines that became pieces of a kind.
    pub(crate) fn lines_of(&self, piece: Piece) -> BTreeSet<&Line> {
        let rules = || {
            let of_routes = self.routes.iter().map(|route| &route.headers);
            of_routes.chain([&self.headers]).flat_map(Headers::lines)
        };
        let origins: Vec<&Origin> = match piece {
            Piece::Rule => return rules().collect(),
            Piece::Listener => {
                let tls = self.listeners.iter().filter_map(|own| own.tls.as_ref());
                let own = self.listeners.iter().map(|own| &own.origin);
                own.chain(tls.map(|tls| &tls.origin)).collect()
            }
            Piece::Redirect => {
                let redirects = self.listeners.iter().filter_map(|own| own.redirect.as_ref());
                redirects.map(|own| &own.origin).collect()
            }
            Piece::Pool => self.pools.iter().map(|own| &own.origin).collect(),
            Piece::Member => {
                let members = self.pools.iter().flat_map(|pool| &pool.members);
                members.map(|own| &own.origin).collect()
            }
            Piece::Route => self.routes.iter().map(|own| &own.origin).collect(),
        };
        origins.into_iter().flat_map(|origin| &origin.lines).collect()
    }

    /// Whether there is anything to serve: a route to a member.
    #[must_use]
    pub fn serves(&self) -> bool {
        let has_member = |name: &str| {
            let pool = self.pools.iter().find(|pool| pool.name == name);
            pool.is_some_and(|pool| !pool.members.is_empty())
        };
        self.routes.iter().any(|route| has_member(&route.pool))
    }
}

/// `[[listen]]`.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    /// `IP:PORT`.
    pub bind: String,
    /// Networks of balancers that begin each connection with a PROXY header; empty: no header is read.
    pub proxy_protocol: Vec<String>,
    /// TLS, or in clear.
    pub tls: Option<ListenerTls>,
    /// Whether clients are sent to https.
    pub redirect: Option<Redirect>,
    /// Whence.
    pub origin: Origin,
}

/// `[listen.tls]`.
#[derive(Clone, Debug, Default)]
pub struct ListenerTls {
    /// Files of certificates and of their keys; the first is shown to whoever asks for no name.
    pub certificates: Vec<(String, String)>,
    /// `strict_sni`.
    pub strict_sni: bool,
    /// Whether TLS 1.3 alone is spoken.
    pub newest_only: bool,
    /// Whether HTTP/2 is not offered.
    pub no_http2: bool,
    /// The file of authorities whose clients' certificates are believed, and whether one is required.
    pub clients: Option<(String, bool)>,
    /// `fields` of `[listen.tls.clients]`.
    pub client_fields: Vec<&'static str>,
    /// Whence.
    pub origin: Origin,
}

/// `[listen.redirect]`.
#[derive(Clone, Debug, Default)]
pub struct Redirect {
    /// The port of https, unless 443.
    pub port: Option<u16>,
    /// Paths that are served in clear.
    pub except: Vec<String>,
    /// Whence.
    pub origin: Origin,
}

/// `[pool.NAME]`.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// Letters, digits, `_` and `-`.
    pub name: String,
    /// The word of `balance`, unless the default.
    pub balance: Option<&'static str>,
    /// How users stick.
    pub sticky: Stickiness,
    /// How members are checked.
    pub health: Health,
    /// TLS to members.
    pub tls: Option<PoolTls>,
    /// `[[pool.NAME.member]]`.
    pub members: Vec<Member>,
    /// Whence.
    pub origin: Origin,
}

/// `[pool.NAME.sticky]`.
#[derive(Clone, Debug, Default)]
pub enum Stickiness {
    /// Nobody sticks.
    #[default]
    Off,
    /// By the suffix of the session's id: `COOKIE`, or `COOKIE|URL`.
    Session(String),
    /// By a cookie of the proxy's own.
    RouteCookie(RouteCookie),
}

/// The proxy's own cookie.
#[derive(Clone, Debug, Default)]
pub struct RouteCookie {
    /// Its name.
    pub name: String,
    /// The application's session cookie, unless JSESSIONID.
    pub session: Option<String>,
    /// Its path, unless `/`.
    pub path: Option<String>,
    /// Its domain.
    pub domain: Option<String>,
    /// Strict or None, unless Lax.
    pub same_site: Option<&'static str>,
}

/// `[pool.NAME.health]`.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// No checks at all.
    pub off: bool,
    /// Time between checks.
    pub every: Option<Duration>,
    /// How long a check may stay unanswered.
    pub timeout: Option<Duration>,
    /// A page.
    pub path: Option<String>,
    /// The Host that is asked for.
    pub host: Option<String>,
    /// Statuses that pass.
    pub status: Option<String>,
    /// A port of its own.
    pub port: Option<u16>,
    /// Checks that must pass.
    pub rise: Option<u32>,
    /// Checks that must fail.
    pub fall: Option<u32>,
}

/// `[pool.NAME.tls]`.
#[derive(Clone, Debug, Default)]
pub struct PoolTls {
    /// The file of whoever issued the members' certificates.
    pub authority: String,
    /// The name in all their certificates.
    pub name: Option<String>,
    /// Our own certificate and its key.
    pub own: Option<(String, String)>,
}

/// `[[pool.NAME.member]]`.
#[derive(Clone, Debug, Default)]
pub struct Member {
    /// `http://HOST:PORT`.
    pub url: String,
    /// Its name in cookies.
    pub route: String,
    /// Its share of new users, unless 1.
    pub weight: Option<u32>,
    /// The word of `state`, unless active.
    pub state: Option<&'static str>,
    /// Whose turn it is, unless 0.
    pub set: Option<u32>,
    /// `group`.
    pub group: Option<String>,
    /// `redirect`.
    pub redirect: Option<String>,
    /// Whence.
    pub origin: Origin,
}

/// `[[route]]`.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// What users ask for.
    pub path: String,
    /// The pool's name.
    pub pool: String,
    /// The path there; absent: as it is.
    pub to: Option<String>,
    /// Hosts; empty: all.
    pub hosts: Vec<String>,
    /// Paths that it leaves.
    pub except: Vec<String>,
    /// `encoded_slash`.
    pub encoded_slash: bool,
    /// `connect`.
    pub connect: Option<Duration>,
    /// `response`.
    pub response: Option<Duration>,
    /// `idle`.
    pub idle: Option<Duration>,
    /// Rules for fields.
    pub headers: Headers,
    /// Whence.
    pub origin: Origin,
}

/// `[headers]`.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// On their way to Tomcats.
    pub request: FieldRules,
    /// On their way to clients.
    pub response: FieldRules,
}

impl Headers {
    /// The lines of all rules.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        [&self.request, &self.response]
            .into_iter()
            .flat_map(FieldRules::lines)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        [&self.request, &self.response]
            .into_iter()
            .all(FieldRules::is_empty)
    }
}

/// Rules of one direction, each with the line that it came from.
#[derive(Clone, Debug, Default)]
pub struct FieldRules {
    /// Name and value.
    pub set: Vec<(String, String, Line)>,
    /// Name.
    pub unset: Vec<(String, Line)>,
}

impl FieldRules {
    /// The lines of all.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        let set = self.set.iter().map(|(_, _, line)| line);
        set.chain(self.unset.iter().map(|(_, line)| line))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.unset.is_empty()
    }
}

/// `[trust]`.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Networks; empty: nobody is trusted.
    pub networks: Vec<String>,
    /// Whence.
    pub origin: Origin,
}

/// One key of a table, as `[limits] response`.
#[derive(Clone, Debug)]
pub struct Setting {
    /// `limits` or `retry`.
    pub table: &'static str,
    /// The key.
    pub key: &'static str,
    /// Its value as TOML has it.
    pub value: String,
    /// Whence.
    pub origin: Origin,
}

//! The immutable picture of all pools that one request works with: who the upstreams are, what is believed and wished
//! of them, how their users stick.
//!
//! Invariants: addresses are unique in a pool, and the members keep the order of the configuration, behind which come those that
//! were discovered, by route; there may be none · candidates come from one tier only, the best that has a member which was not tried, and from its first
//! set · a value here never changes; a change is another set.
//!
//! Left out on purpose: what was counted of an upstream and the connections to it, which are shared and change. They
//! are kept elsewhere under its [`UpstreamId`].

use std::sync::Arc;
use std::time::Duration;

use super::admin_state::AdminState;
use super::admission::Tier;
use super::balance::BalanceBy;
use super::health::{Health, HealthRule};

/// Names an upstream for the life of the process. Small and dense, so that it can index a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpstreamId(pub u32);

impl UpstreamId {
    /// The id as an index into a table.
    #[must_use]
    pub fn index(self) -> usize {
        usize::try_from(self.0).expect("a usize has at least 32 bits on every platform with sockets")
    }
}

/// One Tomcat as the proxy sees it, at one moment.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its name for this process.
    pub id: UpstreamId,
    /// Its name in session cookies: 1 to 64 bytes of `A-Z a-z 0-9 . _ -`. Several members of a pool
    /// may share it: each serves its users, the first of those that can.
    pub route: Arc<str>,
    /// `host:port`, where to connect.
    pub authority: Arc<str>,
    /// Whether TLS is spoken there.
    pub secured: bool,
    /// Share of the new users, relative to the other members; 1 to 1,000.
    pub weight: u32,
    /// Its request threads, if that is known: so many requests can be at work there.
    pub threads: Option<u32>,
    /// What is believed of it.
    pub health: Health,
    /// When it came up beside others that were: it gets its share of the new users little by little. Counted from the
    /// moment from which the balance's callers count.
    pub rose: Option<Duration>,
    /// What is wanted of it.
    pub state: AdminState,
    /// Whose turn it is: of those that could serve alike, the lowest set serves (httpd's lbset).
    pub set: u8,
    /// Members that stand in for each other before others do: a version, a zone.
    pub group: Option<Arc<str>>,
    /// Whose users its own become where it cannot serve them: a route of the pool.
    pub redirect: Option<Arc<str>>,
    /// The instance that announced itself to the store's registry; none for one that the file has.
    pub instance: Option<u64>,
}

impl Upstream {
    /// As people write it.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secured { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }
}

/// How requests of one user find the upstream that holds the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sticky {
    /// Name of the session cookie, as Tomcat writes it. Its bare id is the rendezvous key.
    pub session: Arc<str>,
    /// Name of the same value in path and query: Tomcat's `jsessionid` for `JSESSIONID`, otherwise the cookie's name.
    pub parameter: Arc<str>,
    /// Mode 1: the proxy's own cookie that carries the route. Absent in mode 2, where the session id carries it.
    pub route_cookie: Option<RouteCookie>,
    /// How session and route are found in a request.
    pub lookup: Lookup,
}

/// How session and route are found in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lookup {
    /// As Tomcat reads them.
    #[default]
    Tomcat,
    /// The route as httpd finds it, the session as Tomcat reads it.
    Httpd,
    /// Not at all: users do not stick, each request is a new user's. The names still say what a log must hide.
    Off,
}

/// The cookie by which the proxy marks a user's upstream, and to whom browsers bring it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteCookie {
    /// Its name.
    pub name: Arc<str>,
    /// The paths that it is for.
    pub path: Arc<str>,
    /// The domain whose hosts it is for; the host that was asked, alone, when absent.
    pub domain: Option<Arc<str>>,
    /// On which requests from other sites it comes along.
    pub same_site: SameSite,
    /// Whether each site that embeds this one has a cookie of its own.
    pub partitioned: bool,
}

impl RouteCookie {
    /// A cookie for the whole host that was asked.
    #[must_use]
    pub fn named(name: &str) -> RouteCookie {
        RouteCookie {
            name: name.into(),
            path: "/".into(),
            domain: None,
            same_site: SameSite::Lax,
            partitioned: false,
        }
    }

    /// Whether browsers take it over TLS alone, by its name or by what it asks for.
    #[must_use]
    pub fn needs_tls(&self) -> bool {
        self.name.starts_with("__Host-")
            || self.name.starts_with("__Secure-")
            || self.same_site == SameSite::None
            || self.partitioned
    }
}

/// On which requests from other sites a cookie comes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// On none.
    Strict,
    /// When somebody follows a link.
    Lax,
    /// On all.
    None,
}

impl SameSite {
    /// As it stands in a cookie.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        }
    }
}

impl Sticky {
    /// Stickiness by the session cookie `session`; mode 1 when `route_cookie` is given. `COOKIE|parameter` names the
    /// session in cookies and in URLs apart, as httpd's `stickysession` does.
    #[must_use]
    pub fn new(session: &str, route_cookie: Option<&str>) -> Sticky {
        let (session, parameter) = match session.split_once('|') {
            Some(names) => names,
            None if session == "JSESSIONID" => (session, "jsessionid"),
            None => (session, session),
        };
        Sticky {
            session: session.into(),
            parameter: parameter.into(),
            route_cookie: route_cookie.map(RouteCookie::named),
            lookup: Lookup::Tomcat,
        }
    }

    /// No stickiness.
    #[must_use]
    pub fn off() -> Sticky {
        Sticky {
            lookup: Lookup::Off,
            ..Sticky::new("JSESSIONID", None)
        }
    }
}

/// Interchangeable upstreams, in the order of the configuration.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// How users stick.
    pub sticky: Sticky,
    /// What its new users are shared out by.
    pub balance: BalanceBy,
    /// How its members are believed.
    pub rule: HealthRule,
    /// The upstreams; none where nobody has announced himself yet.
    pub members: Vec<Upstream>,
}

impl Pool {
    /// The member with this id.
    #[must_use]
    pub fn member(&self, id: UpstreamId) -> Option<&Upstream> {
        self.members.iter().find(|member| member.id == id)
    }

    /// The first member with this route, compared byte for byte.
    #[must_use]
    pub fn member_by_route(&self, route: &[u8]) -> Option<&Upstream> {
        self.members
            .iter()
            .find(|member| member.route.as_bytes() == route)
    }

    /// The member that serves the users of a route: the first of the best, if nobody else may be asked before it.
    pub(crate) fn own(&self, route: &[u8], has_session: bool, tried: &[UpstreamId]) -> Option<&Upstream> {
        let best = self.best_tier(tried)?;
        let own = self.best_own(route, has_session, tried);
        own.filter(|(tier, _)| *tier <= best).map(|(_, member)| member)
    }

    /// The first of the best members of a route that may be asked at all, and the tier in which its own users ask it.
    pub(crate) fn best_own(
        &self,
        route: &[u8],
        has_session: bool,
        tried: &[UpstreamId],
    ) -> Option<(Tier, &Upstream)> {
        let tier = |member: &Upstream| {
            let state = member.state.to_its_own(has_session);
            Tier::of(&member.health, &self.rule, state)
        };
        self.untried(tried)
            .filter(|member| member.route.as_bytes() == route)
            .filter_map(|member| Some((tier(member)?, member)))
            .min_by_key(|(tier, _)| *tier)
    }

    /// Who takes the users of a member that cannot serve them, by its redirect, or the redirect's own.
    pub(crate) fn redirected(&self, from: &Upstream, tried: &[UpstreamId]) -> Option<&Upstream> {
        let mut from = from;
        // Redirects that lead round end where each member has been asked.
        for _ in &self.members {
            let route = from.redirect.as_deref()?.as_bytes();
            if let Some(instead) = self.own(route, false, tried) {
                return Some(instead);
            }
            from = self.member_by_route(route)?;
        }
        None
    }

    /// The members that may be tried now: those of the best tier that has one which was not tried yet, of its first set.
    pub(crate) fn candidates<'a, 'b>(
        &'a self,
        tried: &'b [UpstreamId],
    ) -> impl Iterator<Item = &'a Upstream> + Clone + use<'a, 'b> {
        self.candidates_near(None, tried)
    }

    /// The same, of one group where it has such members.
    pub(crate) fn candidates_near<'a, 'b>(
        &'a self,
        group: Option<&'b str>,
        tried: &'b [UpstreamId],
    ) -> impl Iterator<Item = &'a Upstream> + Clone + use<'a, 'b> {
        let best = self.best_tier(tried);
        let is_best = move |member: &Upstream| best.is_some() && self.tier(member) == best;
        let is_inside = move |member: &Upstream| group.is_some() && member.group.as_deref() == group;
        let inside = self
            .untried(tried)
            .any(|member| is_best(member) && is_inside(member));
        let is_near = move |member: &Upstream| is_best(member) && (!inside || is_inside(member));
        let near = self.untried(tried).filter(|member| is_near(member));
        let set = near.map(|member| member.set).min();
        self.untried(tried)
            .filter(move |member| is_near(member) && Some(member.set) == set)
    }

    /// The tier in which the pool's members are asked now; none while nobody is to be asked.
    #[must_use]
    pub fn present_tier(&self) -> Option<Tier> {
        self.best_tier(&[])
    }

    /// The tier in which a member is asked; none if it is not to be asked, but by its own users.
    #[must_use]
    pub fn tier(&self, member: &Upstream) -> Option<Tier> {
        Tier::of(&member.health, &self.rule, member.state)
    }

    pub(crate) fn best_tier(&self, tried: &[UpstreamId]) -> Option<Tier> {
        self.untried(tried).filter_map(|member| self.tier(member)).min()
    }

    fn untried<'a, 'b>(
        &'a self,
        tried: &'b [UpstreamId],
    ) -> impl Iterator<Item = &'a Upstream> + Clone + use<'a, 'b> {
        self.members.iter().filter(|member| !tried.contains(&member.id))
    }
}

/// All pools at one moment.
#[derive(Clone, Debug, Default)]
pub struct UpstreamSet {
    /// The pools, in the order of their names; path routes name them by position.
    pub pools: Vec<Pool>,
}

impl UpstreamSet {
    /// The upstream with this id and the pool that it is in.
    #[must_use]
    pub fn find(&self, id: UpstreamId) -> Option<(&Pool, &Upstream)> {
        self.pools
            .iter()
            .find_map(|pool| pool.member(id).map(|member| (pool, member)))
    }
}

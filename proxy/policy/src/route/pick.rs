//! Which upstream serves a request, and why.

use super::key::RouteKey;
use super::rendezvous;
use crate::upstream::{Pool, Upstream, UpstreamId};

/// Which upstream, and why; the reason goes into the access log and the metrics as it is.
#[derive(Clone, Copy, Debug)]
pub enum Pick<'a> {
    /// The upstream that the request's route names.
    Sticky(&'a Upstream),
    /// The stand-in for a session whose route is unknown, missing, down, drained or already tried; or whom its redirect names.
    Moved(&'a Upstream),
    /// Nothing ties the request to an upstream: the thread's [`Balance`](crate::Balance) chooses.
    Fresh,
    /// Every upstream was tried.
    None,
}

impl Pick<'_> {
    /// The word in the access log and in the metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Pick::Sticky(_) => "sticky",
            Pick::Moved(_) => "moved",
            Pick::Fresh => "fresh",
            Pick::None => "none",
        }
    }
}

/// Which of the pool's upstreams serves a request with this key, of those not `tried` yet.
///
/// The route is followed while nobody better is left: its upstream is up and keeps its users; drained ones when there is
/// no other; everybody under the panic rule. Otherwise its redirect is, and else the bare session id decides by rendezvous
/// among the candidates, those of the same group first, so that parallel requests of one user, through any proxy, meet at
/// the same stand-in. A user who comes back to a recovered upstream is not moved: the cookie has the stand-in's route by
/// then.
#[must_use]
pub fn pick<'a>(pool: &'a Pool, key: &RouteKey<'_>, tried: &[UpstreamId]) -> Pick<'a> {
    ruled(pool, key, tried).0
}

/// By which rule a pick was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The route is followed.
    Own,
    /// The redirect of whom the route names.
    Redirect,
    /// The rendezvous of the session among the candidates.
    Rendezvous,
    /// Nothing ties the request to anybody.
    NewUser,
    /// Nobody is left.
    Nobody,
}

/// The pick, and the rule by which it was made.
pub(super) fn ruled<'a>(pool: &'a Pool, key: &RouteKey<'_>, tried: &[UpstreamId]) -> (Pick<'a>, Rule) {
    let own = key
        .route
        .and_then(|route| pool.own(route, key.session.is_some(), tried));
    if let Some(own) = own {
        return (Pick::Sticky(own), Rule::Own);
    }
    let named = key.route.and_then(|route| pool.member_by_route(route));
    if let Some(instead) = named.and_then(|named| pool.redirected(named, tried)) {
        return (Pick::Moved(instead), Rule::Redirect);
    }
    let group = named.and_then(|named| named.group.as_deref());
    let mut best: Option<(&Upstream, u64)> = None;
    for candidate in pool.candidates_near(group, tried) {
        let rank = key
            .session
            .map_or(0, |session| rendezvous::rank(session, candidate.route.as_bytes()));
        if best.is_none_or(|(_, highest)| rank > highest) {
            best = Some((candidate, rank));
        }
    }
    match (best, key.session) {
        (None, _) => (Pick::None, Rule::Nobody),
        (Some((stand_in, _)), Some(_)) => (Pick::Moved(stand_in), Rule::Rendezvous),
        (Some(_), None) => (Pick::Fresh, Rule::NewUser),
    }
}

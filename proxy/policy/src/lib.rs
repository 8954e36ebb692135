//! What the proxy decides, and nothing else: functions from values to values. The proxy around it listens, connects,
//! reads clocks and counts; here the same values always give the same answer.
//!
//! # Which pool, and which path there (`route::paths`)
//!
//! The path is matched as a servlet container will read it: parameters cut, percent escapes decoded once, empty
//! segments dropped, dot segments resolved. The longest path route of whole segments wins, whatever the order; its
//! `path` is replaced by what stands for it on the upstream, in the client's own bytes. No match is a 404; a path that
//! two servers could read differently is a 400.
//!
//! # Which upstream, and why (`route::key`, `route::pick`, `upstream::balance`)
//!
//! 1. The key is the bare session id and the route: from the first usable session cookie, then the path parameter, then
//!    the query. In mode 1 the route comes from the proxy's own cookie instead. A value that makes no sense is no
//!    value. Where users of a pool do not stick, nothing is read; where it asks for httpd's ways, the route is what httpd finds
//!    (`route::httpd`).
//! 2. Candidates are the members of the best tier that has one which was not tried yet (see admission), of its lowest set.
//! 3. If a member that the route names keeps its users, and nobody better is left, the request goes there: *sticky*.
//! 4. Otherwise to whom that member's redirect names; else, with a session id, to the candidate of the highest rendezvous rank
//!    of (bare id, route), those of the member's group first: *moved*. The function is fixed for ever, so all proxies choose
//!    the same stand-in without talking.
//! 5. Otherwise the user is new, *fresh*: smooth weighted round robin, which counts sticky traffic as well, or as the pool says:
//!    by new users alone, by what is in flight, by bytes. Whoever came up beside others gets new users little by little.
//! 6. Nobody who has clicked elsewhere is moved back.
//!
//! Who asks why gets the same pick with the rule that made it, and what became of the route ([`explain`]).
//!
//! # What is believed of an upstream (`upstream::health`, `upstream::silence`)
//!
//! Unknown, up, leaving or down. A refused connect, and silence beyond patience under waiting requests, count at once;
//! any other bad sign of a request asks for a check, and checks count when `fall` of them fail in a row. An answer of
//! any status clears the count; what an application answers never counts against its Tomcat. Once down, only `rise`
//! passed checks in a row let an upstream back. Leaving is who answers a check's page with 404. Who comes up later than at the
//! start of the process is cold (`upstream::rising`).
//!
//! # Who may be asked (`upstream::admission`)
//!
//! Health and what is wanted of a member ([`AdminState`]) together give a tier: up · unknown · standby · leaving · up and
//! drained · everybody (the panic rule: a wrong belief about everybody must not take the site down) · whoever is frozen. Tiers
//! are asked in that order and never mixed. Who is disabled or stopped is in none.
//!
//! # Whether another attempt may follow (`failover`)
//!
//! One question: what may have happened on the far side? Nothing was sent, or the answer says `Remora-Effect: none`:
//! any method may follow, at every member once. Sent and unanswered: only an idempotent method, and from the budget:
//! attempts of the exchange, tokens of the thread (earned by traffic and time, kept up to a burst). A malformed answer, or a
//! head that was passed on: nothing. In every case the body must be there from its first byte, and time be left. A kept-alive
//! connection that was found closed is repeated at the same upstream and says nothing about it.
//!
//! # Who asks (`preamble`, `headers`)
//!
//! Where a listener requires it, a balancer says in front of each connection who its client is ([`Preamble`]).
//! Who the client is, is found once for each request ([`ClientView`]): behind trusted peers the first address of their
//! chain that is not trusted. Log lines, forwarding fields, cookies and redirects are written from it.
//!
//! # How slow they may be (`pace`)
//!
//! A client that sends a request, or takes an answer, below a pace has a grace to lose and is then too slow; only time counts in
//! which it is the client's turn ([`Pace`]).
//!
//! Frames of HTTP/2 that bring nothing have a budget for each kind, which grows with time and with what does bring something
//! (`glitches`, [`Glitches`]).
//!
//! # Who is there (`discovery`)
//!
//! The members that the file has and, where a pool asks for it, the application servers of the store's registry. A view of
//! the registry is merged into the one that is held ([`merge`]): silence takes nobody out, and neither does a cluster that has
//! not heard of somebody. A pool selects of it who is at an address that is allowed ([`Selection`]).
//!
//! # What outlives the process (`wishes`, `maintenance`, `discovery`)
//!
//! What operators wish of each route and of each pool, over what the file says, and the last view, as text in one form each
//! (`formats/proxy/wishes.txt`, `formats/proxy/maintenance.txt`, `formats/proxy/view.txt`). How a wish stands with the store, which
//! keeps it for all proxies, is part of it ([`Mark`]).
//!
//! # What is said in an upstream's place (`pages`)
//!
//! An owner's page, with the request's name in it; else a sentence of the proxy's.
//!
//! # What passes (`headers`)
//!
//! Whether the exchange may leave HTTP is decided once as well ([`Upgrade`]): WebSocket,
//! alone.
//!
//! Fields of one connection end here, and so does what `Connection` lists, but for the fields that a request's meaning
//! rests on. `Remora-*` never crosses in either direction. What upstreams are told of the client is written from the view,
//! never copied; fields that vouch for a client pass from a trusted peer alone. An owner's own rules come last
//! ([`FieldRules`]). A request that has been through this process already is recognised ([`has_been_here`]).
//!
//! Redirects and cookies that name a member of the pool, or a path there, are mapped back to what the client asks for,
//! over all routes of the pool, the serving one first. The route cookie is written in one form only
//! (`formats/proxy/route-cookie.txt`).
//!
//! # Invariants
//!
//! Total: any bytes give an answer, none a panic · no clock, no randomness, no unordered map, no shared state, no IO:
//! `clippy.toml` beside this crate bans them by name · no type of an HTTP library, no wire type: fields are pairs of
//! byte slices · a snapshot never changes once it is made.
//!
//! Left out on purpose: connections, bodies and deadlines (the proxy's), counters (its tally), configuration (its file;
//! limits come as arguments), and all state but [`Balance`] and [`RetryBudget`], which the caller owns.

mod discovery;
mod failover;
mod frames;
mod glitches;
mod hash;
mod headers;
mod maintenance;
mod pace;
mod pages;
mod parts;
mod preamble;
mod route;
mod upstream;
#[cfg(test)]
mod warm;
mod wishes;

pub use discovery::{
    Announced, Chosen, Endpoint, NoEndpoint, Refusal, Refused, Retired, Selection, Taken, View, heard, merge,
    overruled,
};
pub use failover::{
    Budget, Cause, Effect, Failure, GiveUp, Phase, RequestShape, RetryBudget, RetryLimits, Verdict, decide,
    give_up, is_idempotent,
};
pub use frames::Frames;
pub use glitches::{Glitch, Glitches};
pub use headers::{
    ClientView, FieldEdit, FieldRules, ForwardingHeader, Listed, Origin, Peer, Scheme, ToHttps, Told,
    Upgrade, added_to_request, declines, edit_request, edit_response, given_request_id, has_been_here,
    may_trail, route_cookie, traceparent,
};
pub use maintenance::{Maintenance, Maintenances};
pub use pace::{Pace, PaceLimits};
pub use pages::{PAGE_BYTES, Page, PageForm};
pub use parts::{InParts, ShortText};
pub use preamble::{PREAMBLE_BYTES_MAX, Preamble};
pub use route::{
    Explained, Fate, FoundKey, MappedPath, PathFault, PathMap, PathRoute, Pick, Place, ROUTE_MAX, RouteKey,
    Rule, Standing, can_be_route, explain, pick,
};
pub use upstream::{
    AdminState, Balance, BalanceBy, Belief, Emptied, Health, HealthRule, Lookup, Observation, Pool, Rising,
    RouteCookie, SameSite, Sight, Silence, Sticky, Tier, Upstream, UpstreamId, UpstreamSet, Waiting,
};
pub use wishes::{Mark, Settings, StoredWish, WEIGHT, Wish, Wishes};

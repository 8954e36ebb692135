//! Why a request goes where, in words: what an operator asks is decided by the functions that decide for clients.
//!
//! Invariant: no session id is in an answer, whatever part of the request it stood in · nothing is sent, counted or observed.
//!
//! Left out on purpose: whom a thread's balance gives its next new user. Only that thread knows; told is among whom it chooses.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use remora_policy::{
    AdminState, BalanceBy, Belief, ClientView, Explained, Fate, FoundKey, Lookup, PathRoute, Peer, Pick,
    Place, Pool, Rule, Scheme, Standing, Sticky, Tier, Upstream, UpstreamId, explain,
};
use remora_proto::v1::explain_reply::Member;
use remora_proto::v1::{ExplainReply, ExplainRequest, UpstreamStatus};

use crate::access_log::without_sessions;
use crate::config::ListenConfig;
use crate::directory::Snapshot;
use crate::way::{Way, to_https};

/// Who asks if nobody is named: an address that no network has, so that it is in no list of exceptions.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// What decides.
pub(super) struct Scene<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) listen: &'s [ListenConfig],
    /// A member as operators see it.
    pub(super) status_of: &'s dyn Fn(&Pool, &Upstream) -> UpstreamStatus,
}

impl Scene<'_> {
    /// Why this request goes where, or what is wrong with the question.
    pub(super) fn explain(&self, request: &ExplainRequest) -> Result<ExplainReply, String> {
        let listener = self.listener(request)?;
        let address = match request.client.as_str() {
            "" => NOBODY,
            client => client
                .parse()
                .map_err(|_| "the client's address is none: write it without a port".to_owned())?,
        };
        let scheme = if request.https {
            Scheme::Https
        } else {
            Scheme::Http
        };
        let peer = Peer { address, scheme };
        let fields = [(&b"host"[..], request.host.as_bytes())];
        let header = self.snapshot.trust.header;
        let client = ClientView::of(&peer, header, |_| false, &fields.iter().copied());
        let (mut reply, mut to) = (ExplainReply::default(), Vec::new());
        reply.listen = listener
            .map(|listener| listener.address.to_string())
            .unwrap_or_default();
        let method = match request.method.as_str() {
            "" => "GET",
            method => method,
        };
        let asked = request.target.as_bytes();
        let redirect = listener.and_then(|listener| listener.redirect.as_deref());
        if let Some(own) = to_https(redirect, &client, (method, asked), &mut to) {
            reply.because.push(format!(
                "it comes in clear, and clients of {} are sent to https",
                reply.listen
            ));
            answered(&mut reply, own.status);
            return Ok(reply);
        }
        reply.because.extend(self.routes(&client, asked));
        let way = match Way::find(self.snapshot, &client, asked) {
            Ok(way) => way,
            Err(own) => {
                reply.because.push(own.sentence.to_owned());
                answered(&mut reply, own.status);
                return Ok(reply);
            }
        };
        let pool = &self.snapshot.upstreams.pools[way.mapped.route.pool];
        reply.matched = path_of(way.mapped.route);
        reply.pool = pool.name.to_string();
        let target = way.mapped.target.to_vec();
        reply.target = without_sessions(&target, &self.snapshot.session_parameters);
        reply.because.extend(self.maintenance(&way, pool));
        if let Some(own) = way.instead {
            answered(&mut reply, own.status);
            reply.members = self.members(pool, &[]);
            return Ok(reply);
        }
        let session =
            (!request.session.is_empty()).then(|| format!("{}={}", pool.sticky.session, request.session));
        let cookies = session
            .iter()
            .chain(&request.cookies)
            .map(|field| field.as_bytes());
        reply.because.extend(several(&pool.sticky, cookies.clone()));
        self.picked(pool, &FoundKey::read(&pool.sticky, asked, cookies), &mut reply);
        Ok(reply)
    }

    /// The listener that the client comes to: the one that is named, else the first that speaks as it does.
    fn listener(&self, request: &ExplainRequest) -> Result<Option<&ListenConfig>, String> {
        let addresses = || self.listen.iter().map(|listener| listener.address.to_string());
        if !request.listen.is_empty() {
            let found = addresses().position(|address| address == request.listen);
            let at = found.ok_or_else(|| {
                let known = addresses().collect::<Vec<_>>().join(", ");
                format!("there is no listener `{}`; known here: {known}", request.listen)
            })?;
            return Ok(self.listen.get(at));
        }
        let speaks = |listener: &&ListenConfig| listener.tls.is_some() == request.https;
        Ok(self.listen.iter().find(speaks).or(self.listen.first()))
    }

    /// How the routes stand to the request, as far as they have its path.
    fn routes(&self, client: &ClientView<'_>, asked: &[u8]) -> Vec<String> {
        let standings = self.snapshot.paths.standings(client.host_name(), asked);
        let (mut told, mut served) = (Vec::new(), false);
        for (route, standing) in standings {
            let path = path_of(route);
            told.push(match standing {
                Standing::OtherPath => continue,
                Standing::OtherHost => {
                    format!("route {path} is for {} alone", route.hosts.join(", "))
                }
                Standing::Excepted(except) => format!("route {path} excepts {except}"),
                Standing::Serves if served => format!("route {path} would serve it, and is shorter"),
                Standing::Serves => {
                    served = true;
                    let pool = &self.snapshot.upstreams.pools[route.pool].name;
                    format!("route {path} serves it, and leads to pool {pool}")
                }
            });
        }
        if told.is_empty() {
            let known: Vec<String> = self.snapshot.paths.routes().iter().map(path_of).collect();
            told.push(format!("no route has its path; there are {}", known.join(", ")));
        }
        told
    }

    /// What is said of the pool's maintenance.
    fn maintenance(&self, way: &Way<'_>, pool: &Pool) -> Option<String> {
        let name = &pool.name;
        if way.instead.is_some() {
            return Some(format!(
                "pool {name} is under maintenance, and its page is answered"
            ));
        }
        let in_place = self.snapshot.in_place.get(way.mapped.route.pool)?;
        let is_excepted = in_place.notice.is_some();
        is_excepted
            .then(|| format!("pool {name} is under maintenance, and this client is excepted from that"))
    }

    /// Who is picked, and who would be after it.
    fn picked(&self, pool: &Pool, found: &FoundKey<'_>, reply: &mut ExplainReply) {
        let key = &found.key;
        let first = explain(pool, key, &[]);
        reply.session_in = found.session_in.map_or("", place).to_owned();
        reply.asked_route = key.route.map_or_else(String::new, shown);
        reply.because.extend(told_of_key(&pool.sticky, found));
        reply.because.extend(told_of_fate(&first, found, reply));
        reply.because.push(told_of_rule(&first, pool));
        reply.pick = first.pick.as_str().to_owned();
        let mut tried: Vec<UpstreamId> = Vec::new();
        let mut next = first.pick;
        while let Pick::Sticky(upstream) | Pick::Moved(upstream) = next {
            reply.turns.push(upstream.route.to_string());
            tried.push(upstream.id);
            next = explain(pool, key, &tried).pick;
        }
        match first.pick {
            Pick::Sticky(_) | Pick::Moved(_) => reply.route.clone_from(&reply.turns[0]),
            Pick::Fresh => {
                let candidates = first.candidates.iter();
                reply.candidates = candidates.map(|one| one.route.to_string()).collect();
            }
            Pick::None => reply.status = 503,
        }
        reply.members = self.members(pool, &tried);
    }

    fn members(&self, pool: &Pool, turns: &[UpstreamId]) -> Vec<Member> {
        let members = pool.members.iter().map(|member| {
            let turn = turns.iter().position(|id| *id == member.id);
            Member {
                upstream: Some((self.status_of)(pool, member)),
                tier: pool.tier(member).map_or("", Tier::as_str).to_owned(),
                turn: turn.map_or(0, |turn| u32::try_from(turn + 1).unwrap_or(u32::MAX)),
            }
        });
        members.collect()
    }
}

fn answered(reply: &mut ExplainReply, status: u16) {
    "answered".clone_into(&mut reply.pick);
    reply.status = status.into();
}

fn path_of(route: &PathRoute) -> String {
    let path = if route.public.is_empty() {
        "/"
    } else {
        &route.public
    };
    path.to_owned()
}

fn place(place: Place) -> &'static str {
    match place {
        Place::Cookie => "cookie",
        Place::Path => "path",
        Place::Query => "query",
        Place::AsHttpd => "URL or cookie, as httpd looks",
    }
}

/// What a client wrote, for people: nothing in it drives a terminal.
fn shown(bytes: &[u8]) -> String {
    let none: &[Arc<str>] = &[];
    without_sessions(bytes, none)
}

/// Of more than one session cookie only one counts.
fn several<'a>(sticky: &Sticky, cookies: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let (name, count) = (&sticky.session, FoundKey::session_cookies(sticky, cookies));
    (count > 1).then(|| format!("{count} cookies are called {name}: the first that can be one counts"))
}

/// What ties the request to somebody.
fn told_of_key(sticky: &Sticky, found: &FoundKey<'_>) -> Option<String> {
    if sticky.lookup == Lookup::Off {
        return Some("users of this pool do not stick: each request is a new user's".to_owned());
    }
    let session = match found.session_in {
        Some(in_place) => format!("its session is in the {}", place(in_place)),
        None => "it has no session".to_owned(),
    };
    let route = match (found.key.route, found.route_in) {
        (Some(route), in_place) if in_place == found.session_in => format!("and asks for {}", shown(route)),
        (Some(route), Some(in_place)) => {
            format!("its route, {}, is in the {}", shown(route), place(in_place))
        }
        _ => "and names no route".to_owned(),
    };
    let joint = if route.starts_with("and") { " " } else { "; " };
    Some(format!("{session}{joint}{route}"))
}

/// What became of the route.
fn told_of_fate(explained: &Explained<'_>, found: &FoundKey<'_>, reply: &ExplainReply) -> Option<String> {
    let has_session = found.key.session.is_some();
    match explained.fate {
        Fate::Unknown => Some(format!(
            "no member of pool {} is {}",
            reply.pool, reply.asked_route
        )),
        Fate::Absent | Fate::Followed(_) => None,
        Fate::Closed(member) | Fate::Behind(member, ..) => Some(away(member, has_session)),
    }
}

/// Why a member does not get its own users, or gets them for want of a better one.
fn away(member: &Upstream, has_session: bool) -> String {
    let route = &member.route;
    match (member.state, member.health.belief()) {
        (AdminState::Disabled | AdminState::Stopped, _) => {
            format!("{route} is {}: nobody is sent there", member.state.as_str())
        }
        (_, Belief::Down) if member.health.is_frozen() => {
            format!("{route} is frozen: {}", member.health.reason())
        }
        (_, Belief::Down) => format!("{route} is down: {}", member.health.reason()),
        (AdminState::Draining, _) => format!("{route} is drained: its users leave with their next request"),
        (AdminState::Finishing, _) if !has_session => {
            format!("{route} is finishing: who has no session yet goes elsewhere")
        }
        (_, Belief::Leaving) => format!("{route} asks to be spared: {}", member.health.reason()),
        (_, Belief::Unknown) => format!("nothing was seen of {route} yet"),
        (state, Belief::Up) => format!("{route} is up and {}", state.as_str()),
    }
}

/// By which rule it goes on.
fn told_of_rule(explained: &Explained<'_>, pool: &Pool) -> String {
    let names = || {
        let routes = explained.candidates.iter();
        routes.map(|one| &*one.route).collect::<Vec<_>>().join(", ")
    };
    match (explained.rule, explained.pick) {
        (Rule::Own, Pick::Sticky(own)) => match explained.fate {
            Fate::Followed(Tier::Open) if own.state.is_drain() => {
                format!(
                    "{} is {}, and keeps who has a session",
                    own.route,
                    own.state.as_str()
                )
            }
            Fate::Followed(Tier::Open) => format!("{} is up and keeps its users", own.route),
            _ => format!("{}, and nobody better is left", away(own, true)),
        },
        (Rule::Redirect, Pick::Moved(instead)) => format!("its redirect names {}", instead.route),
        (Rule::Rendezvous, Pick::Moved(stand_in)) => format!(
            "the hash of its session chooses {} among {}, as at every proxy",
            stand_in.route,
            names()
        ),
        (Rule::NewUser, _) => {
            let by = match pool.balance {
                BalanceBy::Requests => "the next of weighted round robin",
                BalanceBy::Sessions => "the next of weighted round robin over new users",
                BalanceBy::Busyness => "whoever has the fewest requests in flight for its weight",
                BalanceBy::Traffic => "whoever has carried the fewest bytes for its weight",
            };
            format!("it is a new user's, who gets {by} among {}", names())
        }
        _ => "nobody is left whom it may be sent to".to_owned(),
    }
}

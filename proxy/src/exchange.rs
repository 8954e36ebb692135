//! One request from its head to the last byte of its answer: the only retry loop in the program.
//!
//! Pick an upstream, make an attempt, ask what may have happened, decide. The decisions are pure and live in `route`,
//! `upstream` and `failover`; this file only walks from one to the next.
//!
//! Invariants: a request keeps the snapshot that it started with · nothing is passed to the client before an attempt
//! has succeeded, and nothing is repeated afterwards · every way out leaves one story in the access log · an answer of
//! our own never touches a cookie.
//!
//! Left out on purpose: waiting for an upstream to come back. Nobody up is answered at once; the client knows best
//! how long to wait.

mod delivery;
mod heads;
mod story;

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use remora_policy::{
    Balance, Belief, Budget, Cause, Client, Failure, GiveUp, MappedPath, Observation, Origin, PathFault,
    Phase, Pick, Pool, RequestShape, RetryBudget, RouteKey, Scheme, Upstream, UpstreamId, Verdict,
    client_scheme, decide, declines, give_up, is_idempotent, pick, route_cookie,
};

use crate::access_log::AccessLog;
use crate::answer::OwnAnswer;
use crate::connections::Connections;
use crate::directory::{Current, Directory, Snapshot};
use crate::forward::{Attempt, Unanswered};
use crate::http::inbound::{Handler, Reply};
use crate::http::outbound::Answer;
use crate::http::{Body, RequestHead, ResponseHead, strict};
use crate::replay::Replay;
use crate::tally::Tally;
use delivery::Delivery;
use story::Story;

/// What all connections of one thread share.
pub(crate) struct Site {
    /// Who the upstreams are and what is believed of them.
    pub(crate) directory: Directory,
    /// Idle connections.
    pub(crate) connections: Connections,
    log: AccessLog,
    balance: RefCell<Balance>,
    retries: RefCell<RetryBudget>,
    /// The moment from which the retry budget counts time.
    began: Instant,
}

/// What all requests of one client connection share.
pub(crate) struct Visitor {
    site: Rc<Site>,
    address: IpAddr,
    /// The port on which the connection was accepted.
    port: u16,
    scheme: Scheme,
}

impl Site {
    /// A thread's share of the site.
    #[must_use]
    pub(crate) fn new(directory: Directory, log: AccessLog) -> Self {
        let retries = RetryBudget::new(&directory.current().snapshot.limits.retry, Duration::ZERO);
        Self {
            directory,
            connections: Connections::default(),
            log,
            balance: RefCell::new(Balance::new()),
            retries: RefCell::new(retries),
            began: Instant::now(),
        }
    }
}

impl Visitor {
    /// A client's connection.
    #[must_use]
    pub(crate) fn new(site: Rc<Site>, client: SocketAddr, port: u16, scheme: Scheme) -> Self {
        Self {
            site,
            address: client.ip(),
            port,
            scheme,
        }
    }
}

impl Handler for Visitor {
    async fn handle(self: Rc<Self>, head: RequestHead, body: Body) -> Reply {
        let current = self.site.directory.current();
        let idle = current.snapshot.limits.idle;
        let head = Rc::new(head);
        let mut story = Story::begin(&self.site, &current, self.address, &head);
        let (answer, body) = match self.serve(&current, &head, body, &mut story).await {
            Ok(Answer::Response(head, body)) => (head, body),
            Ok(Answer::Switched(head, tunnel)) => {
                story.status(head.status);
                story.tunnel();
                return Reply::Switch {
                    head,
                    tunnel,
                    idle,
                    until_end: Box::new(story),
                };
            }
            Err(answer) if head.method() == "HEAD" => (answer.into_response().0, Body::empty()),
            Err(answer) => answer.into_response(),
        };
        story.status(answer.status);
        Reply::Response(answer, Body::from_source(Delivery::new(body, idle, story)))
    }
}

impl Visitor {
    /// Refuses, maps, and lets the exchange run.
    async fn serve(
        &self,
        current: &Current,
        head: &RequestHead,
        body: Body,
        story: &mut Story,
    ) -> Result<Answer, OwnAnswer> {
        let snapshot = &current.snapshot;
        strict::check(head, snapshot.limits.target_bytes).map_err(OwnAnswer::refused)?;
        let asked = head.path_and_query();
        let mapped = snapshot.paths.map(asked).map_err(|fault| match fault {
            PathFault::NoRoute => OwnAnswer::no_route(),
            PathFault::Refused(sentence) => OwnAnswer::bad_path(sentence),
        })?;
        let pool = &snapshot.upstreams.pools[mapped.route.pool];
        story.pool(mapped.route.pool);
        let exchange = Exchange {
            visitor: self,
            snapshot,
            tally: &current.tally,
            pool,
            key: RouteKey::read(&pool.sticky, asked, head.fields.all("cookie")),
            mapped,
            head,
            scheme: client_scheme(
                head.fields.iter(),
                snapshot.trust.includes(self.address),
                self.scheme,
            ),
            replay: Replay::new(body, snapshot.limits.replay_bytes),
            tried: Vec::new(),
            attempts: 0,
        };
        exchange.run(story).await
    }

    fn client<'a>(&self, snapshot: &Snapshot, head: &'a RequestHead) -> Client<'a> {
        Client {
            address: self.address,
            trusted: snapshot.trust.includes(self.address),
            scheme: self.scheme,
            host: head.fields.get("host").unwrap_or_default(),
            port: self.port,
        }
    }
}

/// All attempts of one request.
struct Exchange<'a> {
    visitor: &'a Visitor,
    snapshot: &'a Snapshot,
    tally: &'a Tally,
    pool: &'a Pool,
    key: RouteKey<'a>,
    mapped: MappedPath<'a>,
    head: &'a RequestHead,
    /// How the client speaks to the site.
    scheme: Scheme,
    replay: Replay,
    tried: Vec<UpstreamId>,
    attempts: u32,
}

impl<'a> Exchange<'a> {
    /// The retry loop.
    async fn run(mut self, story: &mut Story) -> Result<Answer, OwnAnswer> {
        let site = self.site();
        site.retries
            .borrow_mut()
            .earn(&self.snapshot.limits.retry, site.began.elapsed());
        let mut chosen = self
            .choose(story)
            .ok_or(OwnAnswer::gave_up(GiveUp::Unavailable))?;
        let mut reuse = true;
        loop {
            let (failure, declined) = match self.attempt(chosen, reuse, story).await {
                Ok(Answer::Response(head, body)) if declined(&head) => {
                    (Failure::new(Phase::Declined, Cause::Declined), Some((head, body)))
                }
                Ok(answer) => return Ok(self.finish(chosen, answer, self.mark(chosen).as_deref())),
                Err(Unanswered::Client(error)) => return Err(OwnAnswer::no_body(error)),
                Err(Unanswered::Upstream(failure)) => (failure, None),
            };
            story.failed(&failure);
            let next = match decide(&failure, self.shape(), &self.budget()) {
                Verdict::SameUpstream => Ok(chosen),
                Verdict::NextUpstream => {
                    self.tried.push(chosen.id);
                    self.choose(story).ok_or(give_up(&failure))
                }
                Verdict::GiveUp(how) => Err(how),
            };
            match (next, declined) {
                (Ok(next), _) => {
                    // A kept-alive connection that was found closed says that its sisters are likely closed too.
                    reuse = next.id != chosen.id;
                    chosen = next;
                    self.site().retries.borrow_mut().spend();
                    story.repeats();
                }
                (Err(GiveUp::PassOn), Some((head, body))) => {
                    // Whoever did not begin the request must not get its user.
                    return Ok(self.finish(chosen, Answer::Response(head, body), None));
                }
                (Err(how), _) => return Err(OwnAnswer::gave_up(how)),
            }
        }
    }

    /// The next upstream to try; none when all were tried.
    fn choose(&self, story: &mut Story) -> Option<&'a Upstream> {
        let picked = pick(self.pool, &self.key, &self.tried);
        story.picked(&picked);
        let mut balance = self.site().balance.borrow_mut();
        match picked {
            Pick::Sticky(upstream) | Pick::Moved(upstream) => {
                balance.count(self.pool, upstream.id);
                Some(upstream)
            }
            Pick::Fresh => balance.choose(self.pool, &self.tried),
            Pick::None => None,
        }
    }

    async fn attempt(
        &mut self,
        upstream: &'a Upstream,
        reuse: bool,
        story: &mut Story,
    ) -> Result<Answer, Unanswered> {
        self.attempts += 1;
        story.attempts(upstream);
        let client = self.visitor.client(self.snapshot, self.head);
        let streamed = self.replay.is_streamed();
        let head = heads::to_upstream(
            self.head,
            &self.mapped.target,
            &client,
            &upstream.authority,
            streamed,
        );
        let attempt = Attempt {
            connections: &self.site().connections,
            upstream,
            counters: self.tally.upstream(upstream.id),
            replay: &self.replay,
            limits: &self.snapshot.limits,
        };
        match attempt
            .run(head, reuse, || self.is_better_elsewhere(upstream))
            .await?
        {
            Answer::Switched(answer, _)
                if !(heads::wants_tunnel(self.head) && heads::gives_tunnel(&answer)) =>
            {
                let failure = Failure::new(Phase::Waiting, Cause::Malformed);
                Err(Unanswered::Upstream(failure))
            }
            answer => Ok(answer),
        }
    }

    /// Whether a request that waits should leave: its upstream was believed up and has been found down or frozen,
    /// another one is up, and the request may be repeated.
    fn is_better_elsewhere(&self, upstream: &Upstream) -> bool {
        if upstream.health.belief() != Belief::Up {
            return false;
        }
        let now = self.site().directory.current();
        let Some((pool, member)) = now.snapshot.upstreams.find(upstream.id) else {
            return false;
        };
        let is_up = |other: &Upstream| other.health.belief() == Belief::Up && !self.tried.contains(&other.id);
        let failure = Failure::new(Phase::Waiting, Cause::Frozen);
        member.health.belief() == Belief::Down
            && pool.members.iter().any(is_up)
            && decide(&failure, self.shape(), &self.budget()) == Verdict::NextUpstream
    }

    /// The cookie that marks this upstream as the user's, where the route changes (mode 1).
    fn mark(&self, upstream: &Upstream) -> Option<String> {
        let moved = self.key.route != Some(upstream.route.as_bytes());
        moved
            .then(|| route_cookie(&self.pool.sticky, &upstream.route, self.scheme))
            .flatten()
    }

    /// An upstream answered: the head as the client must see it.
    fn finish(&self, upstream: &Upstream, answer: Answer, cookie: Option<&str>) -> Answer {
        self.replay.forget();
        self.tally.upstream(upstream.id).answered();
        self.site().directory.observe(upstream.id, Observation::Answered);
        let origin = Origin {
            route: self.mapped.route,
            upstream: &upstream.authority,
            host: self.head.fields.get("host").unwrap_or_default(),
            scheme: self.scheme,
        };
        let to_client = |head: &ResponseHead, streamed| heads::to_client(head, &origin, streamed, cookie);
        match answer {
            Answer::Response(head, body) => {
                let streamed = body.remaining().is_none();
                Answer::Response(to_client(&head, streamed), body)
            }
            Answer::Switched(head, tunnel) => Answer::Switched(to_client(&head, false), tunnel),
        }
    }

    fn shape(&self) -> RequestShape {
        RequestShape {
            idempotent: is_idempotent(self.head.method().as_bytes()),
            replayable: self.replay.can_repeat(),
        }
    }

    fn budget(&self) -> Budget {
        let time = self.replay.answer_due(self.snapshot.limits.response).left();
        let limits = &self.snapshot.limits.retry;
        self.site().retries.borrow().budget(limits, self.attempts, time)
    }

    fn site(&self) -> &'a Site {
        &self.visitor.site
    }
}

/// Whether an upstream says that it did not begin the request.
fn declined(head: &ResponseHead) -> bool {
    head.fields.iter().any(|(name, value)| declines(name, value))
}

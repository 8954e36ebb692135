//! One request from its head to the last byte of its answer: the only retry loop in the program.
//!
//! Pick an upstream, make an attempt, observe what became of it, decide. The decisions are `remora_policy`'s; this file
//! only walks from one to the next.
//!
//! Invariants: a request keeps the snapshot that it started with · nothing is passed to the client before an attempt
//! has succeeded, and nothing is repeated afterwards · every way out leaves one story in the access log, which only
//! records · what an attempt tells of its upstream is told by `observe`, success and failure alike · an answer of our
//! own never touches a cookie.
//!
//! Left out on purpose: waiting for an upstream to come back. Nobody up is answered at once; the client knows best
//! how long to wait. How long a request stays where it waits is `stay`, what two broken attempts mean is `breaks`.

mod breaks;
mod delivery;
mod farewell;
mod heads;
mod stay;
mod story;
mod visit;

use std::rc::Rc;

use remora_policy::{
    Budget, Cause, ClientView, Failure, GiveUp, Health, MappedPath, Origin, PathFault, Peer, Phase, Pool,
    RequestShape, RouteKey, Told, Upgrade, Upstream, UpstreamId, Verdict, decide, declines, give_up,
    has_been_here, is_idempotent, pick, route_cookie,
};

use crate::answer::OwnAnswer;
use crate::config::Terms;
use crate::forward::{Attempt, Unanswered};
use crate::http::inbound::{Handler, Reply};
use crate::http::outbound::Answer;
use crate::http::{Body, RequestHead, ResponseHead, Version, strict};
use crate::replay::Replay;
use crate::site::Site;
use crate::tally::Trial;
use breaks::Breaks;
use delivery::Delivery;
use stay::Stay;
use story::Story;
use visit::Visit;

/// What all requests of one client connection share.
pub(crate) struct Visitor {
    site: Rc<Site>,
    peer: Peer,
}

impl Visitor {
    /// A client's connection.
    pub(crate) fn new(site: Rc<Site>, peer: Peer) -> Self {
        Self { site, peer }
    }
}

impl Handler for Visitor {
    async fn handle(self: Rc<Self>, head: RequestHead, body: Body) -> Reply {
        let visit = Rc::new(Visit {
            site: Rc::clone(&self.site),
            current: self.site.directory.current(),
            head,
        });
        let snapshot = visit.snapshot();
        let trust = &snapshot.trust;
        let trusts = |address| trust.networks.include(address);
        let client = ClientView::of(&self.peer, trust.header, trusts, &visit.head.fields.iter());
        let mut story = Story::begin(&visit, &client);
        let served = serve(&visit, client, body, &mut story).await;
        let (limits, rules) = story
            .terms(snapshot)
            .map_or((&snapshot.limits, &snapshot.rules), |terms| {
                (&terms.limits, &terms.rules)
            });
        let (idle, rules) = (limits.idle, &rules.response);
        let (mut answer, body) = match served {
            Ok(Answer::Response(head, body)) => (head, body),
            Ok(Answer::Switched(mut head, tunnel)) => {
                heads::apply(rules, &mut head.fields);
                story.status(head.status);
                let farewell = story.tunnel();
                return Reply::Switch {
                    head,
                    tunnel,
                    idle,
                    farewell,
                    until_end: Box::new(story),
                };
            }
            Err(answer) => {
                story.refused(answer.reason);
                let (head, body) = answer.into_response(story.request_id());
                let bare = visit.head.method() == "HEAD";
                (head, if bare { Body::empty() } else { body })
            }
        };
        heads::apply(rules, &mut answer.fields);
        story.status(answer.status);
        let delivery = Delivery::new(body, idle, Rc::clone(&visit), story);
        Reply::Response(answer, Body::from_source(delivery))
    }
}

/// Refuses, maps, and lets the exchange run.
async fn serve<'a>(
    visit: &'a Visit,
    client: ClientView<'a>,
    body: Body,
    story: &mut Story,
) -> Result<Answer, OwnAnswer> {
    let (head, snapshot) = (&visit.head, visit.snapshot());
    strict::check(head, snapshot.limits.target_bytes).map_err(OwnAnswer::refused)?;
    let naming = &visit.site.naming;
    if has_been_here(head.fields.iter(), naming.process().as_bytes()) {
        return Err(OwnAnswer::came_round());
    }
    let asked = head.path_and_query();
    let mapped = snapshot
        .paths
        .map(client.host_name(), asked)
        .map_err(|fault| match fault {
            PathFault::NoRoute => OwnAnswer::no_route(),
            PathFault::Refused(sentence) => OwnAnswer::bad_path(sentence),
        })?;
    let pool = &snapshot.upstreams.pools[mapped.route.pool];
    story.mapped(mapped.route);
    let exchange = Exchange {
        visit,
        pool,
        terms: &snapshot.terms[mapped.route.position],
        key: RouteKey::read(&pool.sticky, asked, head.fields.all("cookie")),
        mapped,
        client,
        upgrade: Upgrade::asked(head.method(), head.version == Version::Http11, head.fields.iter()),
        replay: Replay::new(body, snapshot.limits.replay_bytes),
        tried: Vec::new(),
        trial: None,
        breaks: Breaks::default(),
        attempts: 0,
    };
    exchange.run(story).await
}

/// All attempts of one request.
struct Exchange<'a> {
    visit: &'a Visit,
    pool: &'a Pool,
    /// What holds on the route.
    terms: &'a Terms,
    key: RouteKey<'a>,
    mapped: MappedPath<'a>,
    client: ClientView<'a>,
    /// Whether the request asks to leave HTTP.
    upgrade: Upgrade,
    replay: Replay,
    tried: Vec<UpstreamId>,
    /// Held while the chosen upstream is on trial.
    trial: Option<Trial<'a>>,
    /// The upstreams that broke this request.
    breaks: Breaks,
    /// Attempts that may have had an effect.
    attempts: u32,
}

impl<'a> Exchange<'a> {
    /// The retry loop.
    async fn run(mut self, story: &mut Story) -> Result<Answer, OwnAnswer> {
        let site = &self.visit.site;
        site.earn_repeats(&self.visit.snapshot().limits.retry);
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
                Err(Unanswered::Client(error)) => {
                    story.lost_client(error);
                    return Err(OwnAnswer::no_body(error));
                }
                Err(Unanswered::Upstream(failure)) => (failure, None),
            };
            let doubt = self.visit.observe(chosen.id, Err(&failure));
            story.failed(&failure);
            self.attempts += u32::from(failure.is_paid());
            self.breaks.note(chosen.id, &failure, doubt);
            let next = match decide(&failure, self.shape(), &self.budget()) {
                Verdict::SameUpstream => Ok(chosen),
                Verdict::NextUpstream => {
                    self.tried.push(chosen.id);
                    self.another(&failure, story).await
                }
                Verdict::GiveUp(how) => Err(how),
            };
            match (next, declined) {
                (Ok(next), _) => {
                    // A kept-alive connection that was found closed says that its sisters are likely closed too.
                    reuse = next.id != chosen.id;
                    chosen = next;
                    if failure.is_paid() {
                        site.spend_repeat();
                    }
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

    /// The next upstream to try; none when all were tried. One on trial is taken by one request at a time, unless there is
    /// nobody else.
    fn choose(&mut self, story: &mut Story) -> Option<&'a Upstream> {
        self.trial = None;
        let mut tried = self.tried.clone();
        let mut taken = None;
        loop {
            let picked = pick(self.pool, &self.key, &tried);
            let tally = &self.visit.current.tally;
            let Some(upstream) = self.visit.site.upstream(self.pool, tally, picked, &tried) else {
                story.picked(&picked);
                return taken;
            };
            if upstream.health.is_on_trial(&self.pool.rule) {
                self.trial = tally.upstream(upstream.id).try_out();
                if self.trial.is_none() {
                    taken.get_or_insert(upstream);
                    tried.push(upstream.id);
                    continue;
                }
            }
            story.picked(&picked);
            return Some(upstream);
        }
    }

    /// Where a request goes on that failed, and may be repeated. What was sent is not repeated at a frozen upstream: it
    /// would run there when it wakes.
    async fn another(&mut self, failure: &Failure, story: &mut Story) -> Result<&'a Upstream, GiveUp> {
        if self.pool.rule.checked && !self.breaks.are_explained(self.visit).await {
            return Err(GiveUp::BadGateway);
        }
        let next = self.choose(story);
        next.filter(|next| !failure.is_paid() || !self.visit.is_now(next.id, Health::is_frozen))
            .ok_or(give_up(failure, self.shape()))
    }

    async fn attempt(
        &mut self,
        upstream: &'a Upstream,
        reuse: bool,
        story: &mut Story,
    ) -> Result<Answer, Unanswered> {
        story.attempts(upstream);
        let told = Told {
            client: &self.client,
            upgrade: self.upgrade,
            request_id: story.request_id(),
            via: self.visit.site.naming.via(self.visit.head.version),
        };
        let head = heads::to_upstream(
            &self.visit.head,
            &self.mapped.target,
            &told,
            &upstream.authority,
            &self.terms.rules.request,
            self.replay.is_streamed(),
        );
        let attempt = Attempt {
            connections: &self.visit.site.connections,
            upstream,
            thread: self.visit.site.thread,
            counters: self.visit.current.tally.upstream(upstream.id),
            replay: &self.replay,
            limits: &self.terms.limits,
        };
        let stay = Stay::at(self, upstream);
        let answered = attempt.run(head, reuse, || stay.is_over()).await;
        let cells = attempt.counters.of(attempt.thread);
        cells.carried(self.replay.take_read());
        match answered? {
            Answer::Switched(answer, _) if !self.upgrade.is_granted(answer.fields.iter()) => {
                let failure = Failure::new(Phase::Waiting, Cause::Malformed);
                Err(Unanswered::Upstream(failure))
            }
            answer => Ok(answer),
        }
    }

    /// The cookie that marks this upstream as the user's, where the route changes (mode 1).
    fn mark(&self, upstream: &Upstream) -> Option<String> {
        let moved = self.key.route != Some(upstream.route.as_bytes());
        moved
            .then(|| route_cookie(&self.pool.sticky, &upstream.route, &self.client))
            .flatten()
    }

    /// An upstream answered: the head as the client must see it.
    fn finish(&self, upstream: &Upstream, answer: Answer, cookie: Option<&str>) -> Answer {
        self.replay.forget();
        self.visit.observe(upstream.id, Ok(()));
        let origin = Origin {
            route: self.mapped.route,
            paths: &self.visit.snapshot().paths,
            pool: self.pool,
            client: &self.client,
        };
        let (answer, unpublished) = match answer {
            Answer::Response(head, body) => {
                let streamed = body.remaining().is_none();
                let (head, unpublished) = heads::to_client(&head, &origin, Upgrade::No, streamed, cookie);
                (Answer::Response(head, body), unpublished)
            }
            Answer::Switched(head, tunnel) => {
                let (head, unpublished) = heads::to_client(&head, &origin, self.upgrade, false, cookie);
                (Answer::Switched(head, tunnel), unpublished)
            }
        };
        if unpublished {
            self.visit
                .current
                .tally
                .pool(self.mapped.route.pool)
                .unpublished();
        }
        answer
    }

    fn shape(&self) -> RequestShape {
        RequestShape {
            idempotent: is_idempotent(self.visit.head.method().as_bytes()),
            replayable: self.replay.can_repeat(),
        }
    }

    fn budget(&self) -> Budget {
        let limits = &self.terms.limits;
        let time = self.replay.answer_due(limits.response).left();
        self.visit.site.budget(&limits.retry, self.attempts, time)
    }
}

/// Whether an upstream says that it did not begin the request.
fn declined(head: &ResponseHead) -> bool {
    head.fields.iter().any(|(name, value)| declines(name, value))
}

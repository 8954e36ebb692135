//! One request from its head to the last byte of its answer: the only retry loop in the program.
//!
//! Pick an upstream, make an attempt, observe what became of it, decide. The decisions are `remora_policy`'s; this file
//! only walks from one to the next.
//!
//! Invariants: a request keeps the snapshot that it started with · nothing of an answer is passed to the client before an
//! attempt has succeeded, and nothing is repeated afterwards (informational heads are no answer) · every way out leaves one story
//! in the access log, which only records · what an attempt tells of its upstream is told by `observe`, success and failure
//! alike · an answer of our own never touches a cookie.
//!
//! Left out on purpose: waiting for an upstream to come back. Nobody up is answered at once; the client knows best
//! how long to wait. How long a request stays where it waits is `stay`, what two broken attempts mean is `breaks`,
//! what is told of all of it `story` and `trail`.

mod breaks;
mod delivery;
mod farewell;
mod heads;
mod stay;
mod story;
mod trail;
mod turns;
mod visit;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use remora_h1::{Asked, Length, Refusal, Version};
use remora_policy::{
    Budget, Cause, ClientView, Failure, GiveUp, Health, MappedPath, Origin, Peer, Phase, Pool, RequestShape,
    RouteKey, ToHttps, Told, Upgrade, Upstream, UpstreamId, Verdict, decide, declines, give_up,
    has_been_here, is_idempotent, pick, route_cookie,
};

use crate::answer::OwnAnswer;
use crate::config::Terms;
use crate::forward::{Attempt, Desk, Unanswered};
use crate::http::{Came, Client, Link, Papers};
use crate::replay::{Lost, Replay};
use crate::server::Ticket;
use crate::site::Site;
use crate::tally::Trial;
use crate::tls::SecuredFields;
use crate::way::Way;
use breaks::Breaks;
use delivery::Delivery;
use stay::Stay;
use story::Story;
use visit::Visit;

/// Informational heads that a client is sent before its answer, over all attempts. 16, as many as one answer may have.
const INFORMED_MAX: u32 = 16;

/// What all requests of one client connection share.
pub(crate) struct Visitor {
    /// The thread's share of the site.
    pub(crate) site: Rc<Site>,
    /// The far end.
    pub(crate) peer: Peer,
    /// Where TLS ends here, what upstreams are told of it.
    pub(crate) secured: Option<SecuredFields>,
    /// Where its clients are sent that speak in clear, unless they are served.
    pub(crate) redirect: Option<Arc<ToHttps>>,
    /// Which TLS it speaks, for the log; none in clear.
    pub(crate) tls: Option<&'static str>,
    /// The connection's place among those of the thread.
    pub(crate) ticket: Ticket,
}

/// Why an exchange has no answer of an upstream.
enum Unserved {
    /// We answer in its place.
    Answer(OwnAnswer),
    /// The client is not there any more.
    Gone,
}

impl From<OwnAnswer> for Unserved {
    fn from(answer: OwnAnswer) -> Self {
        Self::Answer(answer)
    }
}

/// Serves the request whose head is in the papers, or refuses what was read in its place. Whether the connection goes on is with
/// the client.
pub(crate) async fn serve(
    visitor: &Visitor,
    read: Result<(), Refusal>,
    papers: &mut Papers,
    mut client: Client<'_>,
) {
    let visit = Visit {
        site: &visitor.site,
        ticket: &visitor.ticket,
        secured: visitor.secured.as_deref(),
        current: visitor.site.current(),
        head: &papers.request,
    };
    let snapshot = visit.snapshot();
    let trust = &snapshot.trust;
    let trusts = |address| trust.networks.include(address);
    let view = ClientView::of(&visitor.peer, trust.header, trusts, &visit.head.fields.iter());
    let replay = Replay::new((client.length(), &snapshot.limits), &mut papers.kept, visit.now());
    let replay = RefCell::new(replay);
    let mut story = Story::begin(&visit, (&view, visitor), &replay);
    let mut desk = Desk {
        client: &mut client,
        told: &mut papers.told,
        answer: &mut papers.answer,
        shown: &mut papers.shown,
        instead: &mut papers.instead,
    };
    let served = match read {
        Ok(()) => match visit.sent_to_https(visitor.redirect.as_deref(), &view, desk.instead) {
            None => answered(&visit, view, &replay, &mut desk, &mut story).await,
            Some(own) => Err(own.into()),
        },
        Err(refusal) => Err(OwnAnswer::refused(refusal).into()),
    };
    let delivery = Delivery {
        visit: &visit,
        replay: &replay,
        idle: story.terms().0.idle,
    };
    match served {
        Ok((link, Came::Switched)) => delivery.switch(link, &mut desk, &mut story).await,
        Ok((link, _)) => delivery.pass_on(link, &mut desk, &mut story).await,
        Err(Unserved::Answer(own)) => delivery.answer(own, &mut desk, &mut story).await,
        Err(Unserved::Gone) => desk.client.ends(),
    }
}

/// Maps, and lets the exchange run.
async fn answered<'a>(
    visit: &'a Visit<'a>,
    client: ClientView<'a>,
    replay: &RefCell<Replay<'_>>,
    desk: &mut Desk<'_>,
    story: &mut Story<'a>,
) -> Result<(Link, Came), Unserved> {
    let (head, snapshot) = (visit.head, visit.snapshot());
    let naming = &visit.site.naming;
    if has_been_here(head.fields.iter(), naming.process().as_bytes()) {
        return Err(OwnAnswer::came_round().into());
    }
    let asked = head.path_and_query();
    let Way { mapped, instead } = Way::find(snapshot, &client, asked)?;
    let pool = &snapshot.upstreams.pools[mapped.route.pool];
    story.mapped(mapped.route);
    if let Some(own) = instead {
        return Err(own.into());
    }
    let mut exchange = Exchange {
        visit,
        pool,
        terms: &snapshot.terms[mapped.route.position],
        key: RouteKey::read(&pool.sticky, asked, head.fields.all(remora_h1::Known::Cookie)),
        mapped,
        client,
        upgrade: Upgrade::asked(
            head.method(),
            head.version() != Version::Http10,
            head.fields.iter(),
        ),
        replay,
        tried: Vec::new(),
        trial: None,
        breaks: Breaks::default(),
        attempts: 0,
        informed: Cell::new(0),
    };
    exchange.run(desk, story).await
}

/// All attempts of one request.
struct Exchange<'a, 'r, 'k> {
    visit: &'a Visit<'a>,
    pool: &'a Pool,
    /// What holds on the route.
    terms: &'a Terms,
    key: RouteKey<'a>,
    mapped: MappedPath<'a>,
    client: ClientView<'a>,
    /// Whether the request asks to leave HTTP.
    upgrade: Upgrade,
    replay: &'r RefCell<Replay<'k>>,
    tried: Vec<UpstreamId>,
    /// Held while the chosen upstream is on trial.
    trial: Option<Trial<'a>>,
    /// The upstreams that broke this request.
    breaks: Breaks,
    /// Attempts that may have had an effect.
    attempts: u32,
    /// Informational heads that were passed on.
    informed: Cell<u32>,
}

impl<'a> Exchange<'a, '_, '_> {
    /// The retry loop.
    async fn run(&mut self, desk: &mut Desk<'_>, story: &mut Story<'a>) -> Result<(Link, Came), Unserved> {
        let site = self.visit.site;
        site.earn_repeats(&self.visit.snapshot().limits.retry, self.visit.now().into_std());
        let mut chosen = self
            .choose(story)
            .ok_or(OwnAnswer::gave_up(GiveUp::Unavailable))?;
        let mut reuse = true;
        loop {
            let (failure, declined) = match self.attempt(chosen, reuse, desk, story).await {
                Ok((link, Came::Answer)) if declined(desk) => {
                    (Failure::new(Phase::Declined, Cause::Declined), Some(link))
                }
                Ok((link, came)) => {
                    self.visit.observe(chosen.id, Ok(desk.answer.status()));
                    let cookie = self.mark(chosen);
                    return self.finish((link, came), desk, cookie.as_deref());
                }
                Err(Unanswered::Client(lost)) => return Err(Self::lost(lost, story)),
                Err(Unanswered::Upstream(failure)) => (failure, None),
                Err(Unanswered::Refused(failure, refusal)) => {
                    self.visit.refused_answer(chosen.id, &refusal);
                    (failure, None)
                }
            };
            let doubt = self.visit.observe(chosen.id, Err(&failure));
            story.failed(&failure);
            self.attempts += u32::from(failure.is_paid());
            self.breaks.note(chosen.id, &failure, doubt);
            let next = match decide(&failure, self.shape(), &self.budget()) {
                Verdict::SameUpstream => Ok(chosen),
                Verdict::NextUpstream => {
                    self.tried.push(chosen.id);
                    Box::pin(self.another(&failure, story)).await
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
                (Err(GiveUp::PassOn), Some(link)) => {
                    // Whoever did not begin the request must not get its user. It was observed as an attempt that failed.
                    return self.finish((link, Came::Answer), desk, None);
                }
                (Err(how), _) => return Err(OwnAnswer::gave_up(how).into()),
            }
        }
    }

    /// The next upstream to try; none when all were tried. One on trial is taken by one request at a time, unless there is
    /// nobody else.
    fn choose(&mut self, story: &mut Story<'a>) -> Option<&'a Upstream> {
        self.trial = None;
        let mut tried = self.tried.clone();
        let (mut taken, now) = (None, self.visit.now().into_std());
        loop {
            let picked = pick(self.pool, &self.key, &tried);
            let tally = &self.visit.current.tally;
            let Some(upstream) = self.visit.site.upstream(self.pool, tally, picked, &tried, now) else {
                story.picked(&picked);
                return taken;
            };
            if upstream.health.is_on_trial(&self.pool.rule) {
                self.trial = self.visit.current.tally.upstream(upstream.id).try_out();
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
    async fn another(&mut self, failure: &Failure, story: &mut Story<'a>) -> Result<&'a Upstream, GiveUp> {
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
        desk: &mut Desk<'_>,
        story: &mut Story<'a>,
    ) -> Result<(Link, Came), Unanswered> {
        story.attempts(upstream);
        let attempt = Attempt {
            site: self.visit.site,
            upstream,
            outward: self.visit.snapshot().outward(upstream.id),
            cells: self.visit.cells(upstream.id),
            replay: self.replay,
            limits: &self.terms.limits,
            ticket: self.visit.ticket,
        };
        let stay = Stay::at(self, upstream);
        let connected = attempt.connect(reuse, || stay.is_over(Phase::Connecting));
        let (mut link, reused) = connected.await?;
        story.connected(reused);
        self.tell(upstream, desk, story);
        let hear = |desk: &mut Desk<'_>| self.hear(desk);
        let asked = self.asked();
        let came = attempt
            .run((&mut link, reused), asked, desk, hear, || {
                stay.is_over(Phase::Waiting)
            })
            .await;
        attempt.cells.gave(self.replay.borrow_mut().take_given());
        let came = came?;
        story.headed();
        match came {
            Came::Switched
                if !self.upgrade.is_granted(desk.answer.fields.iter())
                    || !desk.client.is_understood(desk.answer) =>
            {
                let failure = Failure::new(Phase::Waiting, Cause::Malformed);
                Err(Unanswered::Upstream(failure))
            }
            came => Ok((link, came)),
        }
    }

    /// Writes the head for the upstream.
    fn tell(&self, upstream: &Upstream, desk: &mut Desk<'_>, story: &Story<'a>) {
        let head = self.visit.head;
        let told = Told {
            client: &self.client,
            upgrade: self.upgrade,
            secured: self.visit.secured,
            request_id: story.request_id(),
            via: self.visit.site.naming.via(head.version()),
        };
        let request = heads::Request {
            head,
            target: self.mapped.target,
            authority: &upstream.authority,
            expects: desk.client.expects(),
            streamed: self.replay.borrow().is_streamed(),
        };
        request.write(&told, &self.terms.rules.request, desk.told);
    }

    /// An informational head came: 100 is for a client that holds its content back, others are passed on.
    fn hear(&self, desk: &mut Desk<'_>) {
        if desk.answer.status() == 100 {
            desk.client.go_ahead();
        } else if self.informed.get() < INFORMED_MAX {
            self.informed.update(|informed| informed + 1);
            self.show(Upgrade::No, false, None, desk);
            desk.client.inform(desk.shown);
        }
    }

    fn asked(&self) -> Asked {
        match self.upgrade {
            Upgrade::WebSocket => Asked::Upgrade,
            Upgrade::No if self.visit.head.method() == "HEAD" => Asked::Head,
            Upgrade::No => Asked::Plain,
        }
    }

    /// The client did not send what it had begun.
    fn lost(lost: Lost, story: &mut Story<'a>) -> Unserved {
        match lost {
            Lost::Gone => Unserved::Gone,
            Lost::TooSlow => {
                story.too_slow("request");
                OwnAnswer::too_slow().into()
            }
            Lost::Refused(refusal) => OwnAnswer::refused(refusal).into(),
        }
    }

    /// The cookie that marks this upstream as the user's, where the route changes (mode 1).
    fn mark(&self, upstream: &Upstream) -> Option<String> {
        let moved = self.key.route != Some(upstream.route.as_bytes());
        moved
            .then(|| route_cookie(&self.pool.sticky, &upstream.route, &self.client))
            .flatten()
    }

    /// An upstream answered: writes the head as the client must see it, unless it would be misled by it.
    fn finish(
        &self,
        (link, came): (Link, Came),
        desk: &mut Desk<'_>,
        cookie: Option<&str>,
    ) -> Result<(Link, Came), Unserved> {
        self.replay.borrow_mut().forget();
        if came == Came::Answer && desk.client.takes_for_grant(desk.answer.status()) {
            return Err(OwnAnswer::gave_up(GiveUp::BadGateway).into());
        }
        let (upgrade, streamed) = match came {
            Came::Switched => (self.upgrade, false),
            _ => (
                Upgrade::No,
                matches!(link.length(), Length::Chunked | Length::UntilClose),
            ),
        };
        if self.show(upgrade, streamed, cookie, desk) {
            let pool = self.mapped.route.pool;
            self.visit.current.tally.pool(pool).unpublished();
        }
        Ok((link, came))
    }

    /// Writes a head for the client; whether it sends it to an address that no route publishes.
    fn show(
        &self,
        upgrade: Upgrade,
        streamed: bool,
        route_cookie: Option<&str>,
        desk: &mut Desk<'_>,
    ) -> bool {
        let answer = heads::Answer {
            head: desk.answer,
            origin: self.origin(),
            upgrade,
            streamed,
            route_cookie,
        };
        answer.write(desk.shown, desk.instead)
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            route: self.mapped.route,
            paths: &self.visit.snapshot().paths,
            pool: self.pool,
            client: &self.client,
        }
    }

    fn shape(&self) -> RequestShape {
        RequestShape {
            idempotent: is_idempotent(self.visit.head.method().as_bytes()),
            replayable: self.replay.borrow().can_repeat(),
        }
    }

    fn budget(&self) -> Budget {
        let limits = &self.terms.limits;
        let time = self.replay.borrow().answer_due(limits.response).left();
        self.visit.site.budget(&limits.retry, self.attempts, time)
    }
}

/// Whether an upstream says that it did not begin the request.
fn declined(desk: &Desk<'_>) -> bool {
    let mut fields = desk.answer.fields.iter();
    fields.any(|(name, value)| declines(name, value))
}

//! One attempt: one request to one upstream, until the head of its answer.
//!
//! Invariants: an attempt that is dropped or fails closes its connection; every failure says how far it had come and
//! so what may have happened; a fault of the client is never reported as one of the upstream.
//!
//! While it waits it looks around ten times a second: whether the upstream's time is up, whether the client still
//! sends its content, and whether the caller wants to go elsewhere. The tick of the thread serves all three.
//!
//! A client that holds its content back (`Expect: 100-continue`) is told to send it by the upstream, or by us once the upstream
//! has been silent for [`SILENT_TO_EXPECT`].

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use remora_h1::{Asked, Head, Refusal};
use remora_policy::{Belief, Cause, Failure, Phase, Upstream};
use tokio::time::Instant;

use crate::config::Limits;
use crate::deadline::Deadline;
use crate::http::{Came, Client, ConnectFault, Content, Fault, Link, Towards};
use crate::replay::{Lost, Replay};
use crate::server::Ticket;
use crate::site::Site;
use crate::tally::Cells;
use crate::tls::Outward;

/// How soon a waiting attempt looks around again: with each tick of the thread, which is ten times a second.
const WATCH_EVERY: Duration = Duration::from_millis(50);

/// The longest connect to one that is believed down, whatever an owner grants others. 1 s: one lost SYN is sent again.
const CONNECT_IN_PANIC: Duration = Duration::from_secs(1);

/// How long an upstream may say nothing to `Expect: 100-continue`. 1 s: those that know it answer at once, and others wait for
/// the content.
const SILENT_TO_EXPECT: Duration = Duration::from_secs(1);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// The upstream failed.
    Upstream(Failure),
    /// So it did, with an answer that is refused.
    Refused(Failure, Refusal),
    /// The client's content broke off or stalled, or it went away. It says nothing about the upstream.
    Client(Lost),
}

/// Whom an exchange serves, and its heads.
pub(crate) struct Desk<'d> {
    /// Who asks.
    pub(crate) client: &'d mut Client<'d>,
    /// The head for the upstream.
    pub(crate) told: &'d mut Head,
    /// The head that the upstream answered.
    pub(crate) answer: &'d mut Head,
    /// The head for the client.
    pub(crate) shown: &'d mut Head,
    /// What a field's value is replaced by.
    pub(crate) instead: &'d mut Vec<u8>,
}

/// What an attempt needs.
pub(crate) struct Attempt<'a, 'k> {
    /// What the thread's requests share.
    pub(crate) site: &'a Site,
    /// Where to.
    pub(crate) upstream: &'a Upstream,
    /// By what connections there are secured.
    pub(crate) outward: Option<&'a Arc<Outward>>,
    /// What this thread counts there.
    pub(crate) cells: &'a Cells,
    /// The content to send.
    pub(crate) replay: &'a RefCell<Replay<'k>>,
    /// How long it may take.
    pub(crate) limits: &'a Limits,
    /// By which the task is woken in time.
    pub(crate) ticket: &'a Ticket,
}

impl Attempt<'_, '_> {
    /// A connection: one that has served before if `reuse` says so, and whether it has. While TLS comes about `leave` is asked
    /// as by [`Attempt::run`].
    ///
    /// # Errors
    /// [`Unanswered`]: nothing was sent.
    pub(crate) async fn connect(
        &self,
        reuse: bool,
        leave: impl Fn() -> bool,
    ) -> Result<(Link, bool), Unanswered> {
        let connections = &self.site.connections;
        let to = (self.upstream.id, self.outward);
        let idle = reuse.then(|| connections.take(to, self.limits.upstream_idle, self.ticket.now()));
        if let Some(link) = idle.flatten() {
            self.cells.figures.reused();
            return Ok((link, true));
        }
        // Seldom, and large: in a place of its own, or every request would take its room along.
        let link = Box::pin(self.connect_anew(leave)).await?;
        Ok((link, false))
    }

    async fn connect_anew(&self, leave: impl Fn() -> bool) -> Result<Link, Unanswered> {
        let towards = Towards {
            authority: &self.upstream.authority,
            outward: self.outward,
            connect: self.connect_limit(),
            handshake: self.handshake_limit(),
        };
        let began = self.ticket.now();
        let connected = Link::connect(towards, self.limits.answers(), &self.site.buffers);
        let connected = match self.outward {
            None => connected.await,
            Some(_) => self.unless(connected, leave).await?,
        };
        let link = connected.map_err(no_connection)?;
        self.cells.figures.connected(self.since(began));
        Ok(link)
    }

    /// What becomes of a connection that waits for its upstream as a request does, unless the caller wants to go elsewhere.
    async fn unless<T>(
        &self,
        connected: impl Future<Output = T>,
        leave: impl Fn() -> bool,
    ) -> Result<T, Unanswered> {
        let _counted = self.cells.wait();
        let mut connected = pin!(connected);
        let mut look = self.due(WATCH_EVERY);
        poll_fn(|context| {
            if let Poll::Ready(connected) = connected.as_mut().poll(context) {
                return Poll::Ready(Ok(connected));
            }
            if look.is_over(self.ticket.now()) {
                look = self.due(WATCH_EVERY);
                if leave() {
                    let failure = Failure::new(Phase::Connecting, Cause::Frozen);
                    return Poll::Ready(Err(Unanswered::Upstream(failure)));
                }
            }
            self.ticket.wake_at(look.instant());
            Poll::Pending
        })
        .await
    }

    /// How long TLS may take on a connection: as long as the answer may, for which nothing was asked yet.
    fn handshake_limit(&self) -> Duration {
        let left = self.replay.borrow().answer_due(self.limits.response).left();
        match self.upstream.health.belief() {
            Belief::Down => left.min(CONNECT_IN_PANIC),
            _ => left,
        }
    }

    /// Sends the request that is told at the desk, and waits for the answer's head. `hear` is asked about each informational
    /// head; `leave` is asked while waiting: true ends the attempt as frozen.
    ///
    /// # Errors
    /// [`Unanswered`], with the phase in which it happened.
    pub(crate) async fn run(
        &self,
        (link, reused): (&mut Link, bool),
        asked: Asked,
        desk: &mut Desk<'_>,
        hear: impl Fn(&mut Desk<'_>),
        leave: impl Fn() -> bool,
    ) -> Result<Came, Unanswered> {
        let _until_the_head = self.cells.wait();
        let began = self.ticket.now();
        self.replay.borrow_mut().again(self.ticket.now());
        desk.answer.clear();
        link.begin(desk.told, self.replay.borrow().length(), asked);
        let expects = desk.client.expects();
        let mut waits = expects.then(|| self.due(SILENT_TO_EXPECT));
        let mut look = self.due(WATCH_EVERY);
        poll_fn(|context| {
            loop {
                self.send(context, link, desk.client);
                if let Some(lost) = self.replay.borrow().failure() {
                    return Poll::Ready(Err(Unanswered::Client(lost)));
                }
                match link.poll_answer(context, desk.answer) {
                    Poll::Ready(Ok(Came::Informational)) => {
                        self.cells.is_at_work();
                        hear(desk);
                        desk.answer.clear();
                        continue;
                    }
                    Poll::Ready(Ok(came)) => {
                        self.cells.figures.head_came(self.since(began));
                        return Poll::Ready(Ok(came));
                    }
                    Poll::Ready(Err(fault)) => return Poll::Ready(Err(self.failure(link, fault, reused))),
                    Poll::Pending => {}
                }
                if waits.take_if(|due| due.is_over(self.ticket.now())).is_some() {
                    desk.client.go_ahead();
                    continue;
                }
                if self.has_left(context, desk.client) {
                    return Poll::Ready(Err(Unanswered::Client(Lost::Gone)));
                }
                if look.is_over(self.ticket.now()) {
                    look = self.due(WATCH_EVERY);
                    if let Some(unanswered) = self.look_around(link, reused, &leave) {
                        return Poll::Ready(Err(unanswered));
                    }
                }
                self.ticket.wake_at(look.instant());
                return Poll::Pending;
            }
        })
        .await
    }

    /// Moves what can be moved of the request.
    fn send(&self, context: &mut Context<'_>, link: &mut Link, client: &mut Client<'_>) {
        // Whatever cannot be written: an upstream may have answered before, and that is read next.
        let _read_next = send(
            context,
            &mut self.replay.borrow_mut(),
            (link, client),
            self.ticket.now(),
        );
    }

    /// So long after this turn.
    fn due(&self, limit: Duration) -> Deadline {
        Deadline::since(self.ticket.now(), limit)
    }

    /// How long that is ago, at this turn.
    fn since(&self, moment: Instant) -> Duration {
        self.ticket.now().saturating_duration_since(moment)
    }

    /// Whether the client has gone, now that it only waits; what waits for it is sent.
    fn has_left(&self, context: &mut Context<'_>, client: &mut Client<'_>) -> bool {
        if let Poll::Ready(Err(_)) = client.poll_flush(context) {
            return true;
        }
        self.replay.borrow().is_complete() && client.poll_gone(context).is_ready()
    }

    /// How long a connect may take. One that is believed down is asked when nobody is up, one after the other.
    fn connect_limit(&self) -> Duration {
        match self.upstream.health.belief() {
            Belief::Down => self.limits.connect.min(CONNECT_IN_PANIC),
            _ => self.limits.connect,
        }
    }

    fn look_around(&self, link: &Link, reused: bool, leave: &impl Fn() -> bool) -> Option<Unanswered> {
        let replay = self.replay.borrow();
        if let Some(due) = replay.piece_due(self.limits.idle) {
            return due
                .is_over(self.ticket.now())
                .then_some(Unanswered::Client(Lost::TooSlow));
        }
        let is_late = replay.answer_due(self.limits.response).is_over(self.ticket.now());
        drop(replay);
        let phase = self.phase(link);
        let failed = |cause| Some(Unanswered::Upstream(Failure { phase, cause, reused }));
        match is_late {
            true => failed(Cause::TimedOut),
            false if leave() => failed(Cause::Frozen),
            false => None,
        }
    }

    fn failure(&self, link: &Link, fault: Fault, reused: bool) -> Unanswered {
        let phase = self.phase(link);
        // Whoever has begun to answer had not closed a connection that rested.
        let reused = reused && !link.is_heard();
        let failed = |cause| Failure { phase, cause, reused };
        match fault {
            Fault::Closed | Fault::Broken => Unanswered::Upstream(failed(Cause::Broken)),
            Fault::Refused(refusal) => Unanswered::Refused(failed(Cause::Malformed), refusal),
        }
    }

    fn phase(&self, link: &Link) -> Phase {
        match (link.is_touched(), self.replay.borrow().is_complete()) {
            (false, _) => Phase::Connecting,
            (true, false) => Phase::Sending,
            (true, true) => Phase::Waiting,
        }
    }
}

/// Moves what can be moved of a request to its upstream: what was kept first, then what the client sends. Ready once all of it
/// is written.
///
/// # Errors
/// The upstream takes no more.
pub(crate) fn send(
    context: &mut Context<'_>,
    replay: &mut Replay<'_>,
    (link, client): (&mut Link, &mut Client<'_>),
    now: Instant,
) -> Poll<std::io::Result<()>> {
    let moved = send_content(context, replay, (link, client), now);
    if let Poll::Ready(Ok(())) = moved {
        link.end(replay.trailers());
    }
    ready!(link.poll_flush(context))?;
    moved
}

fn send_content(
    context: &mut Context<'_>,
    replay: &mut Replay<'_>,
    (link, client): (&mut Link, &mut Client<'_>),
    now: Instant,
) -> Poll<std::io::Result<()>> {
    loop {
        if !replay.kept().is_empty() {
            let given = ready!(link.poll_send(context, replay.kept()))?;
            replay.gave(given);
            continue;
        }
        if replay.is_complete() {
            return Poll::Ready(Ok(()));
        }
        match client.poll_content(context) {
            Poll::Ready(Content::Data(data)) => {
                let Poll::Ready(given) = link.poll_send(context, data) else {
                    replay.is_held_up(now);
                    return Poll::Pending;
                };
                let given = given?;
                replay.passed(&data[..given], now);
                client.take(given);
            }
            Poll::Ready(Content::Trailers(fields)) => replay.trail(fields),
            Poll::Ready(Content::End) => replay.end(now),
            Poll::Ready(Content::Fault(fault)) => {
                replay.fail(match fault {
                    Fault::Refused(refusal) => Lost::Refused(refusal),
                    Fault::Closed | Fault::Broken => Lost::Gone,
                });
                return Poll::Pending;
            }
            Poll::Pending => {
                replay.waits(!client.expects(), now);
                return Poll::Pending;
            }
        }
    }
}

/// A connect that failed.
fn no_connection(fault: ConnectFault) -> Unanswered {
    let cause = match fault {
        ConnectFault::Refused => Cause::Refused,
        ConnectFault::Unverified => Cause::Unverified,
        ConnectFault::TimedOut => Cause::TimedOut,
        ConnectFault::Broken => Cause::Broken,
        ConnectFault::Ours => Cause::Ours,
    };
    Unanswered::Upstream(Failure::new(Phase::Connecting, cause))
}

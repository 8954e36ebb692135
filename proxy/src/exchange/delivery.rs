//! What goes to the client: an upstream's answer, a tunnel, or an answer of our own; watched until its end.
//!
//! Invariants: content that breaks or stalls cuts the client's connection, but not before the head and what came of the content
//! have left: a client that sees nothing at all may send its request again · what a client still sends after its answer began
//! goes to the upstream for as long as that answers · a connection to an upstream is kept only when both its messages are whole.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use remora_h1::{Length, Refusal};
use remora_policy::{Cause, Failure, Phase, may_trail};

use super::heads;
use super::story::Story;
use super::turns::Turns;
use super::visit::Visit;
use crate::answer::OwnAnswer;
use crate::deadline::Deadline;
use crate::forward::{self, Desk};
use crate::http::{Client, Content, Fault, Link, relay};
use crate::replay::{Replay, count};

/// How an answer ended.
enum Ended {
    Whole,
    /// The upstream did not bring it to its end.
    Cut(Cause),
    /// Nor in a form that we take.
    Refused(Refusal),
    /// The client did not take it.
    Gone,
    /// Not in time: its answer, or the rest of its request.
    TooSlow(&'static str),
}

/// One answer on its way.
pub(super) struct Delivery<'d, 'k> {
    pub(super) visit: &'d Visit<'d>,
    pub(super) replay: &'d RefCell<Replay<'k>>,
    /// The longest pause.
    pub(super) idle: Duration,
}

impl Delivery<'_, '_> {
    /// Passes an upstream's answer on, whose head is ready at the desk.
    pub(super) async fn pass_on(&self, mut link: Link, desk: &mut Desk<'_>, story: &mut Story<'_>) {
        self.write_head(link.length(), false, desk, story);
        let mut turns = Turns::new(&self.visit.snapshot().limits, self.idle);
        let ended =
            poll_fn(|context| self.poll_pass(context, (&mut link, desk.client), story, &mut turns)).await;
        match ended {
            Ended::Whole => {
                desk.client.is_whole();
                story.complete();
                let (limits, _) = story.terms();
                if let Some(upstream) = story.upstream() {
                    let room = limits.upstream_connections_idle;
                    self.visit
                        .site
                        .connections
                        .put(upstream, link, room, self.visit.now());
                }
            }
            Ended::Gone => desk.client.cut(),
            Ended::TooSlow(what) => {
                story.too_slow(what);
                desk.client.reset();
            }
            Ended::Cut(cause) => self.cut(cause, desk, story).await,
            Ended::Refused(refusal) => {
                if let Some(upstream) = story.upstream() {
                    self.visit.refused_answer(upstream, &refusal);
                }
                self.cut(Cause::Malformed, desk, story).await;
            }
        }
    }

    /// The answer ends early, and its client must see it.
    async fn cut(&self, cause: Cause, desk: &mut Desk<'_>, story: &mut Story<'_>) {
        let failure = Failure::new(Phase::Passing, cause);
        if let Some(upstream) = story.upstream() {
            self.visit.observe(upstream, Err(&failure));
        }
        story.cut(&failure);
        self.flush(desk.client).await;
        desk.client.cut();
    }

    /// Passes a 101 on, and then bytes in both directions until the end.
    pub(super) async fn switch(&self, mut link: Link, desk: &mut Desk<'_>, story: &mut Story<'_>) {
        if self.has_left(desk.client).await {
            return desk.client.cut();
        }
        self.apply_rules(desk, story);
        story.status(desk.shown.status());
        desk.client.switch(desk.shown);
        if self.flush(desk.client).await {
            let farewell = story.tunnel();
            let story = &*story;
            let counts = (|given| story.relayed(given), |sent| story.sent(sent));
            Box::pin(relay((desk.client, &mut link), self.idle, farewell, counts)).await;
        }
    }

    /// Whether the client is gone already, though its request came whole.
    async fn has_left(&self, client: &mut Client<'_>) -> bool {
        poll_fn(|context| {
            let whole = self.replay.borrow().is_complete();
            Poll::Ready(whole && client.poll_gone(context).is_ready())
        })
        .await
    }

    /// Answers in an upstream's place.
    pub(super) async fn answer(&self, own: OwnAnswer, desk: &mut Desk<'_>, story: &mut Story<'_>) {
        story.answered_by_us(own.reason);
        let text = own.write(&story.words(&own), story.request_id(), desk.shown);
        if own.leads_away() {
            desk.shown.fields.push(b"location", desk.instead);
        }
        let bare = self.visit.head.method() == "HEAD";
        let (length, mut rest) = match bare {
            true => (Length::None, &b""[..]),
            false => (Length::Known(count(text.len())), text.as_bytes()),
        };
        self.write_head(length, own.close, desk, story);
        let due = self.due();
        while !rest.is_empty() {
            let Some(sent) = self
                .until(due, |context| desk.client.poll_send(context, rest))
                .await
            else {
                return desk.client.ends();
            };
            story.sent(sent);
            rest = &rest[sent..];
        }
        desk.client.end(None);
        match self.flush(desk.client).await {
            true => story.complete(),
            false => desk.client.ends(),
        }
    }

    /// Writes the head of the answer, by an owner's rules.
    fn write_head(&self, length: Length, last: bool, desk: &mut Desk<'_>, story: &mut Story<'_>) {
        self.apply_rules(desk, story);
        story.status(desk.shown.status());
        let last = last || self.visit.ticket.is_last();
        desk.client.answer(desk.shown, length, last);
    }

    fn apply_rules(&self, desk: &mut Desk<'_>, story: &Story<'_>) {
        let (_, rules) = story.terms();
        heads::apply(&rules.response, &mut desk.shown.fields);
    }

    fn poll_pass(
        &self,
        context: &mut Context<'_>,
        (link, client): (&mut Link, &mut Client<'_>),
        story: &mut Story<'_>,
        turns: &mut Turns,
    ) -> Poll<Ended> {
        let waits_for_client = loop {
            // Also what the client has sent and the upstream has not taken yet. One that takes no more may still answer.
            let now = self.visit.now();
            let _goes_on = forward::send(context, &mut self.replay.borrow_mut(), (link, client), now);
            if self.replay.borrow().failure().is_some() {
                return Poll::Ready(Ended::Gone);
            }
            match link.poll_content(context) {
                Poll::Ready(Content::Data(data)) => match client.poll_send(context, data) {
                    Poll::Ready(Ok(sent)) => {
                        link.take(sent);
                        story.sent(sent);
                        turns.moved(sent);
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(Ended::Gone),
                    Poll::Pending => break true,
                },
                Poll::Ready(Content::Trailers(fields)) => {
                    fields.retain(|name, _| may_trail(name));
                    client.end(Some(fields));
                }
                Poll::Ready(Content::End) => {
                    client.end(None);
                    match client.poll_flush(context) {
                        Poll::Ready(Ok(())) => return Poll::Ready(Ended::Whole),
                        Poll::Ready(Err(_)) => return Poll::Ready(Ended::Gone),
                        Poll::Pending => break true,
                    }
                }
                Poll::Ready(Content::Fault(fault)) => return Poll::Ready(broken(fault)),
                Poll::Pending => match client.poll_flush(context) {
                    Poll::Ready(Ok(())) => break false,
                    Poll::Ready(Err(_)) => return Poll::Ready(Ended::Gone),
                    Poll::Pending => break true,
                },
            }
        };
        if self.replay.borrow().is_complete() && client.poll_gone(context).is_ready() {
            return Poll::Ready(Ended::Gone);
        }
        let (now, replay) = (self.visit.now(), self.replay.borrow());
        turns.request_moved(replay.moved());
        let owed = replay.piece_due(self.idle);
        let due = match owed {
            _ if waits_for_client => turns.of_client(now),
            Some(owed) => owed,
            None => turns.of_upstream(now),
        };
        match due.is_over(now) {
            true if waits_for_client => Poll::Ready(Ended::TooSlow("answer")),
            true if owed.is_some() => Poll::Ready(Ended::TooSlow("request")),
            true => Poll::Ready(Ended::Cut(Cause::TimedOut)),
            false => {
                self.visit.ticket.wake_at(due.instant());
                Poll::Pending
            }
        }
    }

    /// When the longest pause is over that begins with this turn.
    fn due(&self) -> Deadline {
        Deadline::since(self.visit.now(), self.idle)
    }

    /// Sends what waits; false when the client does not take it.
    async fn flush(&self, client: &mut Client<'_>) -> bool {
        let due = self.due();
        self.until(due, |context| client.poll_flush(context))
            .await
            .is_some()
    }

    /// What becomes of an operation on the client's socket, if it ends well and in time.
    async fn until<T>(
        &self,
        due: Deadline,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Option<T> {
        poll_fn(|context| match poll(context) {
            Poll::Ready(done) => Poll::Ready(done.ok()),
            Poll::Pending if due.is_over(self.visit.now()) => Poll::Ready(None),
            Poll::Pending => {
                self.visit.ticket.wake_at(due.instant());
                Poll::Pending
            }
        })
        .await
    }
}

/// How an answer broke off.
fn broken(fault: Fault) -> Ended {
    match fault {
        Fault::Closed | Fault::Broken => Ended::Cut(Cause::Broken),
        Fault::Refused(refusal) => Ended::Refused(refusal),
    }
}

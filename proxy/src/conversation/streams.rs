//! A client's HTTP/2 connection: many requests beside one another, each served by a task of its own.
//!
//! Invariants: the connection rests while no request is open and all answers have left, and only then is it closed for its age · once it is to leave, its
//! client is told to bring its next requests elsewhere, what is open is served to the end, and what was on the way until it was
//! told · a client that floods us is told why, and cut with all its requests · whatever ends the connection, its last words are read
//! before it is closed.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::task::spawn_local;

use super::{LAST_CALL, LINGER, LINGER_BYTES};
use crate::deadline::Deadline;
use crate::exchange::{Visitor, serve};
use crate::http::{Client, Next, Socket, Stream, Streams};
use crate::metrics::FLOODS;

/// Serves a connection until it ends.
pub(super) async fn converse(socket: Socket, visitor: &Visitor) {
    let limits = visitor.limits();
    let terms = (limits.requests(), limits.streams_per_connection);
    let streams = Streams::new(socket, &visitor.site.buffers, terms, visitor.ticket.now());
    let mut many = Many {
        visitor,
        streams,
        open: Rc::default(),
        rests: Some(visitor.due(limits.request_head)),
        used: false,
        told: false,
        called: false,
        flooded: false,
        gave_way: false,
    };
    poll_fn(|context| many.poll(context)).await;
    if !many.gave_way {
        many.linger().await;
    }
}

/// A connection with its requests.
struct Many<'v> {
    visitor: &'v Visitor,
    streams: Streams,
    open: Rc<Open>,
    /// Until when it may rest, while it does.
    rests: Option<Deadline>,
    /// Whether a request has come.
    used: bool,
    /// Whether the client was told that the connection ends.
    told: bool,
    /// Whether its rest was shortened because it is to leave.
    called: bool,
    flooded: bool,
    /// Whether it ends for a new client, who waits for its place.
    gave_way: bool,
}

impl Many<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let visitor = self.visitor;
        self.open.is_watched(context);
        loop {
            match self.streams.poll_next(context, visitor.ticket.now()) {
                Poll::Ready(Next::Request(stream)) => self.begin(stream),
                Poll::Ready(Next::Flooded(glitch)) => {
                    metrics::counter!(FLOODS, "reason" => glitch.as_str()).increment(1);
                    if visitor.ticket.is_time_to_tell_of_flood() {
                        let (client, what) = (visitor.peer.address, glitch.as_str());
                        tracing::warn!(%client, what, "a client sends too much that brings nothing: its connection ends");
                    }
                    self.flooded = true;
                    self.rests = Some(visitor.due(LAST_CALL));
                }
                Poll::Ready(Next::Closed) => return Poll::Ready(()),
                Poll::Pending => match self.looks_around() {
                    Some(Poll::Ready(())) => return Poll::Ready(()),
                    Some(Poll::Pending) => return Poll::Pending,
                    None => {}
                },
            }
        }
    }

    /// Reads until the client has seen the end: who closes on unread bytes sends a reset, which may overtake an answer.
    async fn linger(&mut self) {
        let (due, mut left) = (self.visitor.due(LINGER), LINGER_BYTES);
        poll_fn(|context| {
            let ticket = &self.visitor.ticket;
            if self.streams.poll_discard(context, &mut left).is_ready() || due.is_over(ticket.now()) {
                return Poll::Ready(());
            }
            ticket.wake_at(due.instant());
            Poll::Pending
        })
        .await;
    }

    /// A request has come.
    fn begin(&mut self, stream: Stream) {
        if self.rests.take().is_some() {
            self.visitor.ticket.works();
        }
        (self.used, self.called) = (true, false);
        let visitor = Visitor {
            site: Rc::clone(&self.visitor.site),
            ticket: self.visitor.ticket.of_stream(),
            peer: self.visitor.peer,
            tls: self.visitor.tls,
            secured: self.visitor.secured.clone(),
            redirect: self.visitor.redirect.clone(),
        };
        let place = Open::begin(&self.open);
        spawn_local(async move {
            visitor.ticket.here().await;
            {
                let serving = pin!(serve_one(&visitor, stream));
                visitor.ticket.until_cut(serving).await;
            }
            // In this order: the connection rests once its last request has left.
            drop((visitor, place));
        });
    }

    /// Nothing moves: whether the connection ends. None if there is something to send now.
    fn looks_around(&mut self) -> Option<Poll<()>> {
        let ticket = &self.visitor.ticket;
        let is_idle = self.open.count.get() == 0 && self.streams.is_flushed();
        if is_idle && self.rests.is_none() {
            ticket.rests();
            self.rests = Some(self.visitor.due(self.visitor.limits().client_idle));
        }
        let now = ticket.now();
        let over = self.rests.is_some_and(|due| due.is_over(now));
        if over && (self.told || self.flooded) {
            return Some(Poll::Ready(()));
        }
        if is_idle && ticket.gives_way() && (self.told || !self.used) {
            self.gave_way = true;
            return Some(Poll::Ready(()));
        }
        let leaves = ticket.is_to_leave();
        if (over || leaves) && self.rests.is_some() && !self.called {
            self.called = true;
            self.rests = self.rests.map(|due| match over {
                true => self.visitor.due(LAST_CALL),
                false => due.min(self.visitor.due(LAST_CALL)),
            });
        }
        // With an answer, as over HTTP/1.1: a new client is let ask once.
        let is_last = leaves || (self.used && ticket.is_last());
        if (over || is_last) && !std::mem::replace(&mut self.told, true) {
            self.streams.leave();
            return None;
        }
        if let Some(due) = self.rests {
            ticket.wake_at(due.instant());
        }
        Some(Poll::Pending)
    }
}

/// Serves one request.
async fn serve_one(visitor: &Visitor, mut stream: Stream) {
    let mut papers = visitor.site.buffers.papers();
    let limits = visitor.limits().requests();
    let read = stream.request(&mut papers.request, &mut papers.instead, &limits);
    serve(visitor, read, &mut papers, Client::Stream(&mut stream)).await;
    visitor.site.buffers.done(papers);
    stream.close().await;
}

/// How many requests are open, and whom to tell when one has ended.
#[derive(Default)]
struct Open {
    count: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

/// One of them, until it is dropped.
struct OpenStream(Rc<Open>);

impl Open {
    fn begin(open: &Rc<Self>) -> OpenStream {
        open.count.update(|count| count + 1);
        OpenStream(Rc::clone(open))
    }

    /// The calling task is woken when a request has ended.
    fn is_watched(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            *waker = Some(context.waker().clone());
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let Self(open) = self;
        open.count.update(|count| count - 1);
        if open.count.get() == 0
            && let Some(waker) = &*open.waker.borrow()
        {
            waker.wake_by_ref();
        }
    }
}

//! A connection to an upstream.
//!
//! Contract: a link carries one exchange at a time · it may be kept only when [`Link::is_clean`] says so · what a failure means
//! depends on whether a byte of the request was written ([`Link::is_touched`]) · dropping it half-way closes the connection · one that
//! rested serves only whoever would make it by the same way ([`Link::is_by`]).
//!
//! Nobody polls a link that rests: it learns of its end when [`Link::is_alive`] asks, at every checkout and at every sweep.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use remora_h1::{Asked, Fields, Head, Length, Limits, Persistence, Reader};
use tokio::task::unconstrained;

use super::buffers::Buffers;
use super::connect::{ConnectFault, Towards, connect};
use super::framed::{Content, Fault, Framed, HeadKind};
use super::socket::Socket;
use super::wire::Wire;
use crate::tls::Outward;

/// What came from an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// The head of its answer.
    Answer,
    /// A head before it.
    Informational,
    /// A 101: from here on both sides exchange bytes.
    Switched,
}

/// A connection to an upstream.
pub(crate) struct Link {
    // Moved in and out of the place where links rest.
    framed: Box<Framed>,
    /// By what it was secured; none in clear.
    outward: Option<Arc<Outward>>,
    /// Whether the content of the request has been written whole.
    ended: bool,
}

impl Link {
    /// Connects; answers may be as large as `limits` says.
    ///
    /// # Errors
    /// Why there is no connection.
    pub(crate) async fn connect(
        towards: Towards<'_>,
        limits: Limits,
        buffers: &Rc<Buffers>,
    ) -> Result<Self, ConnectFault> {
        let wire = Wire::new(connect(&towards).await?, Rc::clone(buffers));
        Ok(Self {
            framed: Box::new(Framed::new(wire, Reader::of_responses(limits))),
            outward: towards.outward.cloned(),
            ended: true,
        })
    }

    /// Whether it was secured by this, and not by what files said before.
    pub(crate) fn is_by(&self, outward: Option<&Arc<Outward>>) -> bool {
        self.outward.as_ref().map(Arc::as_ptr) == outward.map(Arc::as_ptr)
    }

    /// Whether the far side has kept the connection open and said nothing unasked, as far as the thread has been told of it.
    /// Costs no system call while the socket is silent.
    pub(crate) fn is_alive(&mut self) -> bool {
        let wire = &mut self.framed.wire;
        if !wire.bytes().is_empty() {
            return false;
        }
        // A task that has had its turn would be told nothing.
        let look = pin!(unconstrained(poll_fn(|context| wire.poll_fill(context))));
        look.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Whether anything of an answer has come.
    pub(crate) fn is_heard(&self) -> bool {
        self.framed.has_begun()
    }

    /// Whether the connection may carry another exchange: the last is over on both sides, and both want to go on.
    pub(crate) fn is_clean(&self) -> bool {
        let framed = &self.framed;
        let over = self.ended && framed.reader.is_resting() && framed.reader.keeps();
        over && framed.wire.bytes().is_empty() && !framed.wire.is_waiting()
    }

    /// It rests from here on.
    pub(crate) fn rest(&mut self) {
        self.framed.wire.rest();
    }

    /// Begins an exchange. Nothing is sent before [`Link::poll_flush`].
    pub(crate) fn begin(&mut self, head: &Head, length: Length, asked: Asked) {
        let framed = &mut *self.framed;
        framed.wire.untouched();
        framed.reader.next_answer(asked);
        framed
            .writer
            .head(head, length, Persistence::Unsaid, framed.wire.output());
        self.ended = false;
    }

    /// Whether a byte of the request may have reached the far side.
    pub(crate) fn is_touched(&self) -> bool {
        self.framed.wire.is_touched()
    }

    /// Takes some of the request's content; answers how much.
    pub(crate) fn poll_send(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.framed.poll_send(context, data)
    }

    /// The request is whole.
    pub(crate) fn end(&mut self, trailers: Option<&Fields>) {
        self.ended = self.framed.end(trailers);
    }

    /// Sends what waits.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.framed.poll_flush(context)
    }

    /// The next head of the answer.
    pub(crate) fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
        head: &mut Head,
    ) -> Poll<Result<Came, Fault>> {
        self.framed.poll_head(context, head).map_ok(|kind| match kind {
            HeadKind::Final => Came::Answer,
            HeadKind::Informational => Came::Informational,
            HeadKind::Switched => Came::Switched,
        })
    }

    /// How long the content of the answer is.
    pub(crate) fn length(&self) -> Length {
        self.framed.reader.length()
    }

    /// The next piece of the answer's content.
    pub(crate) fn poll_content(&mut self, context: &mut Context<'_>) -> Poll<Content<'_>> {
        self.framed.poll_content(context)
    }

    /// So many bytes of it are with the client.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.framed.take(bytes);
    }

    /// The socket after a 101, and what came behind it.
    pub(super) fn parts(&mut self) -> (&mut Socket, Vec<u8>) {
        self.framed.wire.parts()
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Link")
            .field("clean", &self.is_clean())
            .finish_non_exhaustive()
    }
}

//! A connection to an upstream, over hyper's HTTP/1.1 client.
//!
//! Contract, also for a leaner codec that may replace it: a [`Link`] carries one exchange at a time; [`Link::send`]
//! consumes it, and it comes back through the [`Shelf`] only after the answer's body ended cleanly; an answer is one
//! head (interim heads are consumed, 101 alone is passed on) and one body; a failure says whether a byte had been
//! written; dropping anything half-way closes the connection.
//!
//! The connection's state machine is polled by the task that waits for the answer. No task is spawned, so a cancelled
//! request leaves nothing behind; the price is that an idle connection learns of its end only when [`Link::is_alive`]
//! polls it: at every checkout and at every sweep.
//!
//! hyper's client drops a Content-Length that stands beside a Transfer-Encoding in an answer, and so hides that fault;
//! the answer is framed anew for the client.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::body::{Body, BodyError, Piece, Source, poll_incoming};
use super::connect::{ConnectFault, connect};
use super::convert;
use super::counted::Counted;
use super::head::{RequestHead, ResponseHead};
use super::tunnel::Tunnel;

/// Bytes that the head of an answer may have; Tomcat's own default is 8 KiB, and applications raise it.
const ANSWER_HEAD_BYTES: usize = 64 * 1024;

/// Bytes buffered in each direction, per connection: room for the largest head, and large enough for downloads to move
/// in few reads. hyper's own bound is above 400 KiB.
const BUFFER_BYTES: usize = ANSWER_HEAD_BYTES;

type Wire = http1::Connection<TokioIo<Counted>, Body>;

/// Where a connection rests between two exchanges.
pub(crate) trait Shelf {
    /// Takes back a connection whose answer ended cleanly.
    fn put(&self, link: Link);
}

/// A connection to an upstream that carries no exchange.
pub(crate) struct Link {
    sender: http1::SendRequest<Body>,
    wire: Box<Wire>,
    written: Rc<Cell<u64>>,
    ended: bool,
}

/// What an upstream answered.
pub(crate) enum Answer {
    /// A response.
    Response(ResponseHead, Body),
    /// A 101: from here on both sides exchange bytes.
    Switched(ResponseHead, Tunnel),
}

/// An exchange that ended without a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SendFailure {
    /// Whether a byte of the request was written to the socket.
    pub(crate) written: bool,
    /// Whether something came back that is not HTTP.
    pub(crate) malformed: bool,
}

impl Link {
    /// Connects to `host:port` within `limit`, looking the name up if it is one.
    ///
    /// # Errors
    /// Why there is no connection.
    pub(crate) async fn connect(authority: &str, limit: Duration) -> Result<Self, ConnectFault> {
        let stream = connect(authority, limit).await?;
        stream.set_nodelay(true).map_err(|_| ConnectFault::Broken)?;
        let written = Rc::new(Cell::new(0));
        let io = TokioIo::new(Counted::new(stream, Rc::clone(&written)));
        let (sender, wire) = http1::Builder::new()
            .max_header_size(ANSWER_HEAD_BYTES)
            .max_buf_size(BUFFER_BYTES)
            .handshake(io)
            .await
            .map_err(|_| ConnectFault::Broken)?;
        Ok(Self {
            sender,
            wire: Box::new(wire),
            written,
            ended: false,
        })
    }

    /// Whether the far side has kept the connection open and said nothing unasked. Costs no system call while the
    /// socket is silent.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.advance(&mut Context::from_waker(Waker::noop()));
        !self.ended && self.sender.is_ready()
    }

    /// Lets the connection do what it can.
    fn advance(&mut self, context: &mut Context<'_>) {
        if !self.ended && Pin::new(&mut *self.wire).poll(context).is_ready() {
            self.ended = true;
        }
    }

    /// Sends one request and waits for the head of its answer; `at_work` hears of each informational head before it. The
    /// connection returns to `shelf` when the answer's body ended cleanly. Dropping the future closes the connection.
    ///
    /// # Errors
    /// [`SendFailure`] when the connection ended, or broke the protocol, before the head was complete.
    pub(crate) async fn send(
        mut self,
        head: RequestHead,
        body: Body,
        shelf: Rc<dyn Shelf>,
        at_work: impl Fn() + Send + Sync + 'static,
    ) -> Result<Answer, SendFailure> {
        let before = self.written.get();
        let mut request = convert::into_request(head, body).ok_or(SendFailure {
            written: false,
            malformed: false,
        })?;
        hyper::ext::on_informational(&mut request, move |_| at_work());
        let mut answer = pin!(self.sender.try_send_request(request));
        let response = poll_fn(|context| {
            if !self.ended && Pin::new(&mut *self.wire).poll(context).is_ready() {
                self.ended = true;
            }
            answer.as_mut().poll(context)
        })
        .await
        .map_err(|failed| SendFailure {
            written: self.written.get() != before,
            malformed: failed.error().is_parse(),
        })?;
        let (parts, incoming) = response.into_parts();
        let head = convert::response_head(&parts);
        if head.status == 101 {
            return self.switch(head).await;
        }
        let body = AnswerBody {
            incoming,
            link: Some(self),
            shelf,
        };
        Ok(Answer::Response(head, Body::from_source(body)))
    }

    /// Takes the socket out of HTTP's hands after a 101.
    async fn switch(mut self, head: ResponseHead) -> Result<Answer, SendFailure> {
        poll_fn(|context| {
            self.advance(context);
            if self.ended {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        let parts = self.wire.into_parts();
        Ok(Answer::Switched(
            head,
            Tunnel::new(parts.io.into_inner().into_stream(), parts.read_buf),
        ))
    }
}

/// The body of an answer, together with the connection that it comes from.
struct AnswerBody {
    incoming: Incoming,
    link: Option<Link>,
    shelf: Rc<dyn Shelf>,
}

impl Source for AnswerBody {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Piece, BodyError>>> {
        let mut polled = poll_incoming(&mut self.incoming, context);
        if polled.is_pending() {
            if let Some(link) = &mut self.link {
                link.advance(context);
            }
            polled = poll_incoming(&mut self.incoming, context);
        }
        if matches!(polled, Poll::Ready(Some(Err(_)))) {
            self.link = None;
        }
        polled
    }

    fn remaining(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    fn is_end(&self) -> bool {
        self.incoming.is_end_stream()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        // A connection whose answer has not ended is not ready, and is closed by being dropped.
        if let Some(mut link) = self.link.take()
            && link.is_alive()
        {
            self.shelf.put(link);
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Link")
            .field("written", &self.written.get())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Response(head, body) => formatter
                .debug_tuple("Response")
                .field(&head.status)
                .field(body)
                .finish(),
            Self::Switched(head, _) => formatter.debug_tuple("Switched").field(&head.status).finish(),
        }
    }
}

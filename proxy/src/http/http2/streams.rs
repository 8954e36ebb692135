//! A connection with its streams: who drives it gets one request after the other and lets each have its own task.
//!
//! Contract: it is polled by one task, which nothing else wakes than the socket and its streams · what streams write leaves when it
//! is polled next · who leaves it sends what is open to its end, unless it is dropped.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::Reason;
use h2::server::{Builder, Connection, Handshake};
use remora_h1::Limits;
use remora_policy::Glitch;
use socket2::SockRef;
use tokio::time::Instant;

use super::super::buffers::Buffers;
use super::super::connection::UNSENT_BYTES;
use super::super::socket::Socket;
use super::super::wire::Wire;
use super::load::Load;
use super::pipe::{Outlet, Pipe};
use super::stream::Stream;

/// Bytes of content that a client may send on one stream beyond what an upstream has taken. 128 KiB: a megabit in a tenth of a
/// second.
const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
/// The same on all streams together. 4 MiB: thirty uploads whose upstreams take nothing leave room for others.
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Bytes of an answer that wait within the crate, on one stream. 64 KiB, as many as its pieces that are on their way may have.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Streams that a client gave up before we looked at them. 200, as many as it may give up at once: the crate's 20 are fewer than a
/// person's clicks on a line that stalls.
const UNSEEN_RESETS: usize = 200;
/// Streams whose end is remembered for what still comes on them, and for how long: an upload that was answered early is on its way
/// over a slow line for seconds.
const REMEMBERED: (usize, Duration) = (256, Duration::from_secs(30));
/// Bytes by which a field is longer in the reckoning of HTTP/2 (RFC 9113 section 6.5.2).
const FIELD_BYTES: usize = 32;
/// How many times as large as ours the bound of the crate is on a head. 4: what it refuses gets a bare 431, without a name and a
/// line in the log, so the heads of honest clients have to come as far as our own check; and 80 KB of memory for each stream is
/// not much.
const HEADS: usize = 4;
/// Streams that we had to reset because of what came on them, in the life of a connection. 128: a client that makes so many
/// mistakes makes them on purpose.
const WRONG_STREAMS: usize = 128;

/// What a connection brings.
#[expect(
    clippy::large_enum_variant,
    reason = "moved once, into the task that serves it: a box would be one more for each request"
)]
pub(crate) enum Next {
    /// A request.
    Request(Stream),
    /// Too much of this: the connection ends, and the client is told why.
    Flooded(Glitch),
    /// Its end.
    Closed,
}

enum State {
    /// The client has not begun to speak.
    Greeting(Handshake<Pipe, Load>),
    Open(Connection<Pipe, Load>),
    Closed,
}

/// A connection.
pub(crate) struct Streams {
    state: State,
    outlet: Rc<RefCell<Outlet>>,
    buffers: Rc<Buffers>,
    /// Whether the client has been told that its connection ends.
    leaves: bool,
    /// Whether it has been told that it sent too much.
    flooded: bool,
    /// Of what, where the connection ended with that.
    found: Option<Glitch>,
}

impl Streams {
    /// A connection that has sent nothing yet; so many streams may be open at a time, and heads may be as large as `heads` says.
    pub(crate) fn new(
        socket: Socket,
        buffers: &Rc<Buffers>,
        (heads, streams): (Limits, u32),
        now: Instant,
    ) -> Self {
        // Without it a client that takes little is only noticed later.
        let _noticed_later = SockRef::from(socket.tcp()).set_tcp_notsent_lowat(UNSENT_BYTES);
        let wire = Wire::of_frames(socket, Rc::clone(buffers));
        let outlet = Rc::new(RefCell::new(Outlet::new(wire, now)));
        let list = HEADS * (heads.head_bytes + heads.fields * FIELD_BYTES);
        let greeting = Builder::new()
            .max_concurrent_streams(streams)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(u32::try_from(list).unwrap_or(u32::MAX))
            .max_send_buffer_size(SEND_BUFFER_BYTES)
            .max_pending_accept_reset_streams(UNSEEN_RESETS)
            .max_concurrent_reset_streams(REMEMBERED.0)
            .reset_stream_duration(REMEMBERED.1)
            .max_local_error_reset_streams(Some(WRONG_STREAMS))
            .enable_connect_protocol()
            .handshake(Pipe(Rc::clone(&outlet)));
        Self {
            state: State::Greeting(greeting),
            outlet,
            buffers: Rc::clone(buffers),
            leaves: false,
            flooded: false,
            found: None,
        }
    }

    /// The next request, or what else is to be told; meanwhile moves what can be moved.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>, now: Instant) -> Poll<Next> {
        self.outlet.borrow_mut().is_now(now);
        if let Poll::Ready(came) = self.poll_state(context) {
            let ended = |found: Option<Glitch>| found.map_or(Next::Closed, Next::Flooded);
            return Poll::Ready(came.map_or_else(|| ended(self.found.take()), Next::Request));
        }
        let flood = self.outlet.borrow().flood();
        if let Some(glitch) = flood.filter(|_| !std::mem::replace(&mut self.flooded, true)) {
            if let State::Open(connection) = &mut self.state {
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            }
            return Poll::Ready(Next::Flooded(glitch));
        }
        match self.outlet.borrow_mut().poll_flush(context) {
            Poll::Ready(Err(_)) => {
                self.state = State::Closed;
                Poll::Ready(Next::Closed)
            }
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    fn poll_state(&mut self, context: &mut Context<'_>) -> Poll<Option<Stream>> {
        loop {
            match &mut self.state {
                State::Greeting(greeting) => match Pin::new(greeting).poll(context) {
                    Poll::Ready(Ok(mut connection)) => {
                        if self.leaves {
                            connection.graceful_shutdown();
                        }
                        self.state = State::Open(connection);
                    }
                    Poll::Ready(Err(error)) => self.broke(&error),
                    Poll::Pending => return Poll::Pending,
                },
                State::Open(connection) => match connection.poll_accept(context) {
                    Poll::Ready(Some(Ok((request, respond)))) => {
                        let shared = (self.outlet.borrow().earnings(), Rc::clone(&self.buffers));
                        return Poll::Ready(Some(Stream::new(request, respond, shared)));
                    }
                    Poll::Ready(Some(Err(error))) => self.broke(&error),
                    Poll::Ready(None) => self.state = State::Closed,
                    Poll::Pending => return Poll::Pending,
                },
                State::Closed => return Poll::Ready(None),
            }
        }
    }

    fn broke(&mut self, error: &h2::Error) {
        tracing::debug!(%error, "an HTTP/2 connection ended");
        self.state = State::Closed;
        let outlet = self.outlet.borrow();
        let found = outlet
            .flood()
            .or_else(|| is_too_much(error).then(|| outlet.nearest_flood()));
        drop(outlet);
        self.found = found.filter(|_| !std::mem::replace(&mut self.flooded, true));
    }

    /// Once the connection has ended: reads over what still comes, up to so many bytes, until the client has closed as well.
    pub(crate) fn poll_discard(&mut self, context: &mut Context<'_>, left: &mut usize) -> Poll<()> {
        self.outlet.borrow_mut().poll_discard(context, left)
    }

    /// Whether all that was written has left.
    pub(crate) fn is_flushed(&self) -> bool {
        self.outlet.borrow().is_flushed()
    }

    /// Tells the client to bring its next requests elsewhere. The connection ends once those that are open have ended.
    pub(crate) fn leave(&mut self) {
        self.leaves = true;
        if let State::Open(connection) = &mut self.state {
            connection.graceful_shutdown();
        }
    }
}

/// Whether the crate ended the connection because it had too much of something, before our own count. It does not say of what.
fn is_too_much(error: &h2::Error) -> bool {
    error.is_library() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM)
}

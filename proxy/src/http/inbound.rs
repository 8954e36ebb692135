//! One client connection, over hyper's HTTP/1.1 server.
//!
//! Contract, also for a leaner codec that may replace it: requests reach the handler one at a time and in order; a
//! reply's body that fails cuts the connection so that the client cannot take it for complete; a client that closes
//! while its request waits drops the handler's future (unless it has already sent more, which is read later); a 100 is
//! sent when the handler first asks for the body of a request that expects it; once `stopping` says so (and the task is
//! woken) the connection ends with the answer in flight, which carries `Connection: close`.
//!
//! Rows of strictness (see `strict.rs`) that hyper hides from us, and what it makes of them. All are re-framed: what
//! we send on carries none of the ambiguity.
//! - Content-Length beside Transfer-Encoding: the length is dropped, the connection closed after the answer.
//! - Content-Length twice with one value: sent on once. A bare LF in the head or an obsolete fold: normalised or 400.
//! - An unknown Transfer-Encoding alone: 400 where we would say 501. `#` in the target: cut off with what follows.
//! - A head over the limit is a bare 431, a malformed one a bare 400, neither logged as a request.
//!
//! Behind the first request, waiting for a request and waiting for the rest of its head share one time limit, because
//! hyper has one timer. A slow head so costs what a resting connection costs. The first head has a limit of its own.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::body::Body;
use super::convert;
use super::head::{RequestHead, ResponseHead, Version};
use super::tunnel::{Farewell, Tunnel};
use crate::deadline::Deadline;

/// Bytes read ahead of the parser, per connection: bounds what an unfinished head can hold, and is large enough for
/// uploads to move in few reads.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// How long a connection that has brought no request yet may still bring one once we are stopping: its request may be
/// on the way, but browsers also open connections that they never use.
const LAST_CALL: Duration = Duration::from_millis(500);

/// Bounds on one client connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of a head; more is a 431.
    pub(crate) head_bytes: usize,
    /// Fields of a head; more is a 431.
    pub(crate) fields: usize,
    /// Longest wait for the first complete head.
    pub(crate) first_head: Duration,
    /// Longest wait for each later one, from the end of the answer before.
    pub(crate) patience: Duration,
}

/// What a handler answers.
pub(crate) enum Reply {
    /// A response.
    Response(ResponseHead, Body),
    /// A 101, then the client's bytes to and from a tunnel.
    Switch {
        /// The 101.
        head: ResponseHead,
        /// The far side.
        tunnel: Tunnel,
        /// Longest silence in both directions.
        idle: Duration,
        /// When the client is to leave.
        farewell: Farewell,
        /// Dropped when the tunnel ends.
        until_end: Box<dyn Any>,
    },
}

/// Answers requests of one connection.
pub(crate) trait Handler {
    /// Answers one request. Dropped half-way when the client's connection breaks.
    fn handle(self: Rc<Self>, head: RequestHead, body: Body) -> impl Future<Output = Reply>;
}

/// A tunnel that begins when the 101 has left.
struct Switched {
    tunnel: Tunnel,
    idle: Duration,
    farewell: Farewell,
    until_end: Box<dyn Any>,
}

/// What a connection remembers between requests.
#[derive(Default)]
struct Memory {
    switched: RefCell<Option<Switched>>,
    /// Whether a request has been read.
    used: Cell<bool>,
    /// Whether the end of the answer is told by closing only, as for an HTTP/1.0 client.
    unframed: Cell<bool>,
}

/// Serves a connection until it ends.
pub(crate) async fn serve<H: Handler + 'static>(
    stream: TcpStream,
    handler: Rc<H>,
    bounds: Bounds,
    stopping: impl Fn() -> bool,
) {
    let memory = Rc::new(Memory::default());
    let for_service = Rc::clone(&memory);
    let service = service_fn(move |request| answer(Rc::clone(&handler), Rc::clone(&for_service), request));
    let mut connection = http1::Builder::new()
        // A client that closes while its request waits has left: its request must not hold an upstream any longer. One
        // that only ends its sending direction cannot be told from it; nginx gives it up too.
        .half_close(false)
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.patience.max(bounds.first_head))
        .max_header_size(bounds.head_bytes)
        .max_headers(bounds.fields)
        .max_buf_size(READ_AHEAD_BYTES.max(bounds.head_bytes))
        .serve_connection(TokioIo::new(stream), service);
    let outcome = drive(&mut connection, &memory, bounds.first_head, stopping).await;
    let switched = memory.switched.take();
    if let Some(switched) = switched {
        let parts = connection.into_parts();
        Tunnel::new(parts.io.into_inner(), parts.read_buf)
            .relay(switched.tunnel, switched.idle, switched.farewell)
            .await;
        drop(switched.until_end);
    } else if !outcome && memory.unframed.get() {
        // An orderly close would look like the end of the body. A reset that cannot be set is no worse than that.
        let _no_worse = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

/// Drives a connection until it ends or is given up; false when it broke.
async fn drive<S>(
    connection: &mut http1::Connection<TokioIo<TcpStream>, S>,
    memory: &Memory,
    first_head: Duration,
    stopping: impl Fn() -> bool,
) -> bool
where
    S: HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut told = false;
    let mut called = false;
    let mut due = Deadline::within(first_head);
    let mut first_call = pin!(tokio::time::sleep_until(due.instant()));
    poll_fn(|context| {
        loop {
            let (used, stopping) = (memory.used.get(), stopping());
            // Told any sooner, hyper would close on a request that is still on its way.
            if used && stopping && !told {
                told = true;
                Pin::new(&mut *connection).graceful_shutdown();
            }
            if let Poll::Ready(outcome) = Pin::new(&mut *connection).poll(context) {
                return Poll::Ready(outcome.is_ok());
            }
            // A request that came with this very turn is told now.
            if memory.used.get() && (told || !stopping) {
                return Poll::Pending;
            }
            if !memory.used.get() {
                if stopping && !called {
                    due = due.min(Deadline::within(LAST_CALL));
                    first_call.as_mut().reset(due.instant());
                }
                called = stopping;
                return first_call.as_mut().poll(context).map(|()| true);
            }
        }
    })
    .await
}

async fn answer<H: Handler>(
    handler: Rc<H>,
    memory: Rc<Memory>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    memory.used.set(true);
    let (parts, incoming) = request.into_parts();
    let head = convert::request_head(&parts);
    let version = head.version;
    match handler.handle(head, Body::from_client(incoming)).await {
        Reply::Response(head, body) => {
            memory
                .unframed
                .set(version == Version::Http10 && body.remaining().is_none());
            Ok(convert::into_response(head, body))
        }
        Reply::Switch {
            head,
            tunnel,
            idle,
            farewell,
            until_end,
        } => {
            memory.switched.replace(Some(Switched {
                tunnel,
                idle,
                farewell,
                until_end,
            }));
            Ok(convert::into_response(head, Body::empty()))
        }
    }
}

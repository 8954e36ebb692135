//! A second opinion on bytes: what hyper reads of them, in both directions, and nothing of its types beyond here.
//!
//! Each side of a connection is polled by hand over bytes in memory, until it comes to rest: no runtime, no time, no waiting.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};

use super::beside::Message;

mod client;
mod server;

pub(super) use client::answer;
pub(super) use server::requests;

/// What became of a connection once its bytes were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It would read another message, or more of this one.
    Open,
    /// It was closed in peace.
    Closed,
    Failed,
}

/// Polls in a row that move nothing, after which a connection rests. A few: what is told inside of it is told a poll later.
const IDLE_POLLS: usize = 4;

/// Fields of a head that it takes. More than any script has, so that its bound is not what is compared.
pub(super) const FIELDS_MAX: usize = 1_000;

/// Bytes that come at once, and whatever is written.
struct Wire {
    bytes: Vec<u8>,
    read: usize,
    /// Whether the bytes come only once something was written: they are an answer.
    answers: bool,
    /// Whether the connection ends behind the bytes.
    ends: bool,
    moves: Rc<Cell<usize>>,
}

impl Wire {
    fn moved(&self) {
        self.moves.set(self.moves.get() + 1);
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let left = &self.bytes[self.read..];
        if self.answers || (left.is_empty() && !self.ends) {
            return Poll::Pending;
        }
        let here = left.len().min(into.remaining());
        into.put_slice(&left[..here]);
        self.read += here;
        self.moved();
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.answers = false;
        self.moved();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A message of ours without content.
struct Nothing;

impl Body for Nothing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

/// Polls what goes on until it ends, or moves nothing any more.
fn rested<F: Future>(going: F, moves: &Cell<usize>) -> Option<F::Output> {
    let mut going = pin!(going);
    let mut context = Context::from_waker(Waker::noop());
    let (mut idle, mut before) = (0, moves.get());
    while idle < IDLE_POLLS {
        if let Poll::Ready(output) = going.as_mut().poll(&mut context) {
            return Some(output);
        }
        idle = if moves.get() == before { idle + 1 } else { 0 };
        before = moves.get();
    }
    None
}

/// Reads some of the content; true once there is no more.
fn poll_content(
    content: &mut Incoming,
    context: &mut Context<'_>,
    message: &mut Message,
    moves: &Cell<usize>,
) -> Poll<bool> {
    loop {
        let Some(frame) = std::task::ready!(Pin::new(&mut *content).poll_frame(context)) else {
            message.is_whole = true;
            return Poll::Ready(true);
        };
        moves.set(moves.get() + 1);
        let Ok(frame) = frame else {
            return Poll::Ready(false);
        };
        match frame.into_data() {
            Ok(data) => message.content.extend_from_slice(&data),
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                message.trailers = sorted(&trailers);
            }
        }
    }
}

fn sorted(fields: &hyper::HeaderMap) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pairs = fields.iter();
    super::beside::sorted(pairs.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())))
}

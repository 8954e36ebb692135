//! The socket of a connection as the crate reads and writes it.
//!
//! What is written leaves when whoever drives the connection says so ([`Outlet::poll_flush`]), not frame by frame: answers of many
//! streams go in one call. What is read is looked at for frames that bring nothing; once there were too many, nothing more is
//! read.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use remora_policy::{Glitch, Glitches};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::super::wire::Wire;

/// What the crate's end of a socket and ours share.
pub(super) struct Outlet {
    wire: Wire,
    glitches: Glitches,
    began: Instant,
    now: Instant,
    /// Of what there was too much.
    found: Option<Glitch>,
}

impl Outlet {
    pub(super) fn new(wire: Wire, now: Instant) -> Self {
        Self {
            wire,
            glitches: Glitches::new(std::time::Duration::ZERO),
            began: now,
            now,
            found: None,
        }
    }

    /// It is this moment.
    pub(super) fn is_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// A piece of content goes to the client.
    pub(super) fn sends(&mut self, bytes: usize) {
        self.glitches.sent(bytes);
    }

    /// Of what there was too much.
    pub(super) fn flood(&self) -> Option<Glitch> {
        self.found
    }

    /// Sends what was written.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.wire.poll_flush(context))?;
        self.wire.rest();
        Poll::Ready(Ok(()))
    }

    /// Sends what was written and ends that direction; then reads over what still comes, up to so many bytes. Ready once the far
    /// side has closed, or sends more.
    pub(super) fn poll_discard(&mut self, context: &mut Context<'_>, left: &mut usize) -> Poll<()> {
        // One that cannot be told is read all the same, and ends that way.
        let _told = self
            .wire
            .poll_flush(context)
            .map_ok(|()| self.wire.poll_shutdown(context));
        loop {
            match ready!(self.wire.poll_fill(context)) {
                Ok(bytes @ 1..) if bytes <= *left => {
                    self.wire.take(bytes);
                    *left -= bytes;
                }
                Ok(_) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}

/// The crate's end.
pub(super) struct Pipe(pub(super) Rc<RefCell<Outlet>>);

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outlet = &mut *self.0.borrow_mut();
        if outlet.found.is_some() {
            // The connection ends now; it is not woken for more.
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(outlet.wire.poll_read(context, buffer))?;
        let passed = outlet.now.saturating_duration_since(outlet.began);
        outlet.found = outlet.glitches.see(&buffer.filled()[before..], passed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().wire.poll_write(context, data)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outlet = &mut *self.0.borrow_mut();
        ready!(outlet.wire.poll_flush(context))?;
        outlet.wire.poll_shutdown(context)
    }
}

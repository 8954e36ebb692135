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

/// What a connection's content earns its client, known to all streams, which may outlive the socket.
pub(super) type Earnings = Rc<RefCell<Glitches>>;

/// What the crate's end of a socket and ours share.
pub(super) struct Outlet {
    wire: Wire,
    glitches: Earnings,
    began: Instant,
    now: Instant,
    /// Of what there was too much.
    found: Option<Glitch>,
    /// Whether the crate has something that the socket did not take.
    stuck: bool,
    /// Whether all that the crate wrote has left.
    flushed: bool,
}

impl Outlet {
    pub(super) fn new(wire: Wire, now: Instant) -> Self {
        Self {
            wire,
            glitches: Rc::new(RefCell::new(Glitches::new(std::time::Duration::ZERO))),
            began: now,
            now,
            found: None,
            stuck: false,
            flushed: true,
        }
    }

    /// It is this moment.
    pub(super) fn is_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// Where content is counted that goes to the client.
    pub(super) fn earnings(&self) -> Earnings {
        Rc::clone(&self.glitches)
    }

    /// Whether all that was written has left.
    pub(super) fn is_flushed(&self) -> bool {
        self.flushed && !self.stuck
    }

    /// Of what there was too much.
    pub(super) fn flood(&self) -> Option<Glitch> {
        self.found
    }

    /// Of what there was most, by what is allowed.
    pub(super) fn nearest_flood(&self) -> Glitch {
        self.glitches.borrow().nearest()
    }

    /// Sends what was written.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushed = false;
        ready!(self.wire.poll_flush(context))?;
        self.flushed = true;
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
        outlet.found = outlet
            .glitches
            .borrow_mut()
            .see(&buffer.filled()[before..], passed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let outlet = &mut *self.0.borrow_mut();
        let written = outlet.wire.poll_write(context, data);
        outlet.stuck = written.is_pending();
        written
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

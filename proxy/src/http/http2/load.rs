//! Pieces of content on their way to a client, in buffers of the thread, and how many of one stream there are.
//!
//! A piece has left once the socket below has taken it. So whoever waits for that waits for the client, as over HTTP/1.1; and
//! however small the pieces are that a client has room for, a stream holds only a few buffers.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Buf;

use super::super::buffers::Buffers;

/// Pieces of one stream that are on their way. 4, which are 64 KiB at most: the next is there when one has left.
const LOADS_MAX: usize = 4;

/// The pieces of one stream that have not left.
#[derive(Default)]
pub(super) struct Afoot {
    count: Cell<usize>,
    /// Whether one was let go before it had left.
    lost: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Afoot {
    /// Waits until another piece may follow.
    pub(super) fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        self.poll_fewer(LOADS_MAX, context)
    }

    /// Waits until all have left.
    ///
    /// # Errors
    /// One could not: its stream, or the connection, has ended.
    pub(super) fn poll_none(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        self.poll_fewer(1, context).map(|()| match self.lost.get() {
            true => Err(ErrorKind::BrokenPipe.into()),
            false => Ok(()),
        })
    }

    fn poll_fewer(&self, than: usize, context: &Context<'_>) -> Poll<()> {
        if self.count.get() < than {
            return Poll::Ready(());
        }
        self.waker.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}

/// One piece; its buffer goes back when it has left.
pub(super) struct Load {
    bytes: Vec<u8>,
    sent: usize,
    buffers: Rc<Buffers>,
    afoot: Rc<Afoot>,
}

impl Load {
    /// All of these bytes.
    pub(super) fn new(bytes: Vec<u8>, buffers: &Rc<Buffers>, afoot: &Rc<Afoot>) -> Self {
        afoot.count.update(|count| count + 1);
        Self {
            bytes,
            sent: 0,
            buffers: Rc::clone(buffers),
            afoot: Rc::clone(afoot),
        }
    }
}

impl Buf for Load {
    fn remaining(&self) -> usize {
        self.bytes.len() - self.sent
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    fn advance(&mut self, count: usize) {
        self.sent += count;
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let Self { afoot, .. } = self;
        afoot.count.update(|count| count - 1);
        if self.sent < self.bytes.len() {
            afoot.lost.set(true);
        }
        // Once: who does not wait is not woken.
        if let Some(waker) = afoot.waker.take() {
            waker.wake();
        }
        self.buffers.give(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_few_pieces_on_their_way_and_learns_of_a_lost_one() {
        let (afoot, buffers) = (Rc::<Afoot>::default(), Rc::default());
        let context = Context::from_waker(Waker::noop());
        let mut loads: Vec<Load> = (0..LOADS_MAX)
            .map(|_| Load::new(vec![1], &buffers, &afoot))
            .collect();
        assert!(afoot.poll_room(&context).is_pending());
        let mut left = loads.remove(0);
        left.advance(1);
        drop(left);
        assert!(afoot.poll_room(&context).is_ready());
        assert!(afoot.poll_none(&context).is_pending());
        drop(loads);
        assert!(matches!(afoot.poll_none(&context), Poll::Ready(Err(_))));
    }
}

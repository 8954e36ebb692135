//! Pieces of content on their way to a client, in buffers of the thread.

use std::rc::Rc;

use bytes::Buf;

use super::super::buffers::Buffers;

/// One piece; its buffer goes back when it has left.
pub(super) struct Load {
    bytes: Vec<u8>,
    sent: usize,
    buffers: Rc<Buffers>,
}

impl Load {
    /// All of these bytes.
    pub(super) fn new(bytes: Vec<u8>, buffers: &Rc<Buffers>) -> Self {
        Self {
            bytes,
            sent: 0,
            buffers: Rc::clone(buffers),
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
        self.buffers.give(std::mem::take(&mut self.bytes));
    }
}

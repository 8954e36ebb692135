//! The buffers of one thread, lent to whoever has something in hand: bytes of a socket, the heads of an exchange.
//!
//! Invariants: what comes back is empty · what grew beyond its usual size is let go, so that one large head or body does not
//! stay in memory for ever · a warm thread allocates nothing.

use std::cell::RefCell;

use remora_h1::Head;

/// Bytes of a buffer. 16 KiB: an ordinary head and page, and small enough for thousands of exchanges at a time.
pub(super) const BUFFER_BYTES: usize = 16 * 1024;

/// Buffers that are kept although nobody needs them. 256, which is 4 MiB: a burst ends, and its memory goes back.
const KEPT: usize = 256;

/// The heads of one exchange, and what of its request's content may have to be sent again.
#[derive(Default)]
pub(crate) struct Papers {
    /// As the client sent it.
    pub(crate) request: Head,
    /// As the upstream is sent it.
    pub(crate) told: Head,
    /// As the upstream answered.
    pub(crate) answer: Head,
    /// As the client is answered.
    pub(crate) shown: Head,
    /// What a field's value is replaced by.
    pub(crate) instead: Vec<u8>,
    /// Content of the request.
    pub(crate) kept: Vec<u8>,
}

/// What nobody has in hand.
#[derive(Default)]
pub(crate) struct Buffers {
    bytes: RefCell<Vec<Vec<u8>>>,
    #[expect(
        clippy::vec_box,
        reason = "lent in their boxes, so that a task that rests is small"
    )]
    papers: RefCell<Vec<Box<Papers>>>,
}

impl Buffers {
    /// An empty buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        let kept = self.bytes.borrow_mut().pop();
        kept.unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
    }

    /// A buffer comes back.
    pub(super) fn give(&self, mut buffer: Vec<u8>) {
        let mut kept = self.bytes.borrow_mut();
        if buffer.capacity() == BUFFER_BYTES && kept.len() < KEPT {
            buffer.clear();
            kept.push(buffer);
        }
    }

    /// Empty heads.
    pub(crate) fn papers(&self) -> Box<Papers> {
        self.papers.borrow_mut().pop().unwrap_or_default()
    }

    /// Heads come back.
    pub(crate) fn done(&self, mut papers: Box<Papers>) {
        let Papers {
            request,
            told,
            answer,
            shown,
            instead,
            kept,
        } = &mut *papers;
        let heads = [request, told, answer, shown];
        let usual = heads.iter().all(|head| head.fields.wire().len() <= BUFFER_BYTES);
        let mut all = self.papers.borrow_mut();
        if usual && kept.capacity().max(instead.capacity()) <= BUFFER_BYTES && all.len() < KEPT {
            heads.into_iter().for_each(Head::clear);
            kept.clear();
            all.push(papers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_grew_is_let_go() {
        let buffers = Buffers::default();
        let mut usual = buffers.take();
        usual.push(1);
        let mut grown = buffers.take();
        grown.reserve(2 * BUFFER_BYTES);
        buffers.give(usual);
        buffers.give(grown);
        assert_eq!(buffers.bytes.borrow().len(), 1);
        assert!(buffers.take().is_empty());
        let mut papers = buffers.papers();
        papers.kept.extend_from_slice(b"content");
        buffers.done(papers);
        assert!(buffers.papers().kept.is_empty());
    }
}

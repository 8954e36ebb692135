//! Messages on a wire, read and written one after the other.
//!
//! Content is looked at where it lies ([`Framed::poll_content`]) and taken off once whoever wants it has it
//! ([`Framed::take`]): nothing is copied in between, and a sender is as slow as its receiver.

use std::io;
use std::task::{Context, Poll, ready};

use remora_h1::{AtEnd, Event, Fields, Head, Length, Reader, Refusal, Writer};

use super::wire::Wire;

/// Why nothing more can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection was closed where a message would have begun.
    Closed,
    /// It broke, or ended in the middle of a message.
    Broken,
    /// What came is no message that we take.
    Refused(Refusal),
}

/// The next piece of content.
#[derive(Debug)]
pub(crate) enum Content<'f> {
    /// Bytes, never none. They come again until they are taken.
    Data(&'f [u8]),
    /// The fields behind the content, once.
    Trailers(&'f mut Fields),
    /// It is whole.
    End,
    /// It is not, and nothing more comes.
    Fault(Fault),
}

/// What kind of head was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadKind {
    Final,
    Informational,
    Switched,
}

enum Step {
    Data,
    Trailers,
    End,
}

/// A wire with its reader and its writer.
pub(super) struct Framed {
    pub(super) wire: Wire,
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    /// Bytes of content at the front of the input.
    data: usize,
    /// The fields behind content; hardly anybody sends any.
    trailers: Head,
}

impl Framed {
    pub(super) fn new(wire: Wire, reader: Reader) -> Self {
        Self {
            wire,
            reader,
            writer: Writer::default(),
            data: 0,
            trailers: Head::default(),
        }
    }

    /// The next head, into one that is empty.
    pub(super) fn poll_head(
        &mut self,
        context: &mut Context<'_>,
        head: &mut Head,
    ) -> Poll<Result<HeadKind, Fault>> {
        loop {
            let mut input = self.wire.bytes();
            let before = input.len();
            let event = self.reader.feed(&mut input, head);
            let (understood, kind) = (before - input.len(), kind_of(event));
            self.wire.take(understood);
            if let Some(kind) = kind {
                return Poll::Ready(kind);
            }
            ready!(self.poll_more(context))?;
        }
    }

    /// Whether anything has come of a message that is not whole.
    pub(super) fn has_begun(&self) -> bool {
        self.reader.at_end() != AtEnd::Between || !self.wire.bytes().is_empty()
    }

    /// The next piece of content.
    pub(super) fn poll_content(&mut self, context: &mut Context<'_>) -> Poll<Content<'_>> {
        Poll::Ready(match ready!(self.poll_step(context)) {
            Ok(Step::Data) => Content::Data(&self.wire.bytes()[..self.data]),
            Ok(Step::Trailers) => Content::Trailers(&mut self.trailers.fields),
            Ok(Step::End) => Content::End,
            Err(fault) => Content::Fault(fault),
        })
    }

    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Result<Step, Fault>> {
        while self.data == 0 {
            if self.reader.is_resting() {
                return Poll::Ready(Ok(Step::End));
            }
            let mut input = self.wire.bytes();
            let before = input.len();
            let event = self.reader.feed(&mut input, &mut self.trailers);
            let data = match event {
                Event::Data(data) => data.len(),
                _ => 0,
            };
            let (understood, event) = (before - input.len() - data, named(event));
            self.wire.take(understood);
            self.data = data;
            match event {
                Some(Ok(step)) => return Poll::Ready(Ok(step)),
                Some(Err(refusal)) => return Poll::Ready(Err(Fault::Refused(refusal))),
                None => match ready!(self.poll_more(context)) {
                    Ok(()) => {}
                    Err(Fault::Closed) => return Poll::Ready(Ok(Step::End)),
                    Err(fault) => return Poll::Ready(Err(fault)),
                },
            }
        }
        Poll::Ready(Ok(Step::Data))
    }

    /// So many bytes of content have found whom they are for.
    pub(super) fn take(&mut self, bytes: usize) {
        self.data -= bytes;
        self.wire.take(bytes);
    }

    /// Reads on; [`Fault::Closed`] where the message is whole or none had begun.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(match ready!(self.wire.poll_fill(context)) {
            Ok(0) => match self.reader.at_end() {
                AtEnd::Between | AtEnd::Whole => Err(Fault::Closed),
                AtEnd::Cut => Err(Fault::Broken),
            },
            Ok(_) => Ok(()),
            Err(_) => Err(Fault::Broken),
        })
    }

    /// Takes some of this content for the far side; answers how much. It may wait until [`Framed::poll_flush`].
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let most = self.writer.before(data.len(), self.wire.output());
        if most == 0 {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let sent = ready!(self.wire.poll_write(context, &data[..most]))?;
        self.writer.after(sent, self.wire.output());
        Poll::Ready(Ok(sent))
    }

    /// The content for the far side is over; false when it is not whole.
    pub(super) fn end(&mut self, trailers: Option<&Fields>) -> bool {
        if self.writer.length() == Length::None {
            return true;
        }
        self.writer.end(trailers, self.wire.output())
    }

    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.poll_flush(context)
    }
}

fn kind_of(event: Event<'_>) -> Option<Result<HeadKind, Fault>> {
    match event {
        Event::Head => Some(Ok(HeadKind::Final)),
        Event::Informational => Some(Ok(HeadKind::Informational)),
        Event::Upgrade => Some(Ok(HeadKind::Switched)),
        Event::Refuse(refusal) => Some(Err(Fault::Refused(refusal))),
        Event::NeedMore | Event::Data(_) | Event::Trailers | Event::End => None,
    }
}

fn named(event: Event<'_>) -> Option<Result<Step, Refusal>> {
    match event {
        Event::Data(_) => Some(Ok(Step::Data)),
        Event::Trailers => Some(Ok(Step::Trailers)),
        Event::End => Some(Ok(Step::End)),
        Event::Refuse(refusal) => Some(Err(refusal)),
        Event::NeedMore | Event::Head | Event::Informational | Event::Upgrade => None,
    }
}

//! A client's connection, where requests come one after the other: HTTP/1.1.
//!
//! Contract: requests are read one at a time and in order; the next head is read only after the last byte of the answer ·
//! an answer says how its connection goes on, and [`Connection::goes_on`] holds to it · a client that closes while its request waits
//! has left, whether it closed one direction or both (nginx gives it up too) · an answer that cannot be made whole is cut so that
//! its client cannot take it for whole: in clear by a reset where its framing would not show it, under TLS by an end that is not told.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use remora_h1::{Fields, Head, Known, Length, Limits, Persistence, Reader, Refusal, Version, Writer};
use socket2::SockRef;

use super::buffers::Buffers;
use super::framed::{Content, Fault, Framed, HeadKind};
use super::socket::Socket;
use super::wire::Wire;

/// Bytes that the kernel may hold for a client and not yet send. 128 KiB, as is usual on servers: it would take megabytes at
/// once and say nothing of the client; with less, fast downloads would wait until this thread comes round.
pub(crate) const UNSENT_BYTES: u32 = 128 * 1024;

/// One connection of a client.
pub(crate) struct Connection {
    framed: Framed,
    version: Version,
    /// Whether another request may follow.
    goes_on: bool,
    /// Whether the client holds its content back until it is told to go on.
    expects: bool,
    /// Whether the end of the answer is told by closing alone, and has not been reached.
    unframed: bool,
    /// Whether the answer broke off.
    broken: bool,
}

impl Connection {
    /// A connection that has sent nothing yet.
    pub(crate) fn new(socket: Socket, buffers: Rc<Buffers>, limits: Limits) -> Self {
        // Without it a client that takes little is only noticed later.
        let _noticed_later = SockRef::from(socket.tcp()).set_tcp_notsent_lowat(UNSENT_BYTES);
        Self {
            framed: Framed::new(Wire::new(socket, buffers), Reader::of_requests(limits)),
            version: Version::Http11,
            goes_on: true,
            expects: false,
            unframed: false,
            broken: false,
        }
    }

    /// Waits for the first byte of the next request; false when the client has closed instead.
    pub(crate) fn poll_arrival(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        if !self.framed.wire.bytes().is_empty() {
            return Poll::Ready(true);
        }
        let read = ready!(self.framed.wire.poll_fill(context));
        Poll::Ready(matches!(read, Ok(1..)))
    }

    /// The head of the next request, into one that is empty; a refusal if it is none that we take.
    ///
    /// # Errors
    /// The client closed, or its connection broke.
    pub(crate) fn poll_request(
        &mut self,
        context: &mut Context<'_>,
        head: &mut Head,
    ) -> Poll<Result<Result<(), Refusal>, Fault>> {
        self.framed.reader.next();
        let read = match ready!(self.framed.poll_head(context, head)) {
            Ok(HeadKind::Final | HeadKind::Informational | HeadKind::Switched) => Ok(()),
            Err(Fault::Refused(refusal)) => Err(refusal),
            Err(fault) => return Poll::Ready(Err(fault)),
        };
        self.version = head.version();
        self.goes_on = read.is_ok() && self.framed.reader.keeps();
        let bare = read.is_err() || matches!(self.length(), Length::None | Length::Known(0));
        self.expects = !bare && self.version == Version::Http11 && head.fields.has(Known::Expect);
        if bare && read.is_ok() {
            // It is whole: nothing is waited for.
            let _whole = self.framed.poll_content(context);
        }
        Poll::Ready(Ok(read))
    }

    /// How long the request's content is.
    pub(crate) fn length(&self) -> Length {
        self.framed.reader.length()
    }

    /// Whether all of the request has been read.
    pub(crate) fn is_read(&self) -> bool {
        self.framed.reader.is_resting()
    }

    /// The next piece of the request's content.
    pub(crate) fn poll_content(&mut self, context: &mut Context<'_>) -> Poll<Content<'_>> {
        self.framed.poll_content(context)
    }

    /// So many bytes of it are with an upstream.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.expects = false;
        self.framed.take(bytes);
    }

    /// Whether the client holds its content back.
    pub(crate) fn expects(&self) -> bool {
        self.expects
    }

    /// Tells the client to send its content; once.
    pub(crate) fn go_ahead(&mut self) {
        if self.expects {
            self.expects = false;
            self.framed
                .wire
                .output()
                .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    /// Passes an informational head on, to clients that know of them.
    pub(crate) fn inform(&mut self, head: &Head) {
        if self.version == Version::Http11 {
            Writer::bare(head, self.framed.wire.output());
        }
    }

    /// Reads over the next piece of the request's content: how many bytes it had, 0 at its end, none when it cannot be read.
    pub(crate) fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<Option<usize>> {
        let read = match ready!(self.framed.poll_content(context)) {
            Content::Data(data) => data.len(),
            // Counted as something: the end comes behind them.
            Content::Trailers(_) => return Poll::Ready(Some(1)),
            Content::End => return Poll::Ready(Some(0)),
            Content::Fault(_) => return Poll::Ready(None),
        };
        self.framed.take(read);
        Poll::Ready(Some(read))
    }

    /// The head of a request did not come in time: what there is of it is answered, and nothing follows.
    pub(crate) fn gives_up(&mut self) {
        (self.goes_on, self.expects) = (false, false);
    }

    /// Whether the client has left. Asked while it waits for its answer; a request that came early is not read over.
    pub(crate) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.framed.wire.bytes().is_empty() {
            return Poll::Pending;
        }
        match ready!(self.framed.wire.poll_fill(context)) {
            Ok(1..) => Poll::Pending,
            Ok(0) | Err(_) => Poll::Ready(()),
        }
    }

    /// Writes the head of the answer; `last` says that no other request is wanted. A length that is not known is framed as the
    /// client understands it.
    pub(crate) fn answer(&mut self, head: &Head, length: Length, last: bool) {
        let length = match length {
            Length::Chunked | Length::UntilClose if self.version == Version::Http10 => Length::UntilClose,
            Length::UntilClose => Length::Chunked,
            known => known,
        };
        // What it holds back would be read as the next request.
        self.goes_on &= !last && length != Length::UntilClose && !self.expects;
        let persistence = match self.version {
            _ if !self.goes_on => Persistence::Close,
            Version::Http11 | Version::Http2 => Persistence::Unsaid,
            Version::Http10 => Persistence::KeepAlive,
        };
        if length == Length::UntilClose {
            // An orderly close would look like the end of the content, whoever closes and why.
            self.unframed = true;
            self.framed.wire.reset();
        }
        self.framed
            .writer
            .head(head, length, persistence, self.framed.wire.output());
    }

    /// Writes a 101. What follows is no HTTP, and how it ends is told by whoever relays it.
    pub(crate) fn switch(&mut self, head: &Head) {
        (self.goes_on, self.broken) = (false, true);
        Writer::bare(head, self.framed.wire.output());
    }

    /// Takes some of the answer's content; answers how much.
    pub(crate) fn poll_send(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.framed.poll_send(context, data)
    }

    /// The answer is over, or breaks off here if it is not whole.
    pub(crate) fn end(&mut self, trailers: Option<&Fields>) {
        self.goes_on &= self.framed.end(trailers);
    }

    /// Sends what waits.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.framed.poll_flush(context)
    }

    /// Whether another request may come.
    pub(crate) fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// The connection ends with the current answer.
    pub(crate) fn ends(&mut self) {
        self.goes_on = false;
    }

    /// The answer has left whole: from here on a close is orderly.
    pub(crate) fn is_whole(&mut self) {
        if std::mem::take(&mut self.unframed) {
            self.framed.wire.end_in_order();
        }
    }

    /// The answer broke off: the client must see it.
    pub(crate) fn cut(&mut self) {
        (self.goes_on, self.broken) = (false, true);
    }

    /// Whether the client sees the end of its connection as that of something that broke off.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken || self.unframed
    }

    /// Whether a request has begun that is not whole.
    pub(crate) fn has_begun(&self) -> bool {
        self.framed.has_begun()
    }

    /// The client takes its answer too slowly: the kernel forgets what it has not sent.
    pub(crate) fn reset(&mut self) {
        self.cut();
        self.framed.wire.reset();
    }

    /// It rests until the next request.
    pub(crate) fn rest(&mut self) {
        self.framed.wire.rest();
    }

    /// Whether an orderly end has to be told by more than closing.
    pub(crate) fn tells_end(&self) -> bool {
        self.framed.wire.tells_end() && !self.is_broken()
    }

    /// Ends the sending direction.
    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.framed.wire.poll_shutdown(context)
    }

    /// Reads over what still comes; 0 at its end.
    pub(crate) fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let here = self.framed.wire.bytes().len();
        self.framed.wire.take(here);
        match here {
            0 => self.framed.wire.poll_fill(context),
            _ => Poll::Ready(Ok(here)),
        }
    }

    /// The socket after a 101, and what came behind the request.
    pub(super) fn parts(&mut self) -> (&mut Socket, Vec<u8>) {
        self.framed.wire.parts()
    }
}

//! Whom an exchange serves: a connection that brings requests one after the other, or a stream beside others.
//!
//! Contract, of both kinds alike: content is looked at until it is taken, and who takes none holds its sender back · a client that
//! leaves while its request waits is seen to have left · an answer that cannot be made whole is cut so that its client cannot take
//! it for whole.

use std::io;
use std::task::{Context, Poll};

use remora_h1::{Fields, Head, Length};

use super::connection::Connection;
use super::framed::Content;
use super::http2::Stream;

/// The client of one exchange.
pub(crate) enum Client<'c> {
    /// HTTP/1.1, the only one on its connection.
    Connection(&'c mut Connection),
    /// HTTP/2, one of many.
    Stream(&'c mut Stream),
}

/// Asks whichever it is.
macro_rules! whichever {
    ($client:expr, $one:ident => $asks:expr) => {
        match $client {
            Client::Connection($one) => $asks,
            Client::Stream($one) => $asks,
        }
    };
}

impl Client<'_> {
    /// How long the request's content is.
    pub(crate) fn length(&self) -> Length {
        whichever!(self, client => client.length())
    }

    /// The next piece of the request's content.
    pub(crate) fn poll_content(&mut self, context: &mut Context<'_>) -> Poll<Content<'_>> {
        whichever!(self, client => client.poll_content(context))
    }

    /// So many bytes of it are with an upstream.
    pub(crate) fn take(&mut self, bytes: usize) {
        whichever!(self, client => client.take(bytes));
    }

    /// Whether the client holds its content back.
    pub(crate) fn expects(&self) -> bool {
        whichever!(self, client => client.expects())
    }

    /// Tells the client to send its content; once.
    pub(crate) fn go_ahead(&mut self) {
        whichever!(self, client => client.go_ahead());
    }

    /// Passes an informational head on, to clients that know of them.
    pub(crate) fn inform(&mut self, head: &Head) {
        whichever!(self, client => client.inform(head));
    }

    /// Whether the client has left. Asked while it waits for its answer.
    pub(crate) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        whichever!(self, client => client.poll_gone(context))
    }

    /// Writes the head of the answer; `last` says that no other request is wanted.
    pub(crate) fn answer(&mut self, head: &Head, length: Length, last: bool) {
        match self {
            Self::Connection(connection) => connection.answer(head, length, last),
            // Others go on beside it: whoever holds the connection says that to the client.
            Self::Stream(stream) => stream.answer(head, length),
        }
    }

    /// Whether the head of a 101 says that the upstream has understood what it was asked for.
    pub(crate) fn is_understood(&self, head: &Head) -> bool {
        match self {
            // The client asked itself, and sees to it.
            Self::Connection(_) => true,
            Self::Stream(stream) => stream.is_understood(head),
        }
    }

    /// Whether the client would take an answer with this status, a page, for the grant of what it asked for.
    pub(crate) fn takes_for_grant(&self, status: u16) -> bool {
        match self {
            // Nothing but a 101 is one.
            Self::Connection(_) => false,
            Self::Stream(stream) => stream.takes_for_grant(status),
        }
    }

    /// Writes a 101, or what stands for it. What follows is no HTTP.
    pub(crate) fn switch(&mut self, head: &Head) {
        whichever!(self, client => client.switch(head));
    }

    /// Takes some of the answer's content; answers how much.
    pub(crate) fn poll_send(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        whichever!(self, client => client.poll_send(context, data))
    }

    /// The answer is over, or breaks off here if it is not whole.
    pub(crate) fn end(&mut self, trailers: Option<&Fields>) {
        whichever!(self, client => client.end(trailers));
    }

    /// Sends what waits.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        whichever!(self, client => client.poll_flush(context))
    }

    /// The client is not served to the end.
    pub(crate) fn ends(&mut self) {
        match self {
            Self::Connection(connection) => connection.ends(),
            // One that is let go before its end is given up.
            Self::Stream(_) => {}
        }
    }

    /// The answer has left whole.
    pub(crate) fn is_whole(&mut self) {
        match self {
            Self::Connection(connection) => connection.is_whole(),
            Self::Stream(_) => {}
        }
    }

    /// The answer broke off: the client must see it.
    pub(crate) fn cut(&mut self) {
        whichever!(self, client => client.cut());
    }

    /// The client takes its answer too slowly: what it has not taken is forgotten.
    pub(crate) fn reset(&mut self) {
        whichever!(self, client => client.reset());
    }
}

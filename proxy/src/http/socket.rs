//! A connected socket, in clear or secured by TLS: read and written alike.
//!
//! Invariants: what was written leaves when [`Socket::poll_flush`](tokio::io::AsyncWrite::poll_flush) is ready, and not always
//! before: TLS keeps records of its own · an orderly end is [`Socket::poll_shutdown`](tokio::io::AsyncWrite::poll_shutdown), which
//! tells the far side within TLS as well; dropping a secured socket looks to it like something that broke off.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::ProtocolVersion;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use crate::tls::{PROTOCOLS, Protocol};

/// A connection to a client or to an upstream.
pub(crate) enum Socket {
    /// In clear.
    Clear(TcpStream),
    /// Secured. Boxed: a connection in clear does not pay for its room.
    Secured(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// What is spoken on it.
    pub(crate) fn protocol(&self) -> Protocol {
        let chosen = match self {
            Self::Clear(_) => None,
            Self::Secured(stream) => stream.get_ref().1.alpn_protocol(),
        };
        let known = PROTOCOLS.iter().find(|(_, name)| chosen == Some(*name));
        known.map_or(Protocol::Http1, |(protocol, _)| *protocol)
    }

    /// The version of TLS that it is secured by, as people write it; none in clear.
    pub(crate) fn tls_version(&self) -> Option<&'static str> {
        let Self::Secured(stream) = self else { return None };
        match stream.get_ref().1.protocol_version()? {
            ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
            ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
            other => other.as_str(),
        }
    }

    /// Whether an orderly end has to be told by more than closing.
    pub(super) fn tells_end(&self) -> bool {
        matches!(self, Self::Secured(_))
    }

    /// The TCP connection below, for its options.
    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Clear(stream) => stream,
            Self::Secured(stream) => stream.get_ref().0,
        }
    }

    /// Whether a read may find something, told without a buffer.
    pub(super) fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Clear(stream) => stream.poll_read_ready(context),
            // What was decrypted already waits there; then the socket is not asked.
            Self::Secured(stream) => match stream.get_ref() {
                (stream, secured) if secured.wants_read() => stream.poll_read_ready(context),
                _ => Poll::Ready(Ok(())),
            },
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Secured(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_write(context, data),
            Self::Secured(stream) => Pin::new(stream).poll_write(context, data),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
            Self::Secured(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_flush(context),
            Self::Secured(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Secured(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

//! A connection that was accepted from a client or a peer: where it comes from, and that its far end has ended it.
//!
//! A Tomcat that dies says nothing more on its stream, but its kernel ends its connections. If nobody stands between (the
//! client named the very address that is seen here), that is as good as a goodbye, and no answer has to wait for its copies.
//!
//! Invariant: only the far end's own word counts, its FIN or its RST, as reading meets it. A connection that this node ends, for
//! whatever reason, and one that falls silent say nothing about the far end.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use remora_process::accept::Connection;
use remora_process::tls::{Caller, Secured, Tls, Who};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

use super::hub::Hub;

/// Where a connection comes from, and who is at its other end; travels with every request on it.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// Counts the connections of this node.
    connection: u64,
    remote: SocketAddr,
    who: Who,
}

impl Origin {
    /// The connection, if the client sees itself at the address (host:port) at which it is seen here.
    pub(super) fn direct(&self, address: &str) -> Option<u64> {
        let said: SocketAddr = address.parse().ok()?;
        let same =
            said.port() == self.remote.port() && said.ip().to_canonical() == self.remote.ip().to_canonical();
        same.then_some(self.connection)
    }

    /// Who is at the other end.
    pub(super) fn caller(&self) -> Caller {
        self.who.caller()
    }
}

/// An accepted connection, which tells the hub when its far end ends it; a peer's has none to tell.
pub(super) struct Accepted {
    stream: Secured<Connection>,
    origin: Origin,
    hub: Option<Arc<Hub>>,
}

impl Accepted {
    /// A connection with its number among those of its address, and where it comes from.
    pub(super) fn new(
        stream: Connection,
        (connection, remote): (u64, SocketAddr),
        hub: Option<Arc<Hub>>,
        tls: Option<&Tls>,
    ) -> Accepted {
        let stream = Secured::accept(stream, remote, tls);
        let origin = Origin {
            connection,
            remote,
            who: stream.who(),
        };
        Accepted { stream, origin, hub }
    }

    fn ended(&self) {
        if let Some(hub) = &self.hub {
            hub.disconnected(self.origin.connection);
        }
    }
}

impl Connected for Accepted {
    type ConnectInfo = Origin;

    fn connect_info(&self) -> Origin {
        self.origin.clone()
    }
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (buffer.filled().len(), buffer.remaining() > 0);
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        let ended = match &read {
            Ok(()) => room && buffer.filled().len() == before,
            // Under TLS a FIN that comes without a farewell, as of a process that was killed.
            Err(error) => matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof
            ),
        };
        if ended {
            self.ended();
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;

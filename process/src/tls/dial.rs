//! A connection to a server, with TLS or without: what gRPC clients connect through.
//!
//! Left out on purpose: how long it may take, which whoever connects bounds.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt};
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use tower::Service;

use super::{Caller, Role, Tls};

/// Connects to the host and port of an address. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Dial {
    tls: Option<Tls>,
    /// The store node that has to answer; 0 for any.
    peer: Option<u64>,
}

/// A connection that was made.
type Dialed = Either<TcpStream, TlsStream<TcpStream>>;

impl Dial {
    /// With what `tls` holds at each connection, or in clear.
    pub fn new(tls: Option<Tls>) -> Dial {
        Dial { tls, peer: None }
    }

    /// The same to the store node of this id alone, or to any if it is 0: with TLS its certificate has to name it.
    #[must_use]
    pub fn to_peer(self, node: u64) -> Dial {
        Dial {
            peer: Some(node),
            ..self
        }
    }

    /// Whether it speaks TLS.
    pub fn is_secured(&self) -> bool {
        self.tls.is_some()
    }

    /// Connects to `host:port`; an IPv6 address stands in brackets. With TLS the server has to show a certificate for that
    /// host.
    ///
    /// # Errors
    /// Nobody answers there, or it is not who it has to be.
    pub async fn connect(self, host: &str, port: u16) -> io::Result<Dialed> {
        let host = host.trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = self.tls else {
            return Ok(Either::Left(stream));
        };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connector = TlsConnector::from(Arc::clone(&tls.client()));
        let secured = connector.connect(name, stream).await?;
        if let Some(node) = self.peer {
            let shown = secured.get_ref().1.peer_certificates();
            let caller = shown.and_then(|chain| chain.first()).map(Caller::of);
            let is_it = |role: &Role| matches!(role, Role::Peer(named) if node == 0 || *named == node);
            if !caller.is_some_and(|caller| caller.is(is_it)) {
                let sentence = format!(
                    "the certificate of whoever answers at {host}:{port} does not name store node {node}"
                );
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, sentence));
            }
        }
        Ok(Either::Right(secured))
    }
}

impl Service<Uri> for Dial {
    type Response = TokioIo<Dialed>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let dial = self.clone();
        async move {
            let missing =
                || io::Error::new(io::ErrorKind::InvalidInput, "the address lacks a host or a port");
            let host = address.host().ok_or_else(missing)?;
            let port = address.port_u16().ok_or_else(missing)?;
            dial.connect(host, port).await.map(TokioIo::new)
        }
        .boxed()
    }
}

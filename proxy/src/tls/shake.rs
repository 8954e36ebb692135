//! A client's connection from its first byte to the end of the handshake.
//!
//! The first byte is looked at before anything is made for the connection: one that says nothing costs nothing, and one that
//! speaks HTTP in clear can be told so in words that its browser shows.

use std::sync::Arc;

use remora_process::tls::refusal;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::Made;
use super::told::{SecuredFields, fields};

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1, also where a client of TLS says nothing about it.
    Http1,
    /// HTTP/2.
    Http2,
}

/// What clients of TLS are offered (ALPN), the most wanted first.
pub(crate) const PROTOCOLS: [(Protocol, &[u8]); 2] =
    [(Protocol::Http2, b"h2"), (Protocol::Http1, b"http/1.1")];

/// Why a connection was not secured.
#[derive(Debug)]
pub(crate) enum Unsecured {
    /// The client speaks HTTP in clear.
    InClear(TcpStream),
    /// The handshake failed.
    Refused(&'static str),
    /// The client left.
    Gone,
}

/// Makes the handshake; answers also what upstreams are told of it.
pub(crate) async fn shake(
    stream: TcpStream,
    made: Arc<Made>,
) -> Result<(Box<TlsStream<TcpStream>>, SecuredFields), Unsecured> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        // A method begins with a letter, and no record of TLS does.
        Ok(1..) if first[0].is_ascii_alphabetic() => return Err(Unsecured::InClear(stream)),
        Ok(1..) => {}
        Ok(0) | Err(_) => return Err(Unsecured::Gone),
    }
    match TlsAcceptor::from(Arc::clone(&made.server)).accept(stream).await {
        Ok(stream) => {
            let stream = Box::new(TlsStream::Server(stream));
            let fields = fields(&stream, made.told);
            Ok((stream, fields))
        }
        Err(error) => Err(refusal(&error).map_or(Unsecured::Gone, Unsecured::Refused)),
    }
}

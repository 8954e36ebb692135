//! An accepted connection, with TLS or without.
//!
//! The handshake is made by whoever reads or writes first, so that nobody who is slow at it keeps the listener from accepting
//! others. Who is at the other end is known from then on, and so before any request can be read ([`Who`]).

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use metrics::counter;
use rustls::{AlertDescription, CertificateError, Error};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use super::{Caller, Tls};
use crate::figures::TLS_REFUSED;

/// How often a failed handshake is said: whoever comes again and again fills no log.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Who is at the other end of a connection. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Who(Arc<OnceLock<Caller>>);

impl Who {
    /// The caller; one without a role while the handshake is not complete.
    pub fn caller(&self) -> Caller {
        self.0.get().cloned().unwrap_or_else(Caller::nobody)
    }
}

/// An accepted connection.
pub struct Secured<IO> {
    state: State<IO>,
    who: Who,
    remote: SocketAddr,
}

enum State<IO> {
    Plain(IO),
    Shaking(Box<Accept<IO>>),
    Open(Box<TlsStream<IO>>),
    /// The handshake failed: there is nothing to read or write any more.
    Failed,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Secured<IO> {
    /// Takes a connection in.
    pub fn accept(stream: IO, remote: SocketAddr, tls: Option<&Tls>) -> Secured<IO> {
        let who = Who::default();
        let state = match tls {
            Some(tls) => State::Shaking(Box::new(TlsAcceptor::from(tls.server()).accept(stream))),
            None => {
                who.0.get_or_init(Caller::anybody);
                State::Plain(stream)
            }
        };
        Secured { state, who, remote }
    }

    /// Who is at the other end.
    pub fn who(&self) -> Who {
        self.who.clone()
    }

    /// Goes on with the handshake; ready when there is none to make any more.
    fn poll_shaken(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let State::Shaking(shaking) = &mut self.state else {
            return Poll::Ready(Ok(()));
        };
        match ready!(Pin::new(shaking.as_mut()).poll(context)) {
            Ok(stream) => {
                let shown = stream.get_ref().1.peer_certificates();
                let first = shown.and_then(|chain| chain.first());
                self.who.0.get_or_init(|| match first {
                    Some(certificate) => Caller::of(certificate),
                    None => Caller::with_roles("no certificate", Vec::new()),
                });
                self.state = State::Open(Box::new(stream));
                Poll::Ready(Ok(()))
            }
            Err(error) => {
                self.state = State::Failed;
                refused(self.remote, &error);
                Poll::Ready(Err(error))
            }
        }
    }
}

/// Counts a failed handshake, and says why now and then.
fn refused(remote: SocketAddr, error: &io::Error) {
    let Some(reason) = refusal(error) else {
        return;
    };
    counter!(TLS_REFUSED, "reason" => reason).increment(1);
    static SAID: Mutex<Option<Instant>> = Mutex::new(None);
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
        *said = Some(Instant::now());
        tracing::warn!(%remote, "a connection was refused: {reason} ({error})");
    }
}

/// Why a handshake failed, in our words; none if the other end went away or was ended.
pub fn refusal(error: &io::Error) -> Option<&'static str> {
    let inner = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match inner {
        Error::NoCertificatesPresented => "it shows no certificate",
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "its certificate has expired"
        }
        Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "its certificate is not valid yet",
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate is of another authority"
        }
        Error::InvalidCertificate(_) => "its certificate cannot be used",
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown,
        ) => "it does not believe this server's certificate",
        Error::InvalidMessage(_) => "it does not speak TLS",
        Error::PeerIncompatible(_) => "it speaks no TLS that is served here",
        _ => "TLS failed",
    })
}

fn failed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the handshake failed")
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_shaken(context))?;
        match &mut self.state {
            State::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            State::Open(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
            State::Shaking(_) | State::Failed => Poll::Ready(Err(failed())),
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_shaken(context))?;
        match &mut self.state {
            State::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            State::Open(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
            State::Shaking(_) | State::Failed => Poll::Ready(Err(failed())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_shaken(context))?;
        match &mut self.state {
            State::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            State::Open(stream) => Pin::new(stream.as_mut()).poll_write_vectored(context, slices),
            State::Shaking(_) | State::Failed => Poll::Ready(Err(failed())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.state {
            State::Plain(stream) => stream.is_write_vectored(),
            State::Shaking(_) | State::Open(_) | State::Failed => true,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_shaken(context))?;
        match &mut self.state {
            State::Plain(stream) => Pin::new(stream).poll_flush(context),
            State::Open(stream) => Pin::new(stream.as_mut()).poll_flush(context),
            State::Shaking(_) | State::Failed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            State::Open(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
            State::Shaking(_) | State::Failed => Poll::Ready(Ok(())),
        }
    }
}

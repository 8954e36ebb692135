//! Connects to an upstream, in clear or secured, and says why it could not, in the one classification that requests and checks
//! share.
//!
//! Invariants: a failed connect sent nothing, whatever its fault · only what the far side itself said is a refusal; a
//! lost packet, a name that is not found and our own want of sockets are something else each · of several addresses of
//! a name the last one's fault is told.
//!
//! Left out on purpose: remembering what a name meant. It is looked up for each connection, and connections are kept.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::{TcpStream, lookup_host};

use super::socket::Socket;
use crate::tls::Outward;

/// Faults of this process or machine: no file descriptor, port, buffer or memory left.
const OURS: [Errno; 5] = [
    Errno::MFILE,
    Errno::NFILE,
    Errno::ADDRNOTAVAIL,
    Errno::NOBUFS,
    Errno::NOMEM,
];

/// Why there is no connection. Nothing has been sent in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectFault {
    /// The far side refuses, or there is no way to it.
    #[error("refused")]
    Refused,
    /// TLS did not come about: its certificate is not accepted, or it does not accept ours.
    #[error("not verified")]
    Unverified,
    /// Nobody answered in time. One lost packet is enough for that.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke while it was made, or the name could not be looked up. The name service may be at fault.
    #[error("broken")]
    Broken,
    /// We lack what a connection needs. It says nothing about the far side.
    #[error("no socket left here")]
    Ours,
}

impl ConnectFault {
    fn of_connect(error: &io::Error) -> Self {
        match error.kind() {
            _ if is_ours(error) => Self::Ours,
            ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                Self::Refused
            }
            ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Broken,
        }
    }

    fn of_lookup(error: &io::Error) -> Self {
        if is_ours(error) { Self::Ours } else { Self::Broken }
    }
}

fn is_ours(error: &io::Error) -> bool {
    Errno::from_io_error(error).is_some_and(|errno| OURS.contains(&errno))
}

/// Where to connect, and how long that may take.
#[derive(Clone, Copy)]
pub(crate) struct Towards<'a> {
    /// `host:port`; a name is looked up.
    pub(crate) authority: &'a str,
    /// By what the connection is secured; none in clear.
    pub(crate) outward: Option<&'a Arc<Outward>>,
    /// For the connection.
    pub(crate) connect: Duration,
    /// For TLS on it, from then on. A Tomcat does its part when a thread is free, as it does with a request, and the kernel, which
    /// takes connections for it, does not: so this is a wait for an answer.
    pub(crate) handshake: Duration,
}

/// Connects.
pub(super) async fn connect(towards: &Towards<'_>) -> Result<Socket, ConnectFault> {
    let connected = tokio::time::timeout(towards.connect, reach(towards.authority)).await;
    let stream = connected.unwrap_or(Err(ConnectFault::TimedOut))?;
    stream.set_nodelay(true).map_err(|_| ConnectFault::Broken)?;
    let Some(outward) = towards.outward else {
        return Ok(Socket::Clear(stream));
    };
    match tokio::time::timeout(towards.handshake, outward.secure(stream)).await {
        Ok(Ok(secured)) => Ok(Socket::Secured(Box::new(secured))),
        Ok(Err(error)) => Err(of_handshake(&error, outward, towards.authority)),
        Err(_) => Err(ConnectFault::TimedOut),
    }
}

fn of_handshake(error: &io::Error, outward: &Outward, authority: &str) -> ConnectFault {
    let inner = error.get_ref();
    match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(why) => {
            outward.tell(authority, why);
            ConnectFault::Unverified
        }
        None if is_ours(error) => ConnectFault::Ours,
        None => ConnectFault::Broken,
    }
}

async fn reach(authority: &str) -> Result<TcpStream, ConnectFault> {
    let addresses = lookup_host(authority).await.map_err(|error| {
        tracing::debug!(authority, %error, "an upstream's name could not be looked up");
        ConnectFault::of_lookup(&error)
    })?;
    let mut fault = ConnectFault::Broken;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                tracing::debug!(%address, %error, "an upstream could not be reached");
                fault = ConnectFault::of_connect(&error);
            }
        }
    }
    Err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_counts_as_one() {
        let cases = [
            (Errno::CONNREFUSED, ConnectFault::Refused),
            (Errno::HOSTUNREACH, ConnectFault::Refused),
            (Errno::NETUNREACH, ConnectFault::Refused),
            (Errno::TIMEDOUT, ConnectFault::TimedOut),
            (Errno::CONNRESET, ConnectFault::Broken),
            (Errno::MFILE, ConnectFault::Ours),
            (Errno::NFILE, ConnectFault::Ours),
            (Errno::ADDRNOTAVAIL, ConnectFault::Ours),
            (Errno::NOBUFS, ConnectFault::Ours),
            (Errno::NOMEM, ConnectFault::Ours),
        ];
        for (errno, expected) in cases {
            assert_eq!(ConnectFault::of_connect(&errno.into()), expected, "{errno}");
        }
        assert_eq!(ConnectFault::of_lookup(&Errno::MFILE.into()), ConnectFault::Ours);
    }

    #[tokio::test]
    async fn a_name_that_is_not_found_is_no_refusal() {
        let towards = Towards {
            authority: "no such name.invalid:80",
            outward: None,
            connect: Duration::from_secs(10),
            handshake: Duration::ZERO,
        };
        assert_eq!(connect(&towards).await.err(), Some(ConnectFault::Broken));
    }
}

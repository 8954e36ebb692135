//! Connects to an upstream, and says why it could not, in the one classification that requests and checks share.
//!
//! Invariants: a failed connect sent nothing, whatever its fault · only what the far side itself said is a refusal; a
//! lost packet, a name that is not found and our own want of sockets are something else each · of several addresses of
//! a name the last one's fault is told.
//!
//! Left out on purpose: remembering what a name meant. It is looked up for each connection, and connections are kept.

use std::io::{self, ErrorKind};
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::{TcpStream, lookup_host};

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

/// Connects to `host:port` within `limit`, looking the name up if it is one.
pub(super) async fn connect(authority: &str, limit: Duration) -> Result<TcpStream, ConnectFault> {
    let connected = tokio::time::timeout(limit, reach(authority)).await;
    connected.unwrap_or(Err(ConnectFault::TimedOut))
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
        let connected = connect("no such name.invalid:80", Duration::from_secs(10)).await;
        assert_eq!(connected.unwrap_err(), ConnectFault::Broken);
    }
}

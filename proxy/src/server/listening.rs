//! The sockets that clients come to: bound here or handed down, and shared out over threads.
//!
//! Invariants: a busy address is an error, although threads share addresses (SO_REUSEPORT alone would quietly join whoever
//! listens there) · every socket is served by a thread and every thread serves one of each address, however many there are of
//! either: the kernel sends clients to all of those that share an address.

use std::io;
use std::net::{SocketAddr, TcpListener as Socket};

use remora_process::exit::Failure;
use remora_process::ops::bind_failure;
use socket2::{Domain, Protocol, Type};

use super::ACCEPT_QUEUE;

/// The sockets of one address, one for each thread; those that were handed down, if there are any.
pub(super) fn sockets(
    address: SocketAddr,
    threads: usize,
    handed: Vec<Socket>,
) -> Result<Vec<Socket>, Failure> {
    if !handed.is_empty() {
        return Ok(handed);
    }
    let failure = |error: io::Error| bind_failure(address, "listen address", &error);
    drop(listen(address, false).map_err(failure)?);
    (0..threads)
        .map(|_| listen(address, true).map_err(failure))
        .collect()
}

/// Handles on sockets of one address, by threads.
pub(super) fn shares(sockets: &[Socket], threads: usize) -> io::Result<Vec<Vec<Socket>>> {
    let mut shares: Vec<Vec<Socket>> = (0..threads).map(|_| Vec::new()).collect();
    for turn in 0..threads.max(sockets.len()) {
        shares[turn % threads].push(sockets[turn % sockets.len()].try_clone()?);
    }
    Ok(shares)
}

/// A listening socket; `shared` ones let other threads listen at the same address.
fn listen(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of an earlier process that linger in the kernel do not count as somebody who listens.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    socket.listen(ACCEPT_QUEUE)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::fd::AsFd;

    use super::*;

    /// Which socket a handle is on.
    fn inode(socket: &Socket) -> u64 {
        rustix::fs::fstat(socket.as_fd()).unwrap().st_ino
    }

    #[test]
    fn every_socket_has_a_thread_and_every_thread_a_socket() {
        for (bound, threads) in [(1, 1), (1, 3), (2, 3), (3, 2), (5, 2), (4, 4)] {
            let any = "127.0.0.1:0".parse().unwrap();
            let bound: Vec<Socket> = (0..bound).map(|_| listen(any, true).unwrap()).collect();
            let shares = shares(&bound, threads).unwrap();
            assert_eq!(shares.len(), threads);
            assert!(shares.iter().all(|share| !share.is_empty()));
            let served: BTreeSet<u64> = shares.iter().flatten().map(inode).collect();
            assert_eq!(served, bound.iter().map(inode).collect());
            let handles = shares.iter().flatten().count();
            assert_eq!(handles, threads.max(bound.len()), "and no more than needed");
        }
    }
}

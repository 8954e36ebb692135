//! What this process was handed when it was started, by a predecessor or by a service manager.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use listenfd::ListenFd;
use remora_process::exit::Failure;
use socket2::SockRef;

use super::{Predecessor, WIRE};

/// Sockets that nobody has taken yet, and who handed them down.
#[derive(Default)]
pub struct Inherited {
    sockets: Vec<(SocketAddr, TcpListener)>,
    predecessor: Option<Predecessor>,
    lock: Option<File>,
}

impl Inherited {
    /// Takes what the environment says was handed down. Must come first in the process: it changes the environment.
    ///
    /// # Errors
    /// A sentence about what cannot be served.
    pub fn take() -> Result<Self, Failure> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names: Vec<&str> = names.split(':').collect();
        let mut handed = ListenFd::from_env();
        let mut inherited = Self::default();
        for index in 0..handed.len() {
            let taken = match names.get(index) {
                Some(&WIRE) => inherited.take_wire(&mut handed, index),
                _ => inherited.take_socket(&mut handed, index),
            };
            taken.map_err(|error| {
                let named = names.get(index).filter(|name| !name.is_empty());
                let which = named.map_or_else(|| (index + 1).to_string(), |name| format!("{} ({name})", index + 1));
                Failure::Usage(format!(
                    "socket {which} of those that this process was started with cannot be served: {error}; hand down only TCP \
                     sockets that listen (of systemd: ListenStream = an address, without Accept=yes)"
                ))
            })?;
        }
        Ok(inherited)
    }

    fn take_wire(&mut self, handed: &mut ListenFd, index: usize) -> std::io::Result<()> {
        // The library has no name for a connected one; it looks at the family and the type of the socket alone.
        if let Some(wire) = handed.take_unix_listener(index)? {
            let (predecessor, lock) = Predecessor::greet(UnixStream::from(OwnedFd::from(wire)))?;
            (self.predecessor, self.lock) = (Some(predecessor), lock);
        }
        Ok(())
    }

    fn take_socket(&mut self, handed: &mut ListenFd, index: usize) -> std::io::Result<()> {
        if let Some(socket) = handed.take_tcp_listener(index)? {
            if !SockRef::from(&socket).is_listener()? {
                return Err(std::io::Error::other("it is a connection"));
            }
            socket.set_nonblocking(true)?;
            self.sockets.push((socket.local_addr()?, socket));
        }
        Ok(())
    }

    /// The sockets that listen at this address.
    pub fn at(&mut self, address: SocketAddr) -> Vec<TcpListener> {
        let sockets = std::mem::take(&mut self.sockets);
        let (there, elsewhere) = sockets.into_iter().partition(|(at, _)| *at == address);
        self.sockets = elsewhere;
        Vec::into_iter(there).map(|(_, socket)| socket).collect()
    }

    /// The lock of the wishes, if a predecessor had one.
    pub fn lock(&mut self) -> Option<File> {
        self.lock.take()
    }

    /// Who handed the sockets down, if that was another proxy, and the addresses of those that nobody took. The predecessor
    /// serves who waits there; nobody would do so of a service manager's.
    ///
    /// # Errors
    /// A service manager handed down what nobody takes.
    pub fn rest(self) -> Result<Option<(Predecessor, Vec<SocketAddr>)>, Failure> {
        let mut untaken: Vec<SocketAddr> = self.sockets.iter().map(|(address, _)| *address).collect();
        untaken.dedup();
        match (self.predecessor, untaken.as_slice()) {
            (Some(predecessor), _) => Ok(Some((predecessor, untaken))),
            (None, []) => Ok(None),
            (None, [first, ..]) => Err(Failure::Usage(format!(
                "{first} was handed down and is not in the file: add [[listen]] with bind = \"{first}\", or let nobody listen there"
            ))),
        }
    }
}

//! A relay between a program and the server that it believes to talk to: a network that claims can disturb.
//!
//! Invariant: bytes are delayed or cut off, never changed, lost or reordered: what waits while a direction is silent
//! arrives when it is not any more, as after a network's outage. So a claim also meets the stale words of both sides.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

/// Between two looks of a reader whether the relay was cut.
const LOOK: Duration = Duration::from_millis(10);

/// Longest wait for a server that is to be relayed to.
const CONNECT: Duration = Duration::from_secs(3);

/// What is passed on at once, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// What becomes of bytes and connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// All pass.
    Open,
    /// Connections stand, and nothing arrives on either side.
    Silent,
    /// Nothing arrives at the server; what it says does.
    SilentToServer,
    /// What is said to the server arrives; nothing that it says does.
    SilentFromServer,
    /// All connections end, and every new one at once.
    Cut,
}

#[derive(Clone, Copy, Debug)]
enum Towards {
    Server,
    Client,
}

#[derive(Debug)]
struct Gate {
    passage: Mutex<Passage>,
    changed: Condvar,
    gone: AtomicBool,
}

impl Gate {
    fn set(&self, passage: Passage) {
        *self.passage.lock().unwrap_or_else(PoisonError::into_inner) = passage;
        self.changed.notify_all();
    }

    fn is_cut(&self) -> bool {
        *self.passage.lock().unwrap_or_else(PoisonError::into_inner) == Passage::Cut
    }

    /// Waits while the direction is silent; false when the connection is to end. A relay that goes is cut.
    fn passes(&self, towards: Towards) -> bool {
        let mut passage = self.passage.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match (*passage, towards) {
                (Passage::Cut, _) => return false,
                (Passage::Silent, _)
                | (Passage::SilentToServer, Towards::Server)
                | (Passage::SilentFromServer, Towards::Client) => {
                    passage = self.changed.wait(passage).unwrap_or_else(PoisonError::into_inner);
                }
                _ => return true,
            }
        }
    }
}

/// A relay on a port of its own.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    gate: Arc<Gate>,
}

impl Relay {
    /// Listens on `port` and passes everything on to `server`.
    ///
    /// # Errors
    /// When the port cannot be listened on.
    pub fn start(port: u16, server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).context("listen as a relay")?;
        let gate = Arc::new(Gate {
            passage: Mutex::new(Passage::Open),
            changed: Condvar::new(),
            gone: AtomicBool::new(false),
        });
        let relay = Self {
            address: listener.local_addr()?,
            gate: Arc::clone(&gate),
        };
        std::thread::spawn(move || {
            // Ends with the connection that the relay's drop makes.
            while !gate.gone.load(Ordering::SeqCst) {
                if let Ok((client, _)) = listener.accept() {
                    // One that cannot be served ends at once, as at a server that is not there.
                    let _ = carry(client, server, &gate);
                }
            }
        });
        Ok(relay)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what passes, for connections that stand and for new ones.
    pub fn set(&self, passage: Passage) {
        self.gate.set(passage);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.gate.gone.store(true, Ordering::SeqCst);
        self.gate.set(Passage::Cut);
        // Wakes the thread that accepts; if it is gone already, there is nothing to wake.
        drop(TcpStream::connect(self.address));
    }
}

fn carry(client: TcpStream, server: SocketAddr, gate: &Arc<Gate>) -> Result<()> {
    if gate.is_cut() {
        return Ok(());
    }
    let upstream = TcpStream::connect_timeout(&server, CONNECT)?;
    for stream in [&client, &upstream] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK))?;
    }
    let (from_client, to_client) = (client.try_clone()?, client);
    let (from_server, to_server) = (upstream.try_clone()?, upstream);
    for (from, to, towards) in [
        (from_client, to_server, Towards::Server),
        (from_server, to_client, Towards::Client),
    ] {
        let gate = Arc::clone(gate);
        std::thread::spawn(move || pass_on(from, to, &gate, towards));
    }
    Ok(())
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, gate: &Gate, towards: Towards) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = match from.read(&mut piece) {
            Ok(read) => read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if gate.is_cut() {
                    break;
                }
                continue;
            }
            Err(_) => 0,
        };
        if !gate.passes(towards) {
            break;
        }
        if read == 0 || to.write_all(&piece[..read]).is_err() {
            // The end travels in one direction, as it came; the other may go on.
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
    }
    for stream in [from, to] {
        // Fails only where the other side has ended it already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::free_port;
    use crate::wait::{SOON, holds_for, wait_until};

    /// A server that answers every byte with itself.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut writer = stream.try_clone().unwrap();
                    for byte in std::io::BufReader::new(stream).bytes().map_while(Result::ok) {
                        writer.write_all(&[byte]).unwrap();
                    }
                });
            }
        });
        address
    }

    fn hears(client: &mut TcpStream, expected: u8) -> bool {
        let mut heard = [0];
        client.read_exact(&mut heard).is_ok() && heard == [expected]
    }

    #[test]
    fn silence_delays_bytes_and_loses_none() {
        let relay = Relay::start(free_port().unwrap(), echo()).unwrap();
        let mut client = TcpStream::connect(relay.address()).unwrap();
        client.write_all(b"a").unwrap();
        assert!(hears(&mut client, b'a'));
        client.set_read_timeout(Some(LOOK)).unwrap();
        for silence in [
            Passage::Silent,
            Passage::SilentToServer,
            Passage::SilentFromServer,
        ] {
            relay.set(silence);
            client.write_all(b"b").unwrap();
            holds_for("nothing arrives", LOOK * 10, || !hears(&mut client, b'b')).unwrap();
            relay.set(Passage::Open);
            wait_until("what waited arrives", SOON, || hears(&mut client, b'b')).unwrap();
        }
    }

    #[test]
    fn a_cut_ends_old_and_new_connections() {
        let relay = Relay::start(free_port().unwrap(), echo()).unwrap();
        let ended = |mut client: TcpStream| {
            client.set_read_timeout(Some(SOON)).unwrap();
            !matches!(client.read(&mut [0]), Ok(1..))
        };
        let mut old = TcpStream::connect(relay.address()).unwrap();
        old.write_all(b"a").unwrap();
        assert!(hears(&mut old, b'a'));
        relay.set(Passage::Cut);
        assert!(ended(old));
        assert!(ended(TcpStream::connect(relay.address()).unwrap()));
        relay.set(Passage::Open);
        let mut new = TcpStream::connect(relay.address()).unwrap();
        new.write_all(b"c").unwrap();
        assert!(hears(&mut new, b'c'));
    }
}

//! Two sockets after a 101: bytes in both directions until both have ended, or nothing moved for too long.
//!
//! Invariants: bytes that a side sent before the 101 was passed on are delivered first; a side that ends its
//! direction closes only that direction, until the other ends too.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;

use crate::deadline::Deadline;

/// Bytes moved at a time: a few messages of a chat, and small enough for thousands of open tunnels.
const CHUNK_BYTES: usize = 16 * 1024;

/// One side of a connection that has left HTTP.
pub(crate) struct Tunnel {
    stream: TcpStream,
    early: Bytes,
}

impl Tunnel {
    /// A socket and what was already read from it.
    pub(super) fn new(stream: TcpStream, early: Bytes) -> Self {
        Self { stream, early }
    }

    /// Relays until the end; `idle` is the longest time without a byte in either direction.
    pub(crate) async fn relay(self, other: Self, idle: Duration) {
        let (left_read, left_write) = tokio::io::split(self.stream);
        let (right_read, right_write) = tokio::io::split(other.stream);
        let quiet = Quiet::new(idle);
        let both = async {
            tokio::try_join!(
                copy(self.early, left_read, right_write, &quiet),
                copy(other.early, right_read, left_write, &quiet),
            )
        };
        // Both sides closed, one broke, or nothing moves: in every case both are closed now.
        tokio::select! {
            _ = both => {}
            () = quiet.for_too_long() => {}
        }
    }
}

/// Moves one direction until its end, then closes the far side's.
async fn copy(
    early: Bytes,
    mut from: ReadHalf<TcpStream>,
    mut to: WriteHalf<TcpStream>,
    quiet: &Quiet,
) -> io::Result<()> {
    to.write_all(&early).await?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = from.read(&mut chunk).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        quiet.broken();
        to.write_all(&chunk[..read]).await?;
    }
}

/// How long nothing may move.
struct Quiet {
    idle: Duration,
    until: Cell<Deadline>,
}

impl Quiet {
    fn new(idle: Duration) -> Self {
        let until = Cell::new(Deadline::within(idle));
        Self { idle, until }
    }

    /// Something moved.
    fn broken(&self) {
        self.until.set(Deadline::within(self.idle));
    }

    async fn for_too_long(&self) {
        while !self.until.get().has_passed() {
            self.until.get().passed().await;
        }
    }
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Tunnel")
            .field("early", &self.early.len())
            .finish_non_exhaustive()
    }
}

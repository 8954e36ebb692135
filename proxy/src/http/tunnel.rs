//! Two sockets after a 101: bytes in both directions until both have ended, or nothing moved for too long.
//!
//! Invariants: bytes that a side sent before the 101 was passed on are delivered first; a side that ends its
//! direction closes only that direction, until the other ends too.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;

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
        let moved = std::cell::Cell::new(Instant::now());
        let both = async {
            tokio::try_join!(
                copy(self.early, left_read, right_write, &moved),
                copy(other.early, right_read, left_write, &moved),
            )
        };
        // Both sides closed, one broke, or nothing moves: in every case both are closed now.
        tokio::select! {
            _ = both => {}
            () = silence(&moved, idle) => {}
        }
    }
}

/// Moves one direction until its end, then closes the far side's.
async fn copy(
    early: Bytes,
    mut from: ReadHalf<TcpStream>,
    mut to: WriteHalf<TcpStream>,
    moved: &std::cell::Cell<Instant>,
) -> io::Result<()> {
    to.write_all(&early).await?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = from.read(&mut chunk).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        moved.set(Instant::now());
        to.write_all(&chunk[..read]).await?;
    }
}

/// Ends when nothing moved for `idle`.
async fn silence(moved: &std::cell::Cell<Instant>, idle: Duration) {
    loop {
        let quiet = moved.get().elapsed();
        if quiet >= idle {
            return;
        }
        tokio::time::sleep(idle - quiet).await;
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

//! A client and its upstream after a 101: bytes in both directions until both have ended, nothing moved for too long, or the
//! client is to leave.
//!
//! Invariants: bytes that a side sent before the 101 was passed on are delivered first; a side that ends its
//! direction closes only that direction, until the other ends too; a client that is to leave is told so between two frames
//! (the only tunnels are WebSockets), and its answer reaches the upstream, so that both see an orderly close.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use remora_policy::Frames;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

use super::client::Client;
use super::link::Link;
use crate::deadline::Deadline;

/// Bytes moved at a time: a few messages of a chat, and small enough for thousands of open tunnels.
const CHUNK_BYTES: usize = 16 * 1024;

/// How long the two sides have to close once the client was told to leave. 5 s: one round trip each, over a slow link.
const CLOSING: Duration = Duration::from_secs(5);

/// Completes when a client is to leave its tunnel.
pub(crate) type Farewell = Pin<Box<dyn Future<Output = ()>>>;

/// Relays between a client and its upstream until the end; `idle` is the longest time without a byte in either direction. The
/// two that count are told of the bytes that the upstream was given, and of those that the client was.
pub(crate) async fn relay(
    (client, link): (&mut Client<'_>, &mut Link),
    idle: Duration,
    farewell: Farewell,
    count: (impl Fn(usize), impl Fn(usize)),
) {
    match client {
        Client::Connection(connection) => {
            let (socket, early) = connection.parts();
            let (read, write) = split(socket);
            between((early, read, write), link, (idle, farewell), count).await;
        }
        Client::Stream(stream) => {
            let (read, write) = stream.halves();
            between((Vec::new(), read, write), link, (idle, farewell), count).await;
        }
    }
}

/// Relays between what came early from a client, its two directions, and its upstream.
async fn between(
    (from_client, client_read, client_write): (Vec<u8>, impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    link: &mut Link,
    (idle, farewell): (Duration, Farewell),
    (given, sent): (impl Fn(usize), impl Fn(usize)),
) {
    let (upstream, from_upstream) = link.parts();
    let (upstream_read, upstream_write) = split(upstream);
    let quiet = Quiet::new(idle);
    let both = async {
        tokio::try_join!(
            copy(from_client, client_read, Counted(upstream_write, given), &quiet),
            copy_frames(
                from_upstream,
                upstream_read,
                Counted(client_write, sent),
                (&quiet, farewell)
            ),
        )
    };
    // Both sides closed, one broke, or nothing moves: in every case both are closed now.
    tokio::select! {
        _ = both => {}
        () = quiet.for_too_long() => {}
    }
}

/// Moves one direction until its end, then closes the far side's.
async fn copy(
    early: Vec<u8>,
    mut from: impl AsyncRead + Unpin,
    mut to: Counted<impl AsyncWrite + Unpin, impl Fn(usize)>,
    quiet: &Quiet,
) -> io::Result<()> {
    to.write(&early).await?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = from.read(&mut chunk).await?;
        if read == 0 {
            return to.0.shutdown().await;
        }
        quiet.broken();
        to.write(&chunk[..read]).await?;
    }
}

/// A side that bytes go to, and who counts them.
struct Counted<W, C>(W, C);

impl<W: AsyncWrite + Unpin, C: Fn(usize)> Counted<W, C> {
    /// Writes bytes that nothing may follow for long.
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        (self.1)(bytes.len());
        self.0.flush().await
    }
}

/// Moves what an upstream says until its end, or until the client has been told to leave; then this is an error, which ends
/// both directions.
async fn copy_frames(
    early: Vec<u8>,
    mut from: impl AsyncRead + Unpin,
    mut to: Counted<impl AsyncWrite + Unpin, impl Fn(usize)>,
    (quiet, mut farewell): (&Quiet, Farewell),
) -> io::Result<()> {
    let (mut frames, mut leaves) = (Frames::default(), false);
    frames.pass(&early);
    to.write(&early).await?;
    let mut chunk = vec![0; CHUNK_BYTES];
    while !(leaves && frames.is_between()) || frames.is_closed() {
        let read = tokio::select! {
            read = from.read(&mut chunk) => read?,
            () = &mut farewell, if !leaves => {
                leaves = true;
                continue;
            }
        };
        if read == 0 {
            return to.0.shutdown().await;
        }
        quiet.broken();
        let bytes = &chunk[..read];
        if leaves && !frames.is_closed() {
            let rest = frames.finish(bytes);
            to.write(&bytes[..rest]).await?;
        } else {
            frames.pass(bytes);
            to.write(bytes).await?;
        }
    }
    to.write(&Frames::farewell()).await?;
    // What it still says has no place behind a close; it ends when the client's answer reaches it.
    let rest = async {
        while from.read(&mut chunk).await? > 0 {}
        io::Result::Ok(())
    };
    // A side that does not close in time is closed.
    let _ = tokio::time::timeout(CLOSING, rest).await;
    to.0.shutdown().await?;
    Err(io::ErrorKind::ConnectionAborted.into())
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

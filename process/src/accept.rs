//! Accepting within a bound: an address serves so many connections at a time, and whoever says nothing makes way first.
//!
//! A socket that nobody uses costs a descriptor like any other, and a server that runs out of them can open none of its
//! files. So a listener counts what it has accepted. When that is as much as may be, a newcomer takes the place of a
//! connection that has never said anything (the oldest of them), else of the one that has been silent longest, if that is
//! longer than any live one is; and if there is none, the newcomer itself is ended, at once. What has to be said of it
//! is said once a minute at most. Where the system itself runs out, accepting pauses: it never spins.
//!
//! Left out on purpose: how many there may be, which each server derives from what it needs beside them; a bound for each
//! far end; the life of what is spoken on a connection.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use metrics::Gauge;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A connection that has spoken and was silent for longer than this makes way for a newcomer: servers of ours ask a silent
/// one for a sign of life every 5 s, and wait as long for it.
const SILENT_GIVES_WAY_AFTER: Duration = Duration::from_secs(12);
/// Pause after the system gave no socket: long enough to let some close.
const FAILED_PAUSE: Duration = Duration::from_millis(100);
/// Pause after a newcomer was turned away: whoever comes again and again costs little.
const REFUSED_PAUSE: Duration = Duration::from_millis(10);
/// How often an operator is told of a full address, or of one that cannot accept.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// A listener that keeps to a bound. What it accepts sends at once what it is given (`TCP_NODELAY`).
#[derive(Debug)]
pub struct Accepting {
    listener: TcpListener,
    open: Arc<Open>,
    /// When something was said last.
    said: Option<Instant>,
}

/// The open connections of one address.
struct Open {
    /// The address as it was configured, for people.
    what: &'static str,
    most: usize,
    began: Instant,
    seats: Mutex<Seats>,
    count: Gauge,
}

#[derive(Default)]
struct Seats {
    /// By number, so that the oldest comes first.
    taken: BTreeMap<u64, Arc<Seat>>,
    next: u64,
}

/// What is known of one connection.
#[derive(Default)]
struct Seat {
    /// When the far end was heard last, in milliseconds since `Open::began`; 0 while it has said nothing.
    heard_ms: AtomicU64,
    /// Set when it has to make way.
    ended: AtomicBool,
    /// Who waits for the far end.
    reader: Mutex<Option<Waker>>,
}

/// An accepted connection. Dropped, it leaves its place to another.
pub struct Connection {
    stream: TcpStream,
    number: u64,
    seat: Arc<Seat>,
    open: Arc<Open>,
}

impl Accepting {
    /// Serves at most `most` connections of a listener at a time, and shows how many in `count`. `what` is the address as it
    /// was configured, for example `client-addr`.
    pub fn new(listener: TcpListener, what: &'static str, most: usize, count: Gauge) -> Accepting {
        let open = Open {
            what,
            most,
            began: Instant::now(),
            seats: Mutex::default(),
            count,
        };
        Accepting {
            listener,
            open: Arc::new(open),
            said: None,
        }
    }

    /// The next connection, and where it comes from. Safe to drop and call again.
    pub async fn next(&mut self) -> (Connection, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, remote)) => {
                    if let Some(connection) = self.admit(stream) {
                        return (connection, remote);
                    }
                    tokio::time::sleep(REFUSED_PAUSE).await;
                }
                // It was gone before it was accepted.
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.say(|what| tracing::error!(%error, "{what} accepts nobody for now: is the limit on open files too low?"));
                    self.open.make_way();
                    tokio::time::sleep(FAILED_PAUSE).await;
                }
            }
        }
    }

    fn admit(&mut self, stream: TcpStream) -> Option<Connection> {
        let most = self.open.most;
        if self.open.is_full() {
            let made_way = self.open.make_way();
            self.say(|what| {
                tracing::warn!(
                    most,
                    made_way,
                    "{what} has as many connections as may be: the silent ones make way"
                );
            });
            if !made_way {
                return None;
            }
        }
        // What refuses this is a socket that has ended already, as its first read will say.
        let _ = stream.set_nodelay(true);
        Some(self.open.enter(stream))
    }

    fn say(&mut self, say: impl FnOnce(&'static str)) {
        if self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            self.said = Some(Instant::now());
            say(self.open.what);
        }
    }
}

impl axum::serve::Listener for Accepting {
    type Io = Connection;
    type Addr = SocketAddr;

    fn accept(&mut self) -> impl Future<Output = (Connection, SocketAddr)> + Send {
        self.next()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Whether an accept failed for a reason that only one connection has.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

impl Open {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        // Every critical section is a few assignments: a poisoned lock still holds whole values.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_full(&self) -> bool {
        self.seats().taken.len() >= self.most
    }

    fn enter(self: &Arc<Self>, stream: TcpStream) -> Connection {
        let seat = Arc::<Seat>::default();
        let mut seats = self.seats();
        let number = seats.next;
        seats.next += 1;
        seats.taken.insert(number, Arc::clone(&seat));
        self.count.increment(1.0);
        Connection {
            stream,
            number,
            seat,
            open: Arc::clone(self),
        }
    }

    fn leave(&self, number: u64) {
        if self.seats().taken.remove(&number).is_some() {
            self.count.decrement(1.0);
        }
    }

    /// Milliseconds since the beginning, never 0.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).map_or(u64::MAX, |passed| passed + 1)
    }

    /// Ends the connection that has the least reason to stay, if there is one. Its place is free at once; its socket is when
    /// whoever reads from it has seen the end.
    fn make_way(&self) -> bool {
        let limit = u64::try_from(SILENT_GIVES_WAY_AFTER.as_millis()).unwrap_or(u64::MAX);
        let heard_since = self.now_ms().saturating_sub(limit);
        let silent = {
            let seats = self.seats();
            let heard = |(number, seat): (&u64, &Arc<Seat>)| (seat.heard_ms.load(Ordering::Relaxed), *number);
            let longest = seats.taken.iter().map(heard).min();
            longest
                .filter(|(heard_ms, _)| *heard_ms < heard_since.max(1))
                .and_then(|(_, number)| Some((number, Arc::clone(seats.taken.get(&number)?))))
        };
        let Some((number, seat)) = silent else {
            return false;
        };
        self.leave(number);
        seat.end();
        true
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.seats().taken.len();
        write!(f, "{} with {open} of {}", self.what, self.most)
    }
}

impl Seat {
    fn reader(&self) -> MutexGuard<'_, Option<Waker>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        if let Some(reader) = self.reader().take() {
            reader.wake();
        }
    }

    /// What a connection that had to make way is answered: not the far end's word, and not taken for it.
    fn check(&self) -> io::Result<()> {
        if self.ended.load(Ordering::Acquire) {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "it was silent, and made way for another connection",
            ));
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.leave(self.number);
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        match &read {
            Poll::Pending => *self.seat.reader() = Some(context.waker().clone()),
            Poll::Ready(_) if buffer.filled().len() > before => {
                self.seat.heard_ms.store(self.open.now_ms(), Ordering::Relaxed);
            }
            Poll::Ready(_) => {}
        }
        // Asked last: whoever ends it now finds the waker, or is seen here.
        self.seat.check()?;
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.seat.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.seat.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;

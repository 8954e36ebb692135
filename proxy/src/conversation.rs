//! A client's connection from its first byte to its last: one request after the other, or many beside one another (`streams`).
//!
//! Invariants: a connection that rests holds no buffer and no heads, only its task · once it is to leave, a request that has
//! come is answered, and its answer says that the connection ends; one that comes later is not read · a client whose request was
//! not read to its end gets its answer before the connection is closed: who closes on unread bytes sends a reset, which may
//! overtake the answer.
//!
//! Left out on purpose: what a request is answered ([`exchange`](crate::exchange)).

mod streams;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use remora_h1::Refusal;

use crate::config::Limits;
use crate::deadline::Deadline;
use crate::exchange::{Visitor, serve};
use crate::http::{Client, Connection, Fault, Papers, Socket};
use crate::tls::Protocol;

/// How long a connection that has brought no request yet may still bring one once we are stopping: its request may be
/// on the way, but browsers also open connections that they never use.
pub(crate) const LAST_CALL: Duration = Duration::from_millis(500);

/// For a head that did not come in time.
const LATE: Refusal = Refusal {
    status: 408,
    reason: "head-too-slow",
    sentence: "The head of the request did not come in time.",
};

/// How long a client is read that was answered before its request was whole. 2 s: what is on the way over a slow line.
const LINGER: Duration = Duration::from_secs(2);
/// For how many bytes. 256 KiB: as much as is on the way over a fast one.
const LINGER_BYTES: usize = 256 * 1024;

/// Bytes of a request that are read over after its answer, so that the connection can go on. 64 KiB: more is cheaper to send
/// over a new one.
const DRAINED_BYTES: usize = 64 * 1024;

/// Serves a connection until it ends.
pub(crate) async fn converse(socket: Socket, visitor: &Visitor) {
    match socket.protocol() {
        Protocol::Http2 => streams::converse(socket, visitor).await,
        Protocol::Http1 => one_by_one(socket, visitor).await,
    }
}

/// HTTP/1.1.
async fn one_by_one(socket: Socket, visitor: &Visitor) {
    let limits = visitor.limits();
    let buffers = Rc::clone(&visitor.site.buffers);
    let mut client = Connection::new(socket, buffers, limits.requests());
    visitor.requests(&mut client, limits.request_head).await;
    if client.tells_end() {
        visitor.shut(&mut client).await;
    }
}

impl Visitor {
    /// Serves one request after the other until the connection is to end.
    async fn requests(&self, client: &mut Connection, first_head: Duration) {
        let mut used = false;
        loop {
            // Of a new client the first byte and the head have the same time.
            let mut due = self.due(match used {
                true => self.limits().client_idle,
                false => first_head,
            });
            if !self.arrival(client, used, due).await {
                return;
            }
            self.ticket.works();
            let mut papers = self.site.buffers.papers();
            if used {
                due = self.due(self.limits().request_head);
            }
            let goes_on = self.request(client, &mut papers, due).await;
            self.site.buffers.done(papers);
            if !goes_on {
                return;
            }
            client.rest();
            self.ticket.rests();
            used = true;
        }
    }

    fn limits(&self) -> Limits {
        self.site.current().snapshot.limits
    }

    /// So long after this turn.
    fn due(&self, limit: Duration) -> Deadline {
        Deadline::since(self.ticket.now(), limit)
    }

    /// Waits for the first byte of a request; false when none comes in time.
    async fn arrival(&self, client: &mut Connection, used: bool, mut due: Deadline) -> bool {
        let mut called = false;
        poll_fn(|context| {
            // Looked for before anything else: what has come is served.
            if let Poll::Ready(came) = client.poll_arrival(context) {
                return Poll::Ready(came);
            }
            let leaves = self.ticket.is_to_leave();
            if leaves && (used || self.ticket.gives_way()) {
                return Poll::Ready(false);
            }
            if leaves && !called {
                called = true;
                due = due.min(self.due(LAST_CALL));
            }
            if due.is_over(self.ticket.now()) {
                return Poll::Ready(false);
            }
            self.ticket.wake_at(due.instant());
            Poll::Pending
        })
        .await
    }

    /// Reads one request and has it served; whether the connection goes on.
    async fn request(&self, client: &mut Connection, papers: &mut Papers, due: Deadline) -> bool {
        let Some(read) = self.head(client, papers, due).await else {
            return false;
        };
        serve(self, read, papers, Client::Connection(client)).await;
        self.leave_behind(client).await
    }

    /// The head of a request, or why it is none that we take; none when the client has gone.
    async fn head(
        &self,
        client: &mut Connection,
        papers: &mut Papers,
        due: Deadline,
    ) -> Option<Result<(), Refusal>> {
        poll_fn(|context| {
            match client.poll_request(context, &mut papers.request) {
                Poll::Ready(Ok(read)) => return Poll::Ready(Some(read)),
                Poll::Ready(Err(Fault::Closed | Fault::Broken | Fault::Refused(_))) => {
                    return Poll::Ready(None);
                }
                Poll::Pending => {}
            }
            if due.is_over(self.ticket.now()) {
                client.gives_up();
                // A line end that belongs to nothing is no request to be answered.
                return Poll::Ready(client.has_begun().then_some(Err(LATE)));
            }
            self.ticket.wake_at(due.instant());
            Poll::Pending
        })
        .await
    }

    /// Reads over what is left of a request that was answered early; whether the connection goes on.
    async fn leave_behind(&self, client: &mut Connection) -> bool {
        if client.goes_on() && client.is_read() {
            return true;
        }
        if client.goes_on() && self.drained(client).await {
            return true;
        }
        if !client.is_read() && !client.is_broken() {
            self.linger(client).await;
        }
        false
    }

    /// Reads the rest of a request, if there is little of it and it comes soon.
    async fn drained(&self, client: &mut Connection) -> bool {
        let (due, mut left) = (self.due(LAST_CALL), DRAINED_BYTES);
        poll_fn(|context| {
            while let Poll::Ready(read) = client.poll_drain(context) {
                match read {
                    Some(0) => return Poll::Ready(true),
                    Some(bytes) if bytes <= left => left -= bytes,
                    _ => return Poll::Ready(false),
                }
            }
            if due.is_over(self.ticket.now()) {
                return Poll::Ready(false);
            }
            self.ticket.wake_at(due.instant());
            Poll::Pending
        })
        .await
    }

    /// Tells the client that the connection ends in order.
    async fn shut(&self, client: &mut Connection) {
        let due = self.due(LINGER);
        poll_fn(|context| {
            if client.poll_shutdown(context).is_ready() || due.is_over(self.ticket.now()) {
                return Poll::Ready(());
            }
            self.ticket.wake_at(due.instant());
            Poll::Pending
        })
        .await;
    }

    /// Ends the sending direction, and reads until the client has seen it.
    async fn linger(&self, client: &mut Connection) {
        let (due, mut left) = (self.due(LINGER), LINGER_BYTES);
        let mut shut = false;
        poll_fn(|context| {
            shut = shut || client.poll_shutdown(context).is_ready();
            while let Poll::Ready(read) = client.poll_discard(context) {
                match read {
                    Ok(bytes @ 1..) if bytes <= left => left -= bytes,
                    _ => return Poll::Ready(()),
                }
            }
            if due.is_over(self.ticket.now()) {
                return Poll::Ready(());
            }
            self.ticket.wake_at(due.instant());
            Poll::Pending
        })
        .await;
    }
}

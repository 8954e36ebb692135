//! A new connection until its TLS stands, in the time that a client has for it.
//!
//! Invariants: a connection in its handshake has asked for nothing, so it gives way like every other that has not · a stop waits
//! for one no longer than for a first request.

use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::task::Poll;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

use super::clients::Ticket;
use super::refuse;
use crate::conversation::LAST_CALL;
use crate::deadline::Deadline;
use crate::http::Socket;
use crate::tls::{Gate, SecuredFields, Unsecured, shake};

/// What a client is told that speaks HTTP in clear. In clear, too: so its browser shows it.
const SPEAKS_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 73\r\n\
    Cache-Control: no-store\r\n\
    Connection: close\r\n\
    \r\n\
    400 This port speaks HTTPS. Please write https:// in front of the address";

/// Bytes that are read before a connection is closed. 4 KiB, most requests: what is left unread makes the kernel reset the
/// connection, and some clients then forget what they were told.
const UNREAD_BYTES: usize = 4 * 1024;

/// Makes the handshake, and says what upstreams are told of it; none when there is nobody to be served.
pub(super) async fn secure(
    stream: TcpStream,
    client: SocketAddr,
    gate: &Gate,
    (ticket, limit): (&Ticket, Duration),
) -> Option<(Socket, SecuredFields)> {
    // In a place of its own: a connection that rests later does not keep its room.
    let mut shaking = Box::pin(shake(stream, gate.current()));
    let (mut due, mut called) = (Deadline::since(ticket.now(), limit), false);
    let shaken = poll_fn(|context| {
        if let Poll::Ready(shaken) = shaking.as_mut().poll(context) {
            return Poll::Ready(shaken);
        }
        if ticket.gives_way() {
            return Poll::Ready(Err(Unsecured::Gone));
        }
        if ticket.is_to_leave() && !called {
            called = true;
            due = due.min(Deadline::since(ticket.now(), LAST_CALL));
        }
        if due.is_over(ticket.now()) {
            return Poll::Ready(Err(Unsecured::Refused("no TLS handshake in time")));
        }
        ticket.wake_at(due.instant());
        Poll::Pending
    });
    match shaken.await {
        Ok((stream, fields)) => return Some((Socket::Secured(stream), fields)),
        Err(Unsecured::Refused(why)) => refuse(client, why),
        Err(Unsecured::InClear(stream)) => {
            refuse(client, "HTTP in clear where TLS is spoken");
            turn_away(&stream, SPEAKS_TLS);
        }
        Err(Unsecured::Gone) => {}
    }
    None
}

/// Tells a client why its connection ends. The connection can take that at once; if not, it is closed all the same, and so
/// nothing is made of a failure.
pub(super) fn turn_away(stream: &TcpStream, words: &[u8]) {
    let socket = SockRef::from(stream);
    let _told = (&*socket).write(words);
    let _ended = socket.shutdown(Shutdown::Write);
    let _read = (&*socket).read(&mut [0; UNREAD_BYTES]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_as_long_as_it_says() {
        let text = String::from_utf8(SPEAKS_TLS.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    }
}

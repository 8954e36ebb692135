//! HTTP/2 with clients, over the crate h2, which hyper itself stands on. Its streams are what an exchange needs: content is pulled
//! and the answer pushed by one task, with windows that hold the sender back, where hyper would poll an answer out of a service.
//!
//! | module | holds |
//! |---|---|
//! | `streams`, `pipe` | a connection with its streams; the socket below, as the crate reads and writes it |
//! | `stream`, `load` | one request and its answer; pieces of content on their way out |
//! | `head` | heads from and to the form of HTTP/1.1, which all rules are written for |
//! | `websocket`, `halves` | a WebSocket asked for with CONNECT (RFC 8441); its two directions |
//!
//! Invariants: a head is known to the exchange in the form that it has towards upstreams, and has passed the same checks · content
//! is released to its sender as an upstream takes it · what is sent has room at its receiver, so what waits within this process is
//! bounded · frames that bring nothing are counted, and end the connection in the end (`remora_policy::Glitches`).
//!
//! What the crate refuses itself, with a reset of the stream or the end of the connection: frames out of order, fields in capital
//! letters or of one connection, control characters, content of another length than was said. No line of the access log tells of
//! those: there was no request.
//!
//! Left out on purpose: pushes, priorities, clear text. A bound on the requests of a connection: it costs no more with time, and
//! stream numbers run out by themselves.

mod halves;
mod head;
mod load;
mod pipe;
mod stream;
mod streams;
mod websocket;

pub(crate) use stream::Stream;
pub(crate) use streams::{Next, Streams};

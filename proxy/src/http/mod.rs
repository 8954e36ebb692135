//! What goes over sockets: HTTP/1.1 on both sides, by [`remora_h1`], and HTTP/2 with clients.
//!
//! | module | holds |
//! |---|---|
//! | `buffers` | buffers of a thread, lent to whoever has something in hand |
//! | `socket` | a connection in clear or secured by TLS |
//! | `wire` | a socket with what was read and not yet understood, written and not yet sent |
//! | `framed` | messages on a wire |
//! | `connection`, `http2` | a client's connection with one request after the other; with many beside one another |
//! | `client`, `link` | the two ends that an exchange holds: its client, an upstream |
//! | `connect`, `tunnel` | how a link begins; what both are after a 101 |
//!
//! Everything is polled by the one task that serves a request. Who waits names no time here: limits are the exchange's, which
//! looks around when it is woken.
//!
//! Invariants: an HTTP/1.1 connection that rests holds no buffer; one of HTTP/2 holds those of its library, some 30 KiB · a message
//! that breaks off is never made to look whole.
//!
//! Left out on purpose: HTTP/2 to upstreams, which would gain nothing over a local network; how a socket comes to be secured (see
//! `tls.rs`), decisions of any kind (see `exchange.rs`).

mod buffers;
mod client;
mod connect;
mod connection;
mod framed;
mod http2;
mod link;
mod socket;
mod tunnel;
mod wire;

pub(crate) use buffers::{Buffers, Papers};
pub(crate) use client::Client;
pub(crate) use connect::{ConnectFault, Towards};
pub(crate) use connection::{Connection, UNSENT_BYTES};
pub(crate) use framed::{Content, Fault};
pub(crate) use http2::{Next, Stream, Streams};
pub(crate) use link::{Came, Link};
pub(crate) use socket::Socket;
pub(crate) use tunnel::{Farewell, relay};

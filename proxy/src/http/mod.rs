//! HTTP/1.1 on both sides: sockets and buffers around [`remora_h1`], which reads and writes what goes over them.
//!
//! | module | holds |
//! |---|---|
//! | `buffers` | buffers of a thread, lent to whoever has something in hand |
//! | `socket` | a connection in clear or secured by TLS |
//! | `wire` | a socket with what was read and not yet understood, written and not yet sent |
//! | `framed` | messages on a wire |
//! | `client`, `link` | the two ends that an exchange holds: its client, an upstream |
//! | `connect`, `tunnel` | how a link begins; what both are after a 101 |
//!
//! Everything is polled by the one task that serves a client. Who waits names no time here: limits are the exchange's, which
//! looks around when it is woken.
//!
//! Invariants: a connection that rests holds no buffer · a message that breaks off is never made to look whole.
//!
//! Left out on purpose: HTTP/2 (later), how a socket comes to be secured (see `tls.rs`), decisions of any kind (see `exchange.rs`).

mod buffers;
mod client;
mod connect;
mod framed;
mod link;
mod socket;
mod tunnel;
mod wire;

pub(crate) use buffers::{Buffers, Papers};
pub(crate) use client::{Client, UNSENT_BYTES};
pub(crate) use connect::ConnectFault;
pub(crate) use framed::{Content, Fault};
pub(crate) use link::{Came, Link};
pub(crate) use socket::Socket;
pub(crate) use tunnel::{Farewell, relay};

//! HTTP/1.1 over bytes: what a sender's bytes say, and the bytes that say it again. Strict: what two programs could read
//! differently is refused, never mended, so that whoever stands behind us reads what we read.
//!
//! # Words
//!
//! - **head**: start line and fields, up to the empty line. **informational** head: a 1xx other than 101; others follow it.
//! - **content**: what a message carries; **framing**: how its end is known ([`Length`]).
//! - **refusal**: why bytes are no message that we take ([`Refusal`]), with a word for figures and a sentence for people.
//!
//! # Map
//!
//! | module | holds |
//! |---|---|
//! | `fields`, `head` | one buffer in the form of the wire, and where names and values are in it |
//! | `known` | the fields that decide something here or in the proxy's shell, as values |
//! | `reader` | one side of a connection, from bytes to [`Event`]s |
//! | `line`, `start`, `strict` | what a line may hold; the first line; what a request's head must say |
//! | `framing`, `chunks` | how long a message is; chunked content |
//! | `writer` | the mirror of the reader |
//! | `refusal` | every refusal there is |
//!
//! # Invariants
//!
//! The events of a connection do not depend on how its bytes are split · what was refused stays refused · nothing is consumed
//! that belongs to the next message or to a tunnel · field order, the case of names, and the words of a status line are kept ·
//! a head's buffer holds its lines as they are sent, so that a run of fields is copied in one piece.
//!
//! Left out on purpose: time, sockets, tasks, and every decision about a request (`remora_policy`). Transfer codings other than
//! chunked: nobody behind a proxy needs them, and each is a second opinion on where a message ends. `httparse`: the strict
//! pass over a line finds its tokens anyway.
//!
//! Sources: RFC 9110 and 9112; where peers differ the stricter reading.

mod chunks;
mod fields;
mod framing;
mod head;
mod known;
mod line;
mod reader;
mod refusal;
mod start;
mod strict;
#[cfg(test)]
mod tests;
mod writer;

pub use fields::Fields;
pub use framing::{Asked, Length};
pub use head::{Head, Version};
pub use known::Known;
pub use reader::{AtEnd, Event, Limits, Reader};
pub use refusal::Refusal;
pub use strict::{check as check_request, check_written};
pub use writer::{Persistence, Writer};

//! HTTP/1.1 on both sides, behind a narrow seam: heads of ordered fields, one type of body, tunnels after a 101.
//!
//! This directory alone names hyper. Its contract is in the prefaces of [`inbound`] and [`outbound`]; a leaner codec
//! may replace either side without touching anything else, with hyper as its oracle.
//!
//! Left out on purpose: HTTP/2 and TLS (later), decisions of any kind (see `exchange.rs`).

mod body;
mod connect;
mod convert;
mod counted;
mod fields;
mod head;
pub(crate) mod inbound;
pub(crate) mod outbound;
pub(crate) mod strict;
mod tunnel;

pub(crate) use body::{Body, BodyError, Piece, Source};
pub(crate) use connect::ConnectFault;
pub(crate) use fields::Fields;
pub(crate) use head::{RequestHead, ResponseHead, Version};
pub(crate) use tunnel::Farewell;

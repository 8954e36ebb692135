//! What happens to header fields on their way through: hop-by-hop fields, forwarding fields, redirects and cookie
//! paths mapped back.
//!
//! The functions see one field at a time as two byte slices and answer with an edit, so they know no head type.
//!
//! Invariants: `Remora-*` never crosses the proxy in either direction, in a head or behind a body ([`may_trail`]) ·
//! `Connection` cannot remove a field that a request's meaning rests on · what an upstream is told of the client is
//! written from the [`ClientView`] and nothing else, what vouches for one passes from a trusted peer alone · Host passes as the client sent it (redirects and cookie domains then fit
//! without repair).

mod client;
mod edit;
mod forwarding;
mod hops;
mod identity;
mod names;
mod reverse;
mod route_cookie;
mod rules;
mod to_https;
mod trace;
mod upgrade;

pub use client::{ClientView, ForwardingHeader, Peer, Scheme};
pub use edit::FieldEdit;
pub use forwarding::{Told, added_to_request, edit_request};
pub use hops::{Listed, may_trail};
pub use names::declines;
pub use reverse::{Origin, edit_response};
pub use route_cookie::route_cookie;
pub use rules::FieldRules;
pub use to_https::ToHttps;
pub use trace::{given_request_id, has_been_here, traceparent};
pub use upgrade::Upgrade;

#[cfg(test)]
mod tests;

//! The store as its clients, peers and operators meet it: real nodes over loopback, real disks, the real program.
//!
//! One binary for all claims, because linking a store node takes longer than most of them run.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as loudly as the tests themselves"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "these stand outside of the store, and wait by the clock of the machine"
)]

mod command_line;
mod common;
mod crowded;
mod exchange_stream;
mod followers;
mod following;
mod killing;
mod matching;
mod operators;
mod reloading;
mod rights;
mod twins;
mod unary_calls;
mod watching;

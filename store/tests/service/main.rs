//! The store as its clients, peers and operators meet it: real nodes over loopback, real disks, the real program.
//!
//! One binary for all claims, because linking a store node takes longer than most of them run.

mod command_line;
mod common;
mod exchange_stream;
mod followers;
mod operators;
mod unary_calls;

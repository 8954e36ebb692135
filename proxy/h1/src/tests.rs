//! The rules of reading and writing: golden scripts that state them, every split of the scripts' messages, any bytes at all,
//! and hyper as a second opinion on both directions.
//!
//! A script in `scripts/` is a table of messages and of what is read from them. After a wanted change of a rule,
//! `UPDATE_GOLDENFILES=1 cargo test -p remora-h1 scripts` writes the answers anew, to be read before they are committed.
//! Whatever reads here reads through [`reading`], which holds the promises of the reader that no single event shows.

mod allocation;
mod drawn;
mod fuzz;
mod reading;
mod scripts;
mod splits;

//! The rules, one file per kind of command. The preface of the crate (`lib.rs`) is their book: it says them in words, in
//! the order in which they are asked.

mod end;
mod formats;
mod leave;
mod limit;
mod ownership;
mod registry;
mod rename;
mod save;
mod touch;

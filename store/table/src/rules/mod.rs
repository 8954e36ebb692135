//! The rules, one file per kind of command; the preface of the parent says them in words.

mod end;
mod formats;
mod ownership;
mod registry;
mod rename;
mod save;
mod touch;

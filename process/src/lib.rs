//! What every Remora server does the same way: log lines, configuration files, signals, the ops address, exit codes, TLS,
//! limits on open files and connections, man pages.
//!
//! A server's `main` reads from the top: parse the flags, load the file ([`config`]), start the log ([`logging`]),
//! install the [`signals`], bind the [`ops`] address, run until a signal says stop, [`reload`] when one says so, and turn what
//! went wrong into one sentence and an exit code ([`exit`]). [`descriptors`] raises the limit on open files, and [`accept`] keeps a listener
//! within its share. [`tls`] is who is believed, and who the other end is, at servers and at the command line; [`audit`] is
//! the books of what operators do, [`browsers`] keeps these away from services that are for programs, [`files`] opens what a configuration names, [`catalogue`] what is said of each figure on `/metrics`,
//! [`service`] what a service manager is told, and [`manual`] writes man pages and completions.
//!
//! Invariants: nothing here knows what a session or an upstream is; nothing here spawns a task, but for files that are
//! read on threads for that: every loop is a future that the server's composition root runs; every error is a sentence that says what to do.
//!
//! Left out on purpose: the flags (each server declares its own with clap) and the gRPC services that share the ops
//! address with [`ops::router`].

pub mod accept;
pub mod audit;
pub mod browsers;
pub mod catalogue;
pub mod config;
pub mod descriptors;
pub mod exit;
mod figures;
pub mod files;
pub mod logging;
pub mod manual;
pub mod ops;
pub mod reload;
pub mod service;
pub mod signals;
pub mod tls;

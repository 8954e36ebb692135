//! What is seen of a site, and what is wrong with it: one crate, so that the command line and the proxy's console cannot disagree.
//!
//! `client` asks store nodes and proxies, and is the only place here that names tonic; `site` gathers what everybody answers at one
//! moment; `judge` says of that what needs a person and what to do about it, and `owned` how many sessions an upstream owns; `rates`
//! makes figures per second of what is gathered again and again; `picture` makes one document of all that. All but the first two
//! are functions of what they are given: they ask nobody and read no clock.
//!
//! Invariants: who does not answer is a sentence in its place and hides nobody else; to look takes no more than a reader's right,
//! and is written in no books.
//!
//! Left out on purpose: how any of it is shown, and as whom one asks. Whoever shows it brings the addresses and the certificate.

pub mod client;
mod failure;
pub mod judge;
pub mod kinds;
pub mod owned;
pub mod picture;
pub mod rates;
pub mod site;

pub use failure::Failure;

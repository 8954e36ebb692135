//! One node of Remora's session store.
//!
//! # Words
//!
//! *node, leader, follower, learner, term, vote, log index, commit, applied*: as in the Raft paper. *lease*: the
//! leader's right to answer reads without a round trip (off: see `raft`).
//! *session*: the replicated record; its *key* is (application, hash of the bare id). *bare id*: the session id up to
//! its first dot; it never reaches the store. *application*: host name, context path and `##version` where the context
//! has one, after the manager's `app` if given. *version*: the table's change counter, stamped on the record and on
//! each attribute by the command that last changed it. *owner*: the Tomcat that holds a session: a node name for people
//! and an *instance*, 64 random bits drawn at each start, which alone decides. *epoch*: the version of the command that
//! began the ownership; compared for equality, never reused. *deadline*: table time after which a session is expired.
//! *table time*: the replicated clock, moved only by log entries. *leaver*: a session that expired and whose listeners a
//! Tomcat has to call; to *bury* it is to be the first who does.
//! *command / proposal / outcome*: what is asked / command and request id, the unit in the log / the table's
//! deterministic answer, conflicts included. *refusal*: answered without proposing, nothing happened. *unknown*:
//! proposed, result not learned; repeat with the same request id.
//!
//! # Map
//!
//! | module | what it is |
//! |---|---|
//! | `remora_table` | its own crate, pure: the table, its commands and rules; no async, clock, IO, log lines |
//! | `log` | the durable log behind a small trait, and the data directory |
//! | `snapshot` | table images on disk: written aside, synced, renamed |
//! | `raft` | the only place that names openraft: proposer, reader, applier, forming |
//! | `rpc` | the only place that names tonic: services, streams, links to peers |
//! | `runtime` | the seam to time, tasks, threads and chance: a simulation holds it |
//! | `clients` | the thread that serves clients and operators, beside that of consensus |
//! | `clock`, `config`, `descriptors`, `metrics` | how time passes, what the node is told, who may have how many connections, what it counts |
//! | `node` | the composition root: start, run, stop |
//!
//! # Life of a write
//!
//! A `SaveRequest` arrives on a stream (`rpc::exchange`) or alone (`rpc::sessions`); `rpc::convert` checks its shape
//! and makes a command of it; a visit at the desk (`rpc::visit`) checks the limits and submits it, with all others of the same
//! message, to the proposer (`raft::proposer`), which packs what waits into one log entry. openraft appends it here and
//! on the followers; each disk syncs before it answers; when a majority has, the applier hands the entry to
//! `remora_table::SessionTable`, whose outcome goes back the same way. Events of the table (an owner lost a session, or its
//! copy is old since a late save) reach the hub (`rpc::hub`) first, so a claim's answer can wait until the previous owner has
//! dropped its copy.
//!
//! # What a save's time goes to
//!
//! `make bench-store` says how long and how much; this is where, by `perf record` on all three nodes (two cores, loopback,
//! 27 November 2026). *A lone save* is a chain of hand-overs, each of which wakes a thread that sleeps: stream, consensus and
//! log here, the same at two followers, and back; then the followers are told that it is committed, which is a message of its
//! own because nothing follows that could carry it. So three fifths are the kernel's: a quarter of all is putting threads to
//! sleep and waking them, a fifth writing and syncing, a tenth sockets; a third is openraft's, tonic's and our own work. It
//! sleeps 21 times; six of these are the way to the log's own thread and back on three nodes, without which a slow disk would
//! hold up heartbeats and cost leaders (see `raft::elections`).
//!
//! *In a crowd* one entry and one message take what waits, and the sleeps share out (0.4 a save at 64 clients). What is left
//! is work for each byte: it is copied from socket to log to socket, checked, written and synced three times. A fifth, in a log
//! that still grows, is making segments ahead of their use, which ends when the first purge gives them back.
//!
//! # Life of a read
//!
//! A check, a list, a claim of a key without a record: wait for a barrier (`raft::RaftHandle::barrier`), a ReadIndex
//! round shared by all reads that wait, then look at the table. There is no other read path: not on the leader, not on
//! followers.
//!
//! # What must never be
//!
//! - a wire type or an async function inside `remora_table`; a wall clock anywhere; a stamp that does not go on from the
//!   table's own (`raft::stamps`)
//! - a read without a barrier; an answer before a majority has synced
//! - a refusal after the command reached the log, but for the table's own word that nothing changed
//!   ([`remora_table::Outcome::TooLarge`]); an unknown outcome told as a refusal
//! - openraft or tonic named outside `raft` and `rpc`
//! - a session id, or more than 8 hexadecimal digits of its hash, in a log line or a metric
//! - expiry by anything but a log entry

mod clients;
mod clock;
mod config;
mod descriptors;
mod disk;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fixtures;
mod log;
mod metrics;
mod node;
mod raft;
mod rpc;
mod runtime;
mod snapshot;

pub use clock::Clock;
pub use config::{Config, Flags, Keys};
pub use metrics::FIGURES;
pub use node::{Changes, Ended, Node};
pub use raft::LOG_FILTER;

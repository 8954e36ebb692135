//! Consensus: the only place that names openraft.
//!
//! Commands go in through [`RaftHandle`]: many waiting proposals become one log entry (`proposer`), many waiting
//! reads share one ReadIndex round (`reader`). openraft decides; `log_seam` gives it the durable log, `applier` the
//! session table, `network` the peers behind the seam [`PeerLink`], and `endpoint` takes what peers send.
//! `elections` says when to stand and whom to vote for, by `detector` and `pace`; `imaging` when the table is written to disk
//! and how much of the log stays behind that. `forming` makes a cluster out of empty data directories, once, `anew` out of a
//! backup, and `recover` out of one disk that is left; `joining` is how a node waits to be added to one that exists, and
//! `membership` changes who belongs to it, by the `steps` that are due. `lives` and `acknowledged` keep older copies of a data
//! directory out, and `asking` closes the gap between an image that was lost and a log.
//! `wire` translates: no openraft type reaches a disk or a wire, so that an upgrade of openraft changes no format.
//! `simulation`, compiled for tests alone, plays whole nodes under time, wires and disks that a seed decides.
//!
//! Invariants: an answer [`Fate::Done`] is on a majority of disks; [`Fate::Refused`] means that nothing happened;
//! everything else is [`Fate::Unknown`]. A node answers a vote only under the disk id with which the cluster knows it, and a
//! disk that was removed is heard by nobody.
//!
//! Left out on purpose: lease reads (they trust that a process is never paused), and more than one Raft group (the group
//! id is in every record and message already).

mod acknowledged;
mod advice;
mod anew;
mod applier;
mod asking;
mod backlog;
mod detector;
mod duties;
mod elections;
mod endpoint;
mod fate;
mod formats;
mod forming;
mod handle;
mod identity;
mod imaging;
mod joining;
mod leadership;
mod link;
mod lives;
mod log_seam;
mod membership;
mod network;
mod opening;
mod pace;
mod peers;
mod proposer;
mod reader;
mod reasons;
mod recover;
mod runtime;
mod saying;
mod settings;
#[cfg(test)]
pub(crate) mod simulation;
mod snapshots;
mod space;
mod stamps;
mod start;
mod status;
mod steps;
mod succession;
#[cfg(test)]
pub(crate) mod tests;
mod types;
mod waiting;
mod watchdog;
mod wire;

/// What a node logs unless told otherwise. openraft warns many times a second while a peer is down: what matters of that is
/// said once, in our words.
pub const LOG_FILTER: &str = "info,openraft=error";

pub(crate) use anew::{RestoreError, Restored};
pub(crate) use endpoint::{Incoming, PeerEndpoint};
pub(crate) use fate::{Ask, Fate, Refusal, Replies};
pub(crate) use formats::RAISE_AFTER_MS;
pub(crate) use handle::{RaftHandle, STOPS_WITHIN};
pub(crate) use imaging::SnapshotPolicy;
pub(crate) use leadership::{Leadership, Role};
pub(crate) use link::{LinkError, LinkResult, LinkStream, PeerError, PeerLink, PeerLinks};
pub(crate) use membership::{ChangeError, StepTaken, Wish};
pub(crate) use reader::Round;
pub(crate) use recover::RecoverError;
pub(crate) use settings::{EventSink, RESTORING, Settings, Timers};
pub(crate) use start::{StartError, start};
pub(crate) use status::{MemberStatus, Status};
pub(crate) use steps::Verb;
pub(crate) use succession::StaysError;
pub(crate) use types::NodeId;
pub(crate) use waiting::WaitingNode;
pub(crate) use watchdog::{DiskHealth, DiskPatience};

//! The log's seam: ids, votes, entries, and the contract that every log keeps.
//!
//! No type of the Raft library appears here; `raft/` converts. Every record on disk carries its group, so that one
//! data directory may later hold many groups.

use std::io;
use std::ops::Range;

use bytes::Bytes;

/// The only Raft group there is so far; later hash slots are spread over many.
pub(crate) const GROUP: u32 = 0;

/// Identity of a log entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LogId {
    /// Raft term in which the entry was proposed.
    pub term: u64,
    /// Position in the log.
    pub index: u64,
}

/// A vote. The order of the fields is the order of votes: a vote never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Vote {
    /// Raft term.
    pub term: u64,
    /// Whether a majority granted it.
    pub committed: bool,
    /// For whom; absent before the first vote of a term.
    pub node: Option<u64>,
}

/// What a log entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Nothing: a new leader's first entry.
    Blank,
    /// A membership, encoded by `raft/`; opaque here.
    Membership(Bytes),
    /// A packed entry of the session codec; opaque here.
    Normal(Bytes),
}

impl Payload {
    /// Encoded bytes that it holds.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Blank => 0,
            Self::Membership(bytes) | Self::Normal(bytes) => bytes.len() as u64,
        }
    }
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogEntry {
    /// Its identity.
    pub log_id: LogId,
    /// What it holds.
    pub payload: Payload,
}

/// What a log comes to, without its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LogState {
    /// The last vote.
    pub(super) vote: Option<Vote>,
    /// The last commit position that was hinted.
    pub(super) committed: Option<LogId>,
    /// The last entry that was purged.
    pub(super) purged: Option<LogId>,
    /// The last entry; the last purged one if nothing is left.
    pub(super) last: Option<LogId>,
}

/// What the log holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogBounds {
    /// The last entry that was purged.
    pub purged: Option<LogId>,
    /// The last entry; the last purged one if nothing is left.
    pub last: Option<LogId>,
}

/// Called with success when what came before it is durable, or with the failure that ended the log. It runs on the
/// log's own thread: it must be short and must not call the log.
pub(crate) type Completion = Box<dyn FnOnce(io::Result<()>) + Send>;

/// The durable log. One suite holds every log to what is said here (`tests/contract.rs`).
///
/// **One stream.** All writes are ordered: votes, entries, truncations, purges, hints. What is found when a log is opened
/// again is what a first part of that stream made of it, and at least everything that was called durable.
///
/// **Completions.** Success says that everything written before is durable. The completion of an append, be it of no entries,
/// stands for those of earlier appends: they may be dropped uncalled. Those of votes are each called, as long as the log is
/// open.
///
/// **Refusals.** What contradicts the log is refused with [`io::ErrorKind::InvalidInput`] and changes nothing: a vote that
/// goes back, entries that leave a hole, a truncation of what was hinted as committed.
///
/// **Failure is final.** After a failed write or sync every later call that can fail does, and no completion says success
/// any more, neither those that wait nor new ones: a log that cannot trust its disk must not go on.
pub(crate) trait Log: Send + Sync + 'static {
    /// What the log holds, whether it is durable or not.
    fn bounds(&self) -> LogBounds;

    /// The last vote.
    fn vote(&self) -> Option<Vote>;

    /// The last commit position that was hinted; may be older than the truth, never newer.
    fn committed(&self) -> Option<LogId>;

    /// An entry up to `index` that stands in the log and is durable: the last such one, but where a truncation or a purge is
    /// on its way to the disk an earlier one, or none.
    fn durable_up_to(&self, index: u64) -> Option<LogId>;

    /// Stores a vote; `done` is called when it is durable, or with the reason why it never will be.
    fn save_vote(&self, vote: Vote, done: Completion);

    /// Remembers a commit position at the next sync; best effort. One beyond the last entry is cut to it, one before the
    /// last hint and one of an empty log are forgotten.
    fn save_committed(&self, committed: LogId) -> io::Result<()>;

    /// Appends entries behind the last one, none of them longer than a segment has room for. On return they can be read;
    /// `done` is called when they are durable, and not at all if this returns an error.
    fn append(&self, entries: Vec<LogEntry>, done: Completion) -> io::Result<()>;

    /// Reads entries from the front of `range` until they hold `bytes_max` payload bytes, at least one if the range
    /// is not empty. A missing entry is an error. Reads the disk for what is not [`Log::in_memory`]: then not for a
    /// runtime's thread.
    fn read(&self, range: Range<u64>, bytes_max: u64) -> io::Result<Vec<LogEntry>>;

    /// Whether the entry at `index` and all behind it can be read without the disk; never for one that is not there.
    fn in_memory(&self, index: u64) -> bool;

    /// Removes every entry behind index `last`, or all if there is none. Ordered before the next append.
    fn truncate_after(&self, last: Option<u64>) -> io::Result<()>;

    /// Removes every entry up to and including `upto`, which may lie beyond the last entry: the log then ends there. One
    /// before the last purge changes nothing. The mark is durable before a file is unlinked.
    fn purge_to(&self, upto: LogId) -> io::Result<()>;
}

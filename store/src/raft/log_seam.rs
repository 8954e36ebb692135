//! openraft's log seam over our durable log.
//!
//! Invariants: a vote is durable before it is spoken, and the first one of a disk's life is noted in its identity in
//! between, so that a log that was emptied afterwards is not taken for a new one; an append may be read on return and is
//! called durable only when it is; votes and entries are one ordered stream (the log's own contract). Reads are capped by
//! bytes, because a message has a limit and entries differ in size by a factor of ten thousand.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use futures::stream::{self, StreamExt};
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use openraft::type_config::alias::{self, EntryOf, LogIdOf, VoteOf};
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, OptionalSend};
use prost::Message;
use remora_proto::v1;
use tokio::sync::{oneshot, watch};

use crate::log::{Log, LogEntry, LogId, Payload, Vote};
use crate::runtime;

use super::pace::Pace;
use super::types::{Commands, Types, log_id};
use super::wire;

/// Payload bytes of one replication message. Large enough that a full disk batch fits, small enough that a lagging
/// follower does not hold up its stream; a single larger entry still goes alone.
const REPLICATED_BYTES_MAX: u64 = 1 << 20;

/// Payload bytes held while applying or replaying.
const APPLIED_BYTES_MAX: u64 = 4 << 20;

/// Notes durably that this disk has voted; called on a blocking thread.
pub(super) type NoteVote = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// The durable log as openraft sees it. Its clones read the same log.
#[derive(Clone)]
pub(super) struct LogSeam {
    log: Arc<dyn Log>,
    votes: watch::Sender<Option<Vote>>,
    pace: Arc<Pace>,
    /// Who has to know of the next vote; none once it is known that this disk votes.
    note: Option<NoteVote>,
}

impl LogSeam {
    /// Over an open log, all of which is durable; a vote that it holds has been noted. Tells how long it takes to make
    /// something durable.
    pub(super) fn new(log: Arc<dyn Log>, note: NoteVote, pace: Arc<Pace>) -> Self {
        let vote = log.vote();
        Self {
            log,
            votes: watch::Sender::new(vote),
            pace,
            note: Some(note).filter(|_| vote.is_none()),
        }
    }

    /// The newest vote that is durable.
    pub(super) fn votes(&self) -> watch::Receiver<Option<Vote>> {
        self.votes.subscribe()
    }

    /// What tells, when it is called, how long it took to make something durable.
    fn stopwatch(&self) -> impl FnOnce() + Send + 'static {
        let (pace, began) = (Arc::clone(&self.pace), runtime::now());
        move || pace.synced(runtime::since(began))
    }

    /// Reads from the front of a range until the entries hold `bytes_max`; what needs the disk, on a blocking thread.
    async fn read(&self, range: Range<u64>, bytes_max: u64) -> io::Result<Vec<EntryOf<Types>>> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let entries = if self.log.in_memory(range.start) {
            self.log.read(range, bytes_max)?
        } else {
            let log = Arc::clone(&self.log);
            runtime::blocking(move || log.read(range, bytes_max))
                .await
                .map_err(io::Error::other)??
        };
        entries.into_iter().map(from_disk).collect()
    }

    /// The part of a range that the log holds.
    fn held(&self, range: &impl RangeBounds<u64>) -> Range<u64> {
        let bounds = self.log.bounds();
        let first = bounds.purged.map_or(0, |purged| purged.index + 1);
        let end = bounds.last.map_or(0, |last| last.index + 1);
        let from = match range.start_bound() {
            Bound::Included(index) => *index,
            Bound::Excluded(index) => index + 1,
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(index) => index + 1,
            Bound::Excluded(index) => *index,
            Bound::Unbounded => end,
        };
        from.max(first)..to.min(end)
    }
}

impl RaftLogReader<Types> for LogSeam {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<EntryOf<Types>>, io::Error> {
        self.read(self.held(&range), u64::MAX).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<EntryOf<Types>>, io::Error> {
        // The log may let go of what a replication is about to read: an image purges it, or the next leader truncates it. That
        // is nobody's fault: no entries make openraft look again who leads, and an error would end this node.
        let asked = start..end;
        let held = self.held(&asked);
        if held.start > start {
            return Ok(Vec::new());
        }
        match self.read(held.clone(), REPLICATED_BYTES_MAX).await {
            Err(_) if self.held(&asked) != held => Ok(Vec::new()),
            read => read,
        }
    }

    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<EntryOf<Types>, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let rest = self.held(&range);
        let batches = stream::unfold((self.clone(), rest), |(log, rest)| async move {
            if rest.is_empty() {
                return None;
            }
            match log.read(rest.clone(), APPLIED_BYTES_MAX).await {
                Ok(entries) => {
                    let next = rest.start + entries.len() as u64;
                    let entries: Vec<_> = entries.into_iter().map(Ok).collect();
                    Some((entries, (log, next..rest.end)))
                }
                Err(error) => Some((vec![Err(error)], (log, 0..0))),
            }
        });
        Box::pin(batches.flat_map(stream::iter))
    }

    async fn read_vote(&mut self) -> Result<Option<VoteOf<Types>>, io::Error> {
        let voted = self.log.vote().filter(|vote| vote.node.is_some());
        Ok(voted.map(from_disk_vote))
    }
}

impl RaftLogStorage<Types> for LogSeam {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let bounds = self.log.bounds();
        Ok(LogState {
            last_purged_log_id: bounds.purged.map(from_disk_id),
            last_log_id: bounds.last.map(from_disk_id),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &VoteOf<Types>) -> Result<(), io::Error> {
        let record = Vote {
            term: vote.leader_id.term,
            committed: vote.committed,
            node: Some(vote.leader_id.voted_for),
        };
        let (done, saved) = oneshot::channel();
        let synced = self.stopwatch();
        self.log.save_vote(
            record,
            Box::new(move |result| {
                synced();
                // The receiver is only gone when the node stops, and then nobody speaks the vote.
                let _ = done.send(result);
            }),
        );
        saved
            .await
            .map_err(|_| io::Error::other("the log ended before the vote was durable"))??;
        if let Some(note) = self.note.clone() {
            runtime::blocking(move || note())
                .await
                .map_err(io::Error::other)??;
            self.note = None;
        }
        self.votes.send_replace(Some(record));
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogIdOf<Types>>) -> Result<(), io::Error> {
        committed.map_or(Ok(()), |committed| self.log.save_committed(disk_id(committed)))
    }

    async fn read_committed(&mut self) -> Result<Option<LogIdOf<Types>>, io::Error> {
        Ok(self.log.committed().map(from_disk_id))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = EntryOf<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries = entries.into_iter().map(to_disk).collect();
        let synced = self.stopwatch();
        let done = move |result| {
            synced();
            callback.io_completed(result);
        };
        self.log.append(entries, Box::new(done))
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogIdOf<Types>>) -> Result<(), io::Error> {
        self.log.truncate_after(last_log_id.map(|last| last.index))
    }

    async fn purge(&mut self, log_id: LogIdOf<Types>) -> Result<(), io::Error> {
        let log = Arc::clone(&self.log);
        let purged = runtime::blocking(move || log.purge_to(disk_id(log_id)));
        purged.await.map_err(io::Error::other)?
    }
}

/// A vote as openraft knows it; one for nobody is the lowest of its term.
pub(super) fn from_disk_vote(vote: Vote) -> VoteOf<Types> {
    VoteOf::<Types> {
        leader_id: alias::LeaderIdOf::<Types>::new(vote.term, vote.node.unwrap_or(0)),
        committed: vote.committed,
    }
}

/// A log position as the log keeps it.
pub(super) fn disk_id(id: LogIdOf<Types>) -> LogId {
    LogId {
        term: id.committed_leader_id().term,
        index: id.index,
    }
}

/// A log position as openraft knows it.
pub(super) fn from_disk_id(id: LogId) -> LogIdOf<Types> {
    log_id(id.term, id.index)
}

/// An entry as the log keeps it. Commands are not copied.
fn to_disk(entry: EntryOf<Types>) -> LogEntry {
    let payload = match entry.payload {
        EntryPayload::Blank => Payload::Blank,
        EntryPayload::Normal(commands) => Payload::Normal(commands.0),
        EntryPayload::Membership(membership) => {
            Payload::Membership(Bytes::from(wire::membership(&membership).encode_to_vec()))
        }
    };
    LogEntry {
        log_id: disk_id(entry.log_id),
        payload,
    }
}

/// An entry as openraft knows it.
fn from_disk(entry: LogEntry) -> io::Result<EntryOf<Types>> {
    let payload = match entry.payload {
        Payload::Blank => EntryPayload::Blank,
        Payload::Normal(commands) => EntryPayload::Normal(Commands(commands)),
        Payload::Membership(bytes) => {
            let wire = v1::Membership::decode(bytes).map_err(io::Error::other)?;
            EntryPayload::Membership(wire::from_membership(wire).map_err(io::Error::other)?)
        }
    };
    Ok(EntryOf::<Types>::new(from_disk_id(entry.log_id), payload))
}

#[cfg(test)]
mod tests {
    use remora_table::Formats;

    use crate::disk::Disk;
    use crate::log::{DataDir, SEGMENT_BYTES};

    use super::*;

    #[tokio::test]
    async fn whoever_reads_what_was_purged_or_truncated_finds_nothing_and_no_fault() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(&Disk::real(), directory.path(), 1, Formats::OURS);
        let log = data_dir.unwrap().open_log(Formats::OURS, SEGMENT_BYTES).unwrap();
        let mut log = LogSeam::new(Arc::new(log), Arc::new(|| Ok(())), Arc::new(Pace::new()));
        let entries = (0..6).map(|index| EntryOf::<Types>::new(log_id(1, index), EntryPayload::Blank));
        log.append(entries, IOFlushed::noop()).await.unwrap();
        log.purge(log_id(1, 1)).await.unwrap();
        log.truncate_after(Some(log_id(1, 3))).await.unwrap();

        for (range, wanted) in [(0..6, vec![]), (1..2, vec![]), (2..6, vec![2, 3]), (4..6, vec![])] {
            let read = log.limited_get_log_entries(range.start, range.end).await.unwrap();
            let indexes: Vec<u64> = read.iter().map(|entry| entry.log_id.index).collect();
            assert_eq!(indexes, wanted, "{range:?}");
        }
    }
}

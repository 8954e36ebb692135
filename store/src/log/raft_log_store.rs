//! The log store over the raft-log crate, which is named only in this directory.
//!
//! **The flush gate.** The crate's own batching is a fixed delay, so it is switched off, and the gate does better: a
//! flush is asked for only when none is under way; whatever arrives meanwhile waits in memory and goes with the next
//! one, which the completion of the first starts. That is group commit without a timer: a lone writer waits for one
//! sync, a crowd shares it.
//!
//! **Failure is final.** After a failed write or sync nobody knows what the disk holds, and asking again may be answered
//! with a lie; so every later call fails with the first failure, and the node stops.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use raft_log::api::raft_log_writer::RaftLogWriter;
use raft_log::{Config, RaftLog};

use super::records::{Flushed, Records, StoredLogId, StoredPayload, StoredVote};
use super::types::{Completion, LogBounds, LogEntry, LogId, LogStore, Vote};

/// Size at which a file of the log is closed and the next begun, in bytes. Purging and the cache work file by file, so
/// small files keep both tight; the prototype's figures were best here.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Entries kept in memory for followers and for apply, in bytes: two files, because the open one is always kept.
const CACHE_BYTES_MAX: usize = 2 * FILE_BYTES_MAX;

/// Bytes that may wait for the disk. Far above what the proposer lets into flight: reaching it would block the runtime.
const QUEUE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A log in a directory. Clones share it; the last one dropped closes it after what waits is on disk.
#[derive(Clone, Debug)]
pub struct RaftLogStore {
    owner: Arc<Owner>,
}

/// Closes the log on the thread that gives it up: on the log's own thread, closing would wait for itself.
#[derive(Debug)]
struct Owner(Arc<Shared>);

#[derive(Debug)]
struct Shared(Mutex<State>);

struct State {
    /// Absent once closed.
    log: Option<RaftLog<Records>>,
    flushing: bool,
    waiting: Waiting,
    failure: Option<(io::ErrorKind, String)>,
}

/// Who waits for the next flush.
#[derive(Default)]
struct Waiting {
    /// The newest append: it stands for all before it.
    append: Option<Completion>,
    /// Votes and syncs, which are each answered.
    others: Vec<Completion>,
}

impl RaftLogStore {
    /// Opens or creates the log in `directory`. Reads all of it: not for a runtime's thread.
    ///
    /// A torn tail, which a crash in the middle of a write leaves, is cut: nothing in it was ever acknowledged.
    ///
    /// # Errors
    /// The disk failed, another process has the log, or the log is damaged elsewhere than at its end.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let before = files_bytes(directory)?;
        let log = RaftLog::open(Arc::new(config(directory))).map_err(|error| explained(directory, &error))?;
        let cut = before.saturating_sub(files_bytes(directory)?);
        if cut > 0 {
            tracing::warn!(
                bytes = cut,
                "cut a torn tail off the log: the last write before the stop was incomplete"
            );
        }
        let state = State {
            log: Some(log),
            flushing: false,
            waiting: Waiting::default(),
            failure: None,
        };
        Ok(Self {
            owner: Arc::new(Owner(Arc::new(Shared(Mutex::new(state))))),
        })
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.owner.0
    }
}

fn config(directory: &Path) -> Config {
    let mut config = Config::new(directory.display());
    config.log_cache_capacity = Some(CACHE_BYTES_MAX);
    config.wal.chunk_max_size = Some(FILE_BYTES_MAX);
    config.wal.read_buffer_size = Some(FILE_BYTES_MAX);
    config.wal.flush_batch_wait = Some(std::time::Duration::ZERO);
    config.wal.flush_queue_max_bytes = Some(QUEUE_BYTES_MAX);
    config
}

/// Size of all files in a directory, which may not exist yet.
fn files_bytes(directory: &Path) -> io::Result<u64> {
    crate::disk::make_directory(directory)?;
    std::fs::read_dir(directory)?
        .map(|entry| Ok(entry?.metadata()?.len()))
        .sum()
}

fn explained(directory: &Path, error: &io::Error) -> io::Error {
    let sentence = format!(
        "the log in {} cannot be used: {error}. If a file is damaged, this node must not go on with it: acknowledged \
         saves could be missing. Keep the other nodes running, they hold the sessions; restore this directory from a \
         copy of the whole disk, or leave the node out",
        directory.display()
    );
    io::Error::new(error.kind(), sentence)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on the log, then asks for a flush if none is under way. A failure of `work` that the disk caused
    /// is final; one that refuses the call (a vote that goes back) changes nothing.
    fn write(
        self: &Arc<Self>,
        work: impl FnOnce(&mut RaftLog<Records>) -> io::Result<()>,
        wait: impl FnOnce(&mut Waiting),
    ) -> io::Result<()> {
        let mut state = self.lock();
        work(state.open()?)?;
        wait(&mut state.waiting);
        self.flush(&mut state);
        Ok(())
    }

    fn flush(self: &Arc<Self>, state: &mut State) {
        if state.flushing || state.waiting.is_empty() || state.failure.is_some() {
            return;
        }
        let Some(log) = state.log.as_mut() else { return };
        let waiting = std::mem::take(&mut state.waiting);
        let shared = Arc::downgrade(self);
        let done = Flushed(Box::new(move |result| ended(&shared, waiting, &result)));
        state.flushing = true;
        if let Err(error) = log.flush(true, Some(done)) {
            // The completions went down with the call: whoever waited learns it by the failure that all calls get.
            state.fail(&error);
        }
    }
}

/// A flush ended: starts the next one first, so that the disk never waits for those who are told.
fn ended(shared: &Weak<Shared>, waiting: Waiting, result: &io::Result<()>) {
    let mut late = Waiting::default();
    if let Some(shared) = shared.upgrade() {
        let mut state = shared.lock();
        state.flushing = false;
        match result {
            Ok(()) => shared.flush(&mut state),
            Err(error) => {
                state.fail(error);
                late = std::mem::take(&mut state.waiting);
            }
        }
    }
    waiting.tell(result);
    late.tell(result);
}

impl State {
    fn open(&mut self) -> io::Result<&mut RaftLog<Records>> {
        if let Some((kind, sentence)) = &self.failure {
            return Err(io::Error::new(*kind, sentence.clone()));
        }
        self.log
            .as_mut()
            .ok_or_else(|| io::Error::other("the log is closed"))
    }

    fn fail(&mut self, error: &io::Error) {
        self.failure.get_or_insert_with(|| {
            (
                error.kind(),
                format!("an earlier write to the log failed: {error}"),
            )
        });
    }

    fn read<T>(&self, look: impl FnOnce(&RaftLog<Records>) -> T) -> Option<T> {
        self.log.as_ref().map(look)
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.append.is_none() && self.others.is_empty()
    }

    fn tell(self, result: &io::Result<()>) {
        for done in self.append.into_iter().chain(self.others) {
            done(
                result
                    .as_ref()
                    .copied()
                    .map_err(|error| io::Error::new(error.kind(), error.to_string())),
            );
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("State")
            .field("open", &self.log.is_some())
            .field("flushing", &self.flushing)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let log = {
            let mut state = self.0.lock();
            let log = state.log.take();
            // Those who still wait are told nothing: their process is going down.
            state.waiting = Waiting::default();
            log
        };
        drop(log);
    }
}

impl LogStore for RaftLogStore {
    fn bounds(&self) -> LogBounds {
        let bounds = self.shared().lock().read(|log| {
            let state = log.log_state();
            LogBounds {
                purged: state.purged().map(|id| id.0),
                last: state.last().or(state.purged()).map(|id| id.0),
            }
        });
        bounds.unwrap_or_default()
    }

    fn vote(&self) -> Option<Vote> {
        self.shared()
            .lock()
            .read(|log| log.log_state().vote().map(|vote| vote.0))
            .flatten()
    }

    fn committed(&self) -> Option<LogId> {
        self.shared()
            .lock()
            .read(|log| log.log_state().committed().map(|id| id.0))
            .flatten()
    }

    fn save_vote(&self, vote: Vote, done: Completion) {
        let mut done = Some(done);
        let saved = self.shared().write(
            |log| log.save_vote(StoredVote(vote)).map(drop),
            |waiting| waiting.others.extend(done.take()),
        );
        if let (Err(error), Some(done)) = (saved, done) {
            done(Err(error));
        }
    }

    fn save_committed(&self, committed: LogId) -> io::Result<()> {
        let mut state = self.shared().lock();
        let log = state.open()?;
        let known = log.log_state();
        let hint = known.last().map_or(committed, |last| committed.min(last.0));
        let is_news = known.last().is_some() && known.committed().is_none_or(|earlier| earlier.0 < hint);
        if is_news {
            log.commit(StoredLogId(hint)).map(drop)
        } else {
            Ok(())
        }
    }

    fn append(&self, entries: Vec<LogEntry>, done: Completion) -> io::Result<()> {
        let entries = entries
            .into_iter()
            .map(|entry| (StoredLogId(entry.log_id), StoredPayload(entry.payload)));
        self.shared().write(
            |log| log.append(entries).map(drop),
            |waiting| waiting.append = Some(done),
        )
    }

    fn read(&self, range: Range<u64>, bytes_max: u64) -> io::Result<Vec<LogEntry>> {
        let mut state = self.shared().lock();
        let log = state.open()?;
        let mut entries = Vec::new();
        let mut bytes = 0;
        for entry in log.read(range.start, range.end) {
            let (log_id, payload) = entry?;
            let expected = range.start + entries.len() as u64;
            if log_id.0.index != expected {
                break;
            }
            bytes += payload.0.bytes();
            if bytes > bytes_max && !entries.is_empty() {
                return Ok(entries);
            }
            entries.push(LogEntry {
                log_id: log_id.0,
                payload: payload.0,
            });
        }
        if entries.len() as u64 == range.end.saturating_sub(range.start) {
            return Ok(entries);
        }
        let missing = range.start + entries.len() as u64;
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("log entry {missing} is not in the log"),
        ))
    }

    fn truncate_after(&self, last: Option<u64>) -> io::Result<()> {
        let mut state = self.shared().lock();
        let log = state.open()?;
        let first_gone = last.map_or(0, |last| last + 1);
        let end = log.log_state().last().map_or(0, |last| last.0.index + 1);
        if first_gone >= end {
            Ok(())
        } else {
            log.truncate(first_gone).map(drop)
        }
    }

    fn purge_to(&self, upto: LogId) -> io::Result<()> {
        self.shared().write(
            |log| log.purge(StoredLogId(upto)).map(drop),
            |waiting| waiting.others.push(Box::new(|_| ())),
        )
    }

    fn sync(&self, done: Completion) {
        let mut done = Some(done);
        let asked = self
            .shared()
            .write(|_| Ok(()), |waiting| waiting.others.extend(done.take()));
        if let (Err(error), Some(done)) = (asked, done) {
            done(Err(error));
        }
    }
}

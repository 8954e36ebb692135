//! The durable log in files, over the raft-log crate, which is named only in this directory.
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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, mpsc};
use std::time::Duration;

use raft_log::api::raft_log_writer::RaftLogWriter;
use raft_log::{Config, RaftLog};

use crate::disk::Disk;

use super::recent::Recent;
use super::records::{Flushed, Records, StoredLogId, StoredPayload, StoredVote};
use super::tail;
use super::types::{Completion, Log, LogBounds, LogEntry, LogId, Vote};

/// Size at which a file of the log is closed and the next begun, in bytes. Purging and the cache work file by file, so
/// small files keep both tight: with files of 64 MiB and a cache of 192 MiB the slowest hundredth of saves took 9 ms, so 3.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Entries kept in memory for followers and for apply, in bytes: two files, because the open one is always kept.
const CACHE_BYTES_MAX: usize = 2 * FILE_BYTES_MAX;

/// Bytes that may wait for the disk: no bound. At a bound the crate blocks whoever appends, who holds the lock that the
/// end of a flush needs: nobody would move again. What waits is bounded before: the proposer has 4 entries of 512 KiB,
/// or of one message, on their way, and openraft keeps one append message of at most 1 MiB, or one entry, a follower
/// stream in flight.
const QUEUE_BYTES_MAX: usize = usize::MAX / 2;

/// A log in a directory. Clones share it; the last one dropped closes it after what waits is on disk.
#[derive(Clone, Debug)]
pub(crate) struct FileLog {
    closer: Arc<Closer>,
}

/// Looks at the syncs of a log for as long as it is open.
#[derive(Clone, Debug)]
pub(crate) struct LogGauge(Weak<Gate>);

/// What a log's syncs cost since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Syncs {
    /// How often the disk was asked to make something durable.
    pub count: u64,
    /// Half of them took no longer than this.
    pub median: Duration,
    /// 99 of 100 took no longer than this.
    pub p99: Duration,
    /// Bytes written.
    pub bytes: u64,
}

impl LogGauge {
    /// The present figures; none once the log is closed.
    pub(crate) fn syncs(&self) -> Option<Syncs> {
        let gate = self.0.upgrade()?;
        let state = gate.lock();
        let flushes = state.log.as_ref()?.stat().flush_metrics;
        Some(Syncs {
            count: flushes.sync_batch_count,
            median: Duration::from_micros(flushes.sync_percentiles.p50_us),
            p99: Duration::from_micros(flushes.sync_percentiles.p99_us),
            bytes: flushes.write_bytes,
        })
    }
}

/// Closes the log on the thread that gives it up: on the log's own thread, closing would wait for itself.
#[derive(Debug)]
struct Closer(Arc<Gate>);

#[derive(Debug)]
struct Gate {
    state: Mutex<GateState>,
    /// The first failure. Outside of the lock, because a flush that cannot even be asked for fails under it.
    failure: OnceLock<(io::ErrorKind, String)>,
}

struct GateState {
    /// Absent once closed.
    log: Option<RaftLog<Records>>,
    flushing: bool,
    waiting: Unflushed,
    recent: Recent,
}

/// Who waits for the next flush.
#[derive(Default)]
struct Unflushed {
    /// The newest append: it stands for all before it.
    append: Option<Completion>,
    /// Votes and syncs, which are each answered.
    others: Vec<Completion>,
}

impl FileLog {
    /// Opens or creates the log in `directory`. Reads all of it: not for a runtime's thread.
    ///
    /// A torn tail, which a crash in the middle of a write leaves, is cut: nothing in it was ever acknowledged. What
    /// the log holds on return is durable, also what a process that died had written and not synced.
    ///
    /// # Errors
    /// The disk failed, another process has the log, or the log is damaged elsewhere than at its end.
    pub(crate) fn open(disk: &Disk, directory: &Path) -> io::Result<Self> {
        Self::open_with(disk, directory, FILE_BYTES_MAX).map_err(|error| explained(directory, &error))
    }

    /// The same with files of another size, so that a test may fill several.
    pub(super) fn open_with(disk: &Disk, directory: &Path, file_bytes_max: usize) -> io::Result<Self> {
        disk.make_directory(directory)?;
        let before = files_bytes(disk, directory)?;
        tail::check(disk, directory)?;
        let log = RaftLog::open(Arc::new(config(directory, file_bytes_max)))?;
        let cut = before.saturating_sub(files_bytes(disk, directory)?);
        if cut > 0 {
            tracing::warn!(
                bytes = cut,
                "cut a torn tail off the log: the last write before the stop was incomplete"
            );
        }
        let state = GateState {
            log: Some(log),
            flushing: false,
            waiting: Unflushed::default(),
            recent: Recent::new(CACHE_BYTES_MAX as u64),
        };
        let opened = Self {
            closer: Arc::new(Closer(Arc::new(Gate {
                state: Mutex::new(state),
                failure: OnceLock::new(),
            }))),
        };
        let (done, synced) = mpsc::sync_channel(1);
        opened.sync(Box::new(move |result| {
            // The receiver waits below.
            let _ = done.send(result);
        }));
        synced.recv().map_err(io::Error::other)??;
        Ok(opened)
    }

    fn gate(&self) -> &Arc<Gate> {
        &self.closer.0
    }

    /// A way to look at the log's syncs that does not keep it open.
    pub(crate) fn gauge(&self) -> LogGauge {
        LogGauge(Arc::downgrade(self.gate()))
    }

    /// One entry, under a lock of its own: an append must not wait while a follower that was away is sent a file.
    fn entry(&self, index: u64) -> io::Result<LogEntry> {
        let gate = self.gate();
        let mut state = gate.lock();
        let log = gate.open(&mut state.log)?;
        let entry = log.read(index, index + 1).next();
        let (log_id, payload) = entry.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("log entry {index} is not in the log"),
            )
        })??;
        Ok(LogEntry {
            log_id: log_id.0,
            payload: payload.0,
        })
    }
}

fn config(directory: &Path, file_bytes_max: usize) -> Config {
    let mut config = Config::new(directory.display());
    config.log_cache_capacity = Some(CACHE_BYTES_MAX);
    config.wal.chunk_max_size = Some(file_bytes_max);
    config.wal.read_buffer_size = Some(FILE_BYTES_MAX);
    config.wal.flush_batch_wait = Some(Duration::ZERO);
    config.wal.flush_queue_max_bytes = Some(QUEUE_BYTES_MAX);
    config
}

/// Size of all files in a directory.
fn files_bytes(disk: &Disk, directory: &Path) -> io::Result<u64> {
    let files = disk.list(directory)?;
    let bytes = files.iter().map(|file| Ok(std::fs::metadata(file)?.len()));
    bytes.sum()
}

/// The crate would take the entries in front of a hole before it finds that.
fn without_hole(entries: &[LogEntry]) -> io::Result<()> {
    let follow = |pair: &[LogEntry]| pair[1].log_id.index == pair[0].log_id.index + 1;
    if entries.windows(2).all(follow) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "entries to append leave a hole",
    ))
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

impl Gate {
    fn lock(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on the log. A failure that the disk caused is final; one that refuses the call (a vote that goes
    /// back, an entry that leaves a hole: the crate says so before it writes anything) changes nothing.
    fn work<T>(
        &self,
        state: &mut GateState,
        work: impl FnOnce(&mut RaftLog<Records>, &mut Recent) -> io::Result<T>,
    ) -> io::Result<T> {
        let done = work(self.open(&mut state.log)?, &mut state.recent);
        if let Err(error) = &done
            && error.kind() != io::ErrorKind::InvalidInput
        {
            self.fail(error);
        }
        done
    }

    /// Runs `work`, then asks for a flush if none is under way.
    fn write(
        self: &Arc<Self>,
        work: impl FnOnce(&mut RaftLog<Records>, &mut Recent) -> io::Result<()>,
        wait: impl FnOnce(&mut Unflushed),
    ) -> io::Result<()> {
        let mut state = self.lock();
        self.work(&mut state, work)?;
        wait(&mut state.waiting);
        self.flush(&mut state);
        Ok(())
    }

    /// The log, unless it failed or was closed.
    fn open<'s>(&self, log: &'s mut Option<RaftLog<Records>>) -> io::Result<&'s mut RaftLog<Records>> {
        if let Some((kind, sentence)) = self.failure.get() {
            return Err(io::Error::new(*kind, sentence.clone()));
        }
        log.as_mut().ok_or_else(|| io::Error::other("the log is closed"))
    }

    fn fail(&self, error: &io::Error) {
        self.failure.get_or_init(|| {
            (
                error.kind(),
                format!("an earlier write to the log failed: {error}"),
            )
        });
    }

    fn flush(self: &Arc<Self>, state: &mut GateState) {
        if state.flushing || state.waiting.is_empty() || self.failure.get().is_some() {
            return;
        }
        let Some(log) = state.log.as_mut() else { return };
        let waiting = std::mem::take(&mut state.waiting);
        let gate = Arc::downgrade(self);
        let asked = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&asked);
        let done = Flushed::new(move |result| match result {
            Some(result) => ended(&gate, waiting, &result),
            None => lost(&gate, waiting, seen.load(Ordering::Acquire)),
        });
        state.flushing = true;
        if let Err(error) = log.flush(true, Some(done)) {
            self.fail(&error);
        }
        asked.store(true, Ordering::Release);
    }
}

/// A flush ended: starts the next one first, so that the disk never waits for those who are told.
fn ended(gate: &Weak<Gate>, waiting: Unflushed, result: &io::Result<()>) {
    let mut late = Unflushed::default();
    if let Some(gate) = gate.upgrade() {
        let mut state = gate.lock();
        state.flushing = false;
        match result {
            Ok(()) => gate.flush(&mut state),
            Err(error) => {
                gate.fail(error);
                late = std::mem::take(&mut state.waiting);
            }
        }
    }
    waiting.tell(result);
    late.tell(result);
}

/// A flush will never end. While it is still being asked for, the lock is held and nobody else waits yet.
fn lost(gate: &Weak<Gate>, waiting: Unflushed, asked: bool) {
    let error = io::Error::new(io::ErrorKind::BrokenPipe, "the log's thread has ended");
    let mut late = Unflushed::default();
    if let Some(gate) = gate.upgrade() {
        gate.fail(&error);
        if asked {
            late = std::mem::take(&mut gate.lock().waiting);
        }
    }
    let result = Err(error);
    waiting.tell(&result);
    late.tell(&result);
}

impl GateState {
    fn read<T>(&self, look: impl FnOnce(&RaftLog<Records>) -> T) -> Option<T> {
        self.log.as_ref().map(look)
    }
}

impl Unflushed {
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

impl std::fmt::Debug for GateState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("GateState")
            .field("open", &self.log.is_some())
            .field("flushing", &self.flushing)
            .finish_non_exhaustive()
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        let log = {
            let mut state = self.0.lock();
            let log = state.log.take();
            // Those who still wait are told nothing: their process is going down.
            state.waiting = Unflushed::default();
            log
        };
        drop(log);
    }
}

impl Log for FileLog {
    fn bounds(&self) -> LogBounds {
        let bounds = self.gate().lock().read(|log| {
            let state = log.log_state();
            LogBounds {
                purged: state.purged().map(|id| id.0),
                last: state.last().or(state.purged()).map(|id| id.0),
            }
        });
        bounds.unwrap_or_default()
    }

    fn vote(&self) -> Option<Vote> {
        self.gate()
            .lock()
            .read(|log| log.log_state().vote().map(|vote| vote.0))
            .flatten()
    }

    fn committed(&self) -> Option<LogId> {
        self.gate()
            .lock()
            .read(|log| log.log_state().committed().map(|id| id.0))
            .flatten()
    }

    fn save_vote(&self, vote: Vote, done: Completion) {
        let mut done = Some(done);
        let saved = self.gate().write(
            |log, _| log.save_vote(StoredVote(vote)).map(drop),
            |waiting| waiting.others.extend(done.take()),
        );
        if let (Err(error), Some(done)) = (saved, done) {
            done(Err(error));
        }
    }

    fn save_committed(&self, committed: LogId) -> io::Result<()> {
        let gate = self.gate();
        gate.work(&mut gate.lock(), |log, _| {
            let known = log.log_state();
            let hint = known.last().map_or(committed, |last| committed.min(last.0));
            let is_news = known.last().is_some() && known.committed().is_none_or(|earlier| earlier.0 < hint);
            if is_news {
                log.commit(StoredLogId(hint)).map(drop)
            } else {
                Ok(())
            }
        })
    }

    fn append(&self, entries: Vec<LogEntry>, done: Completion) -> io::Result<()> {
        without_hole(&entries)?;
        self.gate().write(
            |log, recent| {
                for LogEntry { log_id, payload } in entries {
                    let bytes = payload.bytes();
                    log.append([(StoredLogId(log_id), StoredPayload(payload))])?;
                    recent.appended(log_id.index, bytes);
                }
                Ok(())
            },
            |waiting| waiting.append = Some(done),
        )
    }

    fn read(&self, range: Range<u64>, bytes_max: u64) -> io::Result<Vec<LogEntry>> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        for index in range {
            let entry = self.entry(index)?;
            bytes += entry.payload.bytes();
            if bytes > bytes_max && !entries.is_empty() {
                break;
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    fn in_memory(&self, index: u64) -> bool {
        self.gate().lock().recent.holds(index)
    }

    fn truncate_after(&self, last: Option<u64>) -> io::Result<()> {
        let gate = self.gate();
        gate.work(&mut gate.lock(), |log, recent| {
            let first_gone = last.map_or(0, |last| last + 1);
            let end = log.log_state().last().map_or(0, |last| last.0.index + 1);
            if first_gone < end {
                log.truncate(first_gone)?;
                recent.truncated(first_gone);
            }
            Ok(())
        })
    }

    fn purge_to(&self, upto: LogId) -> io::Result<()> {
        self.gate().write(
            |log, _| log.purge(StoredLogId(upto)).map(drop),
            |waiting| waiting.others.push(Box::new(|_| ())),
        )
    }

    fn sync(&self, done: Completion) {
        let mut done = Some(done);
        let asked = self
            .gate()
            .write(|_, _| Ok(()), |waiting| waiting.others.extend(done.take()));
        if let (Err(error), Some(done)) = (asked, done) {
            done(Err(error));
        }
    }
}

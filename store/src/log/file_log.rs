//! The durable log in files, as its callers have it: changes are made in memory at once, and brought to the disk by two
//! threads of the log's own.
//!
//! No caller waits for the disk, but for one that reads what is not in memory. **Failure is final.** After a failed write or
//! sync nobody knows what the disk holds, and asking again may be answered with a lie; so every later call fails with the
//! first failure, and the node stops.
//!
//! Left out: what the threads do (`writer`, `housekeeping`), and what an opened directory means (`recovery`).

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::disk::Disk;

use super::contents::{Place, refused};
use super::core::{Core, Progress, Worker};
use super::gauge::LogGauge;
use super::housekeeping::Housekeeper;
use super::opening::{self, LogSetup, OpenedLog};
use super::reading;
use super::record::Record;
use super::segment::entry_bytes_max;
use super::types::{Completion, Log, LogBounds, LogEntry, LogId, LogState, Vote};
use super::writer::LogWriter;

/// How long the housekeeper waits between two pieces of work that nobody waits for: as long as a piece takes, so that the
/// writer has the disk at least every other moment.
const PAUSE: Duration = Duration::from_millis(1);

/// How often the housekeeper looks whether a disk that was full has room again: as often as anybody looks at the disk.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long whoever gives up the log waits for what is still to be written: a disk that hangs must not keep a process that
/// ends. Ten times the slowest sync that is still called slow.
pub(super) const CLOSES_WITHIN: Duration = Duration::from_secs(10);

/// A log in a directory. Clones share it; the last one dropped closes it after what waits is on disk.
#[derive(Clone, Debug)]
pub(crate) struct FileLog {
    closer: Arc<Closer>,
}

/// Closes the log when its last holder gives it up.
struct Closer {
    core: Arc<Core>,
    setup: LogSetup,
    /// The log's threads; none if a test drives the workers.
    threads: Vec<ThreadId>,
}

impl FileLog {
    /// Opens or creates the log in `directory`. Reads all of it: not for a runtime's thread. What the log holds on return is
    /// durable. `lock` is what keeps others out of the directory: it is held until the log's threads have ended.
    ///
    /// A torn tail, which a crash in the middle of a write leaves, is cut: nothing in it was ever acknowledged.
    ///
    /// # Errors
    /// The disk failed; or the log is damaged elsewhere than at its end or has lost a part ([`io::ErrorKind::InvalidData`]);
    /// or a later release wrote it ([`io::ErrorKind::Unsupported`]).
    pub(crate) fn open(
        disk: &Disk,
        directory: &Path,
        setup: LogSetup,
        lock: Option<Arc<File>>,
    ) -> io::Result<Self> {
        let OpenedLog {
            core,
            writer,
            mut housekeeper,
        } = opening::open(disk, directory, setup)?;
        // A new log has a segment before anybody writes, and says here that there is no room for one.
        while core.lock().segments.is_empty() {
            if housekeeper.step() == Progress::None {
                return Err(core
                    .usable()
                    .err()
                    .unwrap_or_else(|| io::ErrorKind::StorageFull.into()));
            }
        }
        let (to_write, to_keep) = ((Arc::clone(&core), lock.clone()), (Arc::clone(&core), lock));
        let threads = vec![
            spawn("log", to_write, move |core| write(core, writer))?,
            spawn("log segments", to_keep, move |core| keep(core, housekeeper))?,
        ];
        Ok(Self::over(core, setup, threads))
    }

    /// The log that these workers' core belongs to; with no threads, whoever has the workers drives them.
    pub(super) fn over(core: Arc<Core>, setup: LogSetup, threads: Vec<ThreadId>) -> Self {
        Self {
            closer: Arc::new(Closer { core, setup, threads }),
        }
    }

    fn core(&self) -> &Core {
        &self.closer.core
    }

    /// A way to look at the log that does not keep it open.
    pub(crate) fn gauge(&self) -> LogGauge {
        LogGauge::over(Arc::clone(&self.core().figures))
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.core.close();
        // One who gives up the log while being told of a write is the log's own thread, and cannot wait for itself.
        let is_own = self.threads.contains(&thread::current().id());
        if !self.threads.is_empty() && !is_own && !self.core.figures.is_given_up() {
            self.core.wait_until_over(CLOSES_WITHIN);
        }
    }
}

impl fmt::Debug for Closer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FileLog").finish_non_exhaustive()
    }
}

/// Starts a thread that works for a core, and holds what keeps others out until it is done.
fn spawn(
    name: &str,
    (core, lock): (Arc<Core>, Option<Arc<File>>),
    work: impl FnOnce(&Core) -> Worker + Send + 'static,
) -> io::Result<ThreadId> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let worker = work(&core);
        drop(lock);
        core.over(worker);
    })?;
    Ok(thread.thread().id())
}

/// The writer's thread.
fn write(core: &Core, mut writer: LogWriter) -> Worker {
    loop {
        let known = core.news(Worker::Writer);
        if writer.step() == Progress::None && !core.wait(Worker::Writer, known, None) {
            break;
        }
    }
    if let Err(error) = writer.close() {
        tracing::warn!(%error, "the log could not be closed with a mark");
    }
    Worker::Writer
}

/// The housekeeper's thread.
fn keep(core: &Core, mut housekeeper: Housekeeper) -> Worker {
    loop {
        let known = core.news(Worker::Housekeeper);
        let most = match housekeeper.step() {
            Progress::Made => continue,
            Progress::Paced => PAUSE,
            Progress::None => LOOK_AGAIN,
        };
        if !core.wait(Worker::Housekeeper, known, Some(most)) {
            break;
        }
        if most == LOOK_AGAIN {
            housekeeper.look_again();
        }
    }
    // What it was making goes with it, before anybody is told that it has ended and may make the same.
    Worker::Housekeeper
}

/// Entries that leave a hole, or that no segment has room for, are refused before any of them is taken.
fn acceptable(entries: &[LogEntry], segment_bytes: u64) -> io::Result<()> {
    let follow = |pair: &[LogEntry]| pair[1].log_id.index == pair[0].log_id.index + 1;
    if !entries.windows(2).all(follow) {
        return Err(refused("entries to append leave a hole"));
    }
    let bytes_max = entry_bytes_max(segment_bytes);
    if entries.iter().any(|entry| entry.payload.bytes() > bytes_max) {
        return Err(refused("an entry is larger than the log takes"));
    }
    Ok(())
}

impl Log for FileLog {
    fn bounds(&self) -> LogBounds {
        let LogState { purged, last, .. } = self.core().lock().contents.state();
        LogBounds { purged, last }
    }

    fn vote(&self) -> Option<Vote> {
        self.core().lock().contents.state().vote
    }

    fn committed(&self) -> Option<LogId> {
        self.core().lock().contents.state().committed
    }

    fn durable_up_to(&self, index: u64) -> Option<LogId> {
        let state = self.core().lock();
        let LogState { purged, last, .. } = state.durable;
        let upto = index.min(last?.index);
        let stands = state.contents.is_written(upto);
        let held = state.contents.id(upto).filter(|_| stands);
        held.or(purged.filter(|purged| purged.index <= upto))
    }

    fn save_vote(&self, vote: Vote, done: Completion) {
        let core = self.core();
        let mut done = Some(done);
        let saved = core.usable().and_then(|mut state| {
            state.contents.vote(vote)?;
            state.queue(Record::Vote(vote));
            state.ask(core, true, |waiting| waiting.others.extend(done.take()));
            Ok(())
        });
        if let (Err(error), Some(done)) = (saved, done) {
            done(Err(error));
        }
    }

    fn save_committed(&self, committed: LogId) -> io::Result<()> {
        let mut state = self.core().usable()?;
        if let Some(hint) = state.contents.commit(committed) {
            state.queue(Record::Committed(hint));
        }
        Ok(())
    }

    fn append(&self, entries: Vec<LogEntry>, done: Completion) -> io::Result<()> {
        acceptable(&entries, self.closer.setup.segment_bytes)?;
        let core = self.core();
        let mut state = core.usable()?;
        for entry in entries {
            let serial = state.next_serial();
            state.contents.append(entry.log_id, Place::Queued(serial))?;
            state.recent.appended(entry.clone());
            state.queue_entry(entry);
        }
        state.ask(core, true, |waiting| waiting.append = Some(done));
        Ok(())
    }

    fn read(&self, range: Range<u64>, bytes_max: u64) -> io::Result<Vec<LogEntry>> {
        let first = range.start;
        let planned = reading::plan(&*self.core().usable()?, range, bytes_max)?;
        reading::fetch(planned, self.closer.setup.understood).map_err(|error| {
            let is_gone = self.core().lock().contents.place(first).is_none();
            if is_gone { reading::missing(first) } else { error }
        })
    }

    fn in_memory(&self, index: u64) -> bool {
        self.core().lock().recent.get(index).is_some()
    }

    fn truncate_after(&self, last: Option<u64>) -> io::Result<()> {
        let mut state = self.core().usable()?;
        let first_gone = last.map_or(0, |last| last + 1);
        if first_gone < state.contents.next() {
            state.contents.may_truncate_after(last)?;
            let kept = state.contents.last_up_to(last);
            state.contents.truncate_after(kept);
            state.recent.truncated(first_gone);
            state.queue(Record::Truncate(kept));
        }
        Ok(())
    }

    fn purge_to(&self, upto: LogId) -> io::Result<()> {
        let core = self.core();
        let mut state = core.usable()?;
        if state.contents.purge_to(upto) {
            state.recent.purged(upto.index);
            state.queue(Record::Purge(upto));
            state.ask(core, false, |_| ());
        }
        Ok(())
    }
}

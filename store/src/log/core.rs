//! What the callers of a log and its two workers share: the state in memory, the queue, and who waits.
//!
//! Callers change the state and queue what they changed; the *writer* takes all that waits and brings it to the disk; the
//! *housekeeper* keeps a segment ready for it and takes away those that are not needed. Nobody touches the disk while
//! holding the lock here: so no caller ever waits for it.
//!
//! Invariants: what is queued is in the order in which it was seen; the first failure stays, and after it nothing is taken
//! and nobody is told success.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::disk::DeviceFile;
use crate::runtime;

use super::contents::Contents;
use super::gauge::Figures;
use super::manifest::NamedSegment;
use super::recent::{RECENT_BYTES_MAX, Recent};
use super::record::{Record, Seal};
use super::segment::Extent;
use super::types::{Completion, LogEntry, LogState};

/// A segment's file in one use.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// Whose it is.
    pub(super) seal: Seal,
    /// Its size in bytes.
    pub(super) bytes: u64,
    /// The file; a use that ended may still be read by whoever began to.
    pub(super) file: Arc<dyn DeviceFile>,
}

/// A segment that the manifest names.
#[derive(Clone, Debug)]
pub(super) struct SegmentInUse {
    /// The segment.
    pub(super) segment: Segment,
    /// Index of the entry that comes first in it; none before something is written to it.
    pub(super) first: Option<u64>,
}

impl SegmentInUse {
    /// As the manifest names it.
    pub(super) fn named(&self) -> NamedSegment {
        let Seal {
            number, generation, ..
        } = self.segment.seal;
        NamedSegment {
            number,
            generation,
            first: self.first,
        }
    }
}

/// What a worker that was asked to go on says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It did something, and may have more to do.
    Made,
    /// It did a piece of something that is not urgent.
    Paced,
    /// There is nothing that it could do before something changes.
    None,
}

/// One write that waits for the disk.
#[derive(Debug)]
pub(super) struct Change {
    /// What is to be written.
    pub(super) record: Record,
    /// An entry's number among all appends.
    pub(super) serial: u64,
}

/// Who is told when what was written before is durable.
#[derive(Default)]
pub(super) struct Unsynced {
    /// The newest append: it stands for all before it.
    pub(super) append: Option<Completion>,
    /// Votes, which are each answered.
    pub(super) others: Vec<Completion>,
}

/// What the writer took from the queue.
pub(super) struct Taken {
    /// What is still to be written.
    pub(super) changes: VecDeque<Change>,
    waiting: Unsynced,
}

/// The shared part of an open log.
pub(super) struct Core {
    state: Mutex<CoreState>,
    /// The writer has news.
    to_write: Condvar,
    /// The housekeeper has news.
    to_keep: Condvar,
    /// A worker has ended.
    ended: Condvar,
    /// The first failure. Outside of the lock, so that whoever only asks for it waits for nobody.
    failure: OnceLock<(io::ErrorKind, String)>,
    /// Where it counts.
    pub(super) figures: Arc<Figures>,
}

/// What is under the lock.
pub(super) struct CoreState {
    /// What the log holds, as its callers see it.
    pub(super) contents: Contents,
    /// The newest entries.
    pub(super) recent: Recent,
    queue: VecDeque<Change>,
    waiting: Unsynced,
    /// Whether somebody waits for what is queued, or it frees something.
    is_due: bool,
    /// Bytes of entries that are queued, and of those that the writer took.
    queued: (u64, u64),
    /// Since when the oldest append or vote is queued, and that of what the writer took.
    since: (Option<Instant>, Option<Instant>),
    /// How many entries were ever appended.
    serial: u64,
    /// What is durable.
    pub(super) durable: LogState,
    /// The segments in use, oldest first. The last one may be named ahead of its use.
    pub(super) segments: VecDeque<SegmentInUse>,
    /// Whether the writer waits for a segment.
    pub(super) starves: bool,
    /// Since when it does because the disk has no room for one.
    lacks_room: Option<Instant>,
    /// Whether the log's holder has given it up.
    closed: bool,
    /// How much news each worker had, so that none comes between looking and waiting.
    news: [u64; 2],
    /// Which workers have ended.
    over: [bool; 2],
}

/// Those who do a log's work on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worker {
    /// See [`super::writer`].
    Writer,
    /// See [`super::housekeeping`].
    Housekeeper,
}

impl Core {
    /// Of a log that was opened: what it holds, its segments, and where it counts.
    pub(super) fn new(contents: Contents, segments: VecDeque<SegmentInUse>, figures: Figures) -> Self {
        let state = CoreState {
            durable: contents.state(),
            contents,
            recent: Recent::new(RECENT_BYTES_MAX),
            queue: VecDeque::new(),
            waiting: Unsynced::default(),
            is_due: false,
            queued: (0, 0),
            since: (None, None),
            serial: 0,
            segments,
            starves: false,
            lacks_room: None,
            closed: false,
            news: [0; 2],
            over: [false; 2],
        };
        Self {
            state: Mutex::new(state),
            to_write: Condvar::new(),
            to_keep: Condvar::new(),
            ended: Condvar::new(),
            failure: OnceLock::new(),
            figures: Arc::new(figures),
        }
    }

    /// The state.
    pub(super) fn lock(&self) -> MutexGuard<'_, CoreState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of a log that did not fail.
    pub(super) fn usable(&self) -> io::Result<MutexGuard<'_, CoreState>> {
        // A failure is said before those who wait are told: whoever finds none under the lock will be among them.
        let state = self.lock();
        self.failure().map_or(Ok(state), Err)
    }

    /// The failure that ended the log.
    fn failure(&self) -> Option<io::Error> {
        let (kind, sentence) = self.failure.get()?;
        Some(io::Error::new(*kind, sentence.clone()))
    }

    /// Whether a write or sync failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    /// Ends the log: everybody who waits in the queue is told why, as is everybody who comes.
    pub(super) fn fail(&self, error: &io::Error) {
        self.failure.get_or_init(|| {
            (
                error.kind(),
                format!("an earlier write to the log failed: {error}"),
            )
        });
        let late = {
            let mut state = self.lock();
            state.queue.clear();
            state.starves = false;
            mem::take(&mut state.waiting)
        };
        self.wake();
        late.tell(&Err(error));
    }

    /// Tells those whose changes were taken that they will never be durable.
    pub(super) fn refuse(&self, taken: Taken) {
        let error = self
            .failure()
            .unwrap_or_else(|| io::Error::other("the log has ended"));
        taken.waiting.tell(&Err(&error));
    }

    /// The log's holder gives it up: what is queued is still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.figures.close();
        self.wake();
    }

    fn wake(&self) {
        let mut state = self.lock();
        self.tell(&mut state, Worker::Writer);
        self.tell(&mut state, Worker::Housekeeper);
    }

    fn tell(&self, state: &mut CoreState, worker: Worker) {
        state.news[worker as usize] += 1;
        match worker {
            Worker::Writer => self.to_write.notify_one(),
            Worker::Housekeeper => self.to_keep.notify_one(),
        }
    }

    /// How much news a worker had so far.
    pub(super) fn news(&self, worker: Worker) -> u64 {
        self.lock().news[worker as usize]
    }

    /// Waits until a worker has other news than these, or for so long. Says whether the worker is needed any more.
    pub(super) fn wait(&self, worker: Worker, known: u64, most: Option<Duration>) -> bool {
        let condition = match worker {
            Worker::Writer => &self.to_write,
            Worker::Housekeeper => &self.to_keep,
        };
        let is_over = |state: &CoreState| match worker {
            // Whoever gives up the log does not wait for somebody to make room.
            Worker::Writer => state.closed && (!state.starves || state.lacks_room.is_some()),
            Worker::Housekeeper => state.over[Worker::Writer as usize],
        };
        let quiet = |state: &mut CoreState| state.news[worker as usize] == known && !is_over(state);
        let state = self.lock();
        let state = match most {
            None => condition
                .wait_while(state, quiet)
                .unwrap_or_else(PoisonError::into_inner),
            Some(most) => {
                let waited = condition.wait_timeout_while(state, most, quiet);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        !is_over(&state) || state.news[worker as usize] != known
    }

    /// A worker does nothing any more.
    pub(super) fn over(&self, worker: Worker) {
        self.lock().over[worker as usize] = true;
        self.ended.notify_all();
        self.wake();
    }

    /// Waits until both workers are over, at most so long.
    pub(super) fn wait_until_over(&self, most: Duration) {
        let waited = self
            .ended
            .wait_timeout_while(self.lock(), most, |state| state.over.contains(&false));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// All that waits, if somebody waits for it.
    pub(super) fn take(&self) -> Option<Taken> {
        let mut state = self.lock();
        if !state.is_due && !state.closed {
            return None;
        }
        if state.queue.is_empty() && state.waiting.is_empty() {
            return None;
        }
        state.is_due = false;
        state.queued.1 = mem::take(&mut state.queued.0);
        state.since.1 = state.since.0.take();
        Some(Taken {
            changes: mem::take(&mut state.queue),
            waiting: mem::take(&mut state.waiting),
        })
    }

    /// Everything that was taken is durable.
    pub(super) fn settled(&self, taken: Taken) {
        {
            let mut state = self.lock();
            state.queued.1 = 0;
            state.since.1 = None;
            state.count(&self.figures);
        }
        taken.waiting.tell(&Ok(()));
    }

    /// The segment that is ready and was not begun yet, to be begun with this entry; none if there is none, and then the
    /// housekeeper hurries.
    pub(super) fn begin_segment(&self, first: u64) -> Option<Segment> {
        let mut state = self.lock();
        let ready = state.segments.back_mut().filter(|last| last.first.is_none());
        let segment = ready.map(|ready| {
            ready.first = Some(first);
            ready.segment.clone()
        });
        // Told once: each of the two that woke the other whenever it looks in vain would keep both busy for nothing.
        let knows = mem::replace(&mut state.starves, segment.is_none());
        if segment.is_some() || !knows {
            self.tell(&mut state, Worker::Housekeeper);
        }
        segment
    }

    /// A segment is named, and the writer may begin it.
    pub(super) fn ready(&self, segment: SegmentInUse) {
        let mut state = self.lock();
        state.segments.push_back(segment);
        state.starves = false;
        state.has_room(&self.figures);
        self.tell(&mut state, Worker::Writer);
    }

    /// The writer waits for a segment for which the disk has no room: nothing is lost, and nothing becomes durable.
    pub(super) fn lacks_room(&self) {
        let mut state = self.lock();
        if state.lacks_room.is_none() {
            let now = runtime::now();
            state.lacks_room = Some(now);
            self.figures.lacks_room(Some(now));
            self.tell(&mut state, Worker::Writer);
        }
    }

    /// So many segments, the oldest, are named no longer.
    pub(super) fn forget(&self, count: usize) {
        self.lock().segments.drain(..count);
    }

    /// A group is durable: these entries, by index and serial, stand there in this use of a segment, and the log comes to
    /// this.
    pub(super) fn written(&self, entries: &[((u64, u64), Extent)], generation: u64, durable: LogState) {
        let mut state = self.lock();
        let CoreState { contents, recent, .. } = &mut *state;
        for (entry, extent) in entries {
            contents.written(*entry, generation, *extent);
        }
        recent.make_room(|index| contents.is_written(index));
        let has_purged = state.durable.purged != durable.purged;
        state.durable = durable;
        if has_purged {
            self.figures.purged();
            self.tell(&mut state, Worker::Housekeeper);
        }
    }
}

impl CoreState {
    /// Queues a change that was made, for the next group that somebody waits for.
    pub(super) fn queue(&mut self, record: Record) {
        let serial = self.serial;
        self.queue.push_back(Change { record, serial });
    }

    /// Queues an entry that was taken into the contents under this serial.
    pub(super) fn queue_entry(&mut self, entry: LogEntry) {
        self.queued.0 += entry.payload.bytes();
        self.queue(Record::Entry(entry));
    }

    /// The number of the next append.
    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// What is queued is to be written: it is an append or a vote, for which a majority waits, or another change. `wait`
    /// says who is to be told.
    pub(super) fn ask(&mut self, core: &Core, is_awaited: bool, wait: impl FnOnce(&mut Unsynced)) {
        wait(&mut self.waiting);
        self.is_due = true;
        if is_awaited && self.since.0.is_none() {
            self.since.0 = Some(runtime::now());
        }
        self.count(&core.figures);
        core.tell(self, Worker::Writer);
    }

    /// The segment that is in this use.
    pub(super) fn segment(&self, generation: u64) -> Option<Segment> {
        let mut segments = self.segments.iter().map(|in_use| &in_use.segment);
        segments
            .find(|segment| segment.seal.generation == generation)
            .cloned()
    }

    /// There is room. What waited for it waits for the disk from now on: a disk that had none did not hang, and must not be
    /// taken for one that does in the moment before it has written what was held up.
    fn has_room(&mut self, figures: &Figures) {
        if self.lacks_room.take().is_some() {
            let now = Some(runtime::now());
            self.since = (self.since.0.and(now), self.since.1.and(now));
            self.count(figures);
            figures.lacks_room(None);
        }
    }

    fn count(&self, figures: &Figures) {
        figures.waits(self.queued.0 + self.queued.1, self.since.1.or(self.since.0));
    }
}

impl Unsynced {
    fn is_empty(&self) -> bool {
        self.append.is_none() && self.others.is_empty()
    }

    fn tell(self, result: &Result<(), &io::Error>) {
        for done in self.append.into_iter().chain(self.others) {
            done(result.map_err(|error| io::Error::new(error.kind(), error.to_string())));
        }
    }
}

//! The fault-injecting twin of a log: any log, with a page cache above it that a test can delay, hang, fail, fill, make
//! lie, and lose.
//!
//! The log below is the disk: what reaches it is durable. What is written waits above it, in memory, and is read from
//! there; a sync brings it down, on a thread of its own as our log over files has one, a crowd sharing each. A process
//! that ends brings down all, as a kernel does; a power cut nothing, or a first part ([`crate::faults`]). So the log below
//! never holds what an honest disk could not hold after the same cut, and a node that is started over it meets exactly that.
//!
//! Invariants: the contract of [`Log`] in every state of the faults but [`Faults::lie`], which is the control; nothing is
//! told success that the log below has not synced. Left out: bytes. Torn records are shown over the files themselves.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::faults::{Faults, Kind, Life, Operation, no_room, power_is_cut};

use super::types::{Completion, Log, LogBounds, LogEntry, LogId, Vote};

/// A log with faults. The last one who gives it up waits until what it wrote is below.
pub(crate) struct FaultyLog {
    cache: Arc<Cache>,
    syncing: Option<JoinHandle<()>>,
}

struct Cache {
    pages: Mutex<Pages>,
    news: Condvar,
    life: Life,
    /// Whether the process that held it has ended.
    closed: AtomicBool,
}

struct Pages {
    seen: Contents,
    /// Entries before this one were found and are not in memory.
    found_end: u64,
    unsynced: VecDeque<Write>,
    /// Whether somebody waits for a sync.
    wanted: bool,
    /// The first failure, which is final.
    failure: Option<(io::ErrorKind, String)>,
}

struct Write {
    change: Change,
    done: Option<Completion>,
}

enum Change {
    Vote(Vote),
    Append(Vec<LogEntry>),
    Truncate(Option<u64>),
    Purge(LogId),
    Hint(LogId),
    /// A sync, which changes nothing.
    Nothing,
}

/// What whoever reads the log sees.
struct Contents {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    entries: VecDeque<LogEntry>,
}

impl FaultyLog {
    /// Over a log that is on disk, for the present life of these devices. Reads all of it.
    pub(crate) fn over(below: Arc<dyn Log>, faults: &Faults) -> io::Result<Self> {
        let seen = Contents::of(&*below)?;
        let cache = Arc::new(Cache {
            pages: Mutex::new(Pages {
                found_end: seen.next_index(),
                seen,
                unsynced: VecDeque::new(),
                wanted: false,
                failure: None,
            }),
            news: Condvar::new(),
            life: faults.life(),
            closed: AtomicBool::new(false),
        });
        let at_cut = Arc::downgrade(&cache);
        cache.life.at_cut(move |_| {
            if let Some(cache) = at_cut.upgrade() {
                cache.wake();
            }
        });
        let syncing = Arc::clone(&cache);
        let thread = std::thread::Builder::new().name("faulty log".to_owned());
        Ok(Self {
            cache,
            syncing: Some(thread.spawn(move || syncing.run(&*below))?),
        })
    }
}

impl Drop for FaultyLog {
    fn drop(&mut self) {
        self.cache.closed.store(true, Ordering::SeqCst);
        self.cache.wake();
        self.cache.life.disturb();
        if let Some(syncing) = self.syncing.take() {
            syncing.join().expect("the faulty log's thread does not panic");
        }
    }
}

impl Cache {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn wake(&self) {
        // The lock orders this behind whatever the syncing thread looked at last.
        drop(self.pages());
        self.news.notify_all();
    }

    /// Whether there is nobody left to sync for.
    fn is_over(&self) -> bool {
        self.is_closed() || self.life.cut().is_some()
    }

    fn meet(&self, kind: Kind, operation: Operation) -> io::Result<()> {
        self.life.meet(kind, operation, || self.is_closed())
    }

    fn usable(&self, pages: &Pages) -> io::Result<()> {
        if self.life.cut().is_some() {
            return Err(power_is_cut());
        }
        match &pages.failure {
            Some((kind, sentence)) => Err(io::Error::new(*kind, sentence.clone())),
            None => Ok(()),
        }
    }

    /// Brings down what is written whenever somebody waits for it, until the log is closed, cut off or broken.
    fn run(&self, below: &dyn Log) {
        loop {
            let (group, kinds) = {
                let mut pages = self.pages();
                while !pages.wanted && !self.is_over() {
                    pages = self.news.wait(pages).unwrap_or_else(PoisonError::into_inner);
                }
                if self.is_over() {
                    break;
                }
                pages.wanted = false;
                (pages.unsynced.len(), kinds(&pages.unsynced))
            };
            let met = kinds
                .into_iter()
                .try_for_each(|kind| self.meet(kind, Operation::Sync));
            if self.is_over() {
                break;
            }
            let group: Vec<Write> = self.pages().unsynced.drain(..group).collect();
            let result = met.and_then(|()| bring_down(below, &group));
            self.ended(group, &result);
        }
        self.stopped(below);
    }

    /// A sync ended: tells those who waited for it, and everybody if it failed.
    fn ended(&self, mut group: Vec<Write>, result: &io::Result<()>) {
        if let Err(error) = result {
            let mut pages = self.pages();
            pages.fail(error);
            group.extend(pages.unsynced.drain(..));
        }
        tell(group, result);
    }

    /// The process is gone, or the power.
    fn stopped(&self, below: &dyn Log) {
        let mut rest = std::mem::take(&mut self.pages().unsynced);
        // What a process wrote outlives it, also if its disk hangs just then.
        let cut = self.life.cut();
        let stays = cut.map_or(rest.len(), |leftover| leftover.of(rest.len()));
        let mut lost = rest.split_off(stays);
        if let Some(leftover) = cut
            && let Some(Write {
                change: Change::Append(entries),
                ..
            }) = lost.front_mut()
        {
            let done = None;
            entries.truncate(leftover.of(entries.len()));
            let change = Change::Append(std::mem::take(entries));
            rest.push_back(Write { change, done });
        }
        let mut rest = Vec::from(rest);
        // A log below that is broken as well keeps nothing, as a broken disk does.
        let _ = bring_down(below, &rest);
        if cut.is_some() {
            rest.extend(lost);
            tell(rest, &Err(power_is_cut()));
        }
    }

    /// One write: looks at the log as it is seen, changes that, and leaves the rest to the next sync.
    fn write(
        &self,
        kind: Kind,
        change: impl FnOnce(&mut Pages) -> io::Result<Option<Change>>,
        done: Option<Completion>,
    ) -> Result<(), (io::Error, Option<Completion>)> {
        let met = self.meet(kind, Operation::Write);
        let mut pages = self.pages();
        let usable = self.usable(&pages).and(met);
        let change = match usable.and_then(|()| change(&mut pages)) {
            Ok(Some(change)) => change,
            Ok(None) => return Ok(()),
            Err(error) => {
                if error.kind() != io::ErrorKind::InvalidInput {
                    pages.fail(&error);
                }
                return Err((error, done));
            }
        };
        let lies = self.life.lies();
        let (early, done) = if lies { (done, None) } else { (None, done) };
        // A purge is waited for by nobody, and brought down at once.
        pages.wanted |= done.is_some() || (!lies && matches!(change, Change::Purge(_)));
        pages.unsynced.push_back(Write { change, done });
        drop(pages);
        self.news.notify_all();
        if let Some(done) = early {
            done(Ok(()));
        }
        Ok(())
    }
}

/// Whose faults a group meets.
fn kinds(group: &VecDeque<Write>) -> Vec<Kind> {
    let votes = |write: &&Write| matches!(write.change, Change::Vote(_));
    let voted = group.iter().filter(votes).count();
    let mut kinds = Vec::new();
    if voted > 0 {
        kinds.push(Kind::Vote);
    }
    if voted < group.len() {
        kinds.push(Kind::Log);
    }
    kinds
}

/// Writes a group to the log below and waits until it is durable there.
fn bring_down(below: &dyn Log, group: &[Write]) -> io::Result<()> {
    for Write { change, .. } in group {
        match change {
            // That it failed is said by the sync.
            Change::Vote(vote) => below.save_vote(*vote, Box::new(drop)),
            Change::Append(entries) => below.append(entries.clone(), Box::new(drop))?,
            Change::Truncate(last) => below.truncate_after(*last)?,
            Change::Purge(upto) => below.purge_to(*upto)?,
            Change::Hint(committed) => below.save_committed(*committed)?,
            Change::Nothing => {}
        }
    }
    let (done, synced) = sync_channel(1);
    below.sync(Box::new(move |result| {
        // The receiver waits below.
        let _ = done.send(result);
    }));
    synced.recv().map_err(io::Error::other)?
}

fn tell(group: Vec<Write>, result: &io::Result<()>) {
    for done in group.into_iter().filter_map(|write| write.done) {
        let result = result.as_ref().copied();
        done(result.map_err(|error| io::Error::new(error.kind(), error.to_string())));
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why.to_owned())
}

impl Pages {
    fn fail(&mut self, error: &io::Error) {
        self.failure.get_or_insert_with(|| {
            let sentence = format!("an earlier write to the log failed: {error}");
            (error.kind(), sentence)
        });
    }
}

impl Contents {
    fn of(log: &dyn Log) -> io::Result<Self> {
        let LogBounds { purged, last } = log.bounds();
        let first = purged.map_or(0, |purged| purged.index + 1);
        let end = last.map_or(0, |last| last.index + 1);
        Ok(Self {
            vote: log.vote(),
            committed: log.committed(),
            purged,
            entries: log.read(first..end, u64::MAX)?.into(),
        })
    }

    fn last(&self) -> Option<LogId> {
        self.entries.back().map(|entry| entry.log_id).or(self.purged)
    }

    fn next_index(&self) -> u64 {
        self.last().map_or(0, |last| last.index + 1)
    }

    fn get(&self, index: u64) -> Option<&LogEntry> {
        let first = self.entries.front()?.log_id.index;
        self.entries.get(usize::try_from(index.checked_sub(first)?).ok()?)
    }

    fn vote(&mut self, vote: Vote) -> io::Result<()> {
        if self.vote > Some(vote) {
            return Err(refused("a vote goes back"));
        }
        self.vote = Some(vote);
        Ok(())
    }

    fn append(&mut self, entries: &[LogEntry]) -> io::Result<()> {
        let next = self.next_index();
        let follow = entries.iter().zip(next..);
        if !follow
            .into_iter()
            .all(|(entry, index)| entry.log_id.index == index)
        {
            return Err(refused("entries to append leave a hole"));
        }
        self.entries.extend(entries.iter().cloned());
        Ok(())
    }

    /// Whether anything was there to remove.
    fn truncate(&mut self, last: Option<u64>) -> io::Result<bool> {
        let first_gone = last.map_or(0, |last| last + 1);
        if self
            .committed
            .is_some_and(|committed| committed.index >= first_gone)
        {
            return Err(refused("a committed entry would be truncated"));
        }
        let before = self.entries.len();
        self.entries.retain(|entry| entry.log_id.index < first_gone);
        Ok(self.entries.len() < before)
    }

    /// Whether it is news.
    fn purge(&mut self, upto: LogId) -> bool {
        let news = self.purged.is_none_or(|purged| purged.index < upto.index);
        if news {
            self.purged = Some(upto);
            self.entries.retain(|entry| entry.log_id.index > upto.index);
        }
        news
    }

    /// What of a hint is news.
    fn hint(&mut self, committed: LogId) -> Option<LogId> {
        let hint = committed.min(self.last()?);
        (self.committed < Some(hint)).then(|| *self.committed.insert(hint))
    }
}

impl Log for FaultyLog {
    fn bounds(&self) -> LogBounds {
        let pages = self.cache.pages();
        LogBounds {
            purged: pages.seen.purged,
            last: pages.seen.last(),
        }
    }

    fn vote(&self) -> Option<Vote> {
        self.cache.pages().seen.vote
    }

    fn committed(&self) -> Option<LogId> {
        self.cache.pages().seen.committed
    }

    fn save_vote(&self, vote: Vote, done: Completion) {
        let change = |pages: &mut Pages| pages.seen.vote(vote).map(|()| Some(Change::Vote(vote)));
        let saved = self.cache.write(Kind::Vote, change, Some(done));
        if let Err((error, Some(done))) = saved {
            done(Err(error));
        }
    }

    fn save_committed(&self, committed: LogId) -> io::Result<()> {
        let change = |pages: &mut Pages| Ok(pages.seen.hint(committed).map(Change::Hint));
        self.cache
            .write(Kind::Log, change, None)
            .map_err(|(error, _)| error)
    }

    fn append(&self, entries: Vec<LogEntry>, done: Completion) -> io::Result<()> {
        let life = &self.cache.life;
        let change = |pages: &mut Pages| {
            pages.seen.append(&entries)?;
            let bytes: u64 = entries.iter().map(|entry| entry.payload.bytes()).sum();
            let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
            if life.take_room(Kind::Log, bytes) < bytes {
                return Err(no_room());
            }
            Ok(Some(Change::Append(entries)))
        };
        let written = self.cache.write(Kind::Log, change, Some(done));
        written.map_err(|(error, _)| error)
    }

    fn read(&self, range: Range<u64>, bytes_max: u64) -> io::Result<Vec<LogEntry>> {
        if !self.in_memory(range.start) {
            self.cache.meet(Kind::Log, Operation::Read)?;
        }
        let pages = self.cache.pages();
        self.cache.usable(&pages)?;
        let mut read = Vec::new();
        let mut bytes = 0;
        for index in range {
            let entry = pages.seen.get(index).ok_or(io::ErrorKind::NotFound)?;
            bytes += entry.payload.bytes();
            if bytes > bytes_max && !read.is_empty() {
                break;
            }
            read.push(entry.clone());
        }
        Ok(read)
    }

    fn in_memory(&self, index: u64) -> bool {
        let pages = self.cache.pages();
        index >= pages.found_end && pages.seen.get(index).is_some()
    }

    fn truncate_after(&self, last: Option<u64>) -> io::Result<()> {
        let change = |pages: &mut Pages| {
            let removed = pages.seen.truncate(last)?;
            pages.found_end = pages.found_end.min(pages.seen.next_index());
            Ok(removed.then_some(Change::Truncate(last)))
        };
        self.cache
            .write(Kind::Log, change, None)
            .map_err(|(error, _)| error)
    }

    fn purge_to(&self, upto: LogId) -> io::Result<()> {
        let change = |pages: &mut Pages| Ok(pages.seen.purge(upto).then_some(Change::Purge(upto)));
        self.cache
            .write(Kind::Log, change, None)
            .map_err(|(error, _)| error)
    }

    fn sync(&self, done: Completion) {
        let asked = self
            .cache
            .write(Kind::Log, |_| Ok(Some(Change::Nothing)), Some(done));
        if let Err((error, Some(done))) = asked {
            done(Err(error));
        }
    }
}

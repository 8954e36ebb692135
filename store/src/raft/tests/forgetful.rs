//! Nothing is spoken that the disk could still forget: our seam to openraft over a disk that forgets, at a crash, all
//! that was not synced. A disk that speaks early is the control: it shows that these tests would notice.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::type_config::alias::{self, EntryOf, VoteOf};
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, entry::RaftEntry};

use crate::log::{self, Completion, Log, LogBounds};
use crate::raft::log_seam::LogSeam;
use crate::raft::types::{Commands, Types, log_id};

#[derive(Clone, Default)]
struct Contents {
    vote: Option<log::Vote>,
    entries: Vec<log::LogEntry>,
}

#[derive(Default)]
struct State {
    written: Contents,
    synced: Contents,
    waiting: Vec<Completion>,
}

struct ForgetfulDisk {
    state: Mutex<State>,
    speaks_early: bool,
}

impl ForgetfulDisk {
    fn new(speaks_early: bool) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            speaks_early,
        })
    }

    fn write(&self, done: Completion, change: impl FnOnce(&mut Contents)) {
        let mut state = self.state.lock().unwrap();
        change(&mut state.written);
        if self.speaks_early {
            done(Ok(()));
        } else {
            state.waiting.push(done);
        }
    }

    fn sync_now(&self) {
        let mut state = self.state.lock().unwrap();
        state.synced = state.written.clone();
        state.waiting.drain(..).for_each(|done| done(Ok(())));
    }

    /// The power goes and comes back.
    fn crash(&self) {
        let mut state = self.state.lock().unwrap();
        state.waiting.clear();
        state.written = state.synced.clone();
    }
}

impl Log for ForgetfulDisk {
    fn bounds(&self) -> LogBounds {
        let state = self.state.lock().unwrap();
        LogBounds {
            purged: None,
            last: state.written.entries.last().map(|entry| entry.log_id),
        }
    }

    fn vote(&self) -> Option<log::Vote> {
        self.state.lock().unwrap().written.vote
    }

    fn committed(&self) -> Option<log::LogId> {
        None
    }

    fn save_vote(&self, vote: log::Vote, done: Completion) {
        self.write(done, |contents| contents.vote = Some(vote));
    }

    fn save_committed(&self, _committed: log::LogId) -> io::Result<()> {
        Ok(())
    }

    fn append(&self, entries: Vec<log::LogEntry>, done: Completion) -> io::Result<()> {
        self.write(done, |contents| contents.entries.extend(entries));
        Ok(())
    }

    fn read(&self, range: Range<u64>, _bytes_max: u64) -> io::Result<Vec<log::LogEntry>> {
        let state = self.state.lock().unwrap();
        let entries = state.written.entries.iter();
        Ok(entries
            .filter(|entry| range.contains(&entry.log_id.index))
            .cloned()
            .collect())
    }

    fn in_memory(&self, _index: u64) -> bool {
        true
    }

    fn truncate_after(&self, _last: Option<u64>) -> io::Result<()> {
        Ok(())
    }

    fn purge_to(&self, _upto: log::LogId) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self, done: Completion) {
        self.write(done, |_| ());
    }
}

/// Whether a vote was spoken before the sync, and whether it is there after a crash once it was spoken.
async fn vote_spoken_and_kept(speaks_early: bool) -> (bool, bool) {
    let disk = ForgetfulDisk::new(speaks_early);
    let mut log = LogSeam::new(Arc::clone(&disk) as Arc<dyn Log>);
    let vote = VoteOf::<Types> {
        leader_id: alias::LeaderIdOf::<Types>::new(3, 1),
        committed: false,
    };
    let mut saving = std::pin::pin!(log.save_vote(&vote));
    let early = futures::poll!(&mut saving).is_ready();
    if !early {
        disk.sync_now();
        saving.await.unwrap();
    }
    disk.crash();
    (early, disk.vote().is_some_and(|kept| kept.term == 3))
}

/// The same of an entry.
async fn entry_spoken_and_kept(speaks_early: bool) -> (bool, bool) {
    let disk = ForgetfulDisk::new(speaks_early);
    let mut log = LogSeam::new(Arc::clone(&disk) as Arc<dyn Log>);
    let commands = EntryPayload::Normal(Commands(Bytes::from_static(b"saves")));
    let (sender, mut spoken) = Types::oneshot();
    log.append(
        [EntryOf::<Types>::new(log_id(3, 0), commands)],
        IOFlushed::signal(sender),
    )
    .await
    .unwrap();
    assert_eq!(disk.read(0..1, 1).unwrap().len(), 1, "it can be read on return");
    let early = futures::poll!(&mut spoken).is_ready();
    if !early {
        disk.sync_now();
        spoken.await.unwrap().unwrap();
    }
    disk.crash();
    (early, disk.bounds().last.is_some())
}

#[tokio::test]
async fn a_vote_is_spoken_when_the_disk_cannot_forget_it() {
    assert_eq!(vote_spoken_and_kept(false).await, (false, true));
    assert_eq!(vote_spoken_and_kept(true).await, (true, false), "the control");
}

#[tokio::test]
async fn an_entry_is_acknowledged_when_the_disk_cannot_forget_it() {
    assert_eq!(entry_spoken_and_kept(false).await, (false, true));
    assert_eq!(entry_spoken_and_kept(true).await, (true, false), "the control");
}

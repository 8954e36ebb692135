//! Nothing is spoken that the disk could still forget: our seam to openraft over a disk that forgets, at a power cut, all
//! that was not synced. A disk that speaks early is the control: it shows that these tests would notice.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::type_config::alias::{self, EntryOf, VoteOf};
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, entry::RaftEntry};
use tempfile::TempDir;

use remora_table::Formats;

use crate::disk::faulty;
use crate::faults::{Faults, Kind, Operation};
use crate::log::{DataDir, DataDirError, FileLog, Log};
use crate::raft::log_seam::{LogSeam, NoteVote};
use crate::raft::pace::Pace;
use crate::raft::types::{Commands, Types, log_id};

use super::cluster::eventually;

/// Size of a log's segments in bytes.
const SEGMENT_BYTES: u64 = 64 << 10;

/// A disk whose syncs hang until the test lets them end, or which speaks of them early.
struct ForgetfulDisk {
    directory: TempDir,
    faults: Faults,
    speaks_early: bool,
}

impl ForgetfulDisk {
    fn new(speaks_early: bool) -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            faults: Faults::default(),
            speaks_early,
        }
    }

    /// Fails over what a disk has left that lied.
    fn try_open(&self) -> Result<FileLog, DataDirError> {
        let disk = faulty::disk(&self.faults);
        let data_dir = DataDir::open(&disk, self.directory.path(), 1, Formats::OURS);
        data_dir?.open_log(Formats::OURS, SEGMENT_BYTES)
    }

    fn open(&self) -> FileLog {
        self.try_open().unwrap()
    }

    /// From now on.
    fn be_forgetful(&self) {
        if self.speaks_early {
            self.faults.lie();
        } else {
            self.faults.hang(Kind::Log, Operation::Sync);
        }
    }

    /// Waits until something is spoken. Nothing is, as long as the sync hangs.
    async fn until<T>(&self, spoken: impl Future<Output = T>) -> T {
        let mut spoken = std::pin::pin!(spoken);
        if !self.speaks_early {
            assert!(futures::poll!(&mut spoken).is_pending());
            eventually("the sync hangs", || {
                self.faults.hanging(Kind::Log, Operation::Sync) > 0
            })
            .await;
            assert!(futures::poll!(&mut spoken).is_pending(), "spoken before the sync");
            self.faults.clear(Kind::Log, Operation::Sync);
        }
        spoken.await
    }
}

/// Whether a vote is there after a power cut once it was spoken.
async fn spoken_vote_is_kept(speaks_early: bool) -> bool {
    let disk = ForgetfulDisk::new(speaks_early);
    let mut log = LogSeam::new(Arc::new(disk.open()), Arc::new(|| Ok(())), Arc::new(Pace::new()));
    disk.be_forgetful();
    let vote = VoteOf::<Types> {
        leader_id: alias::LeaderIdOf::<Types>::new(3, 1),
        committed: false,
    };
    disk.until(log.save_vote(&vote)).await.unwrap();
    disk.faults.forget();
    drop(log);
    let kept = disk.try_open().map(|log| log.vote());
    kept.is_ok_and(|vote| vote.is_some_and(|vote| vote.term == 3))
}

/// The same of an entry.
async fn acknowledged_entry_is_kept(speaks_early: bool) -> bool {
    let disk = ForgetfulDisk::new(speaks_early);
    let opened = Arc::new(disk.open());
    let mut log = LogSeam::new(opened.clone(), Arc::new(|| Ok(())), Arc::new(Pace::new()));
    disk.be_forgetful();
    let commands = EntryPayload::Normal(Commands(Bytes::from_static(b"saves")));
    let (sender, spoken) = Types::oneshot();
    log.append(
        [EntryOf::<Types>::new(log_id(3, 0), commands)],
        IOFlushed::signal(sender),
    )
    .await
    .unwrap();
    assert_eq!(opened.read(0..1, 1).unwrap().len(), 1, "it can be read on return");
    disk.until(spoken).await.unwrap().unwrap();
    disk.faults.forget();
    drop((log, opened));
    disk.try_open().is_ok_and(|log| log.bounds().last.is_some())
}

#[tokio::test]
async fn a_vote_is_spoken_when_the_disk_cannot_forget_it() {
    assert!(spoken_vote_is_kept(false).await);
    assert!(!spoken_vote_is_kept(true).await, "the control");
}

#[tokio::test]
async fn an_entry_is_acknowledged_when_the_disk_cannot_forget_it() {
    assert!(acknowledged_entry_is_kept(false).await);
    assert!(!acknowledged_entry_is_kept(true).await, "the control");
}

#[tokio::test]
async fn a_vote_is_noted_before_it_is_spoken_and_later_ones_need_no_note() {
    let disk = ForgetfulDisk::new(false);
    let noted = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&noted);
    let note: NoteVote = Arc::new(move || {
        counting.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let mut log = LogSeam::new(Arc::new(disk.open()), Arc::clone(&note), Arc::new(Pace::new()));
    for term in 1..4 {
        let vote = VoteOf::<Types> {
            leader_id: alias::LeaderIdOf::<Types>::new(term, 1),
            committed: false,
        };
        log.save_vote(&vote).await.unwrap();
        assert_eq!(noted.load(Ordering::SeqCst), 1);
    }
    let mut failing = LogSeam::new(
        Arc::new(ForgetfulDisk::new(false).open()),
        Arc::new(|| Err(io::ErrorKind::TimedOut.into())),
        Arc::new(Pace::new()),
    );
    let vote = VoteOf::<Types> {
        leader_id: alias::LeaderIdOf::<Types>::new(1, 1),
        committed: false,
    };
    assert!(failing.save_vote(&vote).await.is_err(), "spoken without its note");
}

//! Nothing is spoken that the disk could still forget: our seam to openraft over a disk that forgets, at a power cut, all
//! that was not synced. A disk that speaks early is the control: it shows that these tests would notice.

use std::sync::Arc;

use bytes::Bytes;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::type_config::alias::{self, EntryOf, VoteOf};
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, entry::RaftEntry};
use tempfile::TempDir;

use crate::disk::Disk;
use crate::faults::{Faults, Kind, Operation};
use crate::log::faulty::FaultyLog;
use crate::log::{FileLog, Log};
use crate::raft::log_seam::LogSeam;
use crate::raft::pace::Pace;
use crate::raft::types::{Commands, Types, log_id};

/// A disk whose syncs hang until the test lets them end, or which speaks of them early.
struct ForgetfulDisk {
    directory: TempDir,
    faults: Faults,
}

impl ForgetfulDisk {
    fn new(speaks_early: bool) -> Self {
        let faults = Faults::default();
        if speaks_early {
            faults.lie();
        } else {
            faults.hang(Kind::Vote, Operation::Sync);
            faults.hang(Kind::Log, Operation::Sync);
        }
        Self {
            directory: TempDir::new().unwrap(),
            faults,
        }
    }

    fn open(&self) -> Arc<dyn Log> {
        let below = FileLog::open(&Disk::real(), self.directory.path()).unwrap();
        Arc::new(FaultyLog::over(Arc::new(below), &self.faults).unwrap())
    }

    fn let_syncs_end(&self) {
        self.faults.clear(Kind::Vote, Operation::Sync);
        self.faults.clear(Kind::Log, Operation::Sync);
    }
}

/// Whether a vote was spoken before the sync, and whether it is there after a power cut once it was spoken.
async fn vote_spoken_and_kept(speaks_early: bool) -> (bool, bool) {
    let disk = ForgetfulDisk::new(speaks_early);
    let mut log = LogSeam::new(disk.open(), Arc::new(Pace::new()));
    let vote = VoteOf::<Types> {
        leader_id: alias::LeaderIdOf::<Types>::new(3, 1),
        committed: false,
    };
    let early = {
        let mut saving = std::pin::pin!(log.save_vote(&vote));
        let early = futures::poll!(&mut saving).is_ready();
        if !early {
            disk.let_syncs_end();
            saving.await.unwrap();
        }
        early
    };
    disk.faults.forget();
    drop(log);
    (early, disk.open().vote().is_some_and(|kept| kept.term == 3))
}

/// The same of an entry.
async fn entry_spoken_and_kept(speaks_early: bool) -> (bool, bool) {
    let disk = ForgetfulDisk::new(speaks_early);
    let opened = disk.open();
    let mut log = LogSeam::new(Arc::clone(&opened), Arc::new(Pace::new()));
    let commands = EntryPayload::Normal(Commands(Bytes::from_static(b"saves")));
    let (sender, mut spoken) = Types::oneshot();
    log.append(
        [EntryOf::<Types>::new(log_id(3, 0), commands)],
        IOFlushed::signal(sender),
    )
    .await
    .unwrap();
    assert_eq!(opened.read(0..1, 1).unwrap().len(), 1, "it can be read on return");
    let early = futures::poll!(&mut spoken).is_ready();
    if !early {
        disk.let_syncs_end();
        spoken.await.unwrap().unwrap();
    }
    disk.faults.forget();
    drop((log, opened));
    (early, disk.open().bounds().last.is_some())
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

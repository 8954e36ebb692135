//! openraft's own suite for storages, over our log and state machine with real files.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use crate::clock::Clock;
use crate::disk::faulty;
use crate::faults::Faults;
use crate::log::{ClusterId, Completion, DataDir, DiskId, FileLog, Log, LogBounds, LogEntry, LogId, Vote};
use crate::metrics::Consensus;
use crate::raft::applier::{Applier, Rules};
use crate::raft::backlog::Backlog;
use crate::raft::log_seam::LogSeam;
use crate::raft::pace::Pace;
use crate::raft::snapshots::Snapshots;
use crate::raft::stamps::Marks;
use crate::raft::types::{Member, Types};
use crate::snapshot::SnapshotStore;
use remora_table::Formats;

use super::cluster::Heard;

/// Size of a log's segments in bytes.
const SEGMENT_BYTES: u64 = 64 << 10;

impl Default for Member {
    fn default() -> Self {
        Self {
            peer_address: String::new(),
            client_address: String::new(),
            disk: DiskId(1),
            cluster: ClusterId(1),
        }
    }
}

/// The suite begins some logs behind index 0 without a purge, which consensus never does and our log calls a missing
/// entry. This skips the missing front, as the suite expects.
struct FromAnyIndex(FileLog);

impl Log for FromAnyIndex {
    fn bounds(&self) -> LogBounds {
        self.0.bounds()
    }

    fn vote(&self) -> Option<Vote> {
        self.0.vote()
    }

    fn committed(&self) -> Option<LogId> {
        self.0.committed()
    }

    fn durable_up_to(&self, index: u64) -> Option<LogId> {
        self.0.durable_up_to(index)
    }

    fn save_vote(&self, vote: Vote, done: Completion) {
        self.0.save_vote(vote, done);
    }

    fn save_committed(&self, committed: LogId) -> io::Result<()> {
        self.0.save_committed(committed)
    }

    fn append(&self, entries: Vec<LogEntry>, done: Completion) -> io::Result<()> {
        self.0.append(entries, done)
    }

    fn read(&self, range: Range<u64>, bytes_max: u64) -> io::Result<Vec<LogEntry>> {
        let first = range
            .clone()
            .find(|index| self.0.read(*index..*index + 1, 1).is_ok());
        self.0.read(first.unwrap_or(range.end)..range.end, bytes_max)
    }

    fn in_memory(&self, index: u64) -> bool {
        self.0.in_memory(index)
    }

    fn truncate_after(&self, last: Option<u64>) -> io::Result<()> {
        self.0.truncate_after(last)
    }

    fn purge_to(&self, upto: LogId) -> io::Result<()> {
        self.0.purge_to(upto)
    }
}

struct Files;

impl StoreBuilder<Types, LogSeam, Applier, (TempDir, DataDir)> for Files {
    async fn build(&self) -> Result<((TempDir, DataDir), LogSeam, Applier), openraft::StorageError<Types>> {
        let directory = TempDir::new().unwrap();
        // Each of the suite's many logs is alone on its disk, and none of them outlives the test.
        let disk = faulty::disk(&Faults::default());
        let mut data_dir = DataDir::open(&disk, directory.path(), 1, Formats::OURS).unwrap();
        let log = data_dir.open_log(Formats::OURS, SEGMENT_BYTES).unwrap();
        let snapshots = SnapshotStore::open(&disk, &data_dir.snapshot_directory(), Formats::OURS).unwrap();
        let rules: Rules = Box::new(|_, table, proposal, told| table.apply(proposal, told));
        let applier = Applier::new(
            (Formats::OURS, rules),
            Snapshots::counted(snapshots, Consensus::new()),
            Arc::new(Heard::default()),
            (
                Arc::new(Marks::new(Clock::system())),
                Arc::new(Mutex::new(Backlog::new(0, Box::new(|| 0)))),
            ),
        );
        Ok((
            (directory, data_dir),
            LogSeam::new(
                Arc::new(FromAnyIndex(log)),
                Arc::new(|| Ok(())),
                Arc::new(Pace::new()),
            ),
            applier,
        ))
    }
}

#[tokio::test]
async fn our_log_and_table_pass_the_storage_suite_of_openraft() {
    Suite::test_all(Files).await.unwrap();
}

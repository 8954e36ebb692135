//! openraft's own suite for storages, over our log and state machine with real files.

use std::sync::Arc;

use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use crate::log::{ClusterId, DataDir, DiskId, RaftLogStore};
use crate::raft::applier::Applier;
use crate::raft::log_store::RaftLog;
use crate::raft::snapshots::Snapshots;
use crate::raft::types::{Member, Types};
use crate::snapshot::SnapshotStore;

use super::cluster::Heard;

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

struct Files;

impl StoreBuilder<Types, RaftLog, Applier, (TempDir, DataDir)> for Files {
    async fn build(&self) -> Result<((TempDir, DataDir), RaftLog, Applier), openraft::StorageError<Types>> {
        let directory = TempDir::new().unwrap();
        let data_dir = DataDir::open(directory.path(), 1).unwrap();
        let log = RaftLogStore::open(&data_dir.log_directory()).unwrap();
        let snapshots = SnapshotStore::open(&data_dir.snapshot_directory()).unwrap();
        let applier = Applier::new(Snapshots::new(snapshots), Arc::new(Heard::default()));
        Ok(((directory, data_dir), RaftLog::new(Arc::new(log)), applier))
    }
}

#[tokio::test]
async fn our_log_and_table_pass_the_storage_suite_of_openraft() {
    Suite::test_all(Files).await.unwrap();
}

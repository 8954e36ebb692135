//! A new cluster out of an old one's sessions: a backup that is restored into nodes whose data directories are new. (From a disk
//! that is left: `recover`.)
//!
//! One node was told to await it. It takes the backup aside, reads all of it, draws a cluster id, and makes of it the image of a
//! table that nobody holds anything of, in the next generation (the table's rule book says what that means). The image's head
//! is the first membership: this node and all others of `--cluster`, which must be pristine, with their disks. Then the
//! process starts again, over a data directory that looks like that of any node after an image; the others take their first
//! message from it, as when a cluster forms.
//!
//! Invariant: a restore is whole or has not begun. What decides is one rename, of the image that names this very disk as a
//! member. Before it there is a new data directory with a file that the next start sweeps away; from it on there is a member
//! of the new cluster, whose identity says so at the latest when it is opened next ([`settle`]).
//!
//! Left out: how the backup travels, and how a process starts again (`main`).

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use prost::Message;
use rand::RngExt;
use remora_proto::v1;
use remora_table::TableImage;
use tokio::sync::watch;

use crate::log::{ClusterId, DataDir, DataDirError, LogId};
use crate::runtime;
use crate::snapshot::{BackupHead, SnapshotMeta, SnapshotReceiver};

use super::forming::Introductions;
use super::handle::RaftHandle;
use super::identity::NodeIdentity;
use super::types::{Member, Membership, StoredMembership, log_id};
use super::{NodeId, forming, snapshots, wire};

/// What becomes of a node that begins anew.
#[derive(Debug, Default)]
pub(super) struct Anew {
    /// What the other nodes of the cluster to be said of themselves.
    pub(super) introductions: Introductions,
    /// Whether a backup is being received, or was.
    taken: AtomicBool,
    /// Whether the process must start again.
    again: watch::Sender<bool>,
}

/// Why a backup was not restored, as a sentence for people. Nothing has happened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    /// This node is not one that waits, or not all others are there.
    #[error("{0}")]
    Unready(String),
    /// The file is no backup, cut or damaged, or the disk failed.
    #[error("the backup cannot be restored: {0}")]
    Unusable(#[from] io::Error),
}

/// A backup was restored.
#[derive(Debug)]
pub(crate) struct Restored {
    /// Whose table it was.
    pub head: BackupHead,
    /// The new cluster.
    pub cluster: ClusterId,
    /// Its change counter.
    pub version: u64,
    /// Its nodes.
    pub nodes: Vec<NodeId>,
}

/// A backup that is being received. Dropped before it is finished, nothing has happened.
pub(crate) struct Restoring {
    handle: RaftHandle,
    /// Absent while a piece is written.
    receiver: Option<SnapshotReceiver>,
    finished: bool,
}

impl Drop for Restoring {
    fn drop(&mut self) {
        if !self.finished {
            self.handle.inner.anew.taken.store(false, Ordering::Release);
        }
    }
}

impl NodeIdentity {
    /// As long as it belongs to no cluster it waits for a backup, if so it was told.
    pub(super) fn told_to_await(mut self, await_restore: bool) -> Self {
        self.await_restore = await_restore;
        self
    }

    /// Whether this node waits for a backup: it takes part in no forming.
    pub(super) fn awaits_restore(&self) -> bool {
        self.await_restore && self.cluster().is_none()
    }
}

impl RaftHandle {
    /// Whether this node waits for a backup.
    pub(crate) fn awaits_restore(&self) -> bool {
        self.inner.identity.awaits_restore()
    }

    /// Resolves when the process must start again, because what it keeps has begun anew.
    pub(crate) async fn begun_anew(&self) {
        let mut again = self.inner.anew.again.subscribe();
        if again.wait_for(|again| *again).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Lets the process start again.
    pub(super) fn begin_again(&self) {
        self.inner.anew.again.send_replace(true);
    }

    /// Begins to receive a backup, if this node waits for one and all others are there.
    ///
    /// # Errors
    /// Who or what is missing, or the disk failed.
    pub(crate) async fn restore(&self) -> Result<Restoring, RestoreError> {
        if !self.awaits_restore() {
            return Err(RestoreError::Unready(
                "this node does not wait for a backup: start it with --await-restore and a new data directory".to_owned(),
            ));
        }
        self.founders()?;
        if self.inner.anew.taken.swap(true, Ordering::AcqRel) {
            return Err(RestoreError::Unready(
                "a backup is being restored at this node already".to_owned(),
            ));
        }
        let mut restoring = Restoring {
            handle: self.clone(),
            receiver: None,
            finished: false,
        };
        restoring.receiver = Some(self.inner.snapshots.receive().await?);
        Ok(restoring)
    }

    /// All nodes of the cluster to be.
    fn founders(&self) -> Result<Vec<v1::Introduction>, RestoreError> {
        let me = self.inner.endpoint.introduction();
        let founders = forming::founders(&self.inner.identity, me, &self.inner.anew.introductions);
        founders.map_err(|missing| {
            RestoreError::Unready(format!(
                "a restore begins a new cluster of all nodes of --cluster, with new data directories, and waits for {missing}"
            ))
        })
    }
}

impl Restoring {
    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) async fn write(&mut self, data: Bytes) -> Result<(), RestoreError> {
        self.on_disk(move |receiver| receiver.write(&data)).await
    }

    /// Reads all of it and begins the new cluster. The process starts again afterwards.
    ///
    /// # Errors
    /// Nothing has happened.
    pub(crate) async fn finish(mut self) -> Result<Restored, RestoreError> {
        let (head, image) = self.on_disk(SnapshotReceiver::read_backup).await?;
        let founders = self.handle.founders()?;
        let inner = Arc::clone(&self.handle.inner);
        let cluster = ClusterId(runtime::draw());
        let members = forming::members(&inner.identity, cluster, founders);
        let nodes = members.keys().copied().collect();
        // As if it had been formed by its first entry, which is this image.
        let (meta, image) = founding(image, members, LogId::default())?;
        let version = image.version().0;
        inner.snapshots.found(meta, image).await?;
        self.finished = true;
        tracing::info!(
            %cluster, ?nodes, from = %head.cluster, sessions = head.sessions,
            "restored a backup into a new cluster: this process starts again"
        );
        self.handle.begin_again();
        Ok(Restored {
            head,
            cluster,
            version,
            nodes,
        })
    }

    async fn on_disk<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut SnapshotReceiver) -> io::Result<T> + Send + 'static,
    ) -> Result<T, RestoreError> {
        let gone = || io::Error::other("what was received before is gone");
        let mut receiver = self.receiver.take().ok_or_else(gone)?;
        let worked = runtime::blocking(move || {
            let result = work(&mut receiver);
            (receiver, result)
        });
        let (receiver, result) = worked.await.map_err(io::Error::other)?;
        self.receiver = Some(receiver);
        Ok(result?)
    }
}

/// The image with which a cluster of these voters begins, standing for all entries up to this one, which forms it.
pub(super) fn founding(
    image: TableImage,
    members: BTreeMap<NodeId, Member>,
    upto: LogId,
) -> io::Result<(SnapshotMeta, TableImage)> {
    let disks = members.iter().map(|(node, member)| (*node, member.disk.0));
    let image = image.anew(&disks.collect(), runtime::chance().random());
    let image = image.ok_or_else(|| io::Error::other("no generation of versions is left"))?;
    let voters = members.keys().copied().collect();
    let membership = Membership::new(vec![voters], members).map_err(io::Error::other)?;
    let last = Some(log_id(upto.term, upto.index));
    let meta = snapshots::meta(last, StoredMembership::new(last, membership));
    Ok((snapshots::to_disk(&meta), image))
}

/// The membership in the head of an image; none if there is none that can be read.
pub(super) fn membership_of(image: &SnapshotMeta) -> Option<Membership> {
    let stored = v1::StoredMembership::decode(image.membership.clone()).ok()?;
    let stored = wire::from_stored_membership(Some(stored)).ok()?;
    Some(stored.membership().clone())
}

/// Completes what a restore began: a disk that belongs to no cluster, and holds the image of one that names it, is a member
/// of that. A disk that waits to be added may hold an image from before it was named: it waits on.
///
/// # Errors
/// The image does not know the disk, and that does not wait; or the disk failed.
pub(super) fn settle(data_dir: &mut DataDir, newest: Option<SnapshotMeta>) -> Result<(), DataDirError> {
    let identity = data_dir.identity();
    let Some(image) = newest.filter(|_| identity.cluster.is_none()) else {
        return Ok(());
    };
    let membership = membership_of(&image);
    let member = membership.and_then(|membership| membership.get_node(&identity.node_id).cloned());
    match member.filter(|member| member.disk == identity.disk_id) {
        Some(member) => data_dir.join_cluster(member.cluster),
        None if identity.joins => Ok(()),
        None => Err(DataDirError::Refused(format!(
            "the data directory holds a table image of a cluster that does not know its disk {}: name an empty directory",
            identity.disk_id
        ))),
    }
}

#[cfg(test)]
mod tests {
    use remora_table::{Formats, SessionTable};

    use super::*;
    use crate::disk::Disk;
    use crate::log::DiskId;
    use crate::snapshot::SnapshotStore;

    const NODE: NodeId = 2;
    const CLUSTER: ClusterId = ClusterId(7);

    /// A data directory in which the image of a new cluster was made durable, and nothing behind that.
    fn cut_off(named: impl FnOnce(DiskId) -> DiskId) -> (tempfile::TempDir, DataDir, SnapshotStore) {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(&Disk::real(), directory.path(), NODE, Formats::OURS).unwrap();
        let images = data_dir.snapshot_directory();
        let images = SnapshotStore::open(&Disk::real(), &images, Formats::OURS).unwrap();
        let member = Member {
            peer_address: "127.0.0.1:7501".to_owned(),
            client_address: "127.0.0.1:7401".to_owned(),
            disk: named(data_dir.identity().disk_id),
            cluster: CLUSTER,
        };
        let table = SessionTable::new().image();
        let (meta, image) = founding(table, [(NODE, member)].into(), LogId::default()).unwrap();
        images.save(&meta, image).unwrap();
        (directory, data_dir, images)
    }

    #[test]
    fn a_restore_that_was_cut_off_behind_its_image_is_completed() {
        let (_directory, mut data_dir, images) = cut_off(|own| own);
        assert_eq!(data_dir.identity().cluster, None);
        for _ in 0..2 {
            settle(&mut data_dir, images.latest()).unwrap();
            assert_eq!(data_dir.identity().cluster, Some(CLUSTER));
        }
    }

    #[test]
    fn an_image_that_came_before_a_node_that_joins_was_named_lets_it_wait_on() {
        let (_directory, mut data_dir, images) = cut_off(|own| DiskId(own.0 ^ 1));
        data_dir.set_joins().unwrap();
        settle(&mut data_dir, images.latest()).unwrap();
        assert!(data_dir.identity().joins && data_dir.identity().cluster.is_none());
    }

    #[test]
    fn an_image_of_a_cluster_that_does_not_know_the_disk_makes_no_member() {
        let (_directory, mut data_dir, images) = cut_off(|own| DiskId(own.0 ^ 1));
        let refused = settle(&mut data_dir, images.latest()).unwrap_err();
        assert!(
            refused.to_string().contains("does not know its disk"),
            "{refused}"
        );
        assert_eq!(data_dir.identity().cluster, None);
    }

    #[test]
    fn a_disk_without_an_image_is_left_as_it_is() {
        let (_directory, mut data_dir, _) = cut_off(|own| own);
        settle(&mut data_dir, None).unwrap();
        assert_eq!(data_dir.identity().cluster, None);
    }
}

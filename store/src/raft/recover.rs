//! The last resort after a lost majority: a cluster of one, out of what one disk that is left holds.
//!
//! In two steps, with a word between them that lasts. [`RaftHandle::recover`] writes into the identity that this disk goes on
//! alone, in which cluster, and lets the process start again. When the directory is opened next, [`complete`] applies all of
//! the log to the newest image, whether it was committed or not: what this disk holds may have been acknowledged, and nobody
//! is left who knows. It writes that as the image of the new cluster, behind the end of the log, and last the identity. Cut
//! off anywhere, it is done again from what is there.
//!
//! Invariant: no node starts over this directory between the word and its end; what the one that wrote the word still takes
//! while it stops is in the log, and taken over with it. What only the lost disks held is gone, and an operator has been
//! told so before (`remora recover`).
//!
//! Left out: what becomes of the sessions in the new cluster (the table's rule book, Anew), and whether the others are really
//! gone. A node cannot know that; it refuses only while a majority answers it.

use std::io;
use std::sync::Arc;

use prost::Message;
use remora_proto::v1;
use remora_table::{Formats, SessionTable, Tidings};

use crate::log::{ClusterId, DataDir, DataDirError, Log, LogId, Payload};
use crate::runtime;
use crate::snapshot::{SnapshotMeta, SnapshotStore};

use super::anew::{founding, membership_of};
use super::applier::apply_entry;
use super::handle::RaftHandle;
use super::types::Membership;
use super::{NodeId, wire};

/// Bytes of log that are read at a time.
const READ_BYTES: u64 = 4 << 20;

/// What an operator must know before a node goes on alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenUp {
    /// This node.
    pub node: NodeId,
    /// The cluster that ends.
    pub cluster: ClusterId,
    /// The last entry of its log, which is kept with all before it: term and index. What the others acknowledged behind it is
    /// lost.
    pub last: LogId,
    /// Index up to which this node knows that entries were acknowledged; 0 if of none.
    pub committed: u64,
    /// Members of whom nothing was heard for a second.
    pub silent: Vec<NodeId>,
}

/// Why a node does not go on alone, as a sentence for people. Nothing has happened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecoverError {
    /// There is no reason to.
    #[error("{0}")]
    Unneeded(String),
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DataDirError),
}

impl RaftHandle {
    /// What would be given up if this node went on alone.
    ///
    /// # Errors
    /// It belongs to no cluster, is alone already, or a majority answers.
    pub(crate) fn giving_up(&self) -> Result<GivenUp, RecoverError> {
        let unneeded = |sentence: &str| Err(RecoverError::Unneeded(sentence.to_owned()));
        let status = self.status();
        let Some(cluster) = self.formed() else {
            return unneeded("this node belongs to no cluster: there is nothing to recover");
        };
        let voters = status.members.iter().filter(|member| member.voter);
        let (there, gone): (Vec<_>, Vec<_>) = voters.partition(|member| member.reachable);
        if gone.is_empty() {
            return unneeded("every voter of this cluster answers: there is nothing to recover");
        }
        if there.len() > gone.len() || self.ready() {
            return unneeded(
                "a majority of the voters answers, and holds every acknowledged save: `remora status` tells what is wrong",
            );
        }
        Ok(GivenUp {
            node: status.node,
            cluster,
            last: LogId {
                term: status.term,
                index: status.last_log_index,
            },
            committed: status.committed_index,
            silent: gone.iter().map(|member| member.node).collect(),
        })
    }

    /// Records durably that this disk goes on alone, and lets the process start again. Gives the new cluster.
    ///
    /// # Errors
    /// Nothing has happened.
    pub(crate) async fn recover(&self) -> Result<ClusterId, RecoverError> {
        let given_up = self.giving_up()?;
        let cluster = ClusterId(runtime::draw());
        let identity = Arc::clone(&self.inner.identity);
        let recorded = runtime::blocking(move || identity.data_dir().begin_recovery(cluster));
        recorded
            .await
            .map_err(|error| RecoverError::Unneeded(format!("the disk was not asked: {error}")))??;
        tracing::warn!(
            ?given_up, %cluster,
            "an operator lets this node go on alone, in a new cluster: this process starts again"
        );
        self.begin_again();
        Ok(cluster)
    }
}

/// Completes what [`RaftHandle::recover`] began, if it did. Reads all of the log and writes the table: not for a runtime's
/// thread.
///
/// # Errors
/// The disk failed, or what it holds does not fit together; the next start tries again.
pub(super) fn complete(
    data_dir: &mut DataDir,
    log: &dyn Log,
    snapshots: &SnapshotStore,
    understands: Formats,
) -> io::Result<()> {
    let identity = data_dir.identity();
    let Some(cluster) = identity.recovers else {
        return Ok(());
    };
    let member_of = |image: &SnapshotMeta| {
        let membership = membership_of(image);
        membership.and_then(|membership| membership.get_node(&identity.node_id).cloned())
    };
    let is_written = snapshots.latest().as_ref().and_then(member_of);
    if is_written.is_none_or(|member| member.cluster != cluster) {
        let (table, membership) = everything(log, snapshots, understands)?;
        let member = membership.get_node(&identity.node_id).cloned();
        let mut member = member.ok_or_else(|| io::Error::other("this node is no member of its cluster"))?;
        member.cluster = cluster;
        let last = log.bounds().last.unwrap_or_default();
        let behind = LogId {
            term: log.vote().map_or(last.term, |vote| vote.term.max(last.term)),
            index: last.index + 1,
        };
        let sessions = table.reader().sessions();
        let (meta, image) = founding(table.image(), [(identity.node_id, member)].into(), behind)?;
        snapshots.save(&meta, image)?;
        tracing::warn!(%cluster, sessions, up_to = last.index, "all that this disk holds begins a new cluster of this node alone");
    }
    data_dir.finish_recovery().map_err(io::Error::other)
}

/// The newest image and all of the log behind it, and the last membership in them.
fn everything(
    log: &dyn Log,
    snapshots: &SnapshotStore,
    understands: Formats,
) -> io::Result<(SessionTable, Membership)> {
    let mut table = SessionTable::new();
    let mut membership = Membership::default();
    let mut next = 0;
    if let Some((meta, image)) = snapshots.load()? {
        membership = membership_of(&meta).unwrap_or_default();
        next = meta.last_applied.map_or(0, |last| last.index + 1);
        table.restore(image);
    }
    let end = log.bounds().last.map_or(0, |last| last.index + 1);
    while next < end {
        for entry in log.read(next..end, READ_BYTES)? {
            next = entry.log_id.index + 1;
            match entry.payload {
                Payload::Blank => {}
                Payload::Normal(commands) => {
                    apply_entry(&mut table, &commands, understands, |table, proposal| {
                        table.apply(proposal, &mut Tidings::default())
                    })?;
                }
                Payload::Membership(bytes) => {
                    let wire = v1::Membership::decode(bytes).map_err(io::Error::other)?;
                    membership = wire::from_membership(wire).map_err(io::Error::other)?;
                    let disks = membership.nodes().map(|(node, member)| (*node, member.disk.0));
                    table.set_members(&disks.collect());
                }
            }
        }
    }
    Ok((table, membership))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::mpsc;

    use bytes::Bytes;
    use remora_table::{EntryBuilder, Format, Stamp, encode_proposal};

    use super::*;
    use crate::disk::Disk;
    use crate::log::{FileLog, GROUP, LogEntry, SEGMENT_BYTES, Vote};
    use crate::raft::tests::create;
    use crate::raft::types::Member;

    const NODE: NodeId = 2;
    const OLD: ClusterId = ClusterId(7);
    const NEW: ClusterId = ClusterId(8);

    /// The disk of one of three nodes that lost the others: a membership, and commands of which it does not know whether
    /// they were acknowledged.
    fn left() -> (tempfile::TempDir, DataDir, FileLog, SnapshotStore) {
        let directory = tempfile::tempdir().unwrap();
        let mut data_dir = DataDir::open(&Disk::real(), directory.path(), NODE, Formats::OURS).unwrap();
        data_dir.join_cluster(OLD).unwrap();
        let log = data_dir.open_log(Formats::OURS, SEGMENT_BYTES).unwrap();
        let images = data_dir.snapshot_directory();
        let images = SnapshotStore::open(&Disk::real(), &images, Formats::OURS).unwrap();
        let member = Member {
            peer_address: "127.0.0.1:7501".to_owned(),
            client_address: "127.0.0.1:7401".to_owned(),
            disk: data_dir.identity().disk_id,
            cluster: OLD,
        };
        let members: BTreeMap<NodeId, Member> = (1..=3).map(|node| (node, member.clone())).collect();
        let membership = Membership::new(vec![members.keys().copied().collect()], members).unwrap();
        let mut commands = EntryBuilder::new(Format::FIRST, GROUP, Stamp(5));
        commands.push(&encode_proposal(Format::FIRST, &create(1, 0)));
        let payloads = [
            Payload::Membership(Bytes::from(wire::membership(&membership).encode_to_vec())),
            Payload::Blank,
            Payload::Normal(commands.finish()),
        ];
        let entries = (0..).zip(payloads).map(|(index, payload)| LogEntry {
            log_id: LogId {
                term: u64::from(index > 0),
                index,
            },
            payload,
        });
        let (done, durable) = mpsc::sync_channel(1);
        let vote = Vote {
            term: 4,
            committed: false,
            node: Some(1),
        };
        log.save_vote(vote, Box::new(|_| {}));
        let done = Box::new(move |result: io::Result<()>| done.send(result).unwrap());
        log.append(entries.collect(), done).unwrap();
        durable.recv().unwrap().unwrap();
        (directory, data_dir, log, images)
    }

    #[test]
    fn all_of_the_log_begins_a_cluster_of_one_behind_it_however_often_that_is_cut_off() {
        let (_directory, mut data_dir, log, images) = left();
        data_dir.begin_recovery(NEW).unwrap();
        let mut draws = Vec::new();
        for _ in 0..2 {
            complete(&mut data_dir, &log, &images, Formats::OURS).unwrap();
            let identity = data_dir.identity();
            assert_eq!((identity.cluster, identity.recovers), (Some(NEW), None));
            let (meta, image) = images.load().unwrap().unwrap();
            assert_eq!(meta.last_applied, Some(LogId { term: 4, index: 3 }));
            let members = membership_of(&meta).unwrap();
            let members: Vec<_> = members
                .nodes()
                .map(|(node, member)| (*node, member.cluster))
                .collect();
            assert_eq!(members, [(NODE, NEW)]);
            assert_eq!(image.sessions(), 1);
            draws.push(image.version());
            // As if the power had gone before the identity was written.
            data_dir.begin_recovery(NEW).unwrap();
        }
        assert_eq!(draws[0], draws[1], "what was written is not written again");
    }

    #[test]
    fn a_disk_that_nobody_told_to_go_on_alone_is_left_as_it_is() {
        let (_directory, mut data_dir, log, images) = left();
        complete(&mut data_dir, &log, &images, Formats::OURS).unwrap();
        assert_eq!(data_dir.identity().cluster, Some(OLD));
        assert!(images.latest().is_none());
    }
}

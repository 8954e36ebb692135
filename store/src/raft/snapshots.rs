//! Snapshots between the table, the disk and the wire.
//!
//! Invariants: a snapshot is one point of the log (the image counts references while nothing is applied) and is
//! written beside the applying of entries; an older snapshot never replaces a newer one, because the log in between
//! may be purged; a received one changes nothing before openraft has accepted it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use openraft::RaftSnapshotBuilder;
use openraft::type_config::alias::{LogIdOf, SnapshotMetaOf, SnapshotOf};
use prost::Message;
use remora_proto::v1;

use crate::log;
use crate::metrics::Consensus;
use crate::runtime;
use crate::snapshot::{self, SnapshotReader, SnapshotReceiver, SnapshotStore};
use remora_table::TableImage;

use super::imaging;
use super::link::LinkStream;
use super::types::{StoredMembership, Types, log_id};
use super::wire::{self, Malformed};

/// How long a snapshot may be silent on its way: whoever reads 256 KiB from a disk does not take that long.
pub(super) const SILENT_WITHIN: Duration = Duration::from_secs(30);

/// Stands for a number of free bytes that is not known.
const FREE_UNKNOWN: u64 = u64::MAX;

/// A snapshot on its way.
pub(super) enum SnapshotData {
    /// On this disk, to be sent or restored.
    Stored(SnapshotReader),
    /// Received from a peer, not yet verified.
    Received(SnapshotReceiver),
    /// None could be written, and none was before.
    Absent,
}

impl SnapshotData {
    /// Bytes of one on this disk; 0 of any other.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Stored(reader) => reader.bytes(),
            Self::Received(_) | Self::Absent => 0,
        }
    }
}

/// The snapshots of this node.
#[derive(Clone)]
pub(super) struct Snapshots {
    store: Arc<SnapshotStore>,
    /// Whether the last snapshot found no room: said once.
    full: Arc<AtomicBool>,
    /// Bytes free on the disk when it was looked at last; all ones while that is not known.
    free: Arc<AtomicU64>,
    /// Bytes of the disk in all, as it was looked at last; 0 while that is not known.
    whole: Arc<AtomicU64>,
    counts: Consensus,
}

impl Snapshots {
    /// Over an open snapshot directory, counted by whoever looks after consensus.
    pub(super) fn counted(store: SnapshotStore, counts: Consensus) -> Self {
        Self {
            counts,
            store: Arc::new(store),
            full: Arc::default(),
            free: Arc::new(AtomicU64::new(FREE_UNKNOWN)),
            whole: Arc::default(),
        }
    }

    /// The newest snapshot, to be read.
    pub(super) async fn newest(&self) -> io::Result<Option<SnapshotOf<Types, SnapshotData>>> {
        let Some(reader) = self.blocking(|store| store.read()).await? else {
            return Ok(None);
        };
        let meta = from_disk(reader.meta())?;
        Ok(Some(openraft::Snapshot {
            meta,
            snapshot: SnapshotData::Stored(reader),
        }))
    }

    /// Size of the newest snapshot.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.store.latest_bytes()
    }

    /// Looks how many bytes are free on the disk; none if it does not say.
    pub(super) async fn look_at_disk(&self) -> Option<u64> {
        let space = self.blocking(|store| store.space()).await;
        let space =
            space.inspect_err(|error| tracing::warn!(%error, "the disk does not say how much is free"));
        let free = space.as_ref().ok().map(|space| space.free);
        self.free.store(free.unwrap_or(FREE_UNKNOWN), Ordering::Relaxed);
        if let Ok(space) = space {
            self.whole.store(space.whole, Ordering::Relaxed);
        }
        free
    }

    /// Bytes of the disk in all, for whoever the process runs as; 0 while that is not known.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.whole.load(Ordering::Relaxed)
    }

    /// Bytes free on the disk when it was looked at last.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        Some(self.free.load(Ordering::Relaxed)).filter(|free| *free != FREE_UNKNOWN)
    }

    /// Whether a snapshot of so many bytes has room; otherwise the one before stands and the log behind it is kept.
    pub(super) fn unless_too_large(&self, bytes: u64, free: Option<u64>) -> bool {
        let fits = imaging::fits(bytes, free);
        if !fits {
            self.postponed(&format!(
                "{} bytes are free, and it takes about {bytes}",
                free.unwrap_or_default()
            ));
        }
        fits
    }

    /// Whether a snapshot was written, or the disk is full: then the one before stands and the log behind it is kept.
    /// Whoever loses the log's disk to that will stop; a snapshot alone is no reason to.
    pub(super) fn unless_full(&self, saved: io::Result<()>) -> io::Result<()> {
        match saved {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                self.postponed(&error.to_string());
                Ok(())
            }
            Err(error) => {
                self.counts.snapshots_failed.increment(1);
                Err(error)
            }
            Ok(()) => {
                self.counts.snapshots.increment(1);
                self.full.store(false, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Whether the last snapshot that was due found no room.
    pub(super) fn is_postponed(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Counts a snapshot that found no room, and says so if the one before found some.
    fn postponed(&self, why: &str) {
        if !self.full.swap(true, Ordering::Relaxed) {
            self.counts.snapshots_postponed.increment(1);
            tracing::error!(
                why,
                "the disk is too full for a snapshot: the log grows until one can be written; make room"
            );
        }
    }

    /// Makes the image of a new cluster the newest.
    pub(super) async fn found(&self, meta: snapshot::SnapshotMeta, image: TableImage) -> io::Result<()> {
        self.blocking(move |store| store.save(&meta, image)).await
    }

    /// Begins to receive one.
    pub(super) async fn receive(&self) -> io::Result<SnapshotReceiver> {
        self.blocking(|store| store.receive()).await
    }

    /// Takes the pieces of one that was announced, with so many bytes if that is known, and verifies the whole; nothing of it
    /// stands for anything yet. `came` is told how many bytes are there.
    ///
    /// # Errors
    /// It was cut off, fell silent, is not what was announced, or the disk failed.
    pub(super) async fn take_aside(
        &self,
        mut pieces: LinkStream<v1::SnapshotChunk>,
        (meta, bytes): (&SnapshotMetaOf<Types>, u64),
        mut came: impl FnMut(u64) + Send,
    ) -> io::Result<SnapshotReceiver> {
        let mut receiver = self.receive().await?;
        let mut taken = 0;
        loop {
            let next = tokio::time::timeout(SILENT_WITHIN, pieces.next()).await;
            let next = next.map_err(|_| io::Error::other("the snapshot stopped on its way"))?;
            let next = next.ok_or_else(|| io::Error::other("the snapshot was cut off"))?;
            let piece =
                next.map_err(|error| io::Error::other(format!("the snapshot was cut off: {error}")))?;
            if piece.last {
                break;
            }
            taken += piece.data.len() as u64;
            if bytes > 0 && taken > bytes {
                return Err(io::Error::other("the snapshot is longer than was announced"));
            }
            receiver = on_disk(move || {
                receiver.write(&piece.data)?;
                Ok(receiver)
            })
            .await?;
            came(taken);
        }
        let announced = to_disk(meta);
        on_disk(move || {
            if receiver.verify()? != announced {
                return Err(io::Error::other("the snapshot is not the one that was announced"));
            }
            Ok(receiver)
        })
        .await
    }

    /// Makes a snapshot the newest on this disk if it is not yet, and loads it.
    pub(super) async fn install(
        &self,
        meta: &SnapshotMetaOf<Types>,
        data: SnapshotData,
    ) -> io::Result<TableImage> {
        let wanted = to_disk(meta);
        self.blocking(move |store| {
            if store.latest().as_ref() != Some(&wanted) {
                let receiver = match data {
                    SnapshotData::Received(receiver) => receiver,
                    SnapshotData::Stored(reader) => copy(store, reader)?,
                    SnapshotData::Absent => return Err(io::Error::other("there is no snapshot to install")),
                };
                if receiver.finish()? != wanted {
                    return Err(io::Error::other(
                        "a snapshot is not the one that the leader announced",
                    ));
                }
            }
            let (_, image) = store
                .load()?
                .ok_or_else(|| io::Error::other("the newest snapshot is gone"))?;
            Ok(image)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SnapshotStore) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let store = Arc::clone(&self.store);
        on_disk(move || work(&store)).await
    }
}

/// Works where it may wait for the disk.
pub(super) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    runtime::blocking(work).await.map_err(io::Error::other)?
}

/// Copies another directory's image into this one.
fn copy(store: &SnapshotStore, mut reader: SnapshotReader) -> io::Result<SnapshotReceiver> {
    let mut receiver = store.receive()?;
    while let Some(chunk) = reader.next_chunk()? {
        receiver.write(&chunk)?;
    }
    Ok(receiver)
}

/// Writes one snapshot.
pub(super) struct SnapshotBuilder {
    pub(super) snapshots: Snapshots,
    pub(super) meta: SnapshotMetaOf<Types>,
    pub(super) image: Option<TableImage>,
}

impl RaftSnapshotBuilder<Types> for SnapshotBuilder {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<Types, SnapshotData>, io::Error> {
        let image = self.image.take().ok_or_else(|| {
            io::Error::other("there is no copy of the table to write, or it was written already")
        })?;
        let (meta, began) = (to_disk(&self.meta), runtime::now());
        let up_to = self.meta.last_log_id.map(|last| last.index);
        tracing::info!(up_to, "writing a table image");
        let saved = self
            .snapshots
            .blocking(move |store| store.save(&meta, image))
            .await;
        if saved.is_ok() {
            let took = runtime::since(began);
            self.snapshots.counts.snapshot_seconds.record(took);
            let (bytes, took_ms) = (self.snapshots.bytes(), took.as_millis());
            tracing::info!(
                up_to,
                bytes,
                took_ms,
                "wrote a table image: the log before it can go"
            );
        }
        self.snapshots.unless_full(saved)?;
        let newest = self.snapshots.newest().await?;
        // openraft takes a snapshot of nothing for what it is: nothing may be purged for it.
        Ok(newest.unwrap_or_else(|| openraft::Snapshot {
            meta: SnapshotMetaOf::<Types>::default(),
            snapshot: SnapshotData::Absent,
        }))
    }
}

/// A snapshot as a stream of messages: the head, then the image piece by piece, read on a blocking thread.
pub(super) fn chunks(
    head: v1::snapshot_chunk::Head,
    data: SnapshotData,
) -> BoxStream<'static, v1::SnapshotChunk> {
    let first = v1::SnapshotChunk {
        head: Some(head),
        data: Bytes::new(),
        last: false,
    };
    let reader = match data {
        SnapshotData::Stored(reader) => Some(reader),
        SnapshotData::Received(_) | SnapshotData::Absent => None,
    };
    let rest = stream::unfold(reader, |reader| async move {
        let mut reader = reader?;
        let read = runtime::blocking(move || {
            let chunk = reader.next_chunk();
            (reader, chunk)
        });
        match read.await {
            Ok((reader, Ok(Some(data)))) => Some((
                v1::SnapshotChunk {
                    head: None,
                    data,
                    last: false,
                },
                Some(reader),
            )),
            Ok((_, Ok(None))) => Some((
                v1::SnapshotChunk {
                    head: None,
                    data: Bytes::new(),
                    last: true,
                },
                None,
            )),
            // The receiver misses the last chunk and refuses; openraft tries again.
            Ok((_, Err(error))) => {
                tracing::error!(%error, "cannot read the snapshot that a follower needs");
                None
            }
            Err(_) => None,
        }
    });
    stream::once(async move { first }).chain(rest).boxed()
}

/// What stands in front of a snapshot that is sent.
pub(super) fn head(
    envelope: Option<v1::Envelope>,
    vote: v1::Vote,
    snapshot: &SnapshotOf<Types, SnapshotData>,
) -> v1::snapshot_chunk::Head {
    v1::snapshot_chunk::Head {
        envelope,
        vote: Some(vote),
        last_log: snapshot.meta.last_log_id.map(wire::position),
        membership: Some(wire::stored_membership(&snapshot.meta.last_membership)),
        bytes: snapshot.snapshot.bytes(),
    }
}

/// What a snapshot is, as whoever sends it says, and how many bytes it has; 0 where that is not said.
pub(super) fn announced(head: v1::snapshot_chunk::Head) -> Result<(SnapshotMetaOf<Types>, u64), Malformed> {
    let membership = wire::from_stored_membership(head.membership)?;
    Ok((
        meta(head.last_log.map(wire::from_position), membership),
        head.bytes,
    ))
}

/// What a snapshot is, as the disk keeps it.
pub(super) fn to_disk(meta: &SnapshotMetaOf<Types>) -> snapshot::SnapshotMeta {
    snapshot::SnapshotMeta {
        last_applied: meta.last_log_id.map(|last| {
            let position = wire::position(last);
            log::LogId {
                term: position.term,
                index: position.index,
            }
        }),
        membership: Bytes::from(wire::stored_membership(&meta.last_membership).encode_to_vec()),
    }
}

/// What a snapshot is, as openraft knows it.
fn from_disk(meta: &snapshot::SnapshotMeta) -> io::Result<SnapshotMetaOf<Types>> {
    let stored = v1::StoredMembership::decode(meta.membership.clone()).map_err(io::Error::other)?;
    Ok(SnapshotMetaOf::<Types> {
        last_log_id: meta.last_applied.map(|last| log_id(last.term, last.index)),
        last_membership: wire::from_stored_membership(Some(stored)).map_err(io::Error::other)?,
    })
}

/// What a snapshot of this state is.
pub(super) fn meta(
    last_log_id: Option<LogIdOf<Types>>,
    last_membership: StoredMembership,
) -> SnapshotMetaOf<Types> {
    SnapshotMetaOf::<Types> {
        last_log_id,
        last_membership,
    }
}

//! Copies of the table on their way: a backup to an operator, and back into a new cluster.
//!
//! A backup is the table at one point behind a barrier. It counts references while it is sent, so saves go on beside it; what
//! they replace meanwhile stays in memory until the backup has passed it. So there is one at a time, and an operator who
//! takes nothing for a while loses it. What is received is judged by `raft`; here every piece is only compared with its
//! checksum. What a node goes on with alone takes no way: that is its own disk (`raft::recover`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tonic::{Status, Streaming};

use crate::raft::{RecoverError, RestoreError, Restored};
use crate::runtime;
use crate::snapshot::{BackupHead, backup};

use super::desk::Desk;
use super::status::{refusal, status};

/// Pieces that wait for the operator's connection: one that is sent, one that is ready.
const PIECES_READY: usize = 2;

/// How long either side may be silent in the middle of a copy: longer than any disk takes for a piece.
const SILENT_WITHIN: Duration = Duration::from_secs(30);

/// Backups that are being taken on this node.
#[derive(Debug)]
pub(super) struct Backups(Arc<Semaphore>);

impl Default for Backups {
    /// One at a time.
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// What an operator is sent.
pub(super) type Pieces = BoxStream<'static, Result<v1::BackupChunk, Status>>;

impl Backups {
    /// Takes a backup and begins to send it.
    pub(super) async fn take(&self, desk: &Desk) -> Result<Pieces, Status> {
        desk.open().map_err(status)?;
        let permit = Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            let sentence = "this node sends a backup already: wait for its end, or ask another node";
            status(refusal(Reason::Overloaded, sentence))
        })?;
        desk.barrier().await.map_err(status)?;
        let cluster = desk.raft.formed();
        let image = desk.raft.image().await.zip(cluster);
        let (image, cluster) = image.ok_or_else(|| status(desk.stopping()))?;
        let head = BackupHead::of(cluster, &image);
        let mut summary = summary(head);
        summary.about_bytes = desk.raft.status().image_bytes;
        tracing::info!(
            version = head.version,
            sessions = head.sessions,
            "an operator takes a backup"
        );
        let (send, pieces) = mpsc::channel(PIECES_READY);
        runtime::spawn(send_all(backup(head, image), summary, send, permit));
        Ok(tokio_stream::wrappers::ReceiverStream::new(pieces).boxed())
    }
}

/// Sends the pieces of a backup until all are sent, or nobody takes them.
async fn send_all(
    mut pieces: impl Iterator<Item = io::Result<Bytes>> + Send + 'static,
    summary: v1::BackupSummary,
    send: mpsc::Sender<Result<v1::BackupChunk, Status>>,
    _permit: OwnedSemaphorePermit,
) {
    let mut summary = Some(summary);
    loop {
        let next = runtime::blocking(move || {
            let next = pieces.next();
            (pieces, next)
        });
        let Ok((rest, piece)) = next.await else { return };
        pieces = rest;
        let last = piece.is_none();
        let chunk = piece
            .unwrap_or_else(|| Ok(Bytes::new()))
            .map(|data| v1::BackupChunk {
                summary: summary.take(),
                checksum: crc32fast::hash(&data),
                data,
                last,
            });
        let chunk = chunk.map_err(|error| Status::internal(error.to_string()));
        let failed = chunk.is_err();
        let taken = timeout(SILENT_WITHIN, send.send(chunk)).await;
        if last || failed || !matches!(taken, Ok(Ok(()))) {
            return;
        }
    }
}

/// Receives a backup and begins a new cluster with it.
pub(super) async fn restore(
    desk: &Desk,
    mut pieces: Streaming<v1::BackupChunk>,
) -> Result<v1::RestoreReply, Status> {
    desk.open().map_err(status)?;
    let mut restoring = desk.raft.restore().await.map_err(|error| unrestored(&error))?;
    loop {
        let piece = next(&mut pieces).await?;
        if crc32fast::hash(&piece.data) != piece.checksum {
            return Err(Status::data_loss(
                "a piece of the backup was damaged on its way: send it again",
            ));
        }
        restoring
            .write(piece.data)
            .await
            .map_err(|error| unrestored(&error))?;
        if piece.last {
            break;
        }
    }
    // Whoever asked may go away meanwhile: what is decided is also carried out.
    let restored = runtime::spawn(restoring.finish()).await;
    let restored = restored.map_err(|error| Status::internal(error.to_string()))?;
    Ok(restore_reply(restored.map_err(|error| unrestored(&error))?))
}

/// Tells what this node would give up if it went on alone, or lets it.
pub(super) async fn recover(desk: &Desk, really: bool) -> Result<v1::RecoverReply, Status> {
    desk.open().map_err(status)?;
    let unneeded = |error: RecoverError| match error {
        RecoverError::Unneeded(sentence) => Status::failed_precondition(sentence),
        RecoverError::Disk(_) => Status::internal(error.to_string()),
    };
    let given_up = desk.raft.giving_up().map_err(unneeded)?;
    let mut new_cluster = String::new();
    if really {
        let raft = desk.raft.clone();
        let begun = runtime::spawn(async move { raft.recover().await }).await;
        let begun = begun.map_err(|error| Status::internal(error.to_string()))?;
        new_cluster = begun.map_err(unneeded)?.to_string();
    }
    Ok(v1::RecoverReply {
        node_id: given_up.node,
        cluster: given_up.cluster.to_string(),
        new_cluster,
        last_log_index: given_up.last.index,
        committed_index: given_up.committed,
        silent: given_up.silent,
    })
}

/// The next piece; that there is none is an error, because the last one says that it is.
async fn next(
    pieces: &mut (impl Stream<Item = Result<v1::BackupChunk, Status>> + Unpin),
) -> Result<v1::BackupChunk, Status> {
    let piece = timeout(SILENT_WITHIN, pieces.next()).await;
    let piece =
        piece.map_err(|_| Status::deadline_exceeded("the backup stopped on its way: send it again"))?;
    piece.ok_or_else(|| Status::aborted("the backup was cut off on its way: send it again"))?
}

fn unrestored(error: &RestoreError) -> Status {
    match error {
        RestoreError::Unready(_) => Status::failed_precondition(error.to_string()),
        RestoreError::Unusable(cause) => match cause.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::Unsupported => {
                Status::invalid_argument(error.to_string())
            }
            _ => Status::internal(error.to_string()),
        },
    }
}

fn summary(head: BackupHead) -> v1::BackupSummary {
    v1::BackupSummary {
        cluster: head.cluster.to_string(),
        version: head.version,
        sessions: head.sessions,
        about_bytes: 0,
    }
}

fn restore_reply(restored: Restored) -> v1::RestoreReply {
    v1::RestoreReply {
        cluster: restored.cluster.to_string(),
        restored: Some(summary(restored.head)),
        version: restored.version,
        nodes: restored.nodes,
    }
}

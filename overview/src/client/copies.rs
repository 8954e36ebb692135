//! Backups on their way between a store node and this program.
//!
//! Every piece is compared with its checksum when it comes, and what ends before its last piece is a failure. Nothing is
//! asked twice: whoever wants a backup begins it anew.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream;
use remora_process::tls::Dial;
use remora_proto::v1::store_admin_client::StoreAdminClient;
use remora_proto::v1::{BackupChunk, BackupRequest, BackupSummary, RestoreReply};
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use super::{ATTEMPT_TIMEOUT, Store, connect, endpoint, failure, is_passing, root_cause};
use crate::Failure;

/// How long a node may be silent before and in the middle of a backup: it copies the table first, some tens of milliseconds
/// for a million sessions. The store bounds the same wait at its side.
const SILENT_WITHIN: Duration = Duration::from_secs(30);

/// How often a silent connection is asked whether it lives, while a node reads all that it was sent.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);

/// Bytes of a file in one message: large against a message's cost, small beside the limit of 4 MiB.
const PIECE_BYTES: u64 = 256 << 10;

/// A backup that is being received.
#[derive(Debug)]
pub struct BackupStream {
    dial: Dial,
    address: String,
    pieces: Streaming<BackupChunk>,
    /// What it holds.
    pub summary: BackupSummary,
    first: Option<Vec<u8>>,
    ended: bool,
}

impl Store {
    /// Begins to take a backup, of the first node that gives one.
    pub async fn backup(&self) -> Result<BackupStream, Failure> {
        let mut last = None;
        for address in &self.reach.addresses {
            let asked = match connect(&self.reach.dial, address, SILENT_WITHIN).await {
                Ok(channel) => StoreAdminClient::new(channel).backup(BackupRequest {}).await,
                Err(status) => Err(status),
            };
            match asked {
                Ok(pieces) => {
                    return BackupStream::of(&self.reach.dial, address.clone(), pieces.into_inner()).await;
                }
                Err(status) if is_passing(&status) => {
                    last = Some(failure(&self.reach.dial, address, &status));
                }
                Err(status) => return Err(failure(&self.reach.dial, address, &status)),
            }
        }
        Err(last.unwrap_or_else(|| Failure::Refused("no store address given".into())))
    }

    /// Sends a backup to the node at exactly this address; `sent` is told how many bytes more have left.
    pub async fn restore(
        &self,
        address: &str,
        file: impl Read + Send + 'static,
        sent: impl FnMut(u64) + Send + 'static,
    ) -> Result<RestoreReply, Failure> {
        let trouble = Arc::new(Mutex::new(None));
        let pieces = stream::iter(Pieces {
            file,
            sent,
            ended: false,
            trouble: Arc::clone(&trouble),
        });
        let channel = kept_alive(&self.reach.dial, address).await?;
        let answer = StoreAdminClient::new(channel).restore(pieces).await;
        if let Some(error) = trouble.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(Failure::Refused(format!("cannot read the backup: {error}")));
        }
        let answer = answer.map(tonic::Response::into_inner);
        answer.map_err(|status| match status.code() {
            Code::Unknown | Code::Cancelled | Code::Unavailable => Failure::Refused(format!(
                "{address}: the connection broke, and it is unknown whether the backup was restored: look with `remora status`"
            )),
            _ => failure(&self.reach.dial, address, &status),
        })
    }
}

/// A connection that waits for an answer as long as the far side lives.
async fn kept_alive(dial: &Dial, address: &str) -> Result<Channel, Failure> {
    let unreachable = |error: tonic::transport::Error| {
        Failure::Refused(format!("{address}: no answer: {}", root_cause(&error)))
    };
    let endpoint = endpoint(address).map_err(unreachable)?;
    let endpoint = endpoint
        .connect_timeout(ATTEMPT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_EVERY)
        .keep_alive_timeout(SILENT_WITHIN);
    let connected = endpoint.connect_with_connector(dial.clone()).await;
    connected.map_err(unreachable)
}

impl BackupStream {
    /// Waits for the first piece, which says what follows.
    async fn of(dial: &Dial, address: String, pieces: Streaming<BackupChunk>) -> Result<Self, Failure> {
        let mut stream = Self {
            dial: dial.clone(),
            address,
            pieces,
            summary: BackupSummary::default(),
            first: None,
            ended: false,
        };
        stream.first = stream.next().await?;
        Ok(stream)
    }

    /// The next bytes of the file; none at its end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        if self.ended {
            return Ok(None);
        }
        let next = tokio::time::timeout(SILENT_WITHIN, self.pieces.message()).await;
        let next = next.map_err(|_| self.broken("stopped"))?;
        let next = next.map_err(|status| failure(&self.dial, &self.address, &status))?;
        let piece = next.ok_or_else(|| self.broken("was cut off"))?;
        if crc32fast::hash(&piece.data) != piece.checksum {
            return Err(self.broken("was damaged"));
        }
        self.ended = piece.last;
        if let Some(summary) = piece.summary {
            self.summary = summary;
        }
        Ok(Some(piece.data.into()))
    }

    fn broken(&self, how: &str) -> Failure {
        let address = &self.address;
        Failure::Refused(format!("{address}: the backup {how} on its way: take it again"))
    }
}

/// A file in pieces; one that cannot be read ends without its last piece, which the far side refuses.
struct Pieces<F, S> {
    file: F,
    sent: S,
    ended: bool,
    trouble: Arc<Mutex<Option<io::Error>>>,
}

impl<F: Read, S: FnMut(u64)> Iterator for Pieces<F, S> {
    type Item = BackupChunk;

    fn next(&mut self) -> Option<BackupChunk> {
        if self.ended {
            return None;
        }
        let mut data = Vec::new();
        match Read::by_ref(&mut self.file)
            .take(PIECE_BYTES)
            .read_to_end(&mut data)
        {
            Ok(read) => (self.sent)(read as u64),
            Err(error) => {
                self.ended = true;
                *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return None;
            }
        }
        self.ended = data.is_empty();
        Some(BackupChunk {
            checksum: crc32fast::hash(&data),
            data: data.into(),
            last: self.ended,
            summary: None,
        })
    }
}

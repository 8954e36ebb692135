//! Table images on disk.

use std::io;
use std::path::Path;

use bytes::Bytes;

use crate::log::LogId;
use crate::session::TableImage;

/// What an image stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotMeta {
    /// The last entry that is in the image; absent if none was ever applied.
    pub last_applied: Option<LogId>,
    /// The last membership and its log id, encoded by `raft/`; opaque here.
    pub membership: Bytes,
}

/// The images of one data directory; all calls read or write the disk: not for a runtime's thread.
#[derive(Debug)]
pub struct SnapshotStore {}

/// Reads an image's file from the front, for a peer.
#[derive(Debug)]
pub struct SnapshotReader {}

/// Takes an image's file from a peer, aside until it is complete and verified.
#[derive(Debug)]
pub struct SnapshotReceiver {}

impl SnapshotStore {
    /// Opens the directory, verifies the newest image, and deletes what is old, broken or half-written.
    pub fn open(_directory: &Path) -> io::Result<Self> {
        todo!()
    }

    /// The newest image's meta.
    pub fn latest(&self) -> Option<SnapshotMeta> {
        todo!()
    }

    /// Writes an image; on return it is durable and the newest, and older ones are gone.
    pub fn save(&self, _meta: &SnapshotMeta, _image: TableImage) -> io::Result<()> {
        todo!()
    }

    /// Reads the newest image.
    pub fn load(&self) -> io::Result<Option<(SnapshotMeta, TableImage)>> {
        todo!()
    }

    /// Opens the newest image to send it. It can be read to its end even if a newer one replaces it meanwhile.
    pub fn read(&self) -> io::Result<Option<SnapshotReader>> {
        todo!()
    }

    /// Begins to receive an image.
    pub fn receive(&self) -> io::Result<SnapshotReceiver> {
        todo!()
    }
}

impl SnapshotReader {
    /// What the image stands for.
    pub fn meta(&self) -> &SnapshotMeta {
        todo!()
    }

    /// The next piece, at most 256 KiB; none at the end.
    pub fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        todo!()
    }
}

impl SnapshotReceiver {
    /// Takes the next piece.
    pub fn write(&mut self, _chunk: &[u8]) -> io::Result<()> {
        todo!()
    }

    /// Verifies all of it, makes it durable and the newest. Dropped before that, nothing has happened.
    pub fn finish(self) -> io::Result<SnapshotMeta> {
        todo!()
    }
}

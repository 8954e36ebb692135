//! Table images on disk: written aside at a bounded pace, checksummed, synced, renamed. The newest valid one wins.
//!
//! A file is a sequence of frames, each a length, a CRC-32 and its bytes, little-endian: first the head (format, what the
//! image stands for), then the image's chunks, then an empty frame, so that a file that was cut is not taken for whole.
//! A peer is sent exactly the file, and what it receives is verified frame by frame before it stands for anything.
//!
//! Left out on purpose: more than one image. The log behind the newest one is kept; an older image would need a log
//! that is gone. Where the only one is damaged, another node's takes its place (`raft`).

mod backup;
mod frames;
mod pace;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::disk::{DeviceFile, Disk, NewFile, Space};
use frames::{FrameReader, PIECE_BYTES, decode_meta, encode_meta, frames, read_image};
use pace::Paced;
use remora_table::{Formats, TableImage};

pub(crate) use backup::{BackupHead, backup, read_backup};
pub(crate) use frames::SnapshotMeta;

/// Ends the name of an image, behind a dot.
const IMAGE: &str = "image";

/// Ends the name of one that was found damaged.
const DAMAGED: &str = "damaged";

/// The images of one data directory; all calls but [`SnapshotStore::latest_bytes`] read or write the disk: not for a
/// runtime's thread.
#[derive(Debug)]
pub(crate) struct SnapshotStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    disk: Disk,
    directory: PathBuf,
    understood: Formats,
    newest: Mutex<Newest>,
}

#[derive(Debug, Default)]
struct Newest {
    image: Option<(SnapshotMeta, PathBuf)>,
    /// Damaged ones, while there is none that is whole.
    damaged: BTreeSet<PathBuf>,
    /// Files begun so far; makes the names of those being written unique.
    begun: u64,
}

impl Newest {
    /// A whole image is there.
    fn drop_damaged(&mut self, disk: &Disk) -> io::Result<()> {
        while let Some(damaged) = self.damaged.pop_first() {
            disk.remove(&damaged)?;
        }
        Ok(())
    }
}

/// Reads an image's file from the front, for a peer.
#[derive(Debug)]
pub(crate) struct SnapshotReader {
    meta: SnapshotMeta,
    bytes: u64,
    file: Box<dyn DeviceFile>,
}

/// Takes an image's file from a peer, or a backup from an operator, aside until it is complete and verified.
#[derive(Debug)]
pub(crate) struct SnapshotReceiver {
    shared: Arc<Shared>,
    new: NewFile,
    /// What it stands for, once all of it was read and found whole.
    verified: Option<SnapshotMeta>,
}

impl SnapshotStore {
    /// Opens the directory, verifies the newest image, and deletes what is old or half-written. A damaged image is set aside for
    /// whoever looks into it, and deleted when a whole one is there.
    ///
    /// # Errors
    /// The disk failed, or the newest image is of a format that is not understood ([`io::ErrorKind::Unsupported`]): a later
    /// release wrote it, and taking an older image instead would lose what it holds.
    pub(crate) fn open(disk: &Disk, directory: &Path, understood: Formats) -> io::Result<Self> {
        disk.make_directory(directory)?;
        disk.sweep(directory)?;
        let files = disk.list(directory)?;
        let named = |ending: &str| {
            let has_it = |path: &&PathBuf| path.extension().is_some_and(|ends| ends == ending);
            files
                .iter()
                .filter(has_it)
                .cloned()
                .collect::<BTreeSet<PathBuf>>()
        };
        let (mut images, mut damaged) = (named(IMAGE), named(DAMAGED));
        let mut newest = None;
        while let Some(path) = images.pop_last() {
            if newest.is_some() {
                disk.remove(&path)?;
                continue;
            }
            match disk.open(&path).and_then(|file| verify(file, understood)) {
                Ok(meta) => newest = Some((meta, path)),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    let aside = path.with_extension(DAMAGED);
                    tracing::warn!(
                        file = %aside.display(), %error,
                        "set a damaged table image aside: it is deleted when a whole one is in its place"
                    );
                    disk.rename(&path, &aside)?;
                    damaged.insert(aside);
                }
                Err(error) => return Err(error),
            }
        }
        let mut newest = Newest {
            image: newest,
            damaged,
            begun: 0,
        };
        if newest.image.is_some() {
            newest.drop_damaged(disk)?;
        }
        Ok(Self {
            shared: Arc::new(Shared {
                disk: disk.clone(),
                directory: directory.to_path_buf(),
                understood,
                newest: Mutex::new(newest),
            }),
        })
    }

    /// The newest image's meta.
    pub(crate) fn latest(&self) -> Option<SnapshotMeta> {
        self.shared.lock().image.as_ref().map(|(meta, _)| meta.clone())
    }

    /// Size of the newest image's file; none also while a newer one is being made durable. The one call that waits for
    /// nothing: the file system knows a size without the disk.
    pub(crate) fn latest_bytes(&self) -> Option<u64> {
        let newest = self.shared.newest.try_lock().ok()?;
        let (_, path) = newest.image.as_ref()?;
        Some(fs::metadata(path).ok()?.len())
    }

    /// Writes an image; on return it is durable and the newest, and older ones are gone. An image that was overtaken
    /// by a newer one while it was written is dropped: what it stands for is in the newer one.
    ///
    /// # Errors
    /// The disk failed; the newest image is what it was.
    pub(crate) fn save(&self, meta: &SnapshotMeta, image: TableImage) -> io::Result<()> {
        let mut new = self.shared.begin()?;
        let mut out = io::BufWriter::with_capacity(PIECE_BYTES, Paced::new(new.file()));
        for frame in frames(encode_meta(image.format(), meta), image) {
            out.write_all(&frame?)?;
        }
        out.flush()?;
        drop(out);
        self.shared.publish(new, meta).map(drop)
    }

    /// Reads the newest image.
    ///
    /// # Errors
    /// The disk failed or the file is damaged.
    pub(crate) fn load(&self) -> io::Result<Option<(SnapshotMeta, TableImage)>> {
        let Some(reader) = self.read()? else {
            return Ok(None);
        };
        let mut frames = FrameReader::new(reader.file);
        let meta = decode_meta(&frames.next_frame()?, self.shared.understood)?;
        let image = read_image(&mut frames, self.shared.understood)?;
        Ok(Some((meta, image)))
    }

    /// Opens the newest image to send it. It can be read to its end even if a newer one replaces it meanwhile.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn read(&self) -> io::Result<Option<SnapshotReader>> {
        let newest = self.shared.lock();
        let Some((meta, path)) = &newest.image else {
            return Ok(None);
        };
        Ok(Some(SnapshotReader {
            meta: meta.clone(),
            bytes: fs::metadata(path)?.len(),
            file: self.shared.disk.open(path)?,
        }))
    }

    /// How large the disk is, and how full.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn space(&self) -> io::Result<Space> {
        self.shared.disk.space(&self.shared.directory)
    }

    /// Begins to receive an image.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn receive(&self) -> io::Result<SnapshotReceiver> {
        Ok(SnapshotReceiver {
            shared: Arc::clone(&self.shared),
            new: self.shared.begin()?,
            verified: None,
        })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> io::Result<NewFile> {
        let mut newest = self.lock();
        newest.begun += 1;
        self.disk.begin(&self.directory, &format!("{}", newest.begun))
    }

    /// Makes a file the newest image, unless a newer one came first; says whether it did.
    fn publish(&self, new: NewFile, meta: &SnapshotMeta) -> io::Result<bool> {
        let mut newest = self.lock();
        if newest
            .image
            .as_ref()
            .is_some_and(|(known, _)| known.last_applied > meta.last_applied)
        {
            return Ok(false);
        }
        let id = meta.last_applied.unwrap_or_default();
        let path = self
            .directory
            .join(format!("{:020}-{:020}.{IMAGE}", id.index, id.term));
        new.publish(&path)?;
        let before = newest.image.replace((meta.clone(), path.clone()));
        if let Some((_, old)) = before.filter(|(_, old)| *old != path) {
            self.disk.remove(&old)?;
        }
        newest.drop_damaged(&self.disk)?;
        Ok(true)
    }
}

/// Reads a whole file and says what it stands for; damage is [`io::ErrorKind::InvalidData`], a format that is not
/// understood [`io::ErrorKind::Unsupported`].
fn verify(file: impl Read, understood: Formats) -> io::Result<SnapshotMeta> {
    let mut frames = FrameReader::new(file);
    let meta = decode_meta(&frames.next_frame()?, understood)?;
    while !frames.next_frame()?.is_empty() {}
    frames.expect_end()?;
    Ok(meta)
}

impl SnapshotReader {
    /// What the image stands for.
    pub(crate) fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }

    /// Size of the whole file.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next piece, at most 256 KiB; none at the end.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        Read::by_ref(&mut self.file)
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut piece)?;
        Ok((!piece.is_empty()).then(|| Bytes::from(piece)))
    }
}

impl SnapshotReceiver {
    /// Takes the next piece.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.verified = None;
        self.new.file().write_all(chunk)
    }

    /// Reads all of it again and says what it stands for; nothing may be written afterwards.
    ///
    /// # Errors
    /// What came is damaged or incomplete ([`io::ErrorKind::InvalidData`]), or the disk failed.
    pub(crate) fn verify(&mut self) -> io::Result<SnapshotMeta> {
        if let Some(verified) = &self.verified {
            return Ok(verified.clone());
        }
        // A disk that is full may say so at the sync alone.
        self.new.file().sync()?;
        self.new.file().seek(SeekFrom::Start(0))?;
        let meta = verify(self.new.file(), self.shared.understood)?;
        self.verified = Some(meta.clone());
        Ok(meta)
    }

    /// Reads it as a backup, which it is if an operator sent it; nothing may be written afterwards.
    ///
    /// # Errors
    /// What [`read_backup`] says.
    pub(crate) fn read_backup(&mut self) -> io::Result<(BackupHead, TableImage)> {
        self.new.file().seek(SeekFrom::Start(0))?;
        read_backup(self.new.file(), self.shared.understood)
    }

    /// Verifies all of it, makes it durable and the newest. Dropped before that, nothing has happened.
    ///
    /// # Errors
    /// What came is damaged or incomplete, or the disk failed.
    pub(crate) fn finish(mut self) -> io::Result<SnapshotMeta> {
        let meta = self.verify()?;
        if self.shared.publish(self.new, &meta)? {
            return Ok(meta);
        }
        Err(io::Error::other(
            "a newer table image came while this one was received",
        ))
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

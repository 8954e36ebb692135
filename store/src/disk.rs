//! The disk as we use it: files that come into being whole, directories whose names are durable, and the narrow seam
//! ([`Device`]) under both, behind which a test puts faults.
//!
//! There is one way in which a file of ours comes into being: written aside, synced, renamed, its directory synced. After
//! a crash at any point it is either the old one or the new one, whole. A failed sync is an error that the caller must not
//! paper over: what the kernel says after it cannot be trusted.
//!
//! Files that are written in place are the log's alone: they come into being here as well, at their full size, and only their
//! bytes change afterwards.
//!
//! All of the data directory goes through here but the lock, which is no data, and the sizes of files, which the file system
//! knows without the disk.

#[cfg(test)]
pub(crate) mod faulty;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Ends the name of a file that is still being written. Whatever bears it after a crash is rubbish.
const ASIDE: &str = ".aside";

/// What is asked of a disk. Every call may wait for it: not for a runtime's thread. Nothing is durable before the sync
/// that is meant for it: a file's for its bytes, its directory's for its name.
pub(crate) trait Device: Debug + Send + Sync + 'static {
    /// A file without bytes, to be written and read again; whatever bore its name is gone.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DeviceFile>>;

    /// A file to be read.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DeviceFile>>;

    /// A file that stands, to be read and written in place.
    fn open_to_write(&self, path: &Path) -> io::Result<Box<dyn DeviceFile>>;

    /// Gives a file another name in the same directory, in place of whatever bears it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// What a directory holds.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;

    /// Makes a directory and those above it that are missing.
    fn make_directories(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// How large the disk is on which a directory is.
    fn space(&self, directory: &Path) -> io::Result<Space>;
}

/// What of a disk is for whoever the process runs as, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    /// May still be written.
    pub(crate) free: u64,
    /// In all, written or not.
    pub(crate) whole: u64,
}

/// An open file.
pub(crate) trait DeviceFile: Read + Write + Seek + Debug + Send + Sync {
    /// Makes its bytes durable, and all that is known about them.
    fn sync(&self) -> io::Result<()>;

    /// Makes its bytes durable, and of what is known about them only what it takes to read them again.
    fn sync_data(&self) -> io::Result<()>;

    /// Fills `into` with what stands at an offset; an error if the file ends before that.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at an offset, over what stands there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes an empty file so long, and takes room on the disk for all of it; it reads as zeros.
    fn allocate(&self, bytes: u64) -> io::Result<()>;
}

/// The file system of the machine.
#[derive(Debug)]
struct FileSystem;

impl Device for FileSystem {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DeviceFile>> {
        let mut options = File::options();
        let file = options.create(true).write(true).read(true).truncate(true);
        Ok(Box::new(file.open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DeviceFile>> {
        Ok(Box::new(File::open(path)?))
    }

    fn open_to_write(&self, path: &Path) -> io::Result<Box<dyn DeviceFile>> {
        Ok(Box::new(File::options().read(true).write(true).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn make_directories(&self, path: &Path) -> io::Result<()> {
        // What is in them are users' sessions.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn space(&self, directory: &Path) -> io::Result<Space> {
        let told = rustix::fs::statvfs(directory)?;
        // What the system keeps for itself is nobody's else, free or not.
        let kept = told.f_bfree.saturating_sub(told.f_bavail);
        let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
        Ok(Space {
            free: bytes(told.f_bavail),
            whole: bytes(told.f_blocks.saturating_sub(kept)),
        })
    }
}

impl DeviceFile for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(into, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, rustix::fs::FallocateFlags::empty(), 0, bytes) {
            // A file system that takes no room ahead gets zeros.
            Err(rustix::io::Errno::OPNOTSUPP) => {
                io::copy(&mut io::repeat(0).take(bytes), &mut { self }).map(drop)
            }
            allocated => Ok(allocated?),
        }
    }
}

/// A disk; clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<dyn Device>);

impl Disk {
    /// The machine's own.
    pub(crate) fn real() -> Self {
        Self::over(FileSystem)
    }

    /// Our ways over a device.
    pub(crate) fn over(device: impl Device) -> Self {
        Self(Arc::new(device))
    }

    /// Begins a file that is to stand in `directory`; `name` makes it unique among those being written.
    pub(crate) fn begin(&self, directory: &Path, name: &str) -> io::Result<NewFile> {
        let aside = directory.join(format!("{name}{ASIDE}"));
        Ok(NewFile {
            file: self.0.create(&aside)?,
            disk: self.clone(),
            aside,
            published: false,
        })
    }

    /// Replaces a small file.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut new = self.begin(parent(path), &name)?;
        new.file().write_all(bytes)?;
        new.publish(path)
    }

    /// Opens a file to read it.
    pub(crate) fn open(&self, path: &Path) -> io::Result<Box<dyn DeviceFile>> {
        self.0.open(path)
    }

    /// Opens a file that stands, to read it and to write it in place.
    pub(crate) fn open_to_write(&self, path: &Path) -> io::Result<Box<dyn DeviceFile>> {
        self.0.open_to_write(path)
    }

    /// Reads a whole file.
    pub(crate) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(path)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// What a directory holds.
    pub(crate) fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        self.0.list(directory)
    }

    /// How large the disk is on which a directory is.
    pub(crate) fn space(&self, directory: &Path) -> io::Result<Space> {
        self.0.space(directory)
    }

    /// Gives a file another name; durable some time.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    /// Removes a file; durable some time.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    /// Makes a directory and those above it that are missing, and makes their names durable; its own also if it exists
    /// already, because whoever made it may have died before that.
    pub(crate) fn make_directory(&self, path: &Path) -> io::Result<()> {
        let mut named = vec![path];
        named.extend(path.ancestors().skip(1).take_while(|above| is_missing(above)));
        self.0.make_directories(path)?;
        // From the top: a name is durable only if those above it are.
        let mut made = named.iter().rev();
        made.try_for_each(|made| self.0.sync_directory(parent(made)))
    }

    /// Removes what a crash left half-written.
    pub(crate) fn sweep(&self, directory: &Path) -> io::Result<()> {
        let is_aside = |path: &PathBuf| path.to_string_lossy().ends_with(ASIDE);
        let left = self.list(directory)?.into_iter().filter(is_aside);
        left.into_iter().try_for_each(|path| self.remove(&path))
    }
}

/// A file that is written aside. Dropped before [`NewFile::publish`], it leaves nothing.
#[derive(Debug)]
pub(crate) struct NewFile {
    disk: Disk,
    file: Box<dyn DeviceFile>,
    aside: PathBuf,
    published: bool,
}

impl NewFile {
    /// The file, to be written and read.
    pub(crate) fn file(&mut self) -> &mut dyn DeviceFile {
        &mut *self.file
    }

    /// Makes it durable under its name, in place of whatever stood there.
    pub(crate) fn publish(mut self, path: &Path) -> io::Result<()> {
        self.file.sync()?;
        self.disk.rename(&self.aside, path)?;
        self.published = true;
        self.disk.0.sync_directory(parent(path))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.published {
            // If it cannot be removed it is swept away at the next start.
            let _ = self.disk.remove(&self.aside);
        }
    }
}

fn is_missing(path: &Path) -> bool {
    !path.as_os_str().is_empty() && !path.is_dir()
}

/// The directory that holds a name.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        // A name alone stands in the working directory; the root is its own parent.
        Some(_) => Path::new("."),
        None => path,
    }
}

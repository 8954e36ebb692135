//! The one way in which a file of ours comes into being: written aside, synced, renamed, its directory synced.
//!
//! After a crash at any point the file is either the old one or the new one, whole. A failed sync is an error that the
//! caller must not paper over: what the kernel says after it cannot be trusted.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Ends the name of a file that is still being written. Whatever bears it after a crash is rubbish.
const ASIDE: &str = ".aside";

/// A file that is written aside. Dropped before [`NewFile::publish`], it leaves nothing.
#[derive(Debug)]
pub(crate) struct NewFile {
    file: File,
    aside: PathBuf,
    published: bool,
}

impl NewFile {
    /// Begins a file that is to stand in `directory`; `name` makes it unique among those being written.
    pub(crate) fn begin(directory: &Path, name: &str) -> io::Result<NewFile> {
        let aside = directory.join(format!("{name}{ASIDE}"));
        let file = File::options()
            .create(true)
            .write(true)
            .read(true)
            .truncate(true)
            .open(&aside)?;
        Ok(NewFile {
            file,
            aside,
            published: false,
        })
    }

    /// The file, to be written and read.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Makes it durable under its name, in place of whatever stood there.
    pub(crate) fn publish(mut self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.aside, path)?;
        self.published = true;
        sync_directory(parent(path))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.published {
            // If it cannot be removed it is swept away at the next start.
            let _ = fs::remove_file(&self.aside);
        }
    }
}

/// Replaces a small file.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = parent(path);
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut new = NewFile::begin(directory, &name)?;
    new.file().write_all(bytes)?;
    new.publish(path)
}

/// Makes a directory and those above it that are missing, and makes their names durable; its own also if it exists
/// already, because whoever made it may have died before that.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    make_directory_with(path, sync_directory)
}

fn make_directory_with(path: &Path, mut sync: impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut named = vec![path];
    named.extend(path.ancestors().skip(1).take_while(|above| is_missing(above)));
    fs::create_dir_all(path)?;
    // From the top: a name is durable only if those above it are.
    named.iter().rev().try_for_each(|made| sync(parent(made)))
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

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes what a crash left half-written.
pub(crate) fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(ASIDE) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_not_published_leaves_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity");
        replace(&path, b"old").unwrap();
        let mut new = NewFile::begin(directory.path(), "identity").unwrap();
        new.file().write_all(b"new").unwrap();
        drop(new);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_crash_left_aside_is_swept() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("7.aside"), b"half").unwrap();
        fs::write(directory.path().join("7"), b"whole").unwrap();
        sweep(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    fn synced_for(path: &Path) -> Vec<PathBuf> {
        let mut synced = Vec::new();
        make_directory_with(path, |directory| {
            synced.push(directory.to_path_buf());
            sync_directory(directory)
        })
        .unwrap();
        synced
    }

    #[test]
    fn every_name_on_the_way_to_a_new_directory_is_synced() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let (a, b) = (root.join("a"), root.join("a/b"));
        let path = root.join("a/b/c");
        assert_eq!(synced_for(&path), [root.to_path_buf(), a, b.clone()]);
        assert!(path.is_dir());
        assert_eq!(
            synced_for(&path),
            [b],
            "it exists, and its name may not be durable yet"
        );
    }

    #[test]
    fn a_name_alone_stands_in_the_working_directory() {
        assert_eq!(parent(Path::new("data")), Path::new("."));
        assert_eq!(parent(Path::new("/")), Path::new("/"));
        assert_eq!(parent(Path::new("/data")), Path::new("/"));
    }
}

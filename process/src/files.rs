//! Files that a configuration names: opened so that nothing waits for what may never come.
//!
//! Invariant: what is opened is a regular file. A pipe would hold up whoever opens it until somebody writes, and a device may have
//! no end; neither can be read again at the next look.
//!
//! Left out on purpose: the configuration itself, which the command line names, and files that are written.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a file for reading.
///
/// # Errors
/// It cannot be opened, or is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    // Without it a pipe is opened when somebody writes to it; a regular file knows no difference.
    let at_once = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(at_once).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no regular file"))
    }
}

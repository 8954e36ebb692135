//! `remora backup`: all sessions as they stand, into a file.
//!
//! The file is written aside, synced and renamed, so that its name always stands for a whole backup: the one before, or this
//! one. Only its owner may read it, because values of attributes stand in it in clear.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::progress::Progress;
use crate::render::{Cell, Report};
use remora_overview::client::{BackupStream, Reach, Store};

/// Who may read and write a backup: its owner.
const MODE: u32 = 0o600;

/// Takes a backup.
pub(super) async fn run(reach: &Reach, path: &Path) -> Result<Report, Failure> {
    let store = Store::new(reach)?;
    let aside = aside(path)?;
    let mut backup = store.backup().await?;
    let bytes = match write(&mut backup, &aside).await {
        Ok(bytes) => bytes,
        Err(failure) => {
            // What cannot be removed stands aside, and the next backup replaces it.
            let _ = fs::remove_file(&aside);
            return Err(failure);
        }
    };
    publish(&aside, path).map_err(|error| cannot(path, &error))?;
    let summary = backup.summary;
    let fields = vec![
        ("file", Cell::text(path.display().to_string())),
        ("bytes", Cell::Bytes(bytes)),
        ("sessions", Cell::Count(summary.sessions)),
        ("version", Cell::Count(summary.version)),
        ("cluster", Cell::text(summary.cluster)),
    ];
    Ok(Report::default().record("backup", fields))
}

/// The name under which a file is written before it is whole.
fn aside(path: &Path) -> Result<PathBuf, Failure> {
    let name = path.file_name().filter(|_| !path.is_dir());
    let name = name.ok_or_else(|| Failure::Usage(format!("{} is not the name of a file", path.display())))?;
    let mut name = name.to_owned();
    name.push(".part");
    Ok(path.with_file_name(name))
}

/// Receives all of a backup into a new file and makes that durable. Gives its size in bytes.
async fn write(backup: &mut BackupStream, aside: &Path) -> Result<u64, Failure> {
    let opened = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(MODE)
        .open(aside);
    let mut file = opened.map_err(|error| cannot(aside, &error))?;
    let mut progress = Progress::new("received", backup.summary.about_bytes);
    while let Some(bytes) = backup.next().await? {
        file.write_all(&bytes).map_err(|error| cannot(aside, &error))?;
        progress.more(bytes.len() as u64);
    }
    file.sync_all().map_err(|error| cannot(aside, &error))?;
    Ok(progress.done())
}

/// Gives a whole file its name, durably.
fn publish(aside: &Path, path: &Path) -> io::Result<()> {
    fs::rename(aside, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::Refused(format!("cannot write {}: {error}", path.display()))
}

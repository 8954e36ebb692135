//! The data directory: whose it is, and that only one process uses it.
//!
//! A directory that was emptied, swapped or put back in time must not vote under the old name: it would vote away saves that
//! the old disk had acknowledged. So each directory draws a disk id at birth, and the cluster knows it; and it notes its
//! first vote, once the log holds that and before it is told, so that a log that was emptied is not taken for a new one.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::RngExt;

use crate::disk::Disk;
use crate::runtime;
use remora_table::{Format, Formats};

use super::LEAVE_OUT;
use super::file_log::FileLog;
use super::holder::Holder;
use super::life::Lives;
use super::lives_file::LivesFile;
use super::opening::LogSetup;
use super::types::Log;

/// Begins the first line of the identity file; the format follows.
const TITLE: &str = "remora-store data directory, format ";

/// Drawn at random when a data directory is created: an emptied or swapped disk is noticed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DiskId(pub u64);

impl fmt::Display for DiskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Drawn at random when a cluster forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClusterId(pub u64);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Whose a data directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The node.
    pub node_id: u64,
    /// The disk.
    pub disk_id: DiskId,
    /// The cluster; absent until it is formed.
    pub cluster: Option<ClusterId>,
    /// The cluster in which this disk goes on alone, until all that it holds was taken over there.
    pub recovers: Option<ClusterId>,
    /// How often the directory was opened, from 1.
    pub start: u64,
    /// Whether it may have answered with a vote: then its log holds one.
    pub voted: bool,
    /// Whether it was made to be added to a cluster that exists: it never forms one.
    pub joins: bool,
    /// The cluster's format, as far as this node has applied and recorded it. For a moment around a rise, entries and an
    /// image that a leader sent may be of a higher one already; they say so themselves.
    pub format: Format,
}

/// Why a data directory cannot be used, as a sentence for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    /// It belongs to somebody else, is in use, or was written by a newer program.
    #[error("{0}")]
    Refused(String),
    /// The disk said no.
    #[error("data directory {path}: {source}")]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// An open data directory. It stays locked until this is dropped, and the log that was opened in it has ended.
#[derive(Debug)]
pub(crate) struct DataDir {
    disk: Disk,
    directory: PathBuf,
    identity: Identity,
    lock: Arc<File>,
}

impl DataDir {
    /// Opens or creates the data directory of a node, for a program that understands these formats, and counts the start.
    ///
    /// # Errors
    /// Another process uses it, it belongs to another node, it holds files that are not ours, a later release wrote it, or
    /// the disk failed.
    pub(crate) fn open(
        disk: &Disk,
        directory: &Path,
        node_id: u64,
        understood: Formats,
    ) -> Result<Self, DataDirError> {
        let at = |path: &Path| {
            let path = path.to_path_buf();
            move |source| DataDirError::Io { path, source }
        };
        disk.make_directory(directory).map_err(at(directory))?;
        warn_if_open_to_others(directory).map_err(at(directory))?;
        let lock = lock(directory)?;
        disk.sweep(directory).map_err(at(directory))?;
        let path = identity_path(directory);
        let mut identity = match disk.read(&path) {
            Ok(text) => parse(&path, &String::from_utf8_lossy(&text), understood)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(disk, directory, node_id)?,
            Err(error) => return Err(at(&path)(error)),
        };
        if identity.node_id != node_id {
            return Err(DataDirError::Refused(format!(
                "data directory {} belongs to node {}, and this is node {node_id}: give each node a directory of its \
                 own, or correct --node-id",
                directory.display(),
                identity.node_id
            )));
        }
        identity.start += 1;
        write(disk, directory, &identity)?;
        Ok(Self {
            disk: disk.clone(),
            directory: directory.to_path_buf(),
            identity,
            lock: Arc::new(lock),
        })
    }

    /// Whose it is.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Records, once and durably, the cluster that this node belongs to. Another one than the recorded is refused.
    ///
    /// # Errors
    /// The directory belongs to another cluster, or the disk failed.
    pub(crate) fn join_cluster(&mut self, cluster: ClusterId) -> Result<(), DataDirError> {
        match self.identity.cluster {
            Some(known) if known == cluster => Ok(()),
            Some(known) => Err(DataDirError::Refused(format!(
                "data directory {} belongs to cluster {known}, and the peers are cluster {cluster}: check --cluster and \
                 --data-dir",
                self.directory.display()
            ))),
            None => self.replace(Identity {
                cluster: Some(cluster),
                ..self.identity
            }),
        }
    }

    /// Records durably that this disk goes on alone, in this cluster.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn begin_recovery(&mut self, cluster: ClusterId) -> Result<(), DataDirError> {
        self.replace(Identity {
            recovers: Some(cluster),
            ..self.identity
        })
    }

    /// Records durably that this disk belongs to the cluster in which it goes on alone, if there is one.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn finish_recovery(&mut self) -> Result<(), DataDirError> {
        self.replace(Identity {
            cluster: self.identity.recovers.or(self.identity.cluster),
            recovers: None,
            ..self.identity
        })
    }

    /// Records durably what the cluster writes from now on.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn set_format(&mut self, format: Format) -> Result<(), DataDirError> {
        self.replace(Identity {
            format,
            ..self.identity
        })
    }

    /// Records, once and durably, that this disk may answer with a vote. The log holds that vote already.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn set_voted(&mut self) -> Result<(), DataDirError> {
        if self.identity.voted {
            return Ok(());
        }
        self.replace(Identity {
            voted: true,
            ..self.identity
        })
    }

    /// Records, once and durably, that this directory is to be added to a cluster and never forms one, whatever its node is
    /// told later. One that belongs to a cluster stays as it is.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn set_joins(&mut self) -> Result<(), DataDirError> {
        if self.identity.joins || self.identity.cluster.is_some() {
            return Ok(());
        }
        self.replace(Identity {
            joins: true,
            ..self.identity
        })
    }

    fn replace(&mut self, identity: Identity) -> Result<(), DataDirError> {
        write(&self.disk, &self.directory, &identity)?;
        self.identity = identity;
        Ok(())
    }

    /// Opens the log, with segments of so many bytes. Reads all of it: not for a runtime's thread. A vote that a crash left
    /// without its note is noted.
    ///
    /// # Errors
    /// What [`FileLog::open`] says, and the disk failed.
    pub(crate) fn open_log(
        &mut self,
        understood: Formats,
        segment_bytes: u64,
    ) -> Result<FileLog, DataDirError> {
        let path = self.log_directory();
        let setup = self.log_setup(understood, segment_bytes);
        let opened = FileLog::open(&self.disk, &path, setup, Some(Arc::clone(&self.lock)));
        let log = opened.map_err(|source| DataDirError::Io { path, source })?;
        if log.vote().is_some() {
            self.set_voted()?;
        }
        Ok(log)
    }

    /// Opens the file of what is remembered of peers' disks. A cluster whose file is missing lost it, or has only begun.
    ///
    /// # Errors
    /// A later release wrote it.
    pub(crate) fn open_lives(&self, understood: Formats) -> Result<(LivesFile, Lives), DataDirError> {
        let path = self.directory.join("lives");
        let file = LivesFile::new(&self.disk, path, self.identity.disk_id, Arc::clone(&self.lock));
        let lives = file.read(understood, self.identity.cluster.is_some())?;
        Ok((file, lives))
    }

    /// Where the log lives.
    pub(super) fn log_directory(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// Whose the log is.
    pub(super) fn log_setup(&self, understood: Formats, segment_bytes: u64) -> LogSetup {
        LogSetup {
            owner: self.identity.disk_id,
            voted: self.identity.voted,
            format: self.identity.format,
            understood,
            segment_bytes,
        }
    }

    /// Where table images live.
    pub(crate) fn snapshot_directory(&self) -> PathBuf {
        self.directory.join("snapshots")
    }
}

fn identity_path(directory: &Path) -> PathBuf {
    directory.join("identity")
}

fn lock(directory: &Path) -> Result<File, DataDirError> {
    let path = directory.join("lock");
    let opened = File::options().create(true).append(true).open(&path);
    let file = opened.map_err(|source| DataDirError::Io {
        path: path.clone(),
        source,
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DataDirError::Refused(in_use(directory, Holder::of(&file)))),
        Err(TryLockError::Error(source)) => Err(DataDirError::Io { path, source }),
    }
}

/// What a person can do whose node finds its directory locked. A node that serves listens, and one that ends does not hold the
/// lock any more: so whoever holds it and listens nowhere waits for the disk.
fn in_use(directory: &Path, holder: Option<Holder>) -> String {
    let directory = directory.display();
    match holder {
        Some(Holder {
            process,
            listens: false,
        }) => format!(
            "data directory {directory} is in use by process {process}, which listens nowhere: it seems to hang in its disk, and \
             cannot end before that answers. Look after the disk, then start this node again"
        ),
        holder => {
            let process = holder.map_or_else(
                || "another process".to_owned(),
                |holder| format!("process {}", holder.process),
            );
            format!(
                "data directory {directory} is in use by {process}: stop that one first, or give this node its own --data-dir"
            )
        }
    }
}

/// One that was made by hand may be meant so, for whoever takes backups.
fn warn_if_open_to_others(directory: &Path) -> io::Result<()> {
    let mode = std::fs::metadata(directory)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        tracing::warn!(
            mode = format!("{mode:o}"),
            "the data directory is open to others on this machine, who may read users' sessions in it; to close it: \
             chmod 700 {}",
            directory.display()
        );
    }
    Ok(())
}

/// A log without an identity is a directory that lost a part: taking it for new would forget its vote.
fn create(disk: &Disk, directory: &Path, node_id: u64) -> Result<Identity, DataDirError> {
    let held = disk.list(directory).map_err(|source| DataDirError::Io {
        path: directory.to_path_buf(),
        source,
    })?;
    let foreign = held.into_iter().find(|path| *path != directory.join("lock"));
    if let Some(foreign) = foreign {
        return Err(DataDirError::Refused(format!(
            "data directory {} has no identity file but is not empty ({}): name an empty directory. If this one was a \
             node's, it lost a part. {LEAVE_OUT}",
            directory.display(),
            foreign.file_name().unwrap_or_default().display()
        )));
    }
    Ok(Identity {
        node_id,
        disk_id: DiskId(runtime::chance().random()),
        cluster: None,
        recovers: None,
        start: 0,
        voted: false,
        joins: false,
        format: Format::FIRST,
    })
}

fn write(disk: &Disk, directory: &Path, identity: &Identity) -> Result<(), DataDirError> {
    let Identity {
        node_id,
        disk_id,
        cluster,
        recovers,
        start,
        voted,
        joins,
        format,
    } = identity;
    let mut text = format!("{TITLE}{format}\nnode {node_id}\ndisk {disk_id}\nstart {start}\n");
    if *voted {
        text.push_str("voted yes\n");
    }
    if *joins {
        text.push_str("joins yes\n");
    }
    if let Some(cluster) = cluster {
        text.push_str(&format!("cluster {cluster}\n"));
    }
    if let Some(cluster) = recovers {
        text.push_str(&format!("recovers {cluster}\n"));
    }
    let path = identity_path(directory);
    disk.replace(&path, text.as_bytes())
        .map_err(|source| DataDirError::Io { path, source })
}

fn parse(path: &Path, text: &str, understood: Formats) -> Result<Identity, DataDirError> {
    let damaged = || {
        DataDirError::Refused(format!(
            "{} is not an identity file of this version of remora-store: start the release that wrote it. If the file is \
             damaged, no release can read it. {LEAVE_OUT}",
            path.display()
        ))
    };
    let mut lines = text.lines();
    let format = lines
        .next()
        .and_then(|line| line.strip_prefix(TITLE)?.parse().ok());
    let format = Format(format.ok_or_else(damaged)?);
    if !understood.hold(format) {
        return Err(DataDirError::Refused(format!(
            "{} says that its cluster writes format {format}, and this program understands {understood}: start the release \
             of remora-store that ran here last, or a later one",
            path.display()
        )));
    }
    let (mut node, mut disk, mut start) = (None, None, None);
    let (mut cluster, mut recovers) = (None, None);
    let cluster_of = |id| u64::from_str_radix(id, 16).map(ClusterId).map_err(|_| damaged());
    let (mut voted, mut joins) = (false, false);
    for line in lines {
        match line.split_once(' ') {
            Some(("node", id)) => node = id.parse().ok(),
            Some(("disk", id)) => disk = u64::from_str_radix(id, 16).ok().map(DiskId),
            Some(("start", number)) => start = number.parse().ok(),
            Some(("voted", "yes")) => voted = true,
            Some(("joins", "yes")) => joins = true,
            Some(("cluster", id)) => cluster = Some(cluster_of(id)?),
            Some(("recovers", id)) => recovers = Some(cluster_of(id)?),
            _ => return Err(damaged()),
        }
    }
    match (node, disk, start) {
        (Some(node_id), Some(disk_id), Some(start)) => Ok(Identity {
            node_id,
            disk_id,
            cluster,
            recovers,
            start,
            voted,
            joins,
            format,
        }),
        _ => Err(damaged()),
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(result: Result<DataDir, DataDirError>) -> String {
        match result {
            Err(DataDirError::Refused(sentence)) => sentence,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn a_directory_keeps_its_identity() {
        let directory = tempfile::tempdir().unwrap();
        let mut opened = DataDir::open(&Disk::real(), directory.path(), 1, Formats::OURS).unwrap();
        opened.join_cluster(ClusterId(7)).unwrap();
        opened.set_format(Format::FIRST).unwrap();
        let identity = opened.identity();
        assert_eq!((identity.cluster, identity.start), (Some(ClusterId(7)), 1));
        drop(opened);
        let again = DataDir::open(&Disk::real(), directory.path(), 1, Formats::OURS)
            .unwrap()
            .identity();
        assert_eq!(again, Identity { start: 2, ..identity });
    }

    #[test]
    fn a_directory_that_was_made_to_be_added_stays_one_and_no_other_becomes_one() {
        let open = |path| DataDir::open(&Disk::real(), path, 1, Formats::OURS).unwrap();
        let (waits, member) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        open(waits.path()).set_joins().unwrap();
        assert!(open(waits.path()).identity().joins);
        let mut opened = open(member.path());
        opened.join_cluster(ClusterId(7)).unwrap();
        opened.set_joins().unwrap();
        assert!(!opened.identity().joins);
    }

    #[test]
    fn two_processes_cannot_share_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let _first = DataDir::open(&Disk::real(), directory.path(), 1, Formats::OURS).unwrap();
        assert!(refusal(DataDir::open(&Disk::real(), directory.path(), 1, Formats::OURS)).contains("in use"));
    }

    #[test]
    fn another_node_and_another_cluster_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let mut opened = DataDir::open(&Disk::real(), directory.path(), 1, Formats::OURS).unwrap();
        opened.join_cluster(ClusterId(7)).unwrap();
        assert!(opened.join_cluster(ClusterId(8)).is_err());
        drop(opened);
        assert!(
            refusal(DataDir::open(&Disk::real(), directory.path(), 2, Formats::OURS))
                .contains("belongs to node 1")
        );
    }

    #[test]
    fn an_emptied_directory_is_another_disk() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = DataDir::open(&Disk::real(), one.path(), 1, Formats::OURS)
            .unwrap()
            .identity();
        assert_ne!(
            DataDir::open(&Disk::real(), other.path(), 1, Formats::OURS)
                .unwrap()
                .identity()
                .disk_id,
            first.disk_id
        );
    }

    #[test]
    fn a_log_that_lost_its_identity_is_not_taken_for_new() {
        let directory = tempfile::tempdir().unwrap();
        drop(DataDir::open(&Disk::real(), directory.path(), 1, Formats::OURS).unwrap());
        std::fs::create_dir(directory.path().join("log")).unwrap();
        std::fs::remove_file(identity_path(directory.path())).unwrap();
        assert!(
            refusal(DataDir::open(&Disk::real(), directory.path(), 1, Formats::OURS)).contains("not empty")
        );
        std::fs::write(identity_path(directory.path()), "scribble").unwrap();
        assert!(
            refusal(DataDir::open(&Disk::real(), directory.path(), 1, Formats::OURS))
                .contains("identity file")
        );
    }

    #[test]
    fn a_directory_of_a_later_release_is_refused_and_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let mut opened = DataDir::open(&Disk::real(), directory.path(), 1, Formats::OURS).unwrap();
        opened.set_format(Format(2)).unwrap();
        drop(opened);
        let before = std::fs::read(identity_path(directory.path())).unwrap();
        let sentence = refusal(DataDir::open(&Disk::real(), directory.path(), 1, Formats::OURS));
        assert!(
            sentence.contains("writes format 2, and this program understands format 1"),
            "{sentence}"
        );
        assert_eq!(std::fs::read(identity_path(directory.path())).unwrap(), before);
        let both = Formats {
            newest: Format(2),
            ..Formats::OURS
        };
        assert_eq!(
            DataDir::open(&Disk::real(), directory.path(), 1, both)
                .unwrap()
                .identity()
                .format,
            Format(2)
        );
    }
}

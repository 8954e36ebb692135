//! Who holds the lock of a data directory, as the system tells it: so that whoever is refused knows whom to look for.
//!
//! A process whose disk hangs cannot end before the disk answers: the system keeps it, and its locks, though it listens
//! nowhere any more. To kill it again does not help, and it is not "another node" either.
//!
//! Left out: other systems than Linux, of which nothing is known here.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The state of a socket that listens, in the tables of `/proc/net`.
const LISTENS: &str = "0A";

/// A process that holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// Its number.
    pub(super) process: u32,
    /// Whether it listens somewhere; also if that is not known.
    pub(super) listens: bool,
}

impl Holder {
    /// Who holds a lock on this file, if the system tells.
    pub(super) fn of(file: &File) -> Option<Self> {
        let process = holder(
            &fs::read_to_string("/proc/locks").ok()?,
            file.metadata().ok()?.ino(),
        )?;
        Some(Self {
            process,
            listens: listens(process).unwrap_or(true),
        })
    }
}

/// The process with a lock on the whole of this file.
fn holder(locks: &str, inode: u64) -> Option<u32> {
    let mut locks = locks
        .lines()
        .map(|lock| lock.split_whitespace().collect::<Vec<_>>());
    locks.find_map(|lock| match lock[..] {
        [_, "FLOCK", _, _, process, file, ..] if file.rsplit(':').next()? == inode.to_string() => {
            process.parse().ok()
        }
        _ => None,
    })
}

/// Whether a process listens; none if it is not ours to see.
fn listens(process: u32) -> Option<bool> {
    let about = Path::new("/proc").join(process.to_string());
    let files = fs::read_dir(about.join("fd")).ok()?.flatten();
    let links = files.filter_map(|file| fs::read_link(file.path()).ok());
    let own: BTreeSet<u64> = links.filter_map(|link| socket(&link)).collect();
    let tables = ["net/tcp", "net/tcp6"].map(|table| fs::read_to_string(about.join(table)));
    let mut tables = tables.iter().flatten();
    Some(tables.any(|table| listeners(table).any(|socket| own.contains(&socket))))
}

/// The inode of a socket, by the link of a descriptor.
fn socket(link: &Path) -> Option<u64> {
    link.to_str()?
        .strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

/// Inodes of the sockets of a table that listen.
fn listeners(table: &str) -> impl Iterator<Item = u64> {
    table.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(3);
        (fields.next()? == LISTENS).then(|| fields.nth(5)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_holder_is_found_by_its_file() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 fe:00:78 0 EOF\n2: FLOCK  ADVISORY  WRITE 22 fe:00:78 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 33 fe:00:780 0 EOF\n";
        assert_eq!((holder(locks, 78), holder(locks, 780)), (Some(22), Some(33)));
        assert_eq!(holder(locks, 8), None);
    }

    #[test]
    fn who_locked_it_and_listens_is_told_from_who_does_not() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(Holder::of(&file), None);
        file.lock().unwrap();
        let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = Holder {
            process: std::process::id(),
            listens: true,
        };
        assert_eq!(Holder::of(&file), Some(own));
    }

    #[test]
    fn sockets_that_listen_are_told_from_those_that_are_connected() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:1CE9 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 901 1 0\n   \
                     1: 0100007F:1CE9 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 902 1 0\n";
        assert_eq!(listeners(table).collect::<Vec<_>>(), [901]);
        assert_eq!(socket(Path::new("socket:[901]")), Some(901));
        assert_eq!(socket(Path::new("pipe:[901]")), None);
    }
}

//! Backups: the table at one point, as a file for an operator. The frames of an image's file behind another head, which says
//! whose table it is and nothing of a log or a membership: it belongs to no node and to no log.
//!
//! Invariants: a backup is read to its end before anything is made of it; no time of day stands in it. Like every image it
//! holds hashes of session ids and never an id, and the values of attributes as they are.
//!
//! Left out: how it travels (`rpc`), and what a new cluster makes of it (`raft::anew`).

use std::io::{self, Read};

use bytes::Bytes;

use super::frames::{FrameReader, check_format, frames, invalid, number, read_image};
use crate::log::ClusterId;
use remora_table::{Format, Formats, TableImage};

/// Begins the head; the format follows.
const BACKUP_MAGIC: &[u8; 7] = b"remoraB";

/// Whose table a backup is, and of when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BackupHead {
    /// The cluster that it was taken of.
    pub cluster: ClusterId,
    /// The table's change counter.
    pub version: u64,
    /// How many sessions it holds.
    pub sessions: u64,
}

impl BackupHead {
    /// Of a cluster's table.
    pub(crate) fn of(cluster: ClusterId, image: &TableImage) -> Self {
        Self {
            cluster,
            version: image.version().0,
            sessions: image.sessions(),
        }
    }

    fn encode(&self, format: Format) -> Vec<u8> {
        let mut head = BACKUP_MAGIC.to_vec();
        head.push(format.0);
        for number in [self.cluster.0, self.version, self.sessions] {
            head.extend_from_slice(&number.to_le_bytes());
        }
        head
    }

    fn decode(head: &Bytes, understood: Formats) -> io::Result<Self> {
        let rest = head.strip_prefix(BACKUP_MAGIC);
        let rest = rest.ok_or_else(|| invalid("it does not begin as a backup does"))?;
        let (&[format], rest) = rest
            .split_first_chunk()
            .ok_or_else(|| invalid("the head is too short"))?;
        check_format("a backup", Format(format), understood)?;
        let (cluster, rest) = number(rest)?;
        let (version, rest) = number(rest)?;
        let (sessions, rest) = number(rest)?;
        if !rest.is_empty() {
            return Err(invalid("the head is too long"));
        }
        Ok(Self {
            cluster: ClusterId(cluster),
            version,
            sessions,
        })
    }
}

/// The bytes of a backup, some hundred KiB at a time. The first ones take as long as sorting all keys does.
///
/// # Errors
/// A record is larger than a frame takes, which the limits exclude.
pub(crate) fn backup(head: BackupHead, image: TableImage) -> impl Iterator<Item = io::Result<Bytes>> + Send {
    frames(head.encode(image.format()), image)
}

/// Reads a backup to its end.
///
/// # Errors
/// It is no backup, cut or damaged ([`io::ErrorKind::InvalidData`]), or of a format that is not understood
/// ([`io::ErrorKind::Unsupported`]), or the disk failed.
pub(crate) fn read_backup(file: impl Read, understood: Formats) -> io::Result<(BackupHead, TableImage)> {
    let mut frames = FrameReader::new(file);
    let head = BackupHead::decode(&frames.next_frame()?, understood)?;
    let image = read_image(&mut frames, understood)?;
    if (head.version, head.sessions) != (image.version().0, image.sessions()) {
        return Err(invalid("its head speaks of another table than follows"));
    }
    Ok((head, image))
}

#[cfg(test)]
mod tests {
    use remora_table::{Format, SessionTable};

    use super::*;
    use crate::fixtures::fixture;
    use crate::snapshot::tests::table_of;

    const CLUSTER: ClusterId = ClusterId(7);

    fn written(table: &SessionTable) -> Vec<u8> {
        let image = table.image();
        let head = BackupHead::of(CLUSTER, &image);
        backup(head, image)
            .map(Result::unwrap)
            .collect::<Vec<_>>()
            .concat()
    }

    #[test]
    fn a_backup_holds_the_whole_table_and_says_whose_it_is() {
        let table = table_of(200);
        let (head, image) = read_backup(&written(&table)[..], Formats::OURS).unwrap();
        assert_eq!((head.cluster, head.sessions), (CLUSTER, 200));
        assert_eq!(head.version, image.version().0);
        let mut again = SessionTable::new();
        again.restore(image);
        assert_eq!(written(&again), written(&table));
    }

    #[test]
    fn a_backup_is_read_and_written_as_ever() {
        let written = written(&table_of(1));
        let bytes = fixture("backup", &written);
        let (head, image) = read_backup(&bytes[..], Formats::OURS).unwrap();
        assert_eq!(head, BackupHead::of(CLUSTER, &image));
    }

    #[test]
    fn a_backup_that_was_cut_or_changed_anywhere_is_refused() {
        let whole = written(&table_of(3));
        for end in 0..whole.len() {
            assert!(read_backup(&whole[..end], Formats::OURS).is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(
                read_backup(&changed[..], Formats::OURS).is_err(),
                "changed at {at}"
            );
        }
        let longer = [&whole[..], b"x"].concat();
        assert!(read_backup(&longer[..], Formats::OURS).is_err());
    }

    #[test]
    fn a_backup_of_a_later_release_is_no_damage() {
        let image = table_of(1).image();
        let head = BackupHead::of(CLUSTER, &image).encode(Format(9));
        let file: Vec<Bytes> = frames(head, image).map(Result::unwrap).collect();
        let error = read_backup(&file.concat()[..], Formats::OURS).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }
}

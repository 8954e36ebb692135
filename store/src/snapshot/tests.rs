//! Claims about images on disk.

use std::fs::File;

use super::*;
use crate::log::LogId;
use remora_table::{Command, Epoch, Proposal, Save, SessionKey, SessionTable, Stamp, Tidings, Version};

fn meta(index: u64) -> SnapshotMeta {
    SnapshotMeta {
        last_applied: Some(LogId { term: 2, index }),
        membership: Bytes::from_static(b"members"),
    }
}

fn image(stamp: u64) -> TableImage {
    let mut table = SessionTable::new();
    table.begin_entry(Stamp(stamp));
    table.image()
}

/// A table that holds so many sessions.
pub(super) fn table_of(sessions: u8) -> SessionTable {
    let mut table = SessionTable::new();
    table.begin_entry(Stamp(1));
    for number in 0..sessions {
        let save = Save {
            session: SessionKey {
                application: "shop".into(),
                key: [number; 16],
            },
            epoch: Epoch(0),
            base: Version(0),
            changed: Vec::new(),
            removed: Vec::new(),
            local: Vec::new(),
            login: None,
            labels: None,
            max_idle_seconds: Some(60),
            late: false,
            limit: None,
            created_ms: 0,
            last_access_ms: 0,
        };
        let proposal = Proposal {
            request_id: None,
            node: "n1".into(),
            command: Command::Save(save),
        };
        table.apply(&proposal, &mut Tidings::default());
    }
    table
}

fn bytes_of(image: TableImage) -> Vec<u8> {
    image.into_chunks().flatten().collect()
}

fn only_file(directory: &Path) -> PathBuf {
    let mut files = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let file = files.next().unwrap();
    assert_eq!(files.next(), None);
    file
}

#[test]
fn the_newest_image_is_kept_and_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS).unwrap();
    assert!(store.load().unwrap().is_none());
    store.save(&meta(5), image(5)).unwrap();
    store.save(&meta(9), image(9)).unwrap();
    only_file(directory.path());
    let (read, table) = SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS)
        .unwrap()
        .load()
        .unwrap()
        .unwrap();
    assert_eq!(read, meta(9));
    assert_eq!(bytes_of(table), bytes_of(image(9)));
}

#[test]
fn an_overtaken_image_does_not_replace_a_newer_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS).unwrap();
    store.save(&meta(9), image(9)).unwrap();
    store.save(&meta(5), image(5)).unwrap();
    assert_eq!(store.latest(), Some(meta(9)));
}

#[test]
fn every_flipped_byte_is_found() {
    let directory = tempfile::tempdir().unwrap();
    SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS)
        .unwrap()
        .save(&meta(5), image(5))
        .unwrap();
    let path = only_file(directory.path());
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&path, damaged).unwrap();
        let error =
            verify(File::open(&path).unwrap(), Formats::OURS).expect_err("a flipped byte was not found");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "byte {at}");
    }
}

#[test]
fn every_cut_is_found() {
    let directory = tempfile::tempdir().unwrap();
    SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS)
        .unwrap()
        .save(&meta(5), image(5))
        .unwrap();
    let path = only_file(directory.path());
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(
            verify(File::open(&path).unwrap(), Formats::OURS).is_err(),
            "cut at {length}"
        );
    }
}

#[test]
fn a_damaged_image_is_set_aside_and_not_used() {
    let directory = tempfile::tempdir().unwrap();
    SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS)
        .unwrap()
        .save(&meta(5), image(5))
        .unwrap();
    let path = only_file(directory.path());
    fs::write(&path, b"scribble").unwrap();
    assert_eq!(
        SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS)
            .unwrap()
            .latest(),
        None
    );
    assert!(path.with_extension("damaged").exists());
}

#[test]
fn a_damaged_image_is_kept_until_a_whole_one_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let open = || SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS).unwrap();
    open().save(&meta(5), image(5)).unwrap();
    let path = only_file(directory.path());
    fs::write(&path, b"scribble").unwrap();
    // Each start looks again.
    open();
    let store = open();
    assert!(path.with_extension("damaged").exists());
    store.save(&meta(6), image(6)).unwrap();
    assert!(only_file(directory.path()).extension().unwrap() == "image");
    fs::write(&path, b"older").unwrap();
    fs::rename(&path, path.with_extension("damaged")).unwrap();
    open();
    assert!(only_file(directory.path()).extension().unwrap() == "image");
}

#[test]
fn an_image_travels_piece_by_piece() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let from = SnapshotStore::open(&Disk::real(), here.path(), Formats::OURS).unwrap();
    from.save(&meta(5), image(5)).unwrap();
    let to = SnapshotStore::open(&Disk::real(), there.path(), Formats::OURS).unwrap();
    let mut reader = from.read().unwrap().unwrap();
    let mut receiver = to.receive().unwrap();
    while let Some(piece) = reader.next_chunk().unwrap() {
        receiver.write(&piece).unwrap();
    }
    assert_eq!(receiver.finish().unwrap(), meta(5));
    assert_eq!(to.load().unwrap().unwrap().0, meta(5));
}

#[test]
fn an_image_that_ends_early_is_refused_and_leaves_nothing() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let from = SnapshotStore::open(&Disk::real(), here.path(), Formats::OURS).unwrap();
    from.save(&meta(5), image(5)).unwrap();
    let to = SnapshotStore::open(&Disk::real(), there.path(), Formats::OURS).unwrap();
    let mut receiver = to.receive().unwrap();
    let piece = from.read().unwrap().unwrap().next_chunk().unwrap().unwrap();
    receiver.write(&piece[..piece.len() - 1]).unwrap();
    assert!(receiver.finish().is_err());
    assert_eq!(fs::read_dir(there.path()).unwrap().count(), 0);
}

#[test]
fn a_large_record_is_written_in_pieces() {
    let directory = tempfile::tempdir().unwrap();
    let store = SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS).unwrap();
    let mut table = SessionTable::new();
    table.apply(&crate::raft::tests::create(1, 3 << 20), &mut Tidings::default());
    store.save(&meta(5), table.image()).unwrap();
    let mut frames = FrameReader::new(File::open(only_file(directory.path())).unwrap());
    loop {
        let frame = frames.next_frame().unwrap();
        assert!(frame.len() <= PIECE_BYTES, "a frame of {} bytes", frame.len());
        if frame.is_empty() {
            break;
        }
    }
    let (_, read) = store.load().unwrap().unwrap();
    assert_eq!(bytes_of(read), bytes_of(table.image()));
}

#[test]
fn an_older_image_that_a_crash_left_is_not_read_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let store = SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS).unwrap();
    store.save(&meta(1), image(10)).unwrap();
    let older = only_file(directory.path());
    let bytes = fs::read(&older).unwrap();
    store.save(&meta(2), image(20)).unwrap();
    // Of a format that this program left behind, as it would be after an upgrade.
    let mut left = bytes;
    left[8 + 7] = 0;
    fs::write(&older, left).unwrap();
    let store = SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS).unwrap();
    assert_eq!(store.latest(), Some(meta(2)));
    assert_ne!(only_file(directory.path()), older);
}

//! Claims about files that come into being, over a device whose power goes, and about that device.
//!
//! Broken once to see them fail: without the sync in `NewFile::publish`, four claims here fail, and a whole cluster does not
//! come back from its power cuts (`raft::tests::faults`).

use tempfile::TempDir;

use super::*;
use crate::faults::{Faults, Kind, Leftover, Operation};

/// A directory on a disk with faults.
struct Bench {
    directory: TempDir,
    faults: Faults,
    disk: Disk,
}

fn bench() -> Bench {
    let faults = Faults::default();
    Bench {
        directory: tempfile::tempdir().unwrap(),
        disk: faulty::disk(&faults),
        faults,
    }
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// How many names stand there.
    fn names(&self) -> usize {
        fs::read_dir(self.directory.path()).unwrap().count()
    }
}

#[test]
fn a_file_that_was_not_published_leaves_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("identity");
    Disk::real().replace(&path, b"old").unwrap();
    let mut new = Disk::real().begin(directory.path(), "identity").unwrap();
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
    Disk::real().sweep(directory.path()).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_name_alone_stands_in_the_working_directory() {
    assert_eq!(parent(Path::new("data")), Path::new("."));
    assert_eq!(parent(Path::new("/")), Path::new("/"));
    assert_eq!(parent(Path::new("/data")), Path::new("/"));
}

#[test]
fn every_name_on_the_way_to_a_new_directory_outlives_a_power_cut() {
    let bench = bench();
    let path = bench.path("a/b/c");
    bench.disk.make_directory(&path).unwrap();
    bench.faults.forget();
    assert!(path.is_dir());
}

#[test]
fn a_directory_that_somebody_else_made_is_made_durable() {
    let bench = bench();
    let path = bench.path("a");
    bench.disk.0.make_directories(&path).unwrap();
    bench.disk.make_directory(&path).unwrap();
    bench.faults.forget();
    assert!(path.is_dir());
}

#[test]
fn a_directory_whose_name_was_not_synced_is_forgotten_with_all_in_it() {
    let bench = bench();
    let path = bench.path("a/b");
    bench.disk.0.make_directories(&path).unwrap();
    bench.disk.replace(&path.join("identity"), b"new").unwrap();
    bench.faults.forget();
    assert_eq!(bench.names(), 0);
}

#[test]
fn a_power_cut_while_a_file_is_replaced_leaves_the_old_or_the_new_one_whole() {
    // What is done before the power goes: to hang at an operation is to be cut in front of it.
    let stages = [
        (Kind::Directory, Operation::Write),
        (Kind::Identity, Operation::Write),
        (Kind::Identity, Operation::Sync),
        (Kind::Directory, Operation::Sync),
    ];
    let mut found = Vec::new();
    for (kind, operation) in stages {
        for seed in 0..20 {
            let bench = bench();
            let path = bench.path("identity");
            bench.disk.replace(&path, b"old").unwrap();
            bench.faults.fail(kind, operation, io::ErrorKind::TimedOut);
            bench.disk.replace(&path, b"newer").unwrap_err();
            bench.faults.tear(seed);
            let left = fs::read(&path).unwrap();
            assert!(
                left == b"old" || left == b"newer",
                "{kind:?} {operation:?} {seed}"
            );
            found.push(left);
        }
    }
    assert!(found.contains(&b"old".to_vec()) && found.contains(&b"newer".to_vec()));
}

#[test]
fn what_was_published_outlives_a_power_cut() {
    let bench = bench();
    let path = bench.path("identity");
    for bytes in [b"old".as_slice(), b"newer"] {
        bench.disk.replace(&path, bytes).unwrap();
    }
    bench.faults.forget();
    assert_eq!(fs::read(&path).unwrap(), b"newer");
    assert_eq!(bench.names(), 1);
}

#[test]
fn a_file_that_was_not_synced_is_empty_or_torn_after_a_power_cut() {
    let lengths: Vec<usize> = (0..40)
        .map(|seed| {
            let bench = bench();
            let path = bench.path("image");
            let mut file = bench.disk.0.create(&path).unwrap();
            bench.disk.0.sync_directory(bench.directory.path()).unwrap();
            file.write_all(b"durable").unwrap();
            file.sync().unwrap();
            file.write_all(b"and more").unwrap();
            bench.faults.tear(seed);
            let left = fs::read(&path).unwrap();
            assert!(b"durableand more".starts_with(&left), "{left:?}");
            left.len()
        })
        .collect();
    assert!(lengths.iter().all(|length| *length >= 7), "{lengths:?}");
    assert!(lengths.contains(&7), "no cut took everything: {lengths:?}");
    assert!(
        lengths.iter().any(|length| (8..15).contains(length)),
        "no tear: {lengths:?}"
    );
}

#[test]
fn a_removal_that_was_not_synced_is_undone_by_a_power_cut() {
    let bench = bench();
    let path = bench.path("image");
    bench.disk.replace(&path, b"old").unwrap();
    bench.disk.remove(&path).unwrap();
    assert_eq!(bench.names(), 0);
    bench.faults.forget();
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn what_was_open_when_the_power_went_is_refused() {
    let bench = bench();
    let path = bench.path("image");
    bench.disk.replace(&path, b"old").unwrap();
    let mut file = bench.disk.open(&path).unwrap();
    bench.faults.forget();
    assert!(file.read(&mut [0]).is_err());
    assert!(bench.disk.replace(&path, b"new").is_err());
    let next = faulty::disk(&bench.faults);
    assert_eq!(next.read(&path).unwrap(), b"old");
    next.replace(&path, b"new").unwrap();
}

#[test]
fn a_full_disk_takes_what_fits_and_then_says_so() {
    let bench = bench();
    let snapshots = bench.path("snapshots");
    bench.disk.make_directory(&snapshots).unwrap();
    bench.faults.fill_after(Kind::Snapshot, 10);
    let image = snapshots.join("image");
    bench.disk.replace(&image, b"12345678").unwrap();
    let full = bench.disk.replace(&image, b"12345678").unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    assert_eq!(fs::read_dir(&snapshots).unwrap().count(), 1, "the rest was left");
    bench
        .disk
        .replace(&bench.path("identity"), b"of another kind")
        .unwrap();
    bench.faults.make_room(Kind::Snapshot);
    bench.disk.replace(&image, b"123456789").unwrap();
}

#[test]
fn an_operation_that_hangs_ends_when_it_is_cleared() {
    let bench = bench();
    let path = bench.path("identity");
    bench.faults.hang(Kind::Identity, Operation::Sync);
    let (disk, target) = (bench.disk.clone(), path.clone());
    let replacing = std::thread::spawn(move || disk.replace(&target, b"new"));
    while bench.faults.hanging(Kind::Identity, Operation::Sync) == 0 {
        assert!(!replacing.is_finished(), "it did not hang");
        std::thread::yield_now();
    }
    assert!(!path.exists(), "it was published before it was synced");
    bench.faults.clear(Kind::Identity, Operation::Sync);
    replacing.join().unwrap().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

/// A file of four durable pages, each full of its own letter, written over in place with capitals.
fn overwritten(bench: &Bench) -> PathBuf {
    let path = bench.path("segment");
    let pages: Vec<u8> = b"abcd".iter().flat_map(|letter| [*letter; 4_096]).collect();
    bench.disk.replace(&path, &pages).unwrap();
    let file = bench.disk.0.open_to_write(&path).unwrap();
    file.write_at(&pages[..4_096].to_ascii_uppercase(), 0).unwrap();
    file.sync_data().unwrap();
    file.write_at(&pages[4_096..].to_ascii_uppercase(), 4_096)
        .unwrap();
    let mut seen = vec![0; pages.len()];
    file.read_at(&mut seen, 0).unwrap();
    assert_eq!(seen, pages.to_ascii_uppercase(), "what was written is read");
    path
}

/// The first byte of each page.
fn letters(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    bytes.chunks(4_096).map(|page| char::from(page[0])).collect()
}

#[test]
fn each_page_that_was_overwritten_and_not_synced_outlives_a_power_cut_or_does_not() {
    let left: Vec<String> = (0..8)
        .map(|kept| {
            let bench = bench();
            let path = overwritten(&bench);
            bench.faults.tear_pages(kept);
            letters(&path)
        })
        .collect();
    assert_eq!(
        left,
        ["Abcd", "ABcd", "AbCd", "ABCd", "AbcD", "ABcD", "AbCD", "ABCD"]
    );
    let bench = bench();
    let path = overwritten(&bench);
    bench.faults.forget();
    assert_eq!(letters(&path), "Abcd");
}

#[test]
fn a_lying_disk_forgets_what_was_written_in_place() {
    let bench = bench();
    bench.faults.lie();
    let log = bench.path("log");
    bench.disk.make_directory(&log).unwrap();
    let segment = log.join("1");
    bench.disk.replace(&segment, &[b'a'; 3 * 4_096]).unwrap();
    let again = bench.disk.0.open_to_write(&segment).unwrap();
    again.write_at(&[b'b'; 2 * 4_096], 0).unwrap();
    again.sync_data().unwrap();
    bench.faults.forget();
    assert_eq!(letters(&segment), "baa");
}

#[test]
fn the_power_goes_before_any_write_or_sync_that_a_test_names() {
    let found: Vec<bool> = (0..6)
        .map(|operations| {
            let bench = bench();
            let path = bench.path("identity");
            bench.disk.replace(&path, b"old").unwrap();
            bench.faults.cut_before(operations, Leftover::Nothing);
            let replaced = bench.disk.replace(&path, b"new");
            assert_eq!(replaced.is_ok(), operations == 5, "{replaced:?}");
            let next = faulty::disk(&bench.faults);
            next.read(&path).unwrap() == b"new"
        })
        .collect();
    // To create, to write, to sync, to rename, to sync the directory.
    assert_eq!(found, [false, false, false, false, false, true]);
}

//! The parts of a data directory vouch for each other: one that is missing, or that was put back in time, is noticed, and a
//! node that lost one does not start.
//!
//! Broken once to see them fail: each of them without the look that it names, in `recovery` and `opening`.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::manifest::MANIFEST;
use super::*;

/// A data directory whose node has voted and acknowledged entries in several segments, some of them purged.
struct Node {
    directory: TempDir,
}

impl Node {
    fn that_served() -> Self {
        let node = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        node.serve(0..12);
        node
    }

    fn open(&self) -> Result<FileLog, String> {
        let mut data_dir = DataDir::open(&Disk::real(), self.directory.path(), 1, Formats::OURS)
            .map_err(|error| error.to_string())?;
        let log = data_dir.open_log(Formats::OURS, SMALL);
        log.map_err(|error| error.to_string())
    }

    fn serve(&self, indices: Range<u64>) {
        let log = self.open().unwrap();
        vote(&log, granted(1, 1)).unwrap();
        for index in indices {
            append(&log, 1, index..index + 1);
            log.save_committed(id(1, index)).unwrap();
        }
        log.purge_to(id(1, 3)).unwrap();
        sync(&log).unwrap();
        drop(log);
        // Opened once more, so that the vote is noted.
        drop(self.open().unwrap());
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// The log's files by name.
    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.log())
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        files
    }

    /// Segments that the manifest names, oldest first.
    fn named(&self) -> Vec<PathBuf> {
        let manifest = fs::read(self.log().join(MANIFEST)).unwrap();
        let manifest = manifest::Manifest::decode(&manifest, Formats::OURS).unwrap();
        let names = manifest.segments.iter().map(|named| named.number);
        names
            .map(|number| self.log().join(manifest::segment_name(number)))
            .collect()
    }

    /// The sentence with which it does not start.
    fn refusal(&self) -> String {
        let sentence = self.open().expect_err("it started");
        for advice in ["Keep the other nodes running", "replace this node", "empty data"] {
            assert!(sentence.contains(advice), "{sentence}");
        }
        for harm in ["restore", "copy", "backup"] {
            assert!(!sentence.contains(harm), "{sentence}");
        }
        sentence
    }
}

#[test]
fn whichever_file_of_the_log_is_missing_the_node_does_not_start() {
    let named = Node::that_served().named().len();
    assert!(named > 2, "{named} segments");
    for nth in 0..named {
        let node = Node::that_served();
        fs::remove_file(&node.named()[nth]).unwrap();
        assert!(node.refusal().contains("this disk lost a part of its log"));
    }
    let node = Node::that_served();
    fs::remove_file(node.log().join(MANIFEST)).unwrap();
    assert!(node.refusal().contains("there is no log"));
}

#[test]
fn a_log_that_was_emptied_is_not_taken_for_a_new_one() {
    let node = Node::that_served();
    fs::remove_dir_all(node.log()).unwrap();
    assert!(node.refusal().contains("it has voted, and there is no log"));
    // And it stays so: nothing was made in its place.
    assert!(node.refusal().contains("it has voted, and there is no log"));
}

#[test]
fn a_log_whose_files_go_while_it_runs_is_missed_at_the_next_start() {
    let node = Node::that_served();
    let log = node.open().unwrap();
    node.files()
        .iter()
        .for_each(|file| fs::remove_file(file).unwrap());
    append(&log, 1, 12..13);
    drop(log);
    node.refusal();
}

#[test]
fn segments_without_a_manifest_are_not_taken_for_a_new_log() {
    let directory = tempfile::tempdir().unwrap();
    Driven::open(&Disk::real(), directory.path(), SETUP)
        .unwrap()
        .close();
    fs::remove_file(directory.path().join(MANIFEST)).unwrap();
    let refused = Driven::open(&Disk::real(), directory.path(), SETUP)
        .err()
        .unwrap();
    assert!(refused.to_string().contains("no manifest"), "{refused}");
}

#[test]
fn a_vote_that_is_noted_and_not_there_is_missed() {
    let directory = tempfile::tempdir().unwrap();
    let mut driven = Driven::open(&Disk::real(), directory.path(), SETUP).unwrap();
    driven.append(entries(1, 0..2)).unwrap();
    driven.close();
    let voted = LogSetup { voted: true, ..SETUP };
    let refused = Driven::open(&Disk::real(), directory.path(), voted)
        .err()
        .unwrap();
    assert!(refused.to_string().contains("there is no vote"), "{refused}");
}

#[test]
fn a_vote_without_its_note_is_a_crash_and_is_noted() {
    let node = Node {
        directory: tempfile::tempdir().unwrap(),
    };
    let log = node.open().unwrap();
    vote(&log, granted(1, 1)).unwrap();
    drop(log);
    let identity = || fs::read_to_string(node.directory.path().join("identity")).unwrap();
    assert!(!identity().contains("voted"));
    drop(node.open().unwrap());
    assert!(identity().contains("voted yes"));
}

#[test]
fn an_earlier_use_of_a_segment_in_its_place_is_missed() {
    let node = Node::that_served();
    let before: Vec<(PathBuf, Vec<u8>)> = (node.named().into_iter())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    for round in 0..4 {
        let log = node.open().unwrap();
        for index in 12 + round * 6..18 + round * 6 {
            append(&log, 1, index..index + 1);
        }
        log.purge_to(id(1, 16 + round * 6)).unwrap();
        sync(&log).unwrap();
    }
    let reused = before.iter().find(|(path, _)| node.named().contains(path));
    let (path, earlier) = reused.expect("a segment was used again");
    fs::write(path, earlier).unwrap();
    assert!(node.refusal().contains("should be use"));
}

#[test]
fn another_disks_log_is_not_taken_for_this_ones() {
    let directory = tempfile::tempdir().unwrap();
    Driven::open(&Disk::real(), directory.path(), SETUP)
        .unwrap()
        .close();
    let other = LogSetup {
        owner: DiskId(7),
        ..SETUP
    };
    let refused = Driven::open(&Disk::real(), directory.path(), other)
        .err()
        .unwrap();
    assert!(refused.to_string().contains("of disk"), "{refused}");
}

#[test]
fn a_log_that_ends_before_its_floor_is_missed() {
    let directory = tempfile::tempdir().unwrap();
    let mut driven = Driven::open(&Disk::real(), directory.path(), SETUP).unwrap();
    for index in 0..8 {
        driven.append(entries(1, index..index + 1)).unwrap();
        driven.log.save_committed(id(1, index)).unwrap();
    }
    drop(driven);
    let path = directory.path().join(MANIFEST);
    let read = || manifest::Manifest::decode(&fs::read(&path).unwrap(), Formats::OURS).unwrap();
    let known = read();
    assert!(known.floor.is_some(), "a rotation raises it");
    for (floor, is_held) in [(id(1, 7), true), (id(1, 8), false), (id(2, 5), false)] {
        let manifest = manifest::Manifest {
            floor: Some(floor),
            ..known.clone()
        };
        fs::write(&path, manifest.encode(Format::FIRST)).unwrap();
        let opened = Driven::open(&Disk::real(), directory.path(), SETUP);
        assert_eq!(opened.is_ok(), is_held, "{floor:?}");
    }
}

#[test]
fn a_purge_that_the_log_does_not_know_of_is_missed() {
    let directory = tempfile::tempdir().unwrap();
    let mut driven = Driven::open(&Disk::real(), directory.path(), SETUP).unwrap();
    driven.append(entries(1, 0..4)).unwrap();
    drop(driven);
    let path = directory.path().join(MANIFEST);
    let known = manifest::Manifest::decode(&fs::read(&path).unwrap(), Formats::OURS).unwrap();
    let manifest = manifest::Manifest {
        purged: Some(id(1, 2)),
        ..known
    };
    fs::write(&path, manifest.encode(Format::FIRST)).unwrap();
    let refused = Driven::open(&Disk::real(), directory.path(), SETUP)
        .err()
        .unwrap();
    assert!(
        refused.to_string().contains("it was purged up to entry 2"),
        "{refused}"
    );
}

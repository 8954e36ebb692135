//! Power cuts: any pages of what was not synced may stay, the power may go between any two things that are asked of the
//! disk, and what was acknowledged is there, nothing is there that was never written, and the node starts.
//!
//! Broken once to see them fail: without the zeros behind the end of an opened log, two torn groups make a third that
//! nobody wrote; with a segment that is given away before it is named, a cut loses what was acknowledged; with a vote that
//! is noted before it is durable, a node does not start again.

use std::collections::{BTreeMap, BTreeSet};

use tempfile::TempDir;

use super::record::{ENTRY_BYTES_MIN, HEADER_BYTES, Record, Spot};
use super::segment::{GroupBuilder, PAGE_BYTES};
use super::*;
use crate::disk::faulty;
use crate::faults::{Faults, Kind, Leftover, Operation};
use crate::snapshot::{SnapshotMeta, SnapshotStore};
use remora_table::SessionTable;

/// A disk with faults, and a log on it.
struct Bench {
    directory: TempDir,
    faults: Faults,
}

fn bench() -> Bench {
    Bench {
        directory: tempfile::tempdir().unwrap(),
        faults: Faults::default(),
    }
}

impl Bench {
    fn open(&self, segment_bytes: u64) -> io::Result<Driven> {
        let setup = LogSetup {
            segment_bytes,
            ..SETUP
        };
        // In a directory of the log's name, so that its faults are the log's.
        let path = self.directory.path().join("log");
        Driven::open(&faulty::disk(&self.faults), &path, setup)
    }

    /// Writes a group that is not synced when the power goes; just these of its pages stay.
    fn tear(&self, mut driven: Driven, group: Vec<LogEntry>, kept: u64) {
        self.faults
            .fail(Kind::Log, Operation::Sync, io::ErrorKind::TimedOut);
        driven.append(group).unwrap_err();
        self.faults.tear_pages(kept);
        self.faults.clear(Kind::Log, Operation::Sync);
    }
}

/// Pages of the groups that are torn here.
const PAGES: u32 = 4;

/// Every page of such a group stays.
const ALL: u64 = (1 << PAGES) - 1;

/// Entries of a group.
const LARGE: u64 = PAGES as u64;

/// The entries of a group from this index on, of a page each: the first shares its page with the mark, and no record lies
/// on two pages. So any pages of two such groups in one place fit together, but for what guards against that.
fn large(term: u64, first: u64) -> Vec<LogEntry> {
    let mut large = entries(term, first..first + LARGE);
    for (nth, entry) in large.iter_mut().enumerate() {
        let beside = if nth == 0 {
            ENTRY_BYTES_MIN + MARK_BYTES
        } else {
            ENTRY_BYTES_MIN
        };
        let letter = u8::try_from(term).unwrap();
        entry.payload = Payload::Normal(Bytes::from(vec![letter; 4_096 - beside]));
    }
    large
}

/// Bytes of a mark.
const MARK_BYTES: usize = HEADER_BYTES + 8 + 8 + 4;

/// All entries that a log holds.
fn held(log: &dyn Log) -> Vec<LogEntry> {
    let end = log.bounds().last.map_or(0, |last| last.index + 1);
    let first = log.bounds().purged.map_or(0, |purged| purged.index + 1);
    log.read(first..end, u64::MAX).unwrap()
}

/// How often segments were taken into use.
fn generation(driven: &Driven) -> u64 {
    let newest = driven.core.lock().segments.back().cloned();
    newest.unwrap().segment.seal.generation
}

#[test]
fn whatever_pages_of_a_write_stay_it_counts_as_a_whole_or_not_at_all() {
    for kept in 0..1 << PAGES {
        let bench = bench();
        let mut driven = bench.open(16 * SMALL).unwrap();
        driven.vote(granted(1, 1)).unwrap();
        driven.append(entries(1, 0..2)).unwrap();
        bench.tear(driven, large(1, 2), kept);
        let mut driven = bench.open(16 * SMALL).unwrap();
        let all = kept == ALL;
        let end = if all { 2 + LARGE } else { 2 };
        assert_eq!(driven.log.bounds().last, Some(id(1, end - 1)), "pages {kept:b}");
        assert_eq!(driven.log.vote(), Some(granted(1, 1)));
        driven.append(entries(2, end..end + 1)).unwrap();
        drop(driven);
        let driven = bench.open(16 * SMALL).unwrap();
        assert_eq!(driven.log.bounds().last, Some(id(2, end)));
    }
}

#[test]
fn two_torn_writes_in_one_place_never_make_a_third() {
    for first in 0..1 << PAGES {
        for second in 0..1 << PAGES {
            let bench = bench();
            let mut driven = bench.open(16 * SMALL).unwrap();
            driven.append(entries(1, 0..2)).unwrap();
            bench.tear(driven, large(2, 2), first);
            let driven = bench.open(16 * SMALL).unwrap();
            let end = driven.log.bounds().last.unwrap().index + 1;
            bench.tear(driven, large(3, end), second);
            let found = held(&bench.open(16 * SMALL).unwrap().log);
            let terms: Vec<u64> = found.iter().map(|entry| entry.log_id.term).collect();
            let whole = |kept: u64, term: u64| vec![term; if kept == ALL { 4 } else { 0 }];
            assert_eq!(
                terms,
                [vec![1; 2], whole(first, 2), whole(second, 3)].concat(),
                "pages {first:b}, then {second:b}"
            );
        }
    }
}

#[test]
fn a_recycled_segment_full_of_old_records_and_votes_holds_none_of_them() {
    for kept in 0..1 << PAGES {
        let bench = bench();
        let mut driven = bench.open(2 * SMALL).unwrap();
        let mut next = 0;
        // Until each segment has been used twice, full of groups that begin where the torn one will.
        driven.settle();
        while generation(&driven) < 9 {
            driven.append(large(1, next)).unwrap();
            next += LARGE;
            driven.vote(granted(next, 1)).unwrap();
            driven.log.purge_to(id(1, next - 2)).unwrap();
            driven.settle();
        }
        let before = (driven.log.bounds(), driven.log.vote());
        bench.tear(driven, large(1, next), kept);
        let mut driven = bench.open(2 * SMALL).unwrap();
        let found = (driven.log.bounds(), driven.log.vote());
        if found != before {
            assert_eq!(found.0.last, Some(id(1, next + LARGE - 1)), "pages {kept:b}");
            assert_eq!(found.1, before.1);
        }
        let next = found.0.last.unwrap().index + 1;
        driven.append(entries(2, next..next + 3)).unwrap();
        drop(driven);
        assert_eq!(
            bench.open(2 * SMALL).unwrap().log.bounds().last,
            Some(id(2, next + 2))
        );
    }
}

/// The control of the one above: records under the same seal would be taken for new ones.
#[test]
fn records_of_the_same_use_would_be_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut driven = Driven::open(&Disk::real(), directory.path(), SETUP).unwrap();
    driven.append(entries(1, 0..2)).unwrap();
    let segment = driven.core.lock().segments[0].segment.clone();
    let offset = 2 * PAGE_BYTES;
    let synced = Spot {
        generation: segment.seal.generation,
        offset,
    };
    let mut group = GroupBuilder::new(segment.seal, Format::FIRST, offset, segment.bytes - offset);
    group.push(&Record::Entry(entry(1, 2)));
    segment.file.write_at(&group.finish(synced), offset).unwrap();
    drop(driven);
    let driven = Driven::open(&Disk::real(), directory.path(), SETUP).unwrap();
    assert_eq!(driven.log.bounds().last, Some(id(1, 2)));
}

/// What a life was promised, and what it did.
#[derive(Default)]
struct Promised {
    vote: Option<Vote>,
    /// Acknowledged entries, without those whose truncation was asked for.
    entries: BTreeMap<u64, u64>,
    /// Everything that was ever appended.
    written: BTreeSet<(u64, u64)>,
}

impl Promised {
    fn append(&mut self, driven: &mut Driven, term: u64, indices: Range<u64>) -> io::Result<()> {
        self.written.extend(indices.clone().map(|index| (index, term)));
        driven.append(entries(term, indices.clone()))?;
        self.entries.extend(indices.map(|index| (index, term)));
        Ok(())
    }

    /// What was promised is there, and nothing that was never written.
    fn check(&self, log: &dyn Log, case: &str) {
        assert!(log.vote() >= self.vote, "{case}: a later vote was lost");
        let found = held(log);
        for entry in &found {
            let LogId { term, index } = entry.log_id;
            assert!(self.written.contains(&(index, term)), "{case}: entry {index}");
        }
        let purged = log.bounds().purged.map_or(0, |purged| purged.index + 1);
        let found: BTreeMap<u64, u64> = found.iter().map(|e| (e.log_id.index, e.log_id.term)).collect();
        for (index, term) in self.entries.range(purged..) {
            assert_eq!(found.get(index), Some(term), "{case}: entry {index} was lost");
        }
    }
}

/// A node's disk, opened.
struct OpenDisk {
    data_dir: DataDir,
    driven: Driven,
    images: SnapshotStore,
}

impl OpenDisk {
    fn open(faults: &Faults, directory: &Path) -> Result<Self, String> {
        let disk = faulty::disk(faults);
        let sentence = |error: io::Error| error.to_string();
        let mut data_dir =
            DataDir::open(&disk, directory, 1, Formats::OURS).map_err(|error| error.to_string())?;
        let setup = data_dir.log_setup(Formats::OURS, SMALL);
        let driven = Driven::open(&disk, &data_dir.log_directory(), setup).map_err(sentence)?;
        if driven.log.vote().is_some() {
            data_dir.set_voted().map_err(|error| error.to_string())?;
        }
        let directory = data_dir.snapshot_directory();
        let images = SnapshotStore::open(&disk, &directory, Formats::OURS).map_err(sentence)?;
        Ok(Self {
            data_dir,
            driven,
            images,
        })
    }

    /// Votes, as the seam to consensus does.
    fn vote(&mut self, promised: &mut Promised, vote: Vote) -> io::Result<()> {
        self.driven.vote(vote)?;
        self.data_dir.set_voted().map_err(io::Error::other)?;
        promised.vote = Some(vote);
        Ok(())
    }

    /// Writes an image, then purges what it holds.
    fn snapshot(&mut self, at: LogId) -> io::Result<()> {
        let meta = SnapshotMeta {
            last_applied: Some(at),
            membership: Bytes::new(),
        };
        self.images.save(&meta, SessionTable::new().image())?;
        self.driven.log.purge_to(at)?;
        self.driven.settle();
        Ok(())
    }

    /// Everything that a log is asked for in its life, several times over.
    fn live(&mut self, promised: &mut Promised) -> io::Result<()> {
        let mut next = self.driven.log.bounds().last.map_or(0, |last| last.index + 1);
        for term in 1..5 {
            self.vote(promised, granted(term, 1))?;
            promised.append(&mut self.driven, term, next..next + 4)?;
            self.driven.log.save_committed(id(term, next + 1))?;
            promised.entries.retain(|index, _| *index <= next + 1);
            self.driven.log.truncate_after(Some(next + 1))?;
            promised.append(&mut self.driven, term, next + 2..next + 3)?;
            next += 3;
            if term > 1 {
                self.snapshot(id(term, next - 2))?;
            }
        }
        Ok(())
    }

    fn check(&self, promised: &Promised, case: &str) {
        promised.check(&self.driven.log, case);
        let imaged = self.images.latest().and_then(|newest| newest.last_applied);
        assert!(imaged >= self.driven.log.bounds().purged, "{case}: no image");
    }
}

/// How many writes and syncs a whole life takes.
fn operations() -> u64 {
    let bench = bench();
    let mut disk = OpenDisk::open(&bench.faults, bench.directory.path()).unwrap();
    disk.live(&mut Promised::default()).unwrap();
    let kinds = [Kind::Log, Kind::Directory, Kind::Identity, Kind::Snapshot];
    let begun = kinds
        .iter()
        .map(|kind| bench.faults.begun(*kind, Operation::Write) + bench.faults.begun(*kind, Operation::Sync));
    begun.sum()
}

#[test]
fn the_power_may_go_between_any_two_operations_of_a_life() {
    let operations = operations();
    assert!(operations > 100, "{operations}");
    for before in 0..operations {
        for leftover in [
            Leftover::Nothing,
            Leftover::Part(before),
            Leftover::Pages(u64::MAX),
        ] {
            let case = format!("cut before operation {before} of {operations}, {leftover:?}");
            let bench = bench();
            bench.faults.cut_before(before, leftover);
            let mut promised = Promised::default();
            if let Ok(mut disk) = OpenDisk::open(&bench.faults, bench.directory.path()) {
                // What is done for the log behind its callers' backs fails nobody.
                let _ = disk.live(&mut promised);
            }
            // The next life may end while it begins.
            bench.faults.cut_before(before % 7, leftover);
            let _ = OpenDisk::open(&bench.faults, bench.directory.path());
            bench.faults.forget();
            let disk = OpenDisk::open(&bench.faults, bench.directory.path());
            let mut disk = disk.unwrap_or_else(|error| panic!("{case}: {error}"));
            disk.check(&promised, &case);
            let last = disk.driven.log.bounds().last;
            let (term, next) = last.map_or((9, 0), |last| (9, last.index + 1));
            promised.append(&mut disk.driven, term, next..next + 1).unwrap();
            drop(disk);
            bench.faults.forget();
            let disk = OpenDisk::open(&bench.faults, bench.directory.path()).unwrap();
            disk.check(&promised, &case);
        }
    }
}

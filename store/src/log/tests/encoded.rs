//! The log's bytes: what is read is what was written there and then, and any other bytes are refused or cut.
//!
//! Broken once to see them fail: a checksum that leaves out the generation lets an old record be read; a recovery that does
//! not look at the marks behind the first broken group takes every damage for a torn tail.

use std::fs;

use super::manifest::{MANIFEST, Manifest, NamedSegment, segment_name};
use super::record::{Record, Seal, Spot, Unreadable};
use super::recovery::{Broken, Recovered, Recovery};
use super::segment::{GroupBuilder, PAGE_BYTES, SegmentBytes, label};
use super::types::LogState;
use super::*;
use crate::fixtures::fixture;

const SEAL: Seal = Seal {
    disk: DiskId(0xd15c),
    number: 3,
    generation: 9,
};

/// One record of each kind, at both ends of what may be absent.
pub(super) fn records() -> Vec<Record> {
    let full = LogState {
        vote: Some(granted(7, 2)),
        committed: Some(id(6, 40)),
        purged: Some(id(5, 30)),
        last: Some(id(7, 50)),
    };
    let mut records = vec![
        Record::Mark {
            synced: Spot {
                generation: 8,
                offset: 12_288,
            },
            bytes: 77,
        },
        Record::Head(full),
        Record::Head(LogState::default()),
        Record::Vote(granted(7, 2)),
        Record::Vote(Vote::default()),
        Record::Truncate(Some(id(6, 44))),
        Record::Truncate(None),
        Record::Purge(id(6, 41)),
        Record::Committed(id(6, 43)),
        Record::Label {
            seal: SEAL,
            bytes: SMALL,
        },
    ];
    records.extend((0..3).map(|index| Record::Entry(entry(7, index))));
    records
}

fn put(record: &Record, base: u64) -> Bytes {
    let mut bytes = Vec::new();
    record.put(&mut bytes, base, SEAL, Format::FIRST);
    bytes.into()
}

fn read(bytes: &Bytes, base: u64, seal: Seal) -> Result<Record, Unreadable> {
    Record::read(bytes, 0, base, seal, Formats::OURS).map(|(record, length)| {
        assert_eq!(length, bytes.len());
        record
    })
}

#[test]
fn a_record_is_read_where_it_was_written_and_nowhere_else() {
    for record in records() {
        let bytes = put(&record, 4_096);
        assert_eq!(read(&bytes, 4_096, SEAL), Ok(record));
        let elsewhere = [
            (8_192, SEAL),
            (4_096, Seal { number: 4, ..SEAL }),
            (
                4_096,
                Seal {
                    generation: 10,
                    ..SEAL
                },
            ),
            (
                4_096,
                Seal {
                    disk: DiskId(1),
                    ..SEAL
                },
            ),
        ];
        for (base, seal) in elsewhere {
            assert_eq!(read(&bytes, base, seal), Err(Unreadable::Bad), "{base} {seal:?}");
        }
    }
}

#[test]
fn no_changed_bit_and_no_shorter_record_is_read() {
    for record in records() {
        let whole = put(&record, 0);
        for at in 0..whole.len() {
            assert_eq!(read(&whole.slice(..at), 0, SEAL), Err(Unreadable::Bad));
            for bit in 0..8 {
                let mut changed = whole.to_vec();
                changed[at] ^= 1 << bit;
                assert_eq!(
                    read(&changed.into(), 0, SEAL),
                    Err(Unreadable::Bad),
                    "{record:?}, byte {at}"
                );
            }
        }
    }
}

#[test]
fn segments_and_the_manifest_are_read_and_written_as_ever() {
    let label = put(
        &Record::Label {
            seal: SEAL,
            bytes: SEGMENT_BYTES,
        },
        0,
    );
    let bytes = fixture("log-label", &label);
    let (seal, size) = Record::read_label(&bytes, Formats::OURS).unwrap();
    assert_eq!((seal, size), (SEAL, SEGMENT_BYTES));

    let synced = Spot {
        generation: 8,
        offset: 12_288,
    };
    let mut group = GroupBuilder::new(SEAL, Format::FIRST, PAGE_BYTES, PAGE_BYTES);
    let written: Vec<Record> = records()
        .into_iter()
        .filter(|record| !matches!(record, Record::Mark { .. } | Record::Label { .. }))
        .collect();
    for record in &written {
        group.push(record).unwrap();
    }
    let mut page = group.finish(synced);
    // A page is filled up with zeros, of which nobody needs a dump.
    let filled = page.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut segment = vec![0; label_bytes()];
    segment.extend_from_slice(&fixture("log-group", &page.drain(..filled).collect::<Vec<u8>>()));
    let segment = Bytes::from(segment);
    let read = SegmentBytes::new(&segment, SEAL, Formats::OURS)
        .group(PAGE_BYTES)
        .unwrap();
    let found: Vec<Record> = read.records.into_iter().map(|(record, _)| record).collect();
    assert_eq!((found, read.synced), (written, synced));

    let bytes = fixture("log-manifest", &manifest().encode(Format::FIRST));
    assert_eq!(Manifest::decode(&bytes, Formats::OURS), Ok(manifest()));
}

/// A label takes a page.
fn label_bytes() -> usize {
    label(SEAL, SMALL, Format::FIRST).len()
}

#[test]
fn a_later_format_is_said_and_not_taken_for_damage() {
    let later = Format(2);
    let mut bytes = Vec::new();
    Record::Purge(id(1, 1)).put(&mut bytes, 0, SEAL, later);
    assert_eq!(read(&bytes.into(), 0, SEAL), Err(Unreadable::Later(later)));
    let manifest = Manifest::new(SEAL.disk).encode(later);
    assert_eq!(
        Manifest::decode(&manifest, Formats::OURS),
        Err(Unreadable::Later(later))
    );
    let directory = tempfile::tempdir().unwrap();
    let written = LogSetup {
        format: later,
        understood: Formats {
            newest: later,
            ..Formats::OURS
        },
        ..SETUP
    };
    Driven::open(&Disk::real(), directory.path(), written)
        .unwrap()
        .close();
    let refused = Driven::open(&Disk::real(), directory.path(), SETUP)
        .err()
        .unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
    assert!(refused.to_string().contains("start the release"), "{refused}");
}

/// Bytes with their checksum in the place of the last four.
pub(super) fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let Some(content) = bytes.len().checked_sub(4) else {
        return bytes;
    };
    let checksum = crc32fast::hash(&bytes[..content]);
    bytes[content..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn manifest() -> Manifest {
    let segment = |number, generation, first| NamedSegment {
        number,
        generation,
        first,
    };
    Manifest {
        disk: SEAL.disk,
        floor: Some(id(3, 70)),
        purged: Some(id(2, 50)),
        segments: vec![
            segment(2, 4, Some(48)),
            segment(1, 5, Some(61)),
            segment(3, 6, None),
        ],
    }
}

#[test]
fn a_manifest_is_read_whole_or_not_at_all() {
    for manifest in [manifest(), Manifest::new(SEAL.disk)] {
        let whole = manifest.encode(Format::FIRST);
        assert_eq!(Manifest::decode(&whole, Formats::OURS), Ok(manifest));
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            for bytes in [&changed[..], &whole[..at]] {
                assert_eq!(Manifest::decode(bytes, Formats::OURS), Err(Unreadable::Bad));
            }
        }
    }
    let mut disordered = manifest();
    disordered.segments.swap(0, 2);
    let bytes = disordered.encode(Format::FIRST);
    assert_eq!(Manifest::decode(&bytes, Formats::OURS), Err(Unreadable::Bad));
}

#[test]
fn a_group_ends_where_the_room_does() {
    let mut group = GroupBuilder::new(SEAL, Format::FIRST, PAGE_BYTES, PAGE_BYTES);
    let mut extents = Vec::new();
    while let Some(extent) = group.push(&Record::Entry(entry(1, 2))) {
        extents.push(extent);
    }
    let mut bytes = label(SEAL, SMALL, Format::FIRST);
    bytes.extend(group.finish(Spot::default()));
    assert_eq!(bytes.len() as u64, 2 * PAGE_BYTES);
    let bytes = Bytes::from(bytes);
    let read = SegmentBytes::new(&bytes, SEAL, Formats::OURS)
        .group(PAGE_BYTES)
        .unwrap();
    assert_eq!(read.end, 2 * PAGE_BYTES);
    let found: Vec<_> = read.records.iter().map(|(_, extent)| *extent).collect();
    assert_eq!(found, extents);
    assert!(extents.len() > 10);
}

/// What the files of a log are.
struct Image {
    manifest: Manifest,
    segments: Vec<Vec<u8>>,
}

impl Image {
    /// Of a log with votes, entries, hints, a truncation and a purge, over several segments.
    fn of_a_log(ends_cleanly: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut driven = Driven::open(&Disk::real(), directory.path(), SETUP).unwrap();
        driven.vote(granted(1, 1)).unwrap();
        driven.append(entries(1, 0..4)).unwrap();
        driven.log.truncate_after(Some(1)).unwrap();
        driven.append(entries(2, 2..5)).unwrap();
        driven.log.save_committed(id(2, 3)).unwrap();
        driven.vote(granted(3, 2)).unwrap();
        driven.log.purge_to(id(1, 0)).unwrap();
        driven.settle();
        driven.append(entries(2, 5..6)).unwrap();
        if ends_cleanly {
            driven.close();
        }
        let manifest = fs::read(directory.path().join(MANIFEST)).unwrap();
        let manifest = Manifest::decode(&manifest, Formats::OURS).unwrap();
        let name = |named: &NamedSegment| directory.path().join(segment_name(named.number));
        let segments = manifest.segments.iter();
        let segments = segments.map(|named| fs::read(name(named)).unwrap()).collect();
        Self { manifest, segments }
    }

    fn recover(&self) -> Result<Recovered, Broken> {
        let mut recovery = Recovery::new(self.manifest.clone(), Formats::OURS);
        for (nth, bytes) in self.segments.iter().enumerate() {
            recovery.segment(nth, &Bytes::from(bytes.clone()))?;
        }
        recovery.finish(true)
    }

    /// What is found for each byte that is turned over: the state, or none if it is refused. Of the zeros that fill pages
    /// up, some.
    fn turned_over(&mut self) -> Vec<Option<LogState>> {
        let mut found = Vec::new();
        for nth in 0..self.segments.len() {
            let all = 0..self.segments[nth].len();
            for at in all.filter(|at| at % 4_096 < 400 || at % 97 == 0) {
                self.segments[nth][at] ^= 0xff;
                found.push(self.recover().ok().map(|found| found.contents.state()));
                self.segments[nth][at] ^= 0xff;
            }
        }
        found
    }
}

#[test]
fn every_flipped_byte_is_refused_or_cuts_no_more_than_the_last_write() {
    let mut image = Image::of_a_log(false);
    let whole = image.recover().unwrap().contents.state();
    assert_eq!(whole.last, Some(id(2, 5)));
    let cut = LogState {
        last: Some(id(2, 4)),
        ..whole
    };
    let found = image.turned_over();
    let count = |wanted: Option<LogState>| found.iter().filter(|state| **state == wanted).count();
    assert_eq!(count(Some(whole)) + count(Some(cut)) + count(None), found.len());
    assert!(count(None) > 500, "{} were refused", count(None));
    assert!(count(Some(cut)) > 50, "{} were cut", count(Some(cut)));
}

#[test]
fn after_a_clean_stop_no_flipped_byte_costs_anything() {
    let mut image = Image::of_a_log(true);
    let whole = image.recover().unwrap().contents.state();
    let found = image.turned_over();
    assert!(found.iter().flatten().all(|state| *state == whole));
    assert!(found.contains(&None));
}

//! Any bytes may lie in the log's directory: they are read, or refused as what they are, and never more is held than they
//! are worth. Checksums are made good after each change, or nothing behind them would be reached; `encoded` shows what a
//! wrong one does.

use remora_fuzz::Target;

use super::manifest::{Manifest, NamedSegment};
use super::record::{HEADER_BYTES, Record, Seal, Spot, Unreadable};
use super::recovery::Recovery;
use super::segment::{GroupBuilder, PAGE_BYTES, label, size};
use super::types::LogState;
use super::*;

const SEAL: Seal = Seal {
    disk: DiskId(0xd15c),
    number: 3,
    generation: 9,
};

/// Changes of a segment in a usual run: each is read to its last byte, about a millisecond.
const SEGMENT_ROUNDS: u64 = 2_000;

/// Makes good the checksums of the records that begin at `at` and follow each other; gives where they end.
fn seal_records(bytes: &mut [u8], mut at: usize) -> usize {
    while let Some(header) = bytes.get(at..at + HEADER_BYTES) {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        let end = at + HEADER_BYTES + size(length.into());
        if length == 0 || end > bytes.len() {
            break;
        }
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&SEAL.disk.0.to_le_bytes());
        hasher.update(&SEAL.number.to_le_bytes());
        hasher.update(&SEAL.generation.to_le_bytes());
        hasher.update(&(at as u64).to_le_bytes());
        hasher.update(&bytes[at + 4..end]);
        let checksum = hasher.finalize();
        bytes[at..at + 4].copy_from_slice(&checksum.to_le_bytes());
        at = end;
    }
    at
}

fn refusal(why: Unreadable) -> String {
    format!("{why:?}")
}

#[test]
fn any_bytes_are_a_record_or_refused() {
    let mut target = Target::new("a record of the log").fixtures("1/log-label");
    for record in encoded::records() {
        let mut bytes = Vec::new();
        record.put(&mut bytes, 0, SEAL, Format::FIRST);
        target = target.example(bytes);
    }
    target.run(|bytes| {
        let mut bytes = bytes.to_vec();
        let end = seal_records(&mut bytes, 0);
        let bytes = Bytes::from(bytes);
        // A label names its own seal, so any is read by what it says.
        let label = Record::read_label(&bytes, Formats::OURS).map(|(_, size)| size);
        match Record::read(&bytes, 0, 0, SEAL, Formats::OURS) {
            Ok((record, length)) => {
                assert!(length <= end);
                let mut written = Vec::new();
                record.put(&mut written, 0, SEAL, Format::FIRST);
                assert_eq!(written, bytes[..length]);
                format!("{:?}", std::mem::discriminant(&record))
            }
            Err(why) => format!("{} {}", refusal(why), label.is_ok()),
        }
    });
}

#[test]
fn any_bytes_are_a_manifest_or_refused() {
    let target = Target::new("the log's manifest")
        .fixtures("1/log-manifest")
        .example(Manifest::new(SEAL.disk).encode(Format::FIRST));
    target.run(|bytes| {
        let sealed = encoded::with_checksum(bytes.to_vec());
        match Manifest::decode(&sealed, Formats::OURS) {
            Ok(manifest) => {
                assert_eq!(manifest.encode(Format::FIRST), sealed);
                format!(
                    "{} segments",
                    ["no", "one", "more"][manifest.segments.len().min(2)]
                )
            }
            Err(why) => refusal(why),
        }
    });
}

/// A segment of a label and two groups, so that one stands before the other.
fn segment() -> Vec<u8> {
    let mut bytes = label(SEAL, SMALL, Format::FIRST);
    let mut synced = Spot::default();
    let groups = [
        vec![Record::Head(LogState::default()), Record::Vote(granted(7, 2))],
        vec![
            Record::Entry(entry(7, 0)),
            Record::Entry(entry(7, 1)),
            Record::Committed(id(7, 0)),
        ],
    ];
    for records in groups {
        let offset = bytes.len() as u64;
        let mut group = GroupBuilder::new(SEAL, Format::FIRST, offset, PAGE_BYTES);
        for record in &records {
            group.push(record).unwrap();
        }
        bytes.extend(group.finish(synced));
        let generation = SEAL.generation;
        let offset = bytes.len() as u64;
        synced = Spot { generation, offset };
    }
    bytes.resize(size(SMALL), 0);
    bytes
}

#[test]
fn any_segment_is_recovered_or_refused() {
    let manifest = Manifest {
        segments: vec![NamedSegment {
            number: SEAL.number,
            generation: SEAL.generation,
            first: None,
        }],
        ..Manifest::new(SEAL.disk)
    };
    Target::new("a segment of the log")
        .example(segment())
        .usual_rounds(SEGMENT_ROUNDS)
        .run(|bytes| {
            let mut bytes = bytes.to_vec();
            bytes.resize(size(SMALL), 0);
            for page in (0..bytes.len()).step_by(size(PAGE_BYTES)) {
                seal_records(&mut bytes, page);
            }
            let bytes = Bytes::from(bytes);
            let mut recovery = Recovery::new(manifest.clone(), Formats::OURS);
            let recovered = recovery.segment(0, &bytes).and_then(|()| recovery.finish(false));
            match recovered {
                Ok(found) => {
                    let end = found.end.map_or(0, |(_, spot)| spot.offset);
                    assert!(end <= SMALL);
                    assert!(
                        found
                            .leftovers
                            .iter()
                            .all(|left| left.from >= end && left.to <= SMALL)
                    );
                    format!(
                        "{} {} {:?}",
                        end / PAGE_BYTES >= 3,
                        found.torn,
                        found.contents.state().vote.is_some()
                    )
                }
                Err(broken) => broken.to_string(),
            }
        });
}

//! Formats do not drift: every byte sequence of ours is checked in under `formats/`, read and written again.
//!
//! A fixture is a dump that people can read: offset, sixteen bytes in hexadecimal, the same as text. For each the bytes
//! are decoded and must give the value that stands here, and the value is encoded and must give the bytes. After a wanted
//! change `UPDATE_GOLDENFILES=1 cargo test -p remora-store fixtures` writes them anew; from the first tag on, the
//! fixtures of a released format change no more, and a new format has a directory of its own.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use bytes::Bytes;
use remora_table::{
    Command, Entry, EntryBuilder, Epoch, Format, Formats, ImageDecoder, Proposal, RemoveReason, RequestId,
    Save, SessionTable, Stamp, TableImage, Tidings, Version, decode_proposal, encode_proposal,
};

use crate::disk::Disk;
use crate::log::{ClusterId, DataDir, DiskId, LogId};
use crate::snapshot::{SnapshotMeta, SnapshotStore};

mod samples;

use samples::{
    announcement, bury, commands, key, late, later, refused, retire_node, save, short, sweep, taken_back,
    wish,
};

/// The format that these fixtures show.
const FORMAT: Format = Format::FIRST;

fn path(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    root.join(format!("formats/{FORMAT}/{name}.hex"))
}

fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, sixteen) in bytes.chunks(16).enumerate() {
        let digits: Vec<String> = sixteen.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown = |byte: &u8| {
            if matches!(byte, 0x20..0x7f) {
                char::from(*byte)
            } else {
                '.'
            }
        };
        let words: String = sixteen.iter().map(shown).collect();
        let _ = writeln!(text, "{:08x}  {:<47}  |{words}|", line * 16, digits.join(" "));
    }
    text
}

fn undump(text: &str) -> Vec<u8> {
    let digits = text.lines().flat_map(|line| line[10..57].split_whitespace());
    digits
        .map(|digits| u8::from_str_radix(digits, 16).unwrap())
        .collect()
}

/// The bytes of a fixture, which must be those that the program writes now.
pub(crate) fn fixture(name: &str, written: &[u8]) -> Bytes {
    let path = path(name);
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, dump(written)).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let bytes = undump(&text);
    assert_eq!(dump(&bytes), text, "{name}: a fixture is written as a dump");
    assert_eq!(dump(written), text, "{name}: this program writes something else");
    bytes.into()
}

fn proposal(serial: u64, command: Command) -> Proposal {
    Proposal {
        request_id: Some(RequestId {
            instance: 0x1234_5678_9abc_def0,
            serial,
        }),
        node: "n1".into(),
        command,
    }
}

/// A table in which every kind of record stands: sessions with all that they may hold or remember, a tombstone, a key that
/// was given up, a session that expired and waits and one that was buried, an application server, a wish and one that was taken
/// back, a server that was taken out, members, a disk that was one.
fn table() -> SessionTable {
    let mut table = SessionTable::new();
    table.begin_entry(Stamp(1_000));
    table.set_members(&BTreeMap::from([(1, 0xd15c_0001), (2, 0xd15c_0009)]));
    table.set_members(&BTreeMap::from([(1, 0xd15c_0001), (2, 0xd15c_0002)]));
    let mut steps: Vec<Command> = [(1, 0xd15c_0001), (2, 0xd15c_0002)]
        .map(|(node, disk)| Command::Understands {
            node,
            disk,
            formats: later(),
        })
        .into();
    steps.push(Command::Save(save(key("ada"))));
    steps.push(Command::Claim { session: key("ada") });
    steps.push(Command::Save(late(key("ada"))));
    steps.push(Command::Save(save(key("eve"))));
    steps.push(Command::Rename {
        session: key("eve"),
        new_key: key("bob").key,
        epoch: Epoch(4),
    });
    steps.push(Command::Save(save(key("gone"))));
    steps.push(Command::Remove {
        session: key("gone"),
        created_version: Version(6),
        epoch: Epoch(0),
        reason: RemoveReason::Logout,
    });
    // A session without labels, and what it remembers of a login over the limit.
    steps.push(Command::Save(Save {
        labels: None,
        ..save(key("dan"))
    }));
    steps.push(Command::Save(Save {
        epoch: Epoch(8),
        base: Version(8),
        ..refused(key("dan"))
    }));
    steps.push(Command::Announce(announcement()));
    steps.extend([retire_node(), wish(), taken_back()]);
    steps.push(short(key("late")));
    steps.push(short(key("left")));
    for (serial, command) in (1..).zip(steps) {
        table.apply(&proposal(serial, command), &mut Tidings::default());
    }
    table.begin_entry(Stamp(2_001));
    for (serial, command) in (50..).zip([sweep(), bury(key("late"), 13)]) {
        table.apply(&proposal(serial, command), &mut Tidings::default());
    }
    assert_eq!(table.reader().leavers(), 1);
    table
}

fn bytes_of(image: TableImage) -> Vec<u8> {
    image.into_chunks().flatten().collect()
}

#[test]
fn proposals_are_read_and_written_as_ever() {
    for (name, command) in commands() {
        let proposal = proposal(42, command);
        let bytes = fixture(&format!("proposal-{name}"), &encode_proposal(FORMAT, &proposal));
        assert_eq!(decode_proposal(&bytes, Formats::OURS), Ok(proposal), "{name}");
    }
}

#[test]
fn an_entry_is_read_and_written_as_ever() {
    let proposals: Vec<Bytes> = [Command::Tick, Command::Retire]
        .map(|command| encode_proposal(FORMAT, &proposal(1, command)))
        .into();
    let mut builder = EntryBuilder::new(FORMAT, 0, Stamp(1_764_000_000_000));
    proposals.iter().for_each(|proposal| builder.push(proposal));
    let bytes = fixture("entry", &builder.finish());
    let entry = Entry::decode(&bytes, Formats::OURS).unwrap();
    assert_eq!((entry.group, entry.stamp), (0, Stamp(1_764_000_000_000)));
    assert_eq!(entry.proposals, proposals);
}

#[test]
fn an_image_is_read_and_written_as_ever() {
    let written = bytes_of(table().image());
    let bytes = fixture("image", &written);
    let mut decoder = ImageDecoder::new(Formats::OURS);
    decoder.push(&bytes).unwrap();
    let mut read = SessionTable::new();
    read.restore(decoder.finish().unwrap());
    assert_eq!(read.reader().cluster(), table().reader().cluster());
    assert_eq!(read.reader().get(&key("ada")), table().reader().get(&key("ada")));
    assert_eq!(bytes_of(read.image()), written);
}

#[test]
fn a_snapshot_is_read_and_written_as_ever() {
    let directory = tempfile::tempdir().unwrap();
    let store = SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS).unwrap();
    let meta = SnapshotMeta {
        last_applied: Some(LogId { term: 3, index: 77 }),
        membership: Bytes::from_static(b"a message of the wire"),
    };
    store.save(&meta, table().image()).unwrap();
    let file = directory
        .path()
        .join("00000000000000000077-00000000000000000003.image");
    let bytes = fixture("snapshot", &std::fs::read(file).unwrap());

    let elsewhere = tempfile::tempdir().unwrap();
    let store = SnapshotStore::open(&Disk::real(), elsewhere.path(), Formats::OURS).unwrap();
    let mut receiver = store.receive().unwrap();
    receiver.write(&bytes).unwrap();
    assert_eq!(receiver.finish().unwrap(), meta);
    let (read, image) = store.load().unwrap().unwrap();
    assert_eq!(read, meta);
    assert_eq!(bytes_of(image), bytes_of(table().image()));
}

#[test]
fn an_identity_is_read_and_written_as_ever() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("identity");
    let text = format!(
        "remora-store data directory, format {FORMAT}\nnode 2\ndisk 00000000d15c0002\nstart 5\nvoted yes\ncluster 00000000c1057e12\n"
    );
    std::fs::write(&file, fixture("identity", text.as_bytes())).unwrap();
    let identity = DataDir::open(&Disk::real(), directory.path(), 2, Formats::OURS)
        .unwrap()
        .identity();
    assert_eq!((identity.node_id, identity.disk_id), (2, DiskId(0xd15c_0002)));
    assert_eq!(
        (identity.cluster, identity.format),
        (Some(ClusterId(0xc105_7e12)), FORMAT)
    );
    // Opening it is a start.
    assert_eq!((identity.start, identity.voted), (6, true));
    let counted = std::fs::read_to_string(file).unwrap();
    assert_eq!(counted, text.replace("start 5", "start 6"));
}

#[test]
fn a_later_format_is_said_and_not_taken_for_damage() {
    let later = Format(FORMAT.0 + 1);
    let sentence = "is of format 2, and this program understands format 1";
    let tick = encode_proposal(later, &proposal(1, Command::Tick));
    let told = decode_proposal(&tick, Formats::OURS).unwrap_err().to_string();
    assert!(told.contains(sentence), "{told}");
    let entry = EntryBuilder::new(later, 0, Stamp(1)).finish();
    let told = Entry::decode(&entry, Formats::OURS).unwrap_err().to_string();
    assert!(told.contains(sentence), "{told}");

    let directory = tempfile::tempdir().unwrap();
    let both = Formats {
        newest: later,
        ..Formats::OURS
    };
    let mut table = table();
    table.apply(
        &proposal(
            99,
            Command::Raise {
                format: later,
                asked: true,
            },
        ),
        &mut Tidings::default(),
    );
    let store = SnapshotStore::open(&Disk::real(), directory.path(), both).unwrap();
    let meta = SnapshotMeta {
        last_applied: Some(LogId { term: 3, index: 77 }),
        membership: Bytes::new(),
    };
    store.save(&meta, table.image()).unwrap();
    let told = SnapshotStore::open(&Disk::real(), directory.path(), Formats::OURS)
        .unwrap_err()
        .to_string();
    assert!(told.contains(sentence), "{told}");
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        1,
        "it stays where it is"
    );
}

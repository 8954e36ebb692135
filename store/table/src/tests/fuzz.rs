//! Any bytes may be given to what reads entries, proposals and images: they are refused or read, never more is held than they
//! are worth, and what was read is written as the same bytes. A proposal that can be read can be applied.

use std::mem::discriminant;

use bytes::Bytes;
use remora_fuzz::Target;

use crate::{
    CodecError, Entry, EntryBuilder, Format, Formats, ImageDecoder, SessionTable, Stamp, Tidings,
    decode_proposal, encode_proposal,
};

/// What came of bytes that were not read: why, and of what.
fn refusal(error: &CodecError) -> String {
    match error {
        CodecError::Broken { what, why, .. } => format!("{what}: {why}"),
        CodecError::WrongVersion { what, .. } => format!("{what}: of another version"),
    }
}

/// A table that holds what the fixtures' commands are about.
fn table() -> SessionTable {
    let mut table = SessionTable::new();
    table.begin_entry(Stamp(1_000));
    table
}

#[test]
fn any_bytes_are_a_proposal_or_refused() {
    Target::new("a proposal").fixtures("1/proposal-").run(|bytes| {
        let bytes = Bytes::copy_from_slice(bytes);
        let proposal = match decode_proposal(&bytes, Formats::OURS) {
            Ok(proposal) => proposal,
            Err(error) => return refusal(&error),
        };
        assert_eq!(encode_proposal(Format(bytes[0]), &proposal), bytes);
        let outcome = table().apply(&proposal, &mut Tidings::default());
        format!(
            "{:?} {:?}",
            discriminant(&proposal.command),
            discriminant(&outcome)
        )
    });
}

#[test]
fn any_bytes_are_an_entry_or_refused() {
    Target::new("a log entry").fixtures("1/entry").run(|bytes| {
        let bytes = Bytes::copy_from_slice(bytes);
        let entry = match Entry::decode(&bytes, Formats::OURS) {
            Ok(entry) => entry,
            Err(error) => return refusal(&error),
        };
        let mut builder = EntryBuilder::new(Format(bytes[0]), entry.group, entry.stamp);
        entry.proposals.iter().for_each(|proposal| builder.push(proposal));
        assert_eq!(builder.finish(), bytes);
        format!("{} proposals", entry.proposals.len().min(3))
    });
}

#[test]
fn any_bytes_are_an_image_or_refused_however_they_are_cut() {
    let read = |bytes: &[u8], pieces: usize| {
        let mut decoder = ImageDecoder::new(Formats::OURS);
        for piece in bytes.chunks(pieces) {
            decoder.push(piece)?;
        }
        decoder.finish()
    };
    Target::new("a table image").fixtures("1/image").run(|bytes| {
        let image = match read(bytes, usize::MAX) {
            Ok(image) => image,
            Err(error) => return refusal(&error),
        };
        let written = |image: crate::TableImage| image.into_chunks().flatten().collect::<Vec<u8>>();
        let mut restored = SessionTable::new();
        restored.restore(read(bytes, 7).expect("cut in another way it is the same"));
        assert_eq!(written(image), bytes);
        assert_eq!(
            written(restored.image()),
            bytes,
            "a table holds what its image does"
        );
        "an image".to_owned()
    });
}

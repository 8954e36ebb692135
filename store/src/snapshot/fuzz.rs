//! Any bytes may lie where an image should, or come from a peer as one: they are read, or refused as damage, and a length is
//! believed only up to its bound. Checksums are made good after each change, or nothing behind them would be reached.

use remora_fuzz::Target;

use super::*;
use crate::snapshot::frames::{FRAME_BYTES_MAX, write_frame};

/// Makes good the checksums of the frames; what is no whole frame stays.
fn seal_frames(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(length) = bytes[at..].first_chunk::<4>() {
        let begin = at + 8;
        let end = begin.saturating_add(u32::from_le_bytes(*length) as usize);
        if end > bytes.len() {
            break;
        }
        let checksum = crc32fast::hash(&bytes[begin..end]);
        bytes[at + 4..begin].copy_from_slice(&checksum.to_le_bytes());
        at = end;
    }
}

#[test]
fn any_bytes_are_a_snapshot_or_refused() {
    let target = Target::new("a snapshot file").fixtures("1/snapshot");
    // A length that no bytes follow is believed up to its bound, once.
    let target = target.memory(64, FRAME_BYTES_MAX as usize + 2 * PIECE_BYTES);
    target.run(|bytes| {
        let mut bytes = bytes.to_vec();
        seal_frames(&mut bytes);
        if let Err(error) = verify(&bytes[..], Formats::OURS) {
            return error.to_string();
        }
        let mut frames = FrameReader::new(&bytes[..]);
        let meta = decode_meta(&frames.next_frame().unwrap(), Formats::OURS).unwrap();
        let mut written = Vec::new();
        write_frame(&mut written, &encode_meta(remora_table::Format::FIRST, &meta)).unwrap();
        assert!(bytes.starts_with(&written) || meta.last_applied.is_none());
        match read_image(&mut frames, Formats::OURS) {
            Ok(_) => "an image".to_owned(),
            Err(error) => error.to_string(),
        }
    });
}

#[test]
fn any_bytes_are_a_backup_or_refused() {
    let target = Target::new("a backup").fixtures("1/backup");
    let target = target.memory(64, FRAME_BYTES_MAX as usize + 2 * PIECE_BYTES);
    target.run(|bytes| {
        let mut bytes = bytes.to_vec();
        seal_frames(&mut bytes);
        match read_backup(&bytes[..], Formats::OURS) {
            Ok((head, image)) => {
                assert_eq!(head.sessions, image.sessions());
                "a backup".to_owned()
            }
            Err(error) => error.to_string(),
        }
    });
}

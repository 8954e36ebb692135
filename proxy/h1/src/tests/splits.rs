//! However bytes are split, the same is read, and the same bytes are taken by then.
//!
//! Every message of the scripts, in all splits in two, byte by byte, and in some splits in three.

use remora_fuzz::Draw;

use super::reading::{Side, Told};
use super::scripts::messages;

/// Splits in three that are drawn for each message.
const THREES: u64 = 24;

/// Messages longer than this are about a bound, and only drawn splits of them are read.
const ALL_SPLITS_BYTES_MAX: usize = 1024;

/// Asserts that splits change nothing; `seed` draws those in three.
pub(super) fn assert_splits_change_nothing(side: &Side, bytes: &[u8], seed: u64) {
    let whole = side.read([bytes]);
    let told: Vec<&Told> = whole.told.iter().map(|(told, _)| told).collect();
    let check = |pieces: &[&[u8]]| {
        let split = side.read(pieces.iter().copied());
        let said: Vec<&Told> = split.told.iter().map(|(told, _)| told).collect();
        let cuts: Vec<usize> = pieces.iter().map(|piece| piece.len()).collect();
        let text = bytes.escape_ascii();
        assert_eq!(said, told, "pieces of {cuts:?} bytes: b\"{text}\"");
        if whole.refusal().is_none() {
            assert_eq!(split, whole, "pieces of {cuts:?} bytes take others: b\"{text}\"");
        }
    };
    let ones: Vec<&[u8]> = bytes.chunks(1).collect();
    check(&ones);
    let mut draw = Draw::new(seed);
    let mut cut = || usize::try_from(draw.number() % (bytes.len() as u64 + 1)).unwrap();
    for _ in 0..THREES {
        let (one, other) = (cut(), cut());
        let (first, second) = (one.min(other), one.max(other));
        check(&[&bytes[..first], &bytes[first..second], &bytes[second..]]);
    }
    if bytes.len() <= ALL_SPLITS_BYTES_MAX {
        for at in 1..bytes.len() {
            check(&[&bytes[..at], &bytes[at..]]);
        }
    }
}

#[test]
fn messages_read_alike_however_they_are_split() {
    for (seed, (side, bytes)) in (0..).zip(messages()) {
        assert_splits_change_nothing(&side, &bytes, seed);
    }
}

//! The runs find what they are for, and repeat: each is let loose on a decoder with a fault that was put there.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

/// Reads a record: kind, length, so many bytes; with a fault that only the harness of a test asks for.
fn read(bytes: &[u8], trusting: bool) -> Result<&[u8], &'static str> {
    let [7, length, rest @ ..] = bytes else {
        return Err("no record");
    };
    let length = usize::from(*length);
    if trusting {
        return Ok(&rest[..length]);
    }
    rest.get(..length).ok_or("it is too short")
}

fn target() -> Target {
    Target::new("a record").example(*b"\x07\x03abc")
}

fn word(read: Result<&[u8], &str>) -> String {
    read.map_or_else(str::to_owned, |_| "read".to_owned())
}

fn is_broken(run: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(run)).is_err()
}

#[test]
fn a_length_that_is_believed_is_found() {
    assert!(is_broken(|| target().run(|bytes| word(read(bytes, true)))));
    target().run(|bytes| word(read(bytes, false)));
}

#[test]
fn memory_beyond_what_is_allowed_is_found() {
    let greedy = |bytes: &[u8]| {
        let claimed = bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let room: Vec<u8> = Vec::with_capacity(usize::try_from(claimed).unwrap() >> 8);
        format!("{}", room.is_empty())
    };
    assert!(is_broken(|| target().run(greedy)));
}

#[test]
fn a_reader_that_takes_more_than_it_writes_is_found() {
    // Whatever stands behind the record is dropped.
    let lax = |bytes: &[u8]| {
        if let Ok(value) = read(bytes, false) {
            let length = value.len().to_le_bytes()[0];
            assert_eq!([&[7, length], value].concat(), bytes);
        }
        String::new()
    };
    assert!(is_broken(|| target().run(lax)));
}

#[test]
fn new_answers_lead_deeper() {
    // Three bytes in a row: not met at once, but each one more that fits is answered differently.
    let deep = |bytes: &[u8]| {
        let fits = bytes
            .iter()
            .zip(b"\x7f\x80\xff")
            .take_while(|(is, must)| is == must);
        ["none", "one", "two", "all"][fits.count()].to_owned()
    };
    let mut reached = false;
    Target::new("three bytes").example([0; 3]).run(|bytes| {
        let word = deep(bytes);
        reached |= word == "all";
        word
    });
    assert!(reached);
}

#[test]
fn a_run_repeats_to_the_byte() {
    let inputs = || {
        let mut inputs = Vec::new();
        let mut run = FuzzRun::new(target().words(&["word"]), 5, |bytes: &[u8]| {
            inputs.push(bytes.to_vec());
            word(read(bytes, false))
        });
        run.examples();
        (0..500).for_each(|_| run.round());
        inputs
    };
    assert_eq!(inputs(), inputs());
}

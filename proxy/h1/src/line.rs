//! Lines, and the bytes that may be in them.
//!
//! Invariants: a line ends with CR and LF and has neither within · a field's name is a word and stands right before its colon,
//! and its value holds no control character but tabs.
//!
//! Left out on purpose: what a line means.

use memchr::memchr;

use crate::refusal::{BARE_LF, CONTROL, FIELD_NAME, FOLD, Refusal};

/// Takes the next line off the input, with its line end; none until it has come whole.
pub(crate) fn cut<'b>(input: &mut &'b [u8]) -> Option<&'b [u8]> {
    let end = memchr(b'\n', input)? + 1;
    let (line, rest) = input.split_at(end);
    *input = rest;
    Some(line)
}

/// A line without its end.
pub(crate) fn trimmed(line: &[u8]) -> Result<&[u8], Refusal> {
    line.strip_suffix(b"\r\n").ok_or(BARE_LF)
}

/// Where name and value are in the line of a field: the name's end, the value's begin and end.
pub(crate) fn split(line: &[u8]) -> Result<(usize, usize, usize), Refusal> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(FOLD);
    }
    let name = line.iter().position(|byte| !is_token(*byte)).ok_or(FIELD_NAME)?;
    if name == 0 || line[name] != b':' {
        return Err(FIELD_NAME);
    }
    let value = &line[name + 1..];
    if has_control(value) {
        return Err(CONTROL);
    }
    let begin = value.iter().position(|byte| !is_space(*byte));
    let begin = name + 1 + begin.unwrap_or(value.len());
    let trailing = line[begin..].iter().rev().take_while(|byte| is_space(**byte));
    let end = line.len() - trailing.count();
    Ok((name, begin, end))
}

/// A byte of a word (RFC 9110 section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// Whether there is a control character other than a tab. Counts instead of stopping at the first, so that many bytes are
/// looked at in one step.
pub(crate) fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |found, byte| found | is_control(*byte))
}

fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') | (byte == 0x7f)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Which bytes are of a word.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let others = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    let mut byte: u8 = 0;
    while byte < 128 {
        table[byte as usize] |= byte.is_ascii_alphanumeric();
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_word_a_colon_and_a_value() {
        for (line, name, value) in [
            ("A: b", "A", "b"),
            ("a:b", "a", "b"),
            ("a:", "a", ""),
            ("a: \t ", "a", ""),
            ("a: b c\t", "a", "b c"),
            ("a: b: c", "a", "b: c"),
        ] {
            let (end, begin, stop) = split(line.as_bytes()).unwrap();
            assert_eq!((&line[..end], &line[begin..stop]), (name, value), "{line:?}");
        }
        for (line, refusal) in [
            (" a: b", FOLD),
            ("\ta", FOLD),
            ("a : b", FIELD_NAME),
            (": b", FIELD_NAME),
            ("a", FIELD_NAME),
            ("a\0: b", FIELD_NAME),
            ("a: \0", CONTROL),
            ("a: b\rc", CONTROL),
            ("a: \x7f", CONTROL),
        ] {
            assert_eq!(split(line.as_bytes()), Err(refusal), "{line:?}");
        }
    }
}

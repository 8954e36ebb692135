//! What both formats write with: appends to a thread's buffer, without a copy or an allocation of its own.
//!
//! Invariants: what a client sent is written by [`Pen::without_sessions`] alone, or by [`Pen::url`] with it, so that the value of a session parameter is
//! never in it · nothing that it sent can end a line or drive a terminal, in either way of
//! escaping.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use remora_policy::ShortText;

use super::clock::Moment;
use super::secrets;

/// What stands in for a session id.
const HIDDEN: &[u8] = b"...";

/// Digits of an escaped byte.
const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

/// Millionths in one. Added to a number below it, the six digits behind keep their zeros.
const MILLION: u64 = 1_000_000;

/// Writes behind what is there.
pub(super) struct Pen<'a>(pub(super) &'a mut Vec<u8>);

impl Pen<'_> {
    /// Bytes of ours.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn number(&mut self, number: u64) {
        self.put(itoa::Buffer::new().format(number).as_bytes());
    }

    pub(super) fn address(&mut self, address: IpAddr) {
        self.put(ShortText::of_address(address.to_canonical()).as_bytes());
    }

    /// With six digits behind the point.
    pub(super) fn seconds(&mut self, time: Duration) {
        self.number(time.as_secs());
        self.millionths(time.subsec_micros());
    }

    /// As RFC 3339 writes it, in UTC.
    pub(super) fn moment(&mut self, moment: &Moment) {
        self.put(moment.second());
        self.millionths(moment.micros);
        self.put(b"Z");
    }

    /// A point and six digits.
    fn millionths(&mut self, millionths: u32) {
        // The one in front keeps the zeros; the point takes its place.
        let point = self.0.len();
        self.number(u64::from(millionths) + MILLION);
        self.0[point] = b'.';
    }

    /// What a client sent, escaped in one of the ways below, but for the values of session parameters.
    pub(super) fn without_sessions(
        &mut self,
        mut bytes: &[u8],
        parameters: &[Arc<str>],
        escape: impl Fn(&mut Self, &[u8]),
    ) {
        while let Some(value) = secrets::first_value(bytes, parameters) {
            escape(self, &bytes[..value.start]);
            self.put(HIDDEN);
            bytes = &bytes[value.end..];
        }
        escape(self, bytes);
    }

    /// A URL that a client sent, likewise, and without its user information.
    pub(super) fn url(
        &mut self,
        mut bytes: &[u8],
        parameters: &[Arc<str>],
        escape: impl Fn(&mut Self, &[u8]),
    ) {
        if let Some(user) = secrets::user_information(bytes) {
            self.without_sessions(&bytes[..user.start], parameters, &escape);
            self.put(HIDDEN);
            bytes = &bytes[user.end..];
        }
        self.without_sessions(bytes, parameters, escape);
    }

    /// Visible ASCII as it is; quotes, backslashes and everything else as `\xHH`.
    pub(super) fn escaped(&mut self, mut bytes: &[u8]) {
        // Nearly always all are; a look that does not end early takes many bytes at a time.
        if is_all_plain(bytes) {
            return self.put(bytes);
        }
        while let Some(at) = bytes.iter().position(|byte| !is_plain(*byte)) {
            self.put(&bytes[..at]);
            self.put(b"\\x");
            self.digits(bytes[at]);
            bytes = &bytes[at + 1..];
        }
        self.put(bytes);
    }

    /// As [`Pen::escaped`], and spaces too: for a field that ends with one.
    pub(super) fn escaped_word(&mut self, bytes: &[u8]) {
        for (number, word) in bytes.split(|byte| *byte == b' ').enumerate() {
            if number > 0 {
                self.put(b"\\x20");
            }
            self.escaped(word);
        }
    }

    /// What stands between the quotes of a JSON text: characters as they are, but those that would end the text, or have
    /// no shape of their own; bytes that are none as the text `\xHH`.
    pub(super) fn escaped_json(&mut self, bytes: &[u8]) {
        if is_all_plain(bytes) {
            return self.put(bytes);
        }
        for chunk in bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '"' => self.put(b"\\\""),
                    '\\' => self.put(b"\\\\"),
                    _ if is_unseen(character) => {
                        for unit in character.encode_utf16(&mut [0; 2]) {
                            self.put(b"\\u");
                            let [high, low] = unit.to_be_bytes();
                            self.digits(high);
                            self.digits(low);
                        }
                    }
                    _ => self.put(character.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
            for byte in chunk.invalid() {
                self.put(b"\\\\x");
                self.digits(*byte);
            }
        }
    }

    /// Two hexadecimal digits.
    fn digits(&mut self, byte: u8) {
        self.put(&[byte >> 4, byte & 0x0f].map(|digit| HEXADECIMAL[usize::from(digit)]));
    }
}

fn is_all_plain(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |all, byte| all & is_plain(*byte))
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// Whether a character has no shape of its own: it controls a terminal, ends a line for some who read, turns the direction of
/// what follows, joins or hides. Unicode's control and format characters, and those that separate lines.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

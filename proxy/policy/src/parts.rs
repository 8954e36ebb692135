//! Bytes without a buffer of their own: a value whose parts stand in different places, and a short text on the stack.
//!
//! A head is written once, into the buffer that is sent; what is decided about a field must not need another.

use std::fmt::{self, Display, Write as _};
use std::net::IpAddr;

/// Bytes that are read one part behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InParts<'a>([&'a [u8]; 3]);

impl<'a> InParts<'a> {
    /// Bytes that stand together.
    pub(crate) fn whole(bytes: &'a [u8]) -> Self {
        Self([bytes, b"", b""])
    }

    /// A prefix and what follows it, as a path: begins with a slash even if the prefix is the root.
    pub(crate) fn path(prefix: &'a str, rest: &'a [u8]) -> Self {
        let slash: &[u8] = if prefix.is_empty() && rest.first() != Some(&b'/') {
            b"/"
        } else {
            b""
        };
        Self([prefix.as_bytes(), slash, rest])
    }

    /// The parts, in their order; some may be empty.
    #[must_use]
    pub fn parts(&self) -> [&'a [u8]; 3] {
        self.0
    }

    /// Writes them behind what is there.
    pub fn write(&self, to: &mut Vec<u8>) {
        for part in self.0 {
            to.extend_from_slice(part);
        }
    }

    /// A copy in one piece.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.0.concat()
    }

    /// The same without its last part.
    pub(crate) fn without_last(self) -> Self {
        Self([self.0[0], self.0[1], b""])
    }

    /// Whether they are these bytes.
    pub(crate) fn are(&self, bytes: &[u8]) -> bool {
        let rest = self
            .0
            .iter()
            .try_fold(bytes, |rest, part| rest.strip_prefix(*part));
        rest.is_some_and(<[u8]>::is_empty)
    }
}

/// Bytes of the longest text: an address of 16 bytes that ends in one of four.
const TEXT_BYTES: usize = 45;

/// An address or a number as text.
#[derive(Clone, Copy)]
pub struct ShortText {
    bytes: [u8; TEXT_BYTES],
    length: usize,
}

impl ShortText {
    /// An address. One of four bytes is written without the formatter, which would cost more than all else about it: it is told
    /// to every upstream and in every line of the log.
    #[must_use]
    pub fn of_address(address: IpAddr) -> Self {
        let IpAddr::V4(address) = address else {
            return Self::of(&address);
        };
        let mut text = Self::empty();
        for (position, octet) in address.octets().into_iter().enumerate() {
            if position > 0 {
                text.push(b'.');
            }
            text.push_number(octet.into());
        }
        text
    }

    /// A port.
    pub(crate) fn of_port(port: u16) -> Self {
        let mut text = Self::empty();
        text.push_number(port);
        text
    }

    fn empty() -> Self {
        Self {
            bytes: [0; TEXT_BYTES],
            length: 0,
        }
    }

    /// The caller knows that it fits.
    fn push(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    fn push_number(&mut self, number: u16) {
        let mut unit = 10_000;
        while unit > 1 && number < unit {
            unit /= 10;
        }
        while unit > 0 {
            let digit = u8::try_from(number / unit % 10).unwrap_or_default();
            self.push(b'0' + digit);
            unit /= 10;
        }
    }

    fn of(value: &dyn Display) -> Self {
        let mut text = Self::empty();
        // It fits.
        let _ = write!(text, "{value}");
        text
    }

    /// The text, ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Write for ShortText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_bytes_that_they_spell() {
        for (prefix, rest, expected) in [
            ("/shop", &b"/x"[..], &b"/shop/x"[..]),
            ("", b"x", b"/x"),
            ("", b"/x", b"/x"),
            ("/shop", b"", b"/shop"),
            ("", b"", b"/"),
        ] {
            let path = InParts::path(prefix, rest);
            assert_eq!(path.to_vec(), expected);
            assert!(path.are(expected) && InParts::whole(expected).are(expected));
            assert!(!path.are(b"") && !path.are(b"/shop/xy") && !path.are(b"/sho"));
        }
    }

    #[test]
    fn the_longest_address_fits() {
        let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        for text in [
            longest,
            "::ffff:255.255.255.255",
            "255.255.255.255",
            "0.9.10.99",
            "1.100.101.109",
            "::",
        ] {
            let address = text.parse().unwrap();
            assert_eq!(ShortText::of_address(address).as_bytes(), text.as_bytes());
        }
        for port in [0, 9, 10, 80, 443, 8080, 10_000, u16::MAX] {
            assert_eq!(ShortText::of_port(port).as_bytes(), port.to_string().as_bytes());
        }
    }
}

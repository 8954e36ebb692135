//! The mirror of the reader: heads with their framing, and content within it.
//!
//! Content is not copied here: the caller is told what stands before it and behind it. So a piece of any size can go from one
//! socket to another as it lies in the buffer that it was read into.
//!
//! Invariants: of a known length no byte more is let through · an end that comes too early is told, and then the connection must
//! not look as if the message were whole.

use crate::fields::Fields;
use crate::framing::Length;
use crate::head::Head;
use crate::known::Known;

/// What a head says about its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing, which means that it goes on.
    Unsaid,
    /// It ends with this message.
    Close,
    /// It goes on, for a client of old.
    KeepAlive,
}

/// Writes the messages of one side of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Writer {
    length: Length,
    /// Bytes that a known length still lacks, or the current chunk.
    left: u64,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            length: Length::None,
            left: 0,
        }
    }
}

impl Writer {
    /// Writes a head, with what frames its content. The head has no `Transfer-Encoding`; a `Content-Length` that it has is the
    /// length given here.
    pub fn head(&mut self, head: &Head, length: Length, persistence: Persistence, out: &mut Vec<u8>) {
        self.length = length;
        self.left = match length {
            Length::Known(bytes) => bytes,
            _ => 0,
        };
        out.extend_from_slice(head.fields.wire());
        match length {
            Length::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            Length::Known(bytes) if !head.fields.has(Known::ContentLength) => {
                out.extend_from_slice(b"content-length: ");
                decimal(bytes, out);
                out.extend_from_slice(b"\r\n");
            }
            Length::Known(_) | Length::None | Length::UntilClose => {}
        }
        match persistence {
            Persistence::Unsaid => {}
            Persistence::Close => out.extend_from_slice(b"connection: close\r\n"),
            Persistence::KeepAlive => out.extend_from_slice(b"connection: keep-alive\r\n"),
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Writes an informational head, or one that ends HTTP on its connection.
    pub fn bare(head: &Head, out: &mut Vec<u8>) {
        out.extend_from_slice(head.fields.wire());
        out.extend_from_slice(b"\r\n");
    }

    /// How many of so many bytes of content may be written next; writes what stands before them.
    pub fn before(&mut self, bytes: usize, out: &mut Vec<u8>) -> usize {
        match self.length {
            Length::None => 0,
            Length::UntilClose => bytes,
            Length::Chunked => {
                if self.left == 0 && bytes > 0 {
                    self.left = u64::try_from(bytes).unwrap_or(u64::MAX);
                    hexadecimal(self.left, out);
                    out.extend_from_slice(b"\r\n");
                }
                bytes.min(usize::try_from(self.left).unwrap_or(usize::MAX))
            }
            Length::Known(_) => bytes.min(usize::try_from(self.left).unwrap_or(usize::MAX)),
        }
    }

    /// So many bytes were written; writes what stands behind them.
    pub fn after(&mut self, bytes: usize, out: &mut Vec<u8>) {
        if matches!(self.length, Length::Known(_) | Length::Chunked) {
            self.left = self.left.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
        if self.length == Length::Chunked && self.left == 0 && bytes > 0 {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// The content is over; writes what says so. False when it is not whole.
    #[must_use]
    pub fn end(&mut self, trailers: Option<&Fields>, out: &mut Vec<u8>) -> bool {
        let whole = self.left == 0;
        if whole && self.length == Length::Chunked {
            out.extend_from_slice(b"0\r\n");
            out.extend_from_slice(trailers.map_or(b"", Fields::wire));
            out.extend_from_slice(b"\r\n");
        }
        self.length = Length::None;
        whole
    }

    /// How the content of the current message is framed; [`Length::None`] once it was ended.
    #[must_use]
    pub fn length(&self) -> Length {
        self.length
    }
}

fn decimal(number: u64, out: &mut Vec<u8>) {
    digits(number, 10, out);
}

fn hexadecimal(number: u64, out: &mut Vec<u8>) {
    digits(number, 16, out);
}

/// Without the help of `format!`, which allocates.
fn digits(mut number: u64, base: u64, out: &mut Vec<u8>) {
    let start = out.len();
    loop {
        let digit = usize::try_from(number % base).unwrap_or_default();
        out.push(b"0123456789abcdef"[digit]);
        number /= base;
        if number == 0 {
            break;
        }
    }
    out[start..].reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(length: Length, pieces: &[&[u8]]) -> (String, bool) {
        let (mut writer, mut out) = (Writer::default(), Vec::new());
        writer.head(&Head::response(200), length, Persistence::Unsaid, &mut out);
        for piece in pieces {
            let mut left = *piece;
            while !left.is_empty() {
                let here = writer.before(left.len(), &mut out);
                if here == 0 {
                    break;
                }
                // As if the socket took half.
                let taken = here.div_ceil(2);
                out.extend_from_slice(&left[..taken]);
                writer.after(taken, &mut out);
                left = &left[taken..];
            }
        }
        let whole = writer.end(None, &mut out);
        (String::from_utf8(out).unwrap(), whole)
    }

    #[test]
    fn content_is_framed_as_said() {
        let head = "HTTP/1.1 200 OK\r\n";
        for (length, pieces, wire, whole) in [
            (Length::None, &[][..], "\r\n", true),
            (Length::Known(0), &[], "content-length: 0\r\n\r\n", true),
            (
                Length::Known(3),
                &[&b"ab"[..], b"cd"],
                "content-length: 3\r\n\r\nabc",
                true,
            ),
            (Length::Known(3), &[b"ab"], "content-length: 3\r\n\r\nab", false),
            (
                Length::Chunked,
                &[b"0123456789abcdefg", b"x"],
                "transfer-encoding: chunked\r\n\r\n11\r\n0123456789abcdefg\r\n1\r\nx\r\n0\r\n\r\n",
                true,
            ),
            (Length::UntilClose, &[b"ab"], "\r\nab", true),
        ] {
            assert_eq!(
                written(length, pieces),
                (format!("{head}{wire}"), whole),
                "{length:?}"
            );
        }
    }
}

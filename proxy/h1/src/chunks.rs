//! Chunked content (RFC 9112 section 7.1), from bytes to pieces.
//!
//! Invariants: a size is hexadecimal digits and nothing before them · every line ends with CR and LF · extensions are read over,
//! and bounded: one line by [`LINE_BYTES`], all of a message by [`EXTENSION_BYTES`].

use crate::line;
use crate::refusal::{BARE_LF, CHUNK, Refusal};

/// Bytes of the line before a chunk. 1 KiB: a size has at most 16, the rest are extensions that nobody reads.
const LINE_BYTES: usize = 1024;
/// Bytes of extensions of one message. 16 KiB: who sends more of them than that sends nothing else.
const EXTENSION_BYTES: usize = 16 * 1024;
/// Digits of a size: as many as 64 bits hold.
const DIGITS: usize = 16;

/// Where the reader is within chunked content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before a size.
    Size,
    /// So many bytes of a chunk are to come.
    Content(u64),
    /// Before the line end behind a chunk.
    ContentEnd,
}

/// Chunked content that is being read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunks {
    at: At,
    extensions: usize,
}

/// What comes next.
pub(crate) enum Piece<'b> {
    NeedMore,
    Data(&'b [u8]),
    /// Trailers follow.
    Last,
}

impl Chunks {
    pub(crate) fn new() -> Self {
        Self {
            at: At::Size,
            extensions: 0,
        }
    }

    pub(crate) fn next<'b>(&mut self, input: &mut &'b [u8]) -> Result<Piece<'b>, Refusal> {
        loop {
            match self.at {
                At::Size => match self.size(input)? {
                    None => return Ok(Piece::NeedMore),
                    Some(0) => return Ok(Piece::Last),
                    Some(size) => self.at = At::Content(size),
                },
                At::Content(0) => self.at = At::ContentEnd,
                At::Content(_) if input.is_empty() => return Ok(Piece::NeedMore),
                At::Content(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let (data, rest) = input.split_at(here);
                    *input = rest;
                    self.at = At::Content(left - u64::try_from(here).unwrap_or(left));
                    return Ok(Piece::Data(data));
                }
                At::ContentEnd => match **input {
                    [b'\r', b'\n', ..] => {
                        *input = &input[2..];
                        self.at = At::Size;
                    }
                    [] | [b'\r'] => return Ok(Piece::NeedMore),
                    [b'\n', ..] => return Err(BARE_LF),
                    _ => return Err(CHUNK),
                },
            }
        }
    }

    /// The size of the next chunk, once its line is there.
    fn size(&mut self, input: &mut &[u8]) -> Result<Option<u64>, Refusal> {
        let Some(whole) = line::cut(input) else {
            return match input.len() > LINE_BYTES {
                true => Err(CHUNK),
                false => Ok(None),
            };
        };
        if whole.len() > LINE_BYTES + 1 {
            return Err(CHUNK);
        }
        let line = line::trimmed(whole)?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, extension) = line.split_at(digits);
        let is_extension = extension
            .trim_ascii_start()
            .first()
            .is_none_or(|byte| *byte == b';');
        if digits == 0 || digits > DIGITS || !is_extension || line::has_control(extension) {
            return Err(CHUNK);
        }
        if extension.trim_ascii().is_empty() && !extension.is_empty() {
            return Err(CHUNK);
        }
        self.extensions += extension.len();
        if self.extensions > EXTENSION_BYTES {
            return Err(CHUNK);
        }
        let value = |digit: u8| u64::from(char::from(digit).to_digit(16).unwrap_or_default());
        Ok(Some(size.iter().fold(0, |size, digit| size << 4 | value(*digit))))
    }
}

//! The frames of an image's file: length, CRC-32, bytes; numbers in little-endian order.
//!
//! Invariants: nothing is given away that was not checked; a length is believed only up to a bound, so that a damaged one
//! costs no memory; an empty frame ends the file, and nothing stands behind it, so a cut file is never taken for a short
//! one. Left out: what the frames hold (the table's own codec), and files as such (the parent).

use std::io::{self, BufReader, Read, Write};
use std::iter;

use bytes::Bytes;

use crate::log::LogId;
use remora_table::{CodecError, Format, Formats, ImageDecoder, TableImage};

/// Begins the head; the format follows.
const MAGIC: &[u8; 7] = b"remoraS";

/// Longest frame that is believed, in bytes. Frames are written no longer than a piece; this is far above, so that files
/// of earlier programs, which wrote whole records, can be read.
pub(super) const FRAME_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// How much of a file is sent to a peer at a time, in bytes: large against a message's cost, small beside a heartbeat.
pub(super) const PIECE_BYTES: usize = 256 * 1024;

/// What stands before the bytes of a frame: length and checksum.
const FRAME_HEAD_BYTES: usize = 8;

/// What an image stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotMeta {
    /// The last entry that is in the image; absent if none was ever applied.
    pub last_applied: Option<LogId>,
    /// The last membership and its log id, encoded by `raft/`; opaque here.
    pub membership: Bytes,
}

/// Writes one frame; an empty one ends the file.
pub(super) fn write_frame(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len())
        .ok()
        .filter(|length| *length <= FRAME_BYTES_MAX);
    let length = length.ok_or_else(|| invalid("a piece of the table is larger than a frame takes"))?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&crc32fast::hash(bytes).to_le_bytes())?;
    out.write_all(bytes)
}

/// A file that holds an image, frame by frame: its head, the image in pieces, the end. A chunk of an image holds whole
/// records and may be large; its reader takes any cut.
pub(super) fn frames(head: Vec<u8>, image: TableImage) -> impl Iterator<Item = io::Result<Bytes>> + Send {
    let cut = |chunk: Bytes| {
        let starts = (0..chunk.len()).step_by(PIECE_BYTES);
        let piece = move |at| chunk.slice(at..chunk.len().min(at + PIECE_BYTES));
        starts.map(piece).collect::<Vec<_>>()
    };
    let pieces = image.into_chunks().flat_map(cut);
    let all = iter::once(Bytes::from(head)).chain(pieces);
    all.chain(iter::once(Bytes::new())).map(|bytes| {
        let mut frame = Vec::with_capacity(FRAME_HEAD_BYTES + bytes.len());
        write_frame(&mut frame, &bytes)?;
        Ok(frame.into())
    })
}

/// Reads the image behind a head, to the end of the file.
pub(super) fn read_image(frames: &mut FrameReader<impl Read>, understood: Formats) -> io::Result<TableImage> {
    let mut decoder = ImageDecoder::new(understood);
    loop {
        let piece = frames.next_frame()?;
        if piece.is_empty() {
            break;
        }
        decoder
            .push(&piece)
            .map_err(|error| invalid(&error.to_string()))?;
    }
    frames.expect_end()?;
    decoder.finish().map_err(|error| invalid(&error.to_string()))
}

/// Reads frames from the front.
pub(super) struct FrameReader<R> {
    input: BufReader<R>,
}

impl<R: Read> FrameReader<R> {
    /// From wherever the file stands.
    pub(super) fn new(file: R) -> Self {
        Self {
            input: BufReader::with_capacity(PIECE_BYTES, file),
        }
    }

    /// The next frame, checked. A file that ends too early is damaged, not short.
    pub(super) fn next_frame(&mut self) -> io::Result<Bytes> {
        let length = u32::from_le_bytes(self.four()?);
        let checksum = u32::from_le_bytes(self.four()?);
        if length > FRAME_BYTES_MAX {
            return Err(invalid("a frame's length is absurd"));
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| invalid("a frame's length is absurd"))?];
        self.exact(&mut bytes)?;
        if crc32fast::hash(&bytes) == checksum {
            Ok(bytes.into())
        } else {
            Err(invalid("a frame's checksum is wrong"))
        }
    }

    /// Nothing may stand behind the last frame.
    pub(super) fn expect_end(&mut self) -> io::Result<()> {
        let mut byte = [0];
        if self.input.read(&mut byte)? == 0 {
            Ok(())
        } else {
            Err(invalid("something stands behind the last frame"))
        }
    }

    fn four(&mut self) -> io::Result<[u8; 4]> {
        let mut bytes = [0; 4];
        self.exact(&mut bytes)?;
        Ok(bytes)
    }

    fn exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.input.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => invalid("the file ends too early"),
            _ => error,
        })
    }
}

/// The head: format, whether something was applied, its id, the membership.
pub(super) fn encode_meta(format: Format, meta: &SnapshotMeta) -> Vec<u8> {
    let LogId { term, index } = meta.last_applied.unwrap_or_default();
    let mut head = MAGIC.to_vec();
    head.push(format.0);
    head.push(u8::from(meta.last_applied.is_some()));
    for number in [term, index] {
        head.extend_from_slice(&number.to_le_bytes());
    }
    head.extend_from_slice(&meta.membership);
    head
}

/// Reads a head. A format that is not understood is no damage: [`io::ErrorKind::Unsupported`].
pub(super) fn decode_meta(head: &Bytes, understood: Formats) -> io::Result<SnapshotMeta> {
    let rest = head.strip_prefix(MAGIC);
    let rest = rest.ok_or_else(|| invalid("it does not begin as a table image does"))?;
    let (&[format, applied], rest) = rest
        .split_first_chunk()
        .ok_or_else(|| invalid("the head is too short"))?;
    check_format("a table image", Format(format), understood)?;
    let (term, rest) = number(rest)?;
    let (index, membership) = number(rest)?;
    let last_applied = match applied {
        0 => None,
        1 => Some(LogId { term, index }),
        _ => return Err(invalid("a flag is neither 0 nor 1")),
    };
    Ok(SnapshotMeta {
        last_applied,
        membership: head.slice_ref(membership),
    })
}

/// Whether a format is understood; another one is no damage: [`io::ErrorKind::Unsupported`].
pub(super) fn check_format(what: &'static str, found: Format, understood: Formats) -> io::Result<()> {
    if understood.hold(found) {
        return Ok(());
    }
    let error = CodecError::WrongVersion {
        what,
        found,
        understood,
    };
    Err(io::Error::new(io::ErrorKind::Unsupported, error))
}

/// The next number of a head, and the rest.
pub(super) fn number(bytes: &[u8]) -> io::Result<(u64, &[u8])> {
    let (number, rest) = bytes
        .split_first_chunk()
        .ok_or_else(|| invalid("the head is too short"))?;
    Ok((u64::from_le_bytes(*number), rest))
}

/// Damage, as a sentence.
pub(super) fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

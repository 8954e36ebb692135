//! Where the frames of a WebSocket end (RFC 6455, section 5.2), so that a frame of our own can stand between two.
//!
//! Invariants: bytes are only counted, never kept or changed · total: what is no WebSocket is counted as if it were.
//!
//! Left out on purpose: what frames say. Lengths and the close are all that the proxy needs to know.

/// Bytes of the longest head of a frame without its mask: two, and a length of eight.
const HEAD_BYTES_MAX: usize = 10;
/// Bytes of a mask, which clients' frames have.
const MASK_BYTES: u64 = 4;
/// The opcode of a close.
const CLOSE: u8 = 8;
/// Service restart: come back, to another server (the registry of RFC 6455, section 11.7).
const SERVICE_RESTART: u16 = 1012;

/// The frame that is on its way in one direction.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    head: [u8; HEAD_BYTES_MAX],
    /// Bytes of the head that have come.
    have: usize,
    /// Bytes behind the head that have not.
    rest: u64,
    closed: bool,
}

impl Frames {
    /// The frame by which a server sends its client to another one.
    #[must_use]
    pub fn farewell() -> [u8; 4] {
        let [high, low] = SERVICE_RESTART.to_be_bytes();
        [0x80 | CLOSE, 2, high, low]
    }

    /// Follows these bytes.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while let Some(after) = self.step(bytes) {
            bytes = after;
        }
    }

    /// Follows the bytes of the frame that is on its way, and gives their count.
    pub fn finish(&mut self, bytes: &[u8]) -> usize {
        let mut left = bytes;
        while !self.is_between() {
            let Some(after) = self.step(left) else { break };
            left = after;
        }
        bytes.len() - left.len()
    }

    /// Whether no frame is on its way.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.have == 0 && self.rest == 0
    }

    /// Whether the side has said its last: nothing may stand behind a close.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Follows the rest of a frame, or a byte of a head; nothing is left of no bytes.
    fn step<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (first, after) = bytes.split_first()?;
        if self.rest > 0 {
            let passed = usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len());
            self.rest -= u64::try_from(passed).unwrap_or(u64::MAX);
            return Some(&bytes[passed..]);
        }
        self.head[self.have] = *first;
        self.have += 1;
        if self.have == self.wanted() {
            self.rest = self.announced();
            self.closed |= self.head[0] & 0x0f == CLOSE;
            self.have = 0;
        }
        Some(after)
    }

    /// Bytes of this head, as far as is known.
    fn wanted(&self) -> usize {
        match self.head[1] & 0x7f {
            _ if self.have < 2 => 2,
            126 => 4,
            127 => HEAD_BYTES_MAX,
            _ => 2,
        }
    }

    /// Bytes behind this head.
    fn announced(&self) -> u64 {
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { MASK_BYTES };
        let length = match self.head[1] & 0x7f {
            126 | 127 => self.head[2..self.have]
                .iter()
                .fold(0, |length, byte| length << 8 | u64::from(*byte)),
            length => u64::from(length),
        };
        length.saturating_add(mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of a text.
    fn frame(masked: bool, length: usize) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x81];
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short), _) if short < 126 => frame.push(mask | short),
            (_, Ok(long)) => {
                frame.push(mask | 126);
                frame.extend(long.to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend(u64::try_from(length).unwrap().to_be_bytes());
            }
        }
        frame.resize(frame.len() + length + if masked { 4 } else { 0 }, b'x');
        frame
    }

    #[test]
    fn every_length_ends_where_it_says_however_its_bytes_come() {
        for (masked, length) in [
            (false, 0),
            (true, 0),
            (false, 125),
            (true, 126),
            (false, 65_535),
            (true, 65_536),
        ] {
            let one = frame(masked, length);
            let both = [one.as_slice(), b"\x89\x00next"].concat();
            for first in [1, 2, 3, 9, one.len() - 1, one.len()].map(|first| first.min(one.len())) {
                let mut frames = Frames::default();
                frames.pass(&both[..first]);
                assert_eq!(frames.is_between(), first == one.len(), "{length} after {first}");
                assert_eq!(
                    frames.finish(&both[first..]),
                    one.len() - first,
                    "{length} after {first}"
                );
                assert!(frames.is_between());
            }
            let mut bytewise = Frames::default();
            for byte in &one {
                bytewise.pass(&[*byte]);
            }
            assert!(bytewise.is_between() && !bytewise.is_closed());
        }
    }

    #[test]
    fn our_farewell_is_a_close() {
        let mut frames = Frames::default();
        frames.pass(&Frames::farewell());
        assert!(frames.is_between() && frames.is_closed());
        assert_eq!(Frames::farewell(), [0x88, 2, 0x03, 0xf4]);
    }

    #[test]
    fn a_length_that_nobody_can_send_is_no_panic() {
        let mut frames = Frames::default();
        frames.pass(&[0x81, 0xff, 255, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(frames.finish(b"xyz"), 3);
        assert!(!frames.is_between());
    }
}

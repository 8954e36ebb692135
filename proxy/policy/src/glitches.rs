//! Frames of HTTP/2 that cost work and bring nothing: how many of them a connection may send.
//!
//! Each kind has a budget of its own: some may come at once, more with time, and more with what they go along with: requests,
//! and content in either direction. So a browser that gives up a page of images is borne, and so is one that acknowledges each
//! piece of a stream of small events; who sends nothing else is not.
//!
//! Bytes are looked at as they come in, in whatever pieces: only the nine bytes before each frame. What they say is not checked:
//! whoever reads the frames does that.
//!
//! Invariants: the verdict does not depend on how the bytes are split · a frame that brings something costs nothing · by waiting
//! or asking nobody saves up more than may come at once; what content earned keeps, for it may be acknowledged late.
//!
//! Left out on purpose: clocks, and what becomes of the connection. What several kinds together may cost: each is cheap, and
//! none of the bounds is large.

use std::time::Duration;

/// A kind of frame that brings nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glitch {
    /// A stream is given up.
    Reset,
    /// A question whether we are there.
    Ping,
    /// Other terms.
    Settings,
    /// An order of streams, which nobody keeps any more.
    Priority,
    /// Content without a byte that does not end its stream.
    EmptyData,
    /// A head goes on.
    Continuation,
    /// Room for more content.
    WindowUpdate,
    /// Something that nobody knows.
    Unknown,
}

impl Glitch {
    /// One word, for figures and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "resets",
            Self::Ping => "pings",
            Self::Settings => "settings",
            Self::Priority => "priorities",
            Self::EmptyData => "empty-data",
            Self::Continuation => "continuations",
            Self::WindowUpdate => "window-updates",
            Self::Unknown => "unknown-frames",
        }
    }

    /// How many may come. What is known of clients: a browser sends some priorities with a request and gives up a page of a
    /// hundred images at once; a balancer gives up what one in many of its users gave up; some acknowledge each piece of content
    /// twice, and some only when they come to read it, megabytes later; some ask whether we are there with each piece that they
    /// get, to measure the line.
    const fn allowed(self) -> Allowed {
        let (at_once, per_second, with_request, with_content) = match self {
            Self::Reset => (200, 20, 0, PARTS / 10),
            Self::Ping => (100, 5, PARTS, PARTS),
            Self::Settings => (20, 1, 0, 0),
            Self::Priority => (200, 20, 3 * PARTS, 0),
            Self::EmptyData => (100, 10, PARTS, 0),
            Self::Continuation => (50, 5, 2 * PARTS, 0),
            Self::WindowUpdate => (1_000, 50, 3 * PARTS, 3 * PARTS),
            Self::Unknown => (100, 10, PARTS, PARTS),
        };
        Allowed {
            at_once,
            per_second,
            with_request,
            with_content,
        }
    }
}

/// How many frames of a kind may come.
#[derive(Clone, Copy)]
struct Allowed {
    at_once: u64,
    per_second: u64,
    /// With each head, in parts of a frame.
    with_request: u64,
    /// With each piece of content, of either side, in parts of a frame.
    with_content: u64,
}

/// All kinds, in the order of their numbers.
const KINDS: [Glitch; 8] = [
    Glitch::Reset,
    Glitch::Ping,
    Glitch::Settings,
    Glitch::Priority,
    Glitch::EmptyData,
    Glitch::Continuation,
    Glitch::WindowUpdate,
    Glitch::Unknown,
];

/// Bytes with which a client begins, before its first frame (RFC 9113 section 3.4).
const PREFACE_BYTES: u64 = 24;
/// Bytes before the payload of each frame (RFC 9113 section 4.1).
const HEADER_BYTES: usize = 9;
/// Bytes of content that earn as much as a piece does. 4 KiB: as often as the busiest clients acknowledge.
const PIECE_BYTES: u64 = 4 * 1_024;
/// Frames that are saved up by content, whenever they come. A million: acknowledgements of four gigabytes, which were sent.
const SAVED_MAX: u64 = 1_000_000;
/// Parts in which budgets are counted, so that short times are not lost: thousandths of a frame.
const PARTS: u64 = 1_000;
/// What is left, at most, of a kind that was sent often, in the same parts of what may come at once. 950: a twentieth is spent.
const NEAR: u64 = 950;

/// What one connection has sent, and may send.
#[derive(Clone, Debug)]
pub struct Glitches {
    /// By kind, in parts of a frame.
    left: [u64; KINDS.len()],
    /// Until when time has been counted.
    counted: Duration,
    /// Bytes until the next header begins.
    skip: u64,
    header: [u8; HEADER_BYTES],
    /// Bytes of it that have come.
    have: usize,
}

impl Glitches {
    /// A connection that begins at this moment.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        Self {
            left: KINDS.map(|kind| kind.allowed().at_once * PARTS),
            counted: now,
            skip: PREFACE_BYTES,
            header: [0; HEADER_BYTES],
            have: 0,
        }
    }

    /// More bytes came from the client. Answers the first kind of which there were too many.
    pub fn see(&mut self, mut bytes: &[u8], now: Duration) -> Option<Glitch> {
        self.count_time(now);
        let mut found = None;
        while !bytes.is_empty() {
            let skipped = usize::try_from(self.skip).map_or(bytes.len(), |skip| skip.min(bytes.len()));
            self.skip -= u64::try_from(skipped).unwrap_or_default();
            bytes = &bytes[skipped..];
            let taken = (HEADER_BYTES - self.have).min(bytes.len());
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEADER_BYTES {
                self.have = 0;
                found = found.or(self.frame());
            }
        }
        found
    }

    /// A piece of content goes to the client.
    pub fn sent(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let pieces = 1 + bytes / PIECE_BYTES;
        self.add(|allowed| (allowed.with_content.saturating_mul(pieces), SAVED_MAX));
    }

    /// The kind that came nearest to what is allowed, resets where none did: for who knows only that there was too much.
    #[must_use]
    pub fn nearest(&self) -> Glitch {
        let left = |kind: &Glitch| self.left[*kind as usize] / kind.allowed().at_once;
        let near = KINDS.into_iter().filter(|kind| left(kind) < NEAR);
        near.min_by_key(left).unwrap_or(Glitch::Reset)
    }

    /// What a frame costs or earns, whose header is complete.
    fn frame(&mut self) -> Option<Glitch> {
        let [a, b, c, kind, flags, ..] = self.header;
        let length = u64::from(u32::from_be_bytes([0, a, b, c]));
        self.skip = length;
        // Numbers and the flag that ends a stream: RFC 9113 section 6.
        let glitch = match kind {
            0 if length == 0 && flags & 1 == 0 => Glitch::EmptyData,
            0 => {
                self.add(|allowed| (allowed.with_content, SAVED_MAX));
                return None;
            }
            1 => {
                self.add(|allowed| (allowed.with_request, allowed.at_once));
                return None;
            }
            // Also in the form of RFC 9218.
            2 | 16 => Glitch::Priority,
            3 => Glitch::Reset,
            4 => Glitch::Settings,
            6 => Glitch::Ping,
            8 => Glitch::WindowUpdate,
            9 => Glitch::Continuation,
            _ => Glitch::Unknown,
        };
        let left = &mut self.left[glitch as usize];
        let pays = left.checked_sub(PARTS);
        *left = pays.unwrap_or_default();
        pays.is_none().then_some(glitch)
    }

    fn count_time(&mut self, now: Duration) {
        let millis = now.saturating_sub(self.counted).as_millis();
        if millis > 0 {
            self.counted = now;
            let millis = u64::try_from(millis).unwrap_or(u64::MAX);
            self.add(|allowed| (allowed.per_second.saturating_mul(millis), allowed.at_once));
        }
    }

    /// Adds to all budgets so many parts, up to so many frames; what is above that already stays.
    fn add(&mut self, earned: impl Fn(Allowed) -> (u64, u64)) {
        for (left, kind) in self.left.iter_mut().zip(KINDS) {
            let (parts, most) = earned(kind.allowed());
            *left = left.saturating_add(parts).min((most * PARTS).max(*left));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moment at which all begins.
    const BEGAN: Duration = Duration::ZERO;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        frame.resize(HEADER_BYTES + payload, 0x09);
        frame
    }

    fn begun() -> Glitches {
        let mut glitches = Glitches::new(BEGAN);
        assert_eq!(glitches.see(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BEGAN), None);
        glitches
    }

    /// How many of these may come one after the other; none: without end.
    fn borne(glitches: &mut Glitches, frames: &[u8]) -> Option<usize> {
        (0..100_000).find(|_| glitches.see(frames, BEGAN).is_some())
    }

    #[test]
    fn of_each_kind_as_many_as_allowed_and_not_one_more() {
        for (kind, payload, glitch) in [
            (3, 4, Glitch::Reset),
            (6, 8, Glitch::Ping),
            (4, 6, Glitch::Settings),
            (2, 5, Glitch::Priority),
            (0, 0, Glitch::EmptyData),
            (9, 100, Glitch::Continuation),
            (8, 4, Glitch::WindowUpdate),
            (77, 3, Glitch::Unknown),
        ] {
            let most = usize::try_from(glitch.allowed().at_once).unwrap();
            let frame = frame(kind, 0, payload);
            let mut glitches = begun();
            assert_eq!(glitches.nearest(), Glitch::Reset, "none has come");
            assert_eq!(glitches.see(&frame.repeat(most / 10), BEGAN), None);
            assert_eq!(glitches.nearest(), glitch, "others are as far as ever");
            let mut glitches = begun();
            assert_eq!(borne(&mut glitches, &frame), Some(most), "{glitch:?}");
            assert_eq!(glitches.see(&frame, BEGAN), Some(glitch), "and it stays so");
            let later = BEGAN + Duration::from_secs(2);
            assert_eq!(glitches.see(&frame, later), None, "{glitch:?}: time gives more");
            assert_eq!(KINDS[glitch as usize], glitch);
        }
    }

    #[test]
    fn what_brings_something_costs_nothing() {
        for frame in [frame(1, 5, 30), frame(0, 0, 1), frame(0, 1, 0)] {
            assert_eq!(borne(&mut begun(), &frame), None);
        }
    }

    #[test]
    fn clients_that_are_known_are_borne_for_ever() {
        let with = |request: &[Vec<u8>]| request.concat();
        let browser = with(&[frame(1, 5, 30), frame(2, 0, 5), frame(8, 0, 4), frame(8, 0, 4)]);
        assert_eq!(borne(&mut begun(), &browser), None);
        let mut glitches = begun();
        let acknowledges = with(&[frame(8, 0, 4), frame(8, 0, 4), frame(6, 0, 8)]);
        for _ in 0..100_000 {
            glitches.sent(50);
            assert_eq!(glitches.see(&acknowledges, BEGAN), None);
        }
        // Eight of them for a piece of 16 KiB.
        for _ in 0..100_000 {
            glitches.sent(16 * 1_024);
            assert_eq!(glitches.see(&frame(8, 0, 4).repeat(8), BEGAN), None);
        }
    }

    #[test]
    fn content_may_be_acknowledged_long_after_it_was_sent() {
        let mut glitches = begun();
        for _ in 0..256 {
            glitches.sent(16 * 1_024);
        }
        let late = borne(&mut glitches, &frame(8, 0, 4));
        assert!(late.is_some_and(|borne| borne > 2 * 1_024), "{late:?}");
    }

    #[test]
    fn one_in_ten_answers_may_be_given_up() {
        let mut glitches = begun();
        for _ in 0..10_000 {
            (0..10).for_each(|_| glitches.sent(100));
            assert_eq!(glitches.see(&frame(3, 0, 4), BEGAN), None);
        }
    }

    #[test]
    fn a_request_does_not_pay_for_its_own_end() {
        let rapid = [frame(1, 5, 30), frame(3, 0, 4)].concat();
        assert_eq!(borne(&mut begun(), &rapid), Some(200));
    }

    #[test]
    fn it_does_not_matter_how_the_bytes_are_split() {
        let mut all = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        for count in 0..21 {
            all.extend(frame(1, 5, 10 + count));
            all.extend(frame(4, 0, 6));
        }
        for piece in [1, 2, 7, 9, 10, 64, all.len()] {
            let mut glitches = Glitches::new(BEGAN);
            let mut seen = all.chunks(piece).filter_map(|piece| glitches.see(piece, BEGAN));
            assert_eq!(seen.next(), Some(Glitch::Settings), "{piece}");
            assert_eq!(seen.next(), None);
        }
    }
}

//! Names that are drawn: of this process, by which a request is recognised that comes round to it, and of requests.
//!
//! Invariants: a process has one name for life, all its threads use it · no two requests have the same, of whatever thread
//! or process: a thread draws 64 bits and counts on. Neither is a secret.

use std::cell::Cell;

use rand::RngExt;
use remora_h1::Version;

/// The name of a process, as other proxies see it in `Via`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessName(u64);

impl ProcessName {
    /// A name that nobody has.
    pub(crate) fn draw() -> Self {
        Self(rand::rng().random())
    }
}

/// Names for the requests of one thread.
pub(crate) struct Naming {
    process: String,
    /// `Via` for requests over HTTP/1.1, 1.0 and 2.
    via: [String; 3],
    drawn: u64,
    next: Cell<u64>,
}

impl Naming {
    /// Nothing is named yet.
    pub(crate) fn new(process: ProcessName) -> Self {
        let name = format!("remora-{:016x}", process.0);
        Self {
            via: ["1.1", "1.0", "2"].map(|version| format!("{version} {name}")),
            process: name,
            drawn: rand::rng().random(),
            next: Cell::new(0),
        }
    }

    /// The name of the process.
    pub(crate) fn process(&self) -> &str {
        &self.process
    }

    /// What an upstream is told of us in `Via`.
    pub(crate) fn via(&self, version: Version) -> &str {
        match version {
            Version::Http11 => &self.via[0],
            Version::Http10 => &self.via[1],
            Version::Http2 => &self.via[2],
        }
    }

    /// A request's name that no other has.
    pub(crate) fn request(&self) -> RequestId {
        let number = self.next.get();
        self.next.set(number + 1);
        RequestId::of(self.drawn, number)
    }
}

/// Hexadecimal digits of a number of 64 bits.
const DIGITS: usize = 16;
/// Bits of one of them.
const DIGIT_BITS: u32 = 4;
/// Bytes of the longest name of a request: what its thread has drawn, a hyphen, its number.
const REQUEST_ID_BYTES: usize = 2 * DIGITS + 1;

/// The name of a request, which needs no memory beside its own.
#[derive(Clone, Copy)]
pub(crate) struct RequestId {
    text: [u8; REQUEST_ID_BYTES],
    length: usize,
}

impl RequestId {
    /// All digits of what was drawn, and those of the number from its first on that is not zero.
    fn of(drawn: u64, number: u64) -> Self {
        let mut id = Self {
            text: [b'-'; REQUEST_ID_BYTES],
            length: DIGITS,
        };
        write_digits(&mut id.text[..DIGITS], drawn);
        let bits = u64::BITS - number.leading_zeros();
        let digits = usize::try_from(bits.div_ceil(DIGIT_BITS)).map_or(DIGITS, |digits| digits.max(1));
        id.length += 1 + digits;
        write_digits(&mut id.text[DIGITS + 1..id.length], number);
        id
    }

    /// As it is logged and told.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..self.length]).unwrap_or_default()
    }
}

/// Fills the places with the last digits of a number.
fn write_digits(places: &mut [u8], mut number: u64) {
    for place in places.iter_mut().rev() {
        *place = b"0123456789abcdef"[usize::from(number.to_le_bytes()[0] & 0x0f)];
        number >>= DIGIT_BITS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_its_thread_has_drawn_and_a_number() {
        for (drawn, number) in [
            (0, 0),
            (7, 1),
            (u64::MAX, u64::MAX),
            (0xab << 32, 0x10),
            (1 << 63, 1 << 60),
        ] {
            let expected = format!("{drawn:016x}-{number:x}");
            assert_eq!(RequestId::of(drawn, number).as_str(), expected);
        }
        let naming = Naming::new(ProcessName::draw());
        let (first, second) = (naming.request(), naming.request());
        assert!(first.as_str().ends_with("-0") && second.as_str().ends_with("-1"));
        let cost = allocation_counter::measure(|| assert_eq!(naming.request().length, DIGITS + 2));
        assert_eq!(cost.count_total, 0);
    }
}

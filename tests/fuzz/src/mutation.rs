//! Changes of examples: one to a few of them at a time, each of a kind that breaks decoders.
//!
//! A bit turned, a number set to an end of its range, a length that is nearly right, a piece cut, doubled, moved or taken
//! from another example, a word of the decoder's own. Invariant: what comes depends on the seed and the examples alone, and
//! is no longer than the bound. Left out: checksums, which the harness makes good.

/// Most changes of one input: many small steps find more than few large ones, and an input of rubbish finds nothing.
const CHANGES_MAX: u64 = 4;

/// Ends of ranges, as 64 bits of which a number takes the lowest.
const ENDS: &[u64] = &[
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x10_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// Numbers that follow from a seed. Any good mixing does; this is SplitMix64.
#[derive(Debug)]
pub struct Draw(u64);

impl Draw {
    /// From this seed on.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one, of 64 bits.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let drawn = self.number().checked_rem(bound as u64).unwrap_or_default();
        usize::try_from(drawn).unwrap_or_default()
    }
}

/// Makes inputs of examples.
#[derive(Debug)]
pub(crate) struct Mutator {
    draw: Draw,
    words: Vec<Vec<u8>>,
    bytes_max: usize,
}

impl Mutator {
    /// With the decoder's own words, for inputs of at most so many bytes.
    pub(crate) fn new(draw: Draw, words: Vec<Vec<u8>>, bytes_max: usize) -> Self {
        Self {
            draw,
            words,
            bytes_max,
        }
    }

    /// The next input; one of the examples, changed.
    pub(crate) fn next(&mut self, examples: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.one_of(examples);
        let changes = 1 + self.draw.number() % CHANGES_MAX;
        for _ in 0..changes {
            self.change(&mut input, examples);
        }
        input.truncate(self.bytes_max);
        input
    }

    fn one_of(&mut self, from: &[Vec<u8>]) -> Vec<u8> {
        let drawn = self.draw.below(from.len());
        from.get(drawn).cloned().unwrap_or_default()
    }

    fn change(&mut self, input: &mut Vec<u8>, examples: &[Vec<u8>]) {
        match self.draw.below(9) {
            0 => self.turn_bit(input),
            1 => {
                let at = self.draw.below(input.len());
                let byte = self.draw.number().to_le_bytes()[0];
                if let Some(place) = input.get_mut(at) {
                    *place = byte;
                }
            }
            2 => self.set_number(input),
            3 => self.shift_number(input),
            4 => input.truncate(self.draw.below(input.len() + 1)),
            5 => {
                let piece = self.piece(input);
                input.drain(piece);
            }
            6 => {
                let piece = self.piece(input);
                let doubled = input[piece].to_vec();
                self.put_in(input, doubled);
            }
            7 => {
                let other = self.one_of(examples);
                let piece = self.piece(&other);
                self.put_in(input, other[piece].to_vec());
            }
            _ => {
                let words = std::mem::take(&mut self.words);
                let word = self.one_of(&words);
                self.words = words;
                self.put_in(input, word);
            }
        }
    }

    fn turn_bit(&mut self, input: &mut [u8]) {
        let at = self.draw.below(input.len());
        let bit = self.draw.below(8);
        if let Some(place) = input.get_mut(at) {
            *place ^= 1 << bit;
        }
    }

    /// A number of one to eight bytes, at an end of its range.
    fn set_number(&mut self, input: &mut [u8]) {
        let end = ENDS[self.draw.below(ENDS.len())];
        let width = 1 << self.draw.below(4);
        self.overwrite(input, &end.to_le_bytes()[..width]);
    }

    /// A small number that becomes a little larger or smaller, as a count that is nearly right.
    fn shift_number(&mut self, input: &mut [u8]) {
        let at = self.draw.below(input.len());
        let by = self.draw.below(9).to_le_bytes()[0];
        if let Some(place) = input.get_mut(at) {
            *place = place.wrapping_add(by).wrapping_sub(4);
        }
    }

    fn overwrite(&mut self, input: &mut [u8], bytes: &[u8]) {
        let room = (input.len() + 1).saturating_sub(bytes.len());
        let at = self.draw.below(room);
        if let Some(place) = input.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn piece(&mut self, of: &[u8]) -> std::ops::Range<usize> {
        let begin = self.draw.below(of.len() + 1);
        // Mostly short ones: a field, a record.
        let longest = (of.len() - begin).min(1 << self.draw.below(12));
        begin..begin + self.draw.below(longest + 1)
    }

    fn put_in(&mut self, input: &mut Vec<u8>, piece: Vec<u8>) {
        let at = self.draw.below(input.len() + 1);
        input.splice(at..at, piece);
    }
}

//! Bytes that nobody of ours wrote, for everything of ours that reads bytes.
//!
//! A [`Target`] is a decoder with examples of what it takes. A run changes the examples again and again (`mutation`) and
//! hands each change to the harness, a closure that decodes it, asserts what must hold of what was accepted, and says in a
//! word what came of it. Bytes with a new word become examples themselves, so that the run works its way into a decoder
//! by its own answers. A panic ends it with the bytes, as a literal that can be made an example; so does memory beyond what
//! the target allows for its input.
//!
//! Seeded, so a run with the same examples repeats to the byte: [`USUAL_ROUNDS`] changes in a usual test, and for as long as
//! `REMORA_FUZZ_SECONDS` says, with another seed each time (or the one of `REMORA_FUZZ_SEED`), in a soak.
//!
//! Why not libFuzzer: nearly all that we read stands behind a checksum, which a harness must make good after each
//! change, or nothing behind it is reached. What is left is small, private to its crate, and answers with its own
//! reasons, which guide as well as edges do; and the same tests run everywhere, without a second build of everything.
//! Left out on purpose: time limits; decoders of ours do work in proportion to their input, and a run that hangs is seen.

mod mutation;

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mutation::Mutator;

pub use mutation::Draw;

/// Changes of a usual run unless a target says otherwise: about a second in a build without optimization.
pub const USUAL_ROUNDS: u64 = 10_000;

/// Most examples that are kept, so that a decoder whose words never end cannot fill the memory.
const EXAMPLES_MAX: usize = 1_024;

/// Longest input in bytes unless a target says otherwise: a few pages, so that rounds are quick.
const INPUT_BYTES_MAX: usize = 16 * 1024;

/// Most of an input that is shown when it breaks something, in bytes.
const SHOWN_BYTES_MAX: usize = 4 * 1024;

/// What an input may cost unless a target says otherwise: bytes held at once for each of its bytes, and beside them. A list
/// of small things takes more as values than it takes in writing.
const MEMORY: (usize, usize) = (64, 64 * 1024);

/// A decoder that any bytes may be given to.
#[derive(Debug)]
pub struct Target {
    name: &'static str,
    examples: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
    usual_rounds: u64,
    input_bytes_max: usize,
    memory: (usize, usize),
}

impl Target {
    /// The decoder of that name, for people.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            examples: Vec::new(),
            words: Vec::new(),
            usual_rounds: USUAL_ROUNDS,
            input_bytes_max: INPUT_BYTES_MAX,
            memory: MEMORY,
        }
    }

    /// Bytes that the decoder takes, or that broke it once.
    #[must_use]
    pub fn example(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.examples.push(bytes.into());
        self
    }

    /// Several of them.
    #[must_use]
    pub fn examples(self, several: impl IntoIterator<Item = Vec<u8>>) -> Self {
        several.into_iter().fold(self, Self::example)
    }

    /// The bytes of each fixture in `formats/` whose name begins so, as `1/proposal-`.
    ///
    /// # Panics
    /// When there is none: a fixture was renamed.
    #[must_use]
    pub fn fixtures(mut self, prefix: &str) -> Self {
        let formats = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../formats");
        let (directory, begin) = prefix.rsplit_once('/').unwrap_or(("", prefix));
        let entries = std::fs::read_dir(formats.join(directory)).expect("the fixtures can be listed");
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        let before = self.examples.len();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(begin) && name.ends_with(".hex") {
                let text = std::fs::read_to_string(&path).expect("a fixture can be read");
                self.examples.push(undump(&text));
            }
        }
        assert!(self.examples.len() > before, "no fixture is called {prefix}*");
        self
    }

    /// Text that means something to the decoder and is put into inputs whole.
    #[must_use]
    pub fn words(mut self, words: &[&str]) -> Self {
        self.words
            .extend(words.iter().map(|word| word.as_bytes().to_vec()));
        self
    }

    /// Changes of a usual run, for a decoder that takes longer over each.
    #[must_use]
    pub fn usual_rounds(mut self, rounds: u64) -> Self {
        self.usual_rounds = rounds;
        self
    }

    /// Longest input, in bytes.
    #[must_use]
    pub fn input_bytes_max(mut self, bytes: usize) -> Self {
        self.input_bytes_max = bytes;
        self
    }

    /// What an input may cost: bytes held at once for each of its bytes, and beside them.
    #[must_use]
    pub fn memory(mut self, for_each_byte: usize, beside: usize) -> Self {
        self.memory = (for_each_byte, beside);
        self
    }

    /// Hands change after change to the harness. It says what came of one, without positions and lengths, which would make a
    /// new word of nearly every input.
    ///
    /// # Panics
    /// When the harness does, or when an input took more memory than the target allows: with the bytes.
    pub fn run(self, harness: impl FnMut(&[u8]) -> String) {
        let seconds = number("REMORA_FUZZ_SECONDS");
        let seed = match (number("REMORA_FUZZ_SEED"), seconds) {
            (Some(seed), _) => seed,
            (None, Some(_)) => RandomState::new().hash_one(self.name),
            (None, None) => 0,
        };
        let usual_rounds = self.usual_rounds;
        let mut run = FuzzRun::new(self, seed, harness);
        let began = Instant::now();
        let goes_on = |rounds: u64| match seconds {
            Some(seconds) => began.elapsed() < Duration::from_secs(seconds),
            None => rounds < usual_rounds,
        };
        run.examples();
        let mut rounds = 0;
        while goes_on(rounds) {
            run.round();
            rounds += 1;
        }
        tell(&format!(
            "{}: {rounds} inputs, {} different answers, seed {seed}",
            run.target.name,
            run.heard.len()
        ));
    }
}

#[allow(clippy::print_stderr, reason = "shown with --nocapture, and in a soak")]
fn tell(text: &str) {
    eprintln!("{text}");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A target under way.
struct FuzzRun<H> {
    target: Target,
    seed: u64,
    mutator: Mutator,
    heard: BTreeSet<String>,
    harness: H,
}

impl<H: FnMut(&[u8]) -> String> FuzzRun<H> {
    fn new(target: Target, seed: u64, harness: H) -> Self {
        let mutator = Mutator::new(Draw::new(seed), target.words.clone(), target.input_bytes_max);
        Self {
            target,
            seed,
            mutator,
            heard: BTreeSet::new(),
            harness,
        }
    }

    /// The examples themselves, and nothing at all.
    fn examples(&mut self) {
        self.target.examples.push(Vec::new());
        for example in self.target.examples.clone() {
            let word = self.try_out(&example);
            self.heard.insert(word);
        }
    }

    fn round(&mut self) {
        let input = self.mutator.next(&self.target.examples);
        let word = self.try_out(&input);
        if self.heard.len() < EXAMPLES_MAX && self.heard.insert(word) {
            self.target.examples.push(input);
        }
    }

    /// One input; gives the word.
    fn try_out(&mut self, input: &[u8]) -> String {
        let mut said = Ok(String::new());
        let harness = &mut self.harness;
        let cost = allocation_counter::measure(|| {
            said = catch_unwind(AssertUnwindSafe(|| harness(input)));
        });
        let (for_each_byte, beside) = self.target.memory;
        let allowed = input.len() * for_each_byte + beside;
        match said {
            Err(panic) => {
                tell(&self.story("broken", input));
                resume_unwind(panic)
            }
            Ok(word) => {
                assert!(
                    cost.bytes_max <= allowed as u64,
                    "{}",
                    self.story(
                        &format!("{} bytes held, {allowed} allowed", cost.bytes_max),
                        input
                    )
                );
                word
            }
        }
    }

    fn story(&self, what: &str, input: &[u8]) -> String {
        let shown = &input[..input.len().min(SHOWN_BYTES_MAX)];
        format!(
            "{}: {what} with seed {} by {} bytes: b\"{}\"",
            self.target.name,
            self.seed,
            input.len(),
            shown.escape_ascii()
        )
    }
}

/// The bytes of a dump: offset, sixteen bytes in hexadecimal, the same as text.
fn undump(text: &str) -> Vec<u8> {
    let digits = text
        .lines()
        .filter_map(|line| line.get(10..57))
        .flat_map(str::split_whitespace);
    digits
        .map(|digits| u8::from_str_radix(digits, 16).expect("a dump holds hexadecimal digits"))
        .collect()
}

#[cfg(test)]
mod tests;

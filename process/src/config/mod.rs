//! Strict configuration files: TOML into serde types, every fault named with file, line and key, all in one report.
//!
//! The types that are loaded say `#[serde(deny_unknown_fields)]`; an unknown key or variant is then reported with the
//! nearest known one. serde stops at the first fault, so the reader takes the faulty entry out and looks again until
//! nothing new is found: what one start reports, one edit can cure.
//!
//! What a type cannot express (two routes alike, a pool without members) the server checks afterwards; wrap such
//! values in [`Spanned`] and report them with [`Source::fault`], so that they carry a line as well.
//!
//! Left out on purpose: includes, environment substitution, defaults (they belong to the server's types).

mod period;
mod prune;

use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
pub use toml::Spanned;
use toml::de::{DeTable, Deserializer};

pub use period::Period;

/// How many faults one report names at most: more would scroll the first off the screen.
const FAULTS_MAX: usize = 20;

/// How far a name may be from a known one, in Jaro-Winkler similarity, to be suggested.
const SUGGESTION_SIMILARITY_MIN: f64 = 0.75;

/// Bytes of a digest that are shown. 6: twelve digits are read at a glance, and no two versions of a file share them.
const FINGERPRINT_BYTES: usize = 6;

/// A configuration file that was read, with its name for reports.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    text: String,
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `file:line`, or the flag or file when there is no line.
    pub place: String,
    /// A sentence that says what is wrong and what to do.
    pub message: String,
}

/// All that is wrong with a configuration; never empty when returned as an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Source {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Source, Faults> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Source { name, text }),
            Err(error) => Err(Faults::one(&name, format!("cannot be read: {error}"))),
        }
    }

    /// Text that is in memory already, under the name that reports give it.
    pub fn from_text(name: &str, text: &str) -> Source {
        Source {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Which text it is, for people who compare: the first digits of its SHA-256, as `sha256sum` tells them of a file.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(&self.text);
        let bytes = &digest[..FINGERPRINT_BYTES];
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The values, or every fault that was found.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Faults> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        if !errors.is_empty() {
            let faults = errors
                .iter()
                .map(|error| self.located(error.span(), error.message().to_owned()));
            return Err(Faults(faults.take(FAULTS_MAX).collect()));
        }
        let mut faults = Vec::new();
        let mut removed = Vec::new();
        let mut left = table;
        while faults.len() < FAULTS_MAX {
            let error = match T::deserialize(Deserializer::from(left.clone())) {
                Ok(value) if faults.is_empty() => return Ok(value),
                Ok(_) => break,
                Err(error) => error,
            };
            let span = error.span().filter(|span| *span != left.span());
            let pruned = span.and_then(|span| prune::remove(left.get_mut(), &span));
            let (message, meant) = sentence(error.message());
            if !caused_by(error.message(), &removed) {
                let message = match &pruned {
                    Some(path) => format!("{path}: {message}"),
                    None => message,
                };
                faults.push(self.located(error.span(), message));
            }
            let Some(path) = pruned else { break };
            removed.extend(path.rsplit('.').next().map(str::to_owned));
            removed.extend(meant);
        }
        Err(Faults(faults))
    }

    /// A fault at a place in this file, as [`Spanned::span`] gives it.
    pub fn fault(&self, span: Range<usize>, message: impl Into<String>) -> Fault {
        self.located(Some(span), message.into())
    }

    fn located(&self, span: Option<Range<usize>>, message: String) -> Fault {
        let place = match span.and_then(|span| self.text.get(..span.start)) {
            Some(before) => format!("{}:{}", self.name, before.matches('\n').count() + 1),
            None => self.name.clone(),
        };
        Fault { place, message }
    }
}

/// Reads and parses a file: [`Source::read`], then [`Source::parse`].
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, Faults> {
    Source::read(path)?.parse()
}

/// The known name that somebody may have meant, if one is near enough.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= SUGGESTION_SIMILARITY_MIN)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}

impl Faults {
    /// A single fault.
    pub fn one(place: &str, message: impl Into<String>) -> Faults {
        Faults(vec![Fault {
            place: place.to_owned(),
            message: message.into(),
        }])
    }

    /// The value when nothing was found, all faults otherwise.
    pub fn or<T>(self, value: T) -> Result<T, Faults> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [fault] = self.0.as_slice() {
            return fault.fmt(f);
        }
        write!(f, "{} faults in the configuration", self.0.len())?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for Faults {}

/// serde's message about an unknown name as a sentence, with the name that was probably meant; other messages as they
/// are.
fn sentence(message: &str) -> (String, Option<String>) {
    let first_line = message.lines().next().unwrap_or(message);
    let kind = match first_line.split_once('`').map(|(before, _)| before) {
        Some("unknown field ") => "key",
        Some("unknown variant ") => "value",
        _ => return (first_line.to_owned(), None),
    };
    let mut names = first_line.split('`').skip(1).step_by(2);
    let unknown = names.next().unwrap_or_default();
    let known: Vec<&str> = names.collect();
    let meant = nearest(unknown, known.iter().copied());
    let sentence = match meant {
        Some(meant) => format!("unknown {kind} `{unknown}`; did you mean `{meant}`?"),
        None if known.is_empty() => format!("unknown {kind} `{unknown}`; no {kind} is known here"),
        None => format!("unknown {kind} `{unknown}`; known here: {}", known.join(", ")),
    };
    (sentence, meant.map(str::to_owned))
}

/// Whether a message complains that a key is missing which an earlier fault took out or which was misspelt.
fn caused_by(message: &str, removed: &[String]) -> bool {
    let missing = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next());
    missing.is_some_and(|missing| removed.iter().any(|name| name == missing))
}

#[cfg(test)]
mod tests;

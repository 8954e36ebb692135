//! Why a question has no answer, or what was asked was not done, as one sentence.

use std::fmt;

/// Why something was not answered, or not done.
#[derive(Debug)]
pub enum Failure {
    /// Refused, unreachable or not found.
    Refused(String),
    /// It is against what holds, and nothing was done.
    Against(String),
    /// What was named is not there.
    Missing(String),
    /// The store is of an earlier release and does not know what was asked.
    Older(String),
    /// Whoever asks does not say what is needed: nobody is named, or at what can be no address.
    Usage(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Failure::Refused(sentence)
        | Failure::Against(sentence)
        | Failure::Missing(sentence)
        | Failure::Older(sentence)
        | Failure::Usage(sentence)) = self;
        formatter.write_str(sentence)
    }
}

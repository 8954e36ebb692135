//! Why a command was not done, as one sentence and an exit code that scripts can rely on.

use std::fmt;

/// Why a command was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Refused, unreachable or not found.
    Refused(String),
    /// What was named is not there.
    Missing(String),
    /// The store is of an earlier release and does not know what was asked.
    Older(String),
    /// The command line does not say what is needed.
    Usage(String),
}

impl Failure {
    /// 2 for usage, 1 for all else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Refused(_) | Failure::Missing(_) | Failure::Older(_) => 1,
            Failure::Usage(_) => 2,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Failure::Refused(sentence)
        | Failure::Missing(sentence)
        | Failure::Older(sentence)
        | Failure::Usage(sentence)) = self;
        formatter.write_str(sentence)
    }
}

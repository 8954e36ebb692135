//! Why a command was not done, as one sentence and an exit code that scripts can rely on.

use std::fmt;

/// Why a command was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Refused, unreachable or not found.
    Refused(String),
    /// The command line does not say what is needed.
    Usage(String),
}

impl Failure {
    /// 1 for what was refused, 2 for usage.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Refused(_) => 1,
            Failure::Usage(_) => 2,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Failure::Refused(sentence) | Failure::Usage(sentence)) = self;
        formatter.write_str(sentence)
    }
}

//! Why a command was not done: a sentence, and an exit code that scripts can rely on.

pub(crate) use remora_overview::Failure;

/// 2 for usage, 1 for all else.
pub(crate) fn exit_code(failure: &Failure) -> u8 {
    match failure {
        Failure::Refused(_) | Failure::Against(_) | Failure::Missing(_) | Failure::Older(_) => 1,
        Failure::Usage(_) => 2,
    }
}

//! Claims about the checks.

//! Claims about the directory.

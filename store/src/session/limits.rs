//! What is refused before it is proposed.

use super::command::Proposal;
use super::reader::TableReader;

/// A limit that a proposal breaks, as a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// A field is missing, malformed or out of range: do not repeat.
    #[error("{0}")]
    Malformed(String),
    /// The session or an attribute is over its limit: do not repeat.
    #[error("{0}")]
    TooLarge(String),
    /// The node's session or byte limit is reached: try again later.
    #[error("{0}")]
    Full(String),
}

/// The limits of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attribute names and values and the login of one session, in bytes.
    pub session_bytes_max: u64,
    /// Attributes of one session.
    pub attributes_max: u32,
    /// Live sessions in the table; only new sessions are refused above it.
    pub sessions_max: u64,
    /// Bytes of all sessions in the table; new sessions are refused above it, and growing saves above 110 % of it.
    pub table_bytes_max: u64,
}

impl Limits {
    /// Checks a proposal by itself and against what the table holds now.
    pub fn check(&self, _proposal: &Proposal, _table: &TableReader) -> Result<(), LimitError> {
        todo!()
    }
}

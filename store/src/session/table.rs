//! The writer of the table.

use super::command::Proposal;
use super::outcome::{Event, Outcome};
use super::reader::TableReader;
use super::types::Stamp;

/// The table's one writer; owned by whoever applies the log.
#[derive(Debug)]
pub struct SessionTable {}

/// The whole table at one point of the log.
#[derive(Clone, Debug)]
pub struct TableImage {}

impl SessionTable {
    /// An empty table at time 0.
    #[allow(clippy::new_without_default, reason = "temporary, for a quarter of an hour")]
    pub fn new() -> Self {
        todo!()
    }

    /// Moves table time. Once per log entry, before its proposals.
    pub fn begin_entry(&mut self, _stamp: Stamp) {
        todo!()
    }

    /// Applies one proposal. What owners must be told is appended to `events`.
    pub fn apply(&mut self, _proposal: &Proposal, _events: &mut Vec<Event>) -> Outcome {
        todo!()
    }

    /// A reader of this table; readers survive [`SessionTable::restore`].
    pub fn reader(&self) -> TableReader {
        todo!()
    }

    /// The table as it is now: only counts references, so the pause is short.
    pub fn image(&self) -> TableImage {
        todo!()
    }

    /// Replaces everything by an image.
    pub fn restore(&mut self, _image: TableImage) {
        todo!()
    }
}

//! The session table: what a session record is, and every rule by which commands change it.

mod codec;
mod command;
mod formats;
mod image;
mod limits;
mod merge;
mod names;
mod outcome;
mod reader;
mod repeat;
mod rules;
mod slot;
mod table;
mod types;

pub use codec::{CodecError, Entry, EntryBuilder, ImageDecoder, decode_proposal, encode_proposal};
pub use command::{
    Announcement, Command, KILLED_MAX, Killed, Proposal, RemoveReason, SWEPT_MAX, Save, TOUCHED_MAX, Touched,
};
pub use formats::{ClusterFormat, Format, Formats, MemberFormats, Ready};
pub use image::TableImage;
pub use limits::{LimitError, Limits};
pub use outcome::{Checked, Event, EventKind, Merged, Outcome, Saved};
pub use reader::{ListFilter, RegisteredServer, TableReader};
pub use table::{ENTRY_ADDS_MAX_MS, SessionTable};
pub use types::{
    Attribute, Epoch, KEY_BYTES, Label, LocalAttribute, Login, Owner, RequestId, Session, SessionKey, Stamp,
    TableTime, Version,
};

#[cfg(test)]
mod tests;

//! What is refused before it is proposed: nothing happened, and the asker is told in a sentence.
//!
//! Checked against the table as it is now. Commands that are under way may move the table past a limit by what is in
//! flight; for the node that is bounded by the proposer's queue, for one session by what the table itself never exceeds
//! ([`Outcome::TooLarge`](super::Outcome::TooLarge)), because these limits may differ between nodes and replicas must
//! agree. New sessions are refused before saves of existing ones: who is logged in stays logged in. A session that is
//! over a limit, because the limit was lowered, may shrink.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::command::{Announcement, Command, Proposal, Save};
use super::labels::LABEL_BYTES;
use super::reader::TableReader;
use super::registry::Wish;
use super::slot::SLOT_BYTES;
use super::types::{Attribute, Epoch, Label, LocalAttribute, Session};

/// Application servers in the registry: far above any pool. New names are refused at it, or a client that makes them up
/// would fill every node and every answer of the registry.
const SERVERS_MAX: usize = 1_024;
/// What all of them may take in a message, in bytes: half of what a message may, so that an answer that lists them has room
/// to say how they fare. Two kilobytes for each of the thousand, which is fifty applications.
const SERVERS_BYTES_MAX: usize = 2 << 20;
/// Wishes of operators that are kept: one for each server that there may be.
const WISHES_MAX: usize = 1_024;
/// What all of them may take in a message, in bytes: some thirty of the largest pages, or all of a thousand drains.
const WISHES_BYTES_MAX: usize = 2 << 20;
/// What a wish may say, in bytes, however little room the disks leave: all that is no page.
const WISH_FITS_BYTES: usize = 1_024;

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

/// What room the disks of the nodes leave, the worst of those that answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Enough.
    #[default]
    Ample,
    /// Too little for the next table image: what exists goes on, and nothing grows.
    Short,
    /// Only the reserve is left, which is for what makes nothing larger.
    Reserve,
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
    /// Bytes of all sessions in the table, with a fixed part for each and its labels and for what remains of removed ones; new sessions are
    /// refused above it, and growing saves above 110 % of it.
    pub table_bytes_max: u64,
}

/// What of a session is limited.
#[derive(Clone, Copy)]
struct Size {
    bytes: u64,
    attributes: usize,
}

impl Size {
    fn of(session: Option<&Session>) -> Self {
        Self {
            bytes: session.map_or(0, Session::bytes),
            attributes: session.map_or(0, |session| session.attributes.len() + session.local.len()),
        }
    }
}

/// The part of a node's bytes that leavers may take.
const LEAVERS_PART: u64 = 20;

impl Limits {
    /// What leavers may count, in bytes: 5 % of what the table may.
    pub fn leavers_bytes_max(&self) -> u64 {
        self.table_bytes_max / LEAVERS_PART
    }

    /// Checks a proposal by itself, against what the table holds now, and against the room that is left.
    ///
    /// # Errors
    /// The first limit that it breaks.
    pub fn check(&self, proposal: &Proposal, table: &TableReader, room: Room) -> Result<(), LimitError> {
        match &proposal.command {
            Command::Save(save) => self.check_save(save, table, room),
            // What ends sessions makes room, and without a claim nobody could be served at all. A touch makes nothing larger and
            // is some fifty bytes a session, once in a while: without it who only reads would expire while the disk stays full.
            Command::Claim { .. }
            | Command::Touch { .. }
            | Command::Remove { .. }
            | Command::Kill { .. }
            | Command::Release { .. }
            | Command::Retire
            | Command::RetireNode { .. }
            | Command::Sweep { .. }
            | Command::Bury(_)
            | Command::Tick => Ok(()),
            Command::Announce(said) => check_announcement(&proposal.node, said, table, room),
            Command::Wish { wish, .. } => check_wish(wish, table, room),
            _ if room == Room::Reserve => Err(no_room("what ends no session")),
            _ => Ok(()),
        }
    }

    fn check_save(&self, save: &Save, table: &TableReader, room: Room) -> Result<(), LimitError> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for name in save.names() {
            if !names.insert(name) {
                return Err(LimitError::Malformed(format!(
                    "attribute {name:?} is named twice: name each once"
                )));
            }
        }
        let present = table.standing(&save.session);
        let before = Size::of(present.as_deref());
        let mut after = before;
        after.bytes += save.changed.iter().map(Attribute::bytes).sum::<u64>();
        after.bytes += save.local.iter().map(LocalAttribute::bytes).sum::<u64>();
        after.attributes += save.changed.len() + save.local.len();
        for replaced in names.iter().filter_map(|name| present.as_ref()?.counted(name)) {
            after.bytes -= replaced;
            after.attributes -= 1;
        }
        if let Some(labels) = &save.labels {
            let replaced = present
                .iter()
                .flat_map(|session| &session.labels)
                .map(Label::bytes)
                .sum::<u64>();
            after.bytes = after.bytes + labels.iter().map(Label::bytes).sum::<u64>() - replaced;
        }
        if let Some(login) = &save.login {
            let replaced = present.as_ref().and_then(|session| session.login.as_ref());
            after.bytes = after.bytes + login.bytes() - replaced.map_or(0, |login| login.bytes());
        }
        self.check_session(save, before, after)?;
        let is_new = present.is_none() && save.epoch == Epoch(0);
        if present.is_none() && !is_new {
            // The session is gone, and that is what its owner must learn, however full the table is.
            return Ok(());
        }
        let growth = after.bytes.saturating_sub(before.bytes);
        match room {
            Room::Ample => {}
            _ if is_new => return Err(no_room("a new session")),
            _ if growth > 0 => return Err(no_room("a session that grows")),
            Room::Reserve if after.bytes == before.bytes => {
                return Err(no_room("a session that stays as large"));
            }
            Room::Short | Room::Reserve => {}
        }
        let labels = |labels: &[Label]| LABEL_BYTES * labels.len() as u64;
        let held = present.as_ref().map_or(0, |session| labels(&session.labels));
        let found_by = save.labels.as_deref().map_or(held, labels).saturating_sub(held);
        self.check_table(table, is_new, growth + found_by)
    }

    fn check_session(&self, save: &Save, before: Size, after: Size) -> Result<(), LimitError> {
        let Size { bytes, attributes } = after;
        if bytes > self.session_bytes_max && bytes >= before.bytes {
            let largest = save.changed.iter().max_by_key(|attribute| attribute.bytes());
            let largest = largest.map_or(String::new(), |attribute| {
                format!(
                    "; the largest of this save is {:?} with {} bytes",
                    attribute.name,
                    attribute.bytes()
                )
            });
            return Err(LimitError::TooLarge(format!(
                "the session would hold {bytes} bytes and may hold {}{largest}: keep less in it, or raise \
                 session-bytes-max on every node",
                self.session_bytes_max
            )));
        }
        let attributes_max = usize::try_from(self.attributes_max).unwrap_or(usize::MAX);
        if attributes > attributes_max && attributes >= before.attributes {
            return Err(LimitError::TooLarge(format!(
                "the session would hold {attributes} attributes and may hold {}: keep fewer, or raise attributes-max \
                 on every node",
                self.attributes_max
            )));
        }
        Ok(())
    }

    fn check_table(&self, table: &TableReader, is_new: bool, growth: u64) -> Result<(), LimitError> {
        if is_new && table.sessions() >= self.sessions_max {
            return Err(LimitError::Full(format!(
                "the store holds {} sessions, its limit: sessions that exist go on, new ones wait until some expire, or \
                 until sessions-max is raised on every node",
                table.sessions()
            )));
        }
        // Who is logged in may still grow a little when newcomers are refused already.
        let (slack, slot) = if is_new {
            (0, SLOT_BYTES)
        } else {
            (self.table_bytes_max / 10, 0)
        };
        let weight = table.weight();
        if growth + slot > 0 && weight + growth + slot > self.table_bytes_max + slack {
            return Err(LimitError::Full(format!(
                "the store holds {weight} bytes of sessions and of what remains of removed ones, at its limit of {}: wait \
                 until some expire, or raise bytes-max on every node",
                self.table_bytes_max
            )));
        }
        Ok(())
    }
}

fn no_room(what: &str) -> LimitError {
    LimitError::Full(format!(
        "the disk of a store node is nearly full and has no room for {what}; sessions can still be claimed, read and ended. \
         Free space where the data directories are, or wait until sessions expire"
    ))
}

/// Who runs under a name that is known has a place already, also on the reserve: it comes back with another instance, and
/// nobody would find it.
fn check_announcement(
    node: &Arc<str>,
    said: &Announcement,
    table: &TableReader,
    room: Room,
) -> Result<(), LimitError> {
    let registry = table.registered();
    let servers = registry.servers.len();
    let before = registry.servers.get(node).map(|entry| entry.bytes());
    if before.is_none() && room == Room::Reserve {
        return Err(no_room("a new application server"));
    }
    if before.is_none() && servers >= SERVERS_MAX {
        return Err(LimitError::Full(format!(
            "the registry holds {servers} application servers, its limit: take out those that are gone for good with \
             remora applications retire NODE"
        )));
    }
    let (before, after) = (before.unwrap_or(0), said.bytes(node));
    let bytes = registry.server_bytes();
    if after > before && bytes - before + after > SERVERS_BYTES_MAX {
        return Err(LimitError::Full(format!(
            "the registry holds {bytes} bytes of application servers, at its limit of {SERVERS_BYTES_MAX}: take out those that \
             are gone for good with remora applications retire NODE, or give applications shorter names"
        )));
    }
    Ok(())
}

/// An operator can drain on a full disk, and take any wish back: only what makes the registry much larger is refused.
fn check_wish(wish: &Wish, table: &TableReader, room: Room) -> Result<(), LimitError> {
    if wish.is_taken_back() {
        return Ok(());
    }
    let registry = table.registered();
    let wishes = registry.standing_wishes().count();
    let before = registry.wishes.get(&wish.of);
    let before = before
        .filter(|wish| !wish.is_taken_back())
        .map(|wish| wish.bytes());
    if room != Room::Ample && wish.said.len() > WISH_FITS_BYTES {
        return Err(no_room("a page of an operator"));
    }
    if before.is_none() && wishes >= WISHES_MAX {
        return Err(LimitError::Full(format!(
            "the store keeps {wishes} wishes of operators, its limit: take some back with remora upstreams undrain"
        )));
    }
    let (before, after) = (before.unwrap_or(0), wish.bytes());
    let bytes = registry.wish_bytes();
    if after > before && bytes - before + after > WISHES_BYTES_MAX {
        return Err(LimitError::Full(format!(
            "the store keeps {bytes} bytes of operators' wishes, at its limit of {WISHES_BYTES_MAX}: take some back, or use \
             smaller pages for maintenance"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod registry;
#[cfg(test)]
mod tests;

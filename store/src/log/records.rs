//! The bytes of the log's records, as the raft-log crate asks for them. Little-endian; a log id and a vote name their group.
//!
//! Invariants: what is read is checked before it is believed: the group, the kind, a length up to a bound, so that a
//! damaged one costs no memory. Whoever waits for a flush is told its end exactly once, also when the log's thread is gone.
//!
//! Left out: checksums, positions and files, which are the crate's; what a payload means, which `raft` and the table know.

use std::io::{self, Read, Write};

use bytes::Bytes;
use raft_log::codeq::{Decode, Encode};
use raft_log::{Callback, Types};

use super::types::{GROUP, LogId, Payload, Vote};

/// Longest payload that is believed, in bytes: a length beyond the largest entry that is ever packed is damage.
const PAYLOAD_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// Stands for "for nobody yet" in a vote; no node has this id.
const NOBODY: u64 = u64::MAX;

/// Group, term, index.
const LOG_ID_BYTES: usize = 4 + 2 * 8;

/// Group, term, whether it is committed, node.
const VOTE_BYTES: usize = 4 + 3 * 8;

const BLANK: u8 = 0;
const MEMBERSHIP: u8 = 1;
const NORMAL: u8 = 2;

/// The types of our log, as the crate wants to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Records;

impl Types for Records {
    type LogId = StoredLogId;
    type LogPayload = StoredPayload;
    type Vote = StoredVote;
    type Callback = Flushed;
    type UserData = String;

    fn log_index(log_id: &StoredLogId) -> u64 {
        log_id.0.index
    }

    fn payload_size(payload: &StoredPayload) -> u64 {
        payload.0.bytes()
    }
}

/// What is called on the log's thread when a flush ended, with none if it never will: the log's thread is gone.
pub(super) struct Flushed(Option<Done>);

type Done = Box<dyn FnOnce(Option<io::Result<()>>) + Send>;

impl Flushed {
    /// Calls `done` once, whatever becomes of the flush.
    pub(super) fn new(done: impl FnOnce(Option<io::Result<()>>) + Send + 'static) -> Self {
        Self(Some(Box::new(done)))
    }
}

impl Callback for Flushed {
    fn send(mut self, result: io::Result<()>) {
        if let Some(done) = self.0.take() {
            done(Some(result));
        }
    }
}

impl Drop for Flushed {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done(None);
        }
    }
}

/// A log id as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StoredLogId(pub(super) LogId);

/// A vote as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StoredVote(pub(super) Vote);

/// What an entry holds as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredPayload(pub(super) Payload);

impl Encode for StoredLogId {
    fn encode<W: Write>(&self, mut out: W) -> io::Result<usize> {
        let LogId { term, index } = self.0;
        write_group(&mut out)?;
        write_numbers(&mut out, &[term, index])?;
        Ok(LOG_ID_BYTES)
    }
}

impl Decode for StoredLogId {
    fn decode<R: Read>(mut input: R) -> io::Result<Self> {
        read_group(&mut input)?;
        let [term, index] = read_numbers(&mut input)?;
        Ok(Self(LogId { term, index }))
    }
}

impl Encode for StoredVote {
    fn encode<W: Write>(&self, mut out: W) -> io::Result<usize> {
        let Vote {
            term,
            committed,
            node,
        } = self.0;
        write_group(&mut out)?;
        write_numbers(&mut out, &[term, u64::from(committed), node.unwrap_or(NOBODY)])?;
        Ok(VOTE_BYTES)
    }
}

impl Decode for StoredVote {
    fn decode<R: Read>(mut input: R) -> io::Result<Self> {
        read_group(&mut input)?;
        let [term, committed, node] = read_numbers(&mut input)?;
        Ok(Self(Vote {
            term,
            committed: committed != 0,
            node: (node != NOBODY).then_some(node),
        }))
    }
}

impl Encode for StoredPayload {
    fn encode<W: Write>(&self, mut out: W) -> io::Result<usize> {
        const NONE: &[u8] = &[];
        let (kind, bytes) = match &self.0 {
            Payload::Blank => (BLANK, NONE),
            Payload::Membership(bytes) => (MEMBERSHIP, bytes.as_ref()),
            Payload::Normal(bytes) => (NORMAL, bytes.as_ref()),
        };
        let length = u32::try_from(bytes.len())
            .ok()
            .filter(|length| *length <= PAYLOAD_BYTES_MAX);
        let length = length.ok_or_else(|| invalid("an entry is larger than the log takes"))?;
        out.write_all(&[kind])?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(bytes)?;
        Ok(1 + 4 + bytes.len())
    }
}

impl Decode for StoredPayload {
    fn decode<R: Read>(mut input: R) -> io::Result<Self> {
        let mut head = [0; 5];
        input.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let length = u32::from_le_bytes(length);
        if length > PAYLOAD_BYTES_MAX {
            return Err(invalid("an entry's length is absurd"));
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| invalid("an entry's length is absurd"))?];
        input.read_exact(&mut bytes)?;
        match (kind, Bytes::from(bytes)) {
            (BLANK, _) => Ok(Self(Payload::Blank)),
            (MEMBERSHIP, bytes) => Ok(Self(Payload::Membership(bytes))),
            (NORMAL, bytes) => Ok(Self(Payload::Normal(bytes))),
            _ => Err(invalid("an entry's kind is unknown")),
        }
    }
}

fn write_group(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&GROUP.to_le_bytes())
}

fn read_group(input: &mut impl Read) -> io::Result<()> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    if u32::from_le_bytes(bytes) == GROUP {
        Ok(())
    } else {
        Err(invalid("a record is of another Raft group"))
    }
}

fn write_numbers(out: &mut impl Write, numbers: &[u64]) -> io::Result<()> {
    numbers
        .iter()
        .try_for_each(|number| out.write_all(&number.to_le_bytes()))
}

fn read_numbers<const COUNT: usize>(input: &mut impl Read) -> io::Result<[u64; COUNT]> {
    let mut numbers = [0; COUNT];
    for number in &mut numbers {
        let mut bytes = [0; 8];
        input.read_exact(&mut bytes)?;
        *number = u64::from_le_bytes(bytes);
    }
    Ok(numbers)
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

//! A proposal: version, request id, node, and the command behind its kind.

use bytes::Bytes;

use super::CodecError;
use super::bytes::{Read, Reader, Writer};
use super::record::{read_login, write_login};
use crate::command::{Command, Killed, Proposal, RemoveReason, Save, Touched};
use crate::types::{Attribute, Epoch, RequestId, SessionKey, Version};

/// The layout below. Raised when it changes; a node refuses proposals of a version it does not know.
const PROPOSAL_VERSION: u8 = 1;

/// The kinds of commands on disk. A number is never used again for something else.
mod kind {
    pub(super) const CLAIM: u8 = 1;
    pub(super) const SAVE: u8 = 2;
    pub(super) const TOUCH: u8 = 3;
    pub(super) const RENAME: u8 = 4;
    pub(super) const REMOVE: u8 = 5;
    pub(super) const RELEASE: u8 = 6;
    pub(super) const SWEEP: u8 = 7;
    pub(super) const ANNOUNCE: u8 = 8;
    pub(super) const RETIRE: u8 = 9;
    pub(super) const KILL: u8 = 10;
    pub(super) const TICK: u8 = 11;
}

/// Encodes a proposal.
pub fn encode_proposal(proposal: &Proposal) -> Bytes {
    let mut buffer = Vec::with_capacity(128 + values(&proposal.command));
    let mut writer = Writer(&mut buffer);
    writer.u8(PROPOSAL_VERSION);
    writer.option(proposal.request_id, write_request_id);
    writer.text(&proposal.node);
    write_command(&mut writer, &proposal.command);
    buffer.into()
}

/// Decodes a proposal; attribute values are slices of `bytes` and keep all of it alive.
///
/// # Errors
/// The bytes are no proposal of a known version.
pub fn decode_proposal(bytes: &Bytes) -> Result<Proposal, CodecError> {
    let mut reader = Reader::new("a proposal", bytes);
    if reader.u8()? != PROPOSAL_VERSION {
        return Err(reader.error("its version is unknown to this program"));
    }
    let request_id = reader.option(read_request_id)?;
    let node = reader.text()?;
    let command = read_command(&mut reader)?;
    reader.end()?;
    Ok(Proposal {
        request_id,
        node,
        command,
    })
}

/// Room for the values of a save, so that its buffer is allocated once.
fn values(command: &Command) -> usize {
    match command {
        Command::Save(save) => save
            .changed
            .iter()
            .map(|changed| changed.name.len() + changed.value.len() + 16)
            .sum(),
        Command::Touch { sessions } => sessions.len() * 64,
        _ => 0,
    }
}

fn write_command(writer: &mut Writer<'_>, command: &Command) {
    match command {
        Command::Claim { session } => {
            writer.u8(kind::CLAIM);
            write_key(writer, session);
        }
        Command::Save(save) => {
            writer.u8(kind::SAVE);
            write_save(writer, save);
        }
        Command::Touch { sessions } => {
            writer.u8(kind::TOUCH);
            writer.list(sessions, |writer, touched| {
                write_key(writer, &touched.session);
                writer.u64(touched.epoch.0);
                writer.u64(touched.last_access_ms);
            });
        }
        Command::Rename {
            session,
            new_key,
            epoch,
        } => {
            writer.u8(kind::RENAME);
            write_key(writer, session);
            writer.array(new_key);
            writer.u64(epoch.0);
        }
        Command::Remove {
            session,
            created_version,
            epoch,
            reason,
        } => {
            writer.u8(kind::REMOVE);
            write_key(writer, session);
            writer.u64(created_version.0);
            writer.u64(epoch.0);
            writer.u8(reason_byte(*reason));
        }
        Command::Release { session, epoch } => {
            writer.u8(kind::RELEASE);
            write_key(writer, session);
            writer.u64(epoch.0);
        }
        Command::Sweep { limit } => {
            writer.u8(kind::SWEEP);
            writer.u32(*limit);
        }
        Command::Announce {
            url,
            applications,
            lifetime_seconds,
        } => {
            writer.u8(kind::ANNOUNCE);
            writer.text(url);
            writer.list(applications, |writer, application| writer.text(application));
            writer.u32(*lifetime_seconds);
        }
        Command::Retire => writer.u8(kind::RETIRE),
        Command::Kill { sessions } => {
            writer.u8(kind::KILL);
            writer.list(sessions, |writer, killed| {
                write_key(writer, &killed.session);
                writer.u64(killed.created_version.0);
            });
        }
        Command::Tick => writer.u8(kind::TICK),
    }
}

fn read_command(reader: &mut Reader<'_>) -> Read<Command> {
    /// An application's length, the key, and at least one number.
    const LISTED_BYTES: usize = 4 + 16 + 8;
    Ok(match reader.u8()? {
        kind::CLAIM => Command::Claim {
            session: read_key(reader)?,
        },
        kind::SAVE => Command::Save(read_save(reader)?),
        kind::TOUCH => Command::Touch {
            sessions: reader.list(LISTED_BYTES, read_touched)?,
        },
        kind::RENAME => Command::Rename {
            session: read_key(reader)?,
            new_key: reader.array()?,
            epoch: Epoch(reader.u64()?),
        },
        kind::REMOVE => Command::Remove {
            session: read_key(reader)?,
            created_version: Version(reader.u64()?),
            epoch: Epoch(reader.u64()?),
            reason: read_reason(reader)?,
        },
        kind::RELEASE => Command::Release {
            session: read_key(reader)?,
            epoch: Epoch(reader.u64()?),
        },
        kind::SWEEP => Command::Sweep { limit: reader.u32()? },
        kind::ANNOUNCE => Command::Announce {
            url: reader.text()?,
            applications: reader.list(4, Reader::text)?,
            lifetime_seconds: reader.u32()?,
        },
        kind::RETIRE => Command::Retire,
        kind::KILL => Command::Kill {
            sessions: reader.list(LISTED_BYTES, read_killed)?,
        },
        kind::TICK => Command::Tick,
        _ => return Err(reader.error("its kind is unknown to this program")),
    })
}

fn write_save(writer: &mut Writer<'_>, save: &Save) {
    write_key(writer, &save.session);
    writer.u64(save.epoch.0);
    writer.u64(save.base.0);
    writer.count(save.changed.len());
    for changed in &save.changed {
        writer.text(&changed.name);
        writer.u32(changed.type_tag);
        writer.bytes(&changed.value);
    }
    writer.count(save.removed.len());
    save.removed.iter().for_each(|name| writer.text(name));
    writer.option(save.login.as_ref(), write_login);
    writer.option(save.max_idle_seconds, Writer::i32);
    writer.bool(save.retake);
    writer.u64(save.created_ms);
    writer.u64(save.last_access_ms);
}

fn read_save(reader: &mut Reader<'_>) -> Read<Save> {
    Ok(Save {
        session: read_key(reader)?,
        epoch: Epoch(reader.u64()?),
        base: Version(reader.u64()?),
        changed: reader.list(12, |reader| {
            Ok(Attribute {
                name: reader.text()?,
                version: Version(0),
                type_tag: reader.u32()?,
                value: reader.bytes()?,
            })
        })?,
        removed: reader.list(4, Reader::text)?,
        login: reader.option(read_login)?,
        max_idle_seconds: reader.option(Reader::i32)?,
        retake: reader.bool()?,
        created_ms: reader.u64()?,
        last_access_ms: reader.u64()?,
    })
}

fn read_touched(reader: &mut Reader<'_>) -> Read<Touched> {
    let session = read_key(reader)?;
    Ok(Touched {
        session,
        epoch: Epoch(reader.u64()?),
        last_access_ms: reader.u64()?,
    })
}

fn read_killed(reader: &mut Reader<'_>) -> Read<Killed> {
    Ok(Killed {
        session: read_key(reader)?,
        created_version: Version(reader.u64()?),
    })
}

pub(super) fn write_key(writer: &mut Writer<'_>, key: &SessionKey) {
    writer.text(&key.application);
    writer.array(&key.key);
}

pub(super) fn read_key(reader: &mut Reader<'_>) -> Read<SessionKey> {
    Ok(SessionKey {
        application: reader.text()?,
        key: reader.array()?,
    })
}

pub(super) fn write_request_id(writer: &mut Writer<'_>, id: RequestId) {
    writer.u64(id.instance);
    writer.u64(id.serial);
}

pub(super) fn read_request_id(reader: &mut Reader<'_>) -> Read<RequestId> {
    Ok(RequestId {
        instance: reader.u64()?,
        serial: reader.u64()?,
    })
}

fn reason_byte(reason: RemoveReason) -> u8 {
    match reason {
        RemoveReason::Logout => 1,
        RemoveReason::Operator => 2,
        RemoveReason::Expiry => 3,
    }
}

fn read_reason(reader: &mut Reader<'_>) -> Read<RemoveReason> {
    match reader.u8()? {
        1 => Ok(RemoveReason::Logout),
        2 => Ok(RemoveReason::Operator),
        3 => Ok(RemoveReason::Expiry),
        _ => Err(reader.error("its reason is unknown to this program")),
    }
}

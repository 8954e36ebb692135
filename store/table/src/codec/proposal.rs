//! A proposal: format, request id, node, and the command behind its kind.
//!
//! Invariants: the kind of a command, the reason of a removal and what happens at a limit keep their numbers for ever; a decoded proposal encodes to
//! the same bytes. Attribute values are not copied: they are slices of the log entry that was read, and the rules copy
//! what they keep.
//! Left out on purpose: versions of attributes and wishes, which nobody who asks knows; limits and bounds, for a proposal that is in
//! the log is applied whatever it names.

use bytes::Bytes;

use super::CodecError;
use super::bytes::{Read, Reader, Writer};
use super::words::{
    LENGTH_BYTES, PAIR_BYTES, read_formats, read_key, read_label, read_leaver_key, read_local, read_login,
    read_request_id, write_formats, write_key, write_label, write_leaver_key, write_local, write_login,
    write_request_id,
};
use crate::command::{
    Announcement, Command, Killed, Limit, OverLimit, Proposal, RemoveReason, Save, Touched,
};
use crate::formats::{Format, Formats};
use crate::registry::Wish;
use crate::types::{Attribute, Epoch, KEY_BYTES, Version};

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
    pub(super) const UNDERSTANDS: u8 = 12;
    pub(super) const RAISE: u8 = 13;
    pub(super) const HOLD: u8 = 14;
    pub(super) const BURY: u8 = 15;
    pub(super) const RETIRE_NODE: u8 = 16;
    pub(super) const WISH: u8 = 17;
}

/// Room for what nearly every proposal has beside its lists, in bytes: format, request id, node, kind, key and a few
/// numbers. A guess that saves allocations: a buffer that is too small grows.
const HEAD_BYTES: usize = 128;
/// What an attribute of a save takes beside name and value, in bytes: their lengths, and the type tag.
const ATTRIBUTE_BYTES: usize = LENGTH_BYTES + 4 + LENGTH_BYTES;
/// What a session in a list takes at least, in bytes: the length of its application, the key, and one number.
const LISTED_BYTES: usize = LENGTH_BYTES + KEY_BYTES + 8;
/// What a touched session takes beside its application, in bytes: it has two numbers.
const TOUCHED_BYTES: usize = LISTED_BYTES + 8;

/// Encodes a proposal in the cluster's format.
pub fn encode_proposal(format: Format, proposal: &Proposal) -> Bytes {
    let mut buffer = Vec::with_capacity(HEAD_BYTES + list_bytes(&proposal.command));
    let mut writer = Writer(&mut buffer);
    writer.u8(format.0);
    writer.option(proposal.request_id, write_request_id);
    writer.text(&proposal.node);
    write_command(&mut writer, &proposal.command);
    buffer.into()
}

/// Decodes a proposal; attribute values are slices of `bytes` and keep all of it alive.
///
/// # Errors
/// The bytes are no proposal of a format that is understood.
pub fn decode_proposal(bytes: &Bytes, understood: Formats) -> Result<Proposal, CodecError> {
    let mut reader = Reader::new("a proposal", bytes);
    reader.format(understood)?;
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

/// What the attributes of a save or the sessions of a touch take, in bytes, so that their buffer is allocated once.
fn list_bytes(command: &Command) -> usize {
    match command {
        Command::Save(save) => save
            .changed
            .iter()
            .map(|changed| changed.name.len() + changed.value.len() + ATTRIBUTE_BYTES)
            .sum(),
        Command::Touch { sessions } => sessions
            .iter()
            .map(|touched| touched.session.application.len() + TOUCHED_BYTES)
            .sum(),
        _ => 0,
    }
}

fn write_command(writer: &mut Writer<'_>, command: &Command) {
    writer.u8(kind_byte(command));
    match command {
        Command::Claim { session } => write_key(writer, session),
        Command::Save(save) => write_save(writer, save),
        Command::Touch { sessions } => writer.list(sessions, |writer, touched| {
            write_key(writer, &touched.session);
            writer.u64(touched.epoch.0);
            writer.u64(touched.last_access_ms);
        }),
        Command::Rename {
            session,
            new_key,
            epoch,
        } => {
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
            write_key(writer, session);
            writer.u64(created_version.0);
            writer.u64(epoch.0);
            writer.u8(reason_byte(*reason));
        }
        Command::Release { session, epoch } => {
            write_key(writer, session);
            writer.u64(epoch.0);
        }
        Command::Sweep {
            limit,
            leavers_bytes_max,
        } => {
            writer.u32(*limit);
            writer.u64(*leavers_bytes_max);
        }
        Command::Bury(leaver) => write_leaver_key(writer, leaver),
        Command::Announce(said) => write_announcement(writer, said),
        Command::Retire | Command::Tick => {}
        Command::RetireNode { node, instance } => {
            writer.text(node);
            writer.option(*instance, Writer::u64);
        }
        Command::Wish { wish, base } => write_wish(writer, wish, *base),
        Command::Kill { sessions } => writer.list(sessions, |writer, killed| {
            write_key(writer, &killed.session);
            writer.u64(killed.created_version.0);
        }),
        Command::Understands { node, disk, formats } => {
            writer.u64(*node);
            writer.u64(*disk);
            write_formats(writer, *formats);
        }
        Command::Raise { format, asked } => {
            writer.u8(format.0);
            writer.bool(*asked);
        }
        Command::Hold { held } => writer.bool(*held),
    }
}

fn kind_byte(command: &Command) -> u8 {
    match command {
        Command::Claim { .. } => kind::CLAIM,
        Command::Save(_) => kind::SAVE,
        Command::Touch { .. } => kind::TOUCH,
        Command::Rename { .. } => kind::RENAME,
        Command::Remove { .. } => kind::REMOVE,
        Command::Release { .. } => kind::RELEASE,
        Command::Sweep { .. } => kind::SWEEP,
        Command::Bury(_) => kind::BURY,
        Command::Announce(_) => kind::ANNOUNCE,
        Command::Retire => kind::RETIRE,
        Command::RetireNode { .. } => kind::RETIRE_NODE,
        Command::Wish { .. } => kind::WISH,
        Command::Kill { .. } => kind::KILL,
        Command::Tick => kind::TICK,
        Command::Understands { .. } => kind::UNDERSTANDS,
        Command::Raise { .. } => kind::RAISE,
        Command::Hold { .. } => kind::HOLD,
    }
}

fn read_command(reader: &mut Reader<'_>) -> Read<Command> {
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
        kind::SWEEP => Command::Sweep {
            limit: reader.u32()?,
            leavers_bytes_max: reader.u64()?,
        },
        kind::BURY => Command::Bury(read_leaver_key(reader)?),
        kind::ANNOUNCE => Command::Announce(read_announcement(reader)?),
        kind::RETIRE => Command::Retire,
        kind::RETIRE_NODE => Command::RetireNode {
            node: reader.text()?,
            instance: reader.option(Reader::u64)?,
        },
        kind::WISH => read_wish(reader)?,
        kind::KILL => Command::Kill {
            sessions: reader.list(LISTED_BYTES, read_killed)?,
        },
        kind::TICK => Command::Tick,
        kind::UNDERSTANDS => Command::Understands {
            node: reader.u64()?,
            disk: reader.u64()?,
            formats: read_formats(reader)?,
        },
        kind::RAISE => Command::Raise {
            format: Format(reader.u8()?),
            asked: reader.bool()?,
        },
        kind::HOLD => Command::Hold { held: reader.bool()? },
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
    writer.list(&save.local, write_local);
    writer.option(save.login.as_ref(), write_login);
    writer.option(save.labels.as_deref(), |writer, labels| {
        writer.list(labels, write_label);
    });
    writer.option(save.max_idle_seconds, Writer::i32);
    writer.bool(save.late);
    writer.option(save.limit.as_ref(), |writer, limit| {
        writer.text(&limit.label);
        writer.u32(limit.sessions);
        writer.u8(then_byte(limit.then));
    });
    writer.u64(save.created_ms);
    writer.u64(save.last_access_ms);
}

fn read_save(reader: &mut Reader<'_>) -> Read<Save> {
    Ok(Save {
        session: read_key(reader)?,
        epoch: Epoch(reader.u64()?),
        base: Version(reader.u64()?),
        changed: reader.list(ATTRIBUTE_BYTES, |reader| {
            Ok(Attribute {
                name: reader.text()?,
                version: Version(0),
                type_tag: reader.u32()?,
                value: reader.bytes()?,
            })
        })?,
        removed: reader.list(LENGTH_BYTES, Reader::text)?,
        local: reader.list(PAIR_BYTES, read_local)?,
        login: reader.option(read_login)?,
        labels: reader.option(|reader| reader.list(PAIR_BYTES, read_label))?,
        max_idle_seconds: reader.option(Reader::i32)?,
        late: reader.bool()?,
        limit: reader.option(|reader| {
            Ok(Limit {
                label: reader.text()?,
                sessions: reader.u32()?,
                then: read_then(reader)?,
            })
        })?,
        created_ms: reader.u64()?,
        last_access_ms: reader.u64()?,
    })
}

fn write_announcement(writer: &mut Writer<'_>, said: &Announcement) {
    writer.text(&said.url);
    writer.list(&said.applications, |writer, application| writer.text(application));
    writer.text(&said.mode);
    writer.text(&said.software);
    writer.u32(said.threads);
    writer.list(&said.unprotected, |writer, application| writer.text(application));
    writer.list(&said.listened, |writer, application| writer.text(application));
}

fn read_announcement(reader: &mut Reader<'_>) -> Read<Announcement> {
    Ok(Announcement {
        url: reader.text()?,
        applications: reader.list(LENGTH_BYTES, Reader::text)?,
        mode: reader.text()?,
        software: reader.text()?,
        threads: reader.u32()?,
        unprotected: reader.list(LENGTH_BYTES, Reader::text)?,
        listened: reader.list(LENGTH_BYTES, Reader::text)?,
    })
}

fn write_wish(writer: &mut Writer<'_>, wish: &Wish, base: Option<Version>) {
    writer.text(&wish.of);
    writer.bytes(&wish.said);
    writer.text(&wish.who);
    writer.u64(wish.at_ms);
    writer.option(base, |writer, base| writer.u64(base.0));
}

fn read_wish(reader: &mut Reader<'_>) -> Read<Command> {
    let wish = Wish {
        of: reader.text()?,
        said: reader.bytes()?,
        who: reader.text()?,
        at_ms: reader.u64()?,
        version: Version(0),
    };
    let base = reader.option(Reader::u64)?.map(Version);
    Ok(Command::Wish { wish, base })
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

fn then_byte(then: OverLimit) -> u8 {
    match then {
        OverLimit::Refuse => 1,
        OverLimit::End => 2,
    }
}

fn read_then(reader: &mut Reader<'_>) -> Read<OverLimit> {
    match reader.u8()? {
        1 => Ok(OverLimit::Refuse),
        2 => Ok(OverLimit::End),
        _ => Err(reader.error("what happens at its limit is unknown to this program")),
    }
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

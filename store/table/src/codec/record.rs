//! What stands under a key, as table images hold it, what the registry holds, and the members of the cluster.
//!
//! Invariants: kinds of slots and of remembered outcomes keep their numbers for ever; attributes, labels and local
//! attributes stand in the order of their names, and others are no record, because the rules search in that order. Names
//! are shared as they are read, and values are copied out of the image's bytes.
//! Left out on purpose: counters and the index of deadlines, which the table finds anew as it takes over an image.

use std::sync::Arc;

use bytes::Bytes;

use super::bytes::{Read, Reader, Writer};
use super::words::{
    LENGTH_BYTES, PAIR_BYTES, read_formats, read_key, read_label, read_leaver_key, read_local, read_login,
    read_owner, read_request_id, write_formats, write_key, write_label, write_leaver_key, write_local,
    write_login, write_owner, write_request_id,
};
use crate::formats::{MemberFormats, RemovedDisk};
use crate::leavers::{Leaver, LeaverKey};
use crate::names::Names;
use crate::registry::{RegisteredServer, Retired, Wish};
use crate::slot::{Alias, Slot, Tombstone};
use crate::types::{
    Attribute, Epoch, Label, LocalAttribute, RecordedChange, RecordedClaim, RecordedKind, RecordedLate,
    Session, SessionKey, TableTime, Version,
};

/// The kinds of slots on disk. A number is never used again for something else.
mod kind {
    pub(super) const LIVE: u8 = 1;
    pub(super) const TOMBSTONE: u8 = 2;
    pub(super) const ALIAS: u8 = 3;
}

pub(super) fn write_slot(writer: &mut Writer<'_>, key: &SessionKey, slot: &Slot) {
    write_key(writer, key);
    match slot {
        Slot::Live(session) => {
            writer.u8(kind::LIVE);
            write_session(writer, session);
        }
        Slot::Tombstone(tombstone) => {
            writer.u8(kind::TOMBSTONE);
            writer.u64(tombstone.version.0);
            writer.u64(tombstone.created_version.0);
            writer.u64(tombstone.deadline.0);
            writer.option(tombstone.removed_by, write_request_id);
        }
        Slot::Alias(alias) => {
            writer.u8(kind::ALIAS);
            writer.array(&alias.target);
            writer.u64(alias.deadline.0);
        }
    }
}

pub(super) fn read_slot(reader: &mut Reader<'_>, names: &mut Names) -> Read<(SessionKey, Slot)> {
    let mut key = read_key(reader)?;
    key.application = names.share(&key.application);
    let slot = match reader.u8()? {
        kind::LIVE => Slot::Live(Arc::new(read_session(reader, names)?)),
        kind::TOMBSTONE => Slot::Tombstone(Arc::new(Tombstone {
            version: Version(reader.u64()?),
            created_version: Version(reader.u64()?),
            deadline: TableTime(reader.u64()?),
            removed_by: reader.option(read_request_id)?,
        })),
        kind::ALIAS => Slot::Alias(Arc::new(Alias {
            target: reader.array()?,
            deadline: TableTime(reader.u64()?),
        })),
        _ => return Err(reader.error("its kind is unknown to this program")),
    };
    Ok((key, slot))
}

/// What became of sessions that left. A number is never used again for something else.
mod left {
    pub(super) const WAITING: u8 = 1;
    pub(super) const BURIED: u8 = 2;
}

pub(super) fn write_leaver(writer: &mut Writer<'_>, key: &LeaverKey, until: TableTime, leaver: &Leaver) {
    write_leaver_key(writer, key);
    writer.u64(until.0);
    match leaver {
        Leaver::Waiting(session) => {
            writer.u8(left::WAITING);
            write_session(writer, session);
        }
        Leaver::Buried(by) => {
            writer.u8(left::BURIED);
            write_request_id(writer, *by);
        }
    }
}

pub(super) fn read_leaver(
    reader: &mut Reader<'_>,
    names: &mut Names,
) -> Read<(LeaverKey, TableTime, Leaver)> {
    let mut key = read_leaver_key(reader)?;
    key.session.application = names.share(&key.session.application);
    let until = TableTime(reader.u64()?);
    let leaver = match reader.u8()? {
        left::WAITING => Leaver::Waiting(Arc::new(read_session(reader, names)?)),
        left::BURIED => Leaver::Buried(read_request_id(reader)?),
        _ => return Err(reader.error("what became of it is unknown to this program")),
    };
    Ok((key, until, leaver))
}

fn write_session(writer: &mut Writer<'_>, session: &Session) {
    writer.u64(session.version.0);
    writer.u64(session.epoch.0);
    writer.u64(session.previous_epoch.0);
    writer.u64(session.created_version.0);
    write_owner(writer, &session.owner);
    writer.u64(session.created_ms);
    writer.u64(session.last_access_ms);
    writer.i32(session.max_idle_seconds);
    writer.u64(session.max_idle_version.0);
    writer.u64(session.deadline.0);
    writer.option(session.login.as_deref(), write_login);
    writer.u64(session.login_version.0);
    writer.list(&session.labels, write_label);
    writer.u64(session.labels_version.0);
    writer.u64(session.removal_version.0);
    writer.count(session.attributes.len());
    for attribute in &session.attributes {
        writer.text(&attribute.name);
        writer.u64(attribute.version.0);
        writer.u32(attribute.type_tag);
        writer.bytes(&attribute.value);
    }
    writer.list(&session.local, write_local);
    writer.option(session.last_claim, |writer, claim| {
        write_request_id(writer, claim.id);
        writer.u64(claim.epoch.0);
    });
    writer.option(session.last_change, |writer, change| {
        write_request_id(writer, change.id);
        writer.u64(change.version.0);
        writer.u8(recorded_byte(change.kind));
    });
    writer.option(session.late_change.as_deref(), |writer, late| {
        write_request_id(writer, late.id);
        writer.u64(late.version.0);
        writer.u64(late.epoch.0);
    });
}

fn read_session(reader: &mut Reader<'_>, names: &mut Names) -> Read<Session> {
    /// Name's length, version, type tag, value's length.
    const ATTRIBUTE_BYTES: usize = LENGTH_BYTES + 8 + 4 + LENGTH_BYTES;
    let session = Session {
        version: Version(reader.u64()?),
        epoch: Epoch(reader.u64()?),
        previous_epoch: Epoch(reader.u64()?),
        created_version: Version(reader.u64()?),
        owner: read_owner(reader, names)?,
        created_ms: reader.u64()?,
        last_access_ms: reader.u64()?,
        max_idle_seconds: reader.i32()?,
        max_idle_version: Version(reader.u64()?),
        deadline: TableTime(reader.u64()?),
        login: reader.option(read_login)?.map(Arc::new),
        login_version: Version(reader.u64()?),
        labels: reader
            .list(PAIR_BYTES, |reader| {
                let label = read_label(reader)?;
                Ok(Label {
                    name: names.share(&label.name),
                    ..label
                })
            })?
            .into(),
        labels_version: Version(reader.u64()?),
        removal_version: Version(reader.u64()?),
        attributes: reader.list(ATTRIBUTE_BYTES, |reader| {
            Ok(Attribute {
                name: names.share(&reader.text()?),
                version: Version(reader.u64()?),
                type_tag: reader.u32()?,
                // Copied: a slice would keep the chunk of the image alive that it came in.
                value: Bytes::copy_from_slice(&reader.bytes()?),
            })
        })?,
        local: reader
            .list(PAIR_BYTES, |reader| {
                let local = read_local(reader)?;
                Ok(LocalAttribute {
                    name: names.share(&local.name),
                    class: names.share(&local.class),
                })
            })?
            .into(),
        last_claim: reader.option(|reader| {
            Ok(RecordedClaim {
                id: read_request_id(reader)?,
                epoch: Epoch(reader.u64()?),
            })
        })?,
        last_change: reader.option(|reader| {
            let (id, version) = (read_request_id(reader)?, Version(reader.u64()?));
            Ok(RecordedChange {
                id,
                version,
                kind: read_recorded(reader)?,
            })
        })?,
        late_change: reader.option(read_late)?,
    };
    let sorted = session.attributes.is_sorted_by(|one, next| one.name < next.name)
        && session.local.is_sorted_by(|one, next| one.name < next.name)
        && session.labels.is_sorted_by(|one, next| one.name < next.name);
    if !sorted {
        return Err(reader.error("its attributes or labels are not in the order of their names"));
    }
    Ok(session)
}

fn read_late(reader: &mut Reader<'_>) -> Read<Box<RecordedLate>> {
    Ok(Box::new(RecordedLate {
        id: read_request_id(reader)?,
        version: Version(reader.u64()?),
        epoch: Epoch(reader.u64()?),
    }))
}

pub(super) fn write_server(writer: &mut Writer<'_>, entry: &RegisteredServer) {
    write_owner(writer, &entry.server);
    writer.text(&entry.url);
    writer.count(entry.applications.len());
    entry
        .applications
        .iter()
        .for_each(|application| writer.text(application));
    writer.u64(entry.version.0);
    writer.text(&entry.mode);
    writer.text(&entry.software);
    writer.u32(entry.threads);
    writer.list(&entry.unprotected, |writer, application| writer.text(application));
    writer.list(&entry.listened, |writer, application| writer.text(application));
}

pub(super) fn write_member(writer: &mut Writer<'_>, node: u64, member: MemberFormats) {
    writer.u64(node);
    writer.u64(member.disk);
    writer.option(member.understood, write_formats);
}

pub(super) fn read_member(reader: &mut Reader<'_>) -> Read<(u64, MemberFormats)> {
    let node = reader.u64()?;
    let member = MemberFormats {
        disk: reader.u64()?,
        understood: reader.option(read_formats)?,
    };
    Ok((node, member))
}

pub(super) fn write_removed(writer: &mut Writer<'_>, removed: RemovedDisk) {
    writer.u64(removed.node);
    writer.u64(removed.disk);
}

pub(super) fn read_removed(reader: &mut Reader<'_>) -> Read<RemovedDisk> {
    Ok(RemovedDisk {
        node: reader.u64()?,
        disk: reader.u64()?,
    })
}

pub(super) fn read_server(reader: &mut Reader<'_>, names: &mut Names) -> Read<RegisteredServer> {
    Ok(RegisteredServer {
        server: read_owner(reader, names)?,
        url: reader.text()?,
        applications: reader.list(LENGTH_BYTES, |reader| Ok(names.share(&reader.text()?)))?,
        version: Version(reader.u64()?),
        mode: reader.text()?,
        software: reader.text()?,
        threads: reader.u32()?,
        unprotected: reader.list(LENGTH_BYTES, |reader| Ok(names.share(&reader.text()?)))?,
        listened: reader.list(LENGTH_BYTES, |reader| Ok(names.share(&reader.text()?)))?,
    })
}

pub(super) fn write_wish(writer: &mut Writer<'_>, wish: &Wish) {
    writer.text(&wish.of);
    writer.bytes(&wish.said);
    writer.text(&wish.who);
    writer.u64(wish.at_ms);
    writer.u64(wish.version.0);
}

pub(super) fn read_wish(reader: &mut Reader<'_>) -> Read<Wish> {
    Ok(Wish {
        of: reader.text()?,
        // Copied: a slice would keep the chunk of the image alive that it came in.
        said: Bytes::copy_from_slice(&reader.bytes()?),
        who: reader.text()?,
        at_ms: reader.u64()?,
        version: Version(reader.u64()?),
    })
}

pub(super) fn write_retired(writer: &mut Writer<'_>, retired: &Retired) {
    write_owner(writer, &retired.server);
    writer.u64(retired.version.0);
}

pub(super) fn read_retired(reader: &mut Reader<'_>, names: &mut Names) -> Read<Retired> {
    Ok(Retired {
        server: read_owner(reader, names)?,
        version: Version(reader.u64()?),
    })
}

fn recorded_byte(kind: RecordedKind) -> u8 {
    match kind {
        RecordedKind::Saved => 1,
        RecordedKind::Created => 2,
        RecordedKind::Rekeyed => 3,
        RecordedKind::Released => 4,
        RecordedKind::OverLimit => 5,
    }
}

fn read_recorded(reader: &mut Reader<'_>) -> Read<RecordedKind> {
    match reader.u8()? {
        1 => Ok(RecordedKind::Saved),
        2 => Ok(RecordedKind::Created),
        3 => Ok(RecordedKind::Rekeyed),
        4 => Ok(RecordedKind::Released),
        5 => Ok(RecordedKind::OverLimit),
        _ => Err(reader.error("its remembered outcome is unknown to this program")),
    }
}

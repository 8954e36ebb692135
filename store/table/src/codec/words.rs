//! What proposals and records both are made of: keys, request ids, owners, logins, labels, local attributes, ranges of formats.
//!
//! Left out on purpose: bounds of names and lists; what is too long is refused before it is proposed.

use super::bytes::{Read, Reader, Writer};
use crate::formats::{Format, Formats};
use crate::leavers::LeaverKey;
use crate::names::Names;
use crate::types::{Label, LocalAttribute, Login, Owner, RequestId, SessionKey, Version};

/// The length before a text or a byte string: what it takes at least, in bytes.
pub(super) const LENGTH_BYTES: usize = 4;
/// Two texts: what a label or a local attribute takes at least, in bytes.
pub(super) const PAIR_BYTES: usize = 2 * LENGTH_BYTES;

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

pub(super) fn write_leaver_key(writer: &mut Writer<'_>, leaver: &LeaverKey) {
    write_key(writer, &leaver.session);
    writer.u64(leaver.created_version.0);
}

pub(super) fn read_leaver_key(reader: &mut Reader<'_>) -> Read<LeaverKey> {
    Ok(LeaverKey {
        session: read_key(reader)?,
        created_version: Version(reader.u64()?),
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

pub(super) fn write_login(writer: &mut Writer<'_>, login: &Login) {
    writer.text(&login.principal);
    writer.text(&login.auth_type);
    writer.count(login.roles.len());
    login.roles.iter().for_each(|role| writer.text(role));
}

pub(super) fn read_login(reader: &mut Reader<'_>) -> Read<Login> {
    let (principal, auth_type) = (reader.text()?, reader.text()?);
    Ok(Login {
        principal,
        auth_type,
        roles: reader.list(LENGTH_BYTES, Reader::text)?,
    })
}

pub(super) fn write_owner(writer: &mut Writer<'_>, owner: &Owner) {
    writer.text(&owner.node);
    writer.u64(owner.instance);
}

pub(super) fn read_owner(reader: &mut Reader<'_>, names: &mut Names) -> Read<Owner> {
    Ok(Owner {
        node: names.share(&reader.text()?),
        instance: reader.u64()?,
    })
}

pub(super) fn write_label(writer: &mut Writer<'_>, label: &Label) {
    writer.text(&label.name);
    writer.text(&label.value);
}

pub(super) fn read_label(reader: &mut Reader<'_>) -> Read<Label> {
    Ok(Label {
        name: reader.text()?,
        value: reader.text()?,
    })
}

pub(super) fn write_local(writer: &mut Writer<'_>, local: &LocalAttribute) {
    writer.text(&local.name);
    writer.text(&local.class);
}

pub(super) fn read_local(reader: &mut Reader<'_>) -> Read<LocalAttribute> {
    Ok(LocalAttribute {
        name: reader.text()?,
        class: reader.text()?,
    })
}

pub(super) fn write_formats(writer: &mut Writer<'_>, formats: Formats) {
    writer.u8(formats.oldest.0);
    writer.u8(formats.newest.0);
}

pub(super) fn read_formats(reader: &mut Reader<'_>) -> Read<Formats> {
    let (oldest, newest) = (Format(reader.u8()?), Format(reader.u8()?));
    if oldest > newest || oldest < Format::FIRST {
        return Err(reader.error("a range of formats is empty"));
    }
    Ok(Formats { oldest, newest })
}

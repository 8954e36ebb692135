//! Requests of the wire as commands of the table, of the stream and of unary calls alike.
//!
//! Everything that a message must be by itself is checked here: what is missing, longer than the protocol says, or contradicts
//! itself is refused with a sentence that names the field and the limit. Behind it a key has its 16 bytes, a serial is not 0, a
//! save that creates says how long the session may idle, and a new key is not the old one.
//!
//! Left out on purpose: what depends on this node's configuration or on the table (`Limits::check`, at the desk), and rights.

use std::sync::Arc;

use remora_proto::v1;
use remora_proto::v1::request::Ask;

use crate::metrics::Kind;
use remora_table::{
    Attribute, Command, Epoch, Format, Formats, LeaverKey, ListFilter, LocalAttribute, Login, Proposal,
    RemoveReason, Save, SessionKey, TOUCHED_MAX, Touched, Version,
};

use super::super::status::malformed;
use super::labels::{labels, limit};
use super::{Asker, Conversion, key, key_bytes};

/// Longest attribute, principal or role name, in bytes (session.proto).
pub(in super::super) const NAME_BYTES_MAX: usize = 256;
/// Most roles of one login (session.proto, Login.roles).
const ROLES_MAX: usize = 256;
/// Longest name of a login method, in bytes (session.proto, Login.auth_type).
const AUTH_TYPE_BYTES_MAX: usize = 32;
/// Digits of a whole key in hexadecimal.
const KEY_DIGITS: usize = 2 * remora_table::KEY_BYTES;

/// A request as the node works on it.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are proposals: boxing them would cost each an allocation"
)]
#[derive(Debug, Clone)]
pub(in super::super) enum Request {
    /// Goes through the log, unless it is a claim that a read answers.
    Propose(Proposal),
    /// A linearizable read.
    Check {
        /// Which session.
        session: SessionKey,
        /// The caller's ownership.
        epoch: Epoch,
        /// Version of the caller's copy.
        version: Version,
    },
}

/// A request as it was asked.
#[derive(Debug)]
pub(in super::super) struct Asked {
    /// Comes back with the reply; 0 where a unary call has none.
    pub(in super::super) serial: u64,
    /// What it is about; a request that asks nothing counts as a check, which it is refused as.
    pub(in super::super) kind: Kind,
    /// What is asked, or which of its fields is wrong.
    pub(in super::super) request: Conversion<Request>,
}

/// A request of a stream.
pub(in super::super) fn asked(asker: &Asker, request: v1::Request) -> Asked {
    let (serial, ask) = (request.serial, request.ask);
    Asked {
        serial,
        kind: ask.as_ref().map_or(Kind::Check, kind),
        request: ask
            .ok_or_else(|| malformed("the request asks nothing: it is empty or of a later protocol"))
            .and_then(|ask| self::request(asker, serial, ask)),
    }
}

/// The request of a unary call, which says itself who asks.
pub(in super::super) fn lone(ask: Ask) -> Asked {
    let caller = match &ask {
        Ask::Claim(ask) => &ask.caller,
        Ask::Save(ask) => &ask.caller,
        Ask::Touch(ask) => &ask.caller,
        Ask::Rename(ask) => &ask.caller,
        Ask::Remove(ask) => &ask.caller,
        Ask::Release(ask) => &ask.caller,
        Ask::Bury(ask) => &ask.caller,
        Ask::Check(_) => &None,
    };
    let caller = super::caller(caller.as_ref());
    let serial = caller.as_ref().map_or(0, |(_, serial)| *serial);
    let kind = kind(&ask);
    let request = match ask {
        Ask::Check(ask) => check(ask),
        ask => caller.and_then(|(asker, serial)| request(&asker, serial, ask)),
    };
    Asked {
        serial,
        kind,
        request,
    }
}

/// What a request is about.
fn kind(ask: &Ask) -> Kind {
    match ask {
        Ask::Claim(_) => Kind::Claim,
        Ask::Save(_) => Kind::Save,
        Ask::Touch(_) => Kind::Touch,
        Ask::Rename(_) => Kind::Rename,
        Ask::Remove(_) => Kind::Remove,
        Ask::Release(_) => Kind::Release,
        Ask::Check(_) => Kind::Check,
        Ask::Bury(_) => Kind::Bury,
    }
}

fn request(asker: &Asker, serial: u64, ask: Ask) -> Conversion<Request> {
    match ask {
        Ask::Claim(ask) => claim(asker, serial, ask),
        Ask::Save(ask) => save(asker, serial, ask),
        Ask::Touch(ask) => touch(asker, serial, ask),
        Ask::Rename(ask) => rename(asker, serial, ask),
        Ask::Remove(ask) => remove(asker, serial, ask),
        Ask::Release(ask) => release(asker, serial, ask),
        Ask::Check(ask) => check(ask),
        Ask::Bury(ask) => bury(asker, serial, ask),
    }
}

fn propose(asker: &Asker, serial: u64, command: Command) -> Conversion<Request> {
    let request_id = Some(asker.request_id(serial)?);
    let proposal = Proposal {
        request_id,
        node: Arc::clone(&asker.node),
        command,
    };
    Ok(Request::Propose(proposal))
}

/// Take ownership.
pub(super) fn claim(asker: &Asker, serial: u64, ask: v1::ClaimRequest) -> Conversion<Request> {
    let session = key(ask.session)?;
    propose(asker, serial, Command::Claim { session })
}

/// Store what changed.
pub(super) fn save(asker: &Asker, serial: u64, ask: v1::SaveRequest) -> Conversion<Request> {
    let save = Save {
        session: key(ask.session)?,
        epoch: Epoch(ask.epoch),
        base: Version(ask.base),
        changed: ask
            .changed
            .into_iter()
            .map(attribute)
            .collect::<Conversion<_>>()?,
        removed: ask
            .removed
            .iter()
            .map(|text| name("an attribute name", text))
            .collect::<Conversion<_>>()?,
        local: ask.local.iter().map(local).collect::<Conversion<_>>()?,
        login: ask.login.map(login).transpose()?,
        limit: ask
            .limit
            .map(|limit| self::limit(limit, ask.labels.as_ref()))
            .transpose()?,
        labels: ask.labels.map(labels).transpose()?,
        max_idle_seconds: ask.max_idle_seconds,
        late: ask.late,
        created_ms: ask.created_ms,
        last_access_ms: ask.last_access_ms,
    };
    if save.epoch == Epoch(0) && save.max_idle_seconds.is_none() {
        return Err(malformed(
            "max_idle_seconds is missing: a save that creates a session must set it",
        ));
    }
    propose(asker, serial, Command::Save(save))
}

/// Move deadlines.
pub(super) fn touch(asker: &Asker, serial: u64, ask: v1::TouchRequest) -> Conversion<Request> {
    if ask.sessions.len() > TOUCHED_MAX {
        return Err(malformed(format!(
            "the touch names {} sessions: {TOUCHED_MAX} are allowed, send several",
            ask.sessions.len()
        )));
    }
    let sessions = ask.sessions.into_iter().map(|touched| {
        Ok(Touched {
            session: key(touched.session)?,
            epoch: Epoch(touched.epoch),
            last_access_ms: touched.last_access_ms,
        })
    });
    let command = Command::Touch {
        sessions: sessions.collect::<Conversion<_>>()?,
    };
    propose(asker, serial, command)
}

/// Give a session another id.
pub(super) fn rename(asker: &Asker, serial: u64, ask: v1::RenameRequest) -> Conversion<Request> {
    let session = key(ask.session)?;
    let new_key = key_bytes(&ask.new_key)?;
    if new_key == session.key {
        return Err(malformed("new_key is the present key: draw another id"));
    }
    let command = Command::Rename {
        session,
        new_key,
        epoch: Epoch(ask.epoch),
    };
    propose(asker, serial, command)
}

/// End a session.
pub(super) fn remove(asker: &Asker, serial: u64, ask: v1::RemoveRequest) -> Conversion<Request> {
    use v1::remove_request::Reason;
    let reason = match ask.reason() {
        Reason::Logout => RemoveReason::Logout,
        Reason::Operator => RemoveReason::Operator,
        Reason::Expiry => RemoveReason::Expiry,
        Reason::Unspecified => return Err(malformed("reason is missing: say why the session is removed")),
    };
    let command = Command::Remove {
        session: key(ask.session)?,
        created_version: Version(ask.created_version),
        epoch: Epoch(ask.epoch),
        reason,
    };
    propose(asker, serial, command)
}

/// Give up ownership.
fn release(asker: &Asker, serial: u64, ask: v1::ReleaseRequest) -> Conversion<Request> {
    let command = Command::Release {
        session: key(ask.session)?,
        epoch: Epoch(ask.epoch),
    };
    propose(asker, serial, command)
}

/// Is a near copy still the truth?
fn check(ask: v1::CheckRequest) -> Conversion<Request> {
    Ok(Request::Check {
        session: key(ask.session)?,
        epoch: Epoch(ask.epoch),
        version: Version(ask.version),
    })
}

/// Is the caller the first to end an expired session?
fn bury(asker: &Asker, serial: u64, ask: v1::BuryRequest) -> Conversion<Request> {
    let leaver = LeaverKey {
        session: key(ask.session)?,
        created_version: Version(ask.created_version),
    };
    propose(asker, serial, Command::Bury(leaver))
}

/// Which sessions an operator means.
pub(in super::super) fn filter(filter: Option<v1::SessionFilter>) -> Conversion<ListFilter> {
    let filter = filter.unwrap_or_default();
    let digits = filter.key_prefix.to_ascii_lowercase();
    if digits.len() > KEY_DIGITS || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(malformed(format!(
            "key_prefix must be at most {KEY_DIGITS} hexadecimal digits: copy it from the list of sessions"
        )));
    }
    let given = |text: String| (!text.is_empty()).then_some(text);
    Ok(ListFilter {
        application: given(filter.application),
        labels: labels(v1::Labels {
            labels: filter.labels,
        })?,
        owner: given(filter.owner),
        key_prefix: digits,
        ..ListFilter::default()
    })
}

fn attribute(attribute: v1::Attribute) -> Conversion<Attribute> {
    Ok(Attribute {
        name: name("an attribute name", &attribute.name)?,
        version: Version(0),
        type_tag: attribute.r#type,
        value: attribute.value,
    })
}

fn local(local: &v1::LocalAttribute) -> Conversion<LocalAttribute> {
    Ok(LocalAttribute {
        name: name("the name of a local attribute", &local.name)?,
        class: name("the class of a local attribute", &local.class)?,
    })
}

/// What a client understands.
pub(in super::super) fn formats(formats: Option<v1::Formats>) -> Conversion<Formats> {
    let formats = formats.unwrap_or_default();
    let number = |number: u32| Format(u8::try_from(number).unwrap_or(u8::MAX));
    if formats.oldest == 0 || formats.newest < formats.oldest {
        return Err(malformed(
            "understands is missing or empty: say the oldest and the newest format that the client understands, from 1",
        ));
    }
    Ok(Formats {
        oldest: number(formats.oldest),
        newest: number(formats.newest),
    })
}

fn login(login: v1::Login) -> Conversion<Login> {
    if login.roles.len() > ROLES_MAX {
        return Err(malformed(format!(
            "the login has {} roles: {ROLES_MAX} are allowed",
            login.roles.len()
        )));
    }
    if login.auth_type.len() > AUTH_TYPE_BYTES_MAX {
        return Err(malformed(format!(
            "auth_type is longer than {AUTH_TYPE_BYTES_MAX} bytes"
        )));
    }
    Ok(Login {
        principal: name("the principal name", &login.principal)?,
        roles: login
            .roles
            .iter()
            .map(|role| name("a role name", role))
            .collect::<Conversion<_>>()?,
        auth_type: Arc::from(login.auth_type),
    })
}

fn name(what: &str, text: &str) -> Conversion<Arc<str>> {
    if text.len() > NAME_BYTES_MAX {
        return Err(malformed(format!(
            "{what} has {} bytes: {NAME_BYTES_MAX} are allowed",
            text.len()
        )));
    }
    Ok(Arc::from(text))
}

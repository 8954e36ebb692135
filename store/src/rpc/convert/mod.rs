//! Wire to domain and back. What comes in is checked here once; behind it, values are what their types say.
//!
//! Requests are checked for shape (key lengths, names, ids, counts); limits that depend on the configuration or on the
//! table are `Limits::check`. Byte values stay slices of the receive buffer: the proposer encodes them into the log
//! entry at once, so nothing keeps the buffer.

mod happenings;
mod labels;
mod registry;
mod replies;
mod requests;

use std::sync::Arc;

use remora_proto::v1;

use remora_table::{KEY_BYTES, RequestId, SessionKey};

use super::status::malformed;

pub(super) use happenings::happening;
pub(super) use registry::{announce, retire, retire_node, wish};
pub(super) use replies::{
    answer, checked, declined, ending, label, local, owner, range, session, session_key,
};
pub(super) use requests::{Asked, NAME_BYTES_MAX, Request, asked, filter, formats, lone};

/// Longest application name, in bytes (session.proto, SessionKey.application).
const APPLICATION_BYTES_MAX: usize = 256;
/// Longest node name, in bytes (session.proto, Caller.node).
const NODE_BYTES_MAX: usize = 64;

/// What a conversion gives: the value, or a refusal that says which field is wrong.
pub(super) type Conversion<T> = Result<T, v1::Refusal>;

/// Who asks: the same for all requests of a stream, read from each unary call.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    /// The instance; never 0.
    pub(super) instance: u64,
    /// Route or node name, for people.
    pub(super) node: Arc<str>,
}

impl Asker {
    /// From a stream's Hello or a unary call's Caller.
    pub(super) fn new(instance: u64, node: &str) -> Conversion<Asker> {
        if instance == 0 {
            return Err(malformed(
                "instance is 0: draw 64 random bits at the start of the process",
            ));
        }
        if node.len() > NODE_BYTES_MAX {
            return Err(malformed(format!(
                "the node name has {} bytes: {NODE_BYTES_MAX} are allowed",
                node.len()
            )));
        }
        Ok(Asker {
            instance,
            node: Arc::from(node),
        })
    }

    /// The id of one request of this asker.
    pub(super) fn request_id(&self, serial: u64) -> Conversion<RequestId> {
        if serial == 0 {
            return Err(malformed("serial is 0: count requests from 1"));
        }
        Ok(RequestId {
            instance: self.instance,
            serial,
        })
    }
}

/// The asker and the serial of a unary call.
fn caller(caller: Option<&v1::Caller>) -> Conversion<(Asker, u64)> {
    let caller = caller.ok_or_else(|| malformed("caller is missing: a unary call says who asks"))?;
    Ok((Asker::new(caller.instance, &caller.node)?, caller.serial))
}

/// A session's key.
pub(super) fn key(session: Option<v1::SessionKey>) -> Conversion<SessionKey> {
    let session = session.ok_or_else(|| malformed("session is missing: say which session is meant"))?;
    Ok(SessionKey {
        application: application(&session.application)?,
        key: key_bytes(&session.key)?,
    })
}

fn application(name: &str) -> Conversion<Arc<str>> {
    if name.is_empty() || name.len() > APPLICATION_BYTES_MAX {
        return Err(malformed(format!(
            "the application name has {} bytes: it must have 1 to {APPLICATION_BYTES_MAX}",
            name.len()
        )));
    }
    Ok(Arc::from(name))
}

fn key_bytes(bytes: &[u8]) -> Conversion<[u8; KEY_BYTES]> {
    bytes.try_into().map_err(|_| {
        malformed(format!(
            "the session key has {} bytes: it must have exactly {KEY_BYTES}",
            bytes.len()
        ))
    })
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

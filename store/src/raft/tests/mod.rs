//! Claims about consensus, over real files and real clocks; peers talk in memory, where a wire can be cut.

mod asking;
mod changes;
pub(crate) mod cluster;
mod conformance;
mod copies;
mod durability;
mod elections;
mod faults;
mod forgetful;
mod formats;
mod full;
mod fuzz;
mod joining;
mod leadership;
pub(crate) mod link;
mod membership;
mod reverted;
mod snapshot;
mod space;
mod wire;
pub(crate) mod wires;

use std::sync::Arc;

use bytes::Bytes;

use remora_table::{Attribute, Command, Epoch, Outcome, Proposal, RequestId, Save, SessionKey, Version};

/// What the log writes for the creation of a session with a value of 100 bytes, about.
const SAVE_BYTES: u64 = 320;

/// A session of user number `user`.
pub(crate) fn key(user: u64) -> SessionKey {
    let mut key = [0; 16];
    key[8..].copy_from_slice(&user.to_be_bytes());
    SessionKey {
        application: Arc::from("shop:localhost/cart"),
        key,
    }
}

/// A save that creates the session of a user, with a value of `bytes` bytes.
pub(crate) fn create(user: u64, bytes: usize) -> Proposal {
    Proposal {
        request_id: Some(RequestId {
            instance: 7,
            serial: user + 1,
        }),
        node: Arc::from("n1"),
        command: Command::Save(Save {
            session: key(user),
            epoch: Epoch(0),
            base: Version(0),
            changed: vec![Attribute {
                name: Arc::from("cart"),
                version: Version(0),
                type_tag: 1,
                value: Bytes::from(vec![b'x'; bytes]),
            }],
            removed: Vec::new(),
            local: Vec::new(),
            login: None,
            labels: None,
            max_idle_seconds: Some(1_800),
            late: false,
            limit: None,
            created_ms: 0,
            last_access_ms: 0,
        }),
    }
}

/// Whether an answer says that a save is on a majority.
fn saved(answer: &super::Fate) -> bool {
    matches!(answer, super::Fate::Done(Outcome::Saved(_)))
}

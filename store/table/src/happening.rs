//! What happened, for those who must hear of it or watch: owners, application servers, and operators, who change nothing.
//!
//! Of sessions only what happens a few times in a session's life is told. What happens all the time is not: plain saves, touches, and
//! claims by the instance that owns the session already. So whoever saves pays nothing for those who watch.

use std::sync::Arc;

use super::outcome::Event;
use super::types::{KEY_BYTES, Label, Owner, Session, SessionKey, Version};

/// What a proposal gives beside its outcome. The same on every node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tidings {
    /// What owners must be told; a hub without a stream of that owner drops it.
    pub owners: Vec<Event>,
    /// What whoever watches is told.
    pub watchers: Vec<Happening>,
    /// Which application servers must hear that they lost their place in the registry.
    pub ousted: Vec<Ousted>,
}

/// An application server that lost its place in the registry and did not ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ousted {
    /// Node name and instance.
    pub server: Owner,
    /// Where a proxy reached it, for people; empty where an operator took out one that was not there.
    pub url: Arc<str>,
    /// The instance that announced itself under the name; none where an operator took the server out.
    pub by: Option<u64>,
}

/// Something that happened to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Which session: the key that it had before.
    pub session: SessionKey,
    /// Names its life.
    pub created_version: Version,
    /// Node that holds it since, or held it last.
    pub owner: Arc<str>,
    /// Its labels since, or at its end.
    pub labels: Box<[Label]>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It began.
    Created,
    /// Another instance holds it.
    Moved {
        /// Node that held it last.
        from: Arc<str>,
    },
    /// Its owner gave it up, and nobody holds it.
    Released,
    /// It has another key.
    Renamed {
        /// In the same application.
        new_key: [u8; KEY_BYTES],
    },
    /// It has other labels.
    Labelled {
        /// What it carried before.
        before: Box<[Label]>,
    },
    /// It is no more.
    Ended {
        /// Why.
        why: Ending,
    },
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its user logged out, or the application ended it.
    Logout,
    /// An operator ended it.
    Operator,
    /// Another session with its label came, and there may be no more.
    Limit,
    /// It was not used for as long as it may.
    Expiry,
}

impl Happening {
    /// Something that happened to a session, which is told as it stands.
    pub(super) fn new(key: &SessionKey, session: &Session, what: What) -> Happening {
        Happening {
            session: key.clone(),
            created_version: session.created_version,
            owner: Arc::clone(&session.owner.node),
            labels: session.labels.clone(),
            what,
        }
    }
}

//! From the words on the wire to a view, and back to the wishes that are told.

use remora_policy::{Announced, Retired, StoredWish, View};
use remora_proto::v1::{self, FollowReply, WishRequest};

/// Milliseconds of a second: the wire counts those, a proxy's file seconds.
const MILLIS: u64 = 1_000;

/// A view of which this is the first message, and nothing in it yet.
///
/// # Errors
/// A sentence: no store of ours says that.
pub(super) fn begun(reply: &FollowReply) -> Result<View, String> {
    if reply.cluster.is_empty() {
        return Err("it does not say which cluster it is".to_owned());
    }
    Ok(View {
        cluster: reply.cluster.as_str().into(),
        version: reply.version,
        ..View::default()
    })
}

/// Adds what a message says. A wish that is not understood is remembered as such, and said in the log.
pub(super) fn add(reply: FollowReply, view: &mut View) {
    for server in reply.servers {
        let owner = server.server.unwrap_or_default();
        view.servers.push(Announced {
            node: owner.node.into(),
            instance: owner.instance,
            version: server.version,
            threads: server.threads,
            url: server.url.into(),
            applications: server.applications.into_iter().map(Into::into).collect(),
            carried: false,
        });
    }
    for retired in reply.retired {
        let owner = retired.server.unwrap_or_default();
        view.retired.push(Retired {
            node: owner.node.into(),
            instance: owner.instance,
            version: retired.version,
        });
    }
    for wish in reply.wishes {
        if let Err(why) = view.hear(&said(wish)) {
            tracing::warn!(why, "what holds of it here holds on: upgrade this proxy");
        }
    }
}

fn said(wish: v1::Wish) -> StoredWish {
    StoredWish {
        of: wish.of,
        said: wish.said.to_vec(),
        who: wish.who,
        at: wish.at_ms / MILLIS,
        version: wish.version,
    }
}

/// A wish to be kept in place of what it was made over.
pub(super) fn wish(said: &StoredWish) -> WishRequest {
    WishRequest {
        wish: Some(v1::Wish {
            of: said.of.clone(),
            said: said.said.clone().into(),
            who: said.who.clone(),
            at_ms: said.at * MILLIS,
            version: 0,
        }),
        base: Some(said.version),
    }
}

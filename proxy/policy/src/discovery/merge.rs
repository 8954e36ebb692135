//! How a view that was told becomes the one that is held. `scripts/discovery.script` tells the cases.

use std::sync::Arc;

use super::view::{Announced, Retired, View};
use crate::wishes::Wishes;

/// What holds once `told` was told over `held`.
///
/// Of the cluster that is held, a view that is not older replaces what that cluster told before. Of another cluster it is added: its
/// servers win by name, and whoever it does not name stays, carried, unless it was retired there as the same instance. A view
/// of no cluster, or an older one, changes nothing.
#[must_use]
pub fn merge(held: &View, told: View) -> View {
    let is_same = held.cluster == told.cluster;
    if !told.is_told() || is_same && told.version < held.version {
        return held.clone();
    }
    let stays = |server: &&Announced| {
        let is_named = told.server(&server.node).is_some();
        (server.carried || !is_same) && !is_named && !is_retired(&told.retired, server)
    };
    let carried: Vec<Announced> = held
        .servers
        .iter()
        .filter(stays)
        .map(|server| Announced {
            carried: true,
            ..server.clone()
        })
        .collect();
    let wishes = Wishes::merge(&held.wishes, &told.wishes, &told.unread, is_same);
    let mut servers = told.servers;
    servers.extend(carried);
    View {
        servers,
        wishes,
        ..told
    }
}

fn is_retired(retired: &[Retired], server: &Announced) -> bool {
    retired
        .iter()
        .any(|retired| (&retired.node, retired.instance) == (&server.node, server.instance))
}

/// What was wished here, was never told to the store, and does not hold any more, because the store has another wish of the same.
#[must_use]
pub fn overruled(held: &Wishes, next: &Wishes) -> Vec<Arc<str>> {
    let untold = held.untold().into_iter();
    let lost = untold.filter(|said| !next.says(said));
    lost.map(|said| said.of.into()).collect()
}

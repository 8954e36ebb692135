//! How a view that was told becomes the one that is held. `scripts/discovery.script` tells the cases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::view::{Announced, View};
use crate::wishes::{Shown, StoredWish, Wishes};

/// Bits of a version below its generation. A cluster that is made of a copy goes on in the next one (`remora-table`).
const GENERATION_SHIFT: u32 = 48;

/// What holds once `told` was told over `held`.
///
/// Of the cluster that is held, a view that is not older replaces what that cluster told before. Of another cluster it is added: its
/// servers win by name, and whoever it does not name stays, carried, unless it was retired there as the same instance. A server that
/// this cluster only has from a copy is older than one that is held of the cluster before, which stays until it has announced itself
/// to this one. A view of no cluster, or an older one, changes nothing. `pressing` are the wishes, by what they are of, that an operator
/// who waits wants the store to have in place of whatever it has.
#[must_use]
pub fn merge(held: &View, mut told: View, pressing: &[String]) -> View {
    let is_same = held.cluster == told.cluster;
    if !told.is_told() || is_same && told.version < held.version {
        return held.clone();
    }
    let generation = told.version >> GENERATION_SHIFT;
    let servers = told.servers.iter();
    let announced: BTreeMap<&str, bool> = servers
        .map(|server| (&*server.node, server.version >> GENERATION_SHIFT == generation))
        .collect();
    let retired = told.retired.iter();
    let retired: BTreeSet<(&str, u64)> = retired.map(|gone| (&*gone.node, gone.instance)).collect();
    let stays = |server: &&Announced| {
        (server.carried || !is_same)
            && announced.get(&*server.node) != Some(&true)
            && !retired.contains(&(&*server.node, server.instance))
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
    let names: BTreeSet<&str> = carried.iter().map(|server| &*server.node).collect();
    told.servers.retain(|server| !names.contains(&*server.node));
    let shown = Shown {
        version: told.version,
        is_same,
        is_unread: &|of| told.unread.contains_key(of),
        is_pressing: &|of| pressing.iter().any(|pressing| pressing == of),
    };
    let wishes = Wishes::merge(&held.wishes, &told.wishes, &shown);
    told.servers.extend(carried);
    let hosts = held.hosts.clone();
    View {
        wishes,
        hosts,
        ..told
    }
}

/// What is wished otherwise than before, by whom and when, as far as anybody knows that.
#[must_use]
pub fn heard(held: &Wishes, next: &Wishes) -> Vec<StoredWish> {
    let known: BTreeSet<String> = next.stored().map(|(said, _)| said.of).collect();
    let forgotten = held.stored().filter(|(before, _)| !known.contains(&before.of));
    let forgotten = forgotten.map(|(before, _)| StoredWish {
        of: before.of,
        ..StoredWish::default()
    });
    let said = next.stored().map(|(said, _)| said).chain(forgotten);
    said.filter(|said| !held.says(said)).collect()
}

/// What was wished here, was never told to the store, and does not hold any more, because the store has another wish of the same.
#[must_use]
pub fn overruled(held: &Wishes, next: &Wishes) -> Vec<Arc<str>> {
    let untold = held.untold().into_iter();
    let lost = untold.filter(|said| !next.says(said));
    lost.map(|said| said.of.into()).collect()
}

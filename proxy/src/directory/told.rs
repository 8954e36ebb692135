//! What people are told of what the directory publishes: in the log, and in the chronicle.
//!
//! Left out on purpose: what operators wish. Whoever takes a wish in knows who wished it.

use std::collections::{BTreeMap, BTreeSet};

use remora_policy::{Belief, Health, Refused, Upstream, UpstreamId};
use tracing::{info, warn};

use super::{RefusedServer, Snapshot};
use crate::chronicle::{Chronicle, Happening, Sort};

/// Tells of a belief that changes.
pub(super) fn transition(chronicle: &Chronicle, upstream: &Upstream, health: &Health) {
    let (before, after) = (upstream.health.belief(), health.belief());
    if before == after {
        return;
    }
    let (route, url, reason) = (&*upstream.route, upstream.url(), health.reason());
    let reason = &*reason;
    match after {
        Belief::Down => warn!(route, url, reason, "upstream is down"),
        Belief::Leaving => warn!(route, url, reason, "upstream is leaving"),
        Belief::Unknown => info!(route, url, reason, "upstream is tried"),
        Belief::Up => info!(route, url, reason, "upstream is up"),
    }
    let what = match after {
        Belief::Down => "is down",
        Belief::Leaving => "asks to be spared",
        Belief::Unknown => "is tried again",
        Belief::Up => "is up",
    };
    chronicle.note(Happening::new(Sort::Belief, route, format!("{url} {what}")).because(reason));
}

/// Tells of a file that is taken over, and of the members that come and go with it.
pub(super) fn reload(chronicle: &Chronicle, before: &Snapshot, after: &Snapshot) {
    let what = format!("the file {} was taken over", after.configuration);
    chronicle.note(Happening::new(Sort::Reload, "", what));
    members(chronicle, before, after, "the file says so");
}

/// Tells of members that come and go, and of servers that are not taken.
pub(super) fn members(chronicle: &Chronicle, before: &Snapshot, after: &Snapshot, why: &str) {
    let told = |one: &Snapshot, other: &Snapshot, verb: &str| {
        let there: BTreeSet<UpstreamId> = members_of(other).map(|(_, member)| member.id).collect();
        for (pool, member) in members_of(one) {
            if there.contains(&member.id) {
                continue;
            }
            let (route, url) = (&*member.route, member.url());
            if member.instance.is_some() {
                info!(pool, route, url, why, "a discovered member {verb}");
            }
            let what = format!("{url} {verb} pool {pool}");
            chronicle.note(Happening::new(Sort::Discovery, route, what).because(why));
        }
    };
    told(before, after, "leaves");
    told(after, before, "joins");
    let known = before.discovered.as_ref();
    refused(chronicle, known.map_or(&[][..], |known| &known.refused), after);
}

/// Tells once of each server that a pool does not take and that was not `known` as such before.
pub(super) fn refused(chronicle: &Chronicle, known: &[RefusedServer], after: &Snapshot) {
    let known: BTreeMap<(&str, &str), &RefusedServer> = known
        .iter()
        .map(|known| ((&*known.pool, &*known.server.node), known))
        .collect();
    for refused in after.discovered.iter().flat_map(|now| &now.refused) {
        let (pool, Refused { node, url, why }) = (&*refused.pool, &refused.server);
        if !why.is_final() || known.get(&(pool, &**node)) == Some(&refused) {
            continue;
        }
        warn!(pool, node = &**node, url = &**url, %why, "an announced Tomcat is no member: nobody is sent there");
        let what = format!("{url} is not taken into pool {pool}");
        chronicle.note(Happening::new(Sort::Discovery, node, what).because(why.to_string()));
    }
}

fn members_of(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &Upstream)> {
    let pools = snapshot.upstreams.pools.iter();
    pools.flat_map(|pool| pool.members.iter().map(|member| (&*pool.name, member)))
}

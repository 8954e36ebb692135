//! Active checks: asks every upstream whether it answers, and tells the directory what it saw.
//!
//! A check is a whole exchange, because only an answer proves anything: `OPTIONS *`, which Tomcat answers itself
//! without an application or a session, or `GET` of a configured path. It uses a kept-alive connection of its own, so
//! that a Tomcat whose connections are all taken by users is not called dead, and a fresh one when that was closed.
//!
//! Checks are made in turn (`pace`), at once at the start, and out of turn in two cases: a request saw a bad sign
//! (`doubts`), or requests wait while nobody is answered (`remora_policy::Silence`, which also says when silence is
//! beyond patience). One [`Watch`] for each upstream, all in one task; it follows reloads.
//!
//! Left out on purpose: what an observation means (`remora_policy`).

mod check;
mod pace;
mod watch;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use remora_policy::{Observation, Upstream, UpstreamId};

use crate::config::HealthConfig;
use crate::directory::Directory;
use watch::Watch;

/// Checks all upstreams for as long as it is polled. Must run on a thread with a tokio runtime, beside other tasks of
/// that thread; never ends by itself.
pub async fn run(directory: Directory) {
    let mut changes = directory.changes();
    let mut watched: Vec<UpstreamId> = Vec::new();
    let mut watches = FuturesUnordered::new();
    loop {
        let current = directory.current();
        for id in current
            .snapshot
            .upstreams
            .pools
            .iter()
            .flat_map(|pool| &pool.members)
            .map(|member| member.id)
        {
            if !watched.contains(&id) {
                watched.push(id);
                watches.push(Watch::new(directory.clone(), id).run());
            }
        }
        drop(current);
        tokio::select! {
            Some(gone) = watches.next() => watched.retain(|id| *id != gone),
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// An upstream as it is now, and how it is checked; none when a reload took it out.
fn find(directory: &Directory, id: UpstreamId) -> Option<(Upstream, HealthConfig)> {
    let snapshot = &directory.current().snapshot;
    let mut pools = snapshot.upstreams.pools.iter().zip(&snapshot.checks);
    pools.find_map(|(pool, config)| pool.member(id).map(|member| (member.clone(), config.clone())))
}

#[cfg(test)]
mod tests;

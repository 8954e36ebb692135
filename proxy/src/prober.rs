//! Active checks: asks every upstream whether it answers, and tells the directory what it saw.
//!
//! A check is a whole exchange, because only an answer proves anything: `OPTIONS *`, which Tomcat answers itself
//! without an application or a session, or `GET` of a configured path. It uses a kept-alive connection of its own, so
//! that a Tomcat whose connections are all taken by users is not called dead, and a fresh one when that was closed.
//!
//! A frozen process (accepting, not answering) must be found within about a second although checks are a second apart.
//! So a check is also made out of turn as soon as requests wait for the head of an answer from an upstream that has
//! answered nobody for a quarter of a second. An unanswered check counts as silence, which marks an upstream at once,
//! only if requests waited beside it and none was answered; a busy upstream that answers its users, or an idle one that
//! pauses for a moment, gets a second chance.
//!
//! One task for all upstreams; it follows reloads. Left out on purpose: what an observation means (`remora_policy`).

mod check;
mod pace;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use remora_policy::{Observation, Upstream, UpstreamId};
use tokio::time::Instant;

use crate::config::HealthConfig;
use crate::deadline::Deadline;
use crate::directory::Directory;
use crate::tally::Counters;
use check::{Checker, Outcome};
use pace::Pace;

/// How often a waiting checker looks whether an upstream has become suspicious.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long requests may wait on an upstream that answers nobody before it is checked out of turn. A quarter of a
/// second: most pages come sooner, and a needless check costs little.
const SUSPICION: Duration = Duration::from_millis(250);

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
                watches.push(watch(directory.clone(), id));
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

/// Checks one upstream until a reload takes it out.
async fn watch(directory: Directory, id: UpstreamId) -> UpstreamId {
    let mut pace = Pace::new(id);
    let checker = Rc::new(Checker::default());
    let mut last = Instant::now();
    loop {
        let pause = match find(&directory, id) {
            Some((upstream, config)) => pace.pause(config.every, upstream.health.belief()),
            None => return id,
        };
        let out_of_turn = Deadline::since(last, pace::BETWEEN_SUSPICIONS);
        wait(&directory, id, Deadline::since(last, pause), out_of_turn).await;
        let Some((upstream, config)) = find(&directory, id) else {
            return id;
        };
        last = Instant::now();
        let counters = counters(&directory, id);
        let answered = counters.answered_so_far();
        let outcome = checker.ask(&upstream, &config).await;
        let observation = outcome.observation(|| wait_in_vain(&counters, answered));
        if let Some(observation) = observation {
            directory.observe(id, observation);
        }
    }
}

/// Whether requests wait on an upstream and none was answered since it had answered so many.
fn wait_in_vain(counters: &Counters, answered: u64) -> bool {
    counters.waiting_now() > 0 && counters.answered_so_far() == answered
}

/// Waits until a check is due, or until `out_of_turn` at least when the upstream has become suspicious.
async fn wait(directory: &Directory, id: UpstreamId, due: Deadline, out_of_turn: Deadline) {
    let counters = counters(directory, id);
    let mut suspicious = Deadline::within(SUSPICION);
    let mut answered = None;
    while !due.has_passed() {
        due.min(Deadline::within(LOOK_EVERY)).passed().await;
        if find(directory, id).is_none() {
            return;
        }
        let so_far = Some(counters.answered_so_far());
        if so_far != answered || counters.waiting_now() == 0 {
            suspicious = Deadline::within(SUSPICION);
            answered = so_far;
        }
        if suspicious.has_passed() && out_of_turn.has_passed() {
            return;
        }
    }
}

fn find(directory: &Directory, id: UpstreamId) -> Option<(Upstream, HealthConfig)> {
    let snapshot = &directory.current().snapshot;
    let mut pools = snapshot.upstreams.pools.iter().zip(&snapshot.checks);
    pools.find_map(|(pool, config)| pool.member(id).map(|member| (member.clone(), config.clone())))
}

fn counters(directory: &Directory, id: UpstreamId) -> Arc<Counters> {
    Arc::clone(directory.current().tally.upstream(id))
}

impl Outcome {
    /// What it says about the upstream, if anything.
    fn observation(self, wait_in_vain: impl Fn() -> bool) -> Option<Observation> {
        match self {
            Outcome::Unanswered if wait_in_vain() => Some(Observation::CheckSilent),
            Outcome::Unanswered => Some(Observation::CheckSlow),
            Outcome::Answered(status) if status < 500 => Some(Observation::CheckPassed),
            Outcome::Answered(_) => Some(Observation::CheckRejected),
            Outcome::Refused => Some(Observation::CheckRefused),
            Outcome::Broken => Some(Observation::CheckBroken),
            Outcome::NotMade => None,
        }
    }
}

#[cfg(test)]
mod tests;

//! The owner of what the proxy knows of its upstreams: the only writer, and the publisher of snapshots.
//!
//! Readers take the current [`Snapshot`] without waiting and keep it for a whole exchange; nothing in it changes. A
//! writer (an observation that changes a belief, a drain, a reload) takes the one lock, derives the next snapshot from
//! the current one and publishes it before it returns, so that the very next pick of the thread that saw a refused
//! connect goes elsewhere. Changes are rare and their derivation is a copy of a few dozen values; a queue in between
//! would only delay them. Observations that change nothing take no lock, and
//! allocate nothing.
//!
//! What is published is derived of three things alone: what the file says, what the store's registry is known to hold, and what
//! operators wish (`derived`, `discovered`, `wished`).
//!
//! Invariants: generations rise by one · an upstream keeps its id, health and counters over a reload, and over a view of the registry, as
//! long as pool, route and address stay · what is wished of a route holds over reloads, also while no pool has it, and wins over what the
//! file says · nothing here waits.

mod derived;
mod discovered;
mod held;
mod maintained;
mod names;
mod told;
mod wished;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use remora_policy::{
    AdminState, Belief, Health, Observation, PathMap, Pool, Rising, Settings, Upstream, UpstreamId,
    UpstreamSet, View,
};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::chronicle::Chronicle;
use crate::config::{Config, HealthConfig, Limits, Pages, Rules, Terms, Trust};
use crate::tally::Tally;
use crate::tls::{Outward, OwnCertificate};
pub use discovered::Followed;
pub(crate) use discovered::{Discovered, RefusedServer};
pub(crate) use held::{Held, Holder};
pub(crate) use maintained::{InPlace, MaintainedPool, Notice};
pub(crate) use wished::{Meant, Unknown, unix_ms, unix_now};

/// How long a start waits for the store's first word of who is there, where nothing is known from before. 5 s: an election of the store
/// and a handshake. Without it each request would get 503 in that time.
const FIRST_VIEW: Duration = Duration::from_secs(5);

/// What the directory publishes: the values that decide, and beside them what is counted.
pub(crate) struct Current {
    /// All that an exchange needs to know, at one moment.
    pub(crate) snapshot: Snapshot,
    /// The counters of its pools and upstreams.
    pub(crate) tally: Arc<Tally>,
}

/// All that an exchange needs to know, at one moment: plain values that never change.
#[derive(Clone)]
pub(crate) struct Snapshot {
    /// Rises with every change.
    pub(crate) generation: u64,
    /// The pools and their upstreams.
    pub(crate) upstreams: UpstreamSet,
    /// Which pool serves which path.
    pub(crate) paths: PathMap,
    /// What else holds on each route, by its position in the configuration.
    pub(crate) terms: Arc<[Terms]>,
    /// Every bound that an owner may set.
    pub(crate) limits: Limits,
    /// Peers whose forwarding fields are believed.
    pub(crate) trust: Trust,
    /// An owner's rules for fields.
    pub(crate) rules: Rules,
    /// Names under which session ids stand in paths and queries, of all pools; what is logged hides them.
    pub(crate) session_parameters: Arc<[Arc<str>]>,
    /// What is said where no pool is known.
    pub(crate) pages: Arc<Pages>,
    /// What is said in place of the upstreams of each pool, by the pools' positions.
    pub(crate) in_place: Vec<InPlace>,
    /// By what connections to members are secured, of those that speak TLS.
    pub(crate) outwards: Arc<BTreeMap<UpstreamId, Arc<Outward>>>,
    /// How the members of each pool are checked, by the pools' positions.
    pub(crate) checks: Vec<HealthConfig>,
    /// What came of the store's registry; absent where no pool asks for it.
    pub(crate) discovered: Option<Arc<Discovered>>,
    /// Which file all of this was read from.
    pub(crate) configuration: Arc<str>,
}

/// A handle on the directory; clones share it.
#[derive(Clone)]
pub struct Directory {
    shared: Arc<Shared>,
}

struct Shared {
    current: Arc<ArcSwap<Current>>,
    writer: Mutex<Writer>,
    changes: watch::Sender<u64>,
    /// Rises with what is learnt of hosts' names.
    learnt: watch::Sender<u64>,
    /// What people are told of all this.
    chronicle: Chronicle,
    /// The moment from which snapshots count time.
    epoch: Instant,
}

/// What only the writer needs.
struct Writer {
    next_id: u32,
    /// Since when clients are served, if they are.
    serving: Option<Serving>,
    /// Who was up, at whatever time.
    were_up: BTreeSet<UpstreamId>,
    /// What the file says.
    config: Config,
    /// What was told of the store's registry, and what operators wish.
    view: View,
    /// The same as the store told it last, if it has since this process began.
    told: Option<View>,
    /// What the file says of each upstream.
    attached: BTreeMap<UpstreamId, Settings>,
    /// Of every upstream and every pool that ever was.
    tally: Tally,
}

/// The moment from which clients are served.
struct Serving {
    since: Instant,
    /// Upstreams that were there have smaller ids.
    next_id: u32,
    /// Whether the store had not told yet who is there: who comes with its first word was there all the same.
    awaits_view: bool,
}

impl Directory {
    /// A directory of the configured upstreams, of which nothing is known until something is seen.
    #[must_use]
    pub fn new(config: &Config) -> Directory {
        Directory::with_view(config, View::default())
    }

    /// The same, with what was wished, and who had announced himself, before the process began.
    #[must_use]
    pub fn with_view(config: &Config, view: View) -> Directory {
        let mut writer = Writer {
            next_id: 0,
            serving: None,
            were_up: BTreeSet::new(),
            config: config.clone(),
            view,
            told: None,
            attached: BTreeMap::new(),
            tally: Tally::new(config.threads),
        };
        let current = writer.derive(None);
        let chronicle = Chronicle::default();
        told::refused(&chronicle, &[], &current.snapshot);
        let (changes, _) = watch::channel(current.snapshot.generation);
        Directory {
            shared: Arc::new(Shared {
                current: Arc::new(ArcSwap::from_pointee(current)),
                writer: Mutex::new(writer),
                changes,
                learnt: watch::channel(0).0,
                chronicle,
                epoch: Instant::now(),
            }),
        }
    }

    /// Waits until the store has told who is there, where a pool asks for that and nothing is known from before, and then until a
    /// check has said something of every upstream that is checked, at most for as long as the most patient pool gives a check. A
    /// prober must run beside it, and whoever follows the store.
    pub async fn first_verdicts(&self) {
        let mut changes = self.changes();
        let told = async { while self.is_view_awaited() && changes.changed().await.is_ok() {} };
        if tokio::time::timeout(FIRST_VIEW, told).await.is_err() {
            warn!("the store has not told yet who is there: clients are served by what the file says");
        }
        let longest = self.longest_check();
        let known = async { while self.is_somebody_unseen() && changes.changed().await.is_ok() {} };
        // Whatever they are, and if there are none: clients are served.
        let _ = tokio::time::timeout(longest, known).await;
        let awaits_view = self.is_view_awaited();
        let mut writer = self.lock();
        writer.serving = Some(Serving {
            since: Instant::now(),
            next_id: writer.next_id,
            awaits_view,
        });
    }

    /// How long the first checks may take, at most, and before them the first word of the store.
    pub(crate) fn verdicts_within(&self) -> Duration {
        let waits = self.current().snapshot.discovered.is_some();
        self.longest_check() + if waits { FIRST_VIEW } else { Duration::ZERO }
    }

    fn longest_check(&self) -> Duration {
        let current = self.current();
        let timeouts = current.snapshot.checks.iter().map(|checks| checks.timeout);
        timeouts.max().unwrap_or_default()
    }

    fn is_somebody_unseen(&self) -> bool {
        let current = self.current();
        if let Some(discovered) = &current.snapshot.discovered
            && discovered.awaits_a_name()
        {
            return true;
        }
        let mut pools = current
            .snapshot
            .upstreams
            .pools
            .iter()
            .filter(|pool| pool.rule.checked);
        let is_unseen = |member: &Upstream| member.health.is_unseen() && member.state != AdminState::Stopped;
        pools.any(|pool| pool.members.iter().any(is_unseen))
    }

    /// A moment as the time of snapshots.
    #[must_use]
    pub(crate) fn time(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.shared.epoch)
    }

    /// The current snapshot, with its counters. Never waits. Threads that serve clients ask their [`Holder`].
    #[must_use]
    pub(crate) fn current(&self) -> Arc<Current> {
        self.shared.current.load_full()
    }

    /// A thread's own look at the snapshots.
    #[must_use]
    pub(crate) fn holder(&self) -> Holder {
        Holder::new(Arc::clone(&self.shared.current))
    }

    /// What changed lately.
    #[must_use]
    pub fn chronicle(&self) -> &Chronicle {
        &self.shared.chronicle
    }

    /// Announces the generation of every new snapshot.
    #[must_use]
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Something was seen of an upstream. Costs one look at the current snapshot unless it changes a belief. Unknown
    /// ids (a reload took the upstream out) are ignored.
    pub(crate) fn observe(&self, id: UpstreamId, observation: &Observation) {
        self.observe_at(id, observation, Instant::now);
    }

    fn observe_at(&self, id: UpstreamId, observation: &Observation, now: impl Fn() -> Instant) {
        let current = self.shared.current.load();
        let changes = |current: &Current| {
            let upstreams = &current.snapshot.upstreams;
            upstreams
                .find(id)
                .and_then(|(pool, upstream)| upstream.health.observe(observation, &pool.rule))
        };
        if changes(&current).is_none() {
            return;
        }
        let mut writer = self.lock();
        // Somebody else may have written since: decide again on what holds now.
        let current = self.current();
        let Some(health) = changes(&current) else { return };
        let now = now();
        let rose = writer.is_cold(&current.snapshot, id, now).then(|| self.time(now));
        writer.remember_up(&current.snapshot, id, &health);
        self.publish(&writer, &current, |upstream| {
            if upstream.id == id {
                told::transition(&self.shared.chronicle, upstream, &health);
                match (upstream.health.belief(), health.belief()) {
                    (Belief::Up, Belief::Up) => {}
                    (_, Belief::Up) => upstream.rose = rose,
                    _ => upstream.rose = None,
                }
                upstream.health = health.clone();
            }
        });
    }

    /// Takes over pools, members, routes, limits and trust of a new configuration.
    pub fn reload(&self, config: &Config) {
        let mut writer = self.lock();
        let current = self.current();
        writer.config = config.clone();
        let next = writer.derive(Some(&current));
        info!(
            generation = next.snapshot.generation,
            pools = next.snapshot.upstreams.pools.len(),
            "configuration taken over"
        );
        told::reload(&self.shared.chronicle, &current.snapshot, &next.snapshot);
        self.swap(next);
    }

    /// Publishes the current snapshot with `change` applied to each upstream.
    fn publish(&self, writer: &Writer, current: &Current, change: impl Fn(&mut Upstream)) {
        let mut snapshot = current.snapshot.clone();
        snapshot.generation += 1;
        for upstream in snapshot
            .upstreams
            .pools
            .iter_mut()
            .flat_map(|pool| &mut pool.members)
        {
            change(upstream);
        }
        snapshot.maintain(&writer.view.wishes.pools);
        if let Some(discovered) = &mut snapshot.discovered
            && (&discovered.cluster, discovered.version) != (&writer.view.cluster, writer.view.version)
        {
            let discovered = Arc::make_mut(discovered);
            discovered.cluster = Arc::clone(&writer.view.cluster);
            discovered.version = writer.view.version;
        }
        let tally = Arc::clone(&current.tally);
        self.swap(Current { snapshot, tally });
    }

    fn swap(&self, next: Current) {
        let generation = next.snapshot.generation;
        self.shared.current.store(Arc::new(next));
        self.shared.changes.send_replace(generation);
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        // A panic elsewhere cannot have left the writer half changed: each of its fields is changed by one call.
        self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Whether an upstream that comes up now is one that has just been started.
    fn is_cold(&self, snapshot: &Snapshot, id: UpstreamId, now: Instant) -> bool {
        let serving = self.serving.as_ref();
        let rising = Rising {
            served_for: serving.map(|serving| now.saturating_duration_since(serving.since)),
            beside_others: is_another_up(snapshot, id),
            from_start: serving.is_none_or(|serving| id.0 < serving.next_id),
            was_up: self.were_up.contains(&id),
        };
        rising.is_cold()
    }

    /// Notes an upstream that is up, or was: where nobody checks, it is so from the beginning.
    fn remember_up(&mut self, snapshot: &Snapshot, id: UpstreamId, next: &Health) {
        let before = snapshot
            .upstreams
            .find(id)
            .map(|(_, upstream)| upstream.health.belief());
        if before == Some(Belief::Up) || next.belief() == Belief::Up {
            self.were_up.insert(id);
        }
    }
}

impl Snapshot {
    /// By what connections to this upstream are secured; none in clear.
    pub(crate) fn outward(&self, upstream: UpstreamId) -> Option<&Arc<Outward>> {
        self.outwards.get(&upstream)
    }

    /// The certificates that members are shown, one for each pool that has one.
    pub(crate) fn own_certificates(&self) -> impl Iterator<Item = (&Pool, &OwnCertificate)> {
        self.upstreams.pools.iter().filter_map(|pool| {
            let mut ways = pool.members.iter().filter_map(|member| self.outward(member.id));
            Some((pool, ways.find_map(|way| way.own())?))
        })
    }
}

/// Whether a pool has somebody who is up beside this one.
fn is_another_up(snapshot: &Snapshot, id: UpstreamId) -> bool {
    let is_up = |other: &Upstream| {
        other.id != id && other.health.belief() == Belief::Up && other.state == AdminState::Active
    };
    let found = snapshot.upstreams.find(id);
    found.is_some_and(|(pool, _)| pool.members.iter().any(is_up))
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

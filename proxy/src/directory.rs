//! The owner of what the proxy knows of its upstreams: the only writer, and the publisher of snapshots.
//!
//! Readers take the current [`Snapshot`] without waiting and keep it for a whole exchange; nothing in it changes. A
//! writer (an observation that changes a belief, a drain, a reload) takes the one lock, derives the next snapshot from
//! the current one and publishes it before it returns, so that the very next pick of the thread that saw a refused
//! connect goes elsewhere. Changes are rare and their derivation is a copy of a few dozen values; a queue in between
//! would only delay them. Observations that change nothing take no lock, and
//! allocate nothing.
//!
//! Invariants: generations rise by one · an upstream keeps its id, health and counters over a reload as long as pool, route
//! and address stay · what is wished of a route holds over reloads, also while no pool has it, and wins over what the
//! file says · nothing here waits.

mod held;
mod maintained;
mod told;
mod wished;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use remora_policy::{
    AdminState, Belief, Health, Observation, PathMap, Pool, Settings, Upstream, UpstreamId, UpstreamSet,
    Wishes,
};
use tokio::sync::watch;
use tracing::info;

use crate::chronicle::Chronicle;
use crate::config::{Config, HealthConfig, Limits, MemberConfig, Pages, PoolConfig, Rules, Terms, Trust};
use crate::tally::Tally;
use crate::tls::{Outward, OwnCertificate};
pub(crate) use held::{Held, Holder};
pub(crate) use maintained::{InPlace, MaintainedPool, Notice};
pub(crate) use wished::{Meant, Unknown, unix_ms, unix_now};

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
    /// What people are told of all this.
    chronicle: Chronicle,
    /// The moment from which snapshots count time.
    epoch: Instant,
}

/// What only the writer needs.
struct Writer {
    next_id: u32,
    /// Whether clients are served: whoever comes up from then on starts slowly.
    serving: bool,
    wishes: Wishes,
    attached: Vec<Attached>,
    /// Of every upstream and every pool that ever was.
    tally: Tally,
}

/// What the directory keeps beside an upstream.
struct Attached {
    id: UpstreamId,
    /// What the file says of it.
    configured: Settings,
}

impl Directory {
    /// A directory of the configured upstreams, of which nothing is known until something is seen.
    #[must_use]
    pub fn new(config: &Config) -> Directory {
        Directory::with_wishes(config, Wishes::default())
    }

    /// The same, with what was wished before the process began.
    #[must_use]
    pub fn with_wishes(config: &Config, wishes: Wishes) -> Directory {
        let mut writer = Writer {
            next_id: 0,
            serving: false,
            wishes,
            attached: Vec::new(),
            tally: Tally::new(config.threads),
        };
        let current = writer.derive(config, None);
        let (changes, _) = watch::channel(current.snapshot.generation);
        Directory {
            shared: Arc::new(Shared {
                current: Arc::new(ArcSwap::from_pointee(current)),
                writer: Mutex::new(writer),
                changes,
                chronicle: Chronicle::default(),
                epoch: Instant::now(),
            }),
        }
    }

    /// Waits until a check has said something of every upstream that is checked, at most for as long as the most patient
    /// pool gives a check. A prober must run beside it.
    pub async fn first_verdicts(&self) {
        let longest = self.verdicts_within();
        let mut changes = self.changes();
        let known = async { while self.is_somebody_unseen() && changes.changed().await.is_ok() {} };
        // Whatever they are, and if there are none: clients are served.
        let _ = tokio::time::timeout(longest, known).await;
        self.lock().serving = true;
    }

    /// How long the first checks may take, at most.
    pub(crate) fn verdicts_within(&self) -> Duration {
        let current = self.current();
        let timeouts = current.snapshot.checks.iter().map(|checks| checks.timeout);
        timeouts.max().unwrap_or_default()
    }

    fn is_somebody_unseen(&self) -> bool {
        let current = self.current();
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
    pub(crate) fn observe(&self, id: UpstreamId, observation: Observation) {
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
        let writer = self.lock();
        // Somebody else may have written since: decide again on what holds now.
        let current = self.current();
        let Some(health) = changes(&current) else { return };
        let rose =
            (writer.serving && is_another_up(&current.snapshot, id)).then(|| self.time(Instant::now()));
        self.publish(&writer, &current, |upstream| {
            if upstream.id == id {
                told::transition(&self.shared.chronicle, upstream, health);
                match (upstream.health.belief(), health.belief()) {
                    (Belief::Up, Belief::Up) => {}
                    (_, Belief::Up) => upstream.rose = rose,
                    _ => upstream.rose = None,
                }
                upstream.health = health;
            }
        });
    }

    /// Takes over pools, members, routes, limits and trust of a new configuration.
    pub fn reload(&self, config: &Config) {
        let mut writer = self.lock();
        let current = self.current();
        let next = writer.derive(config, Some(&current));
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
        snapshot.maintain(&writer.wishes.pools);
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
    /// What is published of a configuration: it takes over what is known of upstreams that stay.
    fn derive(&mut self, config: &Config, current: Option<&Current>) -> Current {
        let before = current.map(|current| &current.snapshot);
        let pools = config
            .pools
            .iter()
            .map(|pool| self.derive_pool(pool, before))
            .collect();
        let upstreams = UpstreamSet { pools };
        self.attached
            .retain(|attached| upstreams.find(attached.id).is_some());
        let in_place = |pool: &PoolConfig| {
            // What it said before is kept, so that only a change is told.
            let before = before.and_then(|before| before.in_place_of(&pool.name));
            InPlace::new(pool, before)
        };
        let mut snapshot = Snapshot {
            generation: before.map_or(1, |before| before.generation + 1),
            paths: PathMap::new(config.routes.clone()),
            terms: Arc::clone(&config.terms),
            limits: config.limits,
            trust: config.trust.clone(),
            rules: config.rules.clone(),
            session_parameters: config
                .pools
                .iter()
                .map(|pool| pool.sticky.parameter.clone())
                .collect(),
            pages: Arc::clone(&config.pages),
            in_place: config.pools.iter().map(in_place).collect(),
            outwards: Arc::new(outwards(config, &upstreams, before)),
            checks: config.pools.iter().map(|pool| pool.health.clone()).collect(),
            configuration: config.fingerprint.as_str().into(),
            upstreams,
        };
        snapshot.maintain(&self.wishes.pools);
        let names = config.pools.iter().map(|pool| &*pool.name);
        self.tally.set_pools(names);
        let tally = Arc::new(self.tally.clone());
        Current { snapshot, tally }
    }

    fn derive_pool(&mut self, config: &PoolConfig, before: Option<&Snapshot>) -> Pool {
        let mut before = before.into_iter().flat_map(|before| &before.upstreams.pools);
        let before = before.find(|pool| pool.name == config.name);
        let rule = config.health.rule;
        // Where checks are turned on or off, what was believed rests on other signs.
        let same_rule = before.is_some_and(|pool| pool.rule.checked == rule.checked);
        let now = unix_now();
        let members = config.members.iter().map(|member| {
            let is_same = |before: &&Upstream| {
                let way = (&before.authority, before.secured);
                before.route == member.route && way == (&member.authority, member.outward.is_some())
            };
            let stays = before.and_then(|pool| pool.members.iter().find(is_same));
            let id = self.attach(&config.name, member, stays);
            let Settings { state, weight } = self.wishes.of(&member.route).over(member.configured, now);
            Upstream {
                id,
                route: member.route.clone(),
                authority: member.authority.clone(),
                secured: member.outward.is_some(),
                weight,
                threads: member.threads,
                health: stays
                    .filter(|_| same_rule)
                    .map_or_else(|| Health::new(&rule), |stays| stays.health),
                rose: stays.and_then(|stays| stays.rose),
                state,
                set: member.set,
                group: member.group.clone(),
                redirect: member.redirect.clone(),
            }
        });
        Pool {
            name: config.name.clone(),
            sticky: config.sticky.clone(),
            balance: config.balance,
            rule,
            members: members.collect(),
        }
    }

    /// The id of a member, a new one unless it stays; what the file says of it is kept.
    fn attach(&mut self, pool: &str, member: &MemberConfig, stays: Option<&Upstream>) -> UpstreamId {
        let before = self
            .attached
            .iter_mut()
            .find(|attached| Some(attached.id) == stays.map(|stays| stays.id));
        if let Some(before) = before {
            before.configured = member.configured;
            return before.id;
        }
        let id = UpstreamId(self.next_id);
        self.next_id += 1;
        self.tally.add(pool, &member.route);
        self.attached.push(Attached {
            id,
            configured: member.configured,
        });
        id
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

/// The ways to the members that speak TLS. One that leads where it did stays, with its connections and what they resume by.
fn outwards(
    config: &Config,
    upstreams: &UpstreamSet,
    before: Option<&Snapshot>,
) -> BTreeMap<UpstreamId, Arc<Outward>> {
    let configured = config.pools.iter().flat_map(|pool| &pool.members);
    let members = upstreams.pools.iter().flat_map(|pool| &pool.members);
    let ways = members.zip(configured);
    ways.filter_map(|(member, configured)| {
        let read = configured.outward.as_ref()?;
        let known = before.and_then(|before| before.outward(member.id));
        let way = known.filter(|known| known.is_like(read)).unwrap_or(read);
        Some((member.id, Arc::clone(way)))
    })
    .collect()
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

//! How a snapshot is derived of what the file says, of who was discovered, and of what operators wish.
//!
//! Invariants: nothing here is published · a member whose pool, route, address and way stay is the same upstream · what is known of
//! whoever stays is taken over, and nothing else of the snapshot before.
//!
//! Left out on purpose: who is discovered (`discovered`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use remora_policy::{Health, PathMap, Pool, Settings, Upstream, UpstreamId, UpstreamSet};
use tracing::warn;

use super::{Current, InPlace, Snapshot, Writer, unix_now};
use crate::config::{Config, MemberConfig, PoolConfig};
use crate::tls::Outward;

impl Writer {
    /// What is published of the file, the registry and the wishes: it takes over what is known of upstreams that stay.
    pub(super) fn derive(&mut self, current: Option<&Current>) -> Current {
        let (config, discovered) = self.discovered();
        let config = &config;
        let before = current.map(|current| &current.snapshot);
        let pools = config
            .pools
            .iter()
            .map(|pool| self.derive_pool(pool, before))
            .collect();
        let upstreams = UpstreamSet { pools };
        let members = upstreams.pools.iter().flat_map(|pool| &pool.members);
        let present: BTreeSet<UpstreamId> = members.map(|member| member.id).collect();
        self.attached.retain(|id, _| present.contains(id));
        self.were_up.retain(|id| present.contains(id));
        self.tally.keep(&present);
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
            discovered: discovered.map(Arc::new),
            upstreams,
        };
        snapshot.maintain(&self.view.wishes.pools);
        tell_of_empty_pools(before, &snapshot);
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
        let known = before.into_iter().flat_map(|pool| &pool.members);
        let known: BTreeMap<(&str, &str, bool), &Upstream> = known
            .map(|known| ((&*known.route, &*known.authority, known.secured), known))
            .collect();
        let members = config.members.iter().map(|member| {
            let way = (&*member.route, &*member.authority, member.outward.is_some());
            let stays = known.get(&way).copied();
            let id = self.attach(&config.name, member, stays);
            let Settings { state, weight } = self.view.wishes.of(&member.route).over(member.configured, now);
            Upstream {
                id,
                route: member.route.clone(),
                authority: member.authority.clone(),
                secured: member.outward.is_some(),
                weight,
                threads: member.threads,
                health: stays
                    .filter(|_| same_rule)
                    .map_or_else(|| Health::new(&rule), |stays| stays.health.clone()),
                rose: stays.and_then(|stays| stays.rose),
                state,
                set: member.set,
                group: member.group.clone(),
                redirect: member.redirect.clone(),
                instance: member.instance,
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
        if let Some(stays) = stays {
            self.attached.insert(stays.id, member.configured);
            if stays.instance != member.instance {
                // It began anew at its address: what was believed holds until a check has said otherwise, at once.
                self.tally.doubts(stays.id).raise();
            }
            return stays.id;
        }
        let id = UpstreamId(self.next_id);
        self.next_id += 1;
        self.tally.add(pool, &member.route);
        self.attached.insert(id, member.configured);
        id
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

/// Says once of each pool that nobody is there; a file alone cannot have such pools.
fn tell_of_empty_pools(before: Option<&Snapshot>, now: &Snapshot) {
    for pool in now.upstreams.pools.iter().filter(|pool| pool.members.is_empty()) {
        let mut pools = before.into_iter().flat_map(|before| &before.upstreams.pools);
        if pools.any(|before| before.name == pool.name && before.members.is_empty()) {
            continue;
        }
        let pool = &*pool.name;
        warn!(
            pool,
            "a pool has no member: its requests get 503 until a Tomcat announces itself to the store"
        );
    }
}

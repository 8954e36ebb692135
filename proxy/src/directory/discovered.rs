//! Who is a member because he announced himself to the store, as the directory publishes it beside the members of the file.
//!
//! Invariants: what the store tells is merged into what is held (`remora_policy::merge`), so silence, an old word or a cluster that
//! knows nobody takes nobody out · who leaves is left with the next pick: what is published names him no more, and his
//! WebSockets end as after a reload · who begins anew at another address is another upstream; at the same one he is the same, and
//! checked at once.
//!
//! Left out on purpose: how the store is followed, and where a view is kept (`wishes`).

use std::sync::Arc;
use std::time::Instant;

use remora_policy::{
    AdminState, Refusal, Refused, Selection, Settings, StoredWish, Taken, View, heard, merge, overruled,
};

use super::{Directory, Serving, Writer, told};
use crate::config::{Config, MemberConfig, PoolConfig, StoreConfig, WEIGHT_DEFAULT};
use crate::tls::Outward;

/// What came of the store's registry, as a snapshot has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Discovered {
    /// Identity of the cluster that told it, hexadecimal; empty before the first.
    pub(crate) cluster: Arc<str>,
    /// The version of what it told.
    pub(crate) version: u64,
    /// Who announced himself and is no member, in the order of the pools.
    pub(crate) refused: Vec<RefusedServer>,
}

impl Discovered {
    /// Whether somebody is no member yet because his host is being looked up.
    pub(super) fn awaits_a_name(&self) -> bool {
        self.refused.iter().any(|refused| !refused.server.why.is_final())
    }
}

/// A server that a pool does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedServer {
    /// The pool.
    pub(crate) pool: Arc<str>,
    /// The server, and why.
    pub(crate) server: Refused,
}

/// What a view changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Version of the view by which everything is served that begins from now on.
    pub version: u64,
    /// What was wished here and never told, and does not hold any more, because the store has another wish of the same: `route NAME`
    /// or `pool NAME`.
    pub overruled: Vec<Arc<str>>,
    /// What is wished otherwise than before, by whom and when.
    pub heard: Vec<StoredWish>,
}

impl Directory {
    /// Takes over what the store tells. Nothing that begins from then on goes by what was known before. Wishes are taken in on the same
    /// thread ([`follow`](Self::follow)), so none falls between. `pressing`: of what operators wait for the store to have their wish.
    pub fn discover(&self, told: View, pressing: &[String]) -> Followed {
        let mut writer = self.lock();
        writer.told = Some(told.clone());
        let next = merge(&writer.view, told, pressing);
        let followed = self.hold(&mut writer, next);
        writer.begin_with_the_view();
        followed
    }

    /// Takes over what a predecessor kept last, in place of what was there when this process began; what the store has told
    /// meanwhile is later than that.
    pub fn take_over(&self, kept: View) {
        let mut writer = self.lock();
        let mut next = match &writer.told {
            Some(told) => merge(&kept, told.clone(), &[]),
            None => kept,
        };
        // So is what was found here.
        let found = writer.view.hosts.iter().filter(|(_, found)| !found.is_empty());
        next.hosts
            .extend(found.map(|(name, found)| (Arc::clone(name), found.clone())));
        self.hold(&mut writer, next);
    }

    /// What is known of the registry, and what operators wish.
    #[must_use]
    pub(crate) fn view(&self) -> View {
        self.lock().view.clone()
    }

    /// The store whose registry is to be followed; none while no pool asks for it.
    #[must_use]
    pub(crate) fn followed_store(&self) -> Option<StoreConfig> {
        self.lock().config.discovery.clone()
    }

    /// Whether nothing is known yet of a registry that a pool asks for.
    pub(super) fn is_view_awaited(&self) -> bool {
        let writer = self.lock();
        writer.config.discovery.is_some() && !writer.view.is_told()
    }

    fn hold(&self, writer: &mut Writer, next: View) -> Followed {
        let followed = Followed {
            version: next.version,
            overruled: overruled(&writer.view.wishes, &next.wishes),
            heard: heard(&writer.view.wishes, &next.wishes),
        };
        let is_same = next == writer.view;
        // Who is a member rests on the servers alone, and on what their hosts' names mean.
        let stand = next.servers == writer.view.servers && next.hosts == writer.view.hosts;
        writer.view = next;
        if !stand {
            self.publish_anew(writer, "the store's registry says so");
        } else if !is_same {
            self.publish_wishes(writer);
        }
        followed
    }

    /// Publishes what the file, the registry and the wishes say now.
    pub(super) fn publish_anew(&self, writer: &mut Writer, why: &str) {
        let current = self.current();
        let next = writer.derive(Some(&current));
        told::members(self.chronicle(), &current.snapshot, &next.snapshot, why);
        self.swap(next);
    }
}

impl Writer {
    /// Where clients were served before the store had told who is there, who comes with its first word was there, and begins with it.
    fn begin_with_the_view(&mut self) {
        let next_id = self.next_id;
        if let Some(serving) = self.serving.as_mut().filter(|serving| serving.awaits_view) {
            *serving = Serving {
                since: Instant::now(),
                next_id,
                awaits_view: false,
            };
        }
    }

    /// The configuration with all members, those of the file first, and what came of the registry.
    pub(super) fn discovered(&self) -> (Config, Option<Discovered>) {
        let mut config = self.config.clone();
        let mut refused = Vec::new();
        for pool in &mut config.pools {
            let servers = self.join(pool).into_iter();
            let name = &pool.name;
            refused.extend(servers.map(|server| RefusedServer {
                pool: Arc::clone(name),
                server,
            }));
        }
        let view = &self.view;
        let discovered = config.discovery.is_some().then(|| Discovered {
            cluster: Arc::clone(&view.cluster),
            version: view.version,
            refused,
        });
        (config, discovered)
    }

    /// Asks how a pool selects; none where it takes nobody who announced himself.
    pub(super) fn select<T>(&self, pool: &PoolConfig, ask: impl FnOnce(&Selection<'_>) -> T) -> Option<T> {
        let discovery = pool.discovery.as_ref()?;
        let taken: Vec<Taken<'_>> = pool
            .members
            .iter()
            .map(|member| Taken {
                route: &member.route,
                authority: &member.authority,
            })
            .collect();
        Some(ask(&Selection {
            applications: discovery.applications.as_deref(),
            secured: pool.tls.is_some(),
            allows: &|address| discovery.allow.include(address),
            means: &|name| self.view.hosts.get(name).cloned(),
            taken: &taken,
        }))
    }

    /// Lets the servers join that the pool takes; gives the others that are meant for it.
    fn join(&self, pool: &mut PoolConfig) -> Vec<Refused> {
        let selected = self.select(pool, |selection| selection.of(&self.view));
        let Some((chosen, mut refused)) = selected else {
            return Vec::new();
        };
        for member in &mut pool.members {
            let threads = self.view.server(&member.route).map(|server| server.threads);
            member.threads = member.threads.or(threads.filter(|threads| *threads > 0));
        }
        for server in chosen {
            let outward = pool.tls.as_ref().map(|tls| {
                let name = tls.name.as_deref().unwrap_or(&server.host);
                Outward::new(&tls.read, name).map(Arc::new)
            });
            let Ok(outward) = outward.transpose() else {
                let url = format!("https://{}", server.host).into();
                let (node, why) = (server.route, Refusal::NoName);
                refused.push(Refused { node, url, why });
                continue;
            };
            pool.members.push(MemberConfig {
                authority: server.authority,
                outward,
                route: server.route,
                configured: Settings {
                    state: AdminState::default(),
                    weight: WEIGHT_DEFAULT,
                },
                set: 0,
                group: None,
                redirect: None,
                threads: server.threads,
                instance: Some(server.instance),
            });
        }
        refused
    }
}

#[cfg(test)]
mod tests;

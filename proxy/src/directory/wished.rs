//! What operators wish of upstreams, as the directory publishes it beside what is believed of them.
//!
//! Invariant: what holds of an upstream is derived from the file, the wishes and the time, never from what held before.
//!
//! Left out on purpose: who may wish and where it is kept (`control`), and the rule by which a wish wins (`remora_policy`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use remora_policy::{AdminState, Emptied, Pool, Settings, StoredWish, Tier, Upstream, Wishes};
use tracing::info;

use super::{Directory, Writer};
use crate::chronicle::{Happening, Sort};

/// A wish is about nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unknown {
    /// It named a route that no pool has.
    #[error("no pool has an upstream with route `{0}`; known here: {1}")]
    Route(String, String),
    /// It named a group that no pool has.
    #[error("no pool has an upstream in group `{0}`; known here: {1}")]
    Group(String, String),
}

/// Whom a wish is about, in every pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meant {
    /// Upstreams of this route.
    Route(String),
    /// All routes of upstreams of this group.
    Group(String),
}

impl Directory {
    /// The routes that are meant, of those that a pool has or a wish is about.
    ///
    /// # Errors
    /// Nobody is.
    pub(crate) fn meant(&self, meant: &Meant) -> Result<Vec<Arc<str>>, Unknown> {
        let current = self.current();
        let members = || {
            current
                .snapshot
                .upstreams
                .pools
                .iter()
                .flat_map(|pool| &pool.members)
        };
        match meant {
            Meant::Route(route) => {
                let known: BTreeSet<&str> = members().map(|member| &*member.route).collect();
                let wished = self.wishes();
                if known.contains(&**route) || wished.iter().any(|(wished, _)| wished == route) {
                    return Ok(vec![route.as_str().into()]);
                }
                Err(Unknown::Route(route.clone(), listed(known)))
            }
            Meant::Group(group) => {
                let of_group = members().filter(|member| member.group.as_deref() == Some(group));
                let routes: BTreeSet<Arc<str>> = of_group.map(|member| member.route.clone()).collect();
                if !routes.is_empty() {
                    return Ok(routes.into_iter().collect());
                }
                let known = members().filter_map(|member| member.group.as_deref());
                Err(Unknown::Group(group.clone(), listed(known.collect())))
            }
        }
    }

    /// What operators wish.
    #[must_use]
    pub(crate) fn wishes(&self) -> Wishes {
        self.lock().view.wishes.clone()
    }

    /// The store is about to be told what is said here of this, and may have it from now on; none where it has it. `is_pressing`: an
    /// operator waits for that.
    pub(crate) fn telling(&self, of: &str, is_pressing: bool) -> Option<StoredWish> {
        self.lock().view.telling(of, is_pressing)
    }

    /// The store has answered that it has this, as this version. What holds is the same. Says whether that settles anything.
    pub(crate) fn answered(&self, said: &StoredWish, version: u64) -> bool {
        self.lock().view.wishes.answered(said, version)
    }

    /// Routes of which something is wished and that no pool has.
    #[must_use]
    pub(crate) fn absent(&self) -> Vec<String> {
        let current = self.current();
        let pools = &current.snapshot.upstreams.pools;
        let is_absent = |route: &str| {
            !pools
                .iter()
                .any(|pool| pool.member_by_route(route.as_bytes()).is_some())
        };
        let wishes = self.wishes();
        let routes = wishes.iter().map(|(route, _)| route.to_owned());
        routes.filter(|route| is_absent(route)).collect()
    }

    /// Whether the file takes the users of a route away.
    #[must_use]
    pub(crate) fn is_drained_by_file(&self, route: &str) -> bool {
        let current = self.current();
        let writer = self.lock();
        let mut drained = writer
            .attached
            .iter()
            .filter(|(_, configured)| configured.state.is_drain());
        drained.any(|(id, _)| {
            let found = current.snapshot.upstreams.find(*id);
            found.is_some_and(|(_, upstream)| &*upstream.route == route)
        })
    }

    /// Whether the users of a route are wanted elsewhere, by the file or by a wish, be it there or not.
    #[must_use]
    pub(crate) fn is_taken_away(&self, route: &str) -> bool {
        let away = |state: AdminState| state.is_drain() || state.sends_away();
        let current = self.current();
        let pools = current.snapshot.upstreams.pools.iter();
        let mut members = pools.flat_map(|pool| &pool.members);
        members.any(|member| &*member.route == route && away(member.state))
            || self.wishes().of(route).state.is_some_and(away)
    }

    /// A sentence for each pool that would lose its last member that is up if this was wished.
    #[must_use]
    pub(crate) fn emptied(&self, wishes: &Wishes) -> Vec<String> {
        let (writer, now) = (self.lock(), unix_now());
        let current = self.current();
        let pools = current.snapshot.upstreams.pools.iter();
        let emptied = pools.filter_map(|pool| {
            let mut then = pool.clone();
            for upstream in &mut then.members {
                if let Some(settings) = writer.settings(wishes, upstream, now) {
                    (upstream.state, upstream.weight) = (settings.state, settings.weight);
                }
            }
            Some(told(pool, &then, Emptied::by(pool, &then)?))
        });
        emptied.collect()
    }

    /// Takes over what operators wish now. It holds over reloads.
    pub fn follow(&self, wishes: Wishes) {
        let mut writer = self.lock();
        writer.view.wishes = wishes;
        self.publish_wishes(&writer);
    }

    /// Lets what is finishing drain when its time is over. Never ends.
    pub async fn keep_deadlines(&self) {
        let mut changes = self.changes();
        loop {
            let due = async {
                match self.next_deadline() {
                    // One that passed before anybody looked is due now.
                    Some(until) => {
                        tokio::time::sleep(Duration::from_secs(until.saturating_sub(unix_now()))).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {
                    self.tell_deadlines();
                    self.publish_wishes(&self.lock());
                }
                // The sender is this directory's own.
                _ = changes.changed() => {}
            }
        }
    }

    /// Tells of the routes whose time to finish is over.
    fn tell_deadlines(&self) {
        let (now, wishes) = (unix_now(), self.wishes());
        let is_over = |until: &Option<u64>| until.is_some_and(|until| until <= now);
        let current = self.current();
        let pools = current.snapshot.upstreams.pools.iter();
        let members = pools.flat_map(|pool| &pool.members);
        let finishing = members.filter(|member| member.state == AdminState::Finishing);
        let over: BTreeSet<&str> = finishing
            .filter(|member| is_over(&wishes.of(&member.route).until))
            .map(|member| &*member.route)
            .collect();
        for route in over {
            let happening = Happening::new(
                Sort::Wish,
                route,
                "is drained: its users leave with their next request",
            );
            self.chronicle()
                .note(happening.because("its time to finish is over"));
        }
    }

    /// When the next upstream that is seen finishing has to drain, in seconds since 1970.
    fn next_deadline(&self) -> Option<u64> {
        let (current, wishes) = (self.current(), self.wishes());
        let pools = current.snapshot.upstreams.pools.iter();
        let members = pools.flat_map(|pool| &pool.members);
        members
            .filter(|member| member.state == AdminState::Finishing)
            .filter_map(|member| wishes.of(&member.route).until)
            .min()
    }

    /// Publishes what holds of the upstreams by the file, the wishes and the time.
    pub(super) fn publish_wishes(&self, writer: &Writer) {
        let now = unix_now();
        self.publish(writer, &self.current(), |upstream| {
            let Some(settings) = writer.settings(&writer.view.wishes, upstream, now) else {
                return;
            };
            log_wish(upstream, settings);
            (upstream.state, upstream.weight) = (settings.state, settings.weight);
        });
    }
}

impl Writer {
    /// What holds of an upstream by the file, these wishes and the time.
    fn settings(&self, wishes: &Wishes, upstream: &Upstream, now: u64) -> Option<Settings> {
        let configured = self.attached.get(&upstream.id);
        configured.map(|configured| wishes.of(&upstream.route).over(*configured, now))
    }
}

/// What becomes of a pool that loses its last member that is up.
fn told(pool: &Pool, then: &Pool, emptied: Emptied) -> String {
    let leaving = pool.members.iter().zip(&then.members);
    let leaving = leaving.filter(|(before, after)| before.state != after.state);
    let routes: BTreeSet<&str> = leaving.map(|(before, _)| &*before.route).collect();
    let what = match emptied.then {
        None => "its requests are answered with 503 then",
        Some(Tier::Drained) => "it is asked on for want of another, and its users stay",
        Some(Tier::Open | Tier::Unknown | Tier::Standby | Tier::Leaving) => {
            "its requests go to members then of which nothing is known, or that ask to be spared"
        }
        Some(Tier::Panic | Tier::Frozen) => "its requests are tried then at members that are down",
    };
    format!(
        "this takes the last that is up from pool `{}`, {}: {what}",
        pool.name,
        listed(routes)
    )
}

/// Names for people who named another.
fn listed(names: BTreeSet<&str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Seconds since 1970: wishes outlive the process, so do their deadlines. A clock before that stands at its beginning.
pub(crate) fn unix_now() -> u64 {
    since_1970().as_secs()
}

/// The same in milliseconds, for what people read.
pub(crate) fn unix_ms() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a deadline that outlives the process is a time of day, and so is what people read"
)]
fn since_1970() -> Duration {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default()
}

fn log_wish(upstream: &Upstream, settings: Settings) {
    let Settings { state, weight } = settings;
    if (state, weight) != (upstream.state, upstream.weight) {
        let (route, url, state) = (&*upstream.route, upstream.url(), state.as_str());
        info!(route, url, state, weight, "what is wanted of an upstream changed");
    }
}

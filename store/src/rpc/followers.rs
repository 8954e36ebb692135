//! The proxies that follow the registry at this node, and when the answer to a retirement may go.
//!
//! Whoever takes an application server out wants to hear that nobody is sent there any more, and only proxies know that. Each has
//! a seat as long as its stream lives, and says by which view it goes. An answer goes when all of them go by one that knows of the
//! retirement, and after [`ANSWERED_WITHIN`] in any case: a proxy that hangs costs a Tomcat that stops a second, and not its stop.
//! A proxy whose stream ended serves on, by what it was told, and comes back in a moment; and after an election all of them do. So
//! for [`BACK_WITHIN`] behind either an answer waits as if somebody were missing.
//!
//! Invariants: no more than [`FOLLOWERS_MAX`] have a seat; nobody who does not follow what it was told keeps one from others for longer
//! than [`FOLLOWS_WITHIN`]; no wait is longer than [`ANSWERED_WITHIN`].
//! Left out on purpose: what they are told (`following`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use remora_table::Version;
use tokio::sync::watch;

use crate::metrics::Following;
use crate::runtime;

/// Proxies that follow at a time: some dozens serve the largest sites, and each is sent every view.
pub(super) const FOLLOWERS_MAX: usize = 64;

/// How long the answer to a retirement waits for proxies: a view is with them in 100 ms, and a Tomcat that stops waits for the answer.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// How long a proxy whose stream ended may take to come back before nobody counts on it.
const BACK_WITHIN: Duration = Duration::from_secs(1);

/// How long a proxy may take until it follows a view that it was told, 30 s: it may have names to look up, which takes some seconds
/// where a name server is away. One that takes longer does not read, or hangs.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(30);

/// The proxies that follow here. Cheap to clone.
#[derive(Clone)]
pub(super) struct Followers(Arc<Seating>);

struct Seating {
    seats: Mutex<Seats>,
    /// Counts what may end a wait.
    changes: watch::Sender<u64>,
    metrics: Following,
}

/// A proxy's place; dropping it leaves it.
pub(super) struct Seat {
    followers: Followers,
    number: u64,
}

impl Followers {
    /// None yet. The process's metrics recorder must be installed.
    pub(super) fn new() -> Followers {
        Followers(Arc::new(Seating {
            seats: Mutex::default(),
            changes: watch::Sender::new(0),
            metrics: Following::new(),
        }))
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.0.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat for a proxy; none if all are taken.
    pub(super) fn sit(&self, proxy: &str) -> Option<Seat> {
        let number = self.change(|seats| seats.sit(proxy, runtime::now()))?;
        Some(Seat {
            followers: self.clone(),
            number,
        })
    }

    /// This node was elected: whoever followed another comes here.
    pub(super) fn elected(&self, now: Instant) {
        self.change(|seats| {
            seats.elected = Some(now);
            seats.expect_some(now);
        });
    }

    /// When this node was elected last; none if it never was.
    pub(super) fn elected_at(&self) -> Option<Instant> {
        self.seats().elected
    }

    /// Waits until everybody goes by this view or a later one, and no longer than [`ANSWERED_WITHIN`].
    pub(super) async fn followed(&self, view: Version) {
        let until = runtime::now() + ANSWERED_WITHIN;
        let mut changes = self.0.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let Some(missing) = self.seats().missing(view, runtime::now()) else {
                return;
            };
            let look = missing.until.map_or(until, |soon| soon.min(until));
            // Whoever changes a seat keeps the sender alive.
            let _ = tokio::time::timeout_at(look.into(), changes.changed()).await;
            if runtime::now() >= until {
                break;
            }
        }
        let late = self.seats().missing(view, runtime::now());
        let late = late.map(|missing| missing.proxies).unwrap_or_default();
        if !late.is_empty() {
            self.0.metrics.late.increment(1);
            tracing::warn!(
                proxies = late.join(", "),
                "these proxies did not say within a second that they send nobody to an application server that was taken out"
            );
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Seats) -> T) -> T {
        let mut seats = self.seats();
        let changed = change(&mut seats);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a float by the format of Prometheus"
        )]
        self.0.metrics.followers.set(seats.taken.len() as f64);
        drop(seats);
        self.0.changes.send_modify(|changes| *changes += 1);
        changed
    }
}

impl Seat {
    /// A view begins to go out: one who does not read it does not follow it either.
    pub(super) fn told(&self, view: Version) {
        self.change(|seat| seat.told(view, runtime::now()));
    }

    /// The proxy says by which view it goes: none that it was not told.
    pub(super) fn follows(&self, view: Version) {
        self.change(|seat| seat.follows(view, runtime::now()));
    }

    /// Whether it has not followed for too long what it was told, and may have lost its place to another; counted once, by whoever
    /// ends it.
    pub(super) fn is_overdue(&self) -> bool {
        let seats = self.followers.seats();
        let taken = seats.taken.get(&self.number);
        let overdue = taken.is_none_or(|seat| seat.is_overdue(runtime::now()));
        if overdue {
            self.followers.0.metrics.cut.increment(1);
        }
        overdue
    }

    fn change(&self, change: impl FnOnce(&mut Seated)) {
        self.followers.change(|seats| {
            if let Some(seat) = seats.taken.get_mut(&self.number) {
                change(seat);
            }
        });
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.followers.change(|seats| {
            if seats.taken.remove(&self.number).is_some() {
                seats.expect_some(runtime::now());
            }
        });
    }
}

/// Who sits where: the rule, without a clock.
#[derive(Debug, Default)]
struct Seats {
    taken: BTreeMap<u64, Seated>,
    /// Numbers that were given out.
    given: u64,
    elected: Option<Instant>,
    /// Until when somebody may come back who followed before.
    expected_until: Option<Instant>,
}

#[derive(Debug)]
struct Seated {
    proxy: String,
    followed: Version,
    told: Version,
    /// Since when it has been told what it does not follow yet.
    behind_since: Option<Instant>,
}

/// Who is not known to go by a view.
#[derive(Debug, PartialEq, Eq)]
struct Missing {
    /// Those that have a seat.
    proxies: Vec<String>,
    /// When nobody is missed any more, though nothing happens; none if that is not so.
    until: Option<Instant>,
}

impl Seats {
    fn sit(&mut self, proxy: &str, now: Instant) -> Option<u64> {
        if self.taken.len() >= FOLLOWERS_MAX {
            // Where a connection takes nothing, the stream of one who is late cannot even be told its end.
            self.taken.retain(|_, seat| !seat.is_overdue(now));
        }
        if self.taken.len() >= FOLLOWERS_MAX {
            return None;
        }
        self.given += 1;
        let seat = Seated {
            proxy: proxy.to_owned(),
            followed: Version(0),
            told: Version(0),
            behind_since: None,
        };
        self.taken.insert(self.given, seat);
        Some(self.given)
    }

    fn expect_some(&mut self, now: Instant) {
        self.expected_until = Some(now + BACK_WITHIN);
    }

    /// Who is missed; none if everybody goes by this view.
    fn missing(&self, view: Version, now: Instant) -> Option<Missing> {
        let seats = self.taken.values();
        let behind = seats.filter(|seat| seat.followed < view && !seat.is_overdue(now));
        let proxies: Vec<String> = behind.map(|seat| seat.proxy.clone()).collect();
        let expected = self.expected_until.filter(|until| now < *until);
        let until = expected.filter(|_| proxies.is_empty());
        (!proxies.is_empty() || expected.is_some()).then_some(Missing { proxies, until })
    }
}

impl Seated {
    fn told(&mut self, view: Version, now: Instant) {
        self.told = view;
        if self.followed < view {
            self.behind_since.get_or_insert(now);
        }
    }

    fn follows(&mut self, view: Version, now: Instant) {
        let view = view.min(self.told);
        if self.followed < view {
            self.followed = view;
            self.behind_since = (view < self.told).then_some(now);
        }
    }

    fn is_overdue(&self, now: Instant) -> bool {
        self.behind_since
            .is_some_and(|since| now.saturating_duration_since(since) >= FOLLOWS_WITHIN)
    }
}

#[cfg(test)]
mod tests;

//! Sessions that expired are offered to Tomcats, so that one of them calls their listeners.
//!
//! The leader looks at what waits in its table, a part at a time, and offers each leaver to one Tomcat: to the session's last
//! owner if it has a stream here, else to the one of the application that has the fewest offers. An offer that was not taken
//! up for a while, or whose stream ended, is made again, to another if there is one. Nothing is remembered beside the offers
//! under way: a new leader looks at the same table and begins anew, and what was offered twice is buried once.
//!
//! Invariants: no Tomcat has more than [`OFFERS_MAX`] offers at a time; nobody waits for an offer, and no lock is held while
//! one is chosen but the leavers' own, for a moment, which no save needs.
//!
//! Left out on purpose: who is the first, which the table decides; in which message an offer goes (`parcel`).

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use remora_proto::v1;
use remora_proto::v1::push;
use remora_table::{LeaverKey, Session, TableReader};
use tokio::time::MissedTickBehavior;

use crate::runtime;

use super::convert;
use super::desk::Desk;
use super::outbox::Outbox;

/// How often is looked: how late an owner may hear that its session has expired, beside what the sweep takes.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a Tomcat may take before another is asked: many times what a busy one needs to come to an offer.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Offers that one Tomcat has at a time; a quarter of what its session manager keeps.
pub(super) const OFFERS_MAX: usize = 256;
/// Leavers that are looked at in one look: 4,000 a second, some 0.2 ms each time.
const LOOKED_MAX: usize = 2_000;

/// Offers what waits for as long as it is polled, while this node leads.
pub(super) async fn offer(desk: Arc<Desk>) -> Infallible {
    let mut offers = Offers::default();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let (leads, table) = (desk.raft.leadership().borrow().leads(), desk.raft.table());
        if !leads || table.leavers() == 0 {
            offers = Offers::default();
            continue;
        }
        let streams = desk.hub.outboxes();
        let there = There::of(table, &streams);
        for Offered {
            instance,
            leaver,
            session,
        } in offers.due(table, &there, runtime::now())
        {
            if let Some(outbox) = streams.get(&instance) {
                outbox.offer(said(&leaver, &session));
            }
        }
    }
}

fn said(leaver: &LeaverKey, session: &Session) -> v1::Push {
    v1::Push {
        session: Some(convert::session_key(&leaver.session)),
        kind: push::Kind::Leaver.into(),
        epoch: session.epoch.0,
        record: Some(convert::session(session)),
        ..v1::Push::default()
    }
}

/// The Tomcats that can be offered something.
#[derive(Debug, Default)]
struct There {
    /// Those with a stream, and by application those of them that serve it.
    streams: Vec<u64>,
    serving: BTreeMap<Arc<str>, Vec<u64>>,
}

impl There {
    fn of(table: &TableReader, streams: &HashMap<u64, Arc<Outbox>>) -> Self {
        let mut there = Self::default();
        there.streams.extend(streams.keys());
        there.streams.sort_unstable();
        for entry in table.servers() {
            let instance = entry.server.instance;
            if streams.contains_key(&instance) {
                for application in &entry.applications {
                    let serving = there.serving.entry(Arc::clone(application));
                    serving.or_default().push(instance);
                }
            }
        }
        there
    }

    fn has(&self, instance: u64) -> bool {
        self.streams.binary_search(&instance).is_ok()
    }
}

/// An offer to make.
#[derive(Debug, PartialEq, Eq)]
struct Offered {
    instance: u64,
    leaver: LeaverKey,
    session: Arc<Session>,
}

/// The offers under way.
#[derive(Debug, Default)]
struct Offers {
    /// To whom each leaver was offered last, and when it is offered again.
    under_way: BTreeMap<LeaverKey, (u64, Instant)>,
    /// How many each Tomcat has.
    held: HashMap<u64, usize>,
    /// Behind which leaver is looked next.
    looked: Option<LeaverKey>,
}

impl Offers {
    /// What is to be offered now.
    fn due(&mut self, table: &TableReader, there: &There, now: Instant) -> Vec<Offered> {
        let mut due = Vec::new();
        for (leaver, session, last) in self.overdue(table, there, now) {
            due.extend(self.give((leaver, session), Some(last), there, now));
        }
        let waiting = table.leavers_behind(self.looked.as_ref(), LOOKED_MAX);
        let all = waiting.len() < LOOKED_MAX;
        self.looked = waiting.last().filter(|_| !all).map(|(leaver, _)| leaver.clone());
        for (leaver, session) in waiting {
            if !self.under_way.contains_key(&leaver) {
                due.extend(self.give((leaver, session), None, there, now));
            }
        }
        due
    }

    /// Forgets the offers of what waits no more, and gives those that were not taken up, with whom they were made to.
    fn overdue(
        &mut self,
        table: &TableReader,
        there: &There,
        now: Instant,
    ) -> Vec<(LeaverKey, Arc<Session>, u64)> {
        let mut overdue = Vec::new();
        let held = &mut self.held;
        self.under_way.retain(|leaver, (instance, again)| {
            let waiting = table.leaver(leaver);
            let stays = waiting.is_some() && now < *again && there.has(*instance);
            if stays {
                return true;
            }
            if let Some(held) = held.get_mut(instance) {
                *held -= 1;
            }
            overdue.extend(waiting.map(|session| (leaver.clone(), session, *instance)));
            false
        });
        held.retain(|_, held| *held > 0);
        overdue
    }

    /// Chooses who is offered a leaver; nobody while all have as many offers as they may.
    fn give(
        &mut self,
        (leaver, session): (LeaverKey, Arc<Session>),
        last: Option<u64>,
        there: &There,
        now: Instant,
    ) -> Option<Offered> {
        let owner = session.owner.instance;
        let held = |instance: &u64| self.held.get(instance).copied().unwrap_or(0);
        let free = |instance: &u64| there.has(*instance) && held(instance) < OFFERS_MAX;
        let serving = there.serving.get(&leaver.session.application);
        let others = serving.into_iter().flatten().copied().filter(free);
        let instance = Some(owner)
            .filter(|owner| last.is_none() && free(owner))
            .or_else(|| {
                others
                    .filter(|instance| Some(*instance) != last)
                    .min_by_key(|instance| (held(instance), *instance))
            })
            .or(last.filter(free))?;
        *self.held.entry(instance).or_default() += 1;
        self.under_way
            .insert(leaver.clone(), (instance, now + AGAIN_AFTER));
        Some(Offered {
            instance,
            leaver,
            session,
        })
    }
}

#[cfg(test)]
mod tests;

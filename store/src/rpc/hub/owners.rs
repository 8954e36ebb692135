//! What is known of those who hold copies, and until when an answer waits for them. Pure: time is an argument, and whoever is
//! told or woken is somebody else.
//!
//! # The rule
//!
//! Somebody claims a session, takes it back, removes it, or changes it late. The one who held it was *told* by a push. The
//! other's answer waits until that one can show its old copy to no new request; that is at the first of:
//!
//! 1. it *acknowledged* the push;
//! 2. it said *goodbye*: it half-closed the stream, or ended a connection on which nobody stands between;
//! 3. it *read* the push, which a later message of its own says: then its copy is out of use. If the session was lost to
//!    another owner, requests that were given the copy before may still run and change it: they get [`Patience::handover`],
//!    counted from the push;
//! 4. nothing of all this came: [`Patience::trust`] after the arrival of its last probe before the push. A probe that came
//!    behind it is confirmed behind it on the stream, and whoever reads that has read the push. At a leader that was just
//!    elected the same time runs from its election at least: what the leader before confirmed had arrived by then.
//!
//! Who has no stream here and sent no probe for so long is not waited for; nor is whoever asks: what its own copy is worth
//! it knows itself, and a late save that waited for the requests of its own Tomcat would wait for itself.
//!
//! An answer about what was decided before this node's election (the repeat of a command) waits for the fourth alone: the
//! one who held the session was told by another leader, or not at all.
//!
//! Invariants: a push belongs to the stream on which it was sent; a stream that was replaced or ended settles nothing any
//! more, but for the goodbye of its connection; what is told is forgotten when no answer can wait for it any longer.
//!
//! Left out on purpose: what the pushes say, and who waits (`hub`).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use remora_table::{SessionKey, Version};

/// Pushes that one stream may leave unacknowledged: as many sessions as move within a handover at the highest rate of
/// claims.
pub(in super::super) const UNACKNOWLEDGED_MAX: usize = 65_536;

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Patience {
    /// From the arrival of a probe on: how long a copy may be used unasked for that probe's sake. More than the owner was
    /// told, because its clock may go slower than ours.
    pub(in super::super) trust: Duration,
    /// From a push on: how long an owner that has read it may take to acknowledge. Longer than `trust`.
    pub(in super::super) handover: Duration,
}

/// What somebody is told of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Another owns it: requests that still run may change it.
    Lost,
    /// It is gone, or another than its owner changed it: to have read this is enough.
    Changed,
    /// It expired: nobody waits.
    Expired,
}

/// A message of a stream, as far as it concerns what was told.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct OwnerSaid<'a> {
    /// Whether it carried a probe.
    pub(in super::super) probe: bool,
    /// The highest push that was read before it was sent; 0 for none.
    pub(in super::super) read_through: u64,
    /// Pushes acknowledged.
    pub(in super::super) acknowledged: &'a [u64],
}

/// What an answer waits for: until when, unless it is woken before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Owing<W> {
    pub(super) until: Instant,
    /// Whoever is settled last wakes by this; none when only time helps.
    pub(super) wake: Option<W>,
}

/// Everything that is known. `W` wakes those who wait for one push.
pub(super) struct Owners<W> {
    patience: Patience,
    /// When this node was elected, and the last version that was given before it knew.
    elected: Option<(Instant, Version)>,
    last_stream: u64,
    last_push: u64,
    owners: HashMap<u64, Owner>,
    owed: HashMap<SessionKey, Vec<Owed<W>>>,
    /// What is owed, settled or not, in the order in which it was told.
    by_age: VecDeque<(Instant, SessionKey, u64)>,
    /// Whose stream ended, and when.
    left: VecDeque<(Instant, u64)>,
}

/// One instance.
#[derive(Default)]
struct Owner {
    stream: Option<u64>,
    /// On which its stream came, if nobody stands between; stays when the stream is gone.
    connection: Option<u64>,
    /// When its last probe came.
    probed: Option<Instant>,
    read_through: u64,
    /// What it was told on its stream, or would have been, by push.
    unacknowledged: BTreeMap<u64, SessionKey>,
}

/// A push for which answers wait.
struct Owed<W> {
    instance: u64,
    push: u64,
    told: Instant,
    /// From when on trust counts.
    trusted: Instant,
    handover: bool,
    read: bool,
    wake: W,
}

impl<W> Owed<W> {
    fn until(&self, patience: Patience) -> Instant {
        if self.read {
            self.told + patience.handover
        } else {
            self.trusted + patience.trust
        }
    }
}

impl<W: Clone + Default> Owners<W> {
    pub(super) fn new(patience: Patience) -> Owners<W> {
        Owners {
            patience,
            elected: None,
            last_stream: 0,
            last_push: 0,
            owners: HashMap::new(),
            owed: HashMap::new(),
            by_age: VecDeque::new(),
            left: VecDeque::new(),
        }
    }

    /// This node leads since now; `version` was given before it knew.
    pub(super) fn elected(&mut self, version: Version, now: Instant) {
        self.elected = Some((now, version));
    }

    /// An instance opens a stream, on a connection of its own if nobody stands between. An older stream of it counts no
    /// more.
    pub(super) fn opened(
        &mut self,
        instance: u64,
        connection: Option<u64>,
        probe: bool,
        now: Instant,
    ) -> u64 {
        self.last_stream += 1;
        let owner = self.owners.entry(instance).or_default();
        *owner = Owner {
            stream: Some(self.last_stream),
            connection,
            probed: if probe { Some(now) } else { owner.probed },
            ..Owner::default()
        };
        self.last_stream
    }

    /// A message came on a stream. Gives whom to wake.
    pub(super) fn heard(
        &mut self,
        (instance, stream): (u64, u64),
        message: OwnerSaid<'_>,
        now: Instant,
    ) -> Vec<W> {
        let Some(owner) = self.current(instance, stream) else {
            return Vec::new();
        };
        if message.probe {
            owner.probed = Some(now);
        }
        let mut settled = Vec::new();
        if message.read_through > owner.read_through {
            let unread = owner.read_through + 1..=message.read_through;
            let read: Vec<_> = owner.unacknowledged.range(unread).map(entry).collect();
            owner.read_through = message.read_through;
            for (push, session) in read {
                settled.extend(self.read(&session, push));
            }
        }
        for push in message.acknowledged {
            let told = self.current(instance, stream);
            let told = told.and_then(|owner| owner.unacknowledged.remove(push));
            settled.extend(told.and_then(|session| self.settle(&session, *push)));
        }
        settled
    }

    /// A stream was half-closed. Gives whom to wake.
    pub(super) fn goodbye(&mut self, instance: u64, stream: u64) -> Vec<W> {
        if self.current(instance, stream).is_none() {
            return Vec::new();
        }
        self.forget_owner(instance)
    }

    /// The far end ended a connection. Gives whom to wake.
    pub(super) fn disconnected(&mut self, connection: u64) -> Vec<W> {
        let came = |owner: &Owner| owner.connection == Some(connection);
        let gone = self.owners.iter().filter(|(_, owner)| came(owner));
        let gone: Vec<u64> = gone.map(|(instance, _)| *instance).collect();
        gone.into_iter()
            .flat_map(|instance| self.forget_owner(instance))
            .collect()
    }

    /// A stream ended, and that is all there is to know: its owner may not have noticed.
    pub(super) fn closed(&mut self, instance: u64, stream: u64, now: Instant) {
        if let Some(owner) = self.current(instance, stream) {
            owner.stream = None;
            self.left.push_back((now, instance));
        }
    }

    /// Something happened to a session that an instance held. Gives the push for its stream, if it has one.
    pub(super) fn told(
        &mut self,
        session: &SessionKey,
        instance: u64,
        what: Told,
        now: Instant,
    ) -> Option<u64> {
        self.forget_old(now);
        let owner = self.owners.get_mut(&instance);
        let streams = owner.as_ref().is_some_and(|owner| owner.stream.is_some());
        let probed = owner.as_ref().and_then(|owner| owner.probed);
        let trusted = probed.max(self.elected.map(|(at, _)| at));
        let trusted = trusted.filter(|at| *at + self.patience.trust > now && what != Told::Expired);
        if trusted.is_none() && !streams {
            return None;
        }
        self.last_push += 1;
        let push = self.last_push;
        if let Some(owner) = owner {
            owner.unacknowledged.insert(push, session.clone());
        }
        if let Some(trusted) = trusted {
            self.owed.entry(session.clone()).or_default().push(Owed {
                instance,
                push,
                told: now,
                trusted,
                handover: what == Told::Lost,
                read: false,
                wake: W::default(),
            });
            self.by_age.push_back((now, session.clone(), push));
        }
        streams.then_some(push)
    }

    /// Whether an instance has more pushes to acknowledge than it may.
    pub(super) fn overdue(&self, instance: u64) -> bool {
        let owner = self.owners.get(&instance);
        owner.is_some_and(|owner| owner.unacknowledged.len() > UNACKNOWLEDGED_MAX)
    }

    /// What the answer to this instance about this session waits for, if what it tells was decided by the command of this
    /// version; none when it may go.
    pub(super) fn due(
        &self,
        session: &SessionKey,
        asks: u64,
        version: Version,
        now: Instant,
    ) -> Option<Owing<W>> {
        let repeat = self.elected.filter(|(_, before)| version <= *before);
        let elected = repeat.map(|(at, _)| Owing {
            until: at + self.patience.trust,
            wake: None,
        });
        let owed = self.owed.get(session).into_iter().flatten();
        let owed = owed.filter(|owed| owed.instance != asks).map(|owed| Owing {
            until: owed.until(self.patience),
            wake: Some(owed.wake.clone()),
        });
        let last = elected.into_iter().chain(owed).max_by_key(|due| due.until)?;
        (last.until > now).then_some(last)
    }

    fn current(&mut self, instance: u64, stream: u64) -> Option<&mut Owner> {
        let owner = self.owners.get_mut(&instance)?;
        (owner.stream == Some(stream)).then_some(owner)
    }

    /// A push was read: that settles it, unless requests may still change the session.
    fn read(&mut self, session: &SessionKey, push: u64) -> Option<W> {
        let owed = self.owed.get_mut(session)?;
        let owed = owed.iter_mut().find(|owed| owed.push == push)?;
        owed.read = true;
        if owed.handover {
            return None;
        }
        self.settle(session, push)
    }

    fn settle(&mut self, session: &SessionKey, push: u64) -> Option<W> {
        let owed = self.owed.get_mut(session)?;
        let at = owed.iter().position(|owed| owed.push == push)?;
        let settled = owed.swap_remove(at);
        if owed.is_empty() {
            self.owed.remove(session);
        }
        Some(settled.wake)
    }

    /// Whoever says goodbye uses no copy any more.
    fn forget_owner(&mut self, instance: u64) -> Vec<W> {
        let owner = self.owners.remove(&instance).unwrap_or_default();
        let told = owner.unacknowledged.into_iter();
        told.filter_map(|(push, session)| self.settle(&session, push))
            .collect()
    }

    /// Forgets what no answer waits for any more.
    fn forget_old(&mut self, now: Instant) {
        let longest = self.patience.trust.max(self.patience.handover);
        while let Some((_, session, push)) = self.by_age.pop_front_if(|(told, ..)| *told + longest <= now) {
            self.settle(&session, push);
        }
        while let Some((_, instance)) = self.left.pop_front_if(|(left, _)| *left + longest <= now) {
            let owner = self.owners.get(&instance);
            let back =
                |owner: &Owner| owner.stream.is_some() || owner.probed.is_some_and(|at| at + longest > now);
            if !owner.is_some_and(back) {
                self.owners.remove(&instance);
            }
        }
    }
}

fn entry((push, session): (&u64, &SessionKey)) -> (u64, SessionKey) {
    (*push, session.clone())
}

#[cfg(test)]
mod tests;

//! Who must be told what: the instances with a live stream on this node, and what answers wait for.
//!
//! The table says what happened to sessions ([`EventSink`]); each event becomes a push to the stream of the instance that
//! held the session. An answer that took a session from its owner, removed it, or changed it late, goes when that one can
//! show its old copy to nobody any more: [`owners`] is the rule, and this is the shell around it, with the lock, the
//! clock and the queues. So it also knows of which instances it has heard, and when ([`presence`]), and tells a Tomcat that lives
//! and lost its place in the registry.
//!
//! Invariants: events reach the hub before the answer of the command that caused them reaches its caller, and an election
//! before any command is proposed in its term: so no answer misses what it must wait for.

mod owners;
mod presence;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use remora_proto::v1;
use remora_proto::v1::push;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::metrics::Streams;
use crate::raft::EventSink;
use crate::runtime;
use remora_table::{Event, EventKind, Happening, Ousted, SessionKey, TableReader, Version};

use super::convert::session_key;
use super::followers::Followers;
use super::lately::Lately;
use super::outbox::{Cut, Outbox};
use super::twins::{Displaced, WarnedOf};

pub(super) use owners::{OwnerSaid, Patience, UNACKNOWLEDGED_MAX};
use owners::{Owners, Told};
pub(super) use presence::Presence;
use presence::{Departed, LastHeard};

/// The streams of this node. One per node, shared by all services.
pub(super) struct Hub {
    state: Mutex<State>,
    patience: Patience,
    metrics: Streams,
    /// What whoever watches is told. Beside the streams: nothing here waits for either.
    pub(super) lately: Lately,
    /// Proxies that follow the registry. Beside the streams as well.
    pub(super) followers: Followers,
    /// What was said of Tomcats that share a name. Beside the streams too.
    pub(super) said: WarnedOf,
}

struct State {
    owners: Owners<Arc<Notify>>,
    /// By instance: the queue of its stream, one each, the newest.
    streams: HashMap<u64, Live>,
    /// Instances that had a stream here.
    departed: Departed,
}

struct Live {
    stream: u64,
    outbox: Arc<Outbox>,
    /// What its Tomcat last said of itself.
    status: Option<Arc<v1::Status>>,
    /// That another instance took its Tomcat's name.
    displaced: Option<Displaced>,
    heard: Arc<LastHeard>,
}

/// What an answer may have to wait for.
#[derive(Debug, Clone)]
pub(super) struct Wait {
    /// Which session it is about.
    pub(super) session: SessionKey,
    /// Who asked; 0 for an operator.
    pub(super) asks: u64,
    /// Version of the command that decided what it tells.
    pub(super) version: Version,
}

/// A stream's place in the hub; dropping it takes the stream out.
pub(super) struct Registration {
    hub: Arc<Hub>,
    instance: u64,
    stream: u64,
    heard: Arc<LastHeard>,
}

impl Registration {
    /// A message came.
    pub(super) fn heard(&self, message: OwnerSaid<'_>) {
        self.heard.now();
        let quiet = !message.probe && message.read_through == 0 && message.acknowledged.is_empty();
        if !quiet {
            let stream = (self.instance, self.stream);
            wake(self.hub.state().owners.heard(stream, message, runtime::now()));
        }
    }

    /// Its Tomcat said how it fares. Kept for operators, as long as the stream lives; whoever hands it over has bounded it
    /// (`fares`).
    pub(super) fn fares(&self, status: v1::Status) {
        let status = Arc::new(status);
        let mut state = self.hub.state();
        let live = state.streams.get_mut(&self.instance);
        let older = live
            .filter(|live| live.stream == self.stream)
            .and_then(|live| live.status.replace(status));
        // Whatever is freed is freed behind the lock.
        drop(state);
        drop(older);
    }

    /// The manager half-closed the stream.
    pub(super) fn goodbye(&self) {
        let mut state = self.hub.state();
        wake(state.owners.goodbye(self.instance, self.stream));
        state.leave(self.instance, self.stream);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        state.owners.closed(self.instance, self.stream, runtime::now());
        state.leave(self.instance, self.stream);
        self.hub.count(&state);
    }
}

impl Hub {
    /// A hub without streams.
    pub(super) fn new(patience: Patience, metrics: Streams) -> Hub {
        let state = State {
            owners: Owners::new(patience),
            streams: HashMap::new(),
            departed: Departed::default(),
        };
        Hub {
            state: Mutex::new(state),
            patience,
            metrics,
            lately: Lately::default(),
            followers: Followers::new(),
            said: WarnedOf::default(),
        }
    }

    /// What a Tomcat last said of itself on its stream here; shared, so that nothing is copied under the lock.
    pub(super) fn status_of(&self, instance: u64) -> Option<Arc<v1::Status>> {
        let state = self.state();
        let live = state.streams.get(&instance);
        live.and_then(|live| live.status.clone())
    }

    /// Whether an instance has a stream here, and how long it has been silent.
    pub(super) fn presence(&self, instance: u64) -> Presence {
        let state = self.state();
        match state.streams.get(&instance) {
            Some(live) => Presence::of(true, Some(live.heard.at())),
            None => Presence::of(false, state.departed.last(instance)),
        }
    }

    /// The instances with a stream here whose name another took.
    pub(super) fn displaced(&self) -> Vec<(u64, Displaced)> {
        let state = self.state();
        let streams = state.streams.iter();
        let displaced = streams.filter_map(|(instance, live)| Some((*instance, live.displaced.clone()?)));
        displaced.collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge is a float by the format of Prometheus"
    )]
    fn count(&self, state: &State) {
        self.metrics.live.set(state.streams.len() as f64);
    }

    /// Enters the stream of an instance, whose first message came now. An older stream of the same instance is cut: it is a
    /// leftover of a broken connection. `connection` is the one on which it came, if nobody stands between.
    pub(super) fn register(
        self: &Arc<Hub>,
        instance: u64,
        connection: Option<u64>,
        probe: bool,
        outbox: Arc<Outbox>,
    ) -> Registration {
        let mut state = self.state();
        let stream = state.owners.opened(instance, connection, probe, runtime::now());
        let heard = Arc::new(LastHeard::at_first());
        let live = Live {
            stream,
            outbox,
            status: None,
            displaced: None,
            heard: Arc::clone(&heard),
        };
        if let Some(older) = state.streams.insert(instance, live) {
            older.outbox.cut(Cut::Replaced);
        }
        self.count(&state);
        Registration {
            hub: Arc::clone(self),
            instance,
            stream,
            heard,
        }
    }

    /// The far end ended a connection.
    pub(super) fn disconnected(&self, connection: u64) {
        wake(self.state().owners.disconnected(connection));
    }

    /// Resolves when an answer may go; none when it may at once.
    pub(super) fn due(self: &Arc<Hub>, wait: Wait) -> Option<impl Future<Output = ()> + Send + use<>> {
        let mut due = self.look(&wait)?;
        let hub = Arc::clone(self);
        Some(async move {
            loop {
                let (until, woken) = due;
                let in_time = match woken {
                    Some(woken) => tokio::time::timeout_at(until.into(), woken).await.is_ok(),
                    None => {
                        tokio::time::sleep_until(until.into()).await;
                        true
                    }
                };
                match hub.look(&wait) {
                    Some(next) => due = next,
                    None if in_time => return,
                    None => {
                        hub.metrics.evictions_unacknowledged.increment(1);
                        return;
                    }
                }
            }
        })
    }

    /// Resolves when an answer may go of which nobody remembers whom it concerns: whatever they were told before, by then none
    /// of them trusts what it had.
    pub(super) fn any(&self) -> impl Future<Output = ()> + Send + use<> {
        tokio::time::sleep(self.patience.trust)
    }

    /// Until when an answer waits, and what wakes it before, from this moment on.
    fn look(&self, wait: &Wait) -> Option<(Instant, Option<OwnedNotified>)> {
        let state = self.state();
        let due = state
            .owners
            .due(&wait.session, wait.asks, wait.version, runtime::now())?;
        // Made under the lock: nothing settles between the look and the wait.
        Some((due.until, due.wake.map(Notify::notified_owned)))
    }

    /// The queues of the live streams, by instance.
    pub(super) fn outboxes(&self) -> HashMap<u64, Arc<Outbox>> {
        let state = self.state();
        let queue = |(instance, live): (&u64, &Live)| (*instance, Arc::clone(&live.outbox));
        state.streams.iter().map(queue).collect()
    }

    /// Live streams.
    #[cfg(test)]
    pub(super) fn streams(&self) -> usize {
        self.state().streams.len()
    }

    fn tell(&self, state: &mut State, event: &Event, now: Instant) {
        let none = Version(0);
        let (kind, told, version) = match event.kind {
            EventKind::OwnershipLost => (push::Kind::OwnershipLost, Told::Lost, none),
            EventKind::Gone => (push::Kind::Gone, Told::Changed, none),
            EventKind::Expired => (push::Kind::Expired, Told::Expired, none),
            EventKind::Newer { version } => (push::Kind::Newer, Told::Changed, version),
        };
        let instance = event.instance;
        let Some(id) = state.owners.told(&event.session, instance, told, now) else {
            return;
        };
        let Some(live) = state.streams.get(&instance) else {
            return;
        };
        let pushed = live.outbox.push(v1::Push {
            id,
            session: Some(session_key(&event.session)),
            kind: kind.into(),
            epoch: event.epoch.0,
            version: version.0,
            ..v1::Push::default()
        });
        self.metrics.pushes.increment(1);
        if !pushed || state.owners.overdue(instance) {
            live.outbox.cut(Cut::Slow);
            self.metrics.cut.increment(1);
            let stream = live.stream;
            state.owners.closed(instance, stream, now);
            state.leave(instance, stream);
        }
    }
}

impl State {
    /// Takes a stream out, unless another one has taken its place.
    fn leave(&mut self, instance: u64, stream: u64) {
        let entered = self.streams.get(&instance);
        if entered.is_some_and(|live| live.stream == stream) {
            let left = self.streams.remove(&instance);
            self.departed.note(instance, left.map(|live| live.heard.at()));
        }
    }
}

fn wake(settled: Vec<Arc<Notify>>) {
    for waiting in settled {
        waiting.notify_waiters();
    }
}

impl EventSink for Hub {
    fn happened(&self, events: &[Event]) {
        let now = runtime::now();
        let mut state = self.state();
        for event in events {
            self.tell(&mut state, event, now);
        }
        self.count(&state);
    }

    fn seen(&self, index: u64, happenings: Vec<Happening>) {
        self.lately.add(index, happenings);
    }

    fn ousted(&self, ousted: &[Ousted]) {
        let mut state = self.state();
        for Ousted { server, url, by } in ousted {
            // Whoever has the name now is displaced no more.
            if let Some(holder) = by.and_then(|by| state.streams.get_mut(&by)) {
                holder.displaced = None;
            }
            let Some(live) = state.streams.get_mut(&server.instance) else {
                continue;
            };
            if by.is_none() {
                live.outbox.cut(Cut::Retired);
                continue;
            }
            let displaced = Displaced::from(Arc::clone(&server.node), Arc::clone(url));
            live.displaced = Some(displaced.clone());
            live.outbox.displaced(displaced);
        }
    }

    fn skipped(&self, index: u64) {
        self.lately.skip(index);
    }

    fn elected(&self, table: &TableReader) {
        let mut state = self.state();
        // Under the lock: what is applied from here on finds this node elected, whatever its version.
        let now = runtime::now();
        state.owners.elected(table.version(), now);
        state.departed.elected(now);
        drop(state);
        self.followers.elected(now);
    }
}

#[cfg(test)]
mod tests;

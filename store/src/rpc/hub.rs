//! Who must be told what: the instances with a live stream on this node, and the evictions they have not acknowledged.
//!
//! The table says what happened to sessions ([`EventSink`]); each event becomes a push to the stream of the instance
//! that held the session. A claim (or a save that took the session back) is answered only when the previous owner has
//! acknowledged that it dropped its copy, at the latest after [`EVICTED_WITHIN`]; at once if it has no stream here.
//!
//! Invariants: events reach the hub before the answer of the command that caused them reaches its caller, so an answer
//! never misses an eviction that it must wait for. A stream that breaks with an eviction outstanding does not end the
//! wait: the previous owner may not have noticed yet.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use remora_proto::v1;
use remora_proto::v1::push;
use tokio::sync::Notify;

use crate::metrics::Streams;
use crate::raft::EventSink;
use remora_table::{Event, EventKind, SessionKey, Version};

use super::convert::session_key;
use super::outbox::{Cut, Outbox};

/// How long an answer waits for the previous owner's acknowledgement. Long against a round trip in one data centre,
/// short against what a user notices at a failover.
pub(super) const EVICTED_WITHIN: Duration = Duration::from_millis(100);

/// Evictions that one stream may leave unacknowledged; a manager that acknowledges nothing is cut.
const UNACKNOWLEDGED_MAX: usize = 4_096;

/// The streams of this node. One per node, shared by all services.
pub(super) struct Hub {
    state: Mutex<State>,
    metrics: Streams,
}

#[derive(Default)]
struct State {
    last_stream: u64,
    last_push: u64,
    /// By instance: one stream each, the newest.
    streams: HashMap<u64, Live>,
    /// By session: evictions that are not acknowledged and not too old.
    evictions: HashMap<SessionKey, Vec<Arc<Eviction>>>,
    /// The same in the order of their deadlines, to forget what nobody waits for.
    by_age: VecDeque<(Instant, SessionKey)>,
}

struct Live {
    stream: u64,
    outbox: Arc<Outbox>,
    /// By push id.
    unacknowledged: HashMap<u64, (SessionKey, Arc<Eviction>)>,
}

/// An eviction on its way to the previous owner.
pub(super) struct Eviction {
    deadline: Instant,
    acknowledged: AtomicBool,
    wake: Notify,
}

impl Eviction {
    /// Waits for the acknowledgement or the deadline; gives whether it was acknowledged.
    async fn settled(&self) -> bool {
        let woken = self.wake.notified();
        if self.acknowledged.load(Ordering::Acquire) {
            return true;
        }
        tokio::time::timeout_at(self.deadline.into(), woken).await.is_ok()
    }
}

/// A stream's place in the hub; dropping it takes the stream out.
pub(super) struct Registration {
    hub: Arc<Hub>,
    instance: u64,
    stream: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        if state
            .streams
            .get(&self.instance)
            .is_some_and(|live| live.stream == self.stream)
        {
            state.streams.remove(&self.instance);
        }
        self.hub.count(&state);
    }
}

impl Hub {
    /// A hub without streams.
    pub(super) fn new(metrics: Streams) -> Hub {
        Hub {
            state: Mutex::default(),
            metrics,
        }
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

    /// Enters the stream of an instance. An older stream of the same instance is cut: it is a leftover of a broken
    /// connection.
    pub(super) fn register(self: &Arc<Hub>, instance: u64, outbox: Arc<Outbox>) -> Registration {
        let mut state = self.state();
        state.last_stream += 1;
        let stream = state.last_stream;
        let live = Live {
            stream,
            outbox,
            unacknowledged: HashMap::new(),
        };
        if let Some(older) = state.streams.insert(instance, live) {
            older.outbox.cut(Cut::Replaced);
        }
        self.count(&state);
        Registration {
            hub: Arc::clone(self),
            instance,
            stream,
        }
    }

    /// An instance acknowledged a push. Unknown ids are leftovers of an earlier stream.
    pub(super) fn acknowledged(&self, instance: u64, push: u64) {
        let mut state = self.state();
        let Some(live) = state.streams.get_mut(&instance) else {
            return;
        };
        let Some((session, eviction)) = live.unacknowledged.remove(&push) else {
            return;
        };
        eviction.acknowledged.store(true, Ordering::Release);
        eviction.wake.notify_waiters();
        if let Some(left) = state.evictions.get_mut(&session) {
            left.retain(|other| !Arc::ptr_eq(other, &eviction));
            if left.is_empty() {
                state.evictions.remove(&session);
            }
        }
    }

    /// What an answer about this session must wait for; none when it may go at once.
    pub(super) fn evictions(
        self: &Arc<Hub>,
        session: &SessionKey,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let evictions = self.state().evictions.get(session)?.clone();
        let hub = Arc::clone(self);
        Some(async move {
            for eviction in evictions {
                if !eviction.settled().await {
                    hub.metrics.evictions_unacknowledged.increment(1);
                }
            }
        })
    }

    fn tell(&self, state: &mut State, event: &Event) {
        let Some(live) = state.streams.get_mut(&event.instance) else {
            return;
        };
        state.last_push += 1;
        let id = state.last_push;
        let (kind, version) = match event.kind {
            EventKind::OwnershipLost => (push::Kind::OwnershipLost, Version(0)),
            EventKind::Gone => (push::Kind::Gone, Version(0)),
            EventKind::Expired => (push::Kind::Expired, Version(0)),
            EventKind::Newer { version } => (push::Kind::Newer, version),
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
        if event.kind == EventKind::OwnershipLost {
            let deadline = Instant::now() + EVICTED_WITHIN;
            let eviction = Arc::new(Eviction {
                deadline,
                acknowledged: AtomicBool::new(false),
                wake: Notify::new(),
            });
            live.unacknowledged
                .insert(id, (event.session.clone(), Arc::clone(&eviction)));
            state
                .evictions
                .entry(event.session.clone())
                .or_default()
                .push(eviction);
            state.by_age.push_back((deadline, event.session.clone()));
        }
        if !pushed || live.unacknowledged.len() > UNACKNOWLEDGED_MAX {
            live.outbox.cut(Cut::Slow);
            self.metrics.cut.increment(1);
            state.streams.remove(&event.instance);
        }
    }
}

impl State {
    /// Forgets evictions whose deadline has passed: no answer waits for them any more.
    fn forget_old(&mut self, now: Instant) {
        while let Some((deadline, _)) = self.by_age.front()
            && *deadline <= now
            && let Some((_, session)) = self.by_age.pop_front()
        {
            if let Some(left) = self.evictions.get_mut(&session) {
                left.retain(|eviction| eviction.deadline > now);
                if left.is_empty() {
                    self.evictions.remove(&session);
                }
            }
        }
    }
}

impl EventSink for Hub {
    fn happened(&self, events: &[Event]) {
        let mut state = self.state();
        state.forget_old(Instant::now());
        for event in events {
            self.tell(&mut state, event);
        }
        self.count(&state);
    }
}

#[cfg(test)]
mod tests;

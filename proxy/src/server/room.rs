//! Room for clients: one count for all threads, whatever thread a client came to.
//!
//! Where all places are taken, a connection that rests gives way to the new client: of the thread that the client came
//! to if one rests there, else of another, which is asked for it. Where all are at work the client waits in hand, and those
//! behind it in the accept queue, until somebody leaves or comes to rest.
//!
//! Invariants: there are no more places than the limit says, but for clients that are let in without one on a stop · a
//! place is free again when it is dropped · for one client one connection is asked at a time, and another only when the
//! first has not left within [`TURN`] · nothing here is touched by requests.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::addresses::Addresses;
use super::seldom::Seldom;
use crate::metrics::CLIENTS;

/// How long a connection that was asked to give way may take before another is asked; also how often a client looks again
/// that waits because nobody rests. 100 ms: leaving takes a turn of its thread, and a person does not notice as much.
pub(super) const TURN: Duration = Duration::from_millis(100);
/// How often the log says that clients wait. 1 s: it is going on, and something must be done.
const SAY_WAITING: Duration = Duration::from_secs(1);
/// How often the log says that connections give way. 60 s: it costs nobody anything yet.
const SAY_GIVING_WAY: Duration = Duration::from_secs(60);
/// How often the log says that clients flood us. 60 s: each of them was stopped.
const SAY_FLOODS: Duration = Duration::from_secs(60);

/// What all threads share.
pub(super) struct Room {
    /// How many clients each address has.
    pub(super) addresses: Arc<Addresses>,
    taken: AtomicUsize,
    /// Told of each place that becomes free.
    freed: Notify,
    /// Whether a client waits for a place that its own thread cannot give.
    wanted: AtomicBool,
    /// By thread: told when another wants a place.
    asked: Vec<Notify>,
    waiting: Seldom,
    giving_way: Seldom,
    floods: Seldom,
}

/// A client's place; free again when it is dropped.
pub(super) struct ClientPlace(Arc<Room>);

impl Room {
    /// Empty, for so many threads.
    pub(super) fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self {
            addresses: Addresses::new(),
            taken: AtomicUsize::new(0),
            freed: Notify::new(),
            wanted: AtomicBool::new(false),
            asked: (0..threads).map(|_| Notify::new()).collect(),
            waiting: Seldom::every(SAY_WAITING),
            giving_way: Seldom::every(SAY_GIVING_WAY),
            floods: Seldom::every(SAY_FLOODS),
        })
    }

    /// A place, if fewer than `most` are taken. There is always one.
    pub(super) fn take(self: &Arc<Self>, most: usize) -> Option<ClientPlace> {
        let one_more = |taken: usize| (taken < most.max(1)).then_some(taken + 1);
        let taken = self
            .taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        taken.ok().map(|_| self.place())
    }

    /// A place whether there is one or not.
    pub(super) fn squeeze_in(self: &Arc<Self>) -> ClientPlace {
        self.taken.fetch_add(1, Ordering::AcqRel);
        self.place()
    }

    fn place(self: &Arc<Self>) -> ClientPlace {
        metrics::gauge!(CLIENTS).increment(1.0);
        ClientPlace(Arc::clone(self))
    }

    /// Completes when a place has become free; it may be taken again by then.
    pub(super) fn freed(&self) -> impl Future<Output = ()> {
        self.freed.notified()
    }

    /// Asks all threads but this one for a place.
    pub(super) fn ask_others(&self, thread: usize) {
        self.wanted.store(true, Ordering::Release);
        for (other, asked) in self.asked.iter().enumerate() {
            if other != thread {
                asked.notify_one();
            }
        }
    }

    /// Completes when another thread asks this one for a place.
    pub(super) fn asked(&self, thread: usize) -> impl Future<Output = ()> {
        self.asked[thread].notified()
    }

    /// Whether the thread that was asked is the first that can give a place; then no other does.
    pub(super) fn is_first_to_give(&self) -> bool {
        self.wanted.swap(false, Ordering::AcqRel)
    }

    /// Whether it is time to tell that clients wait.
    pub(super) fn is_time_to_tell_of_waiting(&self) -> bool {
        self.waiting.is_time()
    }

    /// Whether it is time to tell that a client floods us.
    pub(super) fn is_time_to_tell_of_flood(&self) -> bool {
        self.floods.is_time()
    }

    /// Whether it is time to tell that connections give way.
    pub(super) fn is_time_to_tell_of_giving_way(&self) -> bool {
        self.giving_way.is_time()
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let Self(room) = self;
        metrics::gauge!(CLIENTS).decrement(1.0);
        room.taken.fetch_sub(1, Ordering::AcqRel);
        room.freed.notify_one();
    }
}

//! What is counted of upstreams and pools, beside the snapshots that decide. Written by the proxy threads, read by
//! people, and by the prober to tell a frozen upstream from a slow check.
//!
//! Each proxy thread counts in cells of its own, which nobody else writes: counting is a load and a store, and no cache line
//! moves between cores for it. Whoever reads adds the cells of all threads up.
//!
//! Invariants: a cell is written by its own thread alone ([`Thread`]) · an upstream keeps its counters for as long as it keeps
//! its id, over every snapshot and reload · a tally has counters for each id that its snapshot names · once no snapshot names an
//! upstream, so that nobody counts of it any more, its counts are added up under its names (`gone`) · nothing waits here. Beside the counters lies what requests doubt ([`Doubts`]), which lives as long.
//!
//! Left out on purpose: anything that a belief rests on. That is a value in the snapshot. Only where a new user goes may rest
//! on these counts, in pools that are balanced by busyness or traffic. And a sum of one moment: cells are read one after the
//! other, while their threads go on.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, fence};
use std::sync::{Arc, Weak};

use remora_policy::{Failure, UpstreamId};

use crate::doubts::Doubts;
use crate::metrics::{Gone, PoolFigures, UpstreamCells};

/// One of the threads that serve clients, by its number from 0 on. Each has one, which no other has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thread(pub(crate) usize);

/// The counters that belong to one snapshot.
#[derive(Clone)]
pub(crate) struct Tally {
    /// What each thread counts beside upstreams and pools. How many count is fixed when the process starts.
    threads: Arc<[ThreadCells]>,
    /// By [`UpstreamId::index`]; none where the snapshot does not name the upstream.
    upstreams: Vec<Option<Seat>>,
    /// Upstreams that earlier snapshots name, which somebody may still go by.
    leaving: Vec<Leaver>,
    /// Those that nobody names any more.
    gone: Gone,
    /// The pools of the snapshot, by their positions.
    pools: Vec<Arc<PoolFigures>>,
    /// Of every pool that ever was.
    all_pools: Vec<Arc<PoolFigures>>,
}

/// What is counted and doubted of an upstream, in each tally whose snapshot names it.
#[derive(Clone)]
struct Seat {
    counters: Arc<Counters>,
    doubts: Arc<Doubts>,
    /// Held by those tallies alone.
    named: Arc<()>,
}

/// An upstream that is named no more.
#[derive(Clone)]
struct Leaver {
    id: UpstreamId,
    counters: Arc<Counters>,
    /// Gone with the last tally whose snapshot names it.
    named: Weak<()>,
}

impl Tally {
    /// Room for what so many threads count.
    #[must_use]
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            threads: (0..threads).map(|_| ThreadCells::default()).collect(),
            upstreams: Vec::new(),
            leaving: Vec::new(),
            gone: Gone::default(),
            pools: Vec::new(),
            all_pools: Vec::new(),
        }
    }

    /// Makes room for one more upstream: the one with the next id, of this pool and route.
    pub(crate) fn add(&mut self, pool: &str, route: &str) {
        let counters = Counters::new((pool, route), self.threads.len());
        self.upstreams.push(Some(Seat {
            counters: Arc::new(counters),
            doubts: Arc::default(),
            named: Arc::default(),
        }));
    }

    /// From here on these are named, all of which have a place.
    pub(crate) fn keep(&mut self, present: &BTreeSet<UpstreamId>) {
        for (id, place) in (0..).map(UpstreamId).zip(&mut self.upstreams) {
            if let Some(seat) = place.take_if(|_| !present.contains(&id)) {
                self.leaving.push(Leaver {
                    id,
                    named: Arc::downgrade(&seat.named),
                    counters: seat.counters,
                });
            }
        }
        let left = self
            .leaving
            .extract_if(.., |leaver| leaver.named.strong_count() == 0);
        let left: Vec<Leaver> = left.collect();
        // What was counted before the last tally was let go is seen from here on.
        fence(Acquire);
        for leaver in left {
            self.gone.add(&leaver.counters);
        }
        let mut gone = std::mem::take(&mut self.gone);
        let named: BTreeSet<(&str, &str)> = self.all_upstreams().map(Counters::name).collect();
        gone.fold(|name| named.contains(&name));
        self.gone = gone;
    }

    /// From here on the pools are those of these names, in their order.
    pub(crate) fn set_pools<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let pools = names.map(|name| {
            let known = self.all_pools.iter().find(|pool| pool.name() == name);
            let pool = known.map_or_else(
                || Arc::new(PoolFigures::new(name, self.threads.len())),
                Arc::clone,
            );
            if known.is_none() {
                self.all_pools.push(Arc::clone(&pool));
            }
            pool
        });
        self.pools = pools.collect();
    }

    /// What is counted of this upstream.
    #[must_use]
    pub(crate) fn upstream(&self, id: UpstreamId) -> &Arc<Counters> {
        &self.seat(id).counters
    }

    /// The same, if somebody may go by it.
    #[must_use]
    pub(crate) fn known(&self, id: UpstreamId) -> Option<&Counters> {
        let seat = self.upstreams.get(id.index())?.as_ref();
        let leaver = || self.leaving.iter().find(|leaver| leaver.id == id);
        let known = seat.map(|seat| &seat.counters);
        known
            .or_else(|| leaver().map(|leaver| &leaver.counters))
            .map(|known| &**known)
    }

    fn seat(&self, id: UpstreamId) -> &Seat {
        let seat = self.upstreams[id.index()].as_ref();
        seat.expect("a tally has a place for each that its snapshot names")
    }

    /// What is counted of every upstream that somebody may go by.
    pub(crate) fn all_upstreams(&self) -> impl Iterator<Item = &Counters> {
        let seats = self.upstreams.iter().flatten().map(|seat| &*seat.counters);
        seats.chain(self.leaving.iter().map(|leaver| &*leaver.counters))
    }

    /// What was counted of those that were, by their names.
    pub(crate) fn gone(&self) -> &Gone {
        &self.gone
    }

    /// What a thread counts, for that thread.
    #[must_use]
    pub(crate) fn thread(&self, thread: Thread) -> &ThreadCells {
        &self.threads[thread.0]
    }

    /// What all threads count.
    #[must_use]
    pub(crate) fn threads(&self) -> &[ThreadCells] {
        &self.threads
    }

    /// What requests doubt of this upstream, and what its checks say to that.
    #[must_use]
    pub(crate) fn doubts(&self, id: UpstreamId) -> &Arc<Doubts> {
        &self.seat(id).doubts
    }

    /// The figures of the pool at this position.
    #[must_use]
    pub(crate) fn pool(&self, position: usize) -> &PoolFigures {
        &self.pools[position]
    }

    /// The figures of all pools that ever were.
    #[must_use]
    pub(crate) fn all_pools(&self) -> &[Arc<PoolFigures>] {
        &self.all_pools
    }
}

/// Counts of one upstream.
#[derive(Debug)]
pub(crate) struct Counters {
    pool: Box<str>,
    route: Box<str>,
    /// By the threads' numbers.
    cells: Box<[Cells]>,
    on_trial: AtomicBool,
}

impl Counters {
    fn new((pool, route): (&str, &str), threads: usize) -> Self {
        Self {
            pool: pool.into(),
            route: route.into(),
            cells: (0..threads).map(|_| Cells::default()).collect(),
            on_trial: AtomicBool::new(false),
        }
    }

    /// The cells of a thread, for that thread.
    #[must_use]
    pub(crate) fn of(&self, thread: Thread) -> &Cells {
        &self.cells[thread.0]
    }

    /// Its pool and its route.
    #[must_use]
    pub(crate) fn name(&self) -> (&str, &str) {
        (&self.pool, &self.route)
    }

    /// What each thread counts for people.
    pub(crate) fn figures(&self) -> impl Iterator<Item = &UpstreamCells> {
        self.cells.iter().map(|cells| &cells.figures)
    }

    /// A place for the one request that tries the upstream; none while another has it.
    pub(crate) fn try_out(&self) -> Option<Trial<'_>> {
        (!self.on_trial.swap(true, Relaxed)).then_some(Trial(self))
    }

    /// Bytes of content and of tunnels, both ways.
    #[must_use]
    pub(crate) fn carried_so_far(&self) -> u64 {
        self.given_so_far().wrapping_add(self.taken_so_far())
    }

    /// Those that it was given.
    #[must_use]
    pub(crate) fn given_so_far(&self) -> u64 {
        self.sum(|cells| &cells.given)
    }

    /// Those that clients took of it.
    #[must_use]
    pub(crate) fn taken_so_far(&self) -> u64 {
        self.sum(|cells| &cells.taken)
    }

    /// Attempts that have begun and not ended, tunnels not among them.
    #[must_use]
    pub(crate) fn in_flight_now(&self) -> u64 {
        // The two counts are read one after the other.
        self.sum(|cells| &cells.in_flight)
            .saturating_sub(self.tunnels_now())
    }

    /// Tunnels that are open.
    #[must_use]
    pub(crate) fn tunnels_now(&self) -> u64 {
        self.sum(|cells| &cells.tunnels)
    }

    /// Attempts that wait for the head of their answer. Answers in progress (streams, tunnels) do not count: an idle
    /// one waits for nothing.
    #[must_use]
    pub(crate) fn waiting_now(&self) -> u64 {
        self.sum(|cells| &cells.waiting)
    }

    /// Response heads that have arrived.
    #[must_use]
    pub(crate) fn answered_so_far(&self) -> u64 {
        self.sum(|cells| &cells.answered)
    }

    /// Heads of any kind that have arrived: signs of life.
    #[must_use]
    pub(crate) fn heard_so_far(&self) -> u64 {
        self.answered_so_far() + self.sum(|cells| &cells.interim)
    }

    /// Attempts that have failed.
    #[must_use]
    pub(crate) fn failed_so_far(&self) -> u64 {
        self.figures().map(UpstreamCells::failures).sum()
    }

    fn sum(&self, of: impl Fn(&Cells) -> &OwnCount) -> u64 {
        self.cells.iter().map(|cells| of(cells).read()).sum()
    }
}

/// What one thread counts of one upstream. Aligned so that no two threads write in one cache line, nor in two that
/// processors fetch together.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Cells {
    in_flight: OwnCount,
    waiting: OwnCount,
    answered: OwnCount,
    interim: OwnCount,
    tunnels: OwnCount,
    given: OwnCount,
    taken: OwnCount,
    /// What only people read.
    pub(crate) figures: UpstreamCells,
}

impl Cells {
    /// An attempt begins. It ends when the guard is dropped.
    #[must_use = "the attempt ends when the guard is dropped"]
    pub(crate) fn begin(&self) -> InFlight<'_> {
        self.in_flight.add(1);
        InFlight(self)
    }

    /// An attempt waits for the head of its answer, until the guard is dropped.
    #[must_use = "the wait ends when the guard is dropped"]
    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.waiting.add(1);
        Waiting(self)
    }

    /// A response head arrived, with this status.
    pub(crate) fn answered(&self, status: u16) {
        self.answered.add(1);
        self.figures.answered(status);
    }

    /// An informational head arrived.
    pub(crate) fn is_at_work(&self) {
        self.interim.add(1);
    }

    /// An attempt failed.
    pub(crate) fn failed(&self, failure: &Failure) {
        self.figures.failed(failure);
    }

    /// It was given bytes of a request's content, or of a tunnel.
    pub(crate) fn gave(&self, bytes: u64) {
        self.given.add(bytes);
    }

    /// Bytes of its answer's content, or of a tunnel, went to a client.
    pub(crate) fn took(&self, bytes: u64) {
        self.taken.add(bytes);
    }

    /// An attempt became a tunnel. It ends when the guard is dropped.
    #[must_use = "the tunnel ends when the guard is dropped"]
    pub(crate) fn tunnel(&self) -> OpenTunnel<'_> {
        self.tunnels.add(1);
        OpenTunnel(self)
    }
}

/// What one thread counts beside upstreams and pools. Aligned as the cells of an upstream are.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct ThreadCells {
    /// Connections that were accepted.
    pub(crate) accepted: OwnCount,
    /// Repeats that the thread may still make.
    pub(crate) retry_tokens: OwnCount,
}

/// A number that one thread writes and others read. It orders nothing.
#[derive(Debug, Default)]
pub(crate) struct OwnCount(AtomicU64);

impl OwnCount {
    /// For the thread that it belongs to.
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    /// For the thread that it belongs to, which has added as many before.
    fn take(&self, less: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_sub(less), Relaxed);
    }

    /// For the thread that it belongs to.
    pub(crate) fn set(&self, number: u64) {
        self.0.store(number, Relaxed);
    }

    /// For everybody.
    #[must_use]
    pub(crate) fn read(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The one request that tries an upstream which nobody checks; it is the only one until this is dropped.
#[derive(Debug)]
pub(crate) struct Trial<'a>(&'a Counters);

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.0.on_trial.store(false, Relaxed);
    }
}

/// One attempt in flight; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight<'a>(&'a Cells);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.take(1);
    }
}

/// One open tunnel; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenTunnel<'a>(&'a Cells);

impl Drop for OpenTunnel<'_> {
    fn drop(&mut self) {
        self.0.tunnels.take(1);
    }
}

/// One attempt that waits for a head; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting<'a>(&'a Cells);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.take(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many threads count at once, and how often.
    const THREADS: usize = 4;
    const ROUNDS: u64 = 50_000;

    #[test]
    fn what_threads_count_at_the_same_time_is_all_counted() {
        let mut tally = Tally::new(THREADS);
        tally.add("p", "n1");
        let counters = tally.upstream(UpstreamId(0));
        std::thread::scope(|scope| {
            for thread in (0..THREADS).map(Thread) {
                let cells = counters.of(thread);
                scope.spawn(move || {
                    for _ in 0..ROUNDS {
                        let _attempt = cells.begin();
                        drop(cells.wait());
                        cells.answered(200);
                        cells.gave(1);
                        cells.took(2);
                    }
                });
            }
        });
        let all = u64::try_from(THREADS).unwrap() * ROUNDS;
        assert_eq!(
            (counters.answered_so_far(), counters.carried_so_far()),
            (all, 3 * all)
        );
        assert_eq!((counters.in_flight_now(), counters.waiting_now()), (0, 0));
    }

    #[test]
    fn a_sum_is_over_all_threads_and_ends_with_its_guards() {
        let mut tally = Tally::new(2);
        tally.add("p", "n1");
        let counters = tally.upstream(UpstreamId(0));
        let (one, other) = (counters.of(Thread(0)), counters.of(Thread(1)));
        let first = one.begin();
        let second = other.begin();
        let tunnel = other.tunnel();
        assert_eq!((counters.in_flight_now(), counters.tunnels_now()), (1, 1));
        drop((tunnel, second));
        assert_eq!((counters.in_flight_now(), counters.tunnels_now()), (1, 0));
        drop(first);
        one.answered(200);
        other.is_at_work();
        assert_eq!((counters.in_flight_now(), counters.heard_so_far()), (0, 2));
        // The next snapshot has the same cells.
        assert_eq!(tally.clone().upstream(UpstreamId(0)).heard_so_far(), 2);
    }

    #[test]
    fn a_pool_goes_on_counting_when_it_comes_back() {
        let mut tally = Tally::new(1);
        tally.set_pools(["a", "b"].into_iter());
        tally.pool(1).of(Thread(0)).repeats();
        let before = Arc::clone(&tally.all_pools()[1]);
        tally.set_pools(["a"].into_iter());
        assert_eq!(tally.all_pools().len(), 2, "and is told of meanwhile");
        tally.set_pools(["c", "b"].into_iter());
        assert!(std::ptr::eq(tally.pool(1), &*before));
    }

    #[test]
    fn one_request_at_a_time_tries_an_upstream() {
        let counters = Counters::new(("p", "n1"), 2);
        let trial = counters.try_out();
        assert!(trial.is_some() && counters.try_out().is_none());
        drop(trial);
        assert!(counters.try_out().is_some());
    }
}

//! What is counted of upstreams and pools, beside the snapshots that decide. Written by the proxy threads, read by
//! people, and by the prober to tell a frozen upstream from a slow check.
//!
//! Invariants: an upstream keeps its counters for as long as it keeps its id, over every snapshot and reload · a tally
//! has counters for each id that its snapshot names, because ids are dense and never given twice · nothing waits here.
//! Beside the counters lies what requests doubt ([`Doubts`]), which lives as long.
//!
//! Left out on purpose: anything that a belief rests on. That is a value in the snapshot. Only where a new user goes may rest
//! on these counts, in pools that are balanced by busyness or traffic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use remora_policy::UpstreamId;

use crate::doubts::Doubts;
use crate::metrics::PoolMetrics;

/// The counters that belong to one snapshot.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    /// By [`UpstreamId::index`].
    upstreams: Vec<Arc<Counters>>,
    /// By [`UpstreamId::index`].
    doubts: Vec<Arc<Doubts>>,
    /// By the pools' positions.
    pools: Vec<PoolMetrics>,
}

impl Tally {
    /// Makes room for one more upstream: the one with the next id.
    pub(crate) fn add(&mut self) {
        self.upstreams.push(Arc::default());
        self.doubts.push(Arc::default());
    }

    /// The same upstreams, and the pools of these names in their order.
    #[must_use]
    pub(crate) fn with_pools<'a>(&self, names: impl Iterator<Item = &'a str>) -> Tally {
        Tally {
            upstreams: self.upstreams.clone(),
            doubts: self.doubts.clone(),
            pools: names.map(PoolMetrics::new).collect(),
        }
    }

    /// What is counted of this upstream.
    #[must_use]
    pub(crate) fn upstream(&self, id: UpstreamId) -> &Arc<Counters> {
        &self.upstreams[id.index()]
    }

    /// What requests doubt of this upstream, and what its checks say to that.
    #[must_use]
    pub(crate) fn doubts(&self, id: UpstreamId) -> &Arc<Doubts> {
        &self.doubts[id.index()]
    }

    /// The figures of the pool at this position.
    #[must_use]
    pub(crate) fn pool(&self, position: usize) -> &PoolMetrics {
        &self.pools[position]
    }
}

/// Counts of one upstream. Every method is one relaxed atomic: the figures order nothing.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    in_flight: AtomicU64,
    waiting: AtomicU64,
    answered: AtomicU64,
    interim: AtomicU64,
    failed: AtomicU64,
    tunnels: AtomicU64,
    carried: AtomicU64,
    on_trial: AtomicBool,
}

impl Counters {
    /// A place for the one request that tries the upstream; none while another has it.
    pub(crate) fn try_out(self: &Arc<Self>) -> Option<Trial> {
        (!self.on_trial.swap(true, Relaxed)).then(|| Trial(Arc::clone(self)))
    }

    /// An attempt begins. It ends when the guard is dropped.
    #[must_use = "the attempt ends when the guard is dropped"]
    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(self.clone())
    }

    /// An attempt waits for the head of its answer, until the guard is dropped.
    #[must_use = "the wait ends when the guard is dropped"]
    pub(crate) fn wait(self: &Arc<Self>) -> Waiting {
        self.waiting.fetch_add(1, Relaxed);
        Waiting(self.clone())
    }

    /// A response head arrived.
    pub(crate) fn answered(&self) {
        self.answered.fetch_add(1, Relaxed);
    }

    /// An informational head arrived.
    pub(crate) fn is_at_work(&self) {
        self.interim.fetch_add(1, Relaxed);
    }

    /// An attempt failed.
    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    /// Bytes of a body went there, or came from there.
    pub(crate) fn carried(&self, bytes: u64) {
        self.carried.fetch_add(bytes, Relaxed);
    }

    /// Bytes of bodies, both ways. What tunnels move is not counted, nor what a client goes on sending after its answer
    /// began.
    #[must_use]
    pub(crate) fn carried_so_far(&self) -> u64 {
        self.carried.load(Relaxed)
    }

    /// An attempt became a tunnel. It ends when the guard is dropped.
    #[must_use = "the tunnel ends when the guard is dropped"]
    pub(crate) fn tunnel(self: &Arc<Self>) -> OpenTunnel {
        self.tunnels.fetch_add(1, Relaxed);
        OpenTunnel(self.clone())
    }

    /// Attempts that have begun and not ended, tunnels not among them.
    #[must_use]
    pub(crate) fn in_flight_now(&self) -> u64 {
        // The two counts are read one after the other.
        self.in_flight.load(Relaxed).saturating_sub(self.tunnels_now())
    }

    /// Tunnels that are open.
    #[must_use]
    pub(crate) fn tunnels_now(&self) -> u64 {
        self.tunnels.load(Relaxed)
    }

    /// Attempts that wait for the head of their answer. Answers in progress (streams, tunnels) do not count: an idle
    /// one waits for nothing.
    #[must_use]
    pub(crate) fn waiting_now(&self) -> u64 {
        self.waiting.load(Relaxed)
    }

    /// Response heads that have arrived.
    #[must_use]
    pub(crate) fn answered_so_far(&self) -> u64 {
        self.answered.load(Relaxed)
    }

    /// Heads of any kind that have arrived: signs of life.
    #[must_use]
    pub(crate) fn heard_so_far(&self) -> u64 {
        self.answered_so_far() + self.interim.load(Relaxed)
    }

    /// Attempts that have failed.
    #[must_use]
    pub(crate) fn failed_so_far(&self) -> u64 {
        self.failed.load(Relaxed)
    }
}

/// The one request that tries an upstream which nobody checks; it is the only one until this is dropped.
#[derive(Debug)]
pub(crate) struct Trial(Arc<Counters>);

impl Drop for Trial {
    fn drop(&mut self) {
        self.0.on_trial.store(false, Relaxed);
    }
}

/// One attempt in flight; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Counters>);

impl InFlight {
    /// Bytes of its answer's body came.
    pub(crate) fn carried(&self, bytes: u64) {
        self.0.carried(bytes);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// One open tunnel; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenTunnel(Arc<Counters>);

impl Drop for OpenTunnel {
    fn drop(&mut self) {
        self.0.tunnels.fetch_sub(1, Relaxed);
    }
}

/// One attempt that waits for a head; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<Counters>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

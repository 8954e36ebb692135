//! What is told of an exchange when it is over: one line in the access log, the figures, the upstream's counts.
//!
//! Invariants: told exactly once, when the value is dropped, so that a client which goes away half-way is told too;
//! an upstream's count of attempts in flight ends with the last byte of its answer.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use remora_policy::{Cause, Failure, Phase, Pick, Upstream, UpstreamId};

use super::Site;
use crate::access_log::{End, Entry};
use crate::directory::Current;
use crate::http::{BodyError, RequestHead};
use crate::metrics::{FAILURES, REFUSED};
use crate::tally::InFlight;

/// The story of one exchange.
pub(super) struct Story {
    site: Rc<Site>,
    current: Arc<Current>,
    client: IpAddr,
    request: Rc<RequestHead>,
    began: Instant,
    pool: Option<usize>,
    pick: &'static str,
    attempts: u32,
    /// The upstream of the last attempt and its place in the count.
    upstream: Option<(UpstreamId, InFlight)>,
    /// Status, and when it was known; none while the client has no answer.
    answered: Option<(u16, Duration)>,
    bytes: u64,
    end: End,
}

impl Story {
    pub(super) fn begin(
        site: &Rc<Site>,
        current: &Arc<Current>,
        client: IpAddr,
        request: &Rc<RequestHead>,
    ) -> Self {
        Self {
            site: Rc::clone(site),
            current: Arc::clone(current),
            client,
            request: Rc::clone(request),
            began: Instant::now(),
            pool: None,
            pick: "",
            attempts: 0,
            upstream: None,
            answered: None,
            bytes: 0,
            end: End::ClientGone,
        }
    }

    /// The pool that serves the request, by position.
    pub(super) fn pool(&mut self, pool: usize) {
        self.pool = Some(pool);
    }

    /// How an upstream was picked.
    pub(super) fn picked(&mut self, pick: &Pick<'_>) {
        self.pick = pick.as_str();
        if let Some(pool) = self.pool {
            self.current.tally.pool(pool).picked(self.pick);
        }
    }

    /// An attempt begins.
    pub(super) fn attempts(&mut self, upstream: &Upstream) {
        self.attempts += 1;
        let counters = self.current.tally.upstream(upstream.id);
        self.upstream = Some((upstream.id, counters.begin()));
    }

    /// The current attempt failed.
    pub(super) fn failed(&mut self, failure: &Failure) {
        let Some((id, _)) = &self.upstream else { return };
        if let Some(observation) = failure.observation() {
            self.site.directory.observe(*id, observation);
        }
        let Some((pool, upstream)) = self.current.snapshot.upstreams.find(*id) else {
            return;
        };
        tracing::debug!(route = &*upstream.route, ?failure, "an attempt failed");
        self.current.tally.upstream(*id).failed();
        metrics::counter!(FAILURES, "pool" => pool.name.to_string(), "route" => upstream.route.to_string())
            .increment(1);
    }

    /// Another attempt follows.
    pub(super) fn repeats(&mut self) {
        if let Some(pool) = self.pool {
            self.current.tally.pool(pool).repeats.increment(1);
        }
    }

    /// The head of the answer goes to the client.
    pub(super) fn status(&mut self, status: u16) {
        let elapsed = self.began.elapsed();
        self.answered = Some((status, elapsed));
        match self.pool {
            Some(pool) => {
                let figures = self.current.tally.pool(pool);
                figures.answered(status);
                figures.head_seconds.record(elapsed.as_secs_f64());
            }
            None => metrics::counter!(REFUSED, "status" => status.to_string()).increment(1),
        }
    }

    /// Bytes of the body went to the client.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// The answer's body ended early.
    pub(super) fn broke(&mut self, error: BodyError) {
        let cause = match error {
            BodyError::Broken => Cause::Broken,
            BodyError::Malformed => Cause::Malformed,
            BodyError::Stalled => Cause::TimedOut,
        };
        self.end = End::UpstreamCut;
        self.failed(&Failure::new(Phase::Passing, cause));
    }

    /// The answer went out whole.
    pub(super) fn complete(&mut self) {
        self.end = End::Complete;
    }

    /// From here on bytes are exchanged.
    pub(super) fn tunnel(&mut self) {
        self.end = End::Tunnel;
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if !self.site.log.is_on() {
            return;
        }
        let snapshot = &self.current.snapshot;
        let pool = self.pool.map(|pool| &snapshot.upstreams.pools[pool]);
        let upstream = self
            .upstream
            .as_ref()
            .and_then(|(id, _)| pool.and_then(|pool| pool.member(*id)));
        self.site.log.note(&Entry {
            client: self.client,
            method: self.request.method().as_bytes(),
            target: self.request.target(),
            version: self.request.version.name(),
            parameters: &snapshot.session_parameters,
            status: self.answered.map_or(0, |(status, _)| status),
            bytes: self.bytes,
            referer: self.request.fields.get("referer"),
            agent: self.request.fields.get("user-agent"),
            pool: pool.map_or("", |pool| &pool.name),
            route: upstream.map_or("", |upstream| &upstream.route),
            pick: self.pick,
            attempts: self.attempts,
            head: self.answered.map(|(_, elapsed)| elapsed),
            total: self.began.elapsed(),
            end: self.end,
        });
    }
}

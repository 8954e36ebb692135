//! What is told of an exchange when it is over: one line in the access log, the figures, the upstream's counts.
//!
//! It only records. What an attempt means for health is observed by whoever made it (`Visit::observe`).
//!
//! Invariants: told exactly once, when the value is dropped, so that a client which goes away half-way is told too;
//! an upstream's count of attempts in flight ends with the last byte of its answer.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use remora_policy::{
    ClientView, Failure, PathRoute, Pick, Upstream, UpstreamId, given_request_id, traceparent,
};

use super::farewell;
use super::visit::Visit;
use crate::access_log::{End, Entry};
use crate::config::Terms;
use crate::directory::Snapshot;
use crate::http::{BodyError, Farewell};
use crate::metrics::FAILURES;

/// The story of one exchange.
pub(super) struct Story {
    visit: Rc<Visit>,
    client: IpAddr,
    request_id: String,
    began: Instant,
    pool: Option<usize>,
    route: Option<usize>,
    pick: &'static str,
    /// Why the request was refused before a pool was known, in a word; empty if it was not.
    reason: &'static str,
    attempts: u32,
    /// The upstream of the last attempt and its place in the count.
    upstream: Option<InProgress>,
    /// Status, and when it was known; none while the client has no answer.
    answered: Option<(u16, Duration)>,
    bytes: u64,
    client_failed: bool,
    end: End,
}

impl Story {
    pub(super) fn begin(visit: &Rc<Visit>, client: &ClientView<'_>) -> Self {
        let given = given_request_id(client, visit.head.fields.iter());
        Self {
            visit: Rc::clone(visit),
            client: client.address,
            request_id: given.map_or_else(|| visit.site.naming.request(), str::to_owned),
            began: Instant::now(),
            pool: None,
            route: None,
            pick: "",
            reason: "",
            attempts: 0,
            upstream: None,
            answered: None,
            bytes: 0,
            client_failed: false,
            end: End::ClientGone,
        }
    }

    /// The request's name in all logs.
    pub(super) fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The route that serves the request.
    pub(super) fn mapped(&mut self, route: &PathRoute) {
        self.pool = Some(route.pool);
        self.route = Some(route.position);
    }

    /// What holds on the route; none while no route serves the request.
    pub(super) fn terms<'v>(&self, snapshot: &'v Snapshot) -> Option<&'v Terms> {
        self.route.map(|position| &snapshot.terms[position])
    }

    /// No pool takes the request, for this reason.
    pub(super) fn refused(&mut self, reason: &'static str) {
        if self.pool.is_none() {
            self.reason = reason;
        }
    }

    /// How an upstream was picked.
    pub(super) fn picked(&mut self, pick: &Pick<'_>) {
        self.pick = pick.as_str();
        if let Some(pool) = self.pool {
            self.visit.figures(pool).picked(pick);
        }
    }

    /// An attempt begins.
    pub(super) fn attempts(&mut self, upstream: &Upstream) {
        self.attempts += 1;
        self.upstream = Some(InProgress::begin(&self.visit, upstream.id));
    }

    /// The current attempt failed.
    pub(super) fn failed(&mut self, failure: &Failure) {
        let Some(id) = self.upstream() else { return };
        let Some((pool, upstream)) = self.visit.snapshot().upstreams.find(id) else {
            return;
        };
        tracing::debug!(route = &*upstream.route, ?failure, "an attempt failed");
        metrics::counter!(FAILURES, "pool" => pool.name.to_string(), "route" => upstream.route.to_string())
            .increment(1);
    }

    /// Another attempt follows.
    pub(super) fn repeats(&mut self) {
        if let Some(pool) = self.pool {
            self.visit.figures(pool).repeats();
        }
    }

    /// The head of the answer goes to the client.
    pub(super) fn status(&mut self, status: u16) {
        let elapsed = self.began.elapsed();
        self.answered = Some((status, elapsed));
        match self.pool {
            Some(pool) => self.visit.figures(pool).answered(status, elapsed),
            None => self.visit.site.refusals.count(self.reason, status),
        }
    }

    /// Bytes of the body went to the client.
    pub(super) fn sent(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some(id) = self.upstream() {
            self.visit.cells(id).carried(bytes);
        }
    }

    /// The answer's body ended early.
    pub(super) fn cut(&mut self, failure: &Failure) {
        self.end = End::UpstreamCut;
        self.failed(failure);
    }

    /// The upstream of the last attempt.
    pub(super) fn upstream(&self) -> Option<UpstreamId> {
        self.upstream.as_ref().map(|attempt| attempt.id)
    }

    /// The client's body ended early, which is how the exchange ends, whatever is answered.
    pub(super) fn lost_client(&mut self, error: BodyError) {
        self.client_failed = true;
        if error == BodyError::Stalled {
            self.end = End::TooSlow;
        }
    }

    /// The answer went out whole.
    pub(super) fn complete(&mut self) {
        if !self.client_failed {
            self.end = End::Complete;
        }
    }

    /// From here on bytes are exchanged, until the client is to leave or anybody does.
    pub(super) fn tunnel(&mut self) -> Farewell {
        self.end = End::Tunnel;
        let upstream = self.upstream();
        if let Some(attempt) = &mut self.upstream {
            attempt.becomes_tunnel();
        }
        let directory = self.visit.site.directory.clone();
        match upstream {
            Some(id) => Box::pin(farewell::due(directory, id)),
            None => Box::pin(std::future::pending()),
        }
    }
}

/// An attempt that is counted as in flight, as a tunnel if it became one, until this is dropped.
struct InProgress {
    visit: Rc<Visit>,
    id: UpstreamId,
    tunnel: bool,
}

impl InProgress {
    fn begin(visit: &Rc<Visit>, id: UpstreamId) -> Self {
        std::mem::forget(visit.cells(id).begin());
        Self {
            visit: Rc::clone(visit),
            id,
            tunnel: false,
        }
    }

    fn becomes_tunnel(&mut self) {
        std::mem::forget(self.visit.cells(self.id).tunnel());
        self.tunnel = true;
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let cells = self.visit.cells(self.id);
        if self.tunnel {
            cells.tunnel_ended();
        }
        cells.ended();
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if !self.visit.site.log.is_on() {
            return;
        }
        let (head, snapshot) = (&self.visit.head, self.visit.snapshot());
        let pool = self.pool.map(|pool| &snapshot.upstreams.pools[pool]);
        let upstream = self
            .upstream()
            .and_then(|id| pool.and_then(|pool| pool.member(id)));
        let now = Instant::now();
        let entry = Entry {
            client: self.client,
            method: head.method().as_bytes(),
            target: head.target(),
            version: head.version.name(),
            parameters: &snapshot.session_parameters,
            status: self.answered.map_or(0, |(status, _)| status),
            bytes: self.bytes,
            referer: head.fields.get("referer"),
            agent: head.fields.get("user-agent"),
            pool: pool.map_or("", |pool| &pool.name),
            route: upstream.map_or("", |upstream| &upstream.route),
            pick: self.pick,
            attempts: self.attempts,
            head: self.answered.map(|(_, elapsed)| elapsed),
            total: now.saturating_duration_since(self.began),
            end: self.end,
            reason: self.reason,
            request_id: &self.request_id,
            trace: traceparent(head.fields.iter()),
        };
        self.visit.site.log.note(&entry, now);
    }
}

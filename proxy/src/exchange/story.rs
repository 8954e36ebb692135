//! What is told of an exchange when it is over: one line in the access log, the figures, the upstream's counts.
//!
//! It only records. What an attempt means for health is observed by whoever made it (`Visit::observe`).
//!
//! Invariants: told exactly once, when the value is dropped, so that a client which goes away half-way is told too;
//! an upstream's count of attempts in flight ends with the last byte of its answer.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::time::Duration;

use remora_h1::Known;
use remora_policy::{
    ClientView, Failure, PathRoute, Pick, Upstream, UpstreamId, given_request_id, traceparent,
};
use tokio::time::Instant;

use super::trail::Trail;
use super::visit::Visit;
use super::{Visitor, farewell};
use crate::access_log::{End, Entry};
use crate::answer::{OwnAnswer, Words};
use crate::config::{Limits, Rules};
use crate::directory::Snapshot;
use crate::http::Farewell;
use crate::metrics::SLOW;
use crate::naming::RequestId;
use crate::replay::{Replay, count};
use crate::tally::{InFlight, OpenTunnel};

/// What a request is called in all logs.
enum RequestName<'v> {
    Own(RequestId),
    /// By somebody in front who is trusted.
    Given(&'v str),
}

/// The story of one exchange.
pub(super) struct Story<'v> {
    visit: &'v Visit<'v>,
    client: IpAddr,
    peer: Option<IpAddr>,
    tls: Option<&'static str>,
    scheme: &'static str,
    host: &'v [u8],
    request_id: RequestName<'v>,
    began: Instant,
    pool: Option<usize>,
    route: Option<usize>,
    pick: &'static str,
    trail: Trail<'v>,
    /// The upstream of the last attempt and its place in the count.
    upstream: Option<(UpstreamId, InFlight<'v>)>,
    tunnel: Option<OpenTunnel<'v>>,
    /// Status, and when it was known; none while the client has no answer.
    answered: Option<(u16, Duration)>,
    /// What the client sends.
    content: &'v RefCell<Replay<'v>>,
    /// Bytes of a tunnel that came from the client.
    relayed: Cell<u64>,
    /// Bytes of the answer's content, or of a tunnel, that went to the client.
    sent: Cell<u64>,
    /// Why the answer is one of ours, in a word; empty if it is not.
    reason: &'static str,
    end: End,
}

impl<'v> Story<'v> {
    pub(super) fn begin(
        visit: &'v Visit<'v>,
        (client, visitor): (&ClientView<'v>, &Visitor),
        content: &'v RefCell<Replay<'v>>,
    ) -> Self {
        let peer = visitor.peer.address.to_canonical();
        let given = given_request_id(client, visit.head.fields.iter());
        Self {
            visit,
            client: client.address,
            peer: Some(peer).filter(|peer| *peer != client.address),
            tls: visitor.tls,
            scheme: client.scheme.as_str(),
            host: client.host_name(),
            request_id: given.map_or_else(
                || RequestName::Own(visit.site.naming.request()),
                RequestName::Given,
            ),
            began: visit.now(),
            pool: None,
            route: None,
            pick: "",
            trail: Trail::new(visit.now()),
            upstream: None,
            tunnel: None,
            answered: None,
            content,
            relayed: Cell::new(0),
            sent: Cell::new(0),
            reason: "",
            end: End::ClientGone,
        }
    }

    /// The request's name in all logs.
    pub(super) fn request_id(&self) -> &str {
        match &self.request_id {
            RequestName::Own(own) => own.as_str(),
            RequestName::Given(given) => given,
        }
    }

    /// The route that serves the request.
    pub(super) fn mapped(&mut self, route: &PathRoute) {
        self.pool = Some(route.pool);
        self.route = Some(route.position);
    }

    /// The limits and the rules that hold for the request: its route's, or the site's while no route serves it.
    pub(super) fn terms(&self) -> (&'v Limits, &'v Rules) {
        let snapshot: &'v Snapshot = self.visit.snapshot();
        self.route
            .map_or((&snapshot.limits, &snapshot.rules), |position| {
                let terms = &snapshot.terms[position];
                (&terms.limits, &terms.rules)
            })
    }

    /// What an owner says where this answer of ours stands in an upstream's place.
    pub(super) fn words(&self, own: &OwnAnswer) -> Words<'v> {
        let snapshot: &'v Snapshot = self.visit.snapshot();
        let is_notice = *own == OwnAnswer::maintenance();
        let notice = self
            .pool
            .filter(|_| is_notice)
            .and_then(|pool| snapshot.notice(pool, self.client));
        let in_place = self.pool.and_then(|pool| snapshot.in_place.get(pool));
        Words {
            pages: in_place.map_or(&snapshot.pages, |in_place| &in_place.pages),
            notice,
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
    pub(super) fn attempts(&mut self, upstream: &'v Upstream) {
        self.trail.begins(upstream, self.pick, self.visit.now());
        let cells = self.visit.cells(upstream.id);
        if self.upstream.is_some() {
            cells.figures.repeats();
        }
        if let Some(pool) = self.pool
            && let Some(tier) = self.visit.snapshot().upstreams.pools[pool].tier(upstream)
        {
            self.visit.figures(pool).asks(tier);
        }
        self.upstream = Some((upstream.id, cells.begin()));
    }

    /// The current attempt has a connection: one that had served before, or a new one.
    pub(super) fn connected(&mut self, reused: bool) {
        self.trail.connected(reused, self.visit.now());
    }

    /// It has the head of an answer.
    pub(super) fn headed(&mut self) {
        self.trail.answered(self.visit.now());
    }

    /// The current attempt failed.
    pub(super) fn failed(&mut self, failure: &Failure) {
        self.trail.failed(failure, self.visit.now());
        let Some((id, _)) = &self.upstream else { return };
        let Some((_, upstream)) = self.visit.snapshot().upstreams.find(*id) else {
            return;
        };
        tracing::debug!(route = &*upstream.route, ?failure, "an attempt failed");
    }

    /// Another attempt follows.
    pub(super) fn repeats(&mut self) {
        if let Some(pool) = self.pool {
            self.visit.figures(pool).repeats();
        }
    }

    /// We answer in an upstream's place, for this reason.
    pub(super) fn answered_by_us(&mut self, reason: &'static str) {
        self.reason = reason;
    }

    /// The head of the answer goes to the client.
    pub(super) fn status(&mut self, status: u16) {
        let elapsed = self.visit.now().saturating_duration_since(self.began);
        self.answered = Some((status, elapsed));
        if let Some(pool) = self.pool {
            self.visit.figures(pool).answered(status, elapsed);
        }
        if !self.reason.is_empty() {
            let pools = &self.visit.snapshot().upstreams.pools;
            let pool = self.pool.map_or("", |pool| &*pools[pool].name);
            self.visit.site.own_answers.count(pool, self.reason, status);
        }
    }

    /// Bytes of the answer's content, or of a tunnel, went to the client.
    pub(super) fn sent(&self, bytes: usize) {
        let bytes = count(bytes);
        self.sent.update(|sent| sent.saturating_add(bytes));
        if let Some(id) = self.upstream().filter(|_| self.reason.is_empty()) {
            self.visit.cells(id).took(bytes);
        }
    }

    /// Bytes of a tunnel went to the upstream.
    pub(super) fn relayed(&self, bytes: usize) {
        let bytes = count(bytes);
        self.relayed.update(|relayed| relayed.saturating_add(bytes));
        if let Some(id) = self.upstream() {
            self.visit.cells(id).gave(bytes);
        }
    }

    /// Bytes of the request's content, and of a tunnel, that came from the client.
    fn received(&self) -> u64 {
        let content = self.content.borrow().received();
        content.saturating_add(self.relayed.get())
    }

    /// The answer's body ended early.
    pub(super) fn cut(&mut self, failure: &Failure) {
        self.end = End::UpstreamCut;
        self.failed(failure);
    }

    /// The upstream of the last attempt.
    pub(super) fn upstream(&self) -> Option<UpstreamId> {
        self.upstream.as_ref().map(|(id, _)| *id)
    }

    /// The client is not served to the end, because it is too slow at its `request` or its `answer`.
    pub(super) fn too_slow(&mut self, at: &'static str) {
        metrics::counter!(SLOW, "at" => at).increment(1);
        self.end = End::TooSlow;
    }

    /// The answer went out whole.
    pub(super) fn complete(&mut self) {
        if self.end == End::ClientGone {
            self.end = End::Complete;
        }
    }

    /// From here on bytes are exchanged, until anybody leaves, or the client is to: because its upstream is drained, or because the
    /// process ends.
    pub(super) fn tunnel(&mut self) -> Farewell {
        self.end = End::Tunnel;
        let upstream = self.upstream();
        self.tunnel = upstream.map(|id| self.visit.cells(id).tunnel());
        let process_ends = self.visit.ticket.is_tunnel();
        let (directory, client) = (self.visit.site.directory.clone(), self.client);
        let upstream_leaves = async move {
            match upstream {
                Some(id) => farewell::due(directory, id, client).await,
                None => std::future::pending().await,
            }
        };
        Box::pin(async {
            tokio::select! {
                () = upstream_leaves => {}
                () = process_ends => {}
            }
        })
    }
}

impl Drop for Story<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.upstream() {
            // What went there since its attempt ended: a client may send on while it is answered.
            let given = self.content.borrow_mut().take_given();
            self.visit.cells(id).gave(given);
        }
        if let Some(pool) = self.pool {
            self.visit.figures(pool).ended(self.end);
        }
        if !self.visit.site.log.is_on() {
            return;
        }
        let (head, snapshot) = (&self.visit.head, self.visit.snapshot());
        let pool = self.pool.map(|pool| &snapshot.upstreams.pools[pool]);
        let now = self.visit.now();
        self.trail.is_over(now);
        let content = self.content.borrow();
        let read = content.read_by();
        let entry = Entry {
            client: self.client,
            peer: self.peer,
            tls: self.tls.unwrap_or_default(),
            scheme: self.scheme,
            host: self.host,
            method: head.method().as_bytes(),
            target: head.target(),
            version: head.version().name(),
            parameters: &snapshot.session_parameters,
            status: self.answered.map_or(0, |(status, _)| status),
            sent: self.sent.get(),
            received: self.received(),
            referer: head.fields.first(Known::Referer),
            agent: head.fields.first(Known::UserAgent),
            pool: pool.map_or("", |pool| &pool.name),
            pick: self.pick,
            attempts: self.trail.attempts(),
            read: read.map(|read| read.saturating_duration_since(self.began)),
            head: self.answered.map(|(_, elapsed)| elapsed),
            total: now.saturating_duration_since(self.began),
            end: self.end,
            reason: self.reason,
            request_id: self.request_id(),
            trace: traceparent(head.fields.iter()),
        };
        self.visit.site.log.note(&entry, now.into_std());
    }
}

//! One request and what it is served with, from its head to its last byte.
//!
//! Invariant: [`Visit::observe`] is the only way in which requests feed health, wake checks, and count what the prober
//! reads (informational heads apart, which `forward` counts as they come). It is called once for each attempt that
//! failed or was answered, and once more if the answer's body breaks.

use remora_h1::{Head, Refusal};
use remora_policy::{ClientView, Failure, Health, Observation, ToHttps, UpstreamId};
use tokio::time::Instant;

use crate::answer::OwnAnswer;
use crate::directory::{Held, Snapshot};
use crate::doubts::Doubt;
use crate::metrics::{PoolCells, REFUSED_ANSWERS};
use crate::server::Ticket;
use crate::site::Site;
use crate::tally::Cells;
use crate::way::to_https;

/// A request in hand. Whatever works on it shares it.
pub(super) struct Visit<'v> {
    pub(super) site: &'v Site,
    /// The place of its client's connection.
    pub(super) ticket: &'v Ticket,
    /// What upstreams are told of its client's TLS, where that ends here.
    pub(super) secured: Option<&'v [(&'static str, String)]>,
    /// As it was when the request came; the request keeps it to the end.
    pub(super) current: Held,
    pub(super) head: &'v Head,
}

impl Visit<'_> {
    /// What the request knows of pools, paths and limits.
    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.current.snapshot
    }

    /// The moment of this turn.
    pub(super) fn now(&self) -> Instant {
        self.ticket.now()
    }

    /// The answer to a client that has to come over TLS, its address in `to`; none where it is served.
    pub(super) fn sent_to_https(
        &self,
        redirect: Option<&ToHttps>,
        client: &ClientView<'_>,
        to: &mut Vec<u8>,
    ) -> Option<OwnAnswer> {
        to_https(
            redirect,
            client,
            (self.head.method(), self.head.path_and_query()),
            to,
        )
    }

    /// What holds of an upstream's health now, after all that happened since the request came. One that was taken out of
    /// its pool has none.
    pub(super) fn is_now(&self, upstream: UpstreamId, so: impl Fn(&Health) -> bool) -> bool {
        let now = self.site.current();
        let found = now.snapshot.upstreams.find(upstream);
        found.is_some_and(|(_, member)| so(&member.health))
    }

    /// What this thread counts of an upstream.
    pub(super) fn cells(&self, upstream: UpstreamId) -> &Cells {
        self.current.tally.upstream(upstream).of(self.site.thread)
    }

    /// What this thread counts of a pool.
    pub(super) fn figures(&self, pool: usize) -> &PoolCells {
        self.current.tally.pool(pool).of(self.site.thread)
    }

    /// What an upstream answered is refused.
    pub(super) fn refused_answer(&self, upstream: UpstreamId, refusal: &Refusal) {
        let Some((pool, upstream)) = self.snapshot().upstreams.find(upstream) else {
            return;
        };
        let (pool, route, reason) = (pool.name.to_string(), upstream.route.to_string(), refusal.reason);
        tracing::warn!(
            pool,
            route,
            reason,
            "an upstream's answer is refused: {}",
            refusal.sentence
        );
        metrics::counter!(REFUSED_ANSWERS, "pool" => pool, "route" => route, "reason" => reason).increment(1);
    }

    /// What was seen of an upstream: a response head with its status, or a failure. Answers with the doubt that a check will settle.
    pub(super) fn observe(&self, upstream: UpstreamId, seen: Result<u16, &Failure>) -> Option<Doubt> {
        let counters = self.cells(upstream);
        let observation = match seen {
            Ok(status) => {
                counters.answered(status);
                Some(Observation::Answered)
            }
            Err(failure) => {
                counters.failed(failure);
                let observation = failure.observation();
                if observation == Some(Observation::Answered) {
                    counters.is_at_work();
                }
                observation
            }
        };
        let observation = observation?;
        let doubt = observation
            .is_doubt()
            .then(|| self.current.tally.doubts(upstream).raise());
        self.site.directory.observe(upstream, &observation);
        doubt
    }
}

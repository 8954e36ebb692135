//! How long a request stays at an upstream that does not answer it.
//!
//! It leaves as soon as its upstream is not believed to answer, somebody else is, and it may be repeated. Otherwise it
//! stays, but not for ever: [`FROZEN_MAX`] after the upstream was found frozen it is over, whatever the request.
//!
//! Left out on purpose: where it goes, and what its client is told. That is for the failure to decide.

use std::cell::Cell;
use std::time::Duration;

use remora_policy::{Belief, Cause, Failure, Phase, Upstream, Verdict, decide};

use super::Exchange;
use crate::deadline::Deadline;

/// How long a request stays at an upstream that is frozen. 5 s: as long as an upstream at work is borne, and longer than
/// its user waits without another click.
const FROZEN_MAX: Duration = Duration::from_secs(5);

/// A request at an upstream.
pub(super) struct Stay<'a, 'b, 'r, 'k> {
    exchange: &'b Exchange<'a, 'r, 'k>,
    upstream: &'a Upstream,
    /// When it must be over, from the first look at which the upstream was frozen on.
    until: Cell<Option<Deadline>>,
}

impl<'a, 'b, 'r, 'k> Stay<'a, 'b, 'r, 'k> {
    pub(super) fn at(exchange: &'b Exchange<'a, 'r, 'k>, upstream: &'a Upstream) -> Self {
        Self {
            exchange,
            upstream,
            until: Cell::new(None),
        }
    }

    /// Looks around: whether it is over. It has come as far as `phase` at least.
    pub(super) fn is_over(&self, phase: Phase) -> bool {
        let now = self.exchange.visit.site.current();
        let Some((pool, member)) = now.snapshot.upstreams.find(self.upstream.id) else {
            return false;
        };
        if !member.health.is_frozen() {
            self.until.set(None);
        } else if self.until.get().is_none() {
            self.until.set(Some(Deadline::within(FROZEN_MAX)));
        }
        if self.until.get().is_some_and(Deadline::has_passed) {
            return true;
        }
        let answers = matches!(member.health.belief(), Belief::Up | Belief::Leaving);
        let is_elsewhere = |other: &Upstream| {
            other.health.belief() == Belief::Up
                && other.id != member.id
                && !self.exchange.tried.contains(&other.id)
                // The request chooses by the beliefs that it began with.
                && self.exchange.pool.member(other.id).is_some()
        };
        let failure = Failure::new(phase, Cause::Frozen);
        !answers
            && pool.members.iter().any(is_elsewhere)
            && decide(&failure, self.exchange.shape(), &self.exchange.budget()) == Verdict::NextUpstream
    }
}

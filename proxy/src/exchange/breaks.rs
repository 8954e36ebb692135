//! What it means that upstreams broke a request: one may be dying, and two in a row speak against the request.
//!
//! Each break woke a check. After the second the request waits for both verdicts: if an upstream is down, its break is
//! explained and the request goes on; if both pass their checks, a third upstream would be broken as well, and the
//! request ends here, which counts against nobody.
//!
//! Invariant: a wait is bounded ([`VERDICTS_MAX`]); without a verdict the doubt is the request's.

use std::time::Duration;

use futures::future::select;
use remora_policy::{Belief, Failure, UpstreamId};

use super::visit::Visit;
use crate::doubts::Doubt;

/// How long verdicts are waited for. 3 s: two checks that are not answered in a second each, and what lies between.
const VERDICTS_MAX: Duration = Duration::from_secs(3);

/// The breaks of one request that are not explained.
#[derive(Default)]
pub(super) struct Breaks {
    by: Vec<(UpstreamId, Doubt)>,
}

impl Breaks {
    /// An attempt failed, and this doubt was raised.
    pub(super) fn note(&mut self, upstream: UpstreamId, failure: &Failure, doubt: Option<Doubt>) {
        if let Some(doubt) = doubt.filter(|_| failure.is_break()) {
            self.by.push((upstream, doubt));
        }
    }

    /// Whether the request may go on: at most one upstream that is not down broke it.
    pub(super) async fn are_explained(&mut self, visit: &Visit<'_>) -> bool {
        let [(one, first), (other, second)] = self.by[..] else {
            return true;
        };
        let one = visit.current.tally.doubts(one).settled(first);
        let other = visit.current.tally.doubts(other).settled(second);
        let verdicts = async {
            let (one, other) = (std::pin::pin!(one), std::pin::pin!(other));
            // Whoever is settled first may be down, and then the other's verdict is not needed.
            let rest = select(one, other).await.factor_first().1;
            if !is_one_down(visit, &self.by) {
                rest.await;
            }
        };
        // Without verdicts in time the beliefs of this moment count.
        let _ = tokio::time::timeout(VERDICTS_MAX, verdicts).await;
        let explained = is_one_down(visit, &self.by);
        self.by.retain(|(upstream, _)| !is_down(visit, *upstream));
        explained
    }
}

fn is_one_down(visit: &Visit<'_>, breaks: &[(UpstreamId, Doubt)]) -> bool {
    breaks.iter().any(|(upstream, _)| is_down(visit, *upstream))
}

fn is_down(visit: &Visit<'_>, upstream: UpstreamId) -> bool {
    visit.is_now(upstream, |health| health.belief() == Belief::Down)
}

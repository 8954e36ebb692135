//! What requests doubt of an upstream, and what its checks say to that: how a request that broke wakes a check, and how
//! it learns the verdict.
//!
//! Every doubt has a number, which rises. A check that begins covers all doubts that were raised before; once it has
//! passed, or the upstream is down, they are settled.
//!
//! Invariants: a doubt is settled by a check that began after it, never by an older one · raising and settling wait for
//! nobody. Left out on purpose: what the verdict is. That is in the directory by the time the doubt is settled.

use tokio::sync::watch;

/// The doubts of one upstream.
#[derive(Debug)]
pub(crate) struct Doubts {
    raised: watch::Sender<u64>,
    settled: watch::Sender<u64>,
}

/// One doubt, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Doubt(u64);

impl Default for Doubts {
    fn default() -> Self {
        Self {
            raised: watch::channel(0).0,
            settled: watch::channel(0).0,
        }
    }
}

impl Doubts {
    /// A request saw a bad sign.
    pub(crate) fn raise(&self) -> Doubt {
        let mut number = 0;
        self.raised.send_modify(|raised| {
            *raised += 1;
            number = *raised;
        });
        Doubt(number)
    }

    /// How many were raised so far.
    pub(crate) fn raised_so_far(&self) -> u64 {
        *self.raised.borrow()
    }

    /// Waits until more were raised than these.
    pub(crate) async fn raised_beyond(&self, covered: u64) {
        let mut raised = self.raised.subscribe();
        // The sender is this value, which is borrowed: it cannot be gone.
        let _ = raised.wait_for(|raised| *raised > covered).await;
    }

    /// A verdict is known that covers so many.
    pub(crate) fn settle(&self, covered: u64) {
        self.settled
            .send_if_modified(|settled| covered > std::mem::replace(settled, covered.max(*settled)));
    }

    /// Waits until this doubt is settled.
    pub(crate) async fn settled(&self, doubt: Doubt) {
        let mut settled = self.settled.subscribe();
        let _ = settled.wait_for(|settled| *settled >= doubt.0).await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_doubt_is_settled_by_what_began_after_it() {
        let doubts = Doubts::default();
        let first = doubts.raise();
        let covered = doubts.raised_so_far();
        let second = doubts.raise();
        assert!(doubts.raised_beyond(covered).now_or_never().is_some());
        assert!(doubts.raised_beyond(covered + 1).now_or_never().is_none());
        doubts.settle(covered);
        doubts.settle(0);
        assert!(doubts.settled(first).now_or_never().is_some());
        assert!(doubts.settled(second).now_or_never().is_none());
    }
}

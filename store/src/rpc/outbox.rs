//! What one stream must tell its manager unasked: pushes, offers, and why it is cut. Filled by the hub, emptied by the stream
//! whenever the connection takes more.
//!
//! Pushes are bounded by [`PUSHES_MAX`], beyond which the stream is cut, because a manager that does not hear of its
//! evictions must not believe that it does.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use remora_proto::v1;
use tokio::sync::Notify;

use super::hub::UNACKNOWLEDGED_MAX;
use super::offers::OFFERS_MAX;
use super::twins::Displaced;

/// Pushes that wait on one stream: a manager that stood still for a moment may not lose its stream for it, so as many as it
/// may leave unacknowledged; some MiB.
const PUSHES_MAX: usize = UNACKNOWLEDGED_MAX;

/// Why a stream is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The same instance opened another stream.
    Replaced,
    /// The manager does not read or does not acknowledge.
    Slow,
    /// Its Tomcat is not in the registry any more, and did not take itself out.
    Retired,
}

/// The queue of one stream.
#[derive(Default)]
pub(super) struct Outbox {
    due: Mutex<Due>,
    wake: Notify,
}

/// What was taken out of an outbox.
#[derive(Default)]
pub(super) struct Due {
    /// Pushes, in the order in which they happened.
    pub(super) pushes: VecDeque<v1::Push>,
    /// Offers of sessions that expired, for which nobody waits; at most [`OFFERS_MAX`].
    pub(super) offers: VecDeque<v1::Push>,
    /// That another instance announced itself under the name of its Tomcat.
    pub(super) displaced: Option<Displaced>,
    /// Whether the stream must end.
    pub(super) cut: Option<Cut>,
}

impl Outbox {
    fn due(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something was put in since the last [`Outbox::take`]. Safe to drop and call again.
    pub(super) async fn filled(&self) {
        self.wake.notified().await;
    }

    /// Takes everything.
    pub(super) fn take(&self) -> Due {
        std::mem::take(&mut *self.due())
    }

    /// Puts a push in; false when there are too many, and the stream must be cut.
    pub(super) fn push(&self, push: v1::Push) -> bool {
        let mut due = self.due();
        let fits = due.pushes.len() < PUSHES_MAX;
        if fits {
            due.pushes.push_back(push);
        }
        drop(due);
        self.wake.notify_one();
        fits
    }

    /// Puts an offer in, if there is room: what is left out is offered again.
    pub(super) fn offer(&self, offer: v1::Push) {
        let mut due = self.due();
        if due.offers.len() < OFFERS_MAX {
            due.offers.push_back(offer);
        }
        drop(due);
        self.wake.notify_one();
    }

    /// Another instance announced itself under the name of its Tomcat.
    pub(super) fn displaced(&self, displaced: Displaced) {
        self.due().displaced = Some(displaced);
        self.wake.notify_one();
    }

    /// Ends the stream.
    pub(super) fn cut(&self, why: Cut) {
        self.due().cut = Some(why);
        self.wake.notify_one();
    }
}

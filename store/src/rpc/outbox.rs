//! What waits to leave on one stream: answers of proposals and pushes. Filled by the proposer and the hub, emptied by
//! the stream whenever the connection takes more.
//!
//! Bounds: answers are bounded by the requests in flight on the stream; pushes by [`PUSHES_MAX`], beyond which the
//! stream is cut, because a manager that does not hear of its evictions must not believe that it does.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use remora_proto::v1;
use tokio::sync::Notify;

use crate::raft::{Answer, Replies};

/// Pushes that wait on one stream: a drain of a few thousand sessions passes, a manager that does not read is cut.
const PUSHES_MAX: usize = 4_096;

/// Why a stream is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The same instance opened another stream.
    Replaced,
    /// The manager does not read or does not acknowledge.
    Slow,
}

/// The queue of one stream.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

/// What was taken out of an outbox.
#[derive(Default)]
pub(super) struct Waiting {
    /// Answers by token, in the order in which they came.
    pub(super) answers: Vec<(u64, Answer)>,
    /// Pushes, in the order in which they happened.
    pub(super) pushes: VecDeque<v1::Push>,
    /// Whether the stream must end.
    pub(super) cut: Option<Cut>,
}

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something was put in since the last [`Outbox::take`]. Safe to drop and call again.
    pub(super) async fn filled(&self) {
        self.wake.notified().await;
    }

    /// Takes everything.
    pub(super) fn take(&self) -> Waiting {
        std::mem::take(&mut *self.waiting())
    }

    /// Puts a push in; false when there are too many, and the stream must be cut.
    pub(super) fn push(&self, push: v1::Push) -> bool {
        let mut waiting = self.waiting();
        let fits = waiting.pushes.len() < PUSHES_MAX;
        if fits {
            waiting.pushes.push_back(push);
        }
        drop(waiting);
        self.wake.notify_one();
        fits
    }

    /// Ends the stream.
    pub(super) fn cut(&self, why: Cut) {
        self.waiting().cut = Some(why);
        self.wake.notify_one();
    }
}

impl Replies for Outbox {
    fn deliver(&self, answers: Vec<(u64, Answer)>) {
        let mut waiting = self.waiting();
        if waiting.answers.is_empty() {
            waiting.answers = answers;
        } else {
            waiting.answers.extend(answers);
        }
        drop(waiting);
        self.wake.notify_one();
    }
}

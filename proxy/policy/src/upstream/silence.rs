//! Whether an upstream that answers nobody is frozen, busy or only slow: the silence of one upstream, and how much of
//! it is borne.
//!
//! *Silence* runs from the sending of a check to the next sign of life: the check's answer, however late, or any head
//! of an answer, informational ones included. *Patience* is [`PATIENCE_TIMES`] the longest silence of the last
//! [`MEMORY`] that ended, within [`PATIENCE_MIN`] and [`PATIENCE_MAX`]. An upstream is *frozen* when requests wait and
//! the silence is beyond patience. So a stopped process is found in 1.5 s where checks are usually answered within
//! 0.6 s, while one that was mistaken once, because it was long at work for everybody, teaches patience: silences that
//! were called frozen count when they end.
//!
//! *Busy* is a silence that has an explanation: all threads are taken by requests that wait, or checks go to another
//! connector and tell nothing of this one. It is frozen only after [`PATIENCE_MAX`].
//!
//! A silence begins with a check. So requests that wait while nobody is answered ask for one after [`UNREST`].
//!
//! Invariants: the memory is ordered, later silences are shorter, so its first is the longest · it holds one silence at
//! most for each check of a minute. Time is an argument, counted from any fixed moment. Scripts:
//! `scripts/silence.script`.

use std::collections::VecDeque;
use std::time::Duration;

/// Silence that is borne, in times of the longest that ended lately, in tenths: half as much again covers a machine
/// that is a little busier than a minute ago.
const PATIENCE_TIMES: u32 = 15;
/// Least patience. 1 s: pauses of a garbage collector are rarely above half a second.
pub(super) const PATIENCE_MIN: Duration = Duration::from_secs(1);
/// Most patience, and what is borne of a busy upstream. 5 s: a user has lost his by then.
pub(super) const PATIENCE_MAX: Duration = Duration::from_secs(5);
/// How long an ended silence is remembered. 60 s: a burst of long pages seldom comes alone.
const MEMORY: Duration = Duration::from_secs(60);
/// How long requests may wait on an upstream that answers nobody before it is checked out of turn. A quarter of a
/// second: most pages come sooner, and a needless check costs little.
const UNREST: Duration = Duration::from_millis(250);

/// What is known of an upstream's requests at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Requests that wait for the head of an answer.
    pub requests: u64,
    /// Signs of life that requests have brought so far.
    pub heard: u64,
    /// The upstream's threads, if they were told; at most so many requests run there.
    pub threads: Option<u64>,
    /// Whether checks go to a connector of their own.
    pub apart: bool,
}

impl Waiting {
    fn is_busy(&self) -> bool {
        self.apart || self.threads.is_some_and(|threads| self.requests >= threads)
    }
}

/// What a look at an upstream says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Nothing is wrong, or nothing can be said yet.
    Calm,
    /// Requests wait and nobody is answered: check it now.
    Ask,
    /// It is frozen.
    Frozen,
}

/// The silence of one upstream.
#[derive(Clone, Debug, Default)]
pub struct Silence {
    /// When the check was sent since which nothing was heard.
    since: Option<Duration>,
    /// Silences that ended: when, and how long they were. The longest first, in the order of their ends.
    ended: VecDeque<(Duration, Duration)>,
    /// Since when requests wait and nobody is answered.
    unrest: Option<Duration>,
    /// Signs of life that requests had brought at the last look.
    heard: u64,
}

impl Silence {
    /// Nothing was asked yet.
    #[must_use]
    pub fn new() -> Silence {
        Silence::default()
    }

    /// A check was sent.
    pub fn asked(&mut self, now: Duration) {
        self.since.get_or_insert(now);
    }

    /// A check was answered.
    pub fn answered(&mut self, now: Duration) {
        self.unrest = None;
        let Some(since) = self.since.take() else { return };
        let length = now.saturating_sub(since);
        while self.ended.back().is_some_and(|(_, shorter)| *shorter <= length) {
            self.ended.pop_back();
        }
        self.ended.push_back((now, length));
    }

    /// No check waits for an answer any more, and none was answered: a connection broke or was refused. That is no
    /// silence, and teaches nothing.
    pub fn broke(&mut self) {
        self.since = None;
    }

    /// How long nothing has been heard; zero while nothing was asked.
    #[must_use]
    pub fn lasts(&self, now: Duration) -> Duration {
        self.since
            .map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }

    /// How much silence is borne.
    #[must_use]
    pub fn patience(&self, now: Duration) -> Duration {
        let recent = |(ended, _): &&(Duration, Duration)| now.saturating_sub(*ended) <= MEMORY;
        let longest = self.ended.iter().find(recent);
        let longest = longest.map_or(Duration::ZERO, |(_, length)| *length);
        (longest * PATIENCE_TIMES / 10).clamp(PATIENCE_MIN, PATIENCE_MAX)
    }

    /// Looks at the requests, which is due several times within a quarter of a second.
    pub fn look(&mut self, now: Duration, waiting: &Waiting) -> Sight {
        self.forget(now);
        if waiting.heard != self.heard {
            self.heard = waiting.heard;
            self.answered(now);
        }
        if waiting.requests == 0 {
            self.unrest = None;
            return Sight::Calm;
        }
        let unrest = *self.unrest.get_or_insert(now);
        let borne = if waiting.is_busy() {
            PATIENCE_MAX
        } else {
            self.patience(now)
        };
        if self.lasts(now) > borne {
            Sight::Frozen
        } else if self.since.is_none() && now.saturating_sub(unrest) >= UNREST {
            Sight::Ask
        } else {
            Sight::Calm
        }
    }

    fn forget(&mut self, now: Duration) {
        while self
            .ended
            .front()
            .is_some_and(|(ended, _)| now.saturating_sub(*ended) > MEMORY)
        {
            self.ended.pop_front();
        }
    }
}

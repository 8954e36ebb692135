//! One attempt: one request to one upstream, until the head of its answer.
//!
//! Invariants: an attempt that is dropped or fails closes its connection; every failure says how far it had come and
//! so what may have happened; a fault of the client is never reported as one of the upstream.
//!
//! While it waits it looks around ten times a second: whether the upstream's time is up, whether the client still
//! sends its body, and whether the caller wants to go elsewhere. One timer serves all three, and a request that is
//! answered sooner never fires it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use remora_policy::{Belief, Cause, Failure, Phase, Upstream};

use crate::config::Limits;
use crate::connections::Connections;
use crate::http::outbound::{Answer, Link, SendFailure};
use crate::http::{BodyError, ConnectFault, RequestHead};
use crate::replay::Replay;
use crate::tally::{Counters, Thread};

/// How often a waiting attempt looks around: a fifth of what a user notices, and ten wake-ups a second for a request
/// that is slow anyway.
const WATCH_EVERY: Duration = Duration::from_millis(100);

/// The longest connect to one that is believed down, whatever an owner grants others. 1 s: one lost SYN is sent again.
const CONNECT_IN_PANIC: Duration = Duration::from_secs(1);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// The upstream failed.
    Upstream(Failure),
    /// The client's body broke off or stalled. It says nothing about the upstream.
    Client(BodyError),
}

/// What an attempt needs.
pub(crate) struct Attempt<'a> {
    /// This thread's idle connections.
    pub(crate) connections: &'a Connections,
    /// Where to.
    pub(crate) upstream: &'a Upstream,
    /// Which thread counts.
    pub(crate) thread: Thread,
    /// What is counted there.
    pub(crate) counters: &'a Arc<Counters>,
    /// The body to send.
    pub(crate) replay: &'a Replay,
    /// How long it may take.
    pub(crate) limits: &'a Limits,
}

impl Attempt<'_> {
    /// Sends the request and waits for the answer's head. A connection that has served before is used if `reuse` says
    /// so. `leave` is asked while waiting: true ends the attempt as frozen.
    ///
    /// # Errors
    /// [`Unanswered`], with the phase in which it happened.
    pub(crate) async fn run(
        &self,
        head: RequestHead,
        reuse: bool,
        leave: impl Fn() -> bool,
    ) -> Result<Answer, Unanswered> {
        let _until_the_head = self.counters.of(self.thread).wait();
        let idle = if reuse {
            self.connections.take(self.upstream.id, self.limits.upstream_idle)
        } else {
            None
        };
        let reused = idle.is_some();
        let link = match idle {
            Some(link) => link,
            None => Link::connect(&self.upstream.authority, self.connect_limit())
                .await
                .map_err(no_connection)?,
        };
        let shelf = self
            .connections
            .shelf(self.upstream.id, self.limits.upstream_connections_idle);
        let (counters, thread) = (Arc::clone(self.counters), self.thread);
        let at_work = move || counters.of(thread).is_at_work();
        let mut sending = pin!(link.send(head, self.replay.body(), shelf, at_work));
        loop {
            tokio::select! {
                biased;
                answered = &mut sending => {
                    return answered.map_err(|failed| self.failure(failed, reused));
                }
                () = tokio::time::sleep(WATCH_EVERY) => {}
            }
            if let Some(unanswered) = self.look_around(reused, &leave) {
                return Err(unanswered);
            }
        }
    }

    /// How long a connect may take. One that is believed down is asked when nobody is up, one after the other.
    fn connect_limit(&self) -> Duration {
        match self.upstream.health.belief() {
            Belief::Down => self.limits.connect.min(CONNECT_IN_PANIC),
            _ => self.limits.connect,
        }
    }

    fn look_around(&self, reused: bool, leave: &impl Fn() -> bool) -> Option<Unanswered> {
        if let Some(due) = self.replay.piece_due(self.limits.idle) {
            return due.has_passed().then_some(Unanswered::Client(BodyError::Stalled));
        }
        let phase = self.phase();
        if self.replay.answer_due(self.limits.response).has_passed() {
            return Some(Unanswered::Upstream(Failure {
                phase,
                cause: Cause::TimedOut,
                reused,
            }));
        }
        leave().then_some(Unanswered::Upstream(Failure {
            phase,
            cause: Cause::Frozen,
            reused,
        }))
    }

    fn failure(&self, failed: SendFailure, reused: bool) -> Unanswered {
        if let Some(error) = self.replay.failure() {
            return Unanswered::Client(error);
        }
        let phase = if failed.written {
            self.phase()
        } else {
            Phase::Connecting
        };
        let cause = if failed.malformed {
            Cause::Malformed
        } else {
            Cause::Broken
        };
        Unanswered::Upstream(Failure { phase, cause, reused })
    }

    fn phase(&self) -> Phase {
        if self.replay.is_complete() {
            Phase::Waiting
        } else {
            Phase::Sending
        }
    }
}

/// A connect that failed.
fn no_connection(fault: ConnectFault) -> Unanswered {
    let cause = match fault {
        ConnectFault::Refused => Cause::Refused,
        ConnectFault::TimedOut => Cause::TimedOut,
        ConnectFault::Broken => Cause::Broken,
        ConnectFault::Ours => Cause::Ours,
    };
    Unanswered::Upstream(Failure::new(Phase::Connecting, cause))
}

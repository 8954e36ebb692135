//! The one reader of a node: all reads that wait share one ReadIndex round.
//!
//! A round asks a majority whether this node still leads and then waits until everything committed by then is applied
//! here. A read that arrives while a round is on its way joins the next one: it may only profit from a round that
//! began after it. There are no lease reads.
//!
//! When nobody reads, a probe keeps a round at least every [`PROBE_EVERY`]: that is what "ready" means. A follower learns
//! of rounds by asking the leader for its read index.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use openraft::LinearizerOption;
use openraft::errors::{LinearizableReadError, RaftError};
use openraft::type_config::alias::LogIdOf;
use remora_proto::v1;
use tokio::sync::{mpsc, oneshot, watch};

use crate::metrics::Consensus;
use crate::runtime;

use super::applier::Raft;
use super::identity::NodeIdentity;
use super::peers::PeerBook;
use super::types::Types;
use super::{Leadership, PeerLink, Refusal, wire};

/// Rounds on their way: the second one begins for what came in behind the first.
const ROUNDS_MAX: usize = 2;
/// Reads waiting on a node; each is a few words. Beyond it, refusing is kinder than waiting.
const WAITING_MAX: usize = 65_536;
/// How old the last round may become: a quarter of the second after which a node is not ready.
const PROBE_EVERY: Duration = Duration::from_millis(250);
/// How long a round waits for a majority: several heartbeats, well below what an adapter waits.
const ROUND_WITHIN: Duration = Duration::from_millis(500);

/// A ReadIndex round that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Round {
    /// Counts the rounds of this node, from 1.
    pub number: u64,
    /// When it began: a majority answered after that.
    pub began: Instant,
    /// Everything up to this index of the log was applied here when it ended.
    pub index: u64,
}

type Waiter = oneshot::Sender<Result<LogIdOf<Types>, Refusal>>;

/// The way in. Cheap to clone.
#[derive(Clone)]
pub(super) struct Reader {
    reads: mpsc::Sender<Waiter>,
}

impl Reader {
    /// A reader and the task that serves it until every way in is gone.
    pub(super) fn new(
        raft: Raft,
        rounds: watch::Sender<Option<Round>>,
        leadership: watch::Receiver<Leadership>,
        identity: Arc<NodeIdentity>,
        peers: Arc<PeerBook>,
        counts: Consensus,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (reads, incoming) = mpsc::channel(WAITING_MAX);
        let worker = RoundMaker {
            raft,
            rounds,
            leadership,
            identity,
            peers,
            counts,
        };
        (Self { reads }, worker.run(incoming))
    }

    /// Waits for a round that begins after this call.
    pub(super) async fn read_index(&self) -> Result<LogIdOf<Types>, Refusal> {
        let (done, answer) = oneshot::channel();
        self.reads.try_send(done).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Refusal::Stopping,
        })?;
        answer.await.unwrap_or(Err(Refusal::Stopping))
    }
}

struct RoundMaker {
    raft: Raft,
    rounds: watch::Sender<Option<Round>>,
    leadership: watch::Receiver<Leadership>,
    identity: Arc<NodeIdentity>,
    peers: Arc<PeerBook>,
    counts: Consensus,
}

impl RoundMaker {
    async fn run(self, mut incoming: mpsc::Receiver<Waiter>) {
        let mut rounds = FuturesUnordered::new();
        let mut probe = tokio::time::interval(PROBE_EVERY);
        probe.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut leadership = self.leadership.clone();
        let mut waiting: Vec<Waiter> = Vec::new();
        let mut probing = false;
        loop {
            while let Ok(waiter) = incoming.try_recv() {
                waiting.push(waiter);
            }
            if rounds.len() < ROUNDS_MAX && (!waiting.is_empty() || probing) {
                probing = false;
                rounds.push(self.round(std::mem::take(&mut waiting)));
            }
            tokio::select! {
                biased;
                changed = leadership.changed() => if changed.is_err() { return } else { probing = true },
                _ = probe.tick(), if rounds.is_empty() => probing = self.stale(),
                Some(()) = rounds.next(), if !rounds.is_empty() => {}
                waiter = incoming.recv(), if rounds.len() < ROUNDS_MAX => match waiter {
                    Some(waiter) => waiting.push(waiter),
                    None => return,
                },
            }
        }
    }

    /// Whether the last round is old enough for a probe.
    fn stale(&self) -> bool {
        self.rounds
            .borrow()
            .is_none_or(|last| runtime::since(last.began) >= PROBE_EVERY / 2)
    }

    /// One round for all who wait, or for nobody: a probe.
    fn round(&self, waiting: Vec<Waiter>) -> impl Future<Output = ()> + Send + use<> {
        let raft = self.raft.clone();
        let rounds = self.rounds.clone();
        let leader = self.leadership.borrow().leader;
        let identity = Arc::clone(&self.identity);
        let peers = Arc::clone(&self.peers);
        let (done, failed) = (self.counts.rounds.clone(), self.counts.rounds_failed.clone());
        async move {
            let began = runtime::now();
            let probe_follower = waiting.is_empty() && leader.is_some_and(|leader| leader != identity.node);
            let result = if probe_follower {
                follow(
                    &raft,
                    leader.and_then(|leader| peers.get(leader).map(|link| (leader, link))),
                    &identity,
                )
                .await
            } else if identity.takes_part() {
                lead(&raft).await
            } else {
                Err(Refusal::NoQuorum)
            };
            let ended = if result.is_ok() { done } else { failed };
            ended.increment(1);
            if let Ok(position) = result {
                rounds.send_if_modified(|last| {
                    // Two rounds overlap and may end in either order; the later beginning is the better news.
                    let newer = last.is_none_or(|last| last.began < began);
                    if newer {
                        *last = Some(Round {
                            number: last.map_or(1, |last| last.number + 1),
                            began,
                            index: position.index,
                        });
                    }
                    newer
                });
            }
            for waiter in waiting {
                // Whoever asked may have gone away.
                let _ = waiter.send(result);
            }
        }
    }
}

/// A round as the leader.
async fn lead(raft: &Raft) -> Result<LogIdOf<Types>, Refusal> {
    let option = LinearizerOption::new(Some(Duration::ZERO), true).with_wait_timeout(ROUND_WITHIN);
    let linearizer = raft
        .get_read_linearizer(option)
        .await
        .map_err(|error| match error {
            RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)) => Refusal::from(&forward),
            RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)) => Refusal::NoQuorum,
            RaftError::Fatal(_) => Refusal::Stopping,
        })?;
    let state = linearizer
        .await_ready(raft)
        .await
        .map_err(|_| Refusal::Stopping)?;
    Ok(*state.read_log_id().log_id())
}

/// A round that the leader makes and this follower catches up with.
async fn follow(
    raft: &Raft,
    leader: Option<(u64, Arc<dyn PeerLink>)>,
    identity: &NodeIdentity,
) -> Result<LogIdOf<Types>, Refusal> {
    let no_leader = Refusal::NotLeader { leader: None };
    let (leader, link) = leader.ok_or(no_leader)?;
    let member = identity.members().remove(&leader).ok_or(no_leader)?;
    let request = v1::ReadIndexRequest {
        envelope: Some(identity.envelope(leader, &member)),
    };
    let reply = link
        .read_index(request, ROUND_WITHIN)
        .await
        .map_err(|_| Refusal::NoQuorum)?;
    let committed = wire::from_position(reply.committed.ok_or(no_leader)?);
    let applied = raft.wait(Some(ROUND_WITHIN));
    let caught_up = applied
        .applied_index_at_least(Some(committed.index), "read index")
        .await;
    caught_up.map_err(|_| Refusal::NoQuorum)?;
    Ok(committed)
}

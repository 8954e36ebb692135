//! The desk that all services share: one request from its domain form to its answer.
//!
//! A command is checked against the limits, proposed, and answered when it is on a majority of disks and every owner
//! that lost the session by it has dropped its copy (`hub`). A claim of a key without a record is answered by a
//! linearizable read and never proposed: a forged cookie costs no fsync. A check is a linearizable read.
//!
//! Left out on purpose: retries. A refusal says that nothing happened, an unknown outcome that something may have;
//! whoever asked decides.

use std::sync::Arc;
use std::time::Duration;

use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use remora_proto::v1::reply::Answer as WireAnswer;
use tokio::sync::watch;

use crate::metrics::{Answers, Kind};
use crate::raft::{Answer, NodeId, RaftHandle};
use remora_table::{Command, Epoch, Limits, Outcome, Proposal, SessionKey, Version};

use super::convert::{self, Request};
use super::hub::Hub;
use super::status::{self, Turned, refusal};

/// Where a node is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Takes requests.
    Serving,
    /// Takes none and answers those in flight.
    Stopping,
    /// Consensus has stopped: streams end.
    Closed,
}

/// What all services share.
pub(super) struct Desk {
    pub(super) node: NodeId,
    pub(super) raft: RaftHandle,
    pub(super) hub: Arc<Hub>,
    pub(super) limits: Limits,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) answers: Answers,
}

/// A request that needs a linearizable read before it can be answered or proposed.
#[expect(
    clippy::large_enum_variant,
    reason = "moved once, and as large as the proposals beside which it travels"
)]
#[derive(Debug, Clone)]
pub(super) enum Read {
    /// Is a near copy still the truth?
    Check {
        /// Which session.
        session: SessionKey,
        /// The caller's ownership.
        epoch: Epoch,
        /// Version of the caller's copy.
        version: Version,
    },
    /// A claim of a key that this node's table does not hold as a live record.
    Claim {
        /// Which session.
        session: SessionKey,
        /// To be proposed if the read finds a record after all.
        proposal: Proposal,
    },
}

/// What a request needs first.
#[derive(Debug)]
pub(super) enum Admitted {
    /// A proposal.
    Propose(Proposal),
    /// A read.
    Read(Read),
}

/// What a read gave.
#[derive(Debug)]
pub(super) enum ReadResult {
    /// The answer.
    Answer(WireAnswer),
    /// The claim must be proposed.
    Propose(Proposal),
}

impl Desk {
    /// Refuses everything once the node stops.
    pub(super) fn open(&self) -> Result<(), v1::Refusal> {
        match *self.phase.borrow() {
            Phase::Serving => Ok(()),
            Phase::Stopping | Phase::Closed => Err(self.stopping()),
        }
    }

    /// The refusal of a node that stops.
    pub(super) fn stopping(&self) -> v1::Refusal {
        let leader = self.leader_hint();
        v1::Refusal {
            leader,
            ..refusal(Reason::Stopping, "this store node stops: go to another one")
        }
    }

    /// Client address of the leader; empty when unknown or when this node leads.
    pub(super) fn leader_hint(&self) -> String {
        let leader = self.raft.leadership().borrow().leader;
        self.hint(leader)
    }

    fn hint(&self, leader: Option<NodeId>) -> String {
        let elsewhere = leader.filter(|leader| *leader != self.node);
        elsewhere
            .and_then(|leader| self.raft.client_address(leader))
            .unwrap_or_default()
    }

    /// A refusal of consensus, with the leader's address where that helps.
    pub(super) fn refused(&self, why: crate::raft::Refusal) -> v1::Refusal {
        let leader = match why {
            crate::raft::Refusal::NotLeader { leader } => self.hint(leader),
            _ => String::new(),
        };
        status::consensus(why, leader)
    }

    /// An outcome that was not learned.
    pub(super) fn unknown(&self) -> v1::Unknown {
        v1::Unknown {
            leader: self.leader_hint(),
        }
    }

    /// Counts an answer.
    pub(super) fn count(&self, kind: Kind, answer: &WireAnswer, took: Duration) {
        self.answers.answered(kind, convert::ending(answer), took);
        if let WireAnswer::Refusal(refusal) = answer {
            self.answers.refused(refusal.reason);
        }
    }

    /// What a request needs first, or why it is refused.
    pub(super) fn admit(&self, request: Request) -> Result<Admitted, v1::Refusal> {
        match request {
            Request::Check {
                session,
                epoch,
                version,
            } => Ok(Admitted::Read(Read::Check {
                session,
                epoch,
                version,
            })),
            Request::Propose { proposal, .. } => {
                self.limits
                    .check(&proposal, self.raft.table())
                    .map_err(status::limit)?;
                match &proposal.command {
                    Command::Claim { session } if self.raft.table().claim_preview(session).is_some() => {
                        Ok(Admitted::Read(Read::Claim {
                            session: session.clone(),
                            proposal,
                        }))
                    }
                    _ => Ok(Admitted::Propose(proposal)),
                }
            }
        }
    }

    /// Answers reads behind one barrier, in their order.
    pub(super) async fn read(&self, reads: Vec<Read>) -> Vec<ReadResult> {
        if let Err(why) = self.raft.barrier().await {
            let refusal = self.refused(why);
            return reads
                .iter()
                .map(|_| ReadResult::Answer(WireAnswer::Refusal(refusal.clone())))
                .collect();
        }
        let table = self.raft.table();
        let answer = |read| match read {
            Read::Check {
                session,
                epoch,
                version,
            } => ReadResult::Answer(WireAnswer::Check(convert::checked(
                table.check(&session, epoch, version),
            ))),
            Read::Claim { session, proposal } => match table.claim_preview(&session) {
                Some(outcome) => ReadResult::Answer(self.done(Kind::Claim, outcome)),
                None => ReadResult::Propose(proposal),
            },
        };
        reads.into_iter().map(answer).collect()
    }

    /// The table's outcome as a reply.
    pub(super) fn done(&self, kind: Kind, outcome: Outcome) -> WireAnswer {
        convert::answer(kind, outcome).unwrap_or_else(|| {
            tracing::error!(
                ?kind,
                "the table gave an outcome of another command: answered as unknown"
            );
            WireAnswer::Unknown(self.unknown())
        })
    }

    /// What became of a proposal as a reply, evictions not waited for.
    pub(super) fn settled(&self, kind: Kind, answer: Answer) -> WireAnswer {
        match answer {
            Answer::Done(outcome) => self.done(kind, outcome),
            Answer::Refused(why) => WireAnswer::Refusal(self.refused(why)),
            Answer::Unknown => WireAnswer::Unknown(self.unknown()),
        }
    }

    /// One request of a unary call, from its domain form to its reply.
    pub(super) async fn answer(&self, request: Request) -> WireAnswer {
        let (kind, takes) = match &request {
            Request::Check { .. } => (Kind::Check, None),
            Request::Propose { kind, takes, .. } => (*kind, takes.clone()),
        };
        let proposal = match self.admit(request) {
            Err(refusal) => return WireAnswer::Refusal(refusal),
            Ok(Admitted::Propose(proposal)) => proposal,
            Ok(Admitted::Read(read)) => match self.read(vec![read]).await.pop() {
                Some(ReadResult::Propose(proposal)) => proposal,
                Some(ReadResult::Answer(answer)) => return answer,
                None => return WireAnswer::Unknown(self.unknown()),
            },
        };
        let answer = self.raft.propose(proposal).await;
        if matches!(answer, Answer::Done(_))
            && let Some(evicted) = takes.as_ref().and_then(|session| self.hub.evictions(session))
        {
            evicted.await;
        }
        self.settled(kind, answer)
    }

    /// Proposes what is no session command (registry, kill) and gives its outcome.
    pub(super) async fn propose(&self, proposal: Proposal) -> Result<Outcome, Turned> {
        self.limits
            .check(&proposal, self.raft.table())
            .map_err(status::limit)?;
        match self.raft.propose(proposal).await {
            Answer::Done(outcome) => Ok(outcome),
            Answer::Refused(why) => Err(Turned::Refused(self.refused(why))),
            Answer::Unknown => Err(Turned::Unknown(self.unknown())),
        }
    }

    /// Waits until this node's table may be read linearizably.
    pub(super) async fn barrier(&self) -> Result<(), Turned> {
        self.raft
            .barrier()
            .await
            .map_err(|why| Turned::Refused(self.refused(why)))
    }
}

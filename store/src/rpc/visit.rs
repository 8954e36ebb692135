//! The life of a request at the desk, from its domain form to its reply: the same for a stream and for a lone call, which
//! is a visit of one.
//!
//! 1. It *begins* with the others of its message. What is malformed, breaks a limit or comes too late is refused. Commands
//!    reach the proposer as one batch, checks wait for one barrier. A claim of a key without a record is answered by such
//!    a read and never proposed, so a forged cookie costs no fsync; if the read finds a record after all, it is proposed.
//! 2. It is *answered* when a majority of disks has it, or refused, or nobody knows.
//! 3. An answer that took the session from another owner, or removed it, or ended others for a limit, *waits* until that owner has dropped its copy (`hub`).
//!    Others may have changed the record meanwhile: a claim tells it as it stands then, or that it was superseded.
//! 4. Its *reply* is counted and due.
//!
//! Invariants: every request gets exactly one reply, at the latest at the [`Visit::end`], where what reached the proposer is
//! answered as unknown and nothing else is. No answer passes over the third step.
//!
//! Left out on purpose: transport, which `exchange` and `sessions` are; retries: a refusal says that nothing happened, an
//! unknown outcome that something may have, and whoever asked decides; a task: a visit moves while it is waited for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures::future::{BoxFuture, FutureExt, OptionFuture};
use futures::stream::{FuturesUnordered, StreamExt};
use remora_proto::v1;
use remora_proto::v1::reply::Answer;
use tokio::sync::Notify;

use crate::metrics::Kind;
use crate::raft::{Ask, Fate, Replies};
use crate::runtime;
use remora_table::{Command, Epoch, Outcome, OverLimit, Proposal, Save, SessionKey, Version};

use super::convert::{self, Asked, Request};
use super::desk::Desk;
use super::hub::Wait;
use super::status;

/// A request that has no reply yet.
struct InFlight {
    serial: u64,
    kind: Kind,
    /// What it may take from another owner.
    takes: Option<Takes>,
    /// Whether it reached the proposer: then it may have happened.
    proposed: bool,
    began: Instant,
}

/// A command that may take a session from its owner, or change it under that one's hands: its answer has to wait then.
#[derive(Clone)]
struct Takes {
    session: SessionKey,
    asks: u64,
    /// The ownership that the asker says it has; 0 for none.
    epoch: Epoch,
    /// Whether it may end other sessions for a limit.
    ends: bool,
}

/// What an answer waits for.
#[derive(Default)]
struct Waits {
    /// Sessions whose owners must have dropped their copies.
    sessions: Vec<Wait>,
    /// Whether sessions ended that are not remembered: the repeat of a save with a limit.
    unknown: bool,
}

impl Takes {
    fn of(proposal: &Proposal) -> Option<Takes> {
        let (session, epoch, ends) = match &proposal.command {
            Command::Claim { session } => (session, Epoch(0), false),
            Command::Save(save) if save.late || ends(save) => (&save.session, save.epoch, ends(save)),
            Command::Remove { session, epoch, .. } => (session, *epoch, false),
            _ => return None,
        };
        Some(Takes {
            session: session.clone(),
            asks: proposal.request_id.map_or(0, |id| id.instance),
            epoch,
            ends,
        })
    }

    /// What the answer waits for, after this outcome.
    fn waits(&self, outcome: &Outcome) -> Waits {
        let mut waits = Waits::default();
        match outcome {
            Outcome::Claimed(record) => waits
                .sessions
                .push(self.wait(&self.session, Version(record.epoch.0))),
            Outcome::Removed { tombstone } => waits.sessions.push(self.wait(&self.session, *tombstone)),
            Outcome::Saved(saved) => {
                // A late save's epoch is the successor's.
                let created = saved.version == saved.created_version;
                if !created && saved.epoch != self.epoch {
                    waits.sessions.push(self.wait(&self.session, saved.version));
                }
                let ended = saved.ended.iter().flatten();
                waits
                    .sessions
                    .extend(ended.map(|session| self.wait(session, saved.version)));
                waits.unknown = self.ends && saved.ended.is_none();
            }
            _ => {}
        }
        waits
    }

    fn wait(&self, session: &SessionKey, version: Version) -> Wait {
        Wait {
            session: session.clone(),
            asks: self.asks,
            version,
        }
    }
}

/// Whether a save may end other sessions.
fn ends(save: &Save) -> bool {
    save.limit
        .as_ref()
        .is_some_and(|limit| limit.then == OverLimit::End)
}

/// What a request needs first.
enum Admitted {
    Propose(Proposal),
    Read(Read),
}

/// A request that needs a linearizable read before it can be answered or proposed.
#[expect(
    clippy::large_enum_variant,
    reason = "moved once, and as large as the proposals beside which it travels"
)]
enum Read {
    /// Is a near copy still the truth?
    Check {
        session: SessionKey,
        epoch: Epoch,
        version: Version,
    },
    /// A claim of a key that this node's table does not hold as a live record.
    Claim {
        session: SessionKey,
        /// To be proposed if the read finds a record after all.
        proposal: Proposal,
    },
}

/// What a read gave.
enum ReadResult {
    Answer(Answer),
    Propose(Proposal),
}

/// What a future of a visit gives when it is done.
enum Waited {
    /// Reads, by token.
    Read(Vec<(u64, ReadResult)>),
    /// An answer that need not wait for a previous owner any more, by token.
    Given(u64, Box<Fate>),
}

/// What the proposer answered, by token, until the visit takes it.
#[derive(Default)]
struct Answered {
    answers: Mutex<Vec<(u64, Fate)>>,
    wake: Notify,
}

impl Answered {
    fn take(&self) -> Vec<(u64, Fate)> {
        std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Replies for Answered {
    fn deliver(&self, answers: Vec<(u64, Fate)>) {
        let mut waiting = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_empty() {
            *waiting = answers;
        } else {
            waiting.extend(answers);
        }
        drop(waiting);
        self.wake.notify_one();
    }
}

/// The requests of one asker: requests go in, replies come out in the order in which they become due.
pub(super) struct Visit {
    desk: Arc<Desk>,
    in_flight: HashMap<u64, InFlight>,
    last_token: u64,
    answered: Arc<Answered>,
    /// The same, as the proposer knows it: one pointer for all groups, so that it delivers them together.
    replies: Arc<dyn Replies>,
    waiting: FuturesUnordered<BoxFuture<'static, Waited>>,
    /// Replies that are due, to be taken out by whoever carries them.
    pub(super) due: VecDeque<v1::Reply>,
}

impl Visit {
    /// Without requests yet.
    pub(super) fn new(desk: Arc<Desk>) -> Visit {
        let answered = Arc::new(Answered::default());
        Visit {
            desk,
            in_flight: HashMap::new(),
            last_token: 0,
            replies: Arc::clone(&answered) as Arc<dyn Replies>,
            answered,
            waiting: FuturesUnordered::new(),
            due: VecDeque::new(),
        }
    }

    /// The answer to one request. Consensus that stops meanwhile ends the visit.
    pub(super) async fn alone(desk: &Arc<Desk>, asked: Asked) -> Answer {
        let mut visit = Visit::new(Arc::clone(desk));
        visit.begin(std::iter::once(asked));
        let mut closed = std::pin::pin!(desk.closed());
        loop {
            if let Some(answer) = visit.due.pop_front().and_then(|reply| reply.answer) {
                return answer;
            }
            tokio::select! {
                biased;
                () = visit.advance() => {}
                () = &mut closed => visit.end(&desk.stopping()),
            }
        }
    }

    /// Requests without a reply.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Takes in the requests of one message.
    pub(super) fn begin(&mut self, requests: impl ExactSizeIterator<Item = Asked>) {
        let began = runtime::now();
        let open = self.desk.open();
        let mut asks = Vec::with_capacity(requests.len());
        let mut reads = Vec::new();
        for Asked {
            serial,
            kind,
            request,
        } in requests
        {
            let takes = match &request {
                Ok(Request::Propose(proposal)) => Takes::of(proposal),
                _ => None,
            };
            let admitted = open.clone().and(request).and_then(|request| match request {
                Request::Check {
                    session,
                    epoch,
                    version,
                } => Ok(Admitted::Read(Read::Check {
                    session,
                    epoch,
                    version,
                })),
                Request::Propose(proposal) => self.admit(proposal),
            });
            self.last_token += 1;
            let token = self.last_token;
            let in_flight = InFlight {
                serial,
                kind,
                takes,
                proposed: false,
                began,
            };
            self.in_flight.insert(token, in_flight);
            match admitted {
                Ok(Admitted::Propose(proposal)) => asks.push(Ask { token, proposal }),
                Ok(Admitted::Read(read)) => reads.push((token, read)),
                Err(refusal) => self.reply(token, Answer::Refusal(refusal)),
            }
        }
        self.submit(asks);
        if !reads.is_empty() {
            let desk = Arc::clone(&self.desk);
            self.waiting
                .push(async move { Waited::Read(read(&desk, reads).await) }.boxed());
        }
    }

    /// Waits until something happened to a request, and takes it in. Safe to drop and call again.
    pub(super) async fn advance(&mut self) {
        tokio::select! {
            biased;
            () = self.answered.wake.notified() => {}
            Some(waited) = self.waiting.next(), if !self.waiting.is_empty() => self.waited(waited),
        }
        self.collect();
    }

    /// Takes in everything that has happened.
    pub(super) fn collect(&mut self) {
        for (token, answer) in self.answered.take() {
            self.answered(token, answer);
        }
        while let Some(Some(waited)) = self.waiting.next().now_or_never() {
            self.waited(waited);
        }
    }

    /// Answers all that is in flight, in the order in which it came: whoever is told so repeats at once, elsewhere, instead
    /// of guessing. `unread` is the answer to what never reached the proposer.
    pub(super) fn end(&mut self, unread: &v1::Refusal) {
        self.waiting.clear();
        let mut tokens: Vec<(u64, bool)> = self
            .in_flight
            .iter()
            .map(|(token, in_flight)| (*token, in_flight.proposed))
            .collect();
        tokens.sort_unstable();
        for (token, proposed) in tokens {
            let answer = if proposed {
                Answer::Unknown(self.desk.unknown())
            } else {
                Answer::Refusal(unread.clone())
            };
            self.reply(token, answer);
        }
    }

    /// What a command needs first, or why it is refused.
    fn admit(&self, proposal: Proposal) -> Result<Admitted, v1::Refusal> {
        let table = self.desk.raft.table();
        self.desk.check(&proposal).map_err(status::limit)?;
        match &proposal.command {
            Command::Claim { session } if table.claim_preview(session).is_some() => {
                Ok(Admitted::Read(Read::Claim {
                    session: session.clone(),
                    proposal,
                }))
            }
            _ => Ok(Admitted::Propose(proposal)),
        }
    }

    fn submit(&mut self, asks: Vec<Ask>) {
        if asks.is_empty() {
            return;
        }
        for ask in &asks {
            if let Some(in_flight) = self.in_flight.get_mut(&ask.token) {
                in_flight.proposed = true;
            }
        }
        self.desk.raft.submit(asks, &self.replies);
    }

    fn waited(&mut self, waited: Waited) {
        match waited {
            Waited::Given(token, answer) => self.settle(token, *answer),
            Waited::Read(results) => {
                let mut asks = Vec::new();
                for (token, result) in results {
                    match result {
                        ReadResult::Answer(answer) => self.reply(token, answer),
                        ReadResult::Propose(proposal) => asks.push(Ask { token, proposal }),
                    }
                }
                self.submit(asks);
            }
        }
    }

    /// The proposer's answer came: it is due now, or once the previous owner has dropped its copy.
    fn answered(&mut self, token: u64, answer: Fate) {
        let in_flight = self.in_flight.get(&token);
        let takes = in_flight.and_then(|in_flight| in_flight.takes.as_ref());
        if let (Some(takes), Fate::Done(outcome)) = (takes, &answer)
            && let Some(given) = self.given(takes.waits(outcome))
        {
            let answer = Box::new(answer);
            self.waiting
                .push(given.map(move |()| Waited::Given(token, answer)).boxed());
            return;
        }
        self.settle(token, answer);
    }

    /// Resolves when an answer may go; none when it may at once.
    fn given(&self, waits: Waits) -> Option<impl Future<Output = ()> + Send + use<>> {
        let hub = &self.desk.hub;
        let due = waits.sessions.into_iter().filter_map(|wait| hub.due(wait));
        let due: Vec<_> = due.collect();
        let unknown = waits.unknown.then(|| hub.any());
        (!due.is_empty() || unknown.is_some()).then_some(async move {
            // All were told before: whoever is waited for last has had the time of all the others.
            for given in due {
                given.await;
            }
            OptionFuture::from(unknown).await;
        })
    }

    fn settle(&mut self, token: u64, answer: Fate) {
        if let Some(in_flight) = self.in_flight.get(&token) {
            let answer = match answer {
                Fate::Done(outcome) => {
                    let outcome = as_it_stands(&self.desk, in_flight.takes.as_ref(), outcome);
                    done(&self.desk, in_flight.kind, outcome)
                }
                Fate::Refused(why) => Answer::Refusal(self.desk.refuse(why)),
                Fate::Unknown => Answer::Unknown(self.desk.unknown()),
            };
            self.reply(token, answer);
        }
    }

    fn reply(&mut self, token: u64, answer: Answer) {
        if let Some(in_flight) = self.in_flight.remove(&token) {
            let answers = &self.desk.answers;
            answers.answered(
                in_flight.kind,
                convert::ending(&answer),
                runtime::since(in_flight.began),
            );
            if let Answer::Refusal(refusal) = &answer {
                answers.refused(refusal.reason);
            }
            if let Some(why) = convert::declined(&answer) {
                answers.declined(why);
            }
            self.due.push_back(v1::Reply {
                serial: in_flight.serial,
                answer: Some(answer),
            });
        }
    }
}

/// Answers reads behind one barrier, by token.
async fn read(desk: &Desk, reads: Vec<(u64, Read)>) -> Vec<(u64, ReadResult)> {
    if let Err(why) = desk.raft.barrier().await {
        let refusal = desk.refuse(why);
        let refused = |(token, _)| (token, ReadResult::Answer(Answer::Refusal(refusal.clone())));
        return reads.into_iter().map(refused).collect();
    }
    let table = desk.raft.table();
    let answer = |read| match read {
        Read::Check {
            session,
            epoch,
            version,
        } => ReadResult::Answer(Answer::Check(convert::checked(
            table.check(&session, epoch, version),
        ))),
        Read::Claim { session, proposal } => match table.claim_preview(&session) {
            Some(outcome) => ReadResult::Answer(done(desk, Kind::Claim, outcome)),
            None => ReadResult::Propose(proposal),
        },
    };
    reads
        .into_iter()
        .map(|(token, read)| (token, answer(read)))
        .collect()
}

/// A claim's record as it stands now: others may have changed it late while the answer waited. Stale if the ownership that
/// it began has passed on.
fn as_it_stands(desk: &Desk, takes: Option<&Takes>, outcome: Outcome) -> Outcome {
    match (takes, outcome) {
        (Some(takes), Outcome::Claimed(then)) => {
            let owned = desk.raft.table().owned(&takes.session, then.epoch);
            owned.map_or(Outcome::Stale, Outcome::Claimed)
        }
        (_, outcome) => outcome,
    }
}

/// The table's outcome as an answer.
fn done(desk: &Desk, kind: Kind, outcome: Outcome) -> Answer {
    convert::answer(kind, outcome).unwrap_or_else(|| {
        tracing::error!(
            ?kind,
            "the table gave an outcome of another command: answered as unknown"
        );
        Answer::Unknown(desk.unknown())
    })
}

#[cfg(test)]
pub(super) mod tests;

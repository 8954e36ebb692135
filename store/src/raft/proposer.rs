//! The one proposer of a node: takes everything that waits and makes log entries of it.
//!
//! No linger: while [`IN_FLIGHT_MAX`] entries are on their way, what comes in waits and shares the next one. So an
//! idle node answers at once and a busy one writes few, full entries.
//!
//! Invariants: every proposal taken is answered exactly once; it is Refused only if it never reached the log. A new leader
//! proposes nothing before it has applied its blank entry (`stamps`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use metrics::Histogram;
use openraft::errors::ClientWriteError;
use openraft::impls::OneshotResponder;
use openraft::raft::ClientWriteResult;
use tokio::sync::{mpsc, oneshot, watch};

use crate::log::GROUP;
use remora_table::{EntryBuilder, Format, Formats, Proposal, TableReader, encode_proposal};

use super::applier::Raft;
use super::stamps::Stamps;
use super::types::{Commands, Types};
use super::{Ask, Fate, Leadership, Refusal, Replies};

/// Proposals in one entry. Sixteen streams of saves at three nodes on two cores: 116,000 saves a second packed so, 85,000
/// to 103,000 with an entry for each.
const ENTRY_PROPOSALS_MAX: u32 = 256;
/// Encoded bytes in one entry: about what a disk writes in the time of a sync. A larger proposal goes alone.
const ENTRY_BYTES_MAX: usize = 512 << 10;
/// Entries on their way: two overlap disk and network, four also hide the scheduling.
const IN_FLIGHT_MAX: usize = 4;
/// Proposals waiting on a node, about a second of the fastest load seen. Beyond it, refusing is kinder than waiting.
const WAITING_MAX: usize = 65_536;
/// Encoded bytes waiting on a node; bounds its memory.
const WAITING_BYTES_MAX: usize = 128 << 20;
/// Groups waiting on a node; one per waiting stream message or unary call.
const GROUPS_MAX: usize = WAITING_MAX;
/// How long an entry may be on its way before its proposals are answered Unknown. As long as an adapter waits.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// One proposal, encoded.
struct Item {
    token: u64,
    bytes: Bytes,
    replies: Arc<dyn Replies>,
}

/// Proposals that came together, by token, encoded.
struct Group {
    items: Vec<(u64, Bytes)>,
    replies: Arc<dyn Replies>,
}

impl Group {
    fn bytes(&self) -> usize {
        self.items.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

/// What waits: counted where it enters and where it leaves.
#[derive(Default)]
struct Waiting {
    proposals: AtomicUsize,
    bytes: AtomicUsize,
}

impl Waiting {
    fn enter(&self, proposals: usize, bytes: usize) {
        self.proposals.fetch_add(proposals, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn leave(&self, proposals: usize, bytes: usize) {
        self.proposals.fetch_sub(proposals, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What this node writes: the cluster's format, as far as it has applied it.
#[derive(Clone)]
pub(super) struct Writes {
    pub(super) table: TableReader,
    pub(super) understands: Formats,
}

impl Writes {
    /// None once the cluster's format has risen beyond what this program understands: the node is about to end, and writes
    /// nothing under a number whose meaning it does not know.
    fn now(&self) -> Option<Format> {
        let format = self.table.format();
        self.understands.hold(format).then_some(format)
    }
}

fn refuse(tokens: impl Iterator<Item = u64>, refusal: Refusal, replies: &dyn Replies) {
    replies.deliver(tokens.map(|token| (token, Fate::Refused(refusal))).collect());
}

/// The way in. Cheap to clone.
#[derive(Clone)]
pub(super) struct Proposer {
    groups: mpsc::Sender<Group>,
    waiting: Arc<Waiting>,
    /// The format of what is encoded.
    format: Writes,
    leadership: watch::Receiver<Leadership>,
    stopping: watch::Receiver<bool>,
}

impl Proposer {
    /// A proposer and the task that serves it until every way in is gone.
    pub(super) fn new(
        raft: Raft,
        (stamps, format): (Stamps, Writes),
        leadership: watch::Receiver<Leadership>,
        stopping: watch::Receiver<bool>,
        entry_proposals: Histogram,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (groups, incoming) = mpsc::channel(GROUPS_MAX);
        let waiting = Arc::<Waiting>::default();
        let worker = Packer {
            raft,
            stamps,
            format: format.clone(),
            waiting: Arc::clone(&waiting),
            leadership: leadership.clone(),
            queue: VecDeque::new(),
            entry_proposals,
        };
        (
            Self {
                groups,
                waiting,
                format,
                leadership,
                stopping,
            },
            worker.run(incoming),
        )
    }

    /// Takes a group of proposals.
    pub(super) fn submit(&self, asks: Vec<Ask>, replies: Arc<dyn Replies>) {
        if let Some(refusal) = self.refusal(asks.len()) {
            refuse(asks.iter().map(|ask| ask.token), refusal, &*replies);
            return;
        }
        let Some(format) = self.format.now() else {
            refuse(asks.iter().map(|ask| ask.token), Refusal::Stopping, &*replies);
            return;
        };
        let encoded = asks
            .into_iter()
            .map(|ask| (ask.token, encode_proposal(format, &ask.proposal)));
        let group = Group {
            items: encoded.collect(),
            replies,
        };
        self.waiting.enter(group.items.len(), group.bytes());
        if let Err(error) = self.groups.try_send(group) {
            let (group, refusal) = match error {
                mpsc::error::TrySendError::Full(group) => (group, Refusal::Overloaded),
                mpsc::error::TrySendError::Closed(group) => (group, Refusal::Stopping),
            };
            self.waiting.leave(group.items.len(), group.bytes());
            let refused = group
                .items
                .iter()
                .map(|(token, _)| (*token, Fate::Refused(refusal)));
            group.replies.deliver(refused.collect());
        }
    }

    /// Proposes one command and waits.
    pub(super) async fn propose(&self, proposal: Proposal) -> Fate {
        let (sender, answer) = oneshot::channel();
        let replies = Arc::new(One(Mutex::new(Some(sender))));
        self.submit(vec![Ask { token: 0, proposal }], replies);
        answer.await.unwrap_or(Fate::Unknown)
    }

    /// Proposals that were taken and not answered yet.
    pub(super) fn unanswered(&self) -> usize {
        self.waiting.proposals.load(Ordering::Relaxed)
    }

    fn refusal(&self, proposals: usize) -> Option<Refusal> {
        if *self.stopping.borrow() {
            return Some(Refusal::Stopping);
        }
        let leadership = *self.leadership.borrow();
        if let Some(refusal) = leadership.refusal() {
            return Some(refusal);
        }
        let full = self.waiting.proposals.load(Ordering::Relaxed) + proposals > WAITING_MAX
            || self.waiting.bytes.load(Ordering::Relaxed) > WAITING_BYTES_MAX;
        full.then_some(Refusal::Overloaded)
    }
}

/// Takes the one answer of [`Proposer::propose`].
struct One(Mutex<Option<oneshot::Sender<Fate>>>);

impl Replies for One {
    fn deliver(&self, answers: Vec<(u64, Fate)>) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(sender), Some((_, answer))) = (sender, answers.into_iter().next()) {
            // Whoever asked may have gone away; the answer is then nobody's.
            let _ = sender.send(answer);
        }
    }
}

/// What became of an entry: its proposals and openraft's word, if it came in time.
type Returned = (Vec<Item>, Option<ClientWriteResult<Types>>);

struct Packer {
    raft: Raft,
    stamps: Stamps,
    format: Writes,
    waiting: Arc<Waiting>,
    leadership: watch::Receiver<Leadership>,
    queue: VecDeque<Item>,
    entry_proposals: Histogram,
}

impl Packer {
    async fn run(mut self, mut incoming: mpsc::Receiver<Group>) {
        let mut in_flight = FuturesUnordered::new();
        let mut leadership = self.leadership.clone();
        loop {
            while let Ok(group) = incoming.try_recv() {
                self.take(group);
            }
            while in_flight.len() < IN_FLIGHT_MAX && !self.queue.is_empty() {
                let Some(entry) = self.begin_entry() else { break };
                in_flight.push(self.propose_entry(entry).await);
            }
            tokio::select! {
                biased;
                Ok(()) = leadership.changed() => self.refuse_waiting(),
                Some(returned) = in_flight.next(), if !in_flight.is_empty() => self.settle(returned),
                group = incoming.recv() => match group {
                    Some(group) => self.take(group),
                    None if in_flight.is_empty() && self.queue.is_empty() => return,
                    None => if let Some(returned) = in_flight.next().await { self.settle(returned) },
                },
                () = self.stamps.another_term(), if !self.queue.is_empty() => {}
            }
        }
    }

    fn take(&mut self, Group { items, replies }: Group) {
        let items = items.into_iter().map(|(token, bytes)| Item {
            token,
            bytes,
            replies: Arc::clone(&replies),
        });
        self.queue.extend(items);
    }

    /// The next entry, without proposals; none if none may be proposed now. Then what waits is refused, or waits until this
    /// leader's blank entry is applied.
    fn begin_entry(&mut self) -> Option<EntryBuilder> {
        let leadership = *self.leadership.borrow();
        let format = self.format.now();
        if let Some(refusal) = leadership
            .refusal()
            .or(format.is_none().then_some(Refusal::Stopping))
        {
            self.refuse_all(refusal);
        }
        let stamp = self.stamps.next(leadership.term)?;
        format.map(|format| EntryBuilder::new(format, GROUP, stamp))
    }

    /// Makes one entry of the front of the queue and hands it to openraft.
    async fn propose_entry(
        &mut self,
        mut entry: EntryBuilder,
    ) -> impl Future<Output = Returned> + Send + use<> {
        let mut items = Vec::new();
        while let Some(next) = self.queue.front() {
            let full = entry.count() >= ENTRY_PROPOSALS_MAX
                || (entry.count() > 0 && entry.bytes() + next.bytes.len() > ENTRY_BYTES_MAX);
            if full {
                break;
            }
            entry.push(&next.bytes);
            items.extend(self.queue.pop_front());
        }
        self.entry_proposals.record(f64::from(entry.count()));
        let (responder, result) = OneshotResponder::new_pair();
        let written = self
            .raft
            .client_write_ff(Commands(entry.finish()), Some(responder))
            .await;
        async move {
            if written.is_err() {
                return (items, None);
            }
            let result = tokio::time::timeout(ANSWER_WITHIN, result).await;
            (items, result.ok().and_then(Result::ok))
        }
    }

    /// Answers the proposals of an entry.
    fn settle(&self, (items, result): Returned) {
        self.left(&items);
        match result {
            Some(Ok(written)) if written.data.len() == items.len() => {
                let answers = written.data.into_iter().map(Fate::Done);
                deliver(items.into_iter().zip(answers));
            }
            Some(Err(ClientWriteError::ForwardToLeader(forward))) => {
                answer_all(items, &Fate::Refused(Refusal::from(&forward)));
            }
            // Discarded at a change of leadership, too late, a stopped consensus, or an entry answered with another
            // number of outcomes: it may have happened.
            Some(_) | None => answer_all(items, &Fate::Unknown),
        }
    }

    /// Answers what waits behind entries that may not return soon, once this node leads no more.
    fn refuse_waiting(&mut self) {
        let refusal = self.leadership.borrow().refusal();
        if let Some(refusal) = refusal {
            self.refuse_all(refusal);
        }
    }

    fn refuse_all(&mut self, refusal: Refusal) {
        let items: Vec<Item> = self.queue.drain(..).collect();
        self.left(&items);
        answer_all(items, &Fate::Refused(refusal));
    }

    fn left(&self, items: &[Item]) {
        self.waiting
            .leave(items.len(), items.iter().map(|item| item.bytes.len()).sum());
    }
}

fn answer_all(items: Vec<Item>, answer: &Fate) {
    deliver(items.into_iter().map(|item| (item, answer.clone())));
}

/// Answers that go to one taker together.
type Batch = (Arc<dyn Replies>, Vec<(u64, Fate)>);

/// Delivers answers, those of neighbours with the same taker together: one wake-up per stream and entry.
fn deliver(answered: impl Iterator<Item = (Item, Fate)>) {
    let mut batch: Option<Batch> = None;
    for (item, answer) in answered {
        match &mut batch {
            Some((replies, answers)) if Arc::ptr_eq(replies, &item.replies) => {
                answers.push((item.token, answer));
            }
            _ => {
                let next = (item.replies, vec![(item.token, answer)]);
                if let Some((replies, answers)) = batch.replace(next) {
                    replies.deliver(answers);
                }
            }
        }
    }
    if let Some((replies, answers)) = batch {
        replies.deliver(answers);
    }
}

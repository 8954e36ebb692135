//! The wires between the nodes of a simulation: every message takes its time, waits where the way is blocked, and may be
//! lost there.
//!
//! A way is one direction between two nodes. While it is blocked, what is sent over it waits; when it is opened again, what
//! waited comes late, or never (a call is lost, a stream breaks), as the dice fall. What a node is asked it does on tasks of
//! its own, so it ends with the node; what is on its way does not end with whoever sent it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use prost::Message;
use remora_proto::v1;
use tokio::sync::{mpsc, watch};

use crate::raft::tests::wires::link_error;
use crate::raft::{LinkError, LinkResult, LinkStream, NodeId, PeerEndpoint, PeerError, PeerLink, PeerLinks};
use crate::runtime;

use super::chronicle::Chronicle;
use super::turns::{Turns, WORLD};

/// Shortest and longest time on the way, in milliseconds: a local network with a busy switch.
const WAY_MS: (u64, u64) = (1, 4);
/// How often, in a hundred, what waited at a blocked way is lost when it opens.
const LOST_PERCENT: u64 = 50;
/// Messages of a stream on their way; as many as a connection's window takes, about.
const ON_THEIR_WAY_MAX: usize = 256;

/// The wires; clones are the same.
#[derive(Clone)]
pub(super) struct Wires {
    turns: Turns,
    chronicle: Chronicle,
    laid: Arc<Mutex<Laid>>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Laid {
    endpoints: BTreeMap<NodeId, PeerEndpoint>,
    blocked: BTreeSet<(NodeId, NodeId)>,
    /// Who is believed to have everything without being asked: a broken rule.
    forged: BTreeSet<NodeId>,
}

/// What is lost on its way.
struct Lost;

impl Wires {
    /// With nobody at them.
    pub(super) fn new(turns: Turns, chronicle: Chronicle) -> Self {
        Self {
            turns,
            chronicle,
            laid: Arc::default(),
            changes: watch::Sender::new(0),
        }
    }

    fn laid(&self) -> MutexGuard<'_, Laid> {
        self.laid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a node be reached.
    pub(super) fn connect(&self, node: NodeId, endpoint: PeerEndpoint) {
        self.laid().endpoints.insert(node, endpoint);
    }

    /// Lets nobody reach a node, for it does not run.
    pub(super) fn disconnect(&self, node: NodeId) {
        self.laid().endpoints.remove(&node);
    }

    /// Blocks the way from one node to another.
    pub(super) fn block(&self, from: NodeId, to: NodeId) {
        self.laid().blocked.insert((from, to));
    }

    /// Whoever was believed without being asked is asked again.
    pub(super) fn forge_no_more(&self) {
        self.laid().forged.clear();
    }

    /// Opens all ways.
    pub(super) fn open_all(&self) {
        self.laid().blocked.clear();
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Lets appends to a node be answered with success although it never sees them.
    pub(super) fn forge_answers_of(&self, node: NodeId) {
        self.laid().forged.insert(node);
    }

    fn is_blocked(&self, from: NodeId, to: NodeId) -> bool {
        self.laid().blocked.contains(&(from, to))
    }

    fn endpoint(&self, node: NodeId) -> Option<PeerEndpoint> {
        self.laid().endpoints.get(&node).cloned()
    }

    fn time_on_the_way(&self) -> Duration {
        self.turns.draw(|dice| dice.between_ms(WAY_MS.0, WAY_MS.1))
    }

    /// Waits where a way is blocked.
    async fn pass(&self, from: NodeId, to: NodeId) -> Result<(), Lost> {
        if !self.is_blocked(from, to) {
            return Ok(());
        }
        let mut changes = self.changes.subscribe();
        while self.is_blocked(from, to) {
            if changes.changed().await.is_err() {
                return Err(Lost);
            }
        }
        let lost = self.turns.draw(|dice| dice.percent(LOST_PERCENT));
        if lost { Err(Lost) } else { Ok(()) }
    }

    /// Brings something from one node to another.
    async fn carry(&self, from: NodeId, to: NodeId) -> Result<(), Lost> {
        Turns::pass(self.time_on_the_way()).await;
        self.pass(from, to).await
    }

    /// Carries what clients and nodes say to each other: it takes its time and is never lost.
    pub(super) async fn carry_for_clients(&self) {
        Turns::pass(self.time_on_the_way()).await;
    }
}

/// The links of one node.
pub(super) struct SimulatedLinks {
    wires: Wires,
    from: NodeId,
}

impl SimulatedLinks {
    /// Over these wires.
    pub(super) fn new(wires: Wires, from: NodeId) -> Self {
        Self { wires, from }
    }
}

impl PeerLinks for SimulatedLinks {
    fn link(&self, node: NodeId, _address: &str) -> LinkResult<Arc<dyn PeerLink>> {
        Ok(Arc::new(SimulatedLink {
            wires: self.wires.clone(),
            from: self.from,
            to: node,
        }))
    }
}

#[derive(Clone)]
struct SimulatedLink {
    wires: Wires,
    from: NodeId,
    to: NodeId,
}

fn unreachable(why: &str) -> LinkError {
    LinkError::Unreachable(why.to_owned())
}

/// What arrives of a stream before it breaks.
fn whole_part<T: Send + 'static>(carried: BoxStream<'static, LinkResult<T>>) -> BoxStream<'static, T> {
    let whole = carried.take_while(|message| std::future::ready(message.is_ok()));
    whole
        .filter_map(|message| std::future::ready(message.ok()))
        .boxed()
}

/// What tells one answer from another.
fn answer_bytes<T: Message>(answer: &Result<T, PeerError>) -> Vec<u8> {
    match answer {
        Ok(reply) => reply.encode_to_vec(),
        Err(error) => error.to_string().into_bytes(),
    }
}

impl SimulatedLink {
    fn note(&self, from: NodeId, to: NodeId, what: &str, bytes: &[u8]) {
        let sum = crc32fast::hash(bytes);
        self.wires
            .chronicle
            .note(&format!("{from}>{to} {what} {} {sum:08x}", bytes.len()));
    }

    /// One call, there and back. It goes on without whoever asked.
    fn call<Q: Message + 'static, T: Message + 'static, F>(
        &self,
        what: &'static str,
        request: Q,
        deadline: Duration,
        ask: impl FnOnce(PeerEndpoint, Q) -> F + Send + 'static,
    ) -> BoxFuture<'static, LinkResult<T>>
    where
        F: Future<Output = Result<T, PeerError>> + Send + 'static,
    {
        let link = self.clone();
        self.note(self.from, self.to, what, &request.encode_to_vec());
        let turns = self.wires.turns.clone();
        let exchange = turns.start(WORLD, async move {
            let (wires, from, to) = (&link.wires, link.from, link.to);
            let lost = |_| unreachable("lost on the way");
            wires.carry(from, to).await.map_err(lost)?;
            let Some(endpoint) = wires.endpoint(to) else {
                return Err(unreachable("nobody is there"));
            };
            let handled = wires.turns.start(to, ask(endpoint, request)).await;
            let answer = handled.map_err(|_| unreachable("it ended"))?;
            if let Ok(answer) = &answer {
                link.note(to, from, what, &answer.encode_to_vec());
            }
            wires.carry(to, from).await.map_err(lost)?;
            answer.map_err(link_error)
        });
        Box::pin(async move {
            let answer = tokio::time::timeout(deadline, exchange).await;
            match answer {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(unreachable("the wires ended")),
                Err(_) => Err(unreachable("too late")),
            }
        })
    }

    /// Carries a stream from one end to the other in order. It ends as it ended there, or with an error where it broke.
    fn carried<T: Send + 'static>(
        &self,
        (from, to): (NodeId, NodeId),
        (what, bytes): (&'static str, fn(&T) -> Vec<u8>),
        mut said: BoxStream<'static, T>,
    ) -> BoxStream<'static, LinkResult<T>> {
        let (sender, receiver) = mpsc::channel(ON_THEIR_WAY_MAX);
        let link = self.clone();
        self.wires.turns.start(from, async move {
            let mut due = runtime::now();
            loop {
                let message = tokio::select! {
                    biased;
                    () = sender.closed() => return,
                    message = said.next() => message,
                };
                // The end is carried too: a node that is ended does not come to say it.
                let Some(message) = message else {
                    let _ = sender.send(None).await;
                    return;
                };
                link.note(from, to, what, &bytes(&message));
                due = due.max(runtime::now() + link.wires.time_on_the_way());
                let _ = sender.send(Some((due, message))).await;
            }
        });
        let state = Some((receiver, self.wires.clone()));
        stream::unfold(state, move |state| async move {
            let (mut receiver, wires) = state?;
            let broken = || Some((Err(unreachable("the connection broke")), None));
            match receiver.recv().await {
                Some(Some((due, message))) => {
                    Turns::pass_until(due).await;
                    match wires.pass(from, to).await {
                        Ok(()) => Some((Ok(message), Some((receiver, wires)))),
                        Err(Lost) => broken(),
                    }
                }
                Some(None) => None,
                None => broken(),
            }
        })
        .boxed()
    }

    /// Answers every append with success, as the one who would be asked never would.
    fn forged(requests: BoxStream<'static, v1::AppendRequest>) -> LinkStream<v1::AppendReply> {
        use v1::append_reply::{Nothing, Outcome};
        let replies = requests.map(|request| {
            let last = request.entries.last().and_then(|entry| entry.position);
            let flushed = last.or(request.previous);
            Ok(v1::AppendReply {
                outcome: Some(flushed.map_or(Outcome::Nothing(Nothing {}), Outcome::Flushed)),
            })
        });
        replies.boxed()
    }
}

impl PeerLink for SimulatedLink {
    fn append(
        &self,
        requests: BoxStream<'static, v1::AppendRequest>,
    ) -> BoxFuture<'static, LinkResult<LinkStream<v1::AppendReply>>> {
        let link = self.clone();
        Box::pin(async move {
            let (wires, from, to) = (&link.wires, link.from, link.to);
            if wires.laid().forged.contains(&to) {
                return Ok(SimulatedLink::forged(requests));
            }
            let endpoint = wires.endpoint(to).ok_or_else(|| unreachable("nobody is there"))?;
            let asked = link.carried((from, to), ("append", Message::encode_to_vec), requests);
            let asked = whole_part(asked);
            let answers = stream::once(async move { endpoint.append(asked) }).flatten();
            let answered = link.carried((to, from), ("appended", answer_bytes), answers.boxed());
            let answered = answered.map(|answer| answer?.map_err(link_error));
            Ok(answered.boxed())
        })
    }

    fn heartbeat(
        &self,
        request: v1::AppendRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::AppendReply>> {
        self.call("heartbeat", request, deadline, |peer, request| async move {
            peer.heartbeat(request).await
        })
    }

    fn vote(
        &self,
        request: v1::VoteRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::VoteReply>> {
        self.call("vote", request, deadline, |peer, request| async move {
            peer.vote(request).await
        })
    }

    fn snapshot(
        &self,
        chunks: BoxStream<'static, v1::SnapshotChunk>,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::SnapshotReply>> {
        let carried = self.carried((self.from, self.to), ("image", Message::encode_to_vec), chunks);
        let arrived = whole_part(carried);
        self.call("snapshot", (), deadline, move |peer, ()| async move {
            peer.snapshot(arrived).await
        })
    }

    fn image(
        &self,
        request: v1::ImageRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<LinkStream<v1::SnapshotChunk>>> {
        let link = self.clone();
        Box::pin(async move {
            let (from, to) = (link.from, link.to);
            let endpoint = link
                .wires
                .endpoint(to)
                .ok_or_else(|| unreachable("nobody is there"))?;
            let asked = stream::once(async move { request }).boxed();
            let asked = link.carried((from, to), ("ask for an image", Message::encode_to_vec), asked);
            let sent = whole_part(asked).then(move |request| {
                let endpoint = endpoint.clone();
                async move {
                    match endpoint.image(request).await {
                        Ok(pieces) => pieces.map(Ok).boxed(),
                        Err(error) => stream::once(async move { Err(error) }).boxed(),
                    }
                }
            });
            let sent = link.carried((to, from), ("image", answer_bytes), sent.flatten().boxed());
            let mut pieces = sent.map(|piece| piece?.map_err(link_error)).boxed();
            let first = tokio::time::timeout(deadline, pieces.next()).await;
            let first = first.map_err(|_| unreachable("too late"))?;
            let first = first.unwrap_or_else(|| Err(unreachable("it ended")))?;
            Ok(stream::once(async move { Ok(first) }).chain(pieces).boxed())
        })
    }

    fn transfer_leader(
        &self,
        request: v1::TransferLeaderRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::TransferLeaderReply>> {
        self.call("transfer", request, deadline, |peer, request| async move {
            peer.transfer_leader(request).await
        })
    }

    fn read_index(
        &self,
        request: v1::ReadIndexRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::ReadIndexReply>> {
        self.call("read index", request, deadline, |peer, request| async move {
            peer.read_index(request).await
        })
    }

    fn listens(&self, deadline: Duration) -> BoxFuture<'static, LinkResult<()>> {
        let link = self.clone();
        Box::pin(async move {
            let asked = async {
                let lost = |_| unreachable("lost on the way");
                link.wires.carry(link.from, link.to).await.map_err(lost)?;
                link.wires.carry(link.to, link.from).await.map_err(lost)?;
                let listens = link.wires.endpoint(link.to).is_some();
                if listens {
                    Ok(())
                } else {
                    Err(LinkError::NobodyListens)
                }
            };
            let asked = tokio::time::timeout(deadline, asked).await;
            asked.unwrap_or_else(|_| Err(unreachable("too late")))
        })
    }

    fn introduce(
        &self,
        request: v1::IntroduceRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, LinkResult<v1::IntroduceReply>> {
        self.call("introduce", request, deadline, |peer, request| async move {
            peer.introduce(request).await
        })
    }
}

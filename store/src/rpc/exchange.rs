//! The stream of a session manager: Hello, then many requests and replies in flight, pushes and confirmations.
//!
//! One stream is one future that tonic polls: whatever is ready when the connection takes a message goes out together,
//! without a linger, and nothing is read while the connection takes none, so a manager that does not read its replies
//! is held back by its own unread bytes. The requests of one message reach the proposer as one batch.
//!
//! Invariants: every request that was taken in gets exactly one reply, at the latest before the status with which the node
//! ends the stream; of what a broken connection swallowed, a manager knows as little as of an unknown outcome;
//! `confirmed` names a probe that arrived before the ReadIndex round which confirms it began; the stream ends with a
//! refusal when leadership is lost, so no confirmation of a later term follows one of an earlier.
//!
//! Left out on purpose: a task per stream. The answers of proposals and pushes wait in the [`Outbox`] until polled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, FuturesUnordered, StreamExt};
use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use remora_proto::v1::reply::Answer as WireAnswer;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};
use tonic::{Status, Streaming};

use crate::metrics::Kind;
use crate::raft::{Answer, Ask, Leadership, Replies};
use remora_table::{Format, SessionKey};

use super::convert::{self, Asker, Request};
use super::desk::{Admitted, Desk, Phase, Read, ReadResult};
use super::hello::{self, CONFIRM_EVERY};
use super::hub::Registration;
use super::outbox::{Cut, Outbox};
use super::parcel::Parcel;
use super::status::{malformed, not_leader, refusal, refused};

/// How long a stream may be open without its Hello: managers send it at once.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

/// Requests of one stream in flight; beyond it the stream is not read until some are answered. Far above the threads of
/// one Tomcat, each of which has one request in flight.
const IN_FLIGHT_MAX: usize = 16_384;

/// A request that waits for its answer.
struct InFlight {
    serial: u64,
    kind: Kind,
    /// The session whose evictions the answer waits for.
    takes: Option<SessionKey>,
    /// Whether it reached the proposer: then it may have happened.
    proposed: bool,
    began: Instant,
}

/// How the node ends a stream.
struct End {
    status: Status,
    /// The answer to reads that still wait.
    unread: v1::Refusal,
}

impl End {
    /// With the same refusal for the stream and for what was not answered on it.
    fn refused(refusal: v1::Refusal) -> End {
        End {
            status: refused(&refusal),
            unread: refusal,
        }
    }

    /// For a reason that concerns the stream alone.
    fn of_stream(status: Status) -> End {
        let sentence = "the stream ended before this was answered: ask again on a new one";
        End {
            status,
            unread: refusal(Reason::Overloaded, sentence),
        }
    }
}

/// What a future of this stream gives when it is done.
enum Waited {
    /// Reads, by token.
    Read(Vec<(u64, ReadResult)>),
    /// An answer whose evictions are settled, by token.
    Evicted(u64, Box<Answer>),
}

struct Exchange {
    desk: Arc<Desk>,
    asker: Asker,
    /// Absent once the manager has closed its side.
    inbound: Option<Streaming<v1::ExchangeRequest>>,
    outbox: Arc<Outbox>,
    /// The same outbox, as the proposer knows it: one pointer for all groups, so that it delivers them together.
    replies: Arc<dyn Replies>,
    in_flight: HashMap<u64, InFlight>,
    last_token: u64,
    waiting: FuturesUnordered<BoxFuture<'static, Waited>>,
    parcel: Parcel,
    leadership: watch::Receiver<Leadership>,
    term: u64,
    phase: watch::Receiver<Phase>,
    ticks: Interval,
    /// The newest probe that came, and when; none once it is confirmed.
    probe: Option<(u64, Instant)>,
    ending: Option<End>,
    _registration: Registration,
}

/// Opens a stream: waits for its Hello, refuses what must be refused, and gives what goes out.
pub(super) async fn open(
    desk: Arc<Desk>,
    mut inbound: Streaming<v1::ExchangeRequest>,
) -> Result<BoxStream<'static, Result<v1::ExchangeReply, Status>>, Status> {
    let first = tokio::time::timeout(HELLO_WITHIN, inbound.message())
        .await
        .map_err(|_| {
            refused(&malformed(
                "no Hello came: the first message of a stream must carry it",
            ))
        })??;
    let first = first.unwrap_or_default();
    let probe = first.probe;
    let (asker, format) = hello::hear(&desk, first).map_err(|refusal| refused(&refusal))?;
    let exchange = Exchange::new(desk, asker, format, (inbound, probe));
    Ok(futures::stream::unfold(exchange, Exchange::next).boxed())
}

impl Exchange {
    fn new(
        desk: Arc<Desk>,
        asker: Asker,
        format: Format,
        (inbound, probe): (Streaming<v1::ExchangeRequest>, u64),
    ) -> Exchange {
        let outbox = Arc::new(Outbox::default());
        let leadership = desk.raft.leadership();
        let term = leadership.borrow().term;
        let mut ticks = tokio::time::interval(CONFIRM_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Exchange {
            _registration: desk.hub.register(asker.instance, Arc::clone(&outbox)),
            replies: Arc::clone(&outbox) as Arc<dyn Replies>,
            outbox,
            asker,
            inbound: Some(inbound),
            in_flight: HashMap::new(),
            last_token: 0,
            waiting: FuturesUnordered::new(),
            parcel: Parcel::welcome(hello::welcome(&desk, format)),
            leadership,
            term,
            phase: desk.phase.clone(),
            ticks,
            probe: arrived(probe),
            ending: None,
            desk,
        }
    }

    /// The next message, or the end of the stream.
    async fn next(mut self) -> Option<(Result<v1::ExchangeReply, Status>, Exchange)> {
        loop {
            self.collect();
            self.wind_up();
            if let Some(message) = self.parcel.take() {
                return Some((Ok(message), self));
            }
            if let Some(End { status, .. }) = self.ending.take() {
                return Some((Err(status), self));
            }
            if self.inbound.is_none() && self.in_flight.is_empty() && self.waiting.is_empty() {
                return None;
            }
            self.wait().await;
        }
    }

    /// Waits until anything happens, and takes it in.
    async fn wait(&mut self) {
        let room = self.in_flight.len() < IN_FLIGHT_MAX;
        let inbound = async {
            match &mut self.inbound {
                Some(inbound) if room => inbound.message().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.outbox.filled() => {}
            Some(waited) = self.waiting.next(), if !self.waiting.is_empty() => self.waited(waited),
            message = inbound => match message {
                Ok(Some(message)) => self.take_in(message),
                Ok(None) => self.inbound = None,
                Err(status) => self.ending = Some(End::of_stream(status)),
            },
            _ = self.ticks.tick() => self.confirm(),
            changed = self.leadership.changed() => self.led(changed.is_ok()),
            changed = self.phase.changed() => self.closed(changed.is_ok()),
        }
    }

    /// Takes everything that is ready without waiting.
    fn collect(&mut self) {
        let taken = self.outbox.take();
        for (token, answer) in taken.answers {
            self.answered(token, answer);
        }
        self.parcel.pushes.extend(taken.pushes);
        match taken.cut {
            None => {}
            Some(Cut::Replaced) => {
                self.ending = Some(End::of_stream(Status::aborted(
                    "the same instance opened another stream: only the newest stays",
                )));
            }
            Some(Cut::Slow) => {
                self.ending = Some(End::of_stream(Status::resource_exhausted(
                    "the client does not read or acknowledge what it is told about its sessions: open a new stream",
                )));
            }
        }
        while let Some(Some(waited)) = self.waiting.next().now_or_never() {
            self.waited(waited);
        }
    }

    /// Answers what is in flight once the stream ends: a manager that is told so repeats at once, at whoever leads now,
    /// instead of guessing.
    fn wind_up(&mut self) {
        let Some(End { unread, .. }) = &self.ending else {
            return;
        };
        let unread = WireAnswer::Refusal(unread.clone());
        self.inbound = None;
        self.waiting.clear();
        let mut tokens: Vec<u64> = self.in_flight.keys().copied().collect();
        tokens.sort_unstable();
        for token in tokens {
            let proposed = self
                .in_flight
                .get(&token)
                .is_some_and(|in_flight| in_flight.proposed);
            let answer = if proposed {
                WireAnswer::Unknown(self.desk.unknown())
            } else {
                unread.clone()
            };
            self.reply(token, answer);
        }
    }

    /// One message of the manager.
    fn take_in(&mut self, message: v1::ExchangeRequest) {
        if message.hello.is_some() {
            self.ending = Some(End::refused(malformed(
                "a second Hello came: only the first message may carry one",
            )));
            return;
        }
        for push in message.acknowledged {
            self.desk.hub.acknowledged(self.asker.instance, push);
        }
        self.probe = arrived(message.probe).or(self.probe);
        if message.requests.is_empty() {
            return;
        }
        let began = Instant::now();
        let mut asks = Vec::with_capacity(message.requests.len());
        let mut reads = Vec::new();
        for request in message.requests {
            let serial = request.serial;
            let kind = kind_of(request.ask.as_ref());
            let request = self
                .desk
                .open()
                .and_then(|()| convert::request(&self.asker, serial, request.ask));
            let takes = match &request {
                Ok(Request::Propose { takes, .. }) => takes.clone(),
                _ => None,
            };
            self.last_token += 1;
            let token = self.last_token;
            self.in_flight.insert(
                token,
                InFlight {
                    serial,
                    kind,
                    takes,
                    proposed: false,
                    began,
                },
            );
            match request.and_then(|request| self.desk.admit(request)) {
                Ok(Admitted::Propose(proposal)) => asks.push(Ask { token, proposal }),
                Ok(Admitted::Read(read)) => reads.push((token, read)),
                Err(refusal) => self.reply(token, WireAnswer::Refusal(refusal)),
            }
        }
        self.submit(asks);
        if !reads.is_empty() {
            self.read(reads);
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

    fn read(&mut self, reads: Vec<(u64, Read)>) {
        let desk = Arc::clone(&self.desk);
        let (tokens, reads): (Vec<u64>, Vec<Read>) = reads.into_iter().unzip();
        self.waiting.push(
            async move { Waited::Read(tokens.into_iter().zip(desk.read(reads).await).collect()) }.boxed(),
        );
    }

    fn waited(&mut self, waited: Waited) {
        match waited {
            Waited::Evicted(token, answer) => self.settle(token, *answer),
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

    /// The proposer's answer came: it goes out now, or once the previous owner has dropped its copy.
    fn answered(&mut self, token: u64, answer: Answer) {
        let takes = self
            .in_flight
            .get_mut(&token)
            .and_then(|in_flight| in_flight.takes.take());
        if let (Some(session), Answer::Done(_)) = (takes, &answer)
            && let Some(evicted) = self.desk.hub.evictions(&session)
        {
            let answer = Box::new(answer);
            self.waiting
                .push(evicted.map(move |()| Waited::Evicted(token, answer)).boxed());
            return;
        }
        self.settle(token, answer);
    }

    fn settle(&mut self, token: u64, answer: Answer) {
        if let Some(in_flight) = self.in_flight.get(&token) {
            let answer = self.desk.settled(in_flight.kind, answer);
            self.reply(token, answer);
        }
    }

    fn reply(&mut self, token: u64, answer: WireAnswer) {
        if let Some(in_flight) = self.in_flight.remove(&token) {
            let took = in_flight.began.elapsed();
            self.desk.count(in_flight.kind, &answer, took);
            self.parcel.replies.push_back(v1::Reply {
                serial: in_flight.serial,
                answer: Some(answer),
            });
        }
    }

    /// Confirms near copies if a majority has answered since the last probe came.
    fn confirm(&mut self) {
        let round = *self.desk.raft.rounds().borrow();
        let confirms = |(_, came): &(u64, Instant)| round.is_some_and(|round| round.began >= *came);
        if let Some((probe, _)) = self.probe.take_if(|probe| confirms(probe)) {
            self.parcel.confirmed = probe;
        }
    }

    /// Ends the stream when this node leads no more, or leads again in another term.
    fn led(&mut self, alive: bool) {
        let now = *self.leadership.borrow_and_update();
        if !alive || !now.elected_here() || now.term != self.term {
            self.ending = Some(End::refused(not_leader(self.desk.leader_hint())));
        }
    }

    fn closed(&mut self, alive: bool) {
        if !alive || *self.phase.borrow_and_update() == Phase::Closed {
            self.ending = Some(End::refused(self.desk.stopping()));
        }
    }
}

/// A probe that has just come; 0 stands for none.
fn arrived(probe: u64) -> Option<(u64, Instant)> {
    (probe != 0).then(|| (probe, Instant::now()))
}

/// What a request is about, for the metrics; a request that asks nothing counts as a check, which it is refused as.
fn kind_of(ask: Option<&v1::request::Ask>) -> Kind {
    use v1::request::Ask;
    match ask {
        Some(Ask::Claim(_)) => Kind::Claim,
        Some(Ask::Save(_)) => Kind::Save,
        Some(Ask::Touch(_)) => Kind::Touch,
        Some(Ask::Rename(_)) => Kind::Rename,
        Some(Ask::Remove(_)) => Kind::Remove,
        Some(Ask::Release(_)) => Kind::Release,
        Some(Ask::Check(_) | Ask::Bury(_)) | None => Kind::Check,
    }
}

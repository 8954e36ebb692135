//! The stream of a session manager: Hello, then many requests and replies in flight, pushes, news and confirmations.
//!
//! One stream is one future that tonic polls: whatever is ready when the connection takes a message goes out together,
//! without a linger, and nothing is read while the connection takes none, so a manager that does not read its replies
//! is held back by its own unread bytes. The requests of one message reach the proposer as one batch.
//!
//! Invariants: every request that was taken in gets exactly one reply, at the latest before the status with which the node
//! ends the stream; of what a broken connection swallowed, a manager knows as little as of an unknown outcome;
//! `confirmed` names a probe that arrived before the ReadIndex round which confirms it began, and of whose arrival the hub
//! heard first; the stream ends with a refusal when leadership is lost, so no confirmation of a later term follows one of an
//! earlier.
//!
//! Left out on purpose: a task per stream, pushes wait in the [`Outbox`] until polled; the life of a request, which is its
//! [`Visit`]'s.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, StreamExt};
use remora_process::audit;
use remora_process::tls::Caller;
use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};
use tonic::{Status, Streaming};

use crate::raft::Leadership;
use crate::runtime;
use remora_table::Format;

use super::accepted::Origin;
use super::convert::{self, Asker};
use super::desk::{Desk, Phase};
use super::fares;
use super::hello::{self, CONFIRM_EVERY};
use super::hub::{OwnerSaid, Registration};
use super::offers::OFFERS_MAX;
use super::outbox::{Cut, Outbox};
use super::parcel::Parcel;
use super::rights;
use super::status::{malformed, not_leader, refusal, status};
use super::twins::{Displaced, NameIs};
use super::visit::Visit;
use super::watches::Watches;

/// How long a stream may be open without its Hello: managers send it at once.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

/// Requests of one stream in flight; beyond it the stream is not read until some are answered. Far above the threads of
/// one Tomcat, each of which has one request in flight.
const IN_FLIGHT_MAX: usize = 16_384;

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
            status: status(refusal.clone()),
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

struct Exchange {
    desk: Arc<Desk>,
    asker: Asker,
    caller: Caller,
    /// Absent once the manager has closed its side.
    inbound: Option<Streaming<v1::ExchangeRequest>>,
    visit: Visit,
    watches: Watches,
    outbox: Arc<Outbox>,
    /// Set while another instance has the name of this one in the registry.
    displaced: Option<Displaced>,
    parcel: Parcel,
    leadership: watch::Receiver<Leadership>,
    term: u64,
    phase: watch::Receiver<Phase>,
    ticks: Interval,
    /// The newest probe that came, and when; none once it is confirmed.
    probe: Option<(u64, Instant)>,
    /// A round that began for the sake of a probe; gives the probe, if a majority answered.
    round: Option<BoxFuture<'static, Option<u64>>>,
    ending: Option<End>,
    registration: Registration,
}

/// Opens a stream: waits for its Hello, refuses what must be refused, and gives what goes out.
pub(super) async fn open(
    desk: Arc<Desk>,
    (origin, caller): (Option<Origin>, Caller),
    mut inbound: Streaming<v1::ExchangeRequest>,
) -> Result<BoxStream<'static, Result<v1::ExchangeReply, Status>>, Status> {
    let first = tokio::time::timeout(HELLO_WITHIN, inbound.message())
        .await
        .map_err(|_| {
            status(malformed(
                "no Hello came: the first message of a stream must carry it",
            ))
        })??;
    let first = first.unwrap_or_default();
    let probe = first.probe;
    let said = first.hello.as_ref().map(|hello| hello.address.as_str());
    let connection = origin.zip(said).and_then(|(origin, said)| origin.direct(said));
    // The others of the same Tomcat have nothing to do with it: each request of this one is refused.
    for application in first.hello.iter().flat_map(|hello| &hello.applications) {
        if let Err(refused) = rights::speaks_for(&caller, [application.as_str()]) {
            audit::refused("SessionStore/Exchange", &refused.message);
        }
    }
    hello::know(&desk).await;
    let (asker, format) = hello::hear(&desk, first).map_err(status)?;
    let exchange = Exchange::new(desk, (asker, caller, connection), format, (inbound, probe));
    Ok(futures::stream::unfold(exchange, Exchange::next).boxed())
}

impl Exchange {
    fn new(
        desk: Arc<Desk>,
        (asker, caller, connection): (Asker, Caller, Option<u64>),
        format: Format,
        (inbound, probe): (Streaming<v1::ExchangeRequest>, u64),
    ) -> Exchange {
        let outbox = Arc::new(Outbox::default());
        let leadership = desk.raft.leadership();
        let term = leadership.borrow().term;
        let mut ticks = tokio::time::interval(CONFIRM_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let instance = asker.instance;
        Exchange {
            registration: desk
                .hub
                .register(instance, connection, probe != 0, Arc::clone(&outbox)),
            visit: Visit::new(Arc::clone(&desk)),
            watches: Watches::default(),
            outbox,
            displaced: None,
            asker,
            caller,
            inbound: Some(inbound),
            parcel: Parcel::welcome(hello::welcome(&desk, instance, format)),
            leadership,
            term,
            phase: desk.phase.clone(),
            ticks,
            probe: arrived(probe),
            round: None,
            ending: None,
            desk,
        }
    }

    /// The next message, or the end of the stream.
    async fn next(mut self) -> Option<(Result<v1::ExchangeReply, Status>, Exchange)> {
        loop {
            self.collect();
            self.wind_up();
            if let Some(message) = self.parcel.take(&mut self.visit.due) {
                return Some((Ok(message), self));
            }
            if let Some(End { status, .. }) = self.ending.take() {
                return Some((Err(status), self));
            }
            if self.inbound.is_none() && self.visit.in_flight() == 0 {
                return None;
            }
            self.wait().await;
        }
    }

    /// Waits until anything happens, and takes it in.
    async fn wait(&mut self) {
        let room = self.visit.in_flight() < IN_FLIGHT_MAX;
        let inbound = async {
            match &mut self.inbound {
                Some(inbound) if room => inbound.message().await,
                _ => std::future::pending().await,
            }
        };
        // What is rare comes first, so that traffic keeps nothing waiting; then what was asked before what is asked next.
        tokio::select! {
            biased;
            changed = self.phase.changed() => self.closed(changed.is_ok()),
            changed = self.leadership.changed() => self.led(changed.is_ok()),
            _ = self.ticks.tick() => {
                self.confirm();
                self.look();
                self.look_for_its_name();
            }
            confirmed = async {
                match &mut self.round {
                    Some(round) => round.await,
                    None => std::future::pending().await,
                }
            } => self.confirmed(confirmed),
            () = self.visit.advance() => {}
            () = self.outbox.filled() => {}
            message = inbound => match message {
                Ok(Some(message)) => self.take_in(message),
                Ok(None) => {
                    self.inbound = None;
                    self.registration.goodbye();
                }
                Err(status) => self.ending = Some(End::of_stream(status)),
            },
        }
    }

    /// Takes everything that is ready without waiting. Answers first: a push that happened before one of them must not go
    /// out behind it.
    fn collect(&mut self) {
        self.visit.collect();
        let taken = self.outbox.take();
        self.parcel.pushes.extend(taken.pushes);
        // An offer holds a whole record: whoever says to be another Tomcat, and is none of that application, sees none of it.
        let caller = &self.caller;
        let own = |offer: &v1::Push| {
            let session = offer.session.as_ref();
            session.is_some_and(|session| rights::speaks_for(caller, [session.application.as_str()]).is_ok())
        };
        self.parcel.offers.extend(taken.offers.into_iter().filter(own));
        self.parcel.offers.truncate(OFFERS_MAX);
        self.displaced = taken.displaced.or(self.displaced.take());
        match taken.cut {
            None => {}
            Some(Cut::Replaced) => {
                self.ending = Some(End::of_stream(Status::aborted(
                    "the same instance opened another stream: only the newest stays",
                )));
            }
            Some(Cut::Retired) => {
                self.ending = Some(taken_out());
            }
            Some(Cut::Slow) => {
                self.ending = Some(End::of_stream(Status::resource_exhausted(
                    "the client does not read or acknowledge what it is told about its sessions: open a new stream",
                )));
            }
        }
    }

    /// Answers what is in flight once the stream ends.
    fn wind_up(&mut self) {
        if let Some(End { unread, .. }) = &self.ending {
            self.inbound = None;
            self.visit.end(unread);
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
        self.registration.heard(OwnerSaid {
            probe: message.probe != 0,
            read_through: message.read_through,
            acknowledged: &message.acknowledged,
        });
        self.probe = arrived(message.probe).or(self.probe);
        if let Some(status) = message.status {
            let caller = &self.caller;
            let own = |application: &str| rights::speaks_for(caller, [application]).is_ok();
            self.registration.fares(fares::kept(status, own));
        }
        let came = runtime::now();
        let watched = message.watched.iter().filter_map(|watch| watch.session.as_ref());
        let heard = rights::speaks_for(&self.caller, watched.map(|session| session.application.as_str()))
            .and_then(|()| self.watches.heard(message.watched, message.unwatched, came));
        if let Err(refusal) = heard {
            self.ending = Some(End::refused(refusal));
            return;
        }
        if !message.requests.is_empty() {
            let (asker, caller) = (&self.asker, &self.caller);
            let requests = message.requests.into_iter();
            self.visit
                .begin(requests.map(|request| rights::within(caller, convert::asked(asker, request))));
        }
    }

    /// Confirms near copies if a majority has answered since the last probe came, or asks for the round that does: so rounds
    /// are shared by all streams, and there are no more than probes need.
    fn confirm(&mut self) {
        let Some((probe, came)) = self.probe else {
            return;
        };
        let round = *self.desk.raft.rounds().borrow();
        if round.is_some_and(|round| round.began >= came) {
            self.confirmed(Some(probe));
        } else if self.round.is_none() {
            let raft = self.desk.raft.clone();
            self.round = Some(async move { raft.barrier().await.ok().map(|()| probe) }.boxed());
        }
    }

    /// Looks what became of watched sessions, as far as a round shows that this node knows.
    fn look(&mut self) {
        let round = *self.desk.raft.rounds().borrow();
        if let Some(round) = round {
            let news = self.watches.look(self.desk.raft.table(), round.began);
            self.parcel.news.extend(news);
        }
    }

    /// Looks whether a Tomcat that was displaced may have its name again.
    fn look_for_its_name(&mut self) {
        let displaced = self.displaced.as_ref();
        match displaced.map(|displaced| displaced.look(&self.desk, self.asker.instance)) {
            None | Some(NameIs::Taken) => {}
            Some(NameIs::Own) => self.displaced = None,
            Some(NameIs::Free) => self.ending = Some(taken_out()),
        }
    }

    /// A round that began behind this probe ended; none if nobody answered.
    fn confirmed(&mut self, probe: Option<u64>) {
        self.round = None;
        if let Some((confirmed, _)) = self.probe.take_if(|(newest, _)| Some(*newest) == probe) {
            self.parcel.confirmed = confirmed;
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

/// The end of a stream whose Tomcat is not in the registry any more; on the next it hears of that.
fn taken_out() -> End {
    End::of_stream(Status::aborted(
        "the registry does not hold this Tomcat any more: open another stream, and announce it again if it serves",
    ))
}

/// A probe that has just come; 0 stands for none.
fn arrived(probe: u64) -> Option<(u64, Instant)> {
    (probe != 0).then(|| (probe, runtime::now()))
}

#[cfg(test)]
mod tests;

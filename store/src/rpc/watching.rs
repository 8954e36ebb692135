//! Operators who watch sessions: what happens to those that they mean, live, out of what this node has applied.
//!
//! A watch costs nothing but its looks: every [`LOOK_EVERY`] it reads on in [`super::lately`], and nobody who saves knows of
//! it. It is read only as fast as the connection takes messages, so one that is slow misses something and is told so. Any
//! node can be watched, whoever leads: once a second it says how far it knows by its last ReadIndex round; one that has had
//! none for [`CUT_OFF_AFTER`] ends the watch, so that nobody takes its silence for peace.
//!
//! Invariants: only what is committed is told, because only that is applied; where a message says to go on, everything
//! before has been told, or was said to be missed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use remora_table::ListFilter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Interval, MissedTickBehavior};
use tonic::Status;

use crate::raft::Round;
use crate::runtime;

use super::convert;
use super::desk::{Desk, Phase};
use super::lately::Moment;
use super::status::{malformed, refusal, status};

/// Watches on one node: some people and programs, each of which looks through everything that happens.
const WATCHES_MAX: usize = 16;

/// Between two looks: at once, for a person.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Between two messages at most, while a majority answers.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// Without a round for so long a watch ends: longer than an election, and less than a client waits for a word.
const CUT_OFF_AFTER: Duration = Duration::from_secs(3);

/// The watches of this node.
#[derive(Debug)]
pub(super) struct Watchers(Arc<Semaphore>);

impl Default for Watchers {
    /// None yet.
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(WATCHES_MAX)))
    }
}

/// What an operator is sent.
pub(super) type Tellings = BoxStream<'static, Result<v1::WatchSessionsReply, Status>>;

impl Watchers {
    /// Begins a watch.
    pub(super) async fn watch(
        &self,
        desk: Arc<Desk>,
        ask: v1::WatchSessionsRequest,
    ) -> Result<Tellings, Status> {
        let filter = convert::filter(ask.filter).map_err(status)?;
        desk.open().map_err(status)?;
        let permit = Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            let sentence = format!(
                "{WATCHES_MAX} watch at this node already: end one of them, or watch at another node"
            );
            status(refusal(Reason::Overloaded, sentence))
        })?;
        let round = fresh(&desk).await.map_err(status)?;
        let now = Moment::behind(round.index).max(desk.hub.lately.end());
        let (place, missed) = match ask.from.as_ref() {
            [] => (now, false),
            token => place(token, &desk.raft.cluster())
                .map_err(status)?
                .map_or((now, true), |place| (place, false)),
        };
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watch = Onlooker {
            phase: desk.phase.clone(),
            rounds: desk.raft.rounds(),
            desk,
            filter,
            place,
            missed,
            said: runtime::now(),
            due: true,
            looks,
            ended: false,
            _permit: permit,
        };
        Ok(stream::unfold(watch, Onlooker::next).boxed())
    }
}

/// A ReadIndex round that began behind this call: what was committed before is applied here when it ends.
async fn fresh(desk: &Desk) -> Result<Round, v1::Refusal> {
    let asked = runtime::now();
    let mut rounds = desk.raft.rounds();
    let fresh = rounds.wait_for(|last| last.is_some_and(|last| last.began >= asked));
    let found = tokio::time::timeout(CUT_OFF_AFTER, fresh).await;
    let round = found.ok().and_then(Result::ok).and_then(|last| *last);
    round.ok_or_else(cut_off)
}

fn cut_off() -> v1::Refusal {
    refusal(
        Reason::NoQuorum,
        "this store node has not heard from a majority of the store lately, and does not know what happens: ask another one",
    )
}

/// One watch.
struct Onlooker {
    desk: Arc<Desk>,
    phase: watch::Receiver<Phase>,
    rounds: watch::Receiver<Option<Round>>,
    filter: ListFilter,
    /// What happened before is told.
    place: Moment,
    /// But for what was missed, and not yet said to be.
    missed: bool,
    /// When the last message went out.
    said: Instant,
    /// Whether a message is to go out though nothing happened. The first goes at once: it says from where on everything is told.
    due: bool,
    looks: Interval,
    ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl Onlooker {
    async fn next(mut self) -> Option<(Result<v1::WatchSessionsReply, Status>, Self)> {
        if self.ended {
            return None;
        }
        let said = self.say().await;
        self.ended = said.is_err();
        Some((said.map_err(status), self))
    }

    /// The next message, as soon as there is something to say.
    async fn say(&mut self) -> Result<v1::WatchSessionsReply, v1::Refusal> {
        loop {
            if *self.phase.borrow_and_update() != Phase::Serving {
                return Err(self.desk.stopping());
            }
            let (happenings, missed) = self.read_on()?;
            if !happenings.is_empty() || missed || self.due {
                (self.due, self.said) = (false, runtime::now());
                return Ok(v1::WatchSessionsReply {
                    happenings,
                    missed,
                    next: token(self.place, &self.desk.raft.cluster()),
                });
            }
            tokio::select! {
                biased;
                alive = self.phase.changed() => alive.map_err(|_| self.desk.stopping())?,
                _ = self.looks.tick() => {}
            }
        }
    }

    /// What happened since to sessions that are meant, and whether something was missed.
    fn read_on(&mut self) -> Result<(Vec<v1::SessionHappening>, bool), v1::Refusal> {
        // Asked before the ring is: all that this round knows to be applied is in there.
        let round = (*self.rounds.borrow()).ok_or_else(cut_off)?;
        let read = self.desk.hub.lately.read(self.place);
        self.place = read.next;
        if read.all {
            self.place = self.place.max(Moment::behind(round.index));
            if runtime::since(round.began) >= CUT_OFF_AFTER {
                return Err(cut_off());
            }
        }
        self.due |= round.began >= self.said + SAY_EVERY;
        let meant = read.happenings.iter();
        let meant = meant.filter(|happening| self.filter.means(happening));
        let missed = std::mem::take(&mut self.missed) || read.missed;
        Ok((
            meant.map(|happening| convert::happening(happening)).collect(),
            missed,
        ))
    }
}

/// Where to go on, on any node: the place, then the cluster in whose log it is one.
fn token(place: Moment, cluster: &str) -> Bytes {
    let (index, nth) = (place.index.to_be_bytes(), place.nth.to_be_bytes());
    [index.as_slice(), nth.as_slice(), cluster.as_bytes()]
        .concat()
        .into()
}

/// The place of a token; none if it is one of another cluster.
fn place(token: &[u8], cluster: &str) -> Result<Option<Moment>, v1::Refusal> {
    let parts = token.split_first_chunk().and_then(|(index, rest)| {
        let (nth, of) = rest.split_first_chunk()?;
        let (index, nth) = (u64::from_be_bytes(*index), u32::from_be_bytes(*nth));
        Some((Moment { index, nth }, of))
    });
    let (place, of) = parts
        .ok_or_else(|| malformed("that is no place to go on: give what a watch has said, or nothing"))?;
    Ok((of == cluster.as_bytes()).then_some(place))
}

#[cfg(test)]
mod tests;

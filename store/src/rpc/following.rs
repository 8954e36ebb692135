//! A proxy that follows the registry: whole views, as soon as something in them has changed, and once a second that the last one
//! stands.
//!
//! Only the leader tells, and a view is first told behind a barrier: so nobody is told less than was committed before it asked, and
//! within one cluster no view has a lower version than another that was told earlier. That a view stands is said by a ReadIndex
//! round, so a node that was deposed and does not know it yet falls silent. It is found by looking: every [`LOOK_EVERY`] the version
//! of the registry is read, and nobody who saves or announces knows of it. A view goes out in parts, which are made as the
//! connection takes them: a proxy that does not read holds the entries that it was to be told, which it shares with the table, and
//! no message; it loses its seat (`followers`), and its stream as soon as that can be written to.
//!
//! Invariants: the parts of a view are of one moment, and no other message comes between them; a stream ends when this node is no
//! longer the leader of the term in which it began.
//! Left out on purpose: which applications a proxy wants to hear of; a view is small, and a filter would be a second rule.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, BoxStream, StreamExt};
use prost::Message;
use remora_proto::v1;
use remora_proto::v1::refusal::Reason;
use remora_table::{RegisteredServer, RegistryView, Retired, Version, Wish};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};
use tonic::{Status, Streaming};

use crate::raft::{Leadership, Round};
use crate::runtime;

use super::convert;
use super::desk::{Desk, Phase};
use super::followers::{ANSWERED_WITHIN, FOLLOWERS_MAX, Seat};
use super::status::{malformed, not_leader, refusal, status};

/// How long a stream may be open without its first message: proxies send it at once.
const BEGUN_WITHIN: Duration = Duration::from_secs(5);

/// Between two looks: how late a proxy hears of a change, beside the way.
const LOOK_EVERY: Duration = Duration::from_millis(50);

// Who waits for proxies waits longer than these wait for a view.
const _: () = assert!(LOOK_EVERY.as_millis() * 2 < ANSWERED_WITHIN.as_millis());

/// How long nothing is said before a round is told that began since: rounds come every quarter of a second, so that a word comes
/// every second.
const SAY_AFTER: Duration = Duration::from_millis(700);

/// What the entries of one message may take, in bytes: other streams of the connection get their turn between two.
const PART_BYTES_MAX: usize = 512 * 1_024;

/// What an entry takes in a message beside itself, in bytes, at most: its tag and its length.
const FRAME_BYTES: usize = 6;

/// Longest name of a proxy, in bytes (registry.proto, FollowRequest.proxy).
const PROXY_BYTES_MAX: usize = 64;

/// What a proxy is sent.
pub(super) type Views = BoxStream<'static, Result<v1::FollowReply, Status>>;

/// Opens a stream: waits for its first message, refuses what must be refused, and gives what goes out.
pub(super) async fn follow(
    desk: Arc<Desk>,
    mut inbound: Streaming<v1::FollowRequest>,
) -> Result<Views, Status> {
    let first = tokio::time::timeout(BEGUN_WITHIN, inbound.message()).await;
    let first = first.map_err(|_| {
        status(malformed(
            "nothing came: the first message of a stream says who follows",
        ))
    })??;
    let first = first.unwrap_or_default();
    let follower = begin(desk, first, inbound).await.map_err(status)?;
    Ok(stream::unfold(follower, ViewStream::next).boxed())
}

async fn begin(
    desk: Arc<Desk>,
    first: v1::FollowRequest,
    inbound: Streaming<v1::FollowRequest>,
) -> Result<ViewStream, v1::Refusal> {
    if first.proxy.len() > PROXY_BYTES_MAX || first.proxy.chars().any(char::is_control) {
        return Err(malformed(format!(
            "the name of the proxy may have {PROXY_BYTES_MAX} bytes without control characters"
        )));
    }
    desk.open()?;
    let (phase, mut leadership) = (desk.phase.clone(), desk.raft.leadership());
    let now = *leadership.borrow_and_update();
    if !now.elected_here() {
        return Err(not_leader(desk.leader_hint()));
    }
    let seat = desk.hub.followers.sit(&first.proxy).ok_or_else(|| {
        let sentence = format!(
            "{FOLLOWERS_MAX} proxies follow at this store already, as many as may: end one of them, or let more proxies share one \
             process"
        );
        refusal(Reason::Overloaded, sentence)
    })?;
    desk.raft.barrier().await.map_err(|why| desk.refuse(why))?;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Ok(ViewStream {
        rounds: desk.raft.rounds(),
        desk,
        inbound,
        phase,
        leadership,
        term: now.term,
        looks,
        parts: None,
        told: None,
        said: runtime::now(),
        ended: false,
        seat: Some(seat),
    })
}

/// One proxy.
struct ViewStream {
    desk: Arc<Desk>,
    inbound: Streaming<v1::FollowRequest>,
    phase: watch::Receiver<Phase>,
    leadership: watch::Receiver<Leadership>,
    term: u64,
    rounds: watch::Receiver<Option<Round>>,
    looks: Interval,
    /// The view that is on its way.
    parts: Option<UnderWay>,
    /// The version of the last view that went out, or is about to.
    told: Option<Version>,
    /// When the last message went out.
    said: Instant,
    ended: bool,
    /// None once the stream ends.
    seat: Option<Seat>,
}

impl ViewStream {
    async fn next(mut self) -> Option<(Result<v1::FollowReply, Status>, Self)> {
        if self.ended {
            return None;
        }
        let said = self.say().await.transpose()?;
        self.said = runtime::now();
        self.ended = said.is_err();
        if self.ended {
            self.seat = None;
        }
        Some((said, self))
    }

    /// The next message, as soon as there is one; none when the proxy has ended its side.
    async fn say(&mut self) -> Result<Option<v1::FollowReply>, Status> {
        loop {
            self.stays().map_err(status)?;
            if let Some(message) = self.part().or_else(|| self.look()) {
                return Ok(Some(message));
            }
            tokio::select! {
                biased;
                alive = self.phase.changed() => alive.map_err(|_| status(self.desk.stopping()))?,
                alive = self.leadership.changed() => alive.map_err(|_| status(self.desk.stopping()))?,
                message = self.inbound.message() => match (message?, &self.seat) {
                    (Some(message), Some(seat)) => seat.follows(Version(message.followed)),
                    (Some(_), None) => {}
                    (None, _) => return Ok(None),
                },
                _ = self.looks.tick() => {}
            }
        }
    }

    /// Why the stream ends, if it must.
    fn stays(&mut self) -> Result<(), v1::Refusal> {
        if *self.phase.borrow_and_update() != Phase::Serving {
            return Err(self.desk.stopping());
        }
        let now = *self.leadership.borrow_and_update();
        if !now.elected_here() || now.term != self.term {
            return Err(not_leader(self.desk.leader_hint()));
        }
        if self.seat.as_ref().is_some_and(Seat::is_overdue) {
            let sentence = "the proxy does not say that it follows what it was told: begin anew";
            return Err(refusal(Reason::Overloaded, sentence));
        }
        Ok(())
    }

    /// The next part of a view that is on its way.
    fn part(&mut self) -> Option<v1::FollowReply> {
        let parts = self.parts.as_mut()?;
        let part = parts.next();
        if !part.more {
            self.parts = None;
        }
        Some(part)
    }

    /// The first part of a new view, or that the last one stands; none where neither is so.
    fn look(&mut self) -> Option<v1::FollowReply> {
        // Asked before the table is: all that this round knows to be applied is in there.
        let round = *self.rounds.borrow();
        let table = self.desk.raft.table();
        let now = table.registry_version();
        if self.told != Some(now) {
            let view = table.registry();
            self.told = Some(view.version);
            if let Some(seat) = &self.seat {
                seat.told(view.version);
            }
            self.parts = Some(UnderWay::of(self.desk.raft.cluster(), view));
            return self.part();
        }
        let stands = round.is_some_and(|round| round.began >= self.said + SAY_AFTER);
        stands.then(|| v1::FollowReply {
            version: now.0,
            stands: true,
            ..v1::FollowReply::default()
        })
    }
}

/// A view on its way.
struct UnderWay {
    cluster: String,
    view: RegistryView,
    /// How many of its servers, wishes and retired ones are out.
    out: (usize, usize, usize),
}

impl UnderWay {
    fn of(cluster: String, view: RegistryView) -> Self {
        let out = (0, 0, 0);
        Self { cluster, view, out }
    }

    /// The next part; the last says that there are no more.
    fn next(&mut self) -> v1::FollowReply {
        let mut part = v1::FollowReply {
            cluster: self.cluster.clone(),
            version: self.view.version.0,
            ..v1::FollowReply::default()
        };
        let mut room = Some(PART_BYTES_MAX);
        fill(
            &mut part.servers,
            (&self.view.servers, &mut self.out.0),
            &mut room,
            |entry| server(entry),
        );
        fill(
            &mut part.wishes,
            (&self.view.wishes, &mut self.out.1),
            &mut room,
            |kept| wish(kept),
        );
        fill(
            &mut part.retired,
            (&self.view.retired, &mut self.out.2),
            &mut room,
            retired,
        );
        part.more = room.is_none();
        part
    }
}

/// Puts as many entries into a message as it has room for, behind those that are out; no room is left if that is not all. An
/// entry is far smaller than a message, by the limits of the registry.
fn fill<T, M: Message>(
    into: &mut Vec<M>,
    (from, out): (&[T], &mut usize),
    room: &mut Option<usize>,
    said: impl Fn(&T) -> M,
) {
    while let (Some(entry), Some(left)) = (from.get(*out), *room) {
        let message = said(entry);
        let bytes = message.encoded_len() + FRAME_BYTES;
        *room = left.checked_sub(bytes);
        if room.is_some() {
            into.push(message);
            *out += 1;
        }
    }
}

fn server(entry: &RegisteredServer) -> v1::follow_reply::Server {
    v1::follow_reply::Server {
        server: Some(convert::owner(&entry.server)),
        url: entry.url.to_string(),
        applications: entry.applications.iter().map(|name| name.to_string()).collect(),
        threads: entry.threads,
        version: entry.version.0,
    }
}

fn wish(kept: &Wish) -> v1::Wish {
    v1::Wish {
        of: kept.of.to_string(),
        said: kept.said.clone(),
        who: kept.who.to_string(),
        at_ms: kept.at_ms,
        version: kept.version.0,
    }
}

fn retired(mark: &Retired) -> v1::follow_reply::Retired {
    v1::follow_reply::Retired {
        server: Some(convert::owner(&mark.server)),
        version: mark.version.0,
    }
}

#[cfg(test)]
mod tests;

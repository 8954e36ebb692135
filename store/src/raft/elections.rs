//! Elections: when this node stands, whom it votes for, and a leader's signs of life.
//!
//! openraft's own timers are fixed at its start, and it answers a heartbeat only when everything that it accepted is on the
//! disk: on a slow disk its leaders would lose their followers, and at the next death nobody would win. So its timers are off,
//! and this does their work: the leader's heartbeats, by `Raft::trigger().heartbeat()`; the failure detector; the pre-vote,
//! which needs no disk; the election, by `trigger().elect()`. A heartbeat is answered by the endpoint as soon as the *vote*
//! that it is sent under is durable here. That is all that a reader's round needs to know: by then this node has promised
//! nobody a later term.
//!
//! Measured on three nodes on two cores, 64 writers, every sync 200 ms longer, a leader killed there, and on quick disks:
//! openraft's timers of 30/75-150 ms refused 73 % of all tries and never found a leader again; its timers stretched tenfold,
//! which is what a clock of our own behind them could do, refused nothing, but found a leader after 3.2 s and, on quick
//! disks, after 2.1 s. These refuse nothing and find one after 1.2 to 2.0 s and after 0.06 to 0.12 s.
//!
//! Invariants: a vote is given only if the detector is free and the restart guard is over, or if the leader named its
//! successor; a node that leads and whose majority answers gives none. Left out: the rules of waiting (`detector`), what
//! makes a leader (openraft).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::raft::{VoteRequest, VoteResponse};
use openraft::type_config::alias::VoteOf;
use rand::RngExt;
use tokio::sync::{mpsc, watch};

use crate::log::{Log, Vote};
use crate::runtime;

use super::applier::Raft;
use super::detector::Detector;
use super::identity::NodeIdentity;
use super::log_seam::{from_disk_id, from_disk_vote};
use super::pace::{LEASE_MAX, Pace, Slowest, Timing};
use super::peers::PeerBook;
use super::reasons::Stands;
use super::settings::Timers;
use super::steps::is_majority;
use super::types::Types;
use super::wire;
use super::{Leadership, LinkError, NodeId, PeerError};

/// How often a node looks how long its leader was silent: a fifteenth of the shortest lease.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The longest time between two looks that counts as silence: beyond it this node stood still, and knows nothing.
const RAN_MAX: Duration = Duration::from_millis(30);
/// How long a pre-vote may take: no disk is asked for it.
const PRE_VOTE_WITHIN: Duration = Duration::from_millis(250);
/// How long it may take to find that nobody listens where the leader was: that is answered by the system, not by a program.
const DIAL_WITHIN: Duration = Duration::from_millis(250);
/// How often that is tried: the system closes what a process leaves one after the other, the listener perhaps last.
const DIALS_MAX: usize = 3;
/// Lost leaders that wait to be looked at. Of more than this a later look learns nothing new.
const LOST_MAX: usize = 4;
/// How long a node that comes back neither votes nor stands: as long as a lease may be, wherever the cluster's stands.
pub(super) const GUARD: Duration = LEASE_MAX;

/// What elections need of the rest of consensus.
pub(super) struct Around {
    pub(super) raft: Raft,
    pub(super) identity: Arc<NodeIdentity>,
    pub(super) peers: Arc<PeerBook>,
    pub(super) log: Arc<dyn Log>,
    /// The newest vote that is durable here.
    pub(super) votes: watch::Receiver<Option<Vote>>,
    pub(super) leadership: watch::Receiver<Leadership>,
    pub(super) pace: Arc<Pace>,
}

/// The elections of one node. Shared by the endpoint, which hears peers, and the tasks here.
pub(super) struct Elections {
    around: Around,
    floor: Timers,
    /// Until then this node neither votes nor stands: before its restart it may have promised a leader not to elect
    /// another one. Absent when the node was pristine.
    silent_until: Option<Instant>,
    detector: Mutex<Detector>,
    lost: mpsc::Sender<NodeId>,
}

impl Elections {
    /// Of a node that starts. The tasks that serve it are [`Elections::watch`] and [`Elections::beat`].
    pub(super) fn new(
        around: Around,
        floor: Timers,
        silent_until: Option<Instant>,
    ) -> (Arc<Self>, mpsc::Receiver<NodeId>) {
        let (lost, to_look_at) = mpsc::channel(LOST_MAX);
        let timing = Timing::of(&floor, Slowest::default());
        let detector = Detector::new(timing, Box::new(|| runtime::chance().random::<f64>()));
        let elections = Self {
            around,
            floor,
            silent_until,
            detector: Mutex::new(detector),
            lost,
        };
        (Arc::new(elections), to_look_at)
    }

    /// The newest vote that is durable here.
    pub(super) fn voted_for(&self) -> Option<Vote> {
        *self.around.votes.borrow()
    }

    /// Whether this vote is of the leader whom this node follows, by a vote that is durable here. If so, it is a sign of life.
    pub(super) fn is_followed(&self, vote: &VoteOf<Types>) -> bool {
        let leader = vote.leader_id;
        let followed = self
            .voted_for()
            .is_some_and(|own| own.term == leader.term && own.node == Some(leader.voted_for));
        if followed && vote.committed {
            self.detector().sign();
        }
        followed
    }

    /// Whether this node leads, and a majority answers it.
    pub(super) fn leads(&self) -> bool {
        self.around.leadership.borrow().leads()
    }

    /// Whether this node has neither a log nor a vote: it may take part in forming a cluster.
    pub(super) fn is_pristine(&self) -> bool {
        self.around.log.bounds().last.is_none() && self.voted_for().is_none()
    }

    /// A stream from this node ended. If it led, somebody must look whether it still lives.
    pub(super) fn lost(&self, node: NodeId) {
        if self.voted_for().is_some_and(|own| own.node == Some(node)) {
            // A full queue has the same question in it already.
            let _ = self.lost.try_send(node);
        }
    }

    /// Whether a vote may be given now.
    ///
    /// # Errors
    /// Why not, for whoever asked.
    pub(super) fn check_free(&self) -> Result<(), PeerError> {
        self.check_room()?;
        let refused = |why: &str| Err(PeerError::Unavailable(format!("no vote: {why}")));
        if self.silent_until.is_some_and(|until| runtime::now() < until) {
            return refused("this node restarted less than a lease ago");
        }
        if self.leads() {
            return refused("this node leads, and a majority answers it");
        }
        if !self.detector().is_free() {
            return refused("this node heard the leader, or gave its vote, less than a lease ago");
        }
        Ok(())
    }

    /// Whether a vote can be stored: one that waits for room would hold up all of consensus here.
    ///
    /// # Errors
    /// There is no room for it.
    pub(super) fn check_room(&self) -> Result<(), PeerError> {
        if self.around.identity.lacks_room() {
            let why = "no vote: this node's disk has no room to store it";
            return Err(PeerError::Unavailable(why.to_owned()));
        }
        Ok(())
    }

    /// Whether this node would vote for whoever asks, judged by its log. The terms do not matter: a vote of an old one is
    /// refused with the present one, in which the other then stands.
    pub(super) fn pre_vote(&self, request: &VoteRequest<Types>) -> Result<VoteResponse<Types>, PeerError> {
        self.check_free()?;
        let own = self.around.log.bounds().last.map(from_disk_id);
        let granted = request.last_log_id >= own;
        if granted {
            self.detector().would_vote();
        }
        Ok(VoteResponse::new(
            from_disk_vote(self.voted_for().unwrap_or_default()),
            own,
            granted,
        ))
    }

    /// Watches the leader's life and stands when it ended. Ends with the node.
    pub(super) async fn watch(self: Arc<Self>, mut to_look_at: mpsc::Receiver<NodeId>) {
        let mut votes = self.around.votes.clone();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut before = runtime::now();
        loop {
            tokio::select! {
                biased;
                changed = votes.changed() => match changed {
                    Ok(()) => self.detector().voted(),
                    Err(_) => return,
                },
                Some(leader) = to_look_at.recv() => self.look_at(leader).await,
                _ = look.tick() => {}
            }
            let span = runtime::since(before);
            before += span;
            self.around.pace.answered(span.saturating_sub(LOOK_EVERY * 2));
            let timing = self.timing();
            let is_time = self.detector().ran(span.min(RAN_MAX), timing);
            if is_time && self.may_stand() {
                self.stand().await;
                before = runtime::now();
            }
        }
    }

    /// Gives signs of life while this node leads. Ends with the node.
    pub(super) async fn beat(self: Arc<Self>) {
        let mut server = self.around.raft.server_metrics();
        loop {
            let state = server.borrow_and_update().state;
            if state == ServerState::Leader {
                if self.around.identity.takes_part() && self.around.raft.trigger().heartbeat().await.is_err()
                {
                    return;
                }
                tokio::time::sleep(self.timing().heartbeat).await;
            } else if server.changed().await.is_err() {
                return;
            }
        }
    }

    /// What elections are timed by: the slowest of those who answer, this node included.
    fn timing(&self) -> Timing {
        let own = self.around.pace.slowest();
        Timing::of(&self.floor, own.or(self.around.identity.slowest_peer()))
    }

    /// Finds out whether the leader's process is dead.
    async fn look_at(&self, leader: NodeId) {
        let Some(link) = self.around.peers.get(leader) else {
            return;
        };
        for _ in 0..DIALS_MAX {
            if link.listens(DIAL_WITHIN).await == Err(LinkError::NobodyListens) {
                return self.follow(leader);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The leader's process is dead: somebody is to follow it.
    fn follow(&self, leader: NodeId) {
        let voters: BTreeSet<NodeId> = self.voters().into_iter().flatten().collect();
        let others = voters.into_iter().filter(|voter| *voter != leader);
        let place = others.take_while(|voter| *voter != self.around.identity.node);
        let place = u32::try_from(place.count()).unwrap_or(u32::MAX);
        tracing::info!(leader, "the leader's process has ended");
        self.detector().gone(place);
    }

    /// Whether this node may lead at all: it votes, does not lead, and keeps no silence after a restart.
    fn may_stand(&self) -> bool {
        let (state, voters) = (
            self.around.raft.server_metrics().borrow_watched().state,
            self.voters(),
        );
        state != ServerState::Leader
            && self.around.identity.takes_part()
            && !self.around.identity.lacks_room()
            && voters
                .iter()
                .any(|voters| voters.contains(&self.around.identity.node))
            && self.silent_until.is_none_or(|until| runtime::now() >= until)
    }

    /// Sets of voters: one, or two while they change.
    fn voters(&self) -> Vec<BTreeSet<NodeId>> {
        let server = self.around.raft.server_metrics();
        let membership = Arc::clone(&server.borrow_watched().membership_config);
        membership.membership().get_joint_config().clone()
    }

    /// Asks whether a majority would vote for this node, and stands if it would.
    async fn stand(&self) {
        if !self.would_win().await {
            self.detector().in_vain();
            return;
        }
        self.around.identity.reasons.stands(self.why());
        self.detector().voted();
        // An error says that consensus has ended, which is told elsewhere.
        let _ = self.around.raft.trigger().elect(false).await;
    }

    /// Why this node stands, as long as it has not.
    fn why(&self) -> Stands {
        let detector = self.detector();
        match self.around.leadership.borrow().leader {
            None => Stands::NobodyLed,
            Some(leader) if detector.is_gone() => Stands::Ended(leader),
            Some(_) => Stands::Silence(detector.silence()),
        }
    }

    /// Whether a majority would vote for this node, itself included: of each set of voters, while they change. Waits for no
    /// more than that.
    async fn would_win(&self) -> bool {
        let (voters, members) = (self.voters(), self.around.identity.members());
        let last = self.around.log.bounds().last;
        let request = VoteRequest::<Types>::new(
            from_disk_vote(self.voted_for().unwrap_or_default()),
            last.map(from_disk_id),
        );
        let mut asked = FuturesUnordered::new();
        for voter in voters.iter().flatten().copied().collect::<BTreeSet<NodeId>>() {
            let (Some(link), Some(member)) = (self.around.peers.get(voter), members.get(&voter)) else {
                continue;
            };
            let envelope = self.around.identity.envelope(voter, member);
            let request = wire::vote_request(envelope, &request, true);
            asked.push(async move { (voter, link.vote(request, PRE_VOTE_WITHIN).await) });
        }
        let mut granted = BTreeSet::from([self.around.identity.node]);
        while !is_majority(&voters, &granted)
            && let Some((voter, answer)) = asked.next().await
        {
            if answer.is_ok_and(|reply| reply.granted) {
                granted.insert(voter);
            }
        }
        is_majority(&voters, &granted)
    }

    fn detector(&self) -> MutexGuard<'_, Detector> {
        // A few assignments at a time: a poisoned lock still holds whole values.
        self.detector.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

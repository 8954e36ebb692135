//! One upstream under watch: when it is checked, and what becomes of a check.
//!
//! A check that is not answered in time is a failure only while no request waits; where some wait, patience decides. It
//! is not given up then: its late answer is a sign of life, ends the silence, and counts like any other. So there may be
//! two checks on their way, the one that is overdue and the next, on a connection of its own; whoever is answered first
//! ends the other.
//!
//! Invariants: at most two checks on their way · between two checks out of turn lie [`BETWEEN_DOUBTS`] · a doubt is
//! settled by a check that began after it · where nobody checks or who is stopped, nothing is sent, and who is down rests
//! for [`REST`].

use std::pin::Pin;

use remora_policy::{AdminState, Belief, Sight, Silence, Waiting};
use tokio::sync::watch;
use tokio::time::Instant;

use super::check::{Checker, Outcome};
use super::pace::{self, Pace};
use super::*;
use crate::deadline::Deadline;
use crate::doubts::Doubts;
use crate::tally::Counters;

/// How often a watch looks at the requests that wait: several times while their unrest grows.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Least time between two checks out of turn: an application that breaks requests breaks many.
const BETWEEN_DOUBTS: Duration = Duration::from_millis(300);
/// How long an upstream that nobody checks is left alone once it is down. 10 s: a restart takes longer, and a request
/// is put at risk each time.
const REST: Duration = Duration::from_secs(10);
/// How long an overdue check may stay open: silence beyond the most patience teaches nothing more, and a connection that
/// was cut on the way never ends by itself.
const OVERDUE_MAX: Duration = Duration::from_secs(60);

/// A check on its way.
struct Flight {
    began: Instant,
    /// Doubts that it settles.
    covers: u64,
    /// Whether its time is over, and that was observed.
    overdue: bool,
    outcome: Pin<Box<dyn Future<Output = Outcome>>>,
}

/// What is known of one upstream's checks.
pub(super) struct Watch {
    directory: Directory,
    changes: watch::Receiver<u64>,
    id: UpstreamId,
    counters: Arc<Counters>,
    doubts: Arc<Doubts>,
    checker: Rc<Checker>,
    pace: Pace,
    silence: Silence,
    /// The moment from which silence counts time.
    epoch: Instant,
    /// When the next check in turn is due.
    due: Instant,
    /// When the last check began.
    last: Option<Instant>,
    /// Doubts that were looked into.
    covered: u64,
    current: Option<Flight>,
    overdue: Option<Flight>,
}

/// What a watch was woken by.
enum Event {
    Tick,
    Doubt,
    Landed(Outcome, u64),
}

impl Watch {
    pub(super) fn new(directory: Directory, id: UpstreamId) -> Self {
        let current = directory.current();
        let now = Instant::now();
        Self {
            counters: Arc::clone(current.tally.upstream(id)),
            doubts: Arc::clone(current.tally.doubts(id)),
            changes: directory.changes(),
            directory,
            id,
            checker: Rc::default(),
            pace: Pace::new(id),
            silence: Silence::new(),
            epoch: now,
            due: now,
            last: None,
            covered: 0,
            current: None,
            overdue: None,
        }
    }

    /// Until a reload takes the upstream out.
    pub(super) async fn run(mut self) -> UpstreamId {
        loop {
            // What is published from here on is a change to what is found now.
            self.changes.mark_unchanged();
            let Some((upstream, config)) = find(&self.directory, self.id) else {
                return self.id;
            };
            if config.rule.checked && upstream.state != AdminState::Stopped {
                self.step(&upstream, &config).await;
            } else {
                self.let_rest(&upstream).await;
            }
        }
    }

    /// Where nobody checks: who is down is left alone for a while, then tried.
    async fn let_rest(&mut self, upstream: &Upstream) {
        (self.current, self.overdue) = (None, None);
        if upstream.health.belief() != Belief::Down || upstream.state == AdminState::Stopped {
            // The directory is this watch's own: its sender is not gone.
            let _ = self.changes.changed().await;
            return;
        }
        tokio::time::sleep(REST).await;
        self.directory.observe(self.id, &Observation::Rested);
    }

    /// Sends what is due, then waits for what comes next.
    async fn step(&mut self, upstream: &Upstream, config: &HealthConfig) {
        if self.is_due(upstream, config) {
            self.begin(upstream, config);
        }
        match self.next().await {
            Event::Tick | Event::Doubt => {}
            Event::Landed(outcome, covers) => self.landed(outcome, covers, config),
        }
        self.judge(config);
    }

    /// Whether a check is to be sent now.
    fn is_due(&mut self, upstream: &Upstream, config: &HealthConfig) -> bool {
        let now = Instant::now();
        let waiting = Waiting {
            requests: self.counters.waiting_now(),
            heard: self.counters.heard_so_far(),
            threads: upstream.threads.map(u64::from),
            apart: config.port.is_some(),
        };
        let sight = self.silence.look(now - self.epoch, &waiting);
        if sight == Sight::Frozen {
            self.observe(&Observation::Frozen);
        }
        if self.current.as_ref().is_some_and(|flight| !flight.overdue) {
            return false;
        }
        let out_of_turn = sight == Sight::Ask || self.doubts.raised_so_far() > self.covered;
        let not_yet = self
            .last
            .is_some_and(|last| !Deadline::since(last, BETWEEN_DOUBTS).has_passed());
        now >= self.due || out_of_turn && !not_yet
    }

    fn begin(&mut self, upstream: &Upstream, config: &HealthConfig) {
        let now = Instant::now();
        if let Some(before) = self.current.take() {
            self.overdue.get_or_insert(before);
        }
        self.silence.asked(now - self.epoch);
        self.last = Some(now);
        self.due = now + self.pace.pause(config.every, &upstream.health);
        self.covered = self.doubts.raised_so_far();
        let (checker, upstream, config) = (Rc::clone(&self.checker), upstream.clone(), config.clone());
        let outward = self.directory.current().snapshot.outwards.get(&self.id).cloned();
        self.current = Some(Flight {
            began: now,
            covers: self.covered,
            overdue: false,
            outcome: Box::pin(async move { checker.ask(&upstream, &config, outward.as_ref()).await }),
        });
    }

    /// Waits until there is something to do.
    async fn next(&mut self) -> Event {
        let look = Instant::now() + LOOK_EVERY;
        // What is due is sent once nothing is on its way.
        let waits = self.current.as_ref().is_some_and(|flight| !flight.overdue);
        let tick = if waits { look } else { look.min(self.due) };
        // A doubt that may not be looked into yet, or not while a check is on its way, waits for the tick.
        let ready = self.covered == self.doubts.raised_so_far();
        tokio::select! {
            biased;
            landed = landed(&mut self.current) => landed,
            landed = landed(&mut self.overdue) => landed,
            () = self.doubts.raised_beyond(self.covered), if ready => Event::Doubt,
            () = tokio::time::sleep_until(tick) => Event::Tick,
        }
    }

    /// A check ended: whatever it was, it is over, and its like may tell no more than it did.
    fn landed(&mut self, outcome: Outcome, covers: u64, config: &HealthConfig) {
        if let Outcome::Answered(_) = outcome {
            self.silence.answered(self.epoch.elapsed());
            (self.current, self.overdue) = (None, None);
        } else if self.current.is_none() && self.overdue.is_none() {
            self.silence.broke();
        }
        let Some(observation) = outcome.observation(config) else {
            return;
        };
        let passed = matches!(observation, Observation::CheckPassed | Observation::CheckLeft);
        self.observe(&observation);
        if let (Some((upstream, _)), Some(last)) = (find(&self.directory, self.id), self.last)
            && !upstream.health.is_undecided()
        {
            self.due = last + self.pace.pause(config.every, &upstream.health);
        }
        if passed {
            self.doubts.settle(covers);
        }
    }

    /// Looks whether the time of a check is over.
    fn judge(&mut self, config: &HealthConfig) {
        if self
            .overdue
            .as_ref()
            .is_some_and(|flight| Deadline::since(flight.began, OVERDUE_MAX).has_passed())
        {
            self.overdue = None;
        }
        let Some(flight) = &mut self.current else { return };
        if flight.overdue || !Deadline::since(flight.began, config.timeout).has_passed() {
            return;
        }
        flight.overdue = true;
        let silent = self.silence.lasts(self.epoch.elapsed()) >= config.timeout;
        if silent && self.counters.waiting_now() == 0 {
            self.observe(&Observation::CheckSlow);
        }
    }

    /// Tells the directory. Whoever is down by now has settled all doubts; whoever is undecided is asked again soon.
    fn observe(&mut self, observation: &Observation) {
        self.directory.observe(self.id, observation);
        let Some((upstream, _)) = find(&self.directory, self.id) else {
            return;
        };
        if upstream.health.belief() == Belief::Down {
            self.doubts.settle(self.doubts.raised_so_far());
        }
        if upstream.health.is_undecided() {
            self.due = self.due.min(Instant::now() + pace::WHILE_UNDECIDED);
        }
    }
}

/// The end of a check; never, where there is none.
async fn landed(flight: &mut Option<Flight>) -> Event {
    let Some(one) = flight else {
        return std::future::pending().await;
    };
    let outcome = one.outcome.as_mut().await;
    let covers = one.covers;
    *flight = None;
    Event::Landed(outcome, covers)
}

impl Outcome {
    /// What it says about the upstream, if anything.
    fn observation(self, config: &HealthConfig) -> Option<Observation> {
        match self {
            Outcome::Answered(status) if config.accepts(status) => Some(Observation::CheckPassed),
            Outcome::Answered(404) if config.path.is_some() => Some(Observation::CheckLeft),
            Outcome::Answered(status) => Some(Observation::CheckRejected {
                status,
                accepted: config.accepted().into(),
            }),
            Outcome::Refused => Some(Observation::CheckRefused),
            Outcome::Unverified => Some(Observation::Unverified),
            Outcome::Broken => Some(Observation::CheckBroken),
            Outcome::NotMade => None,
        }
    }
}

//! The failure detector: when a node that follows asks for votes, and when it gives one. Pure: time is handed in.
//!
//! **Silence** is counted in the time in which this node itself ran, tick by tick: a node that stood still, or got no
//! processor, has heard nobody meanwhile and must not blame the leader for it. After a lease and a random wait of silence a
//! node asks its peers whether they would vote for it (pre-vote, thesis 9.6), and stands only if a majority would.
//!
//! **A dead process is no silence.** When the leader's connections have ended from its side and nobody listens at its address
//! any more, there is nothing to wait for: followers ask at once, one after the other.
//!
//! Invariants: a sign of the leader takes back everything, also that it is gone; whoever got a vote has a lease's time before
//! anybody else gets one; no vote is given against a leader who was heard within the lease, unless its process is dead; rounds
//! in vain move apart.
//!
//! Left out: who leads, who may stand and how votes are asked for (`elections`).

use std::time::Duration;

use super::pace::Timing;

/// Between two nodes that both know that the leader is dead: the first has its majority before the second asks.
const ONE_AFTER_THE_OTHER: Duration = Duration::from_millis(25);

/// How many waits lie between two rounds in vain, at most.
const WAITS_MAX: u32 = 4;

/// Gives the random parts: from 0 up to 1.
pub(super) type Random = Box<dyn FnMut() -> f64 + Send>;

/// What a node knows of its leader's life.
pub(super) struct Detector {
    random: Random,
    timing: Timing,
    /// Whether there ever was a leader or a candidate to be fair to.
    heard: bool,
    silence: Duration,
    /// Of the random wait, from 0 up to 1.
    draw: f64,
    /// At which silence to ask, if not after lease and wait.
    ask_at: Option<Duration>,
    gone: bool,
    vain: u32,
}

impl Detector {
    /// Of a node that starts.
    pub(super) fn new(timing: Timing, mut random: Random) -> Self {
        Self {
            draw: random(),
            random,
            timing,
            heard: false,
            silence: Duration::ZERO,
            ask_at: None,
            gone: false,
            vain: 0,
        }
    }

    /// The leader gave a sign of life.
    pub(super) fn sign(&mut self) {
        self.heard = true;
        self.silence = Duration::ZERO;
        self.ask_at = None;
        self.gone = false;
        self.vain = 0;
    }

    /// This node gave its vote, to another or to itself.
    pub(super) fn voted(&mut self) {
        let vain = self.vain;
        self.sign();
        self.vain = vain;
        self.draw = (self.random)();
    }

    /// This node said that it would vote for another, which has its time to stand.
    pub(super) fn would_vote(&mut self) {
        let until = self.silence + self.timing.lease;
        self.ask_at = Some(self.ask_at().max(until));
    }

    /// The leader's process is dead. `place` is this node's among those that may follow it, from 0.
    pub(super) fn gone(&mut self, place: u32) {
        self.gone = true;
        let chance = ONE_AFTER_THE_OTHER.mul_f64((self.random)() / 4.0);
        let soon = self.silence + ONE_AFTER_THE_OTHER * place + chance;
        self.ask_at = Some(self.ask_at().min(soon));
    }

    /// Whether the leader's process is known to be dead.
    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    /// How long the leader has been silent, in time that this node ran.
    pub(super) fn silence(&self) -> Duration {
        self.silence
    }

    /// No majority would vote for this node, or the one that would did not do so.
    pub(super) fn in_vain(&mut self) {
        self.vain = (self.vain + 1).min(WAITS_MAX);
        self.draw = (self.random)();
        let wait = if self.gone {
            ONE_AFTER_THE_OTHER.mul_f64(1.0 + self.draw)
        } else {
            self.wait()
        };
        self.ask_at = Some(self.silence + wait * self.vain);
    }

    /// This node ran for so long, under these timers. Gives whether it is time to ask for votes.
    pub(super) fn ran(&mut self, span: Duration, timing: Timing) -> bool {
        self.timing = timing;
        self.silence += span;
        self.silence >= self.ask_at()
    }

    /// Whether a vote may be given to whoever asks.
    pub(super) fn is_free(&self) -> bool {
        !self.heard || self.gone || self.silence >= self.timing.lease
    }

    fn ask_at(&self) -> Duration {
        self.ask_at.unwrap_or(self.timing.lease + self.wait())
    }

    fn wait(&self) -> Duration {
        let Timing {
            wait_min, wait_max, ..
        } = self.timing;
        wait_min + wait_max.saturating_sub(wait_min).mul_f64(self.draw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A millisecond: the unit in which timers are told.
    const MS: Duration = Duration::from_millis(1);

    const QUICK: Timing = Timing {
        heartbeat: Duration::from_millis(30),
        lease: Duration::from_millis(150),
        wait_min: Duration::from_millis(75),
        wait_max: Duration::from_millis(150),
    };

    fn detector() -> Detector {
        Detector::new(QUICK, Box::new(|| 0.0))
    }

    /// How long such a node runs in ticks of 5 ms until it asks.
    fn until_asking(detector: &mut Detector) -> Duration {
        let mut ran = Duration::ZERO;
        while !detector.ran(5 * MS, QUICK) {
            ran += 5 * MS;
            assert!(ran < 10_000 * MS, "it never asks");
        }
        ran + 5 * MS
    }

    #[test]
    fn a_silent_leader_is_followed_after_lease_and_wait() {
        let mut detector = detector();
        detector.sign();
        assert!(!detector.is_free());
        assert_eq!(until_asking(&mut detector), 225 * MS);
        assert!(detector.is_free());
    }

    #[test]
    fn a_sign_takes_back_everything() {
        let mut detector = detector();
        detector.sign();
        detector.ran(140 * MS, QUICK);
        detector.gone(0);
        assert!(detector.is_free());
        detector.sign();
        assert!(!detector.is_free());
        assert_eq!(until_asking(&mut detector), 225 * MS);
    }

    #[test]
    fn a_dead_process_is_followed_at_once_one_after_the_other() {
        let followed = |place| {
            let mut detector = detector();
            detector.sign();
            detector.gone(place);
            assert!(detector.is_free());
            until_asking(&mut detector)
        };
        assert_eq!([followed(0), followed(1)], [5 * MS, 25 * MS]);
    }

    #[test]
    fn whoever_got_a_vote_has_time_to_use_it() {
        let mut detector = detector();
        detector.gone(0);
        detector.would_vote();
        assert!(detector.is_free(), "the vote itself is still to be given");
        assert!(!detector.ran(145 * MS, QUICK));
        detector.voted();
        assert!(!detector.is_free());
        assert_eq!(until_asking(&mut detector), 225 * MS);
    }

    #[test]
    fn rounds_in_vain_move_apart_until_somebody_leads() {
        let mut detector = detector();
        detector.sign();
        until_asking(&mut detector);
        let mut rounds = Vec::new();
        for _ in 0..5 {
            detector.in_vain();
            rounds.push(until_asking(&mut detector).as_millis());
        }
        assert_eq!(rounds, [75, 150, 225, 300, 300]);
        detector.sign();
        until_asking(&mut detector);
        detector.in_vain();
        assert_eq!(until_asking(&mut detector), 75 * MS);
    }

    #[test]
    fn a_node_without_a_leader_so_far_votes_for_whoever_asks_first() {
        let mut detector = detector();
        assert!(detector.is_free());
        assert!(!detector.ran(100 * MS, QUICK));
        detector.voted();
        assert!(!detector.is_free());
    }
}

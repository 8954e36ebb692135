//! The content of a request, over all its attempts.
//!
//! What an attempt takes from the client is kept up to a limit; the next attempt gets the kept bytes first and then what is
//! still to come. Content that outgrew the limit goes on streaming, but [`Replay::can_repeat`] is false from then on.
//!
//! It says what is to be sent next and remembers what was; moving bytes is `forward`'s. It also knows whose turn it is, so that
//! a client is never blamed for its upstream's slowness, nor an upstream for its client's.
//!
//! Invariants: a byte is either kept or passed on exactly once, so no attempt sees content with a hole · what is kept is a copy,
//! so that many small pieces hold no more memory than their bytes.
//!
//! Left out on purpose: spooling to disk. A large upload that fails half-way is the client's to repeat.

use std::time::Duration;

use remora_h1::{Fields, Length};
use remora_policy::{Pace, may_trail};
use tokio::time::Instant;

use crate::config::Limits;
use crate::deadline::Deadline;

/// How the client's content ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The client went away.
    Gone,
    /// What it sent is no content.
    Refused(remora_h1::Refusal),
    /// It was silent for too long, or too slow.
    TooSlow,
}

/// The content of one request.
pub(crate) struct Replay<'k> {
    length: Length,
    kept: &'k mut Vec<u8>,
    /// Bytes that may be kept.
    limit: usize,
    /// How many kept bytes the current attempt has been given.
    position: usize,
    /// The fields behind the content; hardly anybody sends any.
    trailers: Option<Box<Fields>>,
    /// Whether new bytes are still kept.
    keeping: bool,
    /// Whether a byte was passed on without being kept.
    lost: bool,
    ended: bool,
    failed: Option<Lost>,
    /// Since when the client has owed the next byte; none while it is not its turn.
    waiting: Option<Instant>,
    /// How the client gets on with it.
    pace: Pace,
    /// When a byte was last handed to an attempt.
    moved: Instant,
    /// Bytes that attempts were given and nobody has counted yet.
    given: u64,
    /// Bytes that came from the client.
    received: u64,
}

impl<'k> Replay<'k> {
    /// Takes charge of content of this length, from this moment on. How much of it is kept, in `kept`, which is empty, and how
    /// slowly it may come, is in the limits.
    pub(crate) fn new((length, limits): (Length, &Limits), kept: &'k mut Vec<u8>, now: Instant) -> Self {
        Self {
            length,
            kept,
            limit: limits.replay_bytes,
            position: 0,
            trailers: None,
            keeping: true,
            lost: false,
            ended: matches!(length, Length::None | Length::Known(0)),
            failed: None,
            waiting: None,
            pace: Pace::new(limits.request_pace()),
            moved: now,
            given: 0,
            received: 0,
        }
    }

    /// Another attempt begins, with the first byte. Only while [`Replay::can_repeat`] holds.
    pub(crate) fn again(&mut self, now: Instant) {
        self.position = 0;
        self.turn_ends(now);
    }

    /// How long it is.
    pub(crate) fn length(&self) -> Length {
        self.length
    }

    /// Whether another attempt would see the whole content.
    pub(crate) fn can_repeat(&self) -> bool {
        !self.lost && self.failed.is_none()
    }

    /// Whether its length is not known in advance.
    pub(crate) fn is_streamed(&self) -> bool {
        self.length == Length::Chunked
    }

    /// Whether the client has sent all of it.
    pub(crate) fn is_complete(&self) -> bool {
        self.ended
    }

    /// Why the client's side ended early, if it did.
    pub(crate) fn failure(&self) -> Option<Lost> {
        self.failed
    }

    /// Kept bytes that the current attempt has not been given.
    pub(crate) fn kept(&self) -> &[u8] {
        &self.kept[self.position..]
    }

    /// The fields behind the content.
    pub(crate) fn trailers(&self) -> Option<&Fields> {
        self.trailers.as_deref()
    }

    /// The current attempt was given so many of the kept bytes.
    pub(crate) fn gave(&mut self, bytes: usize) {
        self.position += bytes;
        self.given += count(bytes);
    }

    /// The current attempt, which has been given all before, was given these bytes of the client's.
    pub(crate) fn passed(&mut self, data: &[u8], now: Instant) {
        self.came(now);
        self.pace.moved(count(data.len()));
        self.given += count(data.len());
        self.received += count(data.len());
        if self.keeping && self.kept.len() + data.len() <= self.limit {
            self.kept.extend_from_slice(data);
        } else {
            self.keeping = false;
            self.lost = true;
            self.kept.clear();
        }
        self.position = self.kept.len();
    }

    /// The fields behind the content came.
    pub(crate) fn trail(&mut self, fields: &mut Fields) {
        fields.retain(|name, _| may_trail(name));
        self.trailers = Some(Box::new(std::mem::take(fields)));
    }

    /// The content is whole.
    pub(crate) fn end(&mut self, now: Instant) {
        self.came(now);
        self.ended = true;
    }

    /// The content ends early.
    pub(crate) fn fail(&mut self, lost: Lost) {
        self.failed = Some(lost);
    }

    /// Nothing of the client's is here; `owes` says whether it is its turn.
    pub(crate) fn waits(&mut self, owes: bool, now: Instant) {
        if owes {
            self.waiting.get_or_insert(now);
        }
    }

    /// It is the upstream's turn: what the client has sent cannot leave.
    pub(crate) fn is_held_up(&mut self, now: Instant) {
        self.turn_ends(now);
    }

    fn came(&mut self, now: Instant) {
        self.turn_ends(now);
        self.moved = now;
    }

    /// It is no longer the client's turn.
    fn turn_ends(&mut self, now: Instant) {
        if let Some(since) = self.waiting.take() {
            self.pace.waited(now.saturating_duration_since(since));
        }
    }

    /// Until when the client's next byte is waited for, if for `limit` at most; none while it is not its turn.
    pub(crate) fn piece_due(&self, limit: Duration) -> Option<Deadline> {
        let left = self.pace.left().map_or(limit, |left| left.min(limit));
        self.waiting.map(|since| Deadline::since(since, left))
    }

    /// Until when the answer's head is waited for, over all attempts: so long after a byte last moved, or after the
    /// exchange began.
    pub(crate) fn answer_due(&self, limit: Duration) -> Deadline {
        Deadline::since(self.moved, limit)
    }

    /// When a byte was last handed to an attempt, or the exchange began.
    pub(crate) fn moved(&self) -> Instant {
        self.moved
    }

    /// When its last byte was there; none while that is missing, and where there is none.
    pub(crate) fn read_by(&self) -> Option<Instant> {
        (self.ended && self.received > 0).then_some(self.moved)
    }

    /// How many bytes attempts were given since this was asked last.
    pub(crate) fn take_given(&mut self) -> u64 {
        std::mem::take(&mut self.given)
    }

    /// How many bytes of it were taken from the client: each once, over all attempts.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Stops keeping: no attempt will follow.
    pub(crate) fn forget(&mut self) {
        self.keeping = false;
    }
}

/// Bytes as they are counted over time.
pub(crate) fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Small, so that a test can exceed it.
    const LIMIT: usize = 8;

    fn limits() -> Limits {
        Limits {
            replay_bytes: LIMIT,
            ..Limits::default()
        }
    }

    /// What the current attempt gets of the kept bytes.
    fn kept(replay: &mut Replay<'_>) -> Vec<u8> {
        let kept = replay.kept().to_vec();
        replay.gave(kept.len());
        kept
    }

    #[test]
    fn a_second_attempt_sees_the_content_from_its_first_byte() {
        let mut room = Vec::new();
        let mut replay = Replay::new((Length::Chunked, &limits()), &mut room, Instant::now());
        replay.passed(b"ab", Instant::now());
        assert!(replay.can_repeat() && !replay.is_complete());
        replay.again(Instant::now());
        assert_eq!(kept(&mut replay), b"ab");
        replay.passed(b"cd", Instant::now());
        let mut trailers = Fields::default();
        trailers.push(b"sum", b"1");
        trailers.push(b"Cookie", b"a=b");
        replay.trail(&mut trailers);
        replay.end(Instant::now());
        replay.again(Instant::now());
        assert_eq!(kept(&mut replay), b"abcd");
        assert!(kept(&mut replay).is_empty());
        assert_eq!(
            replay.trailers().map(Fields::len),
            Some(1),
            "a cookie cannot trail"
        );
        assert!(replay.is_complete());
        assert_eq!((replay.take_given(), replay.received()), (10, 4));
    }

    #[test]
    fn content_that_outgrew_the_limit_cannot_be_repeated() {
        let mut room = Vec::new();
        let mut replay = Replay::new((Length::Known(12), &limits()), &mut room, Instant::now());
        replay.passed(b"012345", Instant::now());
        assert!(replay.can_repeat());
        replay.passed(b"678", Instant::now());
        assert!(!replay.can_repeat());
        replay.passed(b"9", Instant::now());
        assert!(replay.kept().is_empty(), "nothing is kept in vain");
    }

    #[test]
    fn keeping_stops_at_the_answer_and_what_was_kept_is_still_given() {
        let mut room = Vec::new();
        let mut replay = Replay::new((Length::Known(4), &limits()), &mut room, Instant::now());
        replay.passed(b"ab", Instant::now());
        replay.again(Instant::now());
        replay.forget();
        assert_eq!(kept(&mut replay), b"ab");
        replay.passed(b"cd", Instant::now());
        assert!(!replay.can_repeat());
    }

    #[test]
    fn a_client_that_failed_is_never_repeated() {
        let mut room = Vec::new();
        let mut replay = Replay::new((Length::Known(4), &limits()), &mut room, Instant::now());
        replay.passed(b"ab", Instant::now());
        replay.fail(Lost::Gone);
        assert!(!replay.can_repeat());
        assert_eq!(replay.failure(), Some(Lost::Gone));
    }

    #[test]
    fn it_knows_whose_turn_it_is() {
        let mut room = Vec::new();
        let mut replay = Replay::new((Length::Known(4), &limits()), &mut room, Instant::now());
        assert_eq!(replay.piece_due(Duration::ZERO), None);
        replay.waits(true, Instant::now());
        assert!(replay.piece_due(Duration::ZERO).is_some_and(Deadline::has_passed));
        replay.is_held_up(Instant::now());
        assert_eq!(replay.piece_due(Duration::ZERO), None);
        replay.waits(false, Instant::now());
        assert_eq!(replay.piece_due(Duration::ZERO), None);
    }

    /// Only the time counts in which an attempt waits for the client.
    #[test]
    fn a_client_is_slow_in_its_own_time_alone() {
        let (mut room, mut now) = (Vec::new(), Instant::now());
        let second = Duration::from_secs(1);
        let Limits {
            idle, client_grace, ..
        } = limits();
        let mut replay = Replay::new((Length::Chunked, &limits()), &mut room, now);
        let left = |replay: &Replay<'_>, now: Instant| {
            let due = replay.piece_due(2 * idle);
            due.map(|due| due.instant() - now)
        };
        replay.passed(b"x", now);
        replay.waits(true, now);
        now += 20 * second;
        replay.passed(b"x", now);
        assert_eq!(left(&replay, now), None, "the upstream's turn");
        now += 1_000 * second;
        replay.again(now);
        replay.waits(true, now);
        now += 10 * second;
        replay.is_held_up(now);
        now += 1_000 * second;
        replay.passed(b"x", now);
        replay.waits(true, now);
        // Two bytes since, at 500 in a second.
        let earned = Duration::from_millis(4);
        assert_eq!(left(&replay, now), Some(client_grace - 30 * second + earned));
    }
}

//! Whose turn it is while an answer passes, and until when.
//!
//! It is the client's turn while the kernel takes no more bytes for it, and the upstream's while it has none. The kernel is told
//! to hold few bytes that it cannot send yet ([`UNSENT_BYTES`]), so that what it takes says something of the client.
//!
//! Invariant: the time of the one is never held against the other.

use std::time::Duration;

use remora_policy::Pace;
use tokio::time::Instant;

use crate::config::Limits;
use crate::deadline::Deadline;
use crate::http::UNSENT_BYTES;
use crate::replay::count;

/// Both sides of one answer.
pub(super) struct Turns {
    /// The longest pause of the upstream; the client's too, where no pace is asked of it.
    idle: Duration,
    /// When the upstream's pause is over; none while it makes none.
    upstream: Option<Deadline>,
    /// When a byte of the request last went to the upstream.
    request: Option<Instant>,
    pace: Pace,
    /// Bytes that the client was sent since it was last its turn.
    taken: u64,
    /// Since when it has been the client's turn.
    client: Option<Instant>,
}

impl Turns {
    /// An answer begins.
    pub(super) fn new(limits: &Limits, idle: Duration) -> Self {
        Self {
            idle,
            upstream: None,
            request: None,
            pace: Pace::new(limits.answer_pace()),
            taken: 0,
            client: None,
        }
    }

    /// Bytes came from the upstream, and the kernel took them.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.upstream = None;
        self.taken = self.taken.saturating_add(count(bytes));
    }

    /// A byte of the request went to the upstream, last at this moment: who reads is not silent.
    pub(super) fn request_moved(&mut self, at: Instant) {
        if self.request.replace(at) != Some(at) {
            self.upstream = None;
        }
    }

    /// It is the client's turn: when it must have taken more.
    pub(super) fn of_client(&mut self, now: Instant) -> Deadline {
        self.upstream = None;
        if self.client.is_none() || self.taken > 0 {
            self.client_goes_on(now);
            // What went before is not on its way any more: the client has it.
            self.pace.moved(self.taken.min(UNSENT_BYTES.into()));
            self.taken = 0;
        }
        let since = *self.client.get_or_insert(now);
        Deadline::since(since, self.pace.left().unwrap_or(self.idle))
    }

    /// It is the upstream's turn: when it must have sent more.
    pub(super) fn of_upstream(&mut self, now: Instant) -> Deadline {
        self.client_goes_on(now);
        let (since, idle) = (now, self.idle);
        *self.upstream.get_or_insert_with(|| Deadline::since(since, idle))
    }

    fn client_goes_on(&mut self, now: Instant) {
        if let Some(since) = self.client.take() {
            self.pace.waited(now.saturating_duration_since(since));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest pause, in seconds.
    const IDLE: u64 = 7;
    /// Seconds that a client may fall behind a tenth, in a second, of what the kernel may hold.
    const GRACE: u64 = 3;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn turns(bytes_per_second: u32) -> Turns {
        let limits = Limits {
            answer_bytes_per_second: bytes_per_second,
            client_grace: seconds(GRACE),
            ..Limits::default()
        };
        Turns::new(&limits, seconds(IDLE))
    }

    #[test]
    fn each_side_has_its_own_time() {
        let (mut turns, began) = (turns(UNSENT_BYTES / 10), Instant::now());
        let left = |due: Deadline, now: Instant| (due.instant() - now).as_secs();
        let mut now = began;
        assert_eq!(left(turns.of_upstream(now), now), IDLE);
        now += seconds(5);
        assert_eq!(left(turns.of_upstream(now), now), IDLE - 5, "still");
        turns.moved(1);
        assert_eq!(
            left(turns.of_client(now), now),
            GRACE,
            "nothing of that was the client's"
        );
        now += seconds(2);
        assert_eq!(left(turns.of_client(now), now), GRACE - 2, "still");
        assert_eq!(
            left(turns.of_upstream(now), now),
            IDLE,
            "nothing of that was the upstream's"
        );
        now += seconds(100);
        assert_eq!(left(turns.of_client(now), now), GRACE - 2);
        now += seconds(1);
        turns.moved(1);
        assert_eq!(left(turns.of_client(now), now), 0, "a byte gives nothing back");
    }

    #[test]
    fn an_upstream_that_reads_the_request_is_not_silent() {
        let (mut turns, began) = (turns(0), Instant::now());
        let mut now = began;
        for _ in 0..3 {
            turns.request_moved(now);
            let due = turns.of_upstream(now);
            assert_eq!(due, Deadline::since(now, seconds(IDLE)));
            turns.request_moved(now);
            assert_eq!(turns.of_upstream(now + seconds(1)), due, "nothing moved since");
            now += seconds(5);
        }
    }

    #[test]
    fn what_the_kernel_may_hold_has_its_time_in_whatever_pieces_and_nothing_beyond() {
        let (mut turns, now) = (turns(UNSENT_BYTES / 10), Instant::now());
        for _ in 0..1_000 {
            turns.moved(64 * 1_024);
        }
        let due = turns.of_client(now).instant();
        assert_eq!((due - now).as_secs(), 10);
    }

    #[test]
    fn where_any_pace_will_do_a_pause_has_its_end_all_the_same() {
        let (mut turns, now) = (turns(0), Instant::now());
        assert_eq!(turns.of_client(now), Deadline::since(now, seconds(IDLE)));
        turns.moved(1);
        let later = now + seconds(IDLE);
        assert_eq!(turns.of_client(later), Deadline::since(later, seconds(IDLE)));
    }
}

//! The time in a line: made once for each second, from clocks that their callers have read already.
//!
//! Invariant: a text is at most [`TRUSTED`] behind the time of day, also when that is set.

use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

/// Bytes of the text, as httpd writes it: `24/Nov/2026:04:30:00 +0000`.
const TEXT_BYTES: usize = 26;
/// How long the time of day is reckoned from what it was. 100 ms: a tenth of what a line can show.
const TRUSTED: Duration = Duration::from_millis(100);

/// The text of a time, in UTC.
pub(super) type TimeText = [u8; TEXT_BYTES];

/// What a thread knows of the time of day.
pub(super) struct Clock {
    /// A moment, and the time since 1970 that it was.
    known: Option<(Instant, Duration)>,
    second: u64,
    text: TimeText,
}

impl Clock {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        Self {
            known: None,
            second: 0,
            text: time_text(0),
        }
    }

    /// The text of this moment.
    pub(super) fn text(&mut self, now: Instant) -> &TimeText {
        let second = self.time_of_day(now).as_secs();
        if second != self.second {
            (self.second, self.text) = (second, time_text(second));
        }
        &self.text
    }

    fn time_of_day(&mut self, now: Instant) -> Duration {
        if let Some((moment, time)) = self.known {
            let since = now.saturating_duration_since(moment);
            if since < TRUSTED {
                return time + since;
            }
        }
        let time = since_1970();
        self.known = Some((now, time));
        time
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a log line tells people when; nothing is decided by it"
)]
fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// The text of a second since 1970; the last one that has a text stands for those behind it.
pub(super) fn time_text(second: u64) -> TimeText {
    let second = i64::try_from(second).unwrap_or(i64::MAX);
    let time = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    let mut text = [b'-'; TEXT_BYTES];
    // It fits: years have four digits.
    let _ = write!(&mut text[..], "{}", time.strftime("%d/%b/%Y:%H:%M:%S +0000"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_follows_the_moments_that_it_is_asked_for() {
        let mut clock = Clock::new();
        let (now, noon) = (Instant::now(), Duration::from_secs(1_795_521_600));
        clock.known = Some((now, noon + Duration::from_millis(950)));
        assert_eq!(clock.text(now), b"24/Nov/2026:12:00:00 +0000");
        let later = now + Duration::from_millis(60);
        assert_eq!(clock.text(later), b"24/Nov/2026:12:00:01 +0000");
        // Then the time of day is asked again, which is another by now.
        let text = *clock.text(now + TRUSTED);
        assert_eq!(text, time_text(since_1970().as_secs()));
    }
}

//! The time in a line: made once for each second, from clocks that their callers have read already.
//!
//! Invariant: a moment is at most [`TRUSTED`] behind the time of day, also when that is set.

use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use crate::config::LogFormat;

/// Bytes of the longest text, httpd's: `24/Nov/2026:04:30:00 +0000`.
const TEXT_BYTES: usize = 26;
/// How long the time of day is reckoned from what it was. 100 ms: a tenth of a second.
const TRUSTED: Duration = Duration::from_millis(100);
/// Seconds whose texts are kept: that in which a request ends, and the one before, in which it may have begun.
const KEPT: usize = 2;

/// A moment in UTC.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    text: [u8; TEXT_BYTES],
    length: usize,
    /// Behind the second.
    pub(super) micros: u32,
}

impl Moment {
    /// Its second.
    pub(super) fn second(&self) -> &[u8] {
        &self.text[..self.length]
    }
}

/// What a thread knows of the time of day.
pub(super) struct Clock {
    /// A moment, and the time since 1970 that it was.
    known: Option<(Instant, Duration)>,
    format: LogFormat,
    /// Each at its remainder.
    seconds: [(u64, Moment); KEPT],
}

impl Clock {
    /// Nothing is known yet. Texts will be as lines in this format have them.
    pub(super) fn new(format: LogFormat) -> Self {
        Self {
            known: None,
            format,
            seconds: [(0, moment(Duration::ZERO, format)); KEPT],
        }
    }

    /// This moment, and the one that lies so far before it.
    pub(super) fn moments(&mut self, now: Instant, before: Duration) -> (Moment, Moment) {
        let ended = self.time_of_day(now);
        (self.moment(ended.saturating_sub(before)), self.moment(ended))
    }

    fn moment(&mut self, time: Duration) -> Moment {
        let second = time.as_secs();
        let kept = usize::try_from(second).unwrap_or_default() % KEPT;
        if self.seconds[kept].0 != second {
            self.seconds[kept] = (second, moment(time, self.format));
        }
        Moment {
            micros: time.subsec_micros(),
            ..self.seconds[kept].1
        }
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

/// A time since 1970; the last one that has a text stands for those behind it.
pub(super) fn moment(time: Duration, format: LogFormat) -> Moment {
    let second = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let timestamp = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    let mut text = [b'-'; TEXT_BYTES];
    let mut rest = &mut text[..];
    let pattern = match format {
        LogFormat::Combined => "%d/%b/%Y:%H:%M:%S +0000",
        LogFormat::Json => "%Y-%m-%dT%H:%M:%S",
    };
    // It fits: years have four digits.
    let _ = write!(rest, "{}", timestamp.strftime(pattern));
    let left = rest.len();
    Moment {
        text,
        length: TEXT_BYTES - left,
        micros: time.subsec_micros(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_follows_the_moments_that_it_is_asked_for() {
        let mut clock = Clock::new(LogFormat::Combined);
        let (now, noon) = (Instant::now(), Duration::from_secs(1_795_521_600));
        clock.known = Some((now, noon + Duration::from_millis(950)));
        let mut at = |after: u64, before: u64| {
            let after = now + Duration::from_millis(after);
            let (begun, ended) = clock.moments(after, Duration::from_millis(before));
            let shown = |moment: Moment| {
                let second = String::from_utf8(moment.second().to_vec()).unwrap();
                (second, moment.micros)
            };
            (shown(begun), shown(ended))
        };
        let second = |second: &str, micros: u32| (format!("24/Nov/2026:{second} +0000"), micros);
        assert_eq!(
            at(0, 0),
            (second("12:00:00", 950_000), second("12:00:00", 950_000))
        );
        assert_eq!(
            at(60, 60),
            (second("12:00:00", 950_000), second("12:00:01", 10_000))
        );
        assert_eq!(at(60, 3_010), (second("11:59:58", 0), second("12:00:01", 10_000)));
        assert_eq!(at(60, 0).0, second("12:00:01", 10_000));
        // Then the time of day is asked again, which is another by now.
        let (_, ended) = clock.moments(now + TRUSTED, Duration::ZERO);
        let today = moment(since_1970(), LogFormat::Combined);
        assert_eq!(ended.second(), today.second());
    }
}

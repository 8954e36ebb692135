//! Times as nginx and HAProxy write them: numbers with units, one behind the other.
//!
//! Invariant: total; what is no time is none.
//!
//! Left out on purpose: httpd's times, which are whole seconds unless they say `ms`.

use std::time::Duration;

/// Longest time that the proxy takes for a limit: a day.
const LIMIT_MAX: Duration = Duration::from_secs(86_400);

/// Shortest time that the proxy takes for a limit: a millisecond.
const LIMIT_MIN: Duration = Duration::from_millis(1);

/// What a time between two parts of an answer becomes.
pub(crate) const BETWEEN: &str = "`response` and `idle` of the routes that it holds for: a deadline for the head of an answer, over all tries, and \
                                  one for each rest in a body, in either direction";

/// The time in a text. Units are `us`, `ms`, `s`, `m`, `h`, `d`, `w`; a number without one counts in `bare`.
pub(crate) fn period(text: &str, bare: Duration) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.len()
            - rest
                .trim_start_matches(|letter: char| letter.is_ascii_digit())
                .len();
        let number: u32 = rest[..digits].parse().ok()?;
        let behind = &rest[digits..];
        let letters = behind.len()
            - behind
                .trim_start_matches(|letter: char| letter.is_ascii_alphabetic())
                .len();
        let unit = match &behind[..letters] {
            "" => bare,
            "us" => Duration::from_micros(1),
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3_600),
            "d" => Duration::from_secs(86_400),
            "w" => Duration::from_secs(604_800),
            _ => return None,
        };
        total = total.checked_add(unit.checked_mul(number)?)?;
        rest = &behind[letters..];
        if letters == 0 && !rest.is_empty() {
            return None;
        }
    }
    Some(total)
}

/// The nearest time that the proxy takes for a limit.
pub(crate) fn as_limit(period: Duration) -> Duration {
    period.clamp(LIMIT_MIN, LIMIT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_their_units() {
        let seconds = |text| period(text, Duration::from_secs(1)).map(|period| period.as_millis());
        assert_eq!(seconds("65"), Some(65_000));
        assert_eq!(seconds("1h30m"), Some(5_400_000));
        assert_eq!(seconds("500ms"), Some(500));
        assert_eq!(
            period("5000", Duration::from_millis(1)),
            Some(Duration::from_secs(5))
        );
        for none in ["", "x", "5x", "1.5s", "-1", "s"] {
            assert_eq!(seconds(none), None, "{none}");
        }
    }

    #[test]
    fn a_limit_is_what_the_proxy_takes() {
        assert_eq!(as_limit(Duration::ZERO), LIMIT_MIN);
        assert_eq!(as_limit(Duration::from_secs(1_000_000)), LIMIT_MAX);
    }
}

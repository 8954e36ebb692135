//! Durations as people write them in a configuration: `250ms`, `1s`, `5m`, `2h`, `1m 30s`, `1.5s`.
//!
//! Invariant: whole milliseconds, because that is what limits are compared and shown in. What units there are is
//! humantime's business; that a month or a nanosecond makes no sense for a limit is said by the range of that limit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// Nanoseconds of the smallest step.
const STEP_NANOS: u32 = 1_000_000;

/// A duration in whole milliseconds, written as a number and a unit: `250ms`, `1s`, `5m`, `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

impl Period {
    /// As the standard library's type.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Period, String> {
        let parsed = humantime::parse_duration(text).ok();
        let whole = parsed.filter(|duration| duration.subsec_nanos().is_multiple_of(STEP_NANOS));
        whole.map(Period).ok_or_else(|| {
            format!("`{text}` is not a duration: write a whole number and ms, s, m or h, as in \"250ms\"")
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Period, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Period;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"250ms\" or \"1s\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Period, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

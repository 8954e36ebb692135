//! How the members of a pool are checked.
//!
//! Invariants: a check names a page or Tomcat itself, a host that can stand in a head, and statuses that it can get ·
//! without checks nothing of them is filled in but their defaults.
//!
//! Left out on purpose: whether the page exists. The first check tells.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use remora_policy::HealthRule;
use remora_process::config::Spanned;

use super::super::file::{HealthTable, OrOff};
use super::super::report::Report;
use super::super::values::HealthConfig;

/// Checks of one member: not so often that they are load, not so seldom that they are none.
pub(in crate::config) const EVERY: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(60);
/// Time between two checks unless configured.
pub(in crate::config) const EVERY_DEFAULT: Duration = Duration::from_secs(1);
/// How long a check may stay unanswered unless configured: pauses of a garbage collector, rarely above half a second,
/// pass unnoticed. It is also how long a start waits for the first verdicts.
pub(in crate::config) const TIMEOUT_DEFAULT: Duration = Duration::from_secs(1);
/// Checks in a row that make a belief: more than ten take longer than anybody waits.
pub(in crate::config) const ROW: RangeInclusive<u32> = 1..=10;
/// Checks in a row that must fail before a member is down, unless configured. Two: the first may be an accident.
pub(in crate::config) const FALL_DEFAULT: u8 = 2;
/// Checks in a row that must pass before a member is up again, unless configured. Two: the first answer of a process
/// that starts or is resumed is often followed by a stall.
pub(in crate::config) const RISE_DEFAULT: u8 = 2;
/// Statuses that an answer may have.
pub(in crate::config) const STATUS: RangeInclusive<u16> = 200..=599;
/// What passes where a page is asked for: it is there, or says where it is.
pub(in crate::config) const PAGE: RangeInclusive<u16> = 200..=399;
/// What passes where Tomcat itself is asked: whatever it says is an answer, unless it says that it cannot.
pub(in crate::config) const ANSWER: RangeInclusive<u16> = 200..=499;

impl Report<'_> {
    pub(super) fn health(&mut self, health: &OrOff<HealthTable>) -> HealthConfig {
        let absent = HealthTable::default();
        let (table, checked) = match health {
            OrOff::Off => (&absent, false),
            OrOff::On(table) => (&**table, true),
        };
        let mut period = |name: &str, written: &Option<Spanned<_>>, default| {
            let written = written.as_ref();
            written.map_or(default, |period| self.within(name, period, EVERY))
        };
        let every = period("health.every", &table.every, EVERY_DEFAULT);
        let timeout = period("health.timeout", &table.timeout, TIMEOUT_DEFAULT);
        if let Some(path) = &table.path
            && !path.get_ref().starts_with('/')
        {
            let sentence = format!("health.path `{}` is not a path", path.get_ref());
            self.fault(path.span(), sentence);
        }
        self.stands_in_a_head("health.path", table.path.as_ref());
        self.stands_in_a_head("health.host", table.host.as_ref());
        if let Some(port) = table.port.as_ref().filter(|port| *port.get_ref() == 0) {
            self.fault(port.span(), "health.port is 0: name a connector of its own");
        }
        let text = |text: &Spanned<String>| text.get_ref().as_str().into();
        HealthConfig {
            rule: HealthRule {
                rise: self.row("health.rise", table.rise.as_ref(), RISE_DEFAULT),
                fall: self.row("health.fall", table.fall.as_ref(), FALL_DEFAULT),
                checked,
            },
            every,
            timeout,
            path: table.path.as_ref().map(text),
            host: table.host.as_ref().map(text),
            status: self.statuses(table),
            port: table.port.as_ref().map(|port| *port.get_ref()),
        }
    }

    fn row(&mut self, key: &str, written: Option<&Spanned<u32>>, default: u8) -> u8 {
        written.map_or(default, |count| {
            u8::try_from(self.within(key, count, ROW)).unwrap_or(default)
        })
    }

    fn stands_in_a_head(&mut self, key: &str, written: Option<&Spanned<String>>) {
        let Some(written) = written else { return };
        let text = written.get_ref();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.fault(
                written.span(),
                format!("{key} `{text}` cannot stand in a request"),
            );
        }
    }

    /// `200-299, 401`, or what passes by default.
    fn statuses(&mut self, table: &HealthTable) -> Arc<[RangeInclusive<u16>]> {
        let Some(written) = &table.status else {
            return match table.path {
                Some(_) => Arc::new([PAGE]),
                None => Arc::new([ANSWER]),
            };
        };
        let ranges: Option<Vec<_>> = written.get_ref().split(',').map(range).collect();
        ranges.map_or_else(
            || {
                let sentence = format!(
                    "health.status `{}` is no list of statuses from 200 to 599: write \"200-399\" or \"200, 401\"",
                    written.get_ref()
                );
                self.fault(written.span(), sentence);
                Arc::default()
            },
            Arc::from,
        )
    }
}

/// `200` or `200-399`.
fn range(written: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = written.split_once('-').unwrap_or((written, written));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last && STATUS.contains(&first) && STATUS.contains(&last)).then_some(first..=last)
}

//! How much repeating is allowed: attempts and time per exchange, tokens per thread.
//!
//! The budget is for attempts whose effect is possible: those may have cost an upstream work. Where nothing can have
//! happened (a refused connect, `Remora-Effect: none`) another attempt costs nothing, and the members bound it: each is
//! tried once.
//!
//! Without a bound, a site whose upstreams all fail would multiply its own load. Tokens come with traffic (a share of
//! each exchange), with time (so that a quiet site can always repeat something), and are kept up to a burst, which
//! covers the moment at which one upstream dies with many requests in hand.

use std::time::Duration;

/// What one exchange may still do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Attempts that may still have an effect.
    pub attempts: u32,
    /// Whether the thread has a token to spend.
    pub token: bool,
    /// Time until the deadline for the response head.
    pub time: Duration,
}

impl Budget {
    /// Whether another attempt may be begun after one that may have had an effect, if `paid`, or had none.
    pub(super) fn allows_another(&self, paid: bool) -> bool {
        let is_paid_for = self.attempts > 0 && self.token;
        (is_paid_for || !paid) && !self.time.is_zero()
    }
}

/// Bounds on repeating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryLimits {
    /// Attempts per exchange that may have had an effect, the first included; at least 1.
    pub attempts: u32,
    /// Tokens that each exchange earns, in hundredths.
    pub percent: u32,
    /// Tokens that each second earns.
    pub per_second: u32,
    /// Tokens kept at most, and at the start.
    pub burst: u32,
}

/// Parts that one token has, so that shares of a token can be counted without rounding.
const PARTS: u64 = 100_000;

/// The tokens of one thread.
#[derive(Debug)]
pub struct RetryBudget {
    /// In [`PARTS`] of a token.
    tokens: u64,
    /// When time last earned tokens.
    earned_until: Duration,
}

impl RetryBudget {
    /// A full budget. Times are counted from any fixed moment, the same for all calls; limits may differ from call to
    /// call, because a reload may change them.
    #[must_use]
    pub fn new(limits: &RetryLimits, now: Duration) -> RetryBudget {
        RetryBudget {
            tokens: u64::from(limits.burst) * PARTS,
            earned_until: now,
        }
    }

    /// An exchange begins: earns its share, and what the time since the last one earned.
    pub fn earn(&mut self, limits: &RetryLimits, now: Duration) {
        let by_traffic = u64::from(limits.percent) * (PARTS / 100);
        self.tokens = self.parts(limits, now, by_traffic);
        self.earned_until = self.earned_until.max(now);
    }

    /// Tokens that are there to be spent.
    #[must_use]
    pub fn left(&self, limits: &RetryLimits, now: Duration) -> u64 {
        self.parts(limits, now, 0) / PARTS
    }

    /// The tokens with what the time since the last exchange earned, and `more`, in [`PARTS`].
    fn parts(&self, limits: &RetryLimits, now: Duration, more: u64) -> u64 {
        let elapsed = now.saturating_sub(self.earned_until);
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let by_time = millis
            .saturating_mul(u64::from(limits.per_second))
            .saturating_mul(PARTS / 1_000);
        let most = u64::from(limits.burst) * PARTS;
        self.tokens.saturating_add(by_time).saturating_add(more).min(most)
    }

    /// What an exchange may still do that has made `attempts` with a possible effect and has `time` until its deadline.
    #[must_use]
    pub fn budget(&self, limits: &RetryLimits, attempts: u32, time: Duration) -> Budget {
        Budget {
            attempts: limits.attempts.saturating_sub(attempts),
            token: self.tokens >= PARTS,
            time,
        }
    }

    /// Another attempt begins after one that may have had an effect: costs one token.
    pub fn spend(&mut self) {
        self.tokens = self.tokens.saturating_sub(PARTS);
    }
}
